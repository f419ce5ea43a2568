"""The real clocks: the only place that asks the machine for the time."""

from __future__ import annotations

import asyncio
import time

import pytest

from http_util.clock import SystemClock, SystemSyncClock


@pytest.mark.requirement("HTU-04")
async def test_the_system_clock_sleeps_and_rings() -> None:
    """A sleep of nothing returns, a timer rings at its moment, a cancelled one does not."""
    clock = SystemClock()
    rung: list[str] = []
    clock.call_at(clock.monotonic() + 60, lambda: rung.append("cancelled")).cancel()
    done = asyncio.Event()
    clock.call_at(clock.monotonic() - 1, done.set)
    await clock.sleep(0)
    async with asyncio.timeout(5):
        await done.wait()
    assert rung == []


def test_both_clocks_tell_the_machines_time() -> None:
    """Monotonic and wall-clock time are the operating system's."""
    for clock in (SystemClock(), SystemSyncClock()):
        assert clock.monotonic() == pytest.approx(time.monotonic(), abs=5)
        assert clock.time() > 1_700_000_000


def test_a_blocking_sleep_of_less_than_nothing_returns() -> None:
    """A pause computed from two moments may be negative."""
    began = time.monotonic()
    SystemSyncClock().sleep(-3600.0)
    assert time.monotonic() - began < 60
