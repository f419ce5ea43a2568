"""How sessions end: in order, broken off, and by a peer that does not play by the rules."""

from __future__ import annotations

import asyncio
import gc
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api.outcome import Outcome
from openai_client.errors import InvalidState, StreamInterrupted
from openai_client.realtime import SessionLimits
from tests.integration.openai_client.realtime.peers import CREATED, KEY, agree, frame, raw_peer, serving
from tests.process import open_files

if TYPE_CHECKING:
    from tests.integration.http_util.engine.connect.peers import Authority
    from tests.integration.openai_client.realtime.peers import Connecting, Session

pytestmark = pytest.mark.integration

HELLO = json.dumps(CREATED).encode()


async def broken_off(session: Session) -> StreamInterrupted:
    """Read the greeting, then to the end, which is not the normal one; return the error."""
    assert (await session.do("recv")).type == "session.created"
    with pytest.raises(StreamInterrupted) as caught:
        await session.rest()
    # the end is told to whoever asks again, in either direction
    for name, arguments in (("recv", ()), ("send_raw", ("x",))):
        with pytest.raises(StreamInterrupted):
            await session.do(name, *arguments)
    return caught.value


@pytest.mark.requirement("RT-02")
@pytest.mark.parametrize("code", [1001, 1011, 1013, 3000, 4001])
async def test_a_goodbye_with_another_code_than_1000_interrupts_the_session(connect: Connecting, code: int) -> None:
    """The code is a fact of the error, what was said with it is shown without the key, and nothing reconnects."""
    opened = 0

    async def peer(socket: Any) -> None:
        nonlocal opened
        opened += 1
        await socket.send(HELLO.decode())
        await socket.close(code, f"because of {KEY}")

    async with serving(peer) as base_url, connect(base_url) as session:
        error = await broken_off(session)
        connection = session.connection
        assert (connection.close_code, connection.close_reason) == (code, "because of ****")
    assert (error.code, error.reason, error.outcome) == (str(code), "truncated", Outcome.PARTIAL)
    assert f"the upstream closed the session with code {code}" in error.message
    assert error.message.endswith(": because of ****")
    assert opened == 1


@pytest.mark.requirement("RT-02")
async def test_a_goodbye_without_a_code_is_the_end(connect: Connecting) -> None:
    """An empty goodbye says nothing bad."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agree(reader, writer)
        writer.write(frame(1, HELLO) + frame(8, b""))
        await reader.read(-1)

    # no ping comes to help, and the peer does not hang up: its last word is enough
    limits = SessionLimits(ping_interval=None)
    async with raw_peer(peer) as base_url, connect(base_url, limits=limits) as session:
        assert session.connection.upstream_request_id == "req_1"
        async with asyncio.timeout(10):
            assert len(await session.rest()) == 1
        assert session.connection.close_code == 1005
        with pytest.raises(InvalidState, match="the session is over"):
            await session.do("recv")


BROKEN = {
    "between two messages": b"",
    "in the middle of a frame": frame(1, b"{", announced=100),
    "in the middle of a length": b"\x81\x7e\x01",
}


@pytest.mark.requirement("RT-02")
@pytest.mark.parametrize("secure", [False, True], ids=["clear", "tls"])
@pytest.mark.parametrize("how", list(BROKEN))
async def test_a_connection_that_is_lost_interrupts_the_session(
    connect: Connecting, authority: Authority, how: str, secure: bool
) -> None:
    """Without a goodbye nothing has ended, wherever the bytes stop."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agree(reader, writer)
        writer.write(frame(1, HELLO) + BROKEN[how])
        await writer.drain()

    tls = authority.server("127.0.0.1") if secure else None
    http = {"ca_file": authority.file} if secure else {}
    async with raw_peer(peer, tls) as base_url, connect(base_url, settings={"http": http}) as session:
        error = await broken_off(session)
    assert (error.reason, error.outcome, error.code) == ("reset", Outcome.PARTIAL, "1006")


VIOLATIONS = {
    "a masked frame": (b"\x81\x81\x00\x00\x00\x00{", "1002"),
    "a reserved bit": (b"\xc1\x01{", "1002"),
    "an unknown opcode": (frame(3, b"x"), "1002"),
    "a continuation of nothing": (frame(0, b"x"), "1002"),
    "no text": (frame(1, b"\xff\xfe"), None),
    "too large": (frame(1, b"", announced=5000), "1009"),
}


