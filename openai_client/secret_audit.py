"""
An audit trail of credentials being read: who, where, how often, never what.

A separate object that the caller makes, shares and reads; nothing is kept anywhere else and nothing is persisted.

Spec: SEC-06
"""

from __future__ import annotations

import hashlib
import secrets as _random
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from types import FrameType

    from http_util.secret import Secret

_CAPACITY: Final = 1000
_ID_HEX_DIGITS: Final = 12
_OURS: Final = ("openai_client", "http_util")


class SecretReading(msgspec.Struct, frozen=True):
    """One reading of a credential."""

    number: int
    """1 for the first reading that the trail saw."""
    secret_id: str
    """The same for the same credential within one trail, and useless outside it."""
    file: str
    """The file of the caller, outside of this library where there is one."""
    line: int
    function: str


class SecretAudit:
    """
    Records readings in the order they happened; the oldest are dropped when it is full. Safe for threads.

    Example:
        >>> from http_util.secret import Secret
        >>> audit = SecretAudit(capacity=2)
        >>> audit.record(Secret("sk-example-0000000000"))
        >>> audit.count, audit.readings[0].number
        (1, 1)

    Spec: SEC-06
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        """
        Start an empty trail.

        Args:
            capacity: How many readings are kept, 1 or more.

        Raises:
            ValueError: *capacity* is below 1.
        """
        if capacity < 1:
            raise ValueError(f"capacity must be 1 or more, not {capacity!r}")
        self._readings: deque[SecretReading] = deque(maxlen=capacity)
        self._key = _random.token_bytes(32)
        self._lock = threading.Lock()
        self._count = 0

    @property
    def count(self) -> int:
        """How many readings there were, dropped ones included."""
        return self._count

    @property
    def readings(self) -> tuple[SecretReading, ...]:
        """The readings that are kept, oldest first."""
        with self._lock:
            return tuple(self._readings)

    def record(self, secret: Secret) -> None:
        """Note that *secret* is being read, and from where."""
        digest = hashlib.blake2b(secret.reveal().encode(), key=self._key).hexdigest()
        # the stack is the point of an audit trail; only names and lines are taken from it, no locals
        frame = _caller(sys._getframe(1))  # noqa: SLF001
        with self._lock:
            self._count += 1
            self._readings.append(
                SecretReading(
                    self._count,
                    digest[:_ID_HEX_DIGITS],
                    frame.f_code.co_filename,
                    frame.f_lineno,
                    frame.f_code.co_name,
                )
            )


def _caller(frame: FrameType) -> FrameType:
    """Return the nearest frame outside of this library, or the outermost one."""
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        frame = frame.f_back
    return frame
