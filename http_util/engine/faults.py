"""
How one answer may fail, told by the state machines to whoever reads the answer. Pure.

Spec: ERR-09
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FaultKind(Enum):
    """What a fault says about the request."""

    UNPROCESSED = "unprocessed"
    """The upstream refused the stream, or went away below its id: it guarantees that nothing was processed."""
    RESET = "reset"
    """The upstream reset the stream, or the connection went away."""
    PROTOCOL = "protocol"
    """The answer is malformed."""
    TOO_LARGE = "too_large"
    """The answer's head is larger than we take."""


@dataclass(frozen=True, slots=True)
class StreamFault:
    """Why an answer is over before its end."""

    kind: FaultKind
    message: str
    """Our own sentence; it quotes nothing of the upstream's."""
    error_code: int | None = None
    """HTTP/2's code, where the upstream gave one."""
