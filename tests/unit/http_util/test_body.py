"""The body of one answer: pieces under the idle timer, decompressed, bounded, given back."""

from __future__ import annotations

import asyncio
import gzip
import math
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from adapter_api import Outcome
from http_util import AsyncWatch, Deadline, DeadlineExceeded, HttpFailure, Interrupted, ProtocolFailure, Watch
from http_util._async.body import AsyncBody
from http_util._sync.body import Body
from http_util.engine import BODY_EXTENSION
from http_util.testing import Answer, FakeClock, FakeSyncClock, Pause, ScriptedUpstream, Stall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REQUEST = httpx.Request("GET", "http://127.0.0.1/")


async def body_of(answer: Answer, clock: FakeClock, idle: float | None = 5.0) -> tuple[AsyncBody, ScriptedUpstream]:
    """The unread body of *answer*."""
    upstream = ScriptedUpstream(answer, clock=clock)
    response = await upstream.handle_async_request(REQUEST)
    encoding = response.headers.get("content-encoding", "")
    return AsyncBody.of(response, AsyncWatch(clock), clock, idle=idle, encoding=encoding), upstream


def blocking_body_of(answer: Answer) -> tuple[Body, ScriptedUpstream]:
    """The same for a thread."""
    clock = FakeSyncClock()
    upstream = ScriptedUpstream(answer, sync_clock=clock)
    response = upstream.handle_request(REQUEST)
    encoding = response.headers.get("content-encoding", "")
    return Body.of(response, Watch(clock), clock, idle=5.0, encoding=encoding), upstream


@pytest.mark.requirement("HTU-13")
async def test_pieces_come_as_they_were_read_and_none_is_the_end() -> None:
    """Reading to the end gives the connection back."""
    body, upstream = await body_of(Answer(body=(b"ab", b"c")), FakeClock())
    assert [await body.next_piece() for _ in range(3)] == [b"ab", b"c", None]
    await body.aclose()
    await body.aclose()
    assert (upstream.finished, upstream.closed_early) == (1, 0)


@pytest.mark.requirement("HTU-13", "HTU-10")
@pytest.mark.parametrize(("size", "fits"), [(9, True), (10, True), (11, False)])
async def test_a_body_is_bounded(size: int, fits: bool) -> None:
    """One below, at and above; too much is a protocol failure, after decompression too."""
    for answer in (
        Answer(body=(b"x" * size,)),
        Answer(body=(gzip.compress(b"x" * size),), headers={"content-encoding": "gzip"}),
    ):
        body, _ = await body_of(answer, FakeClock())
        if fits:
            assert await body.read_all(10) == b"x" * size
        else:
            with pytest.raises(ProtocolFailure, match="max_response_bytes"):
                await body.read_all(10)
        await body.aclose()


async def test_the_beginning_of_a_body_is_cut_to_its_bound() -> None:
    """No more is read than needed."""
    body, upstream = await body_of(Answer(body=(b"abc", b"def", Stall())), FakeClock())
    assert await body.read_some(4) == b"abcd"
    await body.aclose()
    assert upstream.closed_early == 1


@pytest.mark.requirement("ADP-33")
async def test_the_idle_timer_runs_between_two_pieces() -> None:
    """Every piece sets it anew; a named moment that is earlier counts instead; None is no bound."""
    clock = FakeClock()
    body, _ = await body_of(Answer(body=(Pause(4.0), b"a", Pause(4.0), b"b", Stall())), clock)
    for expected in (b"a", b"b"):
        read = asyncio.ensure_future(body.next_piece())
        await clock.run_for(4.0)
        assert await read == expected
    for timer, at, reason in (("content_timeout", clock.monotonic() + 1.0, "content_timeout"),):
        read = asyncio.ensure_future(body.next_piece(timer=timer, at=at))
        await clock.run_for(1.0)
        with pytest.raises(HttpFailure) as caught:
            await read
        assert caught.value.reason == reason
    await body.aclose()
    idle, _ = await body_of(Answer(body=(Stall(),)), clock)
    read = asyncio.ensure_future(idle.next_piece(timer="content_timeout", at=clock.monotonic() + 9.0))
    await clock.run_for(5.0)
    with pytest.raises(HttpFailure) as caught:
        await read
    assert caught.value.reason == "idle_timeout"
    await idle.aclose()
    unbounded, _ = await body_of(Answer(body=(Pause(1e6), b"a")), clock, idle=None)
    read = asyncio.ensure_future(unbounded.next_piece())
    await clock.run_for(1e6)
    assert await read == b"a"
    await unbounded.aclose()


