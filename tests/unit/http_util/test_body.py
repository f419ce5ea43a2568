"""The body of one answer: pieces under the idle timer, decompressed, bounded, given back."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import httpx
import pytest

from adapter_api import Outcome
from http_util import AsyncWatch, HttpFailure, ProtocolFailure, Watch
from http_util._async.body import AsyncBody
from http_util._sync.body import Body
from http_util.testing import Answer, FakeClock, FakeSyncClock, Pause, ScriptedUpstream, Stall

REQUEST = httpx.Request("GET", "http://127.0.0.1/")


async def body_of(answer: Answer, clock: FakeClock, idle: float | None = 5.0) -> tuple[AsyncBody, ScriptedUpstream]:
    """The unread body of *answer*."""
    upstream = ScriptedUpstream(answer, clock=clock)
    response = await upstream.handle_async_request(REQUEST)
    encoding = response.headers.get("content-encoding", "")
    return AsyncBody(response, AsyncWatch(clock), clock, idle=idle, encoding=encoding), upstream


def blocking_body_of(answer: Answer) -> tuple[Body, ScriptedUpstream]:
    """The same for a thread."""
    clock = FakeSyncClock()
    upstream = ScriptedUpstream(answer, sync_clock=clock)
    response = upstream.handle_request(REQUEST)
    encoding = response.headers.get("content-encoding", "")
    return Body(response, Watch(clock), clock, idle=5.0, encoding=encoding), upstream


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
