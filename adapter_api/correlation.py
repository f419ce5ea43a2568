"""
The id that follows a task through every floor.

A host sets it around `submit`; an adapter reads it, sends it upstream as `X-Correlation-Id` and puts it into its
records.

Spec: AH-1003
"""

from __future__ import annotations

from contextvars import ContextVar
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
    # A host sets the id, so most programs never need the module.
    from uuid import uuid4

    return str(uuid4())
