"""
What a client sends through: a small protocol in both colours. `http_transport` has the one that speaks HTTP.

A transport knows no operation and no key; it may be shared by clients of different tenants. Who makes it closes it.

Spec: FWD-09, CLI-15
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from http_util.resilience import NOTHING, Resilience
from openai_client.errors import InvalidConfiguration, InvalidState

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_util.call import HttpCall, HttpReply, ReplyHead
    from http_util.errors import HttpFailure
    from http_util.sse import ServerSentEvent, SseTail
    from openai_client.config import ClientConfig


class EventSource(Protocol):
    """An open answer as server-sent events, for blocking code."""

    @property
    def head(self) -> ReplyHead:
        """The head of the answer."""

    @property
    def tail(self) -> SseTail | None:
        """What was left when the body ended; None before."""

    def next_events(self, *, timer: str = "", at: float = math.inf) -> list[ServerSentEvent]:
        """Return the next events, none at the end of the body; raises `HttpFailure`."""

    def settle(self, failure: HttpFailure | None, tokens: int | None = None) -> None:
        """Say how the stream ended, for those who count: what broke it or None, and what it cost if that is known."""

    def close(self) -> None:
        """Give the connection back or close it. Safe to call twice."""


class AsyncEventSource(Protocol):
    """An open answer as server-sent events, for an event loop."""

    @property
    def head(self) -> ReplyHead:
        """The head of the answer."""

    @property
    def tail(self) -> SseTail | None:
        """What was left when the body ended; None before."""

    async def next_events(self, *, timer: str = "", at: float = math.inf) -> list[ServerSentEvent]:
        """Return the next events, none at the end of the body; raises `HttpFailure`."""

    def settle(self, failure: HttpFailure | None, tokens: int | None = None) -> None:
        """Say how the stream ended, for those who count: what broke it or None, and what it cost if that is known."""

    async def aclose(self) -> None:
        """Give the connection back or close it. Safe to call twice."""


class ByteSource(Protocol):
    """An open answer as bytes, for blocking code."""

    @property
    def head(self) -> ReplyHead:
        """The head of the answer."""

    @property
    def length(self) -> int | None:
        """Bytes in all, as the head says; None when it does not."""

    def next_piece(self) -> bytes | None:
        """Return the next piece, None at the end of a whole answer; raises `HttpFailure`."""

    def read_all(self, on_piece: Callable[[int], object] | None = None) -> bytes:
        """Return what is left, telling *on_piece* the size of each piece; raises `HttpFailure`, also for too much."""

    def close(self) -> None:
        """Give the connection back or close it. Safe to call twice."""


class AsyncByteSource(Protocol):
    """An open answer as bytes, for an event loop."""

    @property
    def head(self) -> ReplyHead:
        """The head of the answer."""

    @property
    def length(self) -> int | None:
        """Bytes in all, as the head says; None when it does not."""

    async def next_piece(self) -> bytes | None:
        """Return the next piece, None at the end of a whole answer; raises `HttpFailure`."""

    async def read_all(self, on_piece: Callable[[int], object] | None = None) -> bytes:
        """Return what is left, telling *on_piece* the size of each piece; raises `HttpFailure`, also for too much."""

    async def aclose(self) -> None:
        """Give the connection back or close it. Safe to call twice."""


class Transport(Protocol):
    """
    Sends calls and blocks until they are answered.

    Spec: FWD-09
    """

    def prepare(self) -> None:
        """Load and build what the first call needs, before its time begins to run. Opens no socket."""

    def send(self, call: HttpCall) -> HttpReply:
        """Make the call and return the whole answer; raises `HttpFailure`, also for an error status."""

    def open(self, call: HttpCall) -> EventSource:
        """Make the call and return its answer as open events; raises `HttpFailure`, also for an error status."""

    def download(self, call: HttpCall) -> ByteSource:
        """Make the call and return its answer as open bytes; raises `HttpFailure`, also for an error status."""

    def close(self) -> None:
        """Close all connections. Safe to call twice."""


class AsyncTransport(Protocol):
    """
    Sends calls on an event loop.

    Spec: FWD-09
    """

    def prepare(self) -> None:
        """Load and build what the first call needs, before its time begins to run. Opens no socket."""

    async def send(self, call: HttpCall) -> HttpReply:
        """Make the call and return the whole answer; raises `HttpFailure`, also for an error status."""

    async def open(self, call: HttpCall) -> AsyncEventSource:
        """Make the call and return its answer as open events; raises `HttpFailure`, also for an error status."""

    async def download(self, call: HttpCall) -> AsyncByteSource:
        """Make the call and return its answer as open bytes; raises `HttpFailure`, also for an error status."""

    async def aclose(self) -> None:
        """Close all connections. Safe to call twice."""


def resilience_of(transport: object, config: ClientConfig) -> Resilience:
    """Return what stands around the calls of a client: what its transport has, with the policy of its settings."""
    held: Resilience = getattr(transport, "resilience", NOTHING)
    return held if config.retry is None else replace(held, retry=config.retry)


def check_failover(transport: object, base_url: str) -> None:
    """
    Refuse a failover list that names the client's own address.

    Raises:
        InvalidConfiguration: It does: a call that failed there would be put to it once more, as if it were another one.

    Spec: FO-01
    """
    failover = getattr(transport, "resilience", NOTHING).failover
    if failover is not None and (place := failover.place_of(base_url)) is not None:
        raise InvalidConfiguration(
            f"resilience.failover: endpoints.{place}: {base_url} is the client's own base_url; "
            "name other endpoints only"
        )


def closed_error() -> InvalidState:
    """
    Return the error for a call on something that was closed.

    Spec: CLI-15
    """
    return InvalidState("the client is closed; make another one", reason="closed")
