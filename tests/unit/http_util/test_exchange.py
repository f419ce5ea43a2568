"""One call through deadline, retry and connection: the same for async and blocking callers."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

import httpx
import pytest

from adapter_api import Outcome
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
    PolicyFailure,
    ProtocolFailure,
    RetryBudget,
    StatusFailure,
    Timeouts,
    build_async_transport,
    build_transport,
)
from http_util.resilience import Resilience
from http_util.testing import Answer, FakeClock, FakeSyncClock, FixedRandom, ScriptedUpstream, Stall

CONFIG = HttpConfig(base_url="http://127.0.0.1:8000/v1")
URL = "http://127.0.0.1:8000/v1/chat"
OK = Answer.json(b'{"a": 1}', headers={"x-request-id": "up-1"})


def call(**given: Any) -> HttpCall:
    """A call that may be repeated."""
    return HttpCall(**{"method": "POST", "url": URL, "content": b"{}", "replay_safe": True, **given})


class Colour:
    """An exchange of either colour over a script, called the same way."""

    def __init__(self, colour: str, *answers: Answer, **given: Any) -> None:
        bounds = {"max_response_bytes": 100, "max_event_bytes": 64}
        self.colour = colour
        if colour == "async":
            self.clock: Any = FakeClock(auto=True)
            self.upstream = ScriptedUpstream(*answers, clock=self.clock)
            client = build_async_transport(CONFIG, transport=self.upstream)
            self.exchange: Any = AsyncExchange(client, clock=self.clock, rng=FixedRandom(0.5), **bounds, **given)
        else:
            self.clock = FakeSyncClock()
            self.upstream = ScriptedUpstream(*answers, sync_clock=self.clock)
            blocking = build_transport(CONFIG, transport=self.upstream)
            self.exchange = Exchange(blocking, clock=self.clock, rng=FixedRandom(0.5), **bounds, **given)

    async def send(self, made: HttpCall) -> Any:
        done = self.exchange.send(made)
        return await done if self.colour == "async" else done

    async def open(self, made: HttpCall) -> Any:
        done = self.exchange.open(made)
        return await done if self.colour == "async" else done


@pytest.fixture(params=["async", "sync"])
def colour(request: pytest.FixtureRequest) -> str:
    """Both colours, one after the other."""
    return str(request.param)


@pytest.mark.requirement("HTU-1001", "HTU-05", "CLI-03")
async def test_a_good_answer_comes_whole_with_its_ledger(colour: str) -> None:
    """Status, headers by lower-case name, protocol, the upstream's id and the one attempt."""
    rig = Colour(colour, OK)
    reply = await rig.send(call(headers={"x-mine": "1"}))
    assert reply.body == b'{"a": 1}'
    assert (reply.head.status, reply.head.headers["content-type"]) == (200, "application/json")
    assert (reply.head.http_version, reply.head.upstream_request_id) == ("HTTP/1.1", "up-1")
    (attempt,) = reply.head.attempts
    assert (attempt.number, attempt.outcome, attempt.endpoint) == (1, None, "http://127.0.0.1:8000")
    request = rig.upstream.requests[0]
    assert (request.content, request.headers["x-mine"]) == (b"{}", "1")
    assert rig.upstream.open_bodies == 0


@pytest.mark.requirement("HTU-1002", "HTU-05", "HTU-04")
async def test_failures_are_repeated_by_the_policy_with_full_jitter(colour: str) -> None:
    """The pauses double up to the bound; the ledger has every attempt, its reason and its pause."""
    rig = Colour(colour, Answer(status=503), Answer.failing(httpx.ConnectError("")), Answer(status=429), OK)
    reply = await rig.send(call(retry=BILLING_SAFE))
    assert [pause for pause in rig.clock.sleeps if pause] == [0.05, 0.1, 0.2]
    assert [(line.reason, line.delay) for line in reply.head.attempts] == [
        ("service_unavailable", 0.0),
        ("connection_failed", 0.05),
        ("rate_limited", 0.1),
        (None, 0.2),
    ]


