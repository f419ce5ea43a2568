"""The tables of a run, as rows of text: for the terminal and for the report alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.clients import BY_NAME, FLOOR, KINDS, OFFICIAL
from benchmarks.goals import GOALS, Verdict
from benchmarks.scenarios import BY_NAME as SCENARIO_BY_NAME

if TYPE_CHECKING:
    from benchmarks.goals import Goal
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


def goal_rows(results: Results, *, all_of_them: bool = False) -> list[list[str]]:
    """
    A head, then a row for each goal.

    Args:
        results: What a run has found.
        all_of_them: Also those whose scenario the run has left out.
    """
    measured = {(figure.scenario, figure.wire) for figure in results.figures}
    shown = [goal for goal in GOALS if all_of_them or (goal.scenario, goal.wire) in measured]
    head = ["goal of the adapter", "wire", "bound", "measured", ""]
    return [head, *([*goal_cells(goal, results), goal.verdict(results)] for goal in shown)]


def goal_cells(goal: Goal, results: Results) -> list[str]:
    """What is bounded, over which wire, by what, and what was measured."""
    wire = WIRES[goal.wire] if SCENARIO_BY_NAME[goal.scenario].is_wired else ""
    value = goal.measured(results) if goal.verdict(results) in (Verdict.MET, Verdict.MISSED) else None
    return [goal.what, wire, goal.text, "-" if value is None else f"{value:.3g} {goal.unit}"]
