"""
A bell: wakes one task, from any thread.

Spec: RL-03, REL-04
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress


class Bell:
    """Belongs to one task. A ring while nobody waits is not lost: the next wait ends at once."""

    __slots__ = ("_event", "_loop", "_thread")

    def __init__(self) -> None:
        """Belong to the task that runs now."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the task."""
        if threading.get_ident() == self._thread:
            self._event.set()
            return
        # a loop that is closed has no task left to wake
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._event.set)

    def silence(self) -> None:
        """Forget that it was rung."""
        self._event.clear()

    async def rung(self) -> None:
        """Wait until it is rung."""
        await self._event.wait()
