"""
Fill `docs/performance.md` and draw its plots from a run: `python -m benchmarks.report results.json [--force]`.

What stands between the marks `<!-- NAME -->` and `<!-- /NAME -->` is written anew, for the names `reading`, `goals`,
`missing` and `results`; all else is left as it is, and so are the reasons in the last column of `missing`, which people
write. Nothing is shown that the run does not hold.

A run that is not for the record is refused with status 2: a quick one, one of fewer than 3 rounds, one without the
floor, our adapter or the official SDK. `--force` takes it all the same.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from benchmarks.clients import BY_NAME, FLOOR, KINDS, OFFICIAL, OURS
from benchmarks.glossary import notes
from benchmarks.missing import NOT_EXPLAINED, kept_reasons, missing_rows
from benchmarks.plots import Bars, chart
from benchmarks.results import Results, UnreadableResults
from benchmarks.rows import WIRES, goal_rows, scenario_rows
from benchmarks.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scenarios import Scenario

PAGE: Final = Path(__file__).parents[1] / "docs" / "performance.md"
DRAWN: Final = ("own-reads-64", "coalesced-1", "first-token", "tiny-tasks", "held-streams", "memory", "import")
"""Scenarios with a plot."""
_LINE: Final = 120
FEWEST_ROUNDS: Final = 3
"""Rounds whose median is worth keeping."""


def main() -> None:
    """Write the page and the plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="what `python -m benchmarks --json FILE` has written")
    parser.add_argument("--force", action="store_true", help="also from a run that is not for the record")
    options = parser.parse_args()
    try:
        results = Results.load(options.results)
    except UnreadableResults as error:
        _refuse(str(error))
    if (weak := weaknesses(results)) and not options.force:
        _refuse(f"{options.results} is not for the record: {'; '.join(weak)} (--force takes it all the same)")
    write(results, PAGE)


def _refuse(why: str) -> NoReturn:
    """Say it on one line, and end with status 2."""
    print(f"benchmarks.report: {why}", file=sys.stderr)
    sys.exit(2)


def weaknesses(results: Results) -> list[str]:
    """What speaks against keeping *results*: nothing, for a whole run on purpose."""
    rounds = results.about.get("rounds", 0)
    measured = {figure.client for figure in results.figures}
    lacking = [BY_NAME[name].title for name in (FLOOR, OURS[0], OFFICIAL) if name not in measured]
    found = ["it is a quick run"] if results.is_quick else []
    if rounds < FEWEST_ROUNDS:
        found.append(f"it has {rounds} round{'' if rounds == 1 else 's'}, and {FEWEST_ROUNDS} are the fewest")
    if lacking:
        found.append(f"it lacks {', '.join(lacking)}")
    return found


def write(results: Results, page: Path) -> None:
    """Fill *page*, and draw the plots into the folder beside it that has its name; plots of other runs go."""
    folder = page.with_suffix("")
    folder.mkdir(exist_ok=True)
    drawn = {each.name: drawing for each in SCENARIOS if each.name in DRAWN and (drawing := plot(results, each))}
    for left_over in folder.glob("*.svg"):
        left_over.unlink()
    for name, drawing in drawn.items():
        (folder / f"{name}.svg").write_text(drawing)
    text = page.read_text()
    rows = missing_rows(results, kept_reasons(between(text, "missing")))
    text = filled(text, "reading", "\n".join(map(_bullet, notes(results))))
    text = filled(text, "goals", markdown(goal_rows(results, all_of_them=True)))
    text = filled(text, "missing", markdown(rows) if len(rows) > 1 else "Nothing: every goal is met.")
    page.write_text(filled(text, "results", sections(results, {name: f"{folder.name}/{name}.svg" for name in drawn})))
    if unexplained := [row for row in rows if row[-1] == NOT_EXPLAINED]:
        print(f"{len(unexplained)} goals that are not met wait for a reason in {page.name}", file=sys.stderr)


def _bullet(note: str) -> str:
    """*note* as an entry of a list, in lines as people write them."""
    return textwrap.fill(note, _LINE, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)


def _marked(page: str, mark: str) -> re.Match[str]:
    """The marks of that name, and what stands between them."""
    found = re.search(rf"(<!-- {mark} -->\n)(.*?)(<!-- /{mark} -->)", page, re.DOTALL)
    if found is None:
        raise ValueError(f"the page has no marks <!-- {mark} --> and <!-- /{mark} -->")
    return found


def between(page: str, mark: str) -> str:
    """
    What stands between the marks of that name.

    Raises:
        ValueError: The page has no such marks.
    """
    return _marked(page, mark)[2]


def filled(page: str, mark: str, text: str) -> str:
    """
    *page* with *text* between the marks of that name.

    Raises:
        ValueError: The page has no such marks.
    """
    found = _marked(page, mark)
    return f"{page[: found.end(1)]}\n{text}\n\n{page[found.start(3) :]}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """*rows* as a table; the first is its head, numbers stand to the right."""
    head, *rest = rows
    right = [
        all(cell[:1].isdigit() or cell in ("-", "FAILED") for cell in column) for column in zip(*rest, strict=True)
    ]
    lines = [head, ["---:" if is_number else "---" for is_number in right or [False] * len(head)], *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def sections(results: Results, plots: dict[str, str]) -> str:
    """
    Where it was measured, then a section for each scenario.

    Args:
        results: What a run has found.
        plots: Where the plot of a scenario is, by its name.
    """
    about = results.about
    needed = _packages(results)
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items() if name in needed)
    where = f"Python {about['python']}, {about['system']}, client and upstream on a core each"
    kind = " of a quick run" if results.is_quick else ""
    parts = [textwrap.fill(f"{where}, medians of {about['rounds']} rounds{kind}. {versions}.", _LINE)]
    for scenario in SCENARIOS:
        rows = scenario_rows(results, scenario)
        if len(rows) == 1:
            continue
        parts.append(f"### {scenario.title}")
        if scenario.name in plots:
            parts.append(f"![{scenario.title}]({plots[scenario.name]})")
        parts.append(markdown(rows))
    parts += [f"{name} was left out: {reason}." for name, reason in results.left_out.items()]
    return "\n\n".join(parts)


def _packages(results: Results) -> set[str]:
    """Distributions that the clients of the run stand on."""
    measured = [kind for kind in KINDS if any(figure.client == kind.name for figure in results.figures)]
    names = {name.replace("_", "-") for kind in measured for name in kind.needs}
    # ours is built on httpx; the peers' engines bring their HTTP/2 with them
    names |= {"httpx"} | ({"h2", "httpx2"} if any(kind.is_peer for kind in measured) else set())
    return names | ({"uvloop"} if any(kind.uvloop for kind in measured) else set())


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
