"""
What the pool sees of a connection, and a connection of its pool; the same for both protocols.

Spec: HTU-PERF-1301
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from http_util.engine.answer import Answer
    from http_util.engine.request import EngineRequest
    from http_util.urls import Origin


class Connection(Protocol):
    """An open connection to one origin."""

    origin: Origin
    shares: bool
    """Whether it carries several requests at once."""
    idle_since: float
    """Monotonic seconds at which its last request was over."""

    @property
    def room(self) -> int:
        """How many requests it takes now, beside those that it carries; 0 once it is closing."""

    @property
    def promise(self) -> int:
        """How many it may be expected to take: as `room`, and a guess while the peer has not said."""

    @property
    def is_barred(self) -> bool:
        """Whether it is open and the peer has never allowed a request on it, though it may do so yet."""

    @property
    def in_flight(self) -> int:
        """Requests that it carries, and places that are reserved."""

    @property
    def http_version(self) -> bytes:
        """As httpx's extension `http_version`."""

    def reserve(self) -> None:
        """Keep a place for a request that is about to be sent."""

    def release(self) -> None:
        """Give a reserved place back unused."""

    def has_news(self) -> bool:
        """Whether something lies unread in its socket; on an unused connection that is most often its end."""

    async def send(self, request: EngineRequest, timeouts: Timeouts) -> Answer:
        """
        Send *request* in a reserved place and wait for the head of its answer.

        Raises:
            httpx.TransportError: It failed; the connection has dealt with itself.
        """

    def close(self) -> None:
        """Close an unused connection in good manners."""

    def abort(self, failure: Exception) -> None:
        """Close at once; what is in flight fails with *failure*."""


class Owner(Protocol):
    """The pool, as a connection sees it."""

    def changed(self, connection: Connection) -> None:
        """A request of *connection* is over, or it takes more or fewer than before."""

    def lost(self, connection: Connection) -> None:
        """*connection* is closed."""


Timeouts = dict[str, float | None]
"""
`connect`, `pool`, `write` and `read`, in seconds; what is missing or None is not bounded. `head`, where it is there,
bounds the wait for the head in place of `read`.
"""
