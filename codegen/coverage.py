"""
Write `docs/api-coverage.md`, the table of what the client offers and what tests hold it to, or compare it.

    python -m codegen.coverage            writes
    python -m codegen.coverage --check    writes nothing; exit status 1 when something differs

What is tested is read from the rows of the contract tests; the rest is what is generated.
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codegen.description import load_settings
from codegen.functions_source import stream_name
from codegen.generate import load_plan
from codegen.parser import FORM
from codegen.schema import OneOf, Ref

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen.plan import Plan, PlannedOperation

_ROOT: Final = Path(__file__).parent.parent
_TARGET: Final = _ROOT / "docs" / "api-coverage.md"
_TESTS: Final = _ROOT / "tests" / "contract" / "operations" / "test_operations.py"
_HEAD: Final = """\
# What of the API is covered

Written by `python -m codegen.coverage`, compared by `check`; do not edit.

{tested} of {all} operations are called in both colours by contract tests, which compare what leaves the client and what
comes back with another reading of the pinned description. Their rows are in
[specs/openai_operations.md](../specs/openai_operations.md).

| what | how many |
|---|---|
| operations | {all} |
| of these: streamed | {streamed} |
| of these: with a form for files | {forms} |
| of these: answered by a file | {files} |
| of these: lists that are fetched in pages | {pages} |
| of these: with the organization's admin key | {admin} |
| kinds of webhook events | {webhooks} |
| kinds of events that a realtime session sends | {sent} |
| kinds of events that a realtime session receives | {received} |

A method is called on `Client` and, awaited, on `AsyncClient`.
"""
_FAMILY: Final = """
## {family}

| method | call | operation | how | row |
|---|---|---|---|---|
"""


def tested_rows(text: str) -> dict[str, str]:
    """Return the requirement's id by the operation, as the table in the source of the contract tests has it."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="param"),
                args=[ast.Constant(value=str() as operation)],
                keywords=[ast.keyword(arg="marks", value=ast.Call(args=[ast.Constant(value=str() as row)]))],
            ):
                found[operation] = row
            case _:
                pass
    return found


def render(plan: Plan, rows: dict[str, str]) -> str:
    """Return the document for *plan*; an operation without a row is shown as not tested."""
    operations = [item for family in plan.generated for item in plan.families[family]]
    hows = {item.endpoint.operation_id: list(_how(item)) for item in operations}
    head = _HEAD.format(
        tested=len(rows.keys() & hows.keys()),
        all=len(operations),
        streamed=sum(item.endpoint.event is not None for item in operations),
        forms=sum("form" in "".join(how) for how in hows.values()),
        files=sum("file" in how for how in hows.values()),
        pages=sum("pages" in how for how in hows.values()),
        admin=sum(item.endpoint.admin for item in operations),
        webhooks=_kinds(plan, "WebhookEvent"),
        sent=_kinds(plan, "RealtimeClientEvent"),
        received=_kinds(plan, "RealtimeServerEvent"),
    )
    families = [
        _FAMILY.format(family=family) + "".join(_line(item, hows, rows) for item in plan.families[family])
        for family in plan.generated
    ]
    return head + "".join(families)


def _line(item: PlannedOperation, hows: dict[str, list[str]], rows: dict[str, str]) -> str:
    endpoint = item.endpoint
    query = "&".join(f"{name}={value}" for name, value in endpoint.fixed_query)
    call = f"{endpoint.method} {endpoint.path}{'?' if query else ''}{query}"
    names = [".".join((*item.resource, item.method)), *([".".join(item.also)] if item.also else [])]
    how = ", ".join(hows[endpoint.operation_id]) or "plain"
    row = rows.get(endpoint.operation_id, "not tested")
    return f"| {', '.join(f'`{name}`' for name in names)} | {call} | `{endpoint.operation_id}` | {how} | {row} |\n"


def _how(item: PlannedOperation) -> Iterator[str]:
    """Yield what is special about an operation."""
    endpoint = item.endpoint
    if endpoint.event is not None:
        yield f"streamed by `{stream_name(item.method)}`"
    if endpoint.body is not None and endpoint.body.content_type == FORM:
        yield "form" if endpoint.body.json is None else "form or JSON"
    if endpoint.result_type is not None and endpoint.result is None:
        yield "file"
    if item.item is not None:
        yield "pages"
    if endpoint.admin:
        yield "admin key"
    if endpoint.beta is not None or (item.service is not None and item.service.is_beta):
        yield "beta"
    if endpoint.deprecated:
        yield "deprecated"


def _kinds(plan: Plan, name: str) -> int:
    """Return of how many kinds of events the union *name* is."""
    alias = plan.document.definitions[name].alias
    members = alias.members if isinstance(alias, OneOf) else ()
    return sum(isinstance(member, Ref) for member in members)


def main(arguments: list[str] | None = None) -> int:
    """Run the command with *arguments* (those of the process when None) and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m codegen.coverage", description="Write docs/api-coverage.md.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing; 1 when something differs")
    parser.add_argument("--into", type=Path, default=_TARGET, help="the file to write or compare")
    options = parser.parse_args(arguments)
    text = render(load_plan(load_settings()), tested_rows(_TESTS.read_text(encoding="utf-8")))
    if not options.check:
        options.into.write_text(text, encoding="utf-8")
        return 0
    if options.into.is_file() and options.into.read_text(encoding="utf-8") == text:
        return 0
    print(f"{options.into.name} is stale; run python -m codegen.coverage", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