@pytest.mark.requirement("HTU-05", "HTU-07")
async def test_the_last_real_failure_is_raised_itself(colour: str) -> None:
    """No wrapper; with all attempts; without a policy there is one."""
    for policy, attempts in ((BILLING_SAFE, 4), (None, 1)):
        rig = Colour(colour, *[Answer(status=503, body=(b"busy",))] * attempts)
        with pytest.raises(StatusFailure) as caught:
            await rig.send(call(retry=policy))
        assert (caught.value.reason, caught.value.body) == ("service_unavailable", b"busy")
        assert [line.number for line in caught.value.attempts] == list(range(1, attempts + 1))
        assert rig.upstream.open_bodies == 0


@pytest.mark.requirement("HTU-03")
async def test_what_may_have_been_processed_is_not_repeated_unless_the_caller_says_so(colour: str) -> None:
    """A 500 is repeated by `available` for a call that is replay-safe, and for no other."""
    for replay_safe, attempts in ((True, 4), (False, 1)):
        rig = Colour(colour, *[Answer(status=500)] * attempts)
        with pytest.raises(StatusFailure):
            await rig.send(call(retry=AVAILABLE, replay_safe=replay_safe))
        assert len(rig.upstream.requests) == attempts


@pytest.mark.requirement("HTU-07")
async def test_a_failure_is_refined_before_a_retry_is_decided_on(colour: str) -> None:
    """An exhausted quota is a 429 that waiting does not help."""
    rig = Colour(colour, Answer(status=429, body=(b"quota",)))
    with pytest.raises(StatusFailure) as caught:
        await rig.send(call(retry=BILLING_SAFE, refine=lambda failure: failure.replace(reason="quota_exceeded")))
    assert caught.value.reason == "quota_exceeded"
    assert caught.value.attempts[0].reason == "quota_exceeded"


@pytest.mark.requirement("HTU-06", "REL-08")
async def test_retry_after_is_kept_within_the_deadline(colour: str) -> None:
    """What fits is waited for; what does not fails at once, with the wish."""
    rig = Colour(colour, Answer(status=429, headers={"retry-after": "2"}), OK)
    await rig.send(call(retry=BILLING_SAFE, deadline=Deadline.after(5.0, rig.clock)))
    assert 2.0 in rig.clock.sleeps
    rig = Colour(colour, Answer(status=429, headers={"retry-after": "9"}))
    with pytest.raises(StatusFailure) as caught:
        await rig.send(call(retry=BILLING_SAFE, deadline=Deadline.after(5.0, rig.clock)))
    assert (caught.value.retry_after, rig.clock.sleeps) == (9.0, [])


@pytest.mark.requirement("RTY-03")
async def test_an_empty_budget_ends_the_retries(colour: str) -> None:
    """The first call is free; retries are paid for, per endpoint."""
    budget = RetryBudget(capacity=100)
    rig = Colour(colour, *[Answer(status=503)] * 200, resilience=Resilience(budget=budget))
    for _ in range(30):
        with pytest.raises(StatusFailure):
            await rig.send(call(retry=BILLING_SAFE))
    assert len(rig.upstream.requests) == 30 + 20


@pytest.mark.requirement("HTU-12")
async def test_redirects_are_not_followed(colour: str) -> None:
    """They are a failure of their own."""
    rig = Colour(colour, Answer(status=307, headers={"location": URL}))
    with pytest.raises(StatusFailure) as caught:
        await rig.send(call(retry=AVAILABLE))
    assert caught.value.reason == "redirect"
    assert len(rig.upstream.requests) == 1


@pytest.mark.requirement("HTU-13", "HTU-10")
async def test_an_answer_that_is_too_large_is_refused(colour: str) -> None:
    """At the bound it passes, above it fails with the ledger; error answers are cut instead."""
    rig = Colour(
        colour, Answer(body=(b"x" * 100,)), Answer(body=(b"x" * 101,)), Answer(status=400, body=(b"x" * 70_000,))
    )
    assert len((await rig.send(call())).body) == 100
    with pytest.raises(ProtocolFailure, match="max_response_bytes") as caught:
        await rig.send(call())
    assert (len(caught.value.attempts), caught.value.http_status) == (1, 200)
    with pytest.raises(StatusFailure) as refused:
        await rig.send(call())
    assert len(refused.value.body) == 65_536
    assert rig.upstream.open_bodies == 0


