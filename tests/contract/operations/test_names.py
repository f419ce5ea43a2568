"""Operations are called what they are called in the official SDK, and the table of what is covered tells the truth."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from codegen.coverage import main as write_coverage
from openai_client import AsyncClient, Client
from openai_client.binding import AsyncResource, SyncResource
from tests.contract.operations.callers import CONFIG
from tests.contract.operations.facts import facts
from tests.contract.operations.names import STREAMING, found, official_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENTS = {"sync": Client(CONFIG), "async": AsyncClient(CONFIG)}


def test_the_table_names_every_operation_of_the_description() -> None:
    """By method and path, once."""
    assert sorted(official_names()) == sorted(fact.key for fact in facts().values())


@pytest.mark.requirement("CLI-02", "CLI-03")
@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_every_operation_stands_where_the_official_client_has_it(client: Any) -> None:
    """Under its first name, which says method and path in its docstring."""
    for fact in facts().values():
        dotted = official_names()[fact.key][0]
        told = (found(client, dotted).__doc__ or "").split("\n\n")[1].strip()
        assert told.startswith(f"{fact.method} {fact.path}, `{fact.operation_id}`"), dotted


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_there_is_no_method_that_the_tables_do_not_know(client: Any) -> None:
    """A generated method is an operation's, its streaming form, or a second name of one."""
    known = {name for names in official_names().values() for name in names} | set(STREAMING.values())
    known |= {
        f"{official_names()[fact.key][0].rpartition('.')[0]}.download"
        for fact in facts().values()
        if fact.kind == "binary"
    }
    assert {dotted for dotted, doc in methods(client) if "`" in doc and is_operation(doc)} - known - OWN == set()


OWN = {
    "beta.chat.completions.stream",
    "fine_tuning.jobs.events.list",
    "realtime.sessions.create",
    "realtime.transcription_sessions.create",
}
"""Second names of ours, as their paths suggest them, and an older one of the official SDK."""


def is_operation(doc: str) -> bool:
    """Tell whether a docstring is that of a generated operation."""
    lines = doc.strip().split("\n\n")
    return len(lines) > 1 and lines[1].strip().split(" ")[0] in {"GET", "POST", "DELETE"}


def methods(resource: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """The dotted names below a resource, and their docstrings."""
    for kind in type(resource).__mro__:
        for name, held in vars(kind).items():
            dotted = f"{place}.{name}".removeprefix(".")
            if isinstance(held, cached_property):
                inner = getattr(resource, name)
                if isinstance(inner, SyncResource | AsyncResource):
                    yield from methods(inner, dotted)
            elif place and hasattr(held, "build"):
                yield dotted, held.build.__doc__ or ""


def test_the_table_of_what_is_covered_is_the_one_that_is_checked_in(tmp_path: Path) -> None:
    """Writing it again changes nothing, and the check sees a line that differs."""
    assert write_coverage(["--check"]) == 0
    copy = tmp_path / "api-coverage.md"
    assert write_coverage(["--into", str(copy)]) == 0
    assert "288 of 288" in copy.read_text(encoding="utf-8")
    copy.write_text(copy.read_text(encoding="utf-8").replace("288 of 288", "287 of 288"), encoding="utf-8")
    assert write_coverage(["--check", "--into", str(copy)]) == 1
