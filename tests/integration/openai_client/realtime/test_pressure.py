"""Peers that are slower or faster than the client, and callers who leave in the middle."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from openai_client import AsyncClient, Client
from openai_client.errors import InvalidState, StreamInterrupted, Timeout
from openai_client.realtime import SessionLimits
from tests.integration.http_util.engine.connect.peers import full, until
from tests.integration.openai_client.realtime.peers import CREATED, DELTA, KEY, agree, frame, head_of, raw_peer, serving
from tests.process import open_files

if TYPE_CHECKING:
    from tests.integration.openai_client.realtime.peers import Connecting, Session

pytestmark = pytest.mark.integration


@pytest.mark.requirement("RT-02")
async def test_a_reader_that_is_slow_makes_the_server_wait(connect: Connecting) -> None:
    """Nobody keeps more than the queue and the sockets' buffers hold; what was sent still comes, in order."""
    sent, total, text = 0, 400, "x" * 100_000

    async def peer(socket: Any) -> None:
        nonlocal sent
        for number in range(total):
            await socket.send(json.dumps(DELTA | {"delta": text, "event_id": str(number)}))
            sent += 1
        await socket.close()

    async with serving(peer) as base_url, connect(base_url, limits=SessionLimits(max_queued=2)) as session:
        await session.do("recv")
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.3)
        # 40 MB were to be sent; the kernel's buffers on loopback take a few
        assert sent < total / 2
        events = await session.rest()
    assert [event.event_id for event in events] == [str(number) for number in range(1, total)]


@pytest.mark.requirement("RT-02")
async def test_what_came_before_the_end_is_read_after_it(connect: Connecting) -> None:
    """The end of a session takes nothing away from who reads late."""

    async def peer(socket: Any) -> None:
        for number in range(10):
            await socket.send(json.dumps(DELTA | {"delta": str(number)}))

    async with serving(peer) as base_url, connect(base_url) as session:
        await asyncio.sleep(0.5)
        assert [event.delta for event in await session.rest()] == [str(number) for number in range(10)]


