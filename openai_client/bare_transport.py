"""
Somebody's transport without the layers around its calls: one request, to the upstream that is meant.

Spec: HC-01
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from http_util.call import HttpCall, HttpReply
    from openai_client.transport import (
        AsyncByteSource,
        AsyncEventSource,
        AsyncTransport,
        ByteSource,
        EventSource,
        Transport,
    )


class BareTransport:
    """For blocking code. Closing it closes nothing: the transport under it is its owner's."""

    def __init__(self, transport: Transport) -> None:
        """Send through *transport*."""
        self._transport = transport

    def prepare(self) -> None:
        """Load and build what the first call needs."""
        self._transport.prepare()

    def send(self, call: HttpCall) -> HttpReply:
        """Make the call and return the whole answer; raises what the transport raises."""
        return self._transport.send(_bare(call))

    def open(self, call: HttpCall) -> EventSource:
        """Make the call and return its answer as open events; raises what the transport raises."""
        return self._transport.open(_bare(call))

    def download(self, call: HttpCall) -> ByteSource:
        """Make the call and return its answer as open bytes; raises what the transport raises."""
        return self._transport.download(_bare(call))

    def close(self) -> None:
        """Leave the transport as it is."""


class AsyncBareTransport:
    """For an event loop. Closing it closes nothing: the transport under it is its owner's."""

    def __init__(self, transport: AsyncTransport) -> None:
        """Send through *transport*."""
        self._transport = transport

    def prepare(self) -> None:
        """Load and build what the first call needs."""
        self._transport.prepare()

    async def send(self, call: HttpCall) -> HttpReply:
        """Make the call and return the whole answer; raises what the transport raises."""
        return await self._transport.send(_bare(call))

    async def open(self, call: HttpCall) -> AsyncEventSource:
        """Make the call and return its answer as open events; raises what the transport raises."""
        return await self._transport.open(_bare(call))

    async def download(self, call: HttpCall) -> AsyncByteSource:
        """Make the call and return its answer as open bytes; raises what the transport raises."""
        return await self._transport.download(_bare(call))

    async def aclose(self) -> None:
        """Leave the transport as it is."""


def _bare(call: HttpCall) -> HttpCall:
    """Return *call* with no layer around it."""
    return replace(call, layers=frozenset())
