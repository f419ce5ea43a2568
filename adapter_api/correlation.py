"""
The id that follows a task through every floor.

A host sets it around `submit`; an adapter reads it, sends it upstream as `X-Correlation-Id` and puts it into its
records.

Spec: AH-1003
"""

from __future__ import annotations

from contextvars import ContextVar
from os import urandom
from typing import Final

from adapter_api.errors import InvalidTask

CORRELATION_HEADER: Final = "X-Correlation-Id"

_LONGEST: Final = 128

correlation_id: Final[ContextVar[str | None]] = ContextVar("correlation_id", default=None)
"""The id of the task that the current context works for; None outside of one."""


def current_correlation_id() -> str:
    """
    The id of the current context, or a new UUIDv4 when there is none.

    Raises:
        InvalidTask: The id cannot stand in a header: it is not 1 to 128 printable ASCII characters.
    """
    given: object = correlation_id.get()
    if given is not None and given != "":
        if not isinstance(given, str) or not given.isascii() or not given.isprintable() or len(given) > _LONGEST:
            raise InvalidTask("correlation_id", f"expected 1 to {_LONGEST} printable ASCII characters")
        return given
    return _new_id()


def _new_id() -> str:
    """A UUIDv4 (RFC 9562), as `uuid.uuid4` makes it at several times the cost; every task without a host needs one."""
    drawn = bytearray(urandom(16))
    drawn[6] = drawn[6] & 0x0F | 0x40
    drawn[8] = drawn[8] & 0x3F | 0x80
    digits = drawn.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
