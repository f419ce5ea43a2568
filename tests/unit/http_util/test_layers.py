"""The layers around an attempt: their order, what each is told, and that none is there unless it was given."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

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
    StatusFailure,
    build_async_transport,
    build_transport,
)
from http_util.breaker import BreakerPolicy, Breakers
from http_util.call import LimitedCall, Target
from http_util.failover import Endpoint, Failover
from http_util.rate_limit import RateLimits
from http_util.rate_limiter import RateLimiter
from http_util.resilience import Layer, Resilience
from http_util.testing import Answer, FakeClock, FakeSyncClock, FixedRandom, ScriptedUpstream, Stall

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG = HttpConfig(base_url="http://127.0.0.1:8000/v1").reaching(["http://127.0.0.1:8001/v1", "http://127.0.0.1:8002"])
URL = "http://127.0.0.1:8000/v1/chat"
ONE, TWO, THREE = (f"http://127.0.0.1:{port}" for port in (8000, 8001, 8002))
OK = Answer.json(b'{"a": 1}')
EVENTS = Answer.events(b"1", b"2")
TRIP_AT_ONCE = BreakerPolicy(failure_threshold=1, per_endpoint=True)


@dataclass
class Place:
    """A leave of the limiter below."""

    events: list[Any]

    def settle(self, tokens: int | None) -> None:
        self.events.append(("settle", tokens))

    def abandon(self) -> None:
        self.events.append("abandon")


@dataclass
class Limiter:
    """A limiter that notes what it is asked, refuses when told to, and may never give a turn."""

    events: list[Any] = field(default_factory=list)
    refuses: bool = False
    refuses_at: str = ""
    stalls: bool = False
    stalls_at: str = ""

    async def acquire_async(self, ask: LimitedCall, watch: AsyncWatch, clock: Any) -> Place:
        if self.stalls or ask.endpoint == self.stalls_at:
            await watch.guard(asyncio.get_running_loop().create_future())
        return self.acquire(ask, watch, clock)

    def acquire(self, ask: LimitedCall, watch: Any, clock: Any) -> Place:
        self.events.append(("acquire", ask.endpoint, ask.family, ask.request_id, ask.tokens))
        if self.refuses or ask.endpoint == self.refuses_at:
            raise PolicyFailure("wait", reason="rate_limited", outcome=Outcome.NOT_SENT, retry_after=3.0)
        return Place(self.events)

    def learn(self, ask: LimitedCall, status: int, headers: Mapping[str, str], now: float) -> None:
        self.events.append(("learn", status))


def call(**given: Any) -> HttpCall:
    """A call that may be repeated."""
    return HttpCall(**{"method": "POST", "url": URL, "content": b"{}", "replay_safe": True, **given})


def others() -> tuple[Target, ...]:
    """The same call at two other endpoints, with a credential of each."""
    return tuple(Target(url=f"{place}/v1/chat", headers={"authorization": place}) for place in (TWO, THREE))


class Rig:
    """An exchange of either colour over a script."""

    def __init__(self, colour: str, *answers: Answer, **resilience: Any) -> None:
        self.colour = colour
        bounds = {"max_response_bytes": 1000, "max_event_bytes": 64, "resilience": Resilience(**resilience)}
        if colour == "async":
            self.clock: Any = FakeClock(auto=True)
            self.upstream = ScriptedUpstream(*answers, clock=self.clock)
            transport = build_async_transport(CONFIG, transport=self.upstream)
            self.exchange: Any = AsyncExchange(transport, clock=self.clock, rng=FixedRandom(0.5), **bounds)
        else:
            self.clock = FakeSyncClock()
            self.upstream = ScriptedUpstream(*answers, sync_clock=self.clock)
            blocking = build_transport(CONFIG, transport=self.upstream)
            self.exchange = Exchange(blocking, clock=self.clock, rng=FixedRandom(0.5), **bounds)

    async def send(self, made: HttpCall) -> Any:
        done = self.exchange.send(made)
        return await done if self.colour == "async" else done

    async def open(self, made: HttpCall) -> Any:
        done = self.exchange.open(made)
        return await done if self.colour == "async" else done

    async def read(self, stream: Any) -> Any:
        events = stream.next_events()
        return await events if self.colour == "async" else events

    async def drain(self, stream: Any) -> None:
        while await self.read(stream):
            pass

    async def close(self, stream: Any) -> None:
        if self.colour == "async":
            await stream.aclose()
        else:
            stream.close()


@pytest.fixture(params=["async", "sync"])
def colour(request: pytest.FixtureRequest) -> str:
    """Both colours, one after the other."""
    return str(request.param)


@pytest.mark.requirement("REL-07", "RL-02")
async def test_each_attempt_goes_through_breaker_limiter_and_transport_in_this_order(colour: str) -> None:
    """And is settled before the next one begins; what the call really cost corrects the estimate."""
    limiter, seen = Limiter(), []

    class Hook:
        def on_outcome(self, record: Any) -> None:
            limiter.events.append(record.signal.value)

        def on_attempt(self, record: Any) -> None:
            seen.append(record.attempt.reason)

    breakers = Breakers(BreakerPolicy(failure_threshold=9), hooks=(Hook(),))
    rig = Rig(colour, Answer(status=503), OK, breaker=breakers, limiter=limiter, hooks=(Hook(),))
    made = call(retry=BILLING_SAFE, family="chat", request_id="r-1", tokens=7, count_tokens=len)
    await rig.send(made)
    ask = ("acquire", ONE, "chat", "r-1", 7)
    assert limiter.events == [
        *[ask, ("learn", 503), "failure", ("settle", None)],
        *[ask, ("learn", 200), "success", ("settle", len(b'{"a": 1}'))],
    ]
    assert seen == ["service_unavailable", None]


class Counter:
    """One object that counts whatever any layer tells."""

    def __init__(self) -> None:
        self.told: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("on_"):
            raise AttributeError(name)

        def count(record: Any) -> None:
            self.told[name] = self.told.get(name, 0) + 1

        return count


@pytest.mark.requirement("REL-06", "CB-02", "FO-02", "RTY-02", "RTY-03")
async def test_one_object_can_count_what_every_layer_does(colour: str) -> None:
    """Handed to each of them: attempts, retries, giving up, moves, circuits, refusals, limits."""
    counter = Counter()
    hooks = (counter,)
    limited = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0"}
    rig = Rig(
        colour,
        *[Answer(status=503, headers=limited)] * 4,
        failover=Failover([Endpoint(base_url=f"{TWO}/v1")], cooldown=0.0, hooks=hooks),
        breaker=Breakers(BreakerPolicy(failure_threshold=4), hooks=hooks),
        limiter=RateLimiter(RateLimits(requests_per_minute=2), hooks=hooks),
        hooks=hooks,
    )
    ends = []
    for pause in (0.0, 0.0, 30.0):
        rig.clock.advance(pause) if colour == "async" else rig.clock.sleep(pause)
        with pytest.raises(HttpFailure) as caught:
            await rig.send(call(alternatives=others()[:1], retry=replace(BILLING_SAFE, max_attempts=2)))
        ends.append(caught.value.reason)
    assert ends == ["service_unavailable", "circuit_open", "rate_limited"]
    assert counter.told == {
        "on_attempt": 4,
        "on_exhausted": 3,
        "on_failover": 3,
        "on_outcome": 5,
        "on_rate_limit": 1,
        "on_rate_limit_update": 4,
        "on_rejected": 2,
        "on_retry": 1,
        "on_state_change": 2,
    }


@pytest.mark.requirement("CB-07", "REL-07")
async def test_an_open_breaker_refuses_before_the_limiter_is_asked(colour: str) -> None:
    """Nothing is sent; the failure says which layer, and when to come again."""
    limiter = Limiter()
    rig = Rig(colour, Answer(status=500), breaker=Breakers(TRIP_AT_ONCE), limiter=limiter)
    with pytest.raises(StatusFailure):
        await rig.send(call())
    asked = len(limiter.events)
    with pytest.raises(PolicyFailure) as caught:
        await rig.send(call())
    assert (caught.value.reason, caught.value.outcome) == ("circuit_open", Outcome.NOT_SENT)
    assert caught.value.retry_after == 30.0
    assert (len(rig.upstream.requests), len(limiter.events)) == (1, asked)


@pytest.mark.requirement("CB-06", "RL-02")
async def test_a_stream_is_settled_when_it_ends_and_not_before(colour: str) -> None:
    """Well, by what broke it, or, when its reader left, as if it had not been."""
    for how, expected in (("well", "success"), ("broken", "failure"), ("left", "abandoned")):
        limiter, signals = Limiter(), []

        class Hook:
            def on_outcome(self, record: Any, signals: list[str] = signals) -> None:
                signals.append(record.signal.value)

        answer = Answer.events(b"1", httpx.ReadError("x")) if how == "broken" else EVENTS
        rig = Rig(colour, answer, breaker=Breakers(hooks=(Hook(),)), limiter=limiter)
        stream = await rig.open(call())
        assert await rig.read(stream)
        assert (signals, limiter.events[-1]) == ([], ("learn", 200))
        if how == "well":
            stream.settle(None, 42)
        elif how == "broken":
            with pytest.raises(HttpFailure):
                await rig.drain(stream)
        await rig.close(stream)
        stream.settle(None, 99)
        assert signals == [expected]
        assert limiter.events[-1] == ("settle", 42 if how == "well" else None)


@pytest.mark.requirement("RL-03", "CB-06")
async def test_a_call_that_ends_while_it_waits_for_its_turn_gives_the_breakers_leave_back() -> None:
    """By cancel, by break, by its deadline; a probe that ends so leaves room for the next one."""
    for by, kind in (("cancel", asyncio.CancelledError), ("break", Interrupted), ("deadline", DeadlineExceeded)):
        clock = FakeClock()
        breakers = Breakers(BreakerPolicy(failure_threshold=1, recovery_timeout=5.0))
        circuit = breakers.circuit(ONE)
        circuit.settle_failure(circuit.admit(clock.monotonic()), clock.monotonic())
        clock.advance(5.0)
        upstream = ScriptedUpstream(OK, clock=clock)
        limiter = Limiter(stalls=True)
        exchange = AsyncExchange(
            build_async_transport(CONFIG, transport=upstream),
            clock=clock,
            rng=FixedRandom(0.5),
            max_response_bytes=100,
            max_event_bytes=64,
            resilience=Resilience(breaker=breakers, limiter=limiter),
        )
        watch = AsyncWatch(clock)
        made = call(deadline=Deadline.after(2.0, clock) if by == "deadline" else None)
        waiting = asyncio.ensure_future(exchange.send(made, watch=watch))
        await clock.settle()
        if by == "cancel":
            waiting.cancel()
        elif by == "break":
            watch.break_off(Interrupted("stopped", reason="cancelled", outcome=Outcome.UNKNOWN))
        else:
            await clock.run_for(2.0)
        with pytest.raises(kind):
            await waiting
        assert upstream.requests == []
        limiter.stalls = False
        await exchange.send(call())


@pytest.mark.requirement("RL-03", "REL-05")
async def test_a_refusal_between_attempts_does_not_mask_what_the_upstream_said(colour: str) -> None:
    """The last real failure is raised, with the ledger; the refusal is its cause."""
    rig = Rig(colour, Answer(status=500), breaker=Breakers(TRIP_AT_ONCE))
    with pytest.raises(StatusFailure) as caught:
        await rig.send(call(retry=AVAILABLE))
    assert (caught.value.reason, len(caught.value.attempts)) == ("server_error", 1)
    assert isinstance(caught.value.__cause__, PolicyFailure)
    refused = Rig(colour, OK, limiter=Limiter(refuses=True))
    with pytest.raises(PolicyFailure) as first:
        await refused.send(call(retry=AVAILABLE))
    assert (first.value.reason, first.value.attempts, refused.upstream.requests) == ("rate_limited", (), [])


def closed_to(*places: str) -> Breakers:
    """Circuits of which those of *places* are open."""
    breakers = Breakers(TRIP_AT_ONCE)
    for place in places:
        circuit = breakers.circuit(place)
        circuit.settle_failure(circuit.admit(0.0), 0.0)
    return breakers


@pytest.mark.requirement("REL-05", "FO-01", "HTU-05")
@pytest.mark.parametrize("status", [500, 503])
async def test_a_refusal_of_the_next_endpoint_does_not_mask_what_the_first_one_said(colour: str, status: int) -> None:
    """It may have processed the call, so nobody may be told that nothing was sent; a retry goes by its word too."""
    failover = Failover([Endpoint(base_url=f"{TWO}/v1")], after_unknown=True)
    rig = Rig(colour, Answer(status=status), failover=failover, breaker=closed_to(TWO))
    with pytest.raises(StatusFailure) as caught:
        await rig.send(call(alternatives=others()[:1]))
    assert (caught.value.http_status, [line.endpoint for line in caught.value.attempts]) == (status, [ONE])
    assert getattr(caught.value.__cause__, "reason", None) == "circuit_open"
    limiter = Limiter(refuses_at=TWO)
    rig = Rig(
        colour,
        Answer(status=status),
        OK,
        failover=Failover(failover.endpoints, after_unknown=True, cooldown=0.0),
        limiter=limiter,
    )
    reply = await rig.send(call(alternatives=others()[:1], retry=AVAILABLE))
    assert [(line.endpoint, line.http_status) for line in reply.head.attempts] == [(ONE, status), (ONE, 200)]


@pytest.mark.requirement("REL-05", "HTU-05")
async def test_a_deadline_at_the_next_endpoint_does_not_say_that_nothing_was_sent() -> None:
    """It passes in the limiter's line; the first endpoint may have processed the call, and the ledger has it."""
    clock = FakeClock()
    exchange = AsyncExchange(
        build_async_transport(CONFIG, transport=ScriptedUpstream(Answer(status=500), clock=clock)),
        clock=clock,
        rng=FixedRandom(0.5),
        max_response_bytes=100,
        max_event_bytes=64,
        resilience=Resilience(
            failover=Failover([Endpoint(base_url=f"{TWO}/v1")], after_unknown=True), limiter=Limiter(stalls_at=TWO)
        ),
    )
    made = call(deadline=Deadline.after(2.0, clock), alternatives=others()[:1])
    waiting = asyncio.ensure_future(exchange.send(made))
    await clock.run_for(2.0)
    with pytest.raises(DeadlineExceeded) as caught:
        await waiting
    assert caught.value.outcome is Outcome.UNKNOWN
    assert [(line.endpoint, line.http_status) for line in caught.value.attempts] == [(ONE, 500)]