async def test_an_error_answer_stands_for_its_status_whatever_its_body_does(colour: str) -> None:
    """Broken off, or in an encoding that nobody reads."""
    rig = Colour(
        colour,
        Answer(status=401, body=(b"a", httpx.ReadError("x"))),
        Answer(status=401, headers={"content-encoding": "br"}, body=(b"a",)),
    )
    for _ in range(2):
        with pytest.raises(StatusFailure) as caught:
            await rig.send(call())
        assert (caught.value.reason, caught.value.http_status) == ("invalid_api_key", 401)
    assert rig.upstream.open_bodies == 0


@pytest.mark.requirement("ADP-25")
async def test_opening_what_is_no_event_stream_is_a_protocol_failure(colour: str) -> None:
    """The type is named, the body is kept for whoever knows it, and closed."""
    types = (("text/html", "text/html"), ("application/json; charset=utf-8", "application/json"), (None, "none"))
    for header, shown in types:
        headers = {} if header is None else {"content-type": header}
        rig = Colour(colour, Answer(headers=headers, body=(b"whole",)))
        with pytest.raises(ProtocolFailure, match=f"content type {shown}, expected text/event-stream") as caught:
            await rig.open(call())
        assert (caught.value.reason, caught.value.outcome) == ("content_type", Outcome.UNKNOWN)
        assert caught.value.body == b"whole"
        assert rig.upstream.open_bodies == 0
    rig = Colour(colour, Answer(headers={"content-type": "Text/Event-Stream ; charset=utf-8"}))
    stream = await rig.open(call())
    assert stream.head.status == 200
    await stream.aclose() if colour == "async" else stream.close()


@pytest.mark.requirement("SEC-11")
async def test_a_host_that_is_not_allowed_is_refused_before_anything_is_sent(colour: str) -> None:
    """Not repeated, and known not to be sent."""
    rig = Colour(colour)
    with pytest.raises(PolicyFailure) as caught:
        await rig.send(call(url="http://127.0.0.2/", retry=AVAILABLE))
    assert (caught.value.reason, caught.value.outcome) == ("egress_denied", Outcome.NOT_SENT)
    assert rig.upstream.requests == []


@pytest.mark.requirement("HTU-15")
async def test_hooks_are_told_of_every_attempt_and_break_nothing(colour: str) -> None:
    """Also when they raise."""
    seen: list[Any] = []

    class Hook:
        def on_attempt(self, record: Any) -> None:
            seen.append((record.method, record.attempt.reason, record.http_version))
            raise RuntimeError("a hook that fails")

    rig = Colour(colour, Answer(status=503), OK, resilience=Resilience(hooks=(Hook(),)))
    await rig.send(call(retry=BILLING_SAFE))
    assert seen == [("POST", "service_unavailable", None), ("POST", None, "HTTP/1.1")]


@pytest.mark.requirement("HTU-14", "HTU-1001")
@pytest.mark.parametrize(
    ("answer", "where"),
    [
        (Answer(before_head=(Stall(),)), "head"),
        (Answer(body=(b"a", Stall())), "body"),
        (Answer(status=500, body=(b"a", Stall())), "error body"),
        (Answer(status=503, headers={"retry-after": "4"}), "pause"),
    ],
)
async def test_the_deadline_and_a_break_end_a_call_wherever_it_is(answer: Answer, where: str) -> None:
    """At its moment, as a failure of its own kind, with the ledger, and nothing stays open."""
    for by in ("deadline", "break", "cancel"):
        clock = FakeClock()
        upstream = ScriptedUpstream(answer, clock=clock)
        exchange = AsyncExchange(
            build_async_transport(CONFIG, transport=upstream),
            clock=clock,
            rng=FixedRandom(0.5),
            max_response_bytes=100,
            max_event_bytes=64,
        )
        watch = AsyncWatch(clock)
        deadline = Deadline.after(4.5 if by == "deadline" else 600.0, clock)
        made = call(retry=BILLING_SAFE, deadline=deadline, timeouts=Timeouts(first_byte=None, idle=None))
        running = asyncio.ensure_future(exchange.send(made, watch=watch))
        await clock.run_for(3.9)
        assert not running.done(), where
        if by == "break":
            watch.break_off(Interrupted("stopped", reason="cancelled", outcome=Outcome.UNKNOWN))
        elif by == "cancel":
            running.cancel()
        elif where == "pause":
            upstream.then(Answer(before_head=(Stall(),)))
        await clock.run_for(0.7)
        kind = {"deadline": DeadlineExceeded, "break": Interrupted, "cancel": asyncio.CancelledError}[by]
        with pytest.raises(kind) as caught:
            await running
        if isinstance(caught.value, HttpFailure):
            assert caught.value.attempts
        assert upstream.open_bodies == 0
        assert clock.next_due() is None


