"""What a reader has to know to read the tables of a run: a note for each thing that they show, and none for others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.clients import BY_NAME, FLOOR, KINDS
from benchmarks.goals import GOALS, Verdict
from benchmarks.rows import scenario_rows
from benchmarks.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.results import Results


def notes(results: Results) -> list[str]:
    """The notes, in the order of the page."""
    return [*_of_clients(results), *_of_measures(results), *_of_cells(results)]


def _of_clients(results: Results) -> Iterator[str]:
    """Who is measured."""
    measured = {figure.client for figure in results.figures}
    peers = [kind.title for kind in KINDS if kind.is_peer and kind.name in measured]
    if peers:
        yield f"Beside the adapter stand what people use otherwise: {'; '.join(peers)}."
    if FLOOR in measured:
        yield (
            f"The floor, `{FLOOR}`, is a bare asyncio protocol that splits events, decodes what a token needs and does "
            f"nothing else: no timers, no cancel, no order guard, no retry. `x {FLOOR}` says how much everything else "
            "adds."
        )
    if any(BY_NAME[name].uvloop for name in measured):
        yield "`uvloop`: the same client on that event loop, in place of asyncio's own."


def _of_measures(results: Results) -> Iterator[str]:
    """What is measured."""
    shown = [each for each in SCENARIOS if any(figure.scenario == each.name for figure in results.figures)]
    if any(each.ratios for each in shown):
        yield "Ratios hold on other machines, microseconds do not. Both sides of a ratio come from the same round."
    if any(each.measure == "cpu_per_token" for each in shown):
        yield (
            "`CPU per token` is that of the whole process. A client that costs 10 us a token can hand out at most "
            "100,000 tokens a second on one core; 64 streams of 50 tokens a second keep it busy for 3 % of the time."
        )
    if any(each.measure == "held_streams" for each in shown):
        yield (
            "A stream is *held* when 99 of 100 tokens reach their reader less than 50 ms after the upstream wrote "
            "them. Numbers of streams are tried in steps, so a figure is the highest step that held."
        )
    if any(each.measure == "import_cost" for each in shown):
        yield "`Import` counts the CPU of a fresh interpreter that imports the client, over one that imports nothing."


def _of_cells(results: Results) -> Iterator[str]:
    """What stands in place of a figure."""
    cells = {cell for scenario in SCENARIOS for row in scenario_rows(results, scenario)[1:] for cell in row}
    if "-" in cells:
        yield "`-`: the client does not speak that wire, or there is nothing to take a ratio to."
    if "FAILED" in cells:
        yield "`FAILED`: the client gave a wrong answer, an error, or none."
    verdicts = {goal.verdict(results) for goal in GOALS}
    if verdicts & {Verdict.NOT_MEASURED, Verdict.NOT_BY_A_QUICK_RUN}:
        yield "`not measured`: the run says nothing to that goal."
