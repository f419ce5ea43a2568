"""Waiting with a bound, on a clock that tests can hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from http_util.clock import Clock

T = TypeVar("T")


async def within(clock: Clock, seconds: float, work: Coroutine[object, object, T]) -> T:
    """
    What *work* gives, if it does so in time; otherwise it is cancelled.

    Args:
        clock: Measures the time.
        seconds: Most time for *work*.
        work: Runs as a task; cancelling the caller cancels it too.

    Raises:
        TimeoutError: The time was up.
    """
    task = asyncio.ensure_future(work)
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = not task.done()
        task.cancel()

    timer = clock.call_at(clock.monotonic() + seconds, expire)
    try:
        return await task
    except asyncio.CancelledError:
        caller = asyncio.current_task()
        if expired and not (caller and caller.cancelling()):
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()


async def until_set(clock: Clock, event: asyncio.Event, seconds: float) -> bool:
    """Wait for *event*, at most *seconds*; tell whether it was set."""
    if event.is_set() or seconds <= 0:
        return event.is_set()
    try:
        await within(clock, seconds, event.wait())
    except TimeoutError:
        return event.is_set()
    return True
