import asyncio

import pytest

from adapter_host.waiting import until_set, within
from http_util.testing import FakeClock


async def test_work_that_is_quick_enough_gives_its_result():
    """The timer is gone afterwards."""

    async def work() -> str:
        return "done"

    clock = FakeClock()
    assert await within(clock, 1.0, work()) == "done"
    assert clock.next_due() is None


async def test_work_that_takes_too_long_is_cancelled():
    """The caller gets a TimeoutError and the work a CancelledError."""
    clock, seen = FakeClock(), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    waiting = asyncio.create_task(within(clock, 5.0, work()))
    await clock.run_for(4.9)
    assert not waiting.done()
    await clock.run_for(0.1)
    with pytest.raises(TimeoutError):
        await waiting
    assert seen == ["cancelled"]


async def test_cancelling_the_caller_cancels_the_work_and_is_no_timeout():
    """Cancellation passes through as itself."""
    clock = FakeClock()
    waiting = asyncio.create_task(within(clock, 5.0, asyncio.Event().wait()))
    await clock.settle()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_until_set_tells_whether_it_was_set():
    """At once when it is set, or when there is no time; else when the time is up or the event comes."""
    clock, event = FakeClock(), asyncio.Event()
    assert await until_set(clock, event, 0.0) is False
    late = asyncio.create_task(until_set(clock, event, 2.0))
    await clock.run_for(2.0)
    assert await late is False
    soon = asyncio.create_task(until_set(clock, event, 2.0))
    await clock.settle()
    event.set()
    assert await soon is True
    assert await until_set(clock, event, 0.0) is True