@pytest.mark.requirement("RL-02")
async def test_what_never_left_costs_nothing(colour: str) -> None:
    """The limiter gets its tokens back."""
    limiter = Limiter()
    rig = Rig(colour, Answer.failing(httpx.ConnectError("")), limiter=limiter)
    with pytest.raises(HttpFailure):
        await rig.send(call())
    assert limiter.events[-1] == "abandon"


@pytest.mark.requirement("FO-01", "FO-02")
async def test_a_call_moves_to_the_next_endpoint_with_its_credential(colour: str) -> None:
    """The ledger names each endpoint, the head the one that served; hooks hear; cooled down, it is asked first."""
    moves: list[Any] = []

    class Hook:
        def on_failover(self, record: Any) -> None:
            moves.append((record.endpoint, record.next_endpoint, record.failure.reason, record.request_id))

    failover = Failover([Endpoint(base_url=f"{place}/v1") for place in (TWO, THREE)], cooldown=30.0, hooks=(Hook(),))
    rig = Rig(colour, Answer.failing(httpx.ConnectError("")), Answer(status=503), OK, OK, OK, failover=failover)
    made = call(headers={"authorization": ONE}, alternatives=others(), request_id="r-1")
    reply = await rig.send(made)
    assert [(line.number, line.endpoint, line.reason) for line in reply.head.attempts] == [
        (1, ONE, "connection_failed"),
        (2, TWO, "service_unavailable"),
        (3, THREE, None),
    ]
    assert reply.head.endpoint == THREE
    assert [request.headers["authorization"] for request in rig.upstream.requests] == [ONE, TWO, THREE]
    assert [request.url for request in rig.upstream.requests] == [f"{p}/v1/chat" for p in (ONE, TWO, THREE)]
    assert moves == [(ONE, TWO, "connection_failed", "r-1"), (TWO, THREE, "service_unavailable", "r-1")]
    assert (await rig.send(made)).head.endpoint == THREE
    rig.clock.advance(30.0) if colour == "async" else rig.clock.sleep(30.0)
    assert (await rig.send(made)).head.endpoint == ONE


