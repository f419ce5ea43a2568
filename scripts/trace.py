"""
Trace every numbered requirement to its spec, its code and its tests, in specs/traceability.md.

    python scripts/trace.py            write the file
    python scripts/trace.py --check    only compare

Both fail on an id without a test (unless its row says ``planned: <reason>``), on a test, feature or ``Spec:`` line that
names an unknown id, and on an id defined twice. Ids are defined by table rows ``| ID | level | text |`` in
specs/<package>.md; tests carry them in ``@pytest.mark.requirement("ID")``, features in tags, code in ``Spec:`` lines.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
TARGET: Final = Path("specs/traceability.md")
NO_CODE: Final = frozenset({"tests", "features", "scripts", "docs", "specs", "benchmarks", "examples", "codegen"})

ID: Final = re.compile(r"[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*-[0-9]+[a-z]?")
PLANNED: Final = re.compile(r"\bplanned:\s*(?P<reason>[^|]*\w[^|]*)")
SPEC_LINE: Final = re.compile(r"^\s*Spec:(?P<ids>.+)$")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row of a spec."""

    id: str
    level: str
    spec: str
    """Path of the file that defines it, seen from the root."""
    planned: str | None
    """Why it has no test yet; None when it owes one."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One place that names an id."""

    id: str
    place: str
    """``path::test`` for tests, ``path: scenario`` for features, the path for code."""


@dataclass(slots=True)
class Trace:
    """Everything found in the tree, and what is wrong with it."""

    requirements: dict[str, Requirement] = field(default_factory=dict)
    tests: list[Mention] = field(default_factory=list)
    code: list[Mention] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def spec_rows(text: str, spec: str) -> Iterator[Requirement]:
    """Give the requirements that the tables of one spec define, in their order."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().split("|")[1:-1]] if line.lstrip().startswith("|") else []
        if len(cells) > 2 and ID.fullmatch(cells[0].strip("`")):  # noqa: PLR2004 id, level, text
            planned = PLANNED.search(line)
            reason = planned["reason"].strip(" .)`") if planned else None
            yield Requirement(cells[0].strip("`"), cells[1], spec, reason)


def marker_mentions(text: str, path: str) -> Iterator[Mention]:
    """
    Give the ids that one test module's ``pytest.mark.requirement`` calls name.

    Raises:
        TypeError: an argument of the marker is not a literal string.
    """
    pending: list[tuple[ast.AST, str]] = [(ast.parse(text), path)]
    while pending:
        node, place = pending.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            place = f"{place}::{node.name}"
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.requirement"):
            for argument in node.args:
                if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                    raise TypeError(
                        f"{path}:{node.lineno}: requirement() takes literal ids, not {ast.unparse(argument)}"
                    )
                yield Mention(argument.value, place)
        pending += [(child, place) for child in ast.iter_child_nodes(node)]


def feature_mentions(text: str, path: str) -> Iterator[Mention]:
    """Give the ids that one feature file's tags name, each with the feature, rule or scenario that follows."""
    tags: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if line.startswith("@"):
            tags += [tag.removeprefix("@") for tag in line.split("#")[0].split()]
        elif line and not line.startswith("#"):
            yield from (Mention(tag, f"{path}: {line.partition(':')[2].strip()}") for tag in tags if ID.fullmatch(tag))
            tags.clear()


def code_mentions(text: str, path: str) -> Iterator[Mention]:
    """Give the ids that one module's ``Spec:`` lines name."""
    for line in filter(None, map(SPEC_LINE.match, text.splitlines())):
        yield from (Mention(id_, path) for id_ in ID.findall(line["ids"]))


def collect(root: Path) -> Trace:
    """Read the specs, tests, features and code below *root*."""
    trace = Trace()
    for spec in sorted(Path(root, "specs").glob("**/*.md")):
        name = spec.relative_to(root).as_posix()
        for row in spec_rows(spec.read_text("utf-8"), name) if name != TARGET.as_posix() else ():
            if row.id in trace.requirements:
                trace.problems.append(f"{row.id} is defined in {trace.requirements[row.id].spec} and again in {name}")
            trace.requirements[row.id] = row
    for path in sorted([*Path(root, "tests").glob("**/test_*.py"), *Path(root, "features").glob("**/test_*.py")]):
        try:
            trace.tests += marker_mentions(path.read_text("utf-8"), path.relative_to(root).as_posix())
        except TypeError as error:
            trace.problems.append(str(error))
    for path in sorted(Path(root, "features").glob("**/*.feature")):
        trace.tests += feature_mentions(path.read_text("utf-8"), path.relative_to(root).as_posix())
    for path in sorted(root.glob("*/**/*.py")):
        name = path.relative_to(root).as_posix()
        top = name.split("/")[0]
        if top not in NO_CODE and not top.startswith(".") and "/_sync/" not in name:
            trace.code += code_mentions(path.read_text("utf-8"), name)
    return trace


def judge(trace: Trace) -> list[str]:
    """Return what is wrong, one line each: unknown ids first, then ids without a test."""
    unknown: dict[str, list[str]] = {}
    for mention in [*trace.tests, *trace.code]:
        if mention.id not in trace.requirements:
            unknown.setdefault(mention.id, []).append(mention.place)
    strangers = [f"no spec defines {id_}, named by {', '.join(dict.fromkeys(unknown[id_]))}" for id_ in sorted(unknown)]
    tested = {mention.id for mention in trace.tests}
    untested = [
        f"{row.id} ({row.spec}) has no test; write one, or say in its row why not yet: planned: <reason>"
        for row in trace.requirements.values()
        if row.id not in tested and not row.planned
    ]
    return [*trace.problems, *strangers, *untested]


def render(trace: Trace) -> str:
    """Return the text of specs/traceability.md: one table per spec, ids in the spec's own order."""
    tested = {mention.id for mention in trace.tests} & set(trace.requirements)
    lines = [
        "# Traceability",
        "",
        "Written by `scripts/trace.py`; do not edit.",
        "",
        f"{len(trace.requirements)} requirements, {len(tested)} with a test.",
    ]
    for spec in dict.fromkeys(row.spec for row in trace.requirements.values()):
        lines += ["", f"## {spec}", "", "| id | level | tests | code |", "|---|---|---|---|"]
        for row in trace.requirements.values():
            if row.spec == spec:
                tests = _places(trace.tests, row.id) or f"planned: {row.planned}"
                lines.append(f"| {row.id} | {row.level} | {tests} | {_places(trace.code, row.id)} |")
    return "\n".join(lines) + "\n"


def _places(mentions: Sequence[Mention], id_: str) -> str:
    """Return the places that name *id_*, each once, as the contents of one table cell."""
    found = dict.fromkeys(mention.place for mention in mentions if mention.id == id_)
    return "<br>".join(f"`{place.replace('|', '/')}`" for place in found)


def main(arguments: Sequence[str] | None = None, *, root: Path = ROOT) -> int:
    """Write or compare the file; return the exit code: 0 when all is well, 1 when not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    only_compare = parser.parse_args(arguments).check
    trace = collect(root)
    if not trace.requirements:
        print("trace: no requirement is defined in specs/ yet, nothing to trace")
        return 0
    problems = judge(trace)
    target, text = Path(root, TARGET), render(trace)
    if not only_compare:
        target.write_text(text, "utf-8")
    elif not target.is_file() or target.read_text("utf-8") != text:
        problems.append(f"{TARGET} is stale: run python scripts/trace.py")
    for problem in problems:
        print(f"trace: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
