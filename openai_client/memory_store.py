"""
A store of answers in the memory of this process: bounded in number and bytes, the one used longest ago goes first.

Spec: CCH-01, REL-08
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from http_util.clock import SystemSyncClock

if TYPE_CHECKING:
    from http_util.clock import Clock, SyncClock

MAX_ENTRIES: Final = 1024
"""Answers kept, if not told otherwise."""

MAX_BYTES: Final = 64 * 1024 * 1024
"""Bytes of answers kept, if not told otherwise."""


class MemoryStore:
    """
    Answers by key, each for a time. Safe for threads; also the store of an asynchronous client, because nothing waits.

    Example:
        >>> from http_util.testing import FakeSyncClock
        >>> clock = FakeSyncClock()
        >>> store = MemoryStore(max_entries=2, clock=clock)
        >>> store.set("a", b"1", ttl=10.0)
        >>> store.get("a"), clock.sleep(10.0), store.get("a")
        (b'1', None, None)

    Spec: CCH-01
    """

    def __init__(
        self,
        *,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
        clock: Clock | SyncClock | None = None,
    ) -> None:
        """
        Begin empty.

        Args:
            max_entries: Answers kept, at least 1.
            max_bytes: Bytes of answers kept, at least 1; a larger answer is not kept at all.
            clock: Tells how old an answer is; by default the system's.

        Raises:
            ValueError: An argument is out of its range.
        """
        if max_entries < 1:
            raise ValueError(f"max_entries must be 1 or more answers, not {max_entries!r}")
        if max_bytes < 1:
            raise ValueError(f"max_bytes must be 1 or more bytes, not {max_bytes!r}")
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock or SystemSyncClock()
        # key -> (answer, moment at which it is too old); the one used last stands last
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """Return the answer under *key*, None when there is none or it is too old."""
        now = self._clock.monotonic()
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            value, until = entry
            if now >= until:
                self._drop(key)
                return None
            self._entries.move_to_end(key)
            return value

    def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep *value* under *key* for *ttl* seconds, in place of what was there."""
        until = self._clock.monotonic() + ttl
        with self._lock:
            self._drop(key)
            if len(value) > self._max_bytes or not ttl > 0:
                return
            self._entries[key] = value, until
            self._size += len(value)
            while len(self._entries) > self._max_entries or self._size > self._max_bytes:
                self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._entries.clear()
            self._size = 0

    def __len__(self) -> int:
        """Return the number of answers kept, those included that are too old and were not asked for."""
        return len(self._entries)

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= len(entry[0])

    def __repr__(self) -> str:
        """Show how full it is, and no key."""
        return f"MemoryStore({len(self._entries)} answers, {self._size} bytes)"
