"""How a test waits for what another task or process does, and what its loop has to do."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MIB: Final = 1024 * 1024


def tasks() -> int:
    """Return how many tasks the running loop has, the test's own included."""
    return len(asyncio.all_tasks())


async def until(condition: Callable[[], bool], seconds: float = 2.0) -> None:
    """Wait until *condition* holds, which another task or process brings about; raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def told(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait as `until` does for a *condition* that asks a server, outside of the loop."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


async def turns(count: int) -> None:
    """Let the loop turn *count* times."""
    for _ in range(count):
        await asyncio.sleep(0)


class Watch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it is ago."""
        return time.monotonic() - self._started