@pytest.mark.requirement("RT-02")
@pytest.mark.parametrize("what", list(VIOLATIONS))
async def test_a_peer_that_breaks_the_protocol_ends_the_session(connect: Connecting, what: str) -> None:
    """This side says which rule was broken, and how large a message may be."""
    data, code = VIOLATIONS[what]

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agree(reader, writer)
        writer.write(frame(1, HELLO) + data)
        await reader.read(-1)

    limits = SessionLimits(max_message_bytes=4000, close_timeout=0.2)
    async with raw_peer(peer) as base_url, connect(base_url, limits=limits) as session:
        if code is None:
            # bytes that are no text are no event either, and the session goes on
            await session.do("recv")
            with pytest.raises(Exception, match="cannot be read"):
                await session.do("recv")
            return
        error = await broken_off(session)
    assert (error.code, error.reason) == (code, "truncated")
    assert "this side closed the session" in error.message


@pytest.mark.requirement("RT-02")
async def test_a_peer_that_gives_no_sign_of_life_ends_the_session(connect: Connecting) -> None:
    """Pings go out while nobody reads; one that is not answered is the end."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agree(reader, writer)
        writer.write(frame(1, HELLO))
        await reader.read(-1)

    limits = SessionLimits(ping_interval=0.05, ping_timeout=0.05, close_timeout=0.1)
    async with raw_peer(peer) as base_url, connect(base_url, limits=limits) as session:
        error = await broken_off(session)
    assert error.code == "1011"
    assert "keepalive ping timeout" in error.message


@pytest.mark.requirement("RT-02")
async def test_a_goodbye_that_is_not_answered_takes_no_longer_than_its_bound(connect: Connecting) -> None:
    """Leaving the block says goodbye, waits a bounded time, and is no error; the socket is gone."""
    heard = bytearray()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agree(reader, writer)
        heard.extend(await reader.read(-1))

    async with raw_peer(peer) as base_url:
        session = connect(base_url, limits=SessionLimits(close_timeout=0.1))
        await session.do("open")
        async with asyncio.timeout(5):
            await session.do("close", 4002, "bye")
        assert await session.rest() == []
    # a close frame, masked: the code and the reason behind a mask of four bytes
    assert heard[:2] == bytes([0x88, 0x80 | 5])


@pytest.mark.requirement("RT-02")
async def test_goodbye_gets_through_behind_messages_that_nobody_read(connect: Connecting) -> None:
    """The queue is full and the socket is not read any more; closing reads on until the answer to the goodbye."""
    codes: list[int | None] = []

    async def peer(socket: Any) -> None:
        try:
            while True:
                await socket.send("x" * 10_000)
        finally:
            codes.append(socket.close_code)

    limits = SessionLimits(max_queued=1, close_timeout=10)
    async with serving(peer) as base_url:
        session = connect(base_url, limits=limits)
        await session.do("open")
        await asyncio.sleep(0.1)
        async with asyncio.timeout(5):
            await session.do("close")
        assert session.connection.close_code == 1000
    assert codes == [1000]


@pytest.mark.requirement("RT-02")
async def test_a_hundred_sessions_that_end_in_all_ways_leave_nothing_behind(connect: Connecting) -> None:
    """Sockets, tasks and threads are as many as before."""

    async def orderly(socket: Any) -> None:
        await socket.send(HELLO.decode())
        await socket.close()

    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agree(reader, writer)
        writer.write(frame(1, HELLO, announced=500))

    async with serving(orderly) as first, raw_peer(broken) as second:
        clients = [connect.client(base_url) for base_url in (first, second)]

        async def one(number: int) -> None:
            opened = clients[number % 2].realtime.connect(model="m")
            if connect.colour == "async":
                async with opened as connection:
                    with_error = [event async for event in _until_broken(connection)]
            else:
                with_error = await asyncio.to_thread(_blocking, opened)
            assert len(with_error) <= 1

        await asyncio.gather(*(one(number) for number in range(8)))
        gc.collect()
        files, tasks = open_files(), len(asyncio.all_tasks())
        for start in range(0, 100, 10):
            await asyncio.gather(*(one(number) for number in range(start, start + 10)))
        async with asyncio.timeout(10):
            while open_files() > files or len(asyncio.all_tasks()) > tasks:
                gc.collect()
                await asyncio.sleep(0.02)


async def _until_broken(connection: Any) -> Any:
    """Yield events; a session that breaks off ends too."""
    try:
        async for event in connection:
            yield event
    except StreamInterrupted:
        return


def _blocking(opened: Any) -> list[Any]:
    """Read a session to its end, whichever it is, in a thread."""
    found = []
    with opened as connection, suppress(StreamInterrupted):
        found += list(connection)
    return found
