"""One call through deadline, retry and connection, against an upstream that does what its script says."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from typing import TYPE_CHECKING

import httpx
import pytest

from adapter_api.outcome import Outcome
from http_util import (
    AVAILABLE,
    BILLING_SAFE,
    AsyncExchange,
    AsyncWatch,
    Deadline,
    DeadlineExceeded,
    Exchange,
    HttpCall,
    HttpConfig,
    HttpFailure,
    Interrupted,
    ProtocolFailure,
    StatusFailure,
    TimeoutFailure,
    Timeouts,
    TransportFailure,
    build_async_client,
    build_client,
)
from http_util.testing import Answer, FakeClock, FakeSyncClock, FixedRandom, Pause, ScriptedUpstream, Stall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

URL = "http://localhost/v1"
CONFIG = HttpConfig(base_url=URL)


def call(**settings: object) -> HttpCall:
    """Return a call with these settings."""
    return HttpCall(**{"method": "POST", "url": f"{URL}/chat/completions", "content": b"{}", **settings})


class Bench:
    """An exchange over a scripted upstream, and its clock."""

    def __init__(self, *answers: Answer, hooks: tuple[object, ...] = ()) -> None:
        self.clock = FakeClock()
        self.upstream = ScriptedUpstream(*answers, clock=self.clock)
        self.client = build_async_client(CONFIG, transport=self.upstream)
        self.exchange = AsyncExchange(
            self.client,
            clock=self.clock,
            rng=FixedRandom(1.0),
            max_response_bytes=1000,
            max_event_bytes=1000,
            hooks=hooks,
        )

    async def after(self, seconds: float, waiting: asyncio.Task[object]) -> object:
        """Let time pass and return what the task gave, which must be over then."""
        await self.clock.run_for(seconds)
        assert waiting.done()
        return await waiting

    async def failure(self, seconds: float, awaitable: object) -> HttpFailure:
        """Return the failure of a call, which must have come after *seconds*."""
        with pytest.raises(HttpFailure) as caught:
            await self.after(seconds, asyncio.ensure_future(awaitable))
        return caught.value


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """Give a bench that must be tidy in the end: no open body, no timer."""
    made = Bench()
    yield made
    await made.client.aclose()
    assert made.upstream.open_bodies == 0
    assert made.clock.next_due() is None


@pytest.mark.requirement("HTU-1001", "HTU-05")
async def test_an_answer_comes_back_whole_with_its_ledger(bench: Bench) -> None:
    """Status, body, protocol and the upstream's id."""
    bench.upstream.then(Answer.json(b'{"a":1}', headers={"X-Request-Id": "req-1"}))
    reply = await bench.exchange.send(call())
    assert (reply.head.status, reply.body, reply.head.http_version) == (200, b'{"a":1}', "HTTP/1.1")
    assert [(a.number, a.outcome, a.http_status, a.upstream_request_id) for a in reply.head.attempts] == [
        (1, None, 200, "req-1"),
    ]
    assert reply.head.attempts[0].endpoint == "http://localhost:80"


@pytest.mark.requirement("HTU-1002", "HTU-05", "HTU-06")
async def test_refusals_are_repeated_with_their_pauses_and_all_of_it_is_in_the_ledger(bench: Bench) -> None:
    """A refused connection, a 429 with a pause of two seconds, then the answer."""
    bench.upstream.then(
        Answer.failing(httpx.ConnectError("no")),
        Answer(status=429, headers={"retry-after": "2"}),
        Answer.events(b"{}"),
    )
    opening = asyncio.ensure_future(bench.exchange.open(call(retry=BILLING_SAFE)))
    stream = await bench.after(2.1, opening)
    async with stream:
        assert [event.data async for event in stream] == [b"{}", b"[DONE]"]
    assert not stream.tail
    assert [(a.outcome, a.reason, a.delay) for a in stream.head.attempts] == [
        (Outcome.NOT_SENT, "connection_failed", 0.0),
        (Outcome.REJECTED, "rate_limited", 0.1),
        (None, None, 2.0),
    ]


