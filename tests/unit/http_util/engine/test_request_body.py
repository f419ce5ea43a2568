"""Bodies of requests: how HTTP/1.1 frames them, and that they are as long as they say."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import pytest

from http_util.engine.errors import Curtailed, Unwritable
from http_util.engine.request_body import SLICE_BYTES, Framing, is_repeatable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHUNKED = [(b"Transfer-Encoding", b"chunked")]


class Stream:
    """A body that comes piece by piece, once."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


class Answer:
    """An answer that has not come, or that makes the rest of the request useless."""

    def __init__(self) -> None:
        self.ends_sending = False
        self._news = asyncio.Event()

    def on_room(self) -> None:
        self._news.set()

    async def change(self) -> None:
        self._news.clear()
        await self._news.wait()

    def refuse(self) -> None:
        """Come early, and refuse."""
        self.ends_sending = True
        self._news.set()


def request(stream: Any, headers: list[tuple[bytes, bytes]]) -> httpcore.Request:
    """Return a request with *stream* as its body."""
    return httpcore.Request("POST", "https://example.com/", headers=headers, content=stream)


def length(size: int) -> list[tuple[bytes, bytes]]:
    """Return the header that announces *size* bytes."""
    return [(b"Content-Length", b"%d" % size)]


async def sent(framing: Framing) -> list[bytes]:
    """Return what goes over the wire behind the head."""
    return [bytes(frame) async for frame in framing.frames(Answer())]


def test_a_short_body_that_is_there_goes_out_with_the_head() -> None:
    """So that a request is one write."""
    framing = Framing.of(request(httpx.ByteStream(b"{}"), length(2)))
    assert (framing.is_short, framing.whole) == (True, b"{}")
    assert Framing.of(request(httpx.ByteStream(b""), [])).is_short


async def test_a_long_body_is_cut_into_slices() -> None:
    """None larger than the bound, and all together the body."""
    content = bytes(range(256)) * (SLICE_BYTES // 128)
    framing = Framing.of(request(httpx.ByteStream(content), length(len(content))))
    assert not framing.is_short
    frames = await sent(framing)
    assert b"".join(frames) == content
    assert max(map(len, frames)) == SLICE_BYTES
    assert [bytes(piece) async for piece in framing.pieces(Answer())] == frames


async def test_an_iterator_is_sent_in_chunks_or_at_its_announced_length() -> None:
    """Empty pieces are left out: an empty chunk would be the end."""
    stream = Stream(b"ab", b"", b"c")
    assert await sent(Framing.of(request(stream, CHUNKED))) == [b"2\r\nab\r\n", b"1\r\nc\r\n", b"0\r\n\r\n"]
    assert await sent(Framing.of(request(Stream(b"ab", b"c"), length(3)))) == [b"ab", b"c"]


async def test_bytes_with_a_header_for_chunks_are_sent_in_chunks() -> None:
    """The caller's framing is kept."""
    framing = Framing.of(request(httpx.ByteStream(b"ab"), CHUNKED))
    assert await sent(framing) == [b"2\r\nab\r\n", b"0\r\n\r\n"]


@pytest.mark.requirement("HTU-17")
@pytest.mark.parametrize(
    "headers",
    [length(3), length(1), [], [*length(2), *length(2)], [*length(2), *CHUNKED], [(b"content-length", b"+2")]],
)
def test_a_body_of_another_length_than_its_header_says_is_not_sent(headers: list[tuple[bytes, bytes]]) -> None:
    """The rest of it would be read as a request of its own."""
    with pytest.raises(Unwritable):
        Framing.of(request(httpx.ByteStream(b"ab"), headers))


@pytest.mark.requirement("HTU-17")
@pytest.mark.parametrize(
    ("parts", "error"), [((b"abc",), Unwritable), ((), Unwritable), ((b"a",), Curtailed), ((b"ab", b"c"), Curtailed)]
)
async def test_an_iterator_of_another_length_is_noticed_before_too_much_is_sent(
    parts: tuple[bytes, ...], error: type[Exception]
) -> None:
    """Too much is never sent, and too little ends in an error, which tells whether anything was sent."""
    written = b""

    async def send() -> None:
        nonlocal written
        async for frame in Framing.of(request(Stream(*parts), length(2))).frames(Answer()):
            written += frame

    with pytest.raises(error):
        await send()
    assert len(written) <= 2
    assert bool(written) is (error is Curtailed)


def test_only_a_body_that_is_there_whole_may_be_sent_again() -> None:
    """An iterator is used up."""
    assert is_repeatable(httpx.ByteStream(b"x"))
    assert not is_repeatable(Stream(b"x"))


async def test_an_iterator_that_has_nothing_to_give_does_not_keep_an_answer_waiting() -> None:
    """It is told to stop, its clean-up runs, and no end is sent for a body that was not."""
    answer, steps = Answer(), []

    class Slow:
        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                yield b"a"
                answer.refuse()
                await asyncio.Event().wait()
            finally:
                steps.append("closed")

    for headers, first in ((CHUNKED, b"1\r\na\r\n"), (length(5), b"a")):
        answer.ends_sending = False
        assert [f async for f in Framing.of(request(Slow(), headers)).frames(answer)] == [first]
    assert steps == ["closed", "closed"]


async def test_an_iterator_that_fails_fails_the_sending_with_its_own_error() -> None:
    """The caller's code knows best what happened to it."""

    class Failing:
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"a"
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await sent(Framing.of(request(Failing(), CHUNKED)))


async def test_a_sender_that_is_cancelled_stops_the_iterator_first() -> None:
    """Nothing goes on drawing from it."""
    steps: list[str] = []

    class Slow:
        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                await asyncio.Event().wait()
                yield b""
            finally:
                steps.append("closed")

    task = asyncio.ensure_future(sent(Framing.of(request(Slow(), CHUNKED))))
    for _ in range(4):
        await asyncio.sleep(0)  # noqa: TID251 - turns of the loop, no time
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert steps == ["closed"]


@pytest.mark.parametrize("error", [OSError("of the source"), TimeoutError("over")])
async def test_a_source_that_fails_behind_its_call_leaves_no_complaint(error: Exception) -> None:
    """Whoever is cancelled, as a deadline does it, does not look at what the source raised in the same moment."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    begun, fails = asyncio.Event(), asyncio.Event()

    class Failing:
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"x"
            begun.set()
            await fails.wait()
            raise error

    sending = asyncio.ensure_future(sent(Framing.of(request(Failing(), CHUNKED))))
    await begun.wait()
    fails.set()
    # the source goes on and fails, then the call is cancelled, before it has seen that
    asyncio.get_running_loop().call_soon(sending.cancel)
    with pytest.raises((asyncio.CancelledError, type(error))):
        await sending
    del sending
    gc.collect()
    await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop
    assert complaints == []
