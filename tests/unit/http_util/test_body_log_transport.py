"""Lines about bodies: one for each, with what may be shown, and none at all unless somebody asked."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import structlog

from adapter_api.correlation import correlation_id
from http_util import body_log_transport
from http_util._async.exchange import AsyncExchange
from http_util._sync.exchange import Exchange
from http_util.body_log import BodyLog
from http_util.call import HttpCall
from http_util.client import build_async_transport, build_transport
from http_util.config import HttpConfig
from http_util.engine import BODY_EXTENSION
from http_util.testing import Answer, FakeClock, FakeSyncClock, FixedRandom, ScriptedUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "https://api.example.com/v1"
CONFIG = HttpConfig(base_url=URL)
BOTH = BodyLog(log_request_bodies=True, log_response_bodies=True)
KEY = "Kanarie0123456789abcdef"
CALL = HttpCall(
    method="POST",
    url=f"{URL}/chat?subscription-key=Kanarie-query",
    headers={"authorization": f"Bearer {KEY}", "content-type": "application/json"},
    content=f'{{"model": "m", "note": "{KEY}"}}'.encode(),
)
LIMITS: dict[str, Any] = {"rng": FixedRandom(0.0), "max_response_bytes": 10_000, "max_event_bytes": 10_000}


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """Every line about a body."""
    with structlog.testing.capture_logs(processors=[_without_warnings]) as captured:
        yield captured


def _without_warnings(_logger: object, _method: str, line: Any) -> Any:
    if line["event"] == "bodies_are_logged":
        raise structlog.DropEvent
    return line


def echo(text: bytes = b'{"a": "Kanarie0123456789abcdef"}') -> Answer:
    """An answer that repeats the key."""
    return Answer.json(text)


@pytest.mark.requirement("SEC-14", "SEC-16")
@pytest.mark.parametrize("is_async", [True, False])
async def test_both_bodies_are_lines_without_credentials(lines: list[Any], is_async: bool) -> None:
    """What went out and what came, each once, in both colours; the caller gets the bytes as they are."""
    upstream = ScriptedUpstream(echo())
    token = correlation_id.set("c-1")
    try:
        if is_async:
            exchange = AsyncExchange(
                build_async_transport(CONFIG, transport=upstream, body_log=BOTH), clock=FakeClock(), **LIMITS
            )
            reply = await exchange.send(CALL)
        else:
            blocking = Exchange(
                build_transport(CONFIG, transport=upstream, body_log=BOTH), clock=FakeSyncClock(), **LIMITS
            )
            reply = blocking.send(CALL)
    finally:
        correlation_id.reset(token)
    assert reply.body == b'{"a": "Kanarie0123456789abcdef"}'
    request, answer = lines
    common = {
        "method": "POST",
        "url": f"{URL}/chat?subscription-key=****",
        "correlation_id": "c-1",
        "log_level": "info",
    }
    assert request == common | {
        "event": "request_body",
        "body": '{"model": "m", "note": "****"}',
        "body_bytes": len(CALL.content or b""),
    }
    assert answer == common | {
        "event": "response_body",
        "status": 200,
        "body": '{"a": "****"}',
        "body_bytes": 32,
        "is_complete": True,
    }


@pytest.mark.requirement("SEC-14")
@pytest.mark.parametrize(
    ("log", "events"),
    [
        (BodyLog(log_request_bodies=True), ["request_body"]),
        (BodyLog(log_response_bodies=True), ["response_body"]),
        (BodyLog(), []),
        (None, []),
    ],
)
async def test_each_kind_of_line_is_asked_for_by_itself(lines: list[Any], log: BodyLog | None, events) -> None:
    """And where none is asked for, none is there."""
    transport = build_async_transport(CONFIG, transport=ScriptedUpstream(echo()), body_log=log)
    await AsyncExchange(transport, clock=FakeClock(), **LIMITS).send(CALL)
    assert [line["event"] for line in lines] == events


@pytest.mark.requirement("SEC-14")
@pytest.mark.parametrize("build", [build_async_transport, build_transport])
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"log_request_bodies": True, "redaction_patterns": ["a+"]}, {"bodies": ["request"], "redaction_patterns": 1}),
        ({"log_response_bodies": True, "max_body_log_length": 7}, {"bodies": ["answer"], "max_body_log_length": 7}),
        ({"log_request_bodies": True, "log_response_bodies": True}, {"bodies": ["request", "answer"]}),
    ],
)
def test_who_logs_bodies_is_warned_when_a_transport_is_built(build: Any, settings: Any, told: dict[str, Any]) -> None:
    """Once, before anything is sent, with what is on; and nobody is who does not."""
    with structlog.testing.capture_logs() as lines:
        build(CONFIG, transport=ScriptedUpstream())
        build(HttpConfig(base_url=URL, **settings), transport=ScriptedUpstream(), body_log=BodyLog())
        assert lines == []
        build(HttpConfig(base_url=URL, **settings), transport=ScriptedUpstream())
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("bodies_are_logged", "warning")
    assert "prompts and answers" in line["human"]
    assert line == line | told


@pytest.mark.requirement("SEC-14", "SEC-16")
@pytest.mark.parametrize("is_async", [True, False])
async def test_the_settings_of_a_client_are_enough(lines: list[Any], is_async: bool) -> None:
    """Length and patterns included; a credential of the way, which a proxy may repeat, is masked as the call's own."""
    config = HttpConfig(
        base_url=URL,
        proxy="http://proxy.example:3128",
        proxy_auth="user:Zugang0123456789",
        log_request_bodies=True,
        log_response_bodies=True,
        max_body_log_length=60,
        redaction_patterns=["note"],
    )
    upstream = ScriptedUpstream(echo(b'{"proxy said": "Zugang0123456789", "text": "' + b"long " * 40 + b'"}'))
    if is_async:
        await AsyncExchange(build_async_transport(config, transport=upstream), clock=FakeClock(), **LIMITS).send(CALL)
    else:
        Exchange(build_transport(config, transport=upstream), clock=FakeSyncClock(), **LIMITS).send(CALL)
    request, answer = lines
    assert request["body"] == '{"model": "m", "****": "****"}'
    assert answer["body"].startswith('{"proxy said": "****", "text": "long long')
    assert (len(answer["body"]), answer["body"][-1]) == (60, "…")


