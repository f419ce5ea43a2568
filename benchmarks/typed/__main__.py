"""
CPU of the typed client for a streamed chunk, a long list, an answer and embeddings, beside the official SDK.

    python -m benchmarks.typed [--rounds 7] [--task NAME]...

Goal: a tenth of the official SDK, per streamed chunk and per list of 1,000. Without the SDK, our figures alone. The
exit status is 1 when a client read something else than was sent.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from benchmarks.ratios import ratio
from benchmarks.table import show, show_goal
from benchmarks.typed.callers import CALLERS
from benchmarks.typed.documents import MEASURES, Task
from benchmarks.typed.runs import WrongReading, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.typed.runs import Figures


def main() -> None:
    """Measure what the command line asks for, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each task (default 7)")
    parser.add_argument("--task", action="append", type=Task, choices=list(Task), help="only this one; may be repeated")
    options = parser.parse_args()
    tasks: list[Task] = options.task or list(Task)
    makes = ["ours", "official"] if find_spec("openai") else ["ours"]
    try:
        figures = measure(tasks, makes, options.rounds)
    except WrongReading as problem:
        sys.exit(f"FAILED {problem}")
    rows = [_row(figures, task, colour, makes) for task in tasks for colour in CALLERS]
    show([f"median of {options.rounds}", "", "CPU", *makes, "ratio"], rows)
    for task in tasks:
        goal = MEASURES[task].goal
        for colour in CALLERS if goal and "official" in makes else ():
            measured = ratio(figures[task, colour, "ours"], figures[task, colour, "official"])
            show_goal(f"{MEASURES[task].title}, {colour}", measured=measured, goal=goal or 0, unit="x the official SDK")


def _row(figures: Figures, task: Task, colour: str, makes: Sequence[str]) -> list[str]:
    how = MEASURES[task]
    found = [figures[task, colour, make] for make in makes]
    shown = [f"{statistics.median(values) / how.units:.2f}" for values in found]
    return [how.title, colour, how.unit, *shown, f"{ratio(*found):.3f}" if len(found) > 1 else "-"]


if __name__ == "__main__":
    main()
