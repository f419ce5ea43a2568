"""Every list of the API, from its description and not by way of the generator: how it is paged."""

from __future__ import annotations

import inspect
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest

from codegen.description import load_description, load_settings
from codegen.instances import Fill, InstanceMaker
from http_util.testing import Answer
from openai_client import ApiVersionConfig, Client
from openai_client._generated.operations.models import Models
from openai_client.binding import Endpoint, PageEndpoint, SyncResource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.openai_client.conftest import Pair

DESCRIPTION = load_description(load_settings().overrides)
MAKER = InstanceMaker(DESCRIPTION)


class Listed(NamedTuple):
    """What the description says about one list."""

    operation_id: str
    cursor: str
    """The parameter that asks for the next page."""
    found_in: str
    """The field of a page that has its value; `id` for that of the last item."""
    schema: str
    backwards: bool
    admin: bool


def described() -> Iterator[Listed]:
    """Every GET that takes a cursor and answers with `data`."""
    for path, methods in DESCRIPTION["paths"].items():
        operation = methods.get("get")
        if operation is None:
            continue
        names = {item["name"] for item in operation.get("parameters", ()) if "name" in item}
        cursor = next((name for name in ("after", "page") if name in names), None)
        schema = operation["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {})
        if cursor is None or "$ref" not in schema:
            continue
        name = schema["$ref"].rpartition("/")[2]
        fields = MAKER.instance(name, Fill.FULL)
        order = ("next_page",) if cursor == "page" else ("next", "last_id", "id")
        found_in = next(field for field in order if field in fields or field == "id")
        is_admin = path.startswith(("/organization", "/projects"))
        yield Listed(operation["operationId"], cursor, found_in, name, "before" in names, is_admin)


LISTS = list(described())


def methods_of(resource: Any, way: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """Every method below a resource that pages: its operation id, the way to it, and the function behind it."""
    for name, member in inspect.getmembers_static(type(resource)):
        if isinstance(member, cached_property) and isinstance(part := getattr(resource, name), SyncResource):
            yield from methods_of(part, (*way, name))
        if isinstance(member, PageEndpoint):
            operation = member.build(*arguments(member.build)[0], **arguments(member.build)[1])
            yield operation.operation_id, (*way, name), member.build


def arguments(build: Callable[..., Any]) -> tuple[list[str], dict[str, Any]]:
    """An argument for every parameter that needs one."""
    needed = [item for item in inspect.signature(build).parameters.values() if item.default is item.empty]
    positional = ["x-1" for item in needed if item.kind is item.POSITIONAL_OR_KEYWORD]
    named = {
        item.name: 7 if "int" in str(item.annotation) else "x-1" for item in needed if item.kind is item.KEYWORD_ONLY
    }
    return positional, named


METHODS = {
    operation_id: (way, build)
    for operation_id, way, build in methods_of(Client(base_url="http://localhost:8000/v1", api_key=None))
}


@pytest.mark.requirement("CLI-18")
def test_every_list_with_a_cursor_is_paged_and_nothing_else() -> None:
    """The description and the client have the same lists."""
    assert {item.operation_id for item in LISTS} == METHODS.keys()
    assert len(LISTS) == 62
    assert {item.found_in for item in LISTS} == {"next", "next_page", "last_id", "id"}


@pytest.mark.requirement("CLI-18")
def test_the_one_list_without_a_cursor_comes_whole() -> None:
    """Models are no page: there is nothing to go on to."""
    assert isinstance(inspect.getattr_static(Models, "list"), Endpoint)


@pytest.mark.requirement("CLI-18")
@pytest.mark.parametrize("listed", LISTS, ids=lambda listed: listed.operation_id)
async def test_every_list_leads_from_page_to_page(pair: Callable[..., Pair], listed: Listed) -> None:
    """By the cursor that its own description has, in both colours, to the last item."""
    way, build = METHODS[listed.operation_id]
    first, second, third = (page(listed, number) for number in (1, 2, 3))
    made = pair(
        *(Answer.json(json.dumps(document).encode()) for document in (first, second, third)),
        admin_api_key="admin-key",
        api_version=ApiVersionConfig(enable_beta=True),
    )
    positional, named = arguments(build)
    begun = await made.call(lambda client: _at(client, way)(*positional, limit=1, **named))
    items = [item async for item in begun.auto()] if made.colour == "async" else list(begun.auto())
    assert [item.model_dump(mode="json", exclude_unset=True, by_alias=True) for item in items] == [
        item for document in (first, second, third) for item in document["data"]
    ]
    queries = [dict(parse_qsl(urlsplit(request.url).query)) for request in made.requests]
    assert [query.get(listed.cursor) for query in queries] == [None, "place-1", "place-2"]
    assert all(query["limit"] == "1" for query in queries)
    key = "admin-key" if listed.admin else "local-test-key"
    assert {request.headers["authorization"] for request in made.requests} == {f"Bearer {key}"}


@pytest.mark.requirement("CLI-18")
@pytest.mark.parametrize("listed", LISTS, ids=lambda listed: listed.operation_id)
def test_every_list_goes_backwards_if_its_description_says_so(listed: Listed) -> None:
    """By `before`."""
    _, build = METHODS[listed.operation_id]
    positional, named = arguments(build)
    operation = build(*positional, **named)
    assert operation.backwards is listed.backwards
    assert operation.cursor == listed.cursor


def page(listed: Listed, number: int) -> dict[str, Any]:
    """A full page of a list whose place in it is `place-<number>`; the third is the last."""
    document: dict[str, Any] = MAKER.instance(listed.schema, Fill.FULL)
    document["has_more"] = number < 3
    place = f"place-{number}"
    if listed.found_in == "id":
        document["data"][-1]["id"] = place
    else:
        document[listed.found_in] = place
    return document


def _at(client: Any, way: tuple[str, ...]) -> Any:
    for name in way:
        client = getattr(client, name)
    return client
