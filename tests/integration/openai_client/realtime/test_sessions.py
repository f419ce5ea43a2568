"""Whole sessions against the library's own server, in the clear and over TLS, in both colours."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from openai_client import InvalidFieldValue, InvalidState
from openai_client.errors import DeserializationError, Timeout
from openai_client.realtime import SessionLimits
from openai_client.types import (
    RealtimeClientEventResponseCancel,
    RealtimeServerEventResponseTextDelta,
    RealtimeServerEventSessionCreated,
    Unknown,
)
from tests.integration.openai_client.realtime.peers import CREATED, DELTA, KEY, serving

if TYPE_CHECKING:
    from tests.integration.http_util.engine.connect.peers import Authority
    from tests.integration.openai_client.realtime.peers import Connecting

pytestmark = pytest.mark.integration


class Peer:
    """A server of the library's that greets, notes what it is told, and answers `response.create`."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.heads: list[Any] = []

    async def __call__(self, socket: Any) -> None:
        self.heads.append(socket.request)
        await socket.send(json.dumps(CREATED))
        async for message in socket:
            event = json.loads(message)
            self.told.append(event)
            if event["type"] == "response.create":
                for word in ("one ", "two"):
                    await socket.send(json.dumps(DELTA | {"delta": word}))
                await socket.send(json.dumps({"type": "response.dreamt", "dream": {"of": "sheep"}}))
                await socket.close(1000, "all is said")


@pytest.mark.requirement("RT-01", "RT-04", "EP-RT-01")
@pytest.mark.parametrize("secure", [False, True], ids=["clear", "tls"])
async def test_a_session_sends_typed_events_and_yields_typed_events_until_its_end(
    connect: Connecting, authority: Authority, secure: bool
) -> None:
    """Commands reach the server as JSON events; what it says comes typed, what nobody knows comes whole."""
    peer = Peer()
    tls = authority.server("127.0.0.1") if secure else None
    async with serving(peer, tls) as base_url:
        http = {"ca_file": authority.file} if secure else {}
        async with connect(base_url, settings={"http": http}) as session:
            await session.do("session.update", session={"type": "realtime", "instructions": "be brief"})
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
            await session.do("conversation.item.create", item=item)
            await session.do("input_audio_buffer.append", audio="AAAA")
            await session.do("send", RealtimeClientEventResponseCancel())
            await session.do("send", {"type": "response.create", "event_id": "mine"})
            events = await session.rest()
            connection = session.connection
            assert (connection.close_code, connection.close_reason) == (1000, "all is said")
    assert isinstance(events[0], RealtimeServerEventSessionCreated)
    assert [event.delta for event in events if isinstance(event, RealtimeServerEventResponseTextDelta)] == [
        "one ",
        "two",
    ]
    assert isinstance(events[-1], Unknown)
    assert events[-1].model_extra == {"type": "response.dreamt", "dream": {"of": "sheep"}}
    assert peer.told == [
        {"type": "session.update", "session": {"type": "realtime", "instructions": "be brief"}},
        {"type": "conversation.item.create", "item": item},
        {"type": "input_audio_buffer.append", "audio": "AAAA"},
        {"type": "response.cancel"},
        {"event_id": "mine", "type": "response.create"},
    ]


@pytest.mark.requirement("RT-01")
async def test_the_handshake_carries_the_clients_credentials_and_what_the_call_adds(connect: Connecting) -> None:
    """Key, organization, model, headers and parameters stand in it, as in every other request."""
    peer = Peer()
    async with (
        serving(peer) as base_url,
        connect(
            base_url,
            settings={"organization": "org-1", "default_query": {"api-version": "1"}, "default_headers": {"x-a": "1"}},
            extra_headers={"x-b": "2"},
            extra_query={"trace": "yes"},
        ) as session,
    ):
        await session.do("recv")
    (request,) = peer.heads
    assert request.path == "/v1/realtime?trace=yes&model=m&api-version=1"
    sent = {name.lower(): value for name, value in request.headers.raw_items()}
    assert sent["authorization"] == f"Bearer {KEY}"
    assert (sent["openai-organization"], sent["x-a"], sent["x-b"]) == ("org-1", "1", "2")
    assert sent["user-agent"] == "worker-adapters"
    assert "sec-websocket-extensions" not in sent