@pytest.mark.requirement("FO-01")
async def test_what_may_have_been_processed_moves_only_with_consent(colour: str) -> None:
    """A 500 is not sent to another endpoint by itself; and a refused request never is."""
    endpoints = [Endpoint(base_url=f"{TWO}/v1")]
    for settings, replay_safe, status, sent in (
        ({}, True, 500, 1),
        ({"after_unknown": True}, True, 500, 2),
        ({"after_unknown": True}, False, 500, 1),
        ({"after_unknown": True}, True, 400, 1),
        ({}, True, 429, 1),
    ):
        rig = Rig(colour, Answer(status=status), OK, failover=Failover(endpoints, **settings))
        made = call(alternatives=others()[:1], replay_safe=replay_safe)
        if sent == 1:
            with pytest.raises(StatusFailure):
                await rig.send(made)
        else:
            assert (await rig.send(made)).head.endpoint == TWO
        assert len(rig.upstream.requests) == sent


@pytest.mark.requirement("FO-01", "REL-07")
async def test_failover_stands_inside_retry_and_outside_the_breaker(colour: str) -> None:
    """All endpoints are asked in one attempt, then comes the pause; an open circuit is passed over unasked."""
    failover = Failover([Endpoint(base_url=f"{TWO}/v1")], cooldown=0.0)
    rig = Rig(colour, Answer(status=503), Answer(status=503), OK, failover=failover)
    reply = await rig.send(call(retry=BILLING_SAFE, alternatives=others()[:1]))
    assert [(line.endpoint, line.delay) for line in reply.head.attempts] == [(ONE, 0.0), (TWO, 0.0), (ONE, 0.05)]
    breakers = Breakers(TRIP_AT_ONCE)
    rig = Rig(colour, Answer(status=503), OK, OK, failover=failover, breaker=breakers)
    for _ in range(2):
        assert (await rig.send(call(alternatives=others()[:1]))).head.endpoint == TWO
    assert [request.url for request in rig.upstream.requests] == [URL, f"{TWO}/v1/chat", f"{TWO}/v1/chat"]