async def test_what_may_have_been_processed_is_repeated_only_when_that_was_allowed(bench: Bench) -> None:
    """A 502 ends the call under billing_safe and is repeated under available."""
    bench.upstream.then(Answer(status=502), Answer(status=502), Answer.json(b"{}"))
    failure = await bench.failure(0, bench.exchange.send(call(retry=BILLING_SAFE, replay_safe=True)))
    assert (failure.reason, failure.outcome, len(failure.attempts)) == ("bad_gateway", Outcome.UNKNOWN, 1)
    sending = asyncio.ensure_future(bench.exchange.send(call(retry=AVAILABLE, replay_safe=True)))
    assert (await bench.after(0.1, sending)).head.status == 200


@pytest.mark.requirement("HTU-05")
async def test_the_refined_failure_is_what_is_decided_on_and_raised(bench: Bench) -> None:
    """Whoever knows the API's error object may turn a rate limit into a used-up quota, and then nothing is repeated."""
    bench.upstream.then(Answer.json(b'{"error":{"code":"insufficient_quota"}}', status=429))

    def refine(failure: StatusFailure) -> StatusFailure:
        return failure.replace(reason="quota_exceeded") if b"insufficient_quota" in failure.body else failure

    failure = await bench.failure(0, bench.exchange.send(call(retry=BILLING_SAFE, refine=refine)))
    assert isinstance(failure, StatusFailure)
    assert failure.reason == "quota_exceeded"
    assert [line.reason for line in failure.attempts] == ["quota_exceeded"]


@pytest.mark.requirement("HTU-14")
@pytest.mark.parametrize(
    ("answer", "seconds", "kind", "reason"),
    [
        (Answer(before_head=(Stall(),)), 3.0, TimeoutFailure, "first_byte_timeout"),
        (Answer(status=200, body=(b"a", Stall())), 4.0, TimeoutFailure, "idle_timeout"),
        (Answer(status=500, body=(b"a", Stall())), 4.0, StatusFailure, "server_error"),
        (Answer(body=(b"a", Pause(3.9)) * 99), 10.0, DeadlineExceeded, "deadline"),
    ],
)
async def test_each_timer_ends_the_call_at_its_moment_and_nothing_resets_the_deadline(
    bench: Bench, answer: Answer, seconds: float, kind: type[HttpFailure], reason: str
) -> None:
    """No head, silence in the body, silence in an error's body, and a drip that never falls silent."""
    bench.upstream.then(answer)
    timeouts = Timeouts(first_byte=3.0, idle=4.0)
    sending = asyncio.ensure_future(bench.exchange.send(call(timeouts=timeouts, deadline=Deadline(10.0))))
    await bench.clock.run_for(seconds - 0.01)
    assert not sending.done()
    failure = await bench.failure(0.01, sending)
    assert (type(failure), failure.reason) == (kind, reason)


@pytest.mark.requirement("HTU-06")
async def test_the_deadline_ends_a_pause_between_attempts(bench: Bench) -> None:
    """The last real failure is raised at once when the pause does not fit."""
    bench.upstream.then(Answer(status=503, headers={"retry-after": "5"}))
    failure = await bench.failure(0, bench.exchange.send(call(retry=BILLING_SAFE, deadline=Deadline(4.0))))
    assert (failure.reason, failure.retry_after) == ("service_unavailable", 5.0)


async def test_a_deadline_that_passes_before_anything_was_sent_proves_that_nothing_was(bench: Bench) -> None:
    """The scripted upstream never says that headers went out, so the outcome is NOT_SENT."""
    bench.upstream.then(Answer(before_head=(Stall(),)))
    failure = await bench.failure(2.0, bench.exchange.send(call(deadline=Deadline(2.0))))
    assert (type(failure), failure.outcome) == (DeadlineExceeded, Outcome.NOT_SENT)
    assert bench.upstream.cancelled_before_head == 1


