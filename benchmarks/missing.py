"""The goals that a run does not meet, and why: figures from the run, reasons from the page, where people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.goals import GOALS, Verdict
from benchmarks.rows import goal_cells

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.results import Results

NOT_EXPLAINED: Final = "not explained yet"
"""What stands where nobody has written a reason."""

_HEAD: Final = ("goal that is not met", "wire", "bound", "measured", "why")

Key = tuple[str, ...]
"""What is bounded, over which wire, by what, and the verdict: a reason for one is none for another."""


def missing_rows(results: Results, reasons: Mapping[Key, str]) -> list[list[str]]:
    """A head, then a row for each goal that *results* do not meet, or say nothing to."""
    rows = [list(_HEAD)]
    for goal in GOALS:
        verdict = goal.verdict(results)
        if verdict is Verdict.MET:
            continue
        *what, measured = goal_cells(goal, results)
        shown = measured if verdict is Verdict.MISSED else verdict
        rows.append([*what, shown, reasons.get((*what, verdict), NOT_EXPLAINED)])
    return rows


def kept_reasons(table: str) -> dict[Key, str]:
    """The reasons in a table that `missing_rows` has made and people have filled."""
    kept: dict[Key, str] = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == len(_HEAD) and cells[-1] != NOT_EXPLAINED:
            *what, measured, why = cells
            kept[*what, measured if measured in list(Verdict) else Verdict.MISSED] = why
    return kept
