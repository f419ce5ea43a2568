"""A bell wakes its task, from wherever it is rung."""

from __future__ import annotations

import asyncio
import threading

import pytest

from http_util.rate_bell import Bell
from http_util.testing import FakeClock


@pytest.mark.requirement("RL-03")
async def test_a_bell_wakes_who_waits() -> None:
    """And nobody before it is rung."""
    bell = Bell()
    waiter = asyncio.ensure_future(bell.rung())
    await FakeClock().settle()
    assert not waiter.done()
    bell.ring()
    await asyncio.wait_for(waiter, 1.0)


@pytest.mark.requirement("RL-03")
async def test_a_ring_is_not_lost_until_it_is_silenced() -> None:
    """Rung before the wait, the wait ends at once; silenced, it does not."""
    bell = Bell()
    bell.ring()
    await asyncio.wait_for(bell.rung(), 1.0)
    bell.silence()
    waiter = asyncio.ensure_future(bell.rung())
    await FakeClock().settle()
    assert not waiter.done()
    waiter.cancel()


@pytest.mark.requirement("REL-04")
async def test_another_thread_may_ring() -> None:
    """The event loop wakes for it."""
    bell = Bell()
    waiter = asyncio.ensure_future(bell.rung())
    thread = threading.Thread(target=bell.ring)
    thread.start()
    await asyncio.wait_for(waiter, 30.0)
    thread.join()


@pytest.mark.requirement("REL-04")
def test_a_bell_whose_loop_is_gone_rings_for_nobody() -> None:
    """And harms nobody."""

    async def made() -> Bell:
        return Bell()

    bell = asyncio.run(made())
    thread_errors: list[BaseException] = []

    def ring() -> None:
        try:
            bell.ring()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the test's failure
            thread_errors.append(error)

    thread = threading.Thread(target=ring)
    thread.start()
    thread.join()
    assert thread_errors == []