@pytest.mark.requirement("HTU-14", "ERR-09")
@pytest.mark.parametrize("delivered", [False, True])
async def test_a_break_is_classified_by_what_was_handed_out(delivered: bool) -> None:
    """Nothing yet: unknown; something: partial. The status is known either way."""
    body, _ = await body_of(Answer(body=(httpx.ReadError("x"),)), FakeClock())
    body.delivered = delivered
    with pytest.raises(HttpFailure) as caught:
        await body.next_piece()
    assert caught.value.outcome is (Outcome.PARTIAL if delivered else Outcome.UNKNOWN)
    assert (caught.value.reason, caught.value.http_status) == ("reset", 200)
    await body.aclose()


@pytest.mark.requirement("HTU-13")
@pytest.mark.parametrize(
    ("content", "encoding", "reason"),
    [
        (b"abc", "br", "protocol"),
        (b"abc", "gzip", "decode"),
        (gzip.compress(b"abc", mtime=0)[:-4], "gzip", "truncated"),
    ],
    ids=["unknown", "broken", "cut"],
)
async def test_an_encoding_that_cannot_be_undone_is_a_failure_of_the_read(
    content: bytes, encoding: str, reason: str
) -> None:
    """Not of the making: whoever owns the body closes it."""
    answer = Answer(headers={"content-encoding": encoding}, body=(content,))
    body, _ = await body_of(answer, FakeClock())
    with pytest.raises(ProtocolFailure) as caught:
        await body.read_all(100)
    assert caught.value.reason == reason
    await body.aclose()
    blocking, upstream = blocking_body_of(answer)
    with pytest.raises(ProtocolFailure):
        blocking.read_all(100)
    blocking.close()
    assert upstream.open_bodies == 0


@pytest.mark.requirement("HTU-13")
def test_the_blocking_body_reads_the_same() -> None:
    """Whole, compressed, bounded; a silent socket is the idle timer's."""
    whole: Any = blocking_body_of(Answer(headers={"content-encoding": "gzip"}, body=(gzip.compress(b"abc"),)))[0]
    assert whole.read_all(3) == b"abc"
    whole.close()
    silent, _ = blocking_body_of(Answer(body=(b"a", Stall())))
    assert silent.next_piece() == b"a"
    with pytest.raises(HttpFailure) as caught:
        silent.next_piece()
    assert caught.value.reason == "idle_timeout"
    silent.close()


