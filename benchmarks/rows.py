"""The tables of a run, as rows of text: for the terminal and for the report alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.clients import BY_NAME, FLOOR, KINDS, OFFICIAL
from benchmarks.goals import GOALS
from benchmarks.scenarios import BY_NAME as SCENARIO_BY_NAME

if TYPE_CHECKING:
    from benchmarks.results import Figure, Results
    from benchmarks.scenarios import Scenario

WIRES = {"http1": "HTTP/1.1", "http1-tls": "HTTP/1.1, TLS", "http2": "HTTP/2, TLS"}


def scenario_rows(results: Results, scenario: Scenario) -> list[list[str]]:
    """
    A head, then a row for each client: what it showed and its ratios, for each wire that was measured.
    """
    found = [figure for figure in results.figures if figure.scenario == scenario.name]
    wires = [wire for wire in WIRES if any(figure.wire == wire for figure in found)]
    head = ["client"]
    for wire in wires:
        where = f" ({WIRES[wire]})" if scenario.is_wired else ""
        head += [f"{scenario.unit}{where}"]
        if scenario.ratios:
            head += [f"x {FLOOR}", f"x {BY_NAME[OFFICIAL].title}"]
    rows = [head]
    for kind in KINDS:
        mine = {figure.wire: figure for figure in found if figure.client == kind.name}
        if mine:
            rows.append(
                [kind.title, *(cell for wire in wires for cell in _cells(results, scenario, wire, mine.get(wire)))]
            )
    return rows


def _cells(results: Results, scenario: Scenario, wire: str, figure: Figure | None) -> list[str]:
    """The figure and its ratios."""
    width = 3 if scenario.ratios else 1
    if figure is None:
        return ["-"] * width
    if figure.error:
        return ["FAILED", *["-"] * (width - 1)]
    cells = [f"{figure.median:,.{scenario.digits}f}"]
    if scenario.ratios:
        cells += [_ratio(results.ratio(scenario.name, wire, figure.client, base)) for base in (FLOOR, OFFICIAL)]
    return cells


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def goal_rows(results: Results) -> list[list[str]]:
    """A head, then a row for each goal of which the run says something."""
    rows = [["goal of the adapter", "wire", "bound", "measured", ""]]
    for goal in GOALS:
        measured = goal.measured(results)
        if measured is not None:
            scenario = SCENARIO_BY_NAME[goal.scenario]
            unit = " x" if goal.base else f" {scenario.unit}"
            wire = WIRES[goal.wire] if scenario.is_wired else ""
            verdict = "met" if goal.is_met(measured) else "MISSED"
            rows.append([scenario.title, wire, goal.text, f"{measured:.3g}{unit}", verdict])
    return rows