@pytest.mark.requirement("RT-01")
async def test_a_running_call_is_joined_by_its_id(connect: Connecting) -> None:
    """A sideband session names the call in place of a model."""
    peer = Peer()
    async with serving(peer) as base_url, connect(base_url, model=None, call_id="rtc_1"):
        pass
    assert peer.heads[0].path == "/v1/realtime?call_id=rtc_1"


@pytest.mark.requirement("RT-01")
async def test_a_translation_has_its_own_address_and_events(connect: Connecting) -> None:
    """Its commands are typed too, and `session.close` is an event and not the end of the socket."""
    peer = Peer()
    async with serving(peer) as base_url, connect(base_url, to="realtime.translations.connect") as session:
        await session.do("session.update", session={"audio": {"output": {"language": "fr"}}})
        await session.do("session.input_audio_buffer.append", audio="AAAA")
        await session.do("session.close")
        assert (await session.do("recv")).type == "session.created"
    assert peer.heads[0].path == "/v1/realtime/translations?model=m"
    assert [event["type"] for event in peer.told] == [
        "session.update",
        "session.input_audio_buffer.append",
        "session.close",
    ]


@pytest.mark.requirement("RT-01")
async def test_realtime_base_url_leads_to_another_server(connect: Connecting) -> None:
    """It is called although it is not the host of base_url: naming it says that it is meant."""
    peer = Peer()
    async with serving(peer) as base_url:
        elsewhere = f"ws{base_url.removeprefix('http')}/talk"
        settings = {"realtime_base_url": elsewhere}
        async with connect("http://localhost:1/v1", settings=settings) as session:
            await session.do("recv")
    assert peer.heads[0].path == "/v1/talk?model=m"


@pytest.mark.requirement("RT-04")
async def test_an_event_that_cannot_be_read_is_one_error_and_the_session_goes_on(connect: Connecting) -> None:
    """No JSON, and a known type without what it needs: each is told, without its content, and the next is read."""

    async def peer(socket: Any) -> None:
        await socket.send("secret prompt, no JSON")
        await socket.send(json.dumps({"type": "response.output_text.delta", "delta": ["secret prompt"]}))
        await socket.send(json.dumps(CREATED).encode())
        await socket.recv()

    async with serving(peer) as base_url, connect(base_url) as session:
        for _ in range(2):
            with pytest.raises(DeserializationError) as caught:
                await session.do("recv")
            assert "secret" not in str(caught.value)
        # a binary message is one too
        assert (await session.do("recv")).type == "session.created"


@pytest.mark.requirement("RT-01")
async def test_a_raw_message_comes_and_goes_as_it_is(connect: Connecting) -> None:
    """`send_raw` and `recv_bytes` go around the types."""

    async def peer(socket: Any) -> None:
        async for message in socket:
            await socket.send(message)

    async with serving(peer) as base_url, connect(base_url) as session:
        await session.do("send_raw", '{"type":"of.tomorrow"}')
        assert await session.do("recv_bytes") == b'{"type":"of.tomorrow"}'
        await session.do("send_raw", b"\x00\x01")
        assert await session.do("recv_bytes") == b"\x00\x01"


@pytest.mark.requirement("RT-01")
async def test_an_event_of_the_server_that_tells_an_error_is_an_event(connect: Connecting) -> None:
    """It does not end the session, so it is not raised."""

    async def peer(socket: Any) -> None:
        await socket.send(json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}))
        await socket.recv()

    async with serving(peer) as base_url, connect(base_url) as session:
        event = await session.do("recv")
        assert (event.type, event.error.message) == ("error", "no")
        assert session.connection.close_code is None


