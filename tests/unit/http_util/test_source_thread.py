"""The thread that reads for an event loop: one for each source, and nobody waits for it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from typing import TYPE_CHECKING

import pytest

from http_util.source_thread import SourceThread

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.requirement("HTU-18", "HTU-19")]

PATIENCE = 5.0


class Blocked:
    """A source that gives a piece and then blocks, until it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.blocks = threading.Event()
        self.is_closed = threading.Event()
        self.thread: threading.Thread | None = None

    def __iter__(self) -> Iterator[bytes]:
        self.thread = threading.current_thread()
        try:
            yield b"first"
            self.blocks.set()
            self.let_go.wait(PATIENCE)
            yield b"late"
        finally:
            self.is_closed.set()


async def test_pieces_come_in_order_from_one_thread_of_their_own() -> None:
    """A daemon, which ends with the source; no thread of the loop's executor."""
    threads = set()

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            threads.add(threading.current_thread())
            yield b"%d" % number

    source = SourceThread(pieces())
    assert [await source.next_piece() for _ in range(5)] == [b"0", b"1", b"2", None, None]
    (thread,) = threads
    assert thread.daemon
    thread.join(PATIENCE)
    assert not thread.is_alive()


async def test_blocked_sources_keep_nothing_of_the_loop_busy() -> None:
    """More of them than an executor has threads: what others do in it, such as resolving names, goes on."""
    sources = [Blocked() for _ in range(40)]
    waiting = []
    for blocked in sources:
        source = SourceThread(iter(blocked))
        assert await source.next_piece() == b"first"
        waiting.append((source, asyncio.ensure_future(source.next_piece())))
    await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop
    try:
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "done"), PATIENCE) == "done"
    finally:
        for source, draw in waiting:
            draw.cancel()
            source.close()
        for blocked in sources:
            blocked.let_go.set()


def test_the_end_of_a_loop_does_not_wait_for_a_source_that_blocks() -> None:
    """`asyncio.run` returns while the source still blocks; the source is closed when it does no more."""
    blocked = Blocked()

    async def draw() -> None:
        source = SourceThread(iter(blocked))
        await source.next_piece()
        late = asyncio.ensure_future(source.next_piece())
        await asyncio.to_thread(blocked.blocks.wait, PATIENCE)
        late.cancel()

    asyncio.run(draw())
    assert not blocked.is_closed.is_set()
    assert not blocked.let_go.is_set()
    blocked.let_go.set()
    assert blocked.is_closed.wait(PATIENCE)
    assert blocked.thread is not None
    blocked.thread.join(PATIENCE)
    assert not blocked.thread.is_alive()


@pytest.mark.parametrize("how", ["closed", "dropped"])
async def test_a_source_that_is_not_read_to_its_end_ends_with_its_reader(how: str) -> None:
    """Closed or forgotten, its thread does not wait for ever."""
    blocked = Blocked()
    source = SourceThread(iter(blocked))
    await source.next_piece()
    if how == "closed":
        source.close()
        source.close()
        assert await source.next_piece() is None
    del source
    gc.collect()
    assert blocked.is_closed.wait(PATIENCE)


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit])
async def test_what_a_source_raises_comes_out_as_it_is(error: type[BaseException]) -> None:
    """Once; behind it there is nothing."""

    def pieces() -> Iterator[bytes]:
        yield b"x"
        raise error

    source = SourceThread(pieces())
    await source.next_piece()
    with pytest.raises(error):
        await source.next_piece()
    assert await source.next_piece() is None


@pytest.mark.parametrize("error", [GeneratorExit, asyncio.CancelledError])
async def test_a_source_cannot_end_the_coroutine_that_waits_for_it(error: type[BaseException]) -> None:
    """It would be taken for a cancellation, or for the end of a generator that still runs."""

    class Source:
        def __iter__(self) -> Source:
            return self

        def __next__(self) -> bytes:
            raise error

    with pytest.raises(RuntimeError, match=f"raised {error.__name__}") as caught:
        await SourceThread(iter(Source())).next_piece()
    assert isinstance(caught.value.__cause__, error)


async def test_a_source_reads_in_the_context_of_who_asks() -> None:
    """As `asyncio.to_thread` has it."""
    name = contextvars.ContextVar("name", default=b"nobody")

    def pieces() -> Iterator[bytes]:
        while True:
            yield name.get()

    source = SourceThread(pieces())
    name.set(b"tide")
    assert await source.next_piece() == b"tide"
    source.close()
