"""An open answer as events, for async and for blocking readers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapter_api import Outcome
from http_util import (
    AsyncEventStream,
    AsyncExchange,
    EventStream,
    Exchange,
    HttpCall,
    HttpConfig,
    HttpFailure,
    build_async_transport,
    build_transport,
)
from http_util.testing import Answer, FakeClock, FakeSyncClock, ScriptedUpstream, Stall, seeded_random
from tests.shown_errors import with_locals

CONFIG = HttpConfig(base_url="http://127.0.0.1:8000/v1")
CALL = HttpCall(method="POST", url="http://127.0.0.1:8000/v1/chat", content=b"{}")
BOUNDS: dict[str, Any] = {"max_response_bytes": 1 << 16, "max_event_bytes": 64}


async def opened(*steps: Any, done: bool = True) -> tuple[AsyncEventStream, ScriptedUpstream]:
    """An open stream of *steps*."""
    clock = FakeClock()
    answer = Answer.events(*steps, done=done)
    upstream = ScriptedUpstream(
        Answer(headers=dict(answer.headers) | {"x-request-id": "up-1"}, body=answer.body), clock=clock
    )
    client = build_async_transport(CONFIG, transport=upstream)
    return await AsyncExchange(client, clock=clock, rng=seeded_random(), **BOUNDS).open(CALL), upstream


def blocking(*steps: Any, done: bool = True) -> tuple[EventStream, ScriptedUpstream]:
    """The same for a thread."""
    clock = FakeSyncClock()
    upstream = ScriptedUpstream(Answer.events(*steps, done=done), sync_clock=clock)
    exchange = Exchange(build_transport(CONFIG, transport=upstream), clock=clock, rng=seeded_random(), **BOUNDS)
    return exchange.open(CALL), upstream


@pytest.mark.requirement("HTU-08")
async def test_frames_are_the_events_in_their_cheapest_form() -> None:
    """Data where it says everything; comments alone are read over; none at all is the end; the same for a thread."""
    steps = (b"1", b"2")
    stream, _ = await opened(*steps)
    seen = [list(await stream.next_frames()) for _ in range(4)]
    assert seen == [[b"1"], [b"2"], [b"[DONE]"], []]
    assert stream.tail is not None
    thread, _ = blocking(*steps)
    assert [list(thread.next_frames()) for _ in range(4)] == seen
    await stream.aclose()
    thread.close()


@pytest.mark.requirement("HTU-08", "CLI-10")
async def test_events_come_batch_by_batch_and_one_by_one() -> None:
    """As many as a read brought; an empty batch is the end; the head and the counts are there."""
    stream, upstream = await opened(b"1", b"2")
    assert [event.data for event in await stream.next_events()] == [b"1"]
    assert stream.tail is None
    async with stream:
        assert [event.data async for event in stream] == [b"2", b"[DONE]"]
    assert stream.tail is not None
    assert not stream.tail
    assert stream.byte_count == len(b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n")
    assert (stream.head.status, stream.head.upstream_request_id, stream.head.http_version) == (200, "up-1", "HTTP/1.1")
    assert [attempt.http_status for attempt in stream.head.attempts] == [200]
    assert upstream.open_bodies == 0


@pytest.mark.requirement("CLI-10")
async def test_leaving_the_block_early_closes_the_answer() -> None:
    """Twice does no harm; nothing of the watch stays."""
    stream, upstream = await opened(b"1", Stall())
    async with stream:
        await stream.next_events()
    await stream.aclose()
    assert (upstream.closed_early, upstream.open_bodies) == (1, 0)
    assert stream.watch.failure is None


@pytest.mark.requirement("HTU-10", "HTU-14")
@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (httpx.ReadError("x"), "reset"),
        (b"x" * 100, "protocol"),
        (b"\xff", "decode"),
    ],
)
async def test_a_failure_says_whether_events_were_handed_out(step: Any, reason: str) -> None:
    """Before the first event unknown, after it partial; it carries status, ledger and the upstream's id."""
    for before, outcome in (((), Outcome.UNKNOWN), ((b"1",), Outcome.PARTIAL)):
        stream, upstream = await opened(*before, step, done=False)
        with pytest.raises(HttpFailure) as caught:
            async for _ in stream:
                pass
        failure = caught.value
        assert (failure.reason, failure.outcome) == (reason, outcome)
        assert (failure.http_status, failure.upstream_request_id) == (200, "up-1")
        assert len(failure.attempts) == 1
        await stream.aclose()
        assert upstream.open_bodies == 0


@pytest.mark.requirement("HTU-08")
async def test_a_body_that_stops_inside_an_event_leaves_a_tail() -> None:
    """Whoever knows the API decides what it is worth."""
    clock = FakeClock()
    upstream = ScriptedUpstream(Answer(headers={"content-type": "text/event-stream"}, body=(b"data: 1\n\ndata: 2\n",)))
    client = build_async_transport(CONFIG, transport=upstream)
    stream = await AsyncExchange(client, clock=clock, rng=seeded_random(), **BOUNDS).open(CALL)
    assert [event.data async for event in stream] == [b"1"]
    assert stream.tail is not None
    assert stream.tail.event is not None
    assert stream.tail.event.data == b"2"
    await stream.aclose()


@pytest.mark.requirement("CLI-10", "HTU-08")
def test_the_blocking_stream_reads_the_same() -> None:
    """Batches, iteration, failure, close."""
    stream, upstream = blocking(b"1", b"2")
    with stream:
        assert [event.data for event in stream] == [b"1", b"2", b"[DONE]"]
    assert upstream.open_bodies == 0
    stream, upstream = blocking(b"1", Stall())
    with stream:
        stream.next_events()
        with pytest.raises(HttpFailure) as caught:
            stream.next_events()
    assert (caught.value.reason, caught.value.outcome) == ("idle_timeout", Outcome.PARTIAL)
    assert upstream.open_bodies == 0


@pytest.mark.requirement("SEC-01", "SEC-13")
async def test_no_frame_of_a_stream_that_breaks_off_holds_an_event() -> None:
    """What was handed out is the reader's; a traceback with locals shows nothing of it, in either colour."""
    steps = (b"the first token", b"the second token", httpx.ReadError("x"))
    stream, _ = await opened(*steps, done=False)
    with pytest.raises(HttpFailure) as caught:
        async for _ in stream:
            pass
    await stream.aclose()
    assert "__aiter__" in [entry.name for entry in caught.traceback]
    assert "token" not in with_locals(caught.value)
    blocking_stream, _ = blocking(*steps, done=False)
    with pytest.raises(HttpFailure) as caught:
        for _ in blocking_stream:
            pass
    blocking_stream.close()
    assert "__iter__" in [entry.name for entry in caught.traceback]
    assert "token" not in with_locals(caught.value)
