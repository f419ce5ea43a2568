"""A breaker around every attempt: what opens it, what closes it, and what does not count."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from adapter_api import TokenStream
from http_util.breaker import BreakerPolicy
from http_util.breaker_states import State
from http_util.resilience import Resilience
from tests.faults.case import (
    BOTH,
    LATER,
    NOT_SENT,
    RAISED,
    REJECTED,
    UNAVAILABLE,
    UNKNOWN,
    Case,
    Failure,
)
from tests.faults.footprint import told
from tests.faults.groups.beforehand import reasons
from tests.faults.permits import RememberingBreakers
from tests.faults.run import read_to_the_end
from tests.faults.upstreams import Place, simulated

if TYPE_CHECKING:
    from tests.faults.case import Consumer
    from tests.faults.run import Run

OPEN: Final = Failure(UNAVAILABLE, "circuit_open", NOT_SENT, LATER)
SERVER: Final = Failure(UNAVAILABLE, "server_error", UNKNOWN, LATER)
BUSY: Final = Failure(UNAVAILABLE, "overloaded", REJECTED, LATER)
WHOLE: Final = "started token*8 end"

RECOVERY: Final = 0.15
"""Seconds for which a breaker stays open."""


def _breaker(_place: Place) -> Resilience:
    policy = BreakerPolicy(failure_threshold=3, recovery_timeout=RECOVERY, success_threshold=1)
    return Resilience(breaker=RememberingBreakers(policy))


def state(run: Run) -> State:
    """The state of the only circuit."""
    assert run.resilience.breaker is not None
    (circuit,) = run.resilience.breaker.circuits.values()
    return circuit.state_at(asyncio.get_running_loop().time())


def after_failures(reason: str, count: int = 3, *, then: Consumer = read_to_the_end, becomes: State) -> Consumer:
    """Return the consumer that sees *count* tasks fail, looks at the breaker, and then does what the row is about."""

    async def consume(run: Run) -> None:
        assert await reasons(run, count) == {reason: count}
        assert state(run) is becomes
        run.watch.restart()
        await then(run)
        run.watch.stop()

    return consume


async def recovered(run: Run) -> None:
    """Wait until a probe may pass, and send it."""
    await asyncio.sleep(RECOVERY)
    await read_to_the_end(run)


async def closes_again(run: Run) -> None:
    """The probe succeeds, and everything passes again."""
    await recovered(run)
    assert state(run) is State.CLOSED
    assert await reasons(run, 2, "after") == {"end": 2}


async def opens_again(run: Run) -> None:
    """The probe fails, and nothing passes."""
    await recovered(run)
    assert state(run) is State.OPEN
    assert await reasons(run, 2, "after") == {"circuit_open": 2}


async def fifty_at_once(run: Run) -> None:
    """Of fifty that come when a probe may pass, one passes; the row is about it."""
    await asyncio.sleep(RECOVERY)
    others = [asyncio.ensure_future(run.adapter.submit(run.task(f"other-{number}"))) for number in range(49)]
    probe = asyncio.ensure_future(run.submit())
    # tasks of asyncio start in the order in which they were made
    served, *refused = await asyncio.gather(*others, probe, return_exceptions=True)
    assert [getattr(error, "reason", error) for error in refused[:-1]] == ["circuit_open"] * 48
    assert run.error is not None
    assert run.error.reason == "circuit_open"
    run.error = None
    assert isinstance(served, TokenStream)
    await run.read(served)


async def cancelled_probe(run: Run) -> None:
    """A probe that is cancelled, and one that is left, wedge nothing: the next one passes."""
    await asyncio.sleep(RECOVERY)
    waiting = asyncio.ensure_future(run.adapter.submit(run.task("probe-1")))
    before = run.place.posts()
    await told(lambda: run.place.posts() > before, lambda: "the probe does not come")
    waiting.cancel()
    await asyncio.wait({waiting})
    left = await run.adapter.submit(run.task("probe-2"))
    await left.aclose()
    assert state(run) is State.HALF_OPEN
    await read_to_the_end(run)
    assert state(run) is State.CLOSED


async def still_closed(run: Run) -> None:
    """Everything passes still."""
    await run.read(await run.submit(run.task(deadline_ms=5_000)))
    assert state(run) is State.CLOSED


async def running_streams(run: Run) -> None:
    """Streams that run count for nothing until they end; then they are failures."""
    streams = [await run.adapter.submit(run.task(f"running-{number}")) for number in range(3)]
    assert state(run) is State.CLOSED
    for stream in streams:
        assert [event async for event in stream][-1].kind == "error"
    assert state(run) is State.OPEN
    run.watch.restart()
    await read_to_the_end(run)


def breaker(name: str, wishes: tuple[Any, ...], consumer: Consumer, failure: Failure | None, **more: Any) -> Case:
    """A case with a breaker that opens after three failures, and without a retry policy."""
    given = {"sequence": WHOLE if failure is None else RAISED, "resilience": _breaker, **more}
    settings = {"retry": None, **more.pop("settings", {})}
    given = {**given, "settings": settings}
    return Case(name=name, group="breaker", upstream=simulated(*wishes), consumer=consumer, failure=failure, **given)


THREE_500: Final = ({"status": 500, "times": 3},)

BREAKER: Final = (
    breaker(
        "opens", THREE_500, after_failures("server_error", becomes=State.OPEN), OPEN, posts=3, attempts=0, within=0.05
    ),
    breaker(
        "closes-again",
        THREE_500,
        after_failures("server_error", becomes=State.OPEN, then=closes_again),
        None,
        posts=6,
        attempts=1,
        after=RECOVERY,
    ),
    breaker(
        "opens-again",
        ({"status": 500, "times": 4},),
        after_failures("server_error", becomes=State.OPEN, then=opens_again),
        SERVER,
        posts=4,
        attempts=1,
        after=RECOVERY,
    ),
    breaker(
        "one-probe-of-fifty",
        THREE_500,
        after_failures("server_error", becomes=State.OPEN, then=fifty_at_once),
        None,
        posts=4,
        attempts=1,
        after=RECOVERY,
    ),
    breaker(
        "cancelled-probe",
        (*THREE_500, {"stall": 30}),
        after_failures("server_error", becomes=State.OPEN, then=cancelled_probe),
        None,
        posts=6,
        attempts=1,
        after=RECOVERY,
    ),
    breaker(
        "counts-broken-streams",
        ({"cut_after_tokens": 2, "times": 3},),
        after_failures("reset", becomes=State.OPEN),
        OPEN,
        posts=3,
        attempts=0,
        within=0.05,
        protocols=BOTH,
    ),
    breaker(
        "counts-truncated-streams",
        ({"omit": ["done", "finish"], "times": 3},),
        after_failures("truncated", becomes=State.OPEN),
        OPEN,
        posts=3,
        attempts=0,
        within=0.05,
    ),
    breaker(
        "counts-errors-in-a-200",
        ({"stream_error": "string", "times": 3},),
        after_failures("server_error", becomes=State.OPEN),
        OPEN,
        posts=3,
        attempts=0,
        within=0.05,
    ),
    breaker(
        "counts-streams-at-their-end",
        ({"cut_after_tokens": 4, "tokens_per_second": 100, "times": 3},),
        running_streams,
        OPEN,
        posts=3,
        attempts=0,
        within=0.05,
    ),
    breaker(
        "counts-silence",
        ({"stall": 30, "times": 3},),
        after_failures("first_byte_timeout", becomes=State.OPEN),
        OPEN,
        settings={"first_byte_timeout": 0.05},
        posts=3,
        attempts=0,
        within=0.05,
    ),
    breaker(
        "counts-no-refusal",
        ({"status": 400, "times": 5},),
        after_failures("malformed_request", 5, becomes=State.CLOSED, then=still_closed),
        None,
        posts=6,
        attempts=1,
    ),
    breaker(
        "counts-no-rate-limit",
        ({"status": 429, "times": 5},),
        after_failures("rate_limited", 5, becomes=State.CLOSED, then=still_closed),
        None,
        posts=6,
        attempts=1,
    ),
    breaker(
        "counts-no-deadline",
        ({"stall": 30, "times": 3},),
        after_failures("deadline", becomes=State.CLOSED, then=still_closed),
        None,
        task={"deadline_ms": 200},
        posts=4,
        attempts=1,
    ),
    Case(
        name="stops-the-retries",
        group="breaker",
        upstream=simulated(always="status=529"),
        sequence=RAISED,
        failure=BUSY,
        resilience=_breaker,
        posts=3,
    ),
)


CASES: Final = BREAKER
