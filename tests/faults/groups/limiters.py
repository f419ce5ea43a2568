"""A limiter around every attempt: what it refuses, whom it lets wait, and what comes back to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from adapter_api import ErrorKind
from http_util.rate_limit import RateLimits
from http_util.resilience import Resilience
from tests.faults.case import (
    CANCELLED,
    INVALID,
    LATER,
    NEVER,
    NOT_SENT,
    RAISED,
    REJECT,
    Case,
    Failure,
)
from tests.faults.groups import connect
from tests.faults.groups.beforehand import reasons
from tests.faults.permits import RememberingLimiter
from tests.faults.run import read_to_the_end
from tests.faults.upstreams import Nowhere, Place, simulated

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.case import Consumer
    from tests.faults.run import Run

LIMITED: Final = Failure(REJECT, "rate_limited", NOT_SENT, LATER)
FULL: Final = Failure(ErrorKind.QUEUE_FULL_DROP_LRU, "queue_full", NOT_SENT, LATER)
TOO_LARGE: Final = Failure(INVALID, "token_limit", NOT_SENT, NEVER)
UNSENT: Final = Failure(None, "cancelled", NOT_SENT, NEVER)
WHOLE: Final = "started token*8 end"


def limiting(limits: RateLimits, **how: Any) -> Callable[[Place], Resilience]:
    """Return what makes a limiter."""
    return lambda _place: Resilience(limiter=RememberingLimiter(limits, **how))


def limited(
    name: str, resilience: Any, consumer: Consumer, sequence: str, failure: Failure | None = None, **more: Any
) -> Case:
    """A case with a limiter."""
    upstream = more.pop("upstream", simulated())
    return Case(
        name=name,
        group="limiter",
        upstream=upstream,
        sequence=sequence,
        failure=failure,
        consumer=consumer,
        resilience=resilience,
        **more,
    )


async def behind_two(run: Run) -> None:
    """Two tasks run; the row is about the third one."""
    assert await reasons(run, 2) == {"end": 2}
    run.watch.restart()
    await read_to_the_end(run)


async def behind_two_at_once(run: Run) -> None:
    """Two tasks come just before; the row is about the third one."""
    others = [asyncio.ensure_future(_collect(run, number)) for number in range(2)]
    await asyncio.sleep(0)
    await read_to_the_end(run)
    await asyncio.gather(*others)


async def _collect(run: Run, number: int) -> None:
    await (await run.adapter.submit(run.task(f"other-{number}"))).collect()


async def queue_of_one(run: Run) -> None:
    """One runs, one waits, and the queue is full; the row is about the third one."""
    others = [asyncio.ensure_future(_collect(run, number)) for number in range(2)]
    await asyncio.sleep(0.01)
    run.watch.restart()
    await read_to_the_end(run)
    run.watch.stop()
    await asyncio.gather(*others)


def cancelled_in_line(way: str) -> Consumer:
    """Return the consumer whose task is cancelled while it waits for its turn; who waits behind it gets the turn."""

    async def consume(run: Run) -> None:
        first = asyncio.ensure_future(_collect(run, 0))
        await asyncio.sleep(0)
        waiting = asyncio.ensure_future(read_to_the_end(run))
        await asyncio.sleep(0.02)
        last = asyncio.ensure_future(_collect(run, 2))
        await asyncio.sleep(0.02)
        run.watch.restart()
        if way == "id":
            await run.adapter.cancel("t-1")
        else:
            waiting.cancel()
        await run.outcome_of(waiting)
        run.watch.stop()
        await asyncio.gather(first, last)

    return consume


TWO_A_MINUTE: Final = RateLimits(requests_per_minute=2)
TEN_A_SECOND: Final = RateLimits(requests_per_second=10.0, burst_size=1)
FIVE_A_SECOND: Final = RateLimits(requests_per_second=5.0, burst_size=1)

LIMITER: Final = (
    limited("refuses", limiting(TWO_A_MINUTE), behind_two, RAISED, LIMITED, posts=2, attempts=0, within=0.05),
    limited(
        "lets-wait",
        limiting(TEN_A_SECOND, queue_requests=True),
        behind_two_at_once,
        WHOLE,
        posts=3,
        attempts=1,
        after=0.19,
        within=0.25,
    ),
    limited(
        "queue-full",
        limiting(FIVE_A_SECOND, queue_requests=True, max_queue_size=1),
        queue_of_one,
        RAISED,
        FULL,
        posts=2,
        attempts=0,
        within=0.05,
    ),
    limited(
        "larger-than-the-budget",
        limiting(RateLimits(tokens_per_minute=5), queue_requests=True),
        read_to_the_end,
        RAISED,
        TOO_LARGE,
        posts=0,
        attempts=0,
        within=0.05,
    ),
    limited(
        "tokens-are-corrected", limiting(RateLimits(tokens_per_minute=110)), behind_two, WHOLE, posts=3, attempts=1
    ),
    limited(
        "tokens-run-out", limiting(RateLimits(tokens_per_minute=70)), behind_two, RAISED, LIMITED, posts=2, attempts=0
    ),
    limited(
        "wait-in-vain",
        limiting(RateLimits(requests_per_minute=2), queue_requests=True),
        behind_two,
        RAISED,
        LIMITED,
        posts=2,
        attempts=0,
        within=0.05,
    ),
    limited(
        "deadline-before-its-turn",
        limiting(FIVE_A_SECOND, queue_requests=True),
        queue_of_one,
        RAISED,
        LIMITED,
        posts=2,
        attempts=0,
        task={"deadline_ms": 350},
        within=0.05,
    ),
    limited(
        "cancelled-in-line",
        limiting(FIVE_A_SECOND, queue_requests=True),
        cancelled_in_line("id"),
        RAISED,
        UNSENT,
        posts=2,
        attempts=0,
        within=0.05,
    ),
    limited(
        "task-cancelled-in-line",
        limiting(FIVE_A_SECOND, queue_requests=True),
        cancelled_in_line("task"),
        CANCELLED,
        posts=2,
        within=0.05,
    ),
    limited(
        "no-connection-gives-back",
        limiting(TWO_A_MINUTE),
        read_to_the_end,
        RAISED,
        connect.NO_CONNECTION,
        upstream=Nowhere(),
        posts=0,
        attempts=4,
    ),
)


CASES: Final = LIMITER