@pytest.mark.requirement("RT-02")
async def test_a_server_that_takes_nothing_makes_the_sender_wait_and_then_fail(connect: Connecting) -> None:
    """Sending waits for room in the buffer, at most write_timeout; then the session is over."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agree(reader, writer)
        await asyncio.sleep(60)

    async with raw_peer(peer) as base_url, connect(base_url, settings={"http": {"write_timeout": 0.2}}) as session:
        with pytest.raises(Timeout) as caught:
            await _talk(session, times=100)
        assert caught.value.reason == "write_timeout"
        with pytest.raises((StreamInterrupted, InvalidState)):
            await session.do("response.create")


async def _talk(session: Session, times: int) -> None:
    """Send a megabyte again and again."""
    for _ in range(times):
        await session.do("input_audio_buffer.append", audio="A" * 1_000_000)


@pytest.mark.requirement("RT-02", "ERR-11")
async def test_a_task_that_is_cancelled_in_the_middle_leaves_nothing_behind() -> None:
    """While it connects, shakes hands, reads or sends: the cancellation is its own, and the socket is closed."""
    left: list[bytes] = []
    reached = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        reached.set()
        await reader.read(-1)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agree(reader, writer)
        writer.write(frame(1, json.dumps(CREATED).encode()))
        left.append(await reader.read(-1))

    async def read(client: AsyncClient) -> None:
        async with client.realtime.connect(model="m") as connection:
            await connection.recv()
            reached.set()
            await connection.recv()

    async def cancelled(base_url: str) -> None:
        async with AsyncClient(base_url=base_url, api_key=KEY) as client:
            gc.collect()
            files = open_files()
            task = asyncio.create_task(read(client))
            with suppress(TimeoutError):
                async with asyncio.timeout(0.3 if "full" in base_url else 10):
                    await reached.wait()
            reached.clear()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: open_files() <= files)

    async with raw_peer(silent) as open_url, raw_peer(mute) as mute_url:
        with full("127.0.0.1") as port:
            # the name says to the loop above that nobody will be reached
            await cancelled(f"http://127.0.0.1:{port}/full/v1")
        await cancelled(mute_url)
        await cancelled(open_url)
        # no goodbye: it would have made the cancelled task wait for the answer
        await until(lambda: left == [b""])


@pytest.mark.requirement("RT-02")
async def test_a_blocking_block_that_is_interrupted_closes_at_once() -> None:
    """Who presses Ctrl-C does not wait for an answer to a goodbye."""
    left: list[bytes] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await agree(reader, writer)
        left.append(await reader.read(-1))

    def work(base_url: str) -> None:
        with Client(base_url=base_url, api_key=KEY) as client:
            # a thread that raised KeyboardInterrupt would end the tests
            with suppress(KeyboardInterrupt), client.realtime.connect(model="m"):
                raise KeyboardInterrupt
            with pytest.raises(InvalidState):
                client.realtime.connect(model="m").recv()

    async with raw_peer(silent) as base_url:
        await asyncio.to_thread(work, base_url)
        await until(lambda: left == [b""])


@pytest.mark.requirement("RT-02")
async def test_a_cancelled_wait_loses_no_event() -> None:
    """A read that is cancelled again and again, as a program that waits for two things does, misses nothing."""

    async def peer(socket: Any) -> None:
        for number in range(200):
            await socket.send(json.dumps(DELTA | {"delta": str(number)}))
            if number % 20 == 0:
                await asyncio.sleep(0.01)
        await socket.close()

    found: list[str] = []
    async with (
        serving(peer) as base_url,
        AsyncClient(base_url=base_url, api_key=KEY) as client,
        client.realtime.connect(model="m") as connection,
    ):
        while len(found) < 200:
            try:
                async with asyncio.timeout(0.0005):
                    event: Any = await connection.recv()
                found.append(event.delta)
            except TimeoutError:
                continue
    assert found == [str(number) for number in range(200)]


@pytest.mark.requirement("RT-01")
async def test_one_task_reads_while_others_send(connect: Connecting) -> None:
    """A second reader is refused; any number of senders are not mixed up."""

    async def peer(socket: Any) -> None:
        async for message in socket:
            await socket.send(message)

    async with serving(peer) as base_url, connect(base_url) as session:
        reading = asyncio.ensure_future(session.do("recv_bytes"))
        await asyncio.sleep(0.5)
        with pytest.raises(InvalidState, match="another task is reading"):
            await session.do("recv_bytes")
        texts = [f'{{"n":{number},"t":"{"x" * number * 100}"}}' for number in range(50)]
        await asyncio.gather(*(session.do("send_raw", text) for text in texts))
        got = [await reading] + [await session.do("recv_bytes") for _ in texts[1:]]
        assert sorted(got, key=len) == [text.encode() for text in texts]


@pytest.mark.requirement("RT-01")
async def test_blocking_sessions_of_a_client_share_one_thread_which_ends_with_it() -> None:
    """A reader in one thread is woken when another one closes the session."""

    async def peer(socket: Any) -> None:
        await socket.send(json.dumps(CREATED))
        await socket.wait_closed()

    def engines() -> int:
        return sum(thread.name == "http-engine" for thread in threading.enumerate())

    def work(base_url: str) -> list[Any]:
        before = engines()
        with (
            Client(base_url=base_url, api_key=KEY) as client,
            client.realtime.connect(model="m") as first,
            client.realtime.connect(model="m") as second,
        ):
            assert engines() == before + 1
            found: list[Any] = []
            reader = threading.Thread(target=lambda: found.extend(first))
            reader.start()
            second.recv()
            threading.Event().wait(0.1)
            first.close()
            reader.join(5)
            assert not reader.is_alive()
        assert engines() == before
        return found

    async with serving(peer) as base_url:
        (event,) = await asyncio.to_thread(work, base_url)
    assert event.type == "session.created"
