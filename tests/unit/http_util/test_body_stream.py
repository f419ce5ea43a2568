"""One attempt at a streamed body, drawn in both colours."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from adapter_api.outcome import Outcome
from http_util.body_stream import BodyStream
from http_util.errors import PolicyFailure
from http_util.streamed_body import STEP_BYTES, StreamedBody

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.requirement("HTU-19")]


async def drawn(stream: BodyStream, colour: str) -> list[bytes]:
    """Draw all pieces."""
    return [piece async for piece in stream] if colour == "async" else list(stream)


@pytest.fixture(params=["async", "sync"])
def colour(request: pytest.FixtureRequest) -> str:
    """Both colours, one after the other."""
    return str(request.param)


class Source:
    """A source that knows whether it is open."""

    def __init__(self, *pieces: bytes, error: BaseException | None = None) -> None:
        self.open = 0
        self._pieces = pieces
        self._error = error

    def __call__(self) -> Iterator[bytes]:
        self.open += 1
        try:
            yield from self._pieces
            if self._error is not None:
                raise self._error
        finally:
            self.open -= 1


def stream_of(source: Source, ended: list[str] | None = None, *, can_rewind: bool = True) -> BodyStream:
    """Return a stream of *source*."""
    body = StreamedBody(source, length=None, can_rewind=can_rewind)
    return BodyStream(body, check=lambda: None, on_end=lambda: (ended if ended is not None else []).append("end"))


async def test_large_pieces_are_cut_and_empty_ones_left_out(colour: str) -> None:
    """What is drawn fits a kernel's buffer; the end is told once."""
    ended: list[str] = []
    source = Source(b"", b"x" * (2 * STEP_BYTES + 1), b"y", b"")
    assert [len(piece) for piece in await drawn(stream_of(source, ended), colour)] == [STEP_BYTES, STEP_BYTES, 1, 1]
    assert ended == ["end"]
    assert source.open == 0


async def test_it_begins_again_where_the_body_can(colour: str) -> None:
    """And refuses where not; engines ask before."""
    stream = stream_of(Source(b"tide"))
    assert stream.can_begin
    assert await drawn(stream, colour) == await drawn(stream, colour) == [b"tide"]
    once = stream_of(Source(b"tide"), can_rewind=False)
    await drawn(once, colour)
    assert not once.can_begin
    with pytest.raises(PolicyFailure):
        await drawn(once, colour)


async def test_what_a_source_raises_is_remembered_as_the_callers(colour: str) -> None:
    """So that it is not taken for the transport's."""
    error = OSError("of the disk")
    stream = stream_of(Source(b"half", error=error))
    with pytest.raises(OSError, match="of the disk"):
        await drawn(stream, colour)
    assert stream.failure is error


@pytest.mark.requirement("ERR-09")
@pytest.mark.parametrize(("before", "outcome"), [((), Outcome.NOT_SENT), ((b"half",), Outcome.UNKNOWN)])
async def test_a_source_cannot_say_that_nothing_was_sent_when_something_was(
    colour: str, before: tuple[bytes, ...], outcome: Outcome
) -> None:
    """It knows nothing of the wire; everything else that it says stays."""
    error = PolicyFailure("file: cannot be read", reason="serialization", outcome=Outcome.NOT_SENT)
    stream = stream_of(Source(*before, error=error))
    with pytest.raises(PolicyFailure):
        await drawn(stream, colour)
    assert stream.failure == error.replace(outcome=outcome)


async def test_closing_lets_go_of_a_source_in_the_middle(colour: str) -> None:
    """Twice is harmless."""
    source = Source(b"a", b"b")
    stream = stream_of(source)
    if colour == "async":
        await anext(aiter(stream))
    else:
        next(iter(stream))
    assert source.open == 1
    stream.close()
    stream.close()
    assert source.open == 0


def test_a_call_that_is_over_draws_no_further() -> None:
    """The check before each piece is what a deadline acts through."""
    left = [None, TimeoutError("over")]

    def check() -> None:
        if (error := left.pop(0)) is not None:
            raise error

    stream = BodyStream(
        StreamedBody(lambda: iter((b"a", b"b", b"c")), length=3, can_rewind=True), check=check, on_end=list
    )
    with pytest.raises(TimeoutError, match="over"):
        list(stream)


@pytest.mark.parametrize(("parts", "told"), [(1, []), (2, [STEP_BYTES]), (3, [STEP_BYTES, STEP_BYTES + 3])])
async def test_the_end_is_told_though_nobody_asks_what_is_behind_it(colour: str, parts: int, told: list[int]) -> None:
    """An answer may come as soon as the last byte was sent; one that comes earlier leaves it at what was sent."""
    said: list[int] = []
    source = Source(b"x" * STEP_BYTES, b"en", b"d", b"")
    body = StreamedBody(source, length=STEP_BYTES + 3, can_rewind=True, on_progress=lambda sent, _: said.append(sent))
    stream = BodyStream(body, check=lambda: None, on_end=lambda: None)
    blocking, waiting = iter(stream), aiter(stream)
    for _ in range(parts):
        await anext(waiting) if colour == "async" else next(blocking)
    stream.close()
    stream.close()
    assert said == told


async def test_the_end_is_told_though_nobody_waits_to_hear_what_is_behind_it() -> None:
    """The answer came while the thread was asked for more: whoever sends is cancelled then."""
    said: list[int] = []
    is_asked, may_end = threading.Event(), threading.Event()

    def source() -> Iterator[bytes]:
        yield b"x" * STEP_BYTES
        yield b"end"
        is_asked.set()
        may_end.wait(10)

    body = StreamedBody(source, length=STEP_BYTES + 3, can_rewind=True, on_progress=lambda sent, _: said.append(sent))
    stream = BodyStream(body, check=lambda: None, on_end=lambda: None)
    waiting = aiter(stream)
    await anext(waiting)
    await anext(waiting)
    behind = asyncio.ensure_future(anext(waiting))
    await asyncio.to_thread(is_asked.wait, 10)
    behind.cancel()
    await asyncio.wait((behind,))
    stream.close()
    may_end.set()
    assert said == [STEP_BYTES, STEP_BYTES + 3]
