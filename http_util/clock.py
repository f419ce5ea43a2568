"""
Clocks: where the time comes from and who may sleep.

Everything that waits takes a clock, so that tests hand in `http_util.testing.FakeClock` and never sleep. These two
classes are the only place that touches `time` and the event loop's timers.

Spec: HTU-04, REL-08
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class TimerHandle(Protocol):
    """A callback that was asked for and has not run yet."""

    def cancel(self) -> None:
        """Make sure that the callback does not run any more; harmless when it already ran."""


class Clock(Protocol):
    """Time, sleep and timers of an event loop."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment; never goes back."""

    def time(self) -> float:
        """Return seconds since the epoch, UTC; may jump."""

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds*; zero or less gives other tasks one turn."""

    def call_at(self, when: float, callback: Callable[[], object]) -> TimerHandle:
        """Run *callback* in the event loop at the monotonic moment *when*, at once when it has passed."""


class SyncClock(Protocol):
    """Time and sleep of a thread."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment; never goes back."""

    def time(self) -> float:
        """Return seconds since the epoch, UTC; may jump."""

    def sleep(self, seconds: float) -> None:
        """Block the thread for *seconds*; zero or less returns at once."""


class SystemClock:
    """The real clock for asyncio code. Needs a running event loop for `sleep` and `call_at`."""

    __slots__ = ()

    def monotonic(self) -> float:
        """Return the operating system's monotonic time in seconds."""
        return time.monotonic()

    def time(self) -> float:
        """Return the operating system's wall-clock time in seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds* in the event loop."""
        await asyncio.sleep(seconds)

    def call_at(self, when: float, callback: Callable[[], object]) -> TimerHandle:
        """Run *callback* at the monotonic moment *when*; the loop's own clock may have another zero."""
        return asyncio.get_running_loop().call_later(max(0.0, when - time.monotonic()), callback)


class SystemSyncClock:
    """The real clock for threads."""

    __slots__ = ()

    def monotonic(self) -> float:
        """Return the operating system's monotonic time in seconds."""
        return time.monotonic()

    def time(self) -> float:
        """Return the operating system's wall-clock time in seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Block the thread for *seconds*."""
        time.sleep(max(0.0, seconds))
