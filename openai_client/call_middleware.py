"""
Middleware around the HTTP call: objects that see every call before it is sent and every answer before it is read.

    client = Client(api_key=..., middleware=[Signing(), Timing()])

The first in the list sees a call first and its answer last. A call is seen once, however often it is repeated. What a
middleware raises stops the call, and reaches the caller as it is; one that gives nothing back is refused by its name.
(`openai_client.middleware` has those that stand around operations, such as the cache.)

Spec: FWD-08
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, TypeVar

from http_util.call import HttpCall, HttpReply
from openai_client.errors import InvalidConfiguration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openai_client.transport import (
        AsyncByteSource,
        AsyncEventSource,
        AsyncTransport,
        ByteSource,
        EventSource,
        Transport,
    )

R = TypeVar("R")
S = TypeVar("S", "EventSource", "ByteSource")
A = TypeVar("A", "AsyncEventSource", "AsyncByteSource")

METHODS: Final = ("process_request", "process_response", "process_head")
"""
What a middleware may have; each is optional. Functions, or for an `AsyncClient` also coroutine functions:

* `process_request(call: HttpCall) -> HttpCall`: the call to send in its place. Its headers hold the credentials.
* `process_response(call: HttpCall, reply: HttpReply) -> HttpReply`: the answer to read in its place.
* `process_head(call: HttpCall, head: ReplyHead) -> None`: of a stream or a download, before anything of it is read.
"""


def checked(middleware: Sequence[object]) -> tuple[object, ...]:
    """
    Return the middleware.

    Raises:
        InvalidConfiguration: One of them has nothing that is ever called.
    """
    for one in middleware:
        if not any(callable(getattr(one, name, None)) for name in METHODS):
            raise InvalidConfiguration(
                f"middleware: {type(one).__name__} has none of {', '.join(METHODS)}; one that stands around operations "
                "is made with the client as its argument"
            )
    return tuple(middleware)


class _Row:
    def __init__(self, transport: Any, middleware: Sequence[object]) -> None:
        self.transport = transport
        """What stands behind."""
        self.middleware = checked(middleware)
        """In the order in which they see a call."""

    @property
    def resilience(self) -> Any:
        """What stands around every call of the transport behind."""
        return self.transport.resilience

    def __repr__(self) -> str:
        """Return the row."""
        return f"{type(self).__name__}({self.transport!r}, {[type(one).__name__ for one in self.middleware]})"

    @property
    def sockets(self) -> Any:
        """How the transport behind opens sessions, which no middleware sees."""
        return self.transport.sockets

    def prepare(self) -> None:
        """Load and build what the first call needs."""
        self.transport.prepare()

    def _methods(self, name: str, *, is_reversed: bool = False) -> list[Any]:
        found = [method for one in self.middleware if (method := getattr(one, name, None)) is not None]
        return found[::-1] if is_reversed else found


class MiddlewareTransport(_Row):
    """
    A transport for blocking code with middleware in front of it. Closing it closes the transport.

    Spec: FWD-08, FWD-09
    """

    transport: Transport

    def send(self, call: HttpCall) -> HttpReply:
        """Make the call and return the whole answer; raises what the transport or a middleware raises."""
        call = self._asked(call)
        reply = self.transport.send(call)
        for process in self._methods("process_response", is_reversed=True):
            reply = _kept(process, _plain(process(call, reply)), HttpReply)
        return reply

    def open(self, call: HttpCall) -> EventSource:
        """Make the call and return its answer as open events; raises what the transport or a middleware raises."""
        call = self._asked(call)
        return self._headed(call, self.transport.open(call))

    def download(self, call: HttpCall) -> ByteSource:
        """Make the call and return its answer as open bytes; raises what the transport or a middleware raises."""
        call = self._asked(call)
        return self._headed(call, self.transport.download(call))

    def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self.transport.close()

    def _asked(self, call: HttpCall) -> HttpCall:
        for process in self._methods("process_request"):
            call = _kept(process, _plain(process(call)), HttpCall)
        return call

    def _headed(self, call: HttpCall, source: S) -> S:
        try:
            for process in self._methods("process_head", is_reversed=True):
                _plain(process(call, source.head))
        except BaseException:
            source.close()
            raise
        return source


class AsyncMiddlewareTransport(_Row):
    """
    A transport for an event loop with middleware in front of it. Closing it closes the transport.

    Spec: FWD-08, FWD-09
    """

    transport: AsyncTransport

    async def send(self, call: HttpCall) -> HttpReply:
        """Make the call and return the whole answer; raises what the transport or a middleware raises."""
        call = await self._asked(call)
        reply = await self.transport.send(call)
        for process in self._methods("process_response", is_reversed=True):
            reply = _kept(process, await _awaited(process(call, reply)), HttpReply)
        return reply

    async def open(self, call: HttpCall) -> AsyncEventSource:
        """Make the call and return its answer as open events; raises what the transport or a middleware raises."""
        call = await self._asked(call)
        return await self._headed(call, await self.transport.open(call))

    async def download(self, call: HttpCall) -> AsyncByteSource:
        """Make the call and return its answer as open bytes; raises what the transport or a middleware raises."""
        call = await self._asked(call)
        return await self._headed(call, await self.transport.download(call))

    async def aclose(self) -> None:
        """Close all connections. Safe to call twice."""
        await self.transport.aclose()

    async def _asked(self, call: HttpCall) -> HttpCall:
        for process in self._methods("process_request"):
            call = _kept(process, await _awaited(process(call)), HttpCall)
        return call

    async def _headed(self, call: HttpCall, source: A) -> A:
        try:
            for process in self._methods("process_head", is_reversed=True):
                await _awaited(process(call, source.head))
        except BaseException:
            await source.aclose()
            raise
        return source


def _kept(process: Any, result: object, kind: type[R]) -> R:
    """Return what a middleware gave; nothing is often what one gave that forgot to."""
    if isinstance(result, kind):
        return result
    of = type(getattr(process, "__self__", process)).__name__
    name = getattr(process, "__name__", "process")
    raise InvalidConfiguration(
        f"middleware: {of}.{name} must return the {kind.__name__} that it was given, or another one; "
        f"it returned {'None' if result is None else type(result).__name__}"
    )


def _plain(result: R) -> R:
    if inspect.iscoroutine(result):
        result.close()
        raise InvalidConfiguration("middleware: a coroutine function needs an AsyncClient; Client takes plain ones")
    return result


async def _awaited(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result