@pytest.mark.requirement("HTU-14")
@pytest.mark.parametrize("answer", [Answer(before_head=(Stall(),)), Answer(body=(b"a", Stall()))])
async def test_a_cancelled_call_stays_cancelled_and_leaves_nothing(bench: Bench, answer: Answer) -> None:
    """Neither a timeout nor a failure comes of it, and nothing is repeated."""
    bench.upstream.then(answer)
    task = asyncio.ensure_future(bench.exchange.send(call(retry=AVAILABLE, replay_safe=True, deadline=Deadline(60.0))))
    await bench.clock.settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(bench.upstream.requests) == 1


async def test_a_call_can_be_broken_off_by_another_task(bench: Bench) -> None:
    """What is awaited ends with the given failure, and every later read too."""
    bench.upstream.then(Answer.events(b"{}", Stall()))
    watch = AsyncWatch(bench.clock)
    stream = await bench.exchange.open(call(), watch=watch)
    assert [event.data for event in await stream.next_events()] == [b"{}"]
    reading = asyncio.ensure_future(stream.next_events())
    await bench.clock.settle()
    assert watch.is_waiting
    watch.break_off(Interrupted("cancelled", reason="cancelled", outcome=Outcome.UNKNOWN))
    for awaitable in (reading, stream.next_events()):
        failure = await bench.failure(0, awaitable)
        assert (type(failure), failure.outcome) == (Interrupted, Outcome.PARTIAL)
    await stream.aclose()
    await stream.aclose()


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (Answer.json(b'{"error":1}'), ProtocolFailure, "content_type"),
        (
            Answer(headers={"content-type": "text/html; charset=utf-8"}, body=(b"<html>",)),
            ProtocolFailure,
            "content_type",
        ),
        (Answer(), ProtocolFailure, "content_type"),
        (Answer(status=302, headers={"location": "https://evil.example"}), StatusFailure, "redirect"),
        (Answer.failing(httpx.ReadError("reset")), TransportFailure, "reset"),
    ],
)
async def test_an_answer_that_is_no_stream_is_one_failure(
    bench: Bench, answer: Answer, kind: type[HttpFailure], reason: str
) -> None:
    """JSON, HTML, nothing, a redirect, an encoding we do not know, a reset; and the connection is given back."""
    bench.upstream.then(answer)
    failure = await bench.failure(0, bench.exchange.open(call()))
    assert (type(failure), failure.reason, len(failure.attempts)) == (kind, reason, 1)


@pytest.mark.requirement("HTU-10")
@pytest.mark.parametrize(
    ("steps", "reason", "outcome", "events"),
    [
        ((b"data: \xff\n\n",), "decode", Outcome.UNKNOWN, 0),
        ((b"data: a\n\ndata: \xff\n\n",), "decode", Outcome.PARTIAL, 1),
        ((b"x" * 1001,), "protocol", Outcome.UNKNOWN, 0),
        ((b"data: a\n\n", httpx.ReadError("cut")), "reset", Outcome.PARTIAL, 1),
        ((b"data: a\n", httpx.RemoteProtocolError("incomplete chunked read")), "reset", Outcome.UNKNOWN, 0),
    ],
)
async def test_a_stream_that_breaks_says_whether_anything_was_handed_out(
    bench: Bench, steps: tuple[object, ...], reason: str, outcome: Outcome, events: int
) -> None:
    """PARTIAL once an event was returned, UNKNOWN before; the ledger and the status travel along."""
    bench.upstream.then(Answer(headers={"content-type": "text/event-stream"}, body=steps))
    seen = []
    async with await bench.exchange.open(call()) as stream:
        for _ in range(events):
            seen += await stream.next_events()
        with pytest.raises(HttpFailure) as caught:
            await stream.next_events()
    failure = caught.value
    assert (len(seen), failure.reason, failure.outcome, failure.http_status) == (events, reason, outcome, 200)
    assert len(failure.attempts) == 1


