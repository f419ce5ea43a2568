"""
The score of a reply: what to send, when, and how to break off. Pure values; `player` performs them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

Headers: TypeAlias = list[tuple[str, str]]
"""Names in lower case, in the order sent."""


class Wait(NamedTuple):
    """
    Let time pass before the next step.
    """

    seconds: float
    is_pace: bool = False
    """Counted from when the step before was due, so that a pace does not drift; otherwise from now."""


class Send(NamedTuple):
    """
    Bytes of the body, handed to the connection in one write.
    """

    data: bytes
    tokens: int = 0
    """How many tokens the bytes complete."""
    withheld: int = 0
    """Bytes announced by the chunk's length and never sent; HTTP/1.1 chunked bodies only."""


@dataclass(frozen=True, slots=True)
class Head:
    """
    Status and headers. Everything before it is time in which the client has no byte.
    """

    status: int
    headers: Headers
    framing: str = "chunked"
    """`chunked`, `close` (the connection's end ends the body) or `length` (content-length stands in the headers)."""


@dataclass(frozen=True, slots=True)
class Finish:
    """
    The orderly end of the reply.
    """

    leftover: bytes = b""
    """Bytes written behind the complete reply, which belong to nothing; HTTP/1.1 only."""
    hangs_up: bool = False
    """Close the connection although nothing announced it."""
    goaway: bool = False
    """HTTP/2: say GOAWAY, this stream still allowed."""


@dataclass(frozen=True, slots=True)
class Break:
    """
    The reply stops here, unfinished.
    """

    how: str = "reset"
    """`reset` (TCP RST; HTTP/2 RST_STREAM), `close` (FIN), or for HTTP/2 `goaway` and `refused`."""
    h2_error: str = field(default="INTERNAL_ERROR")
    """Name of the HTTP/2 error code that a reset or GOAWAY carries."""


Step: TypeAlias = Wait | Send | Head | Finish | Break
