"""
Request bodies that are read while they are sent, and so are never held whole.

A body says where its pieces come from, how many bytes they have, if that is known, and whether they can be had once
more: a retry of a call, and another connection for it, need them from the beginning.

Spec: HTU-19
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from adapter_api.outcome import Outcome
from http_util.errors import PolicyFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEP_BYTES: Final = 64 * 1024
"""Bytes between two reports of progress, and the most that are handed to a transport at once."""


class StreamedBody:
    """
    A body for one call, with any number of attempts.

    Spec: HTU-19
    """

    __slots__ = ("_lock", "_pieces", "_was_begun", "can_rewind", "length", "on_progress")

    def __init__(
        self,
        pieces: Callable[[], Iterator[bytes]],
        *,
        length: int | None,
        can_rewind: bool,
        on_progress: Callable[[int, int | None], object] | None = None,
    ) -> None:
        """
        Describe a body; nothing is read.

        Args:
            pieces: Returns the pieces from the first one on. What it reads blocks the thread that draws from it; one
                thread at a time does. An event loop draws in a thread beside it. A generator is closed after use.
            length: Bytes in all; None when nobody knows, and then the body is sent until it ends.
            can_rewind: Whether *pieces* may be called again. If not, a call is not repeated once its body was begun.
            on_progress: Told after every `STEP_BYTES` or so, and at the end, how many bytes of the body a transport has
                taken, and *length*. An attempt more begins at zero again. It is called on the event loop or, for
                blocking code, in the thread that draws, which may be another one than the caller's. What it raises ends
                the call.
        """
        self.length = length
        """Bytes in all; None when nobody knows."""
        self.can_rewind = can_rewind
        """Whether it can be sent more than once."""
        self.on_progress = on_progress
        """Told how far an attempt has come."""
        self._pieces = pieces
        self._was_begun = False
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """How long it is; nothing of what it holds."""
        return f"StreamedBody(length={self.length}, can_rewind={self.can_rewind})"

    @property
    def can_begin(self) -> bool:
        """Whether it can be sent now: it can be rewound, or nothing was drawn from it yet."""
        return self.can_rewind or not self._was_begun

    def begin(self) -> Iterator[bytes]:
        """
        Return the pieces from the first one on.

        Raises:
            PolicyFailure: They were drawn before and cannot be had again.
        """
        with self._lock:
            if not self.can_begin:
                raise PolicyFailure(
                    "the body was read once and cannot be read again; give a path, bytes or a seekable file",
                    reason="serialization",
                    outcome=Outcome.NOT_SENT,
                )
            self._was_begun = True
        return self._pieces()


class Progress:
    """Reports how far a transfer has come: at most once every `STEP_BYTES`, and once at the end."""

    __slots__ = ("_callback", "_said", "_total", "count")

    def __init__(self, callback: Callable[[int, int | None], object] | None, total: int | None) -> None:
        """Report to *callback*, if there is one, out of *total* bytes."""
        self.count = 0
        """Bytes so far."""
        self._callback = callback
        self._total = total
        self._said = -1

    def add(self, size: int) -> None:
        """Note *size* bytes more; raises what the callback raises."""
        self.count += size
        if self._callback is not None and self.count - max(self._said, 0) >= STEP_BYTES:
            self._say()

    def end(self) -> None:
        """Note that nothing follows; raises what the callback raises."""
        if self._callback is not None and self._said != self.count:
            self._say()

    def _say(self) -> None:
        self._said = self.count
        if self._callback is not None:
            self._callback(self.count, self._total)
