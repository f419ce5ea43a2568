"""Going on from a page, in both colours, and what ends it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from http_util.deadline import Deadline
from http_util.testing import Answer, Pause, Stall
from openai_client import CallOptions, InvalidFieldValue, NotFound, Timeout, UnexpectedResponse
from tests.unit.openai_client.conftest import Pair

if TYPE_CHECKING:
    from collections.abc import Callable

    MakePair = Callable[..., Pair]


def files(*ids: str, more: bool | None = None, **fields: Any) -> Answer:
    """A page of files."""
    flag = {} if more is None else {"has_more": more}
    return Answer.json(
        json.dumps({"object": "list", "data": [{"id": name, "name": name} for name in ids], **flag, **fields}).encode()
    )


async def ids(made: Pair, limit: int | None = None, *, most: int | None = None, **call: Any) -> list[str]:
    """The ids of all files, or of the first *most* that are asked for."""
    page = await made.call(lambda client: client.files.list(**call))
    found: list[str] = []
    items = page.auto(limit)
    if made.colour == "async":
        async for item in items:
            found.append(item.id)
            if len(found) == most:
                break
    else:
        for item in items:
            found.append(item.id)
            if len(found) == most:
                break
    return found


def params(made: Pair) -> list[dict[str, str]]:
    """The query of each request."""
    return [dict(parse_qsl(urlsplit(request.url).query)) for request in made.requests]


def cursors(made: Pair) -> list[str | None]:
    """The cursor of each request."""
    return [query.get("after") for query in params(made)]


@pytest.mark.requirement("CLI-18")
async def test_auto_goes_through_all_pages(pair: MakePair) -> None:
    """Cursors are `last_id`, or the id of the last item; a page without `has_more` is the last."""
    made = pair(
        files("a", "b", more=True, last_id="b!"), files(more=True, last_id="c"), files("d", more=True), files("e")
    )
    assert await ids(made) == ["a", "b", "d", "e"]
    assert cursors(made) == [None, "b!", "c", "d"]


@pytest.mark.requirement("CLI-18")
@pytest.mark.parametrize(("limit", "found", "requests"), [(0, 0, 1), (1, 1, 1), (2, 2, 1), (3, 3, 2), (9, 4, 2)])
async def test_auto_stops_at_its_limit_and_asks_for_no_page_that_is_not_needed(
    pair: MakePair, limit: int, found: int, requests: int
) -> None:
    """At the end of a page nothing is fetched before somebody wants another item."""
    made = pair(files("a", "b", more=True), files("c", "d"))
    assert len(await ids(made, limit)) == found
    assert len(made.requests) == requests


@pytest.mark.requirement("CLI-18", "CLI-01")
async def test_no_page_is_fetched_before_its_first_item_is_asked_for(pair: MakePair) -> None:
    """Whoever leaves the loop at the last item of a page has paid for that page only."""
    made = pair(files("a", "b", more=True), files("c"))
    assert await ids(made, most=2) == ["a", "b"]
    assert len(made.requests) == 1


@pytest.mark.requirement("CLI-18")
@pytest.mark.parametrize("limit", [-1, True, "2", 1.5])
async def test_a_limit_that_is_no_number_of_items_is_refused_at_once(pair: MakePair, limit: Any) -> None:
    """Not when the first item is asked for."""
    made = pair(files("a"))
    page = await made.call(lambda client: client.files.list())
    with pytest.raises(InvalidFieldValue, match="limit: must be a number of items"):
        page.auto(limit)


@pytest.mark.requirement("CLI-18")
async def test_pages_that_lead_in_a_circle_end_with_an_error(pair: MakePair) -> None:
    """However long the circle is; no item of a page comes twice."""
    made = pair(*[files(name, more=True) for name in ("a", "b", "c", "a", "b")])
    seen: list[str] = []
    page = await made.call(lambda client: client.files.list())
    with pytest.raises(UnexpectedResponse, match="listFiles: the pages lead in a circle"):
        await _into(seen, made, page)
    assert seen == ["a", "b", "c", "a"]
    assert len(made.requests) == 5


@pytest.mark.requirement("CLI-18")
async def test_a_server_that_ignores_the_cursor_ends_the_list_with_an_error(pair: MakePair) -> None:
    """It sends the same page for ever."""
    made = pair(*[files("a", more=True)] * 3)
    page = await made.call(lambda client: client.files.list())
    with pytest.raises(UnexpectedResponse, match="this one again"):
        await _into([], made, page)
    assert len(made.requests) == 2


@pytest.mark.requirement("CLI-18")
async def test_a_list_that_breaks_off_says_so(pair: MakePair) -> None:
    """`has_more` without a place to go on from is no end."""
    made = pair(files(more=True))
    page = await made.call(lambda client: client.files.list())
    assert page.has_next
    with pytest.raises(UnexpectedResponse, match="not where they are"):
        await _into([], made, page)


@pytest.mark.requirement("CLI-18", "CLI-11")
async def test_every_page_is_asked_for_as_the_first_was(pair: MakePair) -> None:
    """Filters, headers and parameters stay; a cursor among the caller's own parameters does not."""
    made = pair(files("a", more=True), files("b", more=True), files("c"))
    query = {"tenant": "t", "after": "z"}
    assert await ids(made, purpose="batch", extra_query=query, extra_headers={"x-a": "1"}) == ["a", "b", "c"]
    assert cursors(made) == ["z", "a", "b"]
    assert all((query["purpose"], query["tenant"]) == ("batch", "t") for query in params(made))
    assert all(request.headers["x-a"] == "1" for request in made.requests)


