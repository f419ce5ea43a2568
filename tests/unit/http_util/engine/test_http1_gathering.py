"""A large answer of known size is read in a few large parts, however small the parts are in which it comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from http_util.engine.errors import Disconnected
from http_util.engine.http1 import Http1Connection
from http_util.engine.request import EngineRequest
from http_util.urls import Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_util.engine.answer import Answer

pytestmark = [pytest.mark.requirement("HTU-1001")]

KIB = 1024
PACKET = 1448
"""Bytes of a body in a packet of Ethernet."""
PER_MOMENT = 20
"""Packets that come while a connection gathers."""


class Owner:
    """A pool that does nothing."""

    def changed(self, connection: Any) -> None: ...
    def lost(self, connection: Any) -> None: ...


class Transport:
    """A transport that gives what lies in the socket, as asyncio's does, while it is read."""

    def __init__(self) -> None:
        self.socket = bytearray()
        self.is_reading = True
        self.is_closed = False
        self.reads = 0

    def write(self, data: bytes) -> None: ...

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def give(self, connection: Http1Connection) -> None:
        """Let the connection read, if it wants to and there is something."""
        if self.is_reading and self.socket:
            buffer = connection.get_buffer(-1)
            size = min(len(buffer), len(self.socket))
            buffer[:size] = self.socket[:size]
            del self.socket[:size]
            self.reads += 1
            connection.buffer_updated(size)


class Bell:
    """What `call_later` returns."""

    def __init__(self, seconds: float, callback: Callable[[], None]) -> None:
        self.seconds, self.ring = seconds, callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Receiving:
    """A connection that has sent a request, its transport, and the timers that it has set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bells: list[Bell] = []
        self.transport = Transport()
        self.connection = Http1Connection(
            Origin("http", "localhost", 80), Owner(), buffer=memoryview(bytearray(256 * KIB)), max_header_bytes=KIB
        )
        transport: Any = self.transport
        self.connection.connection_made(transport)
        self.connection.reserve()
        monkeypatch.setattr(asyncio.get_running_loop(), "call_later", self._call_later)

    def _call_later(self, seconds: float, callback: Callable[[], None]) -> Bell:
        self.bells.append(Bell(seconds, callback))
        return self.bells[-1]

    async def head(self, head: bytes) -> Answer:
        """Return the answer that begins with *head*."""
        request = EngineRequest(b"GET", (b"http", b"localhost", 80), b"/", [], httpx.ByteStream(b""), {})
        sending = asyncio.ensure_future(self.connection.send(request, {}))
        await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop, no time
        self.comes(head)
        return await sending

    async def large(self) -> Answer:
        """Return an answer with a body of a megabyte, of which nothing has come."""
        return await self.head(b"HTTP/1.1 200 OK\r\ncontent-length: 1048576\r\n\r\n")

    def comes(self, data: bytes) -> None:
        """Let *data* come; it is read if the connection reads."""
        self.transport.socket += data
        self.transport.give(self.connection)

    def moment(self) -> None:
        """Let the time pass that the connection waits for."""
        self.bells[-1].ring()
        self.transport.give(self.connection)


async def test_a_large_answer_in_packets_is_read_once_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once a packet: each read is a wake-up, and another one of the thread that reads."""
    receiving = Receiving(monkeypatch)
    answer = await receiving.large()
    body = bytes(range(256)) * 4 * KIB
    packets = [body[at : at + PACKET] for at in range(0, len(body), PACKET)]
    read = b""
    for number, packet in enumerate(packets, 1):
        receiving.comes(packet)
        if number % PER_MOMENT == 0 and not receiving.transport.is_reading:
            receiving.moment()
        read += answer.take() or b""
    assert (read, answer.is_over, len(packets)) == (body, True, 725)
    assert receiving.transport.reads < len(packets) / PER_MOMENT + 20
    assert {bell.seconds for bell in receiving.bells} == {0.001}


async def test_what_was_read_is_told_before_the_moment_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the reader's timers see it."""
    receiving = Receiving(monkeypatch)
    answer = await receiving.large()
    receiving.moment()
    news = answer.news()
    receiving.comes(b"a")
    assert (news.done(), answer.take()) == (True, b"a")
    receiving.comes(b"b")
    assert (answer.take(), receiving.transport.reads) == (b"", 2)
    receiving.moment()
    assert answer.take() == b"b"


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40000\r\n", id="chunked, as streams are"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="to the end of the connection"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 16384\r\n\r\n", id="16 KiB are missing"),
    ],
)
async def test_nothing_waits_in_a_stream_or_for_little(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    """A token is there when it is there."""
    receiving = Receiving(monkeypatch)
    answer = await receiving.head(head)
    for number in range(2):
        receiving.comes(b"x")
        assert (answer.take(), receiving.transport.reads) == (b"x", 2 + number)
    assert receiving.bells == []


async def test_large_reads_follow_each_other_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the network is fast, nothing holds it."""
    receiving = Receiving(monkeypatch)
    answer = await receiving.large()
    receiving.moment()
    for _ in range(3):
        receiving.comes(b"x" * 64 * KIB)
        assert len(answer.take() or b"") == 64 * KIB
    assert (len(receiving.bells), receiving.transport.reads) == (1, 4)


async def test_a_reader_that_is_slow_stops_the_peer_also_while_parts_are_gathered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What lies unread stays bounded, and the end of a moment does not read on."""
    receiving = Receiving(monkeypatch)
    answer = await receiving.large()
    receiving.moment()
    receiving.comes(b"x" * 60 * KIB)
    receiving.comes(b"y" * 60 * KIB)
    receiving.moment()
    assert (receiving.transport.is_reading, len(receiving.bells)) == (False, 2)
    receiving.comes(b"z")
    assert (len(answer.take() or b""), receiving.transport.is_reading) == (120 * KIB, True)


async def test_what_a_transport_hands_on_while_parts_are_gathered_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has decrypted more already may; what is full then stays unread when the moment is over."""
    receiving = Receiving(monkeypatch)
    answer = await receiving.large()
    receiving.connection.data_received(b"x" * 70 * KIB)
    receiving.bells[-1].ring()
    assert receiving.transport.is_reading is False
    assert (len(answer.take() or b""), receiving.transport.is_reading) == (70 * KIB, True)


async def test_an_answer_is_left_while_it_gathers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket is closed at once, and is not read any more when the moment is over."""
    receiving = Receiving(monkeypatch)
    answer = await receiving.large()
    receiving.comes(b"x")
    answer.leave()
    receiving.bells[-1].ring()
    assert (receiving.transport.is_closed, receiving.transport.is_reading) == (True, False)


async def test_a_connection_that_ends_while_it_gathers_takes_its_timer_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing holds what is closed."""
    receiving = Receiving(monkeypatch)
    answer = await receiving.large()
    receiving.connection.connection_lost(ConnectionResetError())
    assert [bell.is_cancelled for bell in receiving.bells] == [True]
    with pytest.raises(Disconnected):
        answer.take()