@pytest.mark.requirement("HTU-1002")
async def test_a_call_that_needs_no_retry_makes_no_loop_of_them(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tenacity comes in with the first failure, and is told of it as the first attempt."""
    made: list[str] = []
    for name in ("_async", "_sync"):
        module = import_module(f"http_util.{name}.exchange")
        loop = "AsyncRetrying" if name == "_async" else "Retrying"
        real = getattr(module, loop)
        monkeypatch.setattr(module, loop, lambda real=real, **given: made.append("made") or real(**given))
    rig = Colour(colour, OK, Answer(status=503), Answer(status=503), OK)
    assert len((await rig.send(call(retry=BILLING_SAFE))).head.attempts) == 1
    assert made == []
    reply = await rig.send(call(retry=BILLING_SAFE))
    assert made == ["made"]
    # the bounds of the pauses before the first and the second retry, half of each drawn
    assert [(line.number, line.reason, line.delay) for line in reply.head.attempts] == [
        (1, "service_unavailable", 0.0),
        (2, "service_unavailable", 0.05),
        (3, None, 0.1),
    ]


async def test_a_url_that_is_none_is_refused_and_known_not_to_be_sent(colour: str) -> None:
    """Whoever made it gets a failure like any other, with a ledger."""
    rig = Colour(colour)
    with pytest.raises(PolicyFailure) as caught:
        await rig.send(call(url="http://127.0.0.1:8000/\x7f"))
    assert (caught.value.reason, caught.value.outcome) == ("invalid_base_url", Outcome.NOT_SENT)
    assert [line.reason for line in caught.value.attempts] == ["invalid_base_url"]


@pytest.mark.requirement("HTU-13")
async def test_every_request_asks_for_identity_and_names_us(colour: str) -> None:
    """Though no client is in between."""
    rig = Colour(colour, OK)
    await rig.send(call(headers={"accept": "a/b"}))
    assert rig.upstream.requests[0].headers == {
        "host": "127.0.0.1:8000",
        "accept": "a/b",
        "accept-encoding": "identity",
        "user-agent": "worker-adapters",
        "content-length": "2",
    }


@pytest.mark.requirement("HTU-14", "ADP-30")
async def test_an_answer_that_comes_in_spite_of_a_break_is_closed() -> None:
    """A transport may take a cancellation for a reason to hurry; the call is over all the same."""
    clock = FakeClock()
    upstream = ScriptedUpstream(Answer(body=(b"a", Stall())), clock=clock)

    class Stubborn(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                return await upstream.handle_async_request(request)
            raise AssertionError

    exchange = AsyncExchange(
        build_async_transport(CONFIG, transport=Stubborn()),
        clock=clock,
        rng=FixedRandom(0.5),
        max_response_bytes=100,
        max_event_bytes=64,
    )
    watch = AsyncWatch(clock)
    running = asyncio.ensure_future(exchange.send(call(), watch=watch))
    await clock.settle()
    watch.break_off(Interrupted("stopped", reason="cancelled", outcome=Outcome.UNKNOWN))
    with pytest.raises(Interrupted):
        await running
    assert (upstream.open_bodies, upstream.closed_early) == (0, 1)