@pytest.mark.requirement("CLI-18", "CLI-11")
async def test_a_deadline_bounds_all_pages_and_a_timeout_each(pair: MakePair) -> None:
    """A slow list ends by the deadline in the middle of a page."""
    slow = [replace(files(name, more=True), before_head=(Pause(2.0),)) for name in ("a", "b", "c", "d")]
    made = pair(*slow)
    options = CallOptions(deadline=Deadline(5.0), timeout=3.0)
    seen: list[str] = []
    page = await made.call(lambda client: client.files.list(options=options))
    with pytest.raises(Timeout) as caught:
        await _into(seen, made, page)
    assert caught.value.reason == "deadline"
    assert seen == ["a", "b"]


@pytest.mark.requirement("CLI-18")
async def test_an_error_on_the_way_is_raised_after_the_items_before_it(pair: MakePair) -> None:
    """What came is not lost, and nothing is asked again."""
    made = pair(files("a", more=True), Answer.json(b"{}", status=404))
    seen: list[str] = []
    page = await made.call(lambda client: client.files.list())
    with pytest.raises(NotFound):
        await _into(seen, made, page)
    assert (seen, len(made.requests)) == (["a"], 2)


@pytest.mark.requirement("CLI-18", "ERR-11")
async def test_a_cancelled_list_stops_where_it_is() -> None:
    """The request that is under way ends with the task."""
    made = Pair("async", files("a", more=True), Answer(before_head=(Stall(),)))
    task = asyncio.ensure_future(ids(made))
    await made.clock.settle()
    assert len(made.requests) == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.requirement("CLI-18")
async def test_a_page_goes_backwards_where_the_api_does(pair: MakePair) -> None:
    """What follows the page before is the one before that."""
    page = files("c", "d", more=False, first_id="c")
    made = pair(page, files("a", "b", more=True, first_id="a"), files())
    page = await made.call(lambda client: client.vector_stores.list(after="b"))
    before = await made.call(lambda client: page.previous_page())
    assert [item.id for item in before] == ["a", "b"]
    further = await made.call(lambda client: before.next_page())
    assert len(further) == 0
    assert await made.call(lambda client: further.previous_page()) is None
    assert params(made) == [{"after": "b"}, {"before": "c"}, {"before": "a"}]


@pytest.mark.requirement("CLI-18", "CLI-16")
async def test_a_page_is_dumped_like_any_answer_and_has_its_metadata(pair: MakePair) -> None:
    """With whatever the upstream put beside the items."""
    answer = Answer.json(b'{"data":[{"id":"a"}],"total":7}', headers={"x-request-id": "req-1"})
    made = pair(answer)
    page = await made.call(lambda client: client.files.list())
    assert page.model_dump(exclude_unset=True) == {"data": [{"id": "a"}], "total": 7}
    assert page.model_dump_json(exclude_unset=True) == '{"data":[{"id":"a"}],"total":7}'
    assert page.metadata.upstream_request_id == page._request_id == "req-1"
    assert repr(page) == f"{type(page).__name__}(1 items, has_next=False)"


async def _into(seen: list[str], made: Pair, page: Any) -> None:
    """Add the ids of all items from *page* on to *seen*."""
    if made.colour == "async":
        async for item in page.auto():
            seen.append(item.id)  # noqa: PERF401 - what came before a failure is wanted
        return
    for item in page.auto():
        seen.append(item.id)  # noqa: PERF401 - what came before a failure is wanted