@pytest.mark.requirement("FO-01")
async def test_when_all_endpoints_fail_the_last_one_speaks(colour: str) -> None:
    """With the whole ledger."""
    failover = Failover([Endpoint(base_url=f"{TWO}/v1")])
    rig = Rig(colour, Answer.failing(httpx.ConnectError("")), Answer(status=503), failover=failover)
    with pytest.raises(StatusFailure) as caught:
        await rig.send(call(alternatives=others()[:1]))
    assert [line.endpoint for line in caught.value.attempts] == [ONE, TWO]


@pytest.mark.requirement("FO-02", "HTU-07")
async def test_a_stream_that_has_begun_never_moves(colour: str) -> None:
    """Whatever breaks it."""
    failover = Failover([Endpoint(base_url=f"{TWO}/v1")], after_unknown=True)
    rig = Rig(colour, Answer.events(b"1", httpx.ReadError("x")), EVENTS, failover=failover)
    stream = await rig.open(call(alternatives=others()[:1]))
    with pytest.raises(HttpFailure):
        await rig.drain(stream)
    await rig.close(stream)
    assert len(rig.upstream.requests) == 1


@pytest.mark.requirement("REL-02")
async def test_a_call_may_leave_layers_out(colour: str) -> None:
    """Those that it does not name are not asked."""
    limiter, breakers = Limiter(refuses=True), Breakers(TRIP_AT_ONCE)
    circuit = breakers.circuit(ONE)
    circuit.settle_failure(circuit.admit(0.0), 0.0)
    failover = Failover([Endpoint(base_url=f"{TWO}/v1")])
    rig = Rig(colour, Answer(status=503), OK, Answer(status=503), breaker=breakers, limiter=limiter, failover=failover)
    await rig.send(call(layers=frozenset({Layer.RETRY}), retry=BILLING_SAFE, alternatives=others()))
    with pytest.raises(StatusFailure):
        await rig.send(call(layers=frozenset(), retry=BILLING_SAFE, alternatives=others()))
    assert ([request.url for request in rig.upstream.requests], limiter.events) == ([URL] * 3, [])