@pytest.mark.requirement("HTU-13")
async def test_a_compressed_answer_is_read_within_the_limits(bench: Bench) -> None:
    """gzip is undone; a body larger than the limit is refused, packed or not; a cut one is not complete."""
    head = {"content-encoding": "gzip"}
    packed = gzip.compress(b"x" * 1000)
    bench.upstream.then(
        Answer(headers=head, body=(packed[:9], packed[9:])),
        Answer(headers=head, body=(gzip.compress(b"x" * 1001),)),
        Answer(body=(b"x" * 1001,)),
        Answer(headers=head, body=(packed[:-1],)),
    )
    assert (await bench.exchange.send(call())).body == b"x" * 1000
    for reason in ("protocol", "protocol", "truncated"):
        failure = await bench.failure(0, bench.exchange.send(call()))
        assert (type(failure), failure.reason, len(failure.attempts)) == (ProtocolFailure, reason, 1)


async def test_a_stream_that_ends_inside_an_event_has_a_tail(bench: Bench) -> None:
    """The reader can tell a truncated stream from one that ended."""
    bench.upstream.then(Answer(headers={"content-type": "text/event-stream"}, body=(b"data: {}\n\ndata: {",)))
    async with await bench.exchange.open(call()) as stream:
        assert [event.data async for event in stream] == [b"{}"]
        assert stream.tail
        assert stream.tail.unread == b"data: {"


@pytest.mark.requirement("HTU-13")
async def test_an_encoding_that_was_not_asked_for_is_a_failure_and_the_connection_is_given_back(bench: Bench) -> None:
    """Plain and streamed, also under an error status."""
    head = {"content-encoding": "br", "content-type": "text/event-stream"}
    bench.upstream.then(*[Answer(headers=head, body=(b"x",))] * 2, Answer(status=503, headers=head, body=(b"x",)))

    async def first_events() -> None:
        async with await bench.exchange.open(call()) as stream:
            await stream.next_events()

    for awaitable in (bench.exchange.send(call()), first_events()):
        failure = await bench.failure(0, awaitable)
        assert (type(failure), failure.reason, len(failure.attempts)) == (ProtocolFailure, "protocol", 1)
    failure = await bench.failure(0, bench.exchange.send(call()))
    assert (type(failure), failure.reason) == (StatusFailure, "service_unavailable")


def test_the_blocking_exchange_is_the_same() -> None:
    """Retries, pauses, ledger, events, failures."""
    clock = FakeSyncClock()
    upstream = ScriptedUpstream(
        Answer(status=503),
        Answer.events(b"{}"),
        Answer.events(b"{}", Stall()),
        Answer.json(b"{}"),
        sync_clock=clock,
    )
    with build_client(CONFIG, transport=upstream) as client:
        exchange = Exchange(client, clock=clock, rng=FixedRandom(1.0), max_response_bytes=1000, max_event_bytes=1000)
        with exchange.open(call(retry=BILLING_SAFE)) as stream:
            assert [event.data for event in stream] == [b"{}", b"[DONE]"]
        assert [(a.reason, a.delay) for a in stream.head.attempts] == [("service_unavailable", 0.0), (None, 0.1)]
        with exchange.open(call()) as stream:
            assert len(stream.next_events()) == 1
            with pytest.raises(TimeoutFailure) as caught:
                stream.next_events()
        assert (caught.value.reason, caught.value.outcome) == ("idle_timeout", Outcome.PARTIAL)
        assert exchange.send(call()).body == b"{}"
    assert clock.sleeps == [0.1]
    assert upstream.open_bodies == 0


async def test_calls_cancelled_at_every_moment_leave_nothing_behind() -> None:
    """Whatever the moment: no open body, no timer, no place taken."""
    for turns in range(60):
        bench = Bench(Answer(status=503), Answer.events(*[b"{}"] * 3, Stall()))

        async def read(bench: Bench = bench) -> None:
            stream = await bench.exchange.open(call(retry=BILLING_SAFE, deadline=Deadline(60.0)))
            async with stream:
                async for _ in stream:
                    pass

        task = asyncio.ensure_future(read())
        for turn in range(turns):
            await bench.clock.sleep(0)
            bench.clock.advance(0.0 if turn < turns // 2 else 0.1)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert (bench.upstream.open_bodies, bench.clock.next_due()) == (0, None)
        await bench.client.aclose()
