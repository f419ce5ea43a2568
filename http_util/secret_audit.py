"""
An audit trail of credentials being read: which, where, for whom, how often; never what.

A separate object that its owner makes, shares and reads. A secret that carries it (`Secret.audited`) tells it of every
reading, wherever the secret goes: so one trail serves an adapter, a client and a host at once, and a secret without one
costs nothing. Nothing is kept anywhere else, and nothing is written to a disk.

Spec: SEC-06
"""

from __future__ import annotations

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
_KEY_BYTES: Final = 32
_SECRETS_OWN_MODULE: Final = "http_util.secret"
_OURS: Final = frozenset({"adapter_api", "adapter_host", "http_util", "openai_client", "providers", "worker_adapters"})


class SecretReading(msgspec.Struct, frozen=True):
    """One reading of a credential. Holds names and numbers, and nothing of the frames that they were taken from."""

    number: int
    """1 for the first reading that the trail saw, of whichever secret."""
    secret_id: str
    """The same for the same credential within one trail, and useless outside it."""
    file: str
    """Where `reveal` was called."""
    line: int
    function: str
    caller: str
    """For whom: the nearest place outside of this library, as `file:line function`."""


class SecretAudit:
    """
    Records readings in the order they happened; the oldest are dropped when it is full. Safe for threads.

    Example:
        >>> from http_util.secret import Secret
        >>> audit = SecretAudit(capacity=2)
        >>> key = Secret("sk-example-0000000000").audited(audit)
        >>> _ = key.reveal()
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
        self._key = _random.token_bytes(_KEY_BYTES)
        self._lock = threading.Lock()
        self._count = 0

    def __repr__(self) -> str:
        """Return how often secrets were read."""
        return f"SecretAudit(<{self._count} readings>)"

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
        """Note that *secret* is being read, and from where; `Secret.reveal` calls this."""
        # the stack is the point of an audit trail; only names and lines are taken from it, no locals
        site = _reader(sys._getframe(1))  # noqa: SLF001
        asker = _outside(site)
        secret_id = secret.fingerprint(self._key)
        caller = f"{asker.f_code.co_filename}:{asker.f_lineno} {asker.f_code.co_name}"
        with self._lock:
            self._count += 1
            self._readings.append(
                SecretReading(
                    self._count, secret_id, site.f_code.co_filename, site.f_lineno, site.f_code.co_name, caller
                )
            )


def _reader(frame: FrameType) -> FrameType:
    """Return the frame that called a method of the secret: the nearest one that is not the secret's own."""
    while frame.f_back is not None and frame.f_globals.get("__name__") == _SECRETS_OWN_MODULE:
        frame = frame.f_back
    return frame


def _outside(frame: FrameType) -> FrameType:
    """Return the nearest frame outside of this library, or the outermost one."""
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        frame = frame.f_back
    return frame
