"""
Hold a run against the committed baseline, as ratios to the floor of the same run, never as microseconds.

    python -m benchmarks.compare [--rounds 5] [--quick] [--results FILE] [--update]

Measures the floor and our adapter, or takes a file that `python -m benchmarks --json FILE` has written. Ends with
status 1 when a ratio is 15 % worse than in `benchmarks/baseline.json`, or is missing. `--update` writes the baseline
anew, unless the figures come from a quick run.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from benchmarks.clients import FLOOR, OURS
from benchmarks.results import Results, UnreadableResults
from benchmarks.runs import run
from benchmarks.scenarios import BY_NAME, SCENARIOS
from benchmarks.table import show

if TYPE_CHECKING:
    from collections.abc import Mapping

BASELINE: Final = Path(__file__).with_name("baseline.json")
TOLERANCE: Final = 0.15
"""How much worse a ratio may be."""
COMPARED: Final = (
    "own-reads-64", "own-reads-1", "coalesced-1", "coalesced-64", "tiny-tasks", "growth",
)  # fmt: skip
"""Scenarios whose ratios a few minutes settle, on a machine that others use too; so none that is timed by the wall."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One ratio, then and now."""

    name: str
    was: float | None
    """None: it is new."""
    now: float | None
    """None: it was not measured."""
    change: float
    """How much worse, as a share of what it was; below zero it is better."""

    @property
    def word(self) -> str:
        """What to think of it."""
        if self.now is None:
            return "MISSING"
        if self.was is None:
            return "new"
        return "WORSE" if self.is_worse else "ok"

    @property
    def is_worse(self) -> bool:
        """Whether it fails the comparison."""
        return self.now is None or self.change > TOLERANCE


def ratios(results: Results) -> dict[str, float]:
    """By `scenario/wire/client`: the ratio to the floor; where the figure is a ratio itself, the figure."""
    found: dict[str, float] = {}
    for figure in results.figures:
        if figure.client not in OURS or figure.scenario not in COMPARED or not figure.values:
            continue
        value: float | None = figure.median
        if BY_NAME[figure.scenario].ratios:
            value = results.ratio(figure.scenario, figure.wire, figure.client, FLOOR)
        if value is not None:
            found[f"{figure.scenario}/{figure.wire}/{figure.client}"] = round(value, 3)
    return found


def compare(baseline: Mapping[str, float], now: Mapping[str, float]) -> list[Verdict]:
    """
    A verdict on every ratio of either side, in the order of the baseline; all are costs, so more is worse.
    """
    verdicts = []
    for name in [*baseline, *(name for name in now if name not in baseline)]:
        was, is_now = baseline.get(name), now.get(name)
        change = is_now / was - 1 if was and is_now is not None else 0.0
        verdicts.append(Verdict(name, was, is_now, change))
    return verdicts


def expected(baseline: Mapping[str, float], left_out: Mapping[str, str]) -> dict[str, float]:
    """The part of the baseline that can be measured here: without clients whose packages are not installed."""
    return {name: value for name, value in baseline.items() if name.rpartition("/")[2] not in left_out}


def main() -> None:
    """Compare, or write the baseline."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="rounds of each scenario (default 5, with --quick 2)")
    parser.add_argument("--quick", action="store_true", help="smaller loads: for a look")
    parser.add_argument("--results", type=Path, metavar="FILE", help="figures that are there already")
    parser.add_argument("--update", action="store_true", help="write the baseline in place of comparing with it")
    options = parser.parse_args()
    if options.results:
        try:
            results = Results.load(options.results)
        except UnreadableResults as error:
            _refuse(str(error))
    else:
        results = run(
            [scenario for scenario in SCENARIOS if scenario.name in COMPARED],
            [FLOOR, *OURS],
            rounds=options.rounds or (2 if options.quick else 5),
            quick=options.quick,
        )
    now = ratios(results)
    if options.update and results.is_quick:
        _refuse("--update: a quick run is no baseline")
    if options.update:
        BASELINE.write_text(json.dumps(now, indent=1) + "\n")
        print(f"{len(now)} ratios written to {BASELINE.name}")
        return
    verdicts = compare(expected(json.loads(BASELINE.read_text()), results.left_out), now)
    show(
        ["ratio to the floor", "baseline", "now", "change", ""],
        [[each.name, _number(each.was), _number(each.now), f"{each.change:+.0%}", each.word] for each in verdicts],
    )
    worse = [each for each in verdicts if each.is_worse]
    print(f"\n{len(worse)} of {len(verdicts)} more than {TOLERANCE:.0%} worse, or missing")
    sys.exit(1 if worse else 0)


def _refuse(why: str) -> NoReturn:
    """Say it on one line, and end with status 2."""
    print(f"benchmarks.compare: {why}", file=sys.stderr)
    sys.exit(2)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    main()