@pytest.mark.requirement("RT-02")
async def test_a_wait_that_ends_leaves_the_session_as_it_is(connect: Connecting) -> None:
    """The timer of `recv`, and the session's own, end the wait and nothing else; no event is lost."""
    go = asyncio.Event()

    async def peer(socket: Any) -> None:
        await go.wait()
        await socket.send(json.dumps(CREATED))
        await socket.recv()

    limits = SessionLimits(idle_timeout=0.02)
    async with serving(peer) as base_url, connect(base_url, limits=limits) as session:
        for arguments in ({}, {"timeout": 0.01}):
            with pytest.raises(Timeout) as caught:
                await session.do("recv", **arguments)
            assert caught.value.reason == "idle_timeout"
        go.set()
        assert (await session.do("recv", timeout=10)).type == "session.created"


@pytest.mark.requirement("RT-01")
async def test_nothing_is_sent_that_is_not_an_event(connect: Connecting) -> None:
    """A field that is wrong, unknown or missing, and an event that nobody knows, are refused; no value is repeated."""
    peer = Peer()
    async with serving(peer) as base_url, connect(base_url) as session:
        refused: list[tuple[str, dict[str, Any]]] = [
            ("conversation.item.delete", {}),
            ("conversation.item.truncate", {"item_id": "i", "content_index": "my secret", "audio_end_ms": 1}),
            ("response.cancel", {"reason": "my secret"}),
        ]
        for name, arguments in refused:
            with pytest.raises(InvalidFieldValue.__bases__[0]) as caught:
                await session.do(name, **arguments)
            assert "my secret" not in str(caught.value)
        for event in ({"type": "of.tomorrow", "x": "my secret"}, {"x": "my secret"}, "my secret", 7):
            with pytest.raises(InvalidFieldValue) as caught:
                await session.do("send", event)
            assert "my secret" not in str(caught.value)
    assert peer.told == []


@pytest.mark.requirement("RT-01", "CLI-15")
async def test_a_session_is_open_once_and_only_between_open_and_close(connect: Connecting) -> None:
    """Before and after, each verb is a typed error; closing twice is harmless."""
    peer = Peer()
    async with serving(peer) as base_url:
        session = connect(base_url)
        for name, arguments in (("recv", ()), ("send", ({"type": "response.create"},)), ("send_raw", ("x",))):
            with pytest.raises(InvalidState, match="not open"):
                await session.do(name, *arguments)
        await session.do("close")
        async with session:
            with pytest.raises(InvalidState, match="opened once"):
                await session.do("open")
            await session.do("close", 4000, "enough")
            await session.do("close")
            assert await session.rest() == []
            for name, arguments in (("recv", ()), ("send", ({"type": "response.create"},))):
                with pytest.raises(InvalidState, match="the session is over") as caught:
                    await session.do(name, *arguments)
                assert caught.value.reason == "closed"


@pytest.mark.requirement("RT-01", "CLI-15")
async def test_closing_the_client_closes_its_sessions(connect: Connecting) -> None:
    """The server is told that the client goes away; another session of it is refused."""
    codes: list[int | None] = []

    async def peer(socket: Any) -> None:
        await socket.wait_closed()
        codes.append(socket.close_code)

    async with serving(peer) as base_url:
        session = connect(base_url)
        await session.do("open")
        if session.is_async:
            await session.client.aclose()
        else:
            await asyncio.to_thread(session.client.close)
        with pytest.raises(InvalidState):
            await session.do("recv")
        with pytest.raises(InvalidState, match="client is closed"):
            await session.client.realtime.connect(model="m").open() if session.is_async else await asyncio.to_thread(
                session.client.realtime.connect(model="m").open
            )
        await session.do("close")
    assert codes == [1001]
