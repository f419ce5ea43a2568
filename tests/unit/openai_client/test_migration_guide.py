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
REPEATED = [row for row in TABLES if row.head[0] == "what every request meets"]
ABSENT = [row for row in TABLES if row.head[1].startswith("why")]
FACING = [row for row in TABLES if "here" in row.head]


def name_of(row: Row) -> str:
    """The first cell, for the test's id."""
    return row.cells[0]


def test_the_page_has_its_tables() -> None:
    """A table that is not read is not tested."""
    assert (len(ERRORS), len(ABSENT)) == (19, 10)
    assert len(REPEATED) == 4
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


@pytest.mark.requirement("RTY-01")
@pytest.mark.parametrize("row", REPEATED, ids=name_of)
def test_what_is_repeated_here(row: Row) -> None:
    """With `max_retries=2`, and by the policy that the page names."""
    for what in row.cells[0].split(", "):
        made = Pair("sync", *[_scripted(what)] * 9)
        with made.client.with_options(max_retries=2) as client, pytest.raises(OpenAIError):
            client.models.list()
        assert len(made.requests) == int(row.cells[2]), what
        if "available" in row.cells[3]:
            with made.client.with_options(retry="available") as client, pytest.raises(OpenAIError):
                client.models.list()
            assert len(made.requests) > int(row.cells[2]) + 1, what


@pytest.mark.parametrize("row", REPEATED, ids=name_of)
def test_what_is_repeated_by_the_official_package(row: Row) -> None:
    """The same answers, put to the SDK, which does not wait between them."""
    openai: Any = pytest.importorskip("openai")
    engine = _engine_of(openai)
    for what in row.cells[0].split(", "):
        client = openai.OpenAI(base_url=PLACE, api_key="k", http_client=_official(engine, what, asked := []))
        client._sleep_for_retry = lambda **_: None
        with pytest.raises(openai.OpenAIError):
            client.models.list()
        assert len(asked) == int(row.cells[1]), what


@pytest.mark.parametrize("row", ERRORS, ids=name_of)
def test_what_a_failure_is_in_the_official_package(row: Row) -> None:
    """The same answers, put to the SDK."""
    openai: Any = pytest.importorskip("openai")
    http_client = _official(_engine_of(openai), row.cells[0], [])
    client = openai.OpenAI(
        base_url=PLACE, api_key="k", max_retries=0, http_client=http_client, _strict_response_validation=True
    )
    with pytest.raises(openai.OpenAIError) as caught:
        client.models.list()
    assert [type(caught.value)] == [look_up(name, client) for name in row.names("official SDK")]


def _official(engine: Any, what: str, asked: list[Any]) -> Any:
    """Return a client of the SDK's HTTP library that meets *what* with every request, and counts them in *asked*."""

    def answer(request: Any) -> Any:
        asked.append(request)
        status, body = _answer(what)
        if isinstance(body, str):
            raise getattr(engine, body)("broken", request=request)
        return engine.Response(status, content=body, headers={"content-type": "application/json"})

    return engine.Client(transport=engine.MockTransport(answer))


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
