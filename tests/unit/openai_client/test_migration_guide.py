"""docs/migrating-from-openai.md says what is so: its tables are looked up and its errors provoked."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import Any

import httpx
import pytest

from http_util.testing import Answer
from openai_client import Client, OpenAIError
from tests.unit.openai_client.conftest import Pair
from tests.unit.openai_client.migration_tables import Row, look_up, rows

pytestmark = pytest.mark.requirement("CLI-MIG-01")

PLACE = "http://localhost:8000/v1"
TABLES = rows()
ERRORS = [row for row in TABLES if row.head[0] == "answer"]
ABSENT = [row for row in TABLES if row.head[1].startswith("why")]
FACING = [row for row in TABLES if "here" in row.head]


def name_of(row: Row) -> str:
    """The first cell, for the test's id."""
    return row.cells[0]


def test_the_page_has_its_tables() -> None:
    """A table that is not read is not tested."""
    assert (len(ERRORS), len(ABSENT)) == (18, 10)
    assert len(FACING) > 75
    assert all(len(row.cells) == len(row.head) for row in TABLES)


@pytest.mark.parametrize("row", FACING, ids=name_of)
def test_what_the_page_names_here_is_here(row: Row) -> None:
    """Every name on the right is found."""
    with Client(base_url=PLACE, api_key="k", admin_api_key="a") as client:
        assert row.names("here") or row.cells[row.head.index("here")] == "-"
        for name in row.names("here"):
            assert look_up(name, client) is not None


@pytest.mark.parametrize("row", TABLES, ids=name_of)
def test_what_the_page_names_in_the_official_package_is_there(row: Row) -> None:
    """Every name on the left is found, where the package is installed."""
    openai: Any = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=PLACE, api_key="k")
    for name in row.names("official SDK"):
        if name != "openai":  # the command line
            look_up(name, client)


@pytest.mark.parametrize("row", ABSENT, ids=name_of)
def test_what_the_page_calls_absent_is_absent(row: Row) -> None:
    """Whoever adds it changes the page."""
    with Client(base_url=PLACE, api_key="k") as client:
        for name in row.names("official SDK"):
            if name.startswith("client."):
                with pytest.raises(AttributeError):
                    look_up(name, client)


@pytest.mark.parametrize("row", ERRORS, ids=name_of)
def test_what_a_failure_is_here(row: Row) -> None:
    """The leaf, and the branch that it is caught with."""
    (leaf,), (branch,) = row.names("here"), row.names("caught with its kin as")
    made = Pair("sync", _scripted(row.cells[0]))
    with made.client as client, pytest.raises(OpenAIError) as caught:
        client.models.list()
    assert type(caught.value) is look_up(leaf, client)
    assert isinstance(caught.value, look_up(branch, client))


@pytest.mark.parametrize("row", ERRORS, ids=name_of)
def test_what_a_failure_is_in_the_official_package(row: Row) -> None:
    """The same answers, put to the SDK."""
    openai: Any = pytest.importorskip("openai")
    engine = _engine_of(openai)

    def answer(request: Any) -> Any:
        status, body = _answer(row.cells[0])
        if isinstance(body, str):
            raise getattr(engine, body)("broken", request=request)
        return engine.Response(status, content=body, headers={"content-type": "application/json"})

    http_client = engine.Client(transport=engine.MockTransport(answer))
    client = openai.OpenAI(
        base_url=PLACE, api_key="k", max_retries=0, http_client=http_client, _strict_response_validation=True
    )
    with pytest.raises(openai.OpenAIError) as caught:
        client.models.list()
    assert [type(caught.value)] == [look_up(name, client) for name in row.names("official SDK")]


def _answer(what: str) -> tuple[int, bytes | str]:
    """Return status and body of the answer that a row speaks of, or the name of an exception in place of the body."""
    if what == "no connection":
        return 0, "ConnectError"
    if what == "too late":
        return 0, "ReadTimeout"
    if what == "not what the API describes":
        return 200, b'{"object": "list", "data": 1}'
    found = re.fullmatch(r"(\d{3})(?: (\w+))?", what)
    assert found is not None, what
    return int(found[1]), json.dumps({"error": {"message": "no", "code": found[2]}}).encode()


def _scripted(what: str) -> Any:
    status, body = _answer(what)
    if isinstance(body, str):
        return Answer.failing(getattr(httpx, body)("broken"))
    return Answer.json(body, status=status)


def _engine_of(openai: Any) -> Any:
    """Return the HTTP library that the SDK is made with: httpx, or what has come after it."""
    return import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
