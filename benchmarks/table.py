"""How every benchmark shows what it found: a small table, and the goal below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def show(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print *rows* under *head*, the first column to the left and the others to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, ["-" * width for width in widths], *rows]:
        first, *rest = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *rest]))


def show_goal(what: str, *, measured: float, goal: float, unit: str) -> None:
    """Print whether *measured* is at most *goal*; nothing fails because of it."""
    verdict = "met" if measured <= goal else "MISSED"
    print(f"\ngoal: {what} at most {goal:g} {unit}; measured {measured:.3g} {unit}: {verdict}")