class EngineAnswer(httpx.AsyncByteStream):
    """A body as the engine hands it out: pieces when they are there, one waiting reader, an end that is known early."""

    def __init__(self, *pieces: bytes | Exception, is_over: bool = False) -> None:
        self.pieces = list(pieces)
        self.is_over = is_over
        self.closes = 0

    def take(self) -> bytes | None:
        """The next piece; empty when there is none yet."""
        if not self.pieces:
            return None if self.is_over else b""
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def news(self) -> asyncio.Future[None]:
        """A wait without end."""
        return asyncio.get_running_loop().create_future()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Nobody reads it this way."""
        raise AssertionError("the body is read by its own method")
        yield b""  # pragma: no cover - makes it a generator

    async def aclose(self) -> None:
        """Count."""
        self.closes += 1


def body_over(answer: EngineAnswer, clock: FakeClock, encoding: str = "") -> AsyncBody:
    """The body of a response of the engine."""
    response = httpx.Response(200, stream=answer, extensions={BODY_EXTENSION: answer})
    return AsyncBody.of(response, AsyncWatch(clock), clock, idle=5.0, encoding=encoding)


@pytest.mark.requirement("HTU-13", "HTU-1001")
async def test_a_body_of_the_engine_is_read_by_its_own_method() -> None:
    """Piece by piece, an encoding undone, and closed with its response, once."""
    answer = EngineAnswer(b"ab", b"c", is_over=True)
    body = body_over(answer, FakeClock())
    assert [await body.next_piece() for _ in range(3)] == [b"ab", b"c", None]
    await body.aclose()
    await body.aclose()
    assert answer.closes == 1
    packed = body_over(EngineAnswer(gzip.compress(b"abc"), is_over=True), FakeClock(), "gzip")
    assert await packed.read_all(10) == b"abc"


@pytest.mark.requirement("ADP-33", "ADP-30", "HTU-14")
async def test_a_wait_for_the_engine_ends_by_timer_deadline_break_and_cancel() -> None:
    """Each as itself; what the engine makes of being cancelled is not seen."""
    for by, reason in (
        ("idle", "idle_timeout"),
        ("named", "content_timeout"),
        ("deadline", "deadline"),
        ("break", "x"),
    ):
        clock = FakeClock()
        body = body_over(EngineAnswer(b"a"), clock)
        assert await body.next_piece() == b"a"
        if by == "deadline":
            body.watch.tighten(Deadline(3.0))
        at = 4.0 if by == "named" else math.inf
        read = asyncio.ensure_future(body.next_piece("content_timeout", at))
        await clock.run_for({"idle": 5.0, "named": 4.0, "deadline": 3.0, "break": 1.0}[by])
        if by == "break":
            body.watch.break_off(Interrupted("stopped", reason="x", outcome=Outcome.UNKNOWN))
        with pytest.raises(HttpFailure) as caught:
            await read
        assert caught.value.reason == reason
        assert not body.watch.is_waiting
    body = body_over(EngineAnswer(), FakeClock())
    read = asyncio.ensure_future(body.next_piece())
    await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop
    read.cancel()
    with pytest.raises(asyncio.CancelledError):
        await read


@pytest.mark.requirement("ADP-33")
async def test_no_timer_is_set_for_an_end_that_is_there() -> None:
    """The engine says so: the read does not wait. A call that is over is over all the same."""
    clock = FakeClock()
    body = body_over(EngineAnswer(is_over=True), clock)
    assert await body.next_piece("linger", 0.25) is None
    assert clock.next_due() is None
    body.watch.break_off(Interrupted("stopped", reason="cancelled", outcome=Outcome.UNKNOWN))
    with pytest.raises(Interrupted):
        await body.next_piece()


@pytest.mark.requirement("HTU-14", "ERR-09")
async def test_what_the_engine_raises_is_classified_and_a_bug_is_not() -> None:
    """A break is a failure with the status of the answer; a KeyError is nobody's network."""
    body = body_over(EngineAnswer(httpx.ReadError("x"), KeyError("bug")), FakeClock())
    with pytest.raises(HttpFailure) as caught:
        await body.next_piece()
    assert (caught.value.reason, caught.value.http_status) == ("reset", 200)
    with pytest.raises(KeyError):
        await body.next_piece()


@pytest.mark.requirement("HTU-14")
def test_a_blocking_read_that_outlasts_the_deadline_is_the_deadlines() -> None:
    """Whatever the socket says about it: the engine was given no more time than the deadline had left."""
    clock = FakeSyncClock()
    upstream = ScriptedUpstream(Answer(body=(Pause(3.0), httpx.ReadTimeout("late"))), sync_clock=clock)
    body = Body.of(upstream.handle_request(REQUEST), Watch(clock, Deadline(2.0)), clock, idle=5.0, encoding="")
    with pytest.raises(DeadlineExceeded):
        body.next_piece()
    body.close()


@pytest.mark.requirement("ADP-30", "SVC-16")
async def test_a_piece_that_comes_in_spite_of_a_break_is_not_handed_out() -> None:
    """It came in the same moment; the call is over all the same, and the wait tells so."""
    answer = EngineAnswer()
    body = body_over(answer, FakeClock())
    read = asyncio.ensure_future(body.next_piece())
    await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop
    answer.pieces.append(b"late")
    body.watch.break_off(Interrupted("stopped", reason="cancelled", outcome=Outcome.UNKNOWN))
    with pytest.raises(Interrupted):
        await read
    assert answer.pieces == [b"late"]


@pytest.mark.requirement("HTU-13")
async def test_an_encoding_that_changes_nothing_is_no_encoding() -> None:
    """Identity, in any case and with spaces."""
    body, _ = await body_of(Answer(headers={"content-encoding": " Identity"}, body=(b"a", b"b")), FakeClock())
    assert [await body.next_piece() for _ in range(3)] == [b"a", b"b", None]
    await body.aclose()
