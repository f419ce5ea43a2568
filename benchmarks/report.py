"""
Fill `docs/performance.md` and draw its plots from a run: `python -m benchmarks.report results.json`.

What stands between the marks `<!-- goals -->` and `<!-- /goals -->`, and the same with `results`, is written anew; all
else is left as it is.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.clients import FLOOR, KINDS, OURS
from benchmarks.plots import Bars, chart
from benchmarks.results import Results
from benchmarks.rows import WIRES, goal_rows, scenario_rows
from benchmarks.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scenarios import Scenario

PAGE: Final = Path(__file__).parents[1] / "docs" / "performance.md"
PLOTS: Final = PAGE.with_suffix("")
DRAWN: Final = ("own-reads-64", "coalesced-1", "first-token", "tiny-tasks", "held-streams", "memory", "import")
"""Scenarios with a plot."""


def main() -> None:
    """Write the page and the plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="what `python -m benchmarks --json FILE` has written")
    results = Results.load(parser.parse_args().results)
    PLOTS.mkdir(exist_ok=True)
    for scenario in SCENARIOS:
        if scenario.name in DRAWN and (drawn := plot(results, scenario)):
            (PLOTS / f"{scenario.name}.svg").write_text(drawn)
    page = filled(PAGE.read_text(), "goals", markdown(goal_rows(results)))
    PAGE.write_text(filled(page, "results", sections(results)))


def filled(page: str, mark: str, text: str) -> str:
    """
    *page* with *text* between the marks of that name.

    Raises:
        ValueError: The page has no such marks.
    """
    between = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    if not between.search(page):
        raise ValueError(f"the page has no marks <!-- {mark} --> and <!-- /{mark} -->")
    return between.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """*rows* as a table; the first is its head, numbers stand to the right."""
    head, *rest = rows
    right = [
        all(cell[:1].isdigit() or cell in ("-", "FAILED") for cell in column) for column in zip(*rest, strict=True)
    ]
    lines = [head, ["---:" if is_number else "---" for is_number in right or [False] * len(head)], *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def sections(results: Results) -> str:
    """Where it was measured, then a section for each scenario."""
    about = results.about
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    where = f"Python {about['python']}, {about['system']}, client and upstream on a core each"
    parts = [f"{where}, medians of {about['rounds']} rounds. {versions}."]
    for scenario in SCENARIOS:
        rows = scenario_rows(results, scenario)
        if len(rows) == 1:
            continue
        parts.append(f"### {scenario.title}")
        if scenario.name in DRAWN and (PLOTS / f"{scenario.name}.svg").exists():
            parts.append(f"![{scenario.title}]({PLOTS.name}/{scenario.name}.svg)")
        parts.append(markdown(rows))
    parts += [f"{name} was left out: {reason}." for name, reason in results.left_out.items()]
    return "\n\n".join(parts)


def plot(results: Results, scenario: Scenario) -> str | None:
    """The chart of *scenario*: ratios to the floor, or the figures where the floor is no measure; None without any."""
    by_ratio = scenario.unit == "us"
    wires = [wire for wire in scenario.wires if any(each.wire == wire for each in results.figures)]
    bars = []
    for kind in KINDS:
        values = []
        for wire in wires:
            figure = results.get(scenario.name, wire, kind.name)
            shown = None if figure is None else figure.median
            values.append(results.ratio(scenario.name, wire, kind.name, FLOOR) if by_ratio else shown)
        if any(value is not None for value in values):
            role = "ours" if kind.name in OURS else "peer" if kind.is_peer else "floor"
            bars.append(Bars(kind.title, role, tuple(values)))
    if not bars:
        return None
    unit = f"x {FLOOR}" if by_ratio else scenario.unit
    names = [WIRES[wire] for wire in wires]
    return chart(scenario.title, unit, names, bars, logarithmic=scenario.unit in ("us", "x"))


if __name__ == "__main__":
    main()