@pytest.mark.requirement("CB-06")
async def test_a_stream_that_its_deadline_ends_says_nothing_of_the_upstream() -> None:
    """Nor does one that was broken off; not even to who counts every failure."""
    clock, signals = FakeClock(), []

    class Hook:
        def on_outcome(self, record: Any) -> None:
            signals.append(record.signal.value)

    upstream = ScriptedUpstream(Answer.events(b"1", Stall()), clock=clock)
    exchange = AsyncExchange(
        build_async_transport(CONFIG, transport=upstream),
        clock=clock,
        rng=FixedRandom(0.5),
        max_response_bytes=100,
        max_event_bytes=64,
        resilience=Resilience(breaker=Breakers(BreakerPolicy(counts=lambda _: True), hooks=(Hook(),))),
    )
    stream = await exchange.open(call(deadline=Deadline.after(2.0, clock)))
    assert await stream.next_events()
    reading = asyncio.ensure_future(stream.next_events())
    await clock.run_for(2.0)
    with pytest.raises(DeadlineExceeded):
        await reading
    await stream.aclose()
    assert signals == ["abandoned"]


@pytest.mark.requirement("REL-03")
def test_layers_that_are_not_there_are_not_loaded() -> None:
    """An exchange without them makes its calls as if they did not exist."""
    script = (
        "import sys, http_util._async.exchange, http_util._sync.exchange; "
        "print(sorted(m for m in sys.modules if m.startswith('http_util.')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    for room in ("_async.layers", "_sync.layers", "breaker", "failover", "rate_limiter", "passage", "shared_limits"):
        assert f"http_util.{room}'" not in done.stdout


@pytest.mark.requirement("REL-03")
async def test_a_call_without_layers_takes_the_same_way_as_ever(colour: str) -> None:
    """No wrapper, no lock: the same calls of ours, counted."""
    counts = []
    for resilience in ({}, {"retry": BILLING_SAFE}):
        rig = Rig(colour, OK, OK, **resilience)
        await rig.send(call())
        names: list[str] = []
        sys.setprofile(lambda frame, event, _arg, names=names: event == "call" and names.append(_name(frame)))
        try:
            await rig.send(call())
        finally:
            sys.setprofile(None)
        counts.append(sorted(name for name in names if name.startswith("http_util")))
    assert counts[0] == counts[1]
    assert not any("layers" in name or "passage" in name or "breaker" in name for name in counts[0])


def _name(frame: Any) -> str:
    """Module and function of a frame."""
    return f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_qualname}"