@pytest.mark.requirement("SEC-14", "REL-03")
@pytest.mark.parametrize("log", [None, BodyLog()])
def test_nothing_stands_in_the_way_while_it_is_off(log: BodyLog | None) -> None:
    """The guard stands directly before the engine, in both colours."""
    upstream = ScriptedUpstream()
    assert build_async_transport(CONFIG, transport=upstream, body_log=log)._transport is upstream
    assert build_transport(CONFIG, transport=upstream, body_log=log)._transport is upstream


@pytest.mark.requirement("SEC-14")
async def test_an_answer_that_is_left_is_a_line_about_what_was_read(lines: list[Any]) -> None:
    """Once, when it is closed, and marked as incomplete."""
    upstream = ScriptedUpstream(Answer.events(b"one", b"two"), Answer.events(b"one", b"two"))
    transport = build_async_transport(CONFIG, transport=upstream, body_log=BOTH)
    async with httpx.AsyncClient(transport=transport) as client, client.stream("GET", URL) as answer:
        await anext(answer.aiter_raw())
    blocking = build_transport(CONFIG, transport=upstream, body_log=BOTH)
    with httpx.Client(transport=blocking) as client, client.stream("GET", URL) as answer:
        next(answer.iter_raw())
    assert [(line["event"], line["is_complete"]) for line in lines] == [("response_body", False)] * 2
    assert all("one" in line["body"] for line in lines)


@pytest.mark.requirement("SEC-14")
async def test_a_body_that_is_streamed_is_not_read_for_the_log(lines: list[Any]) -> None:
    """It could be read only once."""

    async def pieces():
        yield b"one"

    upstream = ScriptedUpstream(Answer())
    async with httpx.AsyncClient(transport=build_async_transport(CONFIG, transport=upstream, body_log=BOTH)) as client:
        await client.post(URL, content=pieces())
    assert [(line["event"], line["body"]) for line in lines] == [
        ("request_body", "<streamed>"),
        ("response_body", "<0 bytes>"),
    ]
    assert upstream.requests[0].content == b"one"


@pytest.mark.requirement("SEC-14")
async def test_lines_that_nobody_takes_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The logger's level decides before a body is looked at."""
    structlog.reset_defaults()
    monkeypatch.setattr(BodyLog, "shown", lambda *_, **__: pytest.fail("a body was looked at"))
    logging.getLogger(body_log_transport.LOGGER_NAME).setLevel(logging.WARNING)
    transport = build_async_transport(CONFIG, transport=ScriptedUpstream(echo()), body_log=BOTH)
    reply = await AsyncExchange(transport, clock=FakeClock(), **LIMITS).send(CALL)
    assert reply.head.status == 200


@pytest.mark.requirement("SEC-14")
async def test_the_engines_short_cut_is_not_taken_past_the_log(lines: list[Any]) -> None:
    """A response carries its body twice; the log sees whichever is read."""

    class Engine(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, content=b"abc", extensions={BODY_EXTENSION: object(), "http_version": b"HTTP/2"})

    transport = build_async_transport(CONFIG, transport=Engine(), body_log=BOTH)
    response = await transport.handle_async_request(httpx.Request("GET", URL))
    assert response.extensions == {"http_version": b"HTTP/2"}
    assert lines == []


@pytest.mark.requirement("SEC-14")
async def test_closing_closes_what_is_behind() -> None:
    """In both colours."""
    upstreams = ScriptedUpstream(), ScriptedUpstream()
    await build_async_transport(CONFIG, transport=upstreams[0], body_log=BOTH).aclose()
    build_transport(CONFIG, transport=upstreams[1], body_log=BOTH).close()
    assert [upstream.is_closed for upstream in upstreams] == [True, True]
