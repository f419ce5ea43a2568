"""
How a client makes a call: what is written, sent, read and told, for every method that makes one.

It waits and decides nothing: what a request looks like is decided in `request_writing`, what an answer means in
`answer_reading` and `stream_reading`, which error a failure is in `error_mapping`.

Spec: CLI-01, CLI-16, CLI-19
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from http_util.clock import Clock, SyncClock
from http_util.errors import HttpFailure
from http_util.frames import without_frames
from openai_client.answer_reading import read_answer
from openai_client.client_base import ClientBase
from openai_client.deprecation import deprecations_in, tell
from openai_client.endpoint_keys import has_providers, open_endpoints_async
from openai_client.error_mapping import from_failure
from openai_client.metadata import Answer, ResponseMetadata
from openai_client.remembering import Heard, remember
from openai_client.request_writing import write_call
from openai_client.transport import AsyncTransport, Transport, closed_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from http_util.call import HttpCall
    from http_util.resilience import Layer
    from openai_client.operation import Call, CallOptions, Operation
    from openai_client.request_writing import PreparedCall
    from openai_client.transport import (
        AsyncByteSource,
        AsyncEventSource,
        ByteSource,
        EventSource,
    )

T = TypeVar("T")
R = TypeVar("R")
S = TypeVar("S", "EventSource", "ByteSource")
A = TypeVar("A", "AsyncEventSource", "AsyncByteSource")


class MakesCalls(ClientBase[Transport, SyncClock]):
    """What the blocking client does for a call."""

    def _through(self, wanted: Layer | None, operation: Operation[T], options: CallOptions | None) -> Answer[T]:
        """Make a call through one layer, or through all that there are."""
        prepared = self._prepared(operation.with_options(options))
        return self._answer(operation, prepared.through(wanted, self.resilience))

    def _answer(self, operation: Operation[T], prepared: PreparedCall) -> Answer[T]:
        result, heard = self._read(operation.parse, prepared)
        return Answer(result=result, metadata=ResponseMetadata.of(*heard))

    def _read(self, parse: Callable[[bytes], T], prepared: PreparedCall) -> tuple[T, Heard]:
        """Return the result, and what was heard besides it: metadata are made when somebody asks for them."""
        reply = self._reach(prepared, self._transport.send)
        self._heed(prepared, reply.head)
        heard = Heard(reply.head, self._clock.monotonic() - prepared.began)
        return remember(read_answer(parse, reply, prepared.secrets, prepared.quotes), heard), heard

    def _prepared(self, operation: Call, *, downloads: bool = False) -> PreparedCall:
        if self._is_closed:
            raise closed_error()
        # what is loaded with the first call is not the upstream's time
        self._transport.prepare()
        tell(deprecations_in(operation), self.config.deprecations)
        return write_call(operation, self.config, self._clock.monotonic(), self.resilience, downloads=downloads)

    def _reach(self, prepared: PreparedCall, ask: Callable[[HttpCall], R]) -> R:
        """Have the transport make the call; a failure of it is told as the client's."""
        try:
            return ask(prepared.http)
        except HttpFailure as failure:
            ended = prepared.ended_by(failure, self._clock.monotonic())
            raise from_failure(ended, prepared.secrets, prepared.quotes) from without_frames(failure)

    def _opened(self, prepared: PreparedCall, ask: Callable[[HttpCall], S]) -> tuple[S, PreparedCall]:
        source = self._reach(prepared, ask)
        try:
            self._heed(prepared, source.head)
        except BaseException:
            source.close()
            raise
        return source, prepared


class AsyncMakesCalls(ClientBase[AsyncTransport, Clock]):
    """What the client on an event loop does for a call."""

    async def _through(self, wanted: Layer | None, operation: Operation[T], options: CallOptions | None) -> Answer[T]:
        """Make a call through one layer, or through all that there are."""
        prepared = await self._prepared(operation.with_options(options))
        return await self._answer(operation, prepared.through(wanted, self.resilience))

    async def _answer(self, operation: Operation[T], prepared: PreparedCall) -> Answer[T]:
        result, heard = await self._read(operation.parse, prepared)
        return Answer(result=result, metadata=ResponseMetadata.of(*heard))

    async def _read(self, parse: Callable[[bytes], T], prepared: PreparedCall) -> tuple[T, Heard]:
        """Return the result, and what was heard besides it: metadata are made when somebody asks for them."""
        reply = await self._reach(prepared, self._transport.send)
        self._heed(prepared, reply.head)
        heard = Heard(reply.head, self._clock.monotonic() - prepared.began)
        return remember(read_answer(parse, reply, prepared.secrets, prepared.quotes), heard), heard

    async def _prepared(self, operation: Call, *, downloads: bool = False) -> PreparedCall:
        if self._is_closed:
            raise closed_error()
        # what is loaded with the first call is not the upstream's time
        self._transport.prepare()
        tell(deprecations_in(operation), self.config.deprecations)
        # but what a provider of keys takes counts against the call's timeout
        now, auth = self._clock.monotonic(), self.config.auth
        is_provided = auth.is_provided(admin=operation.admin)
        authorization = await auth.authorize_async(admin=operation.admin) if is_provided else None
        failover = self.resilience.failover
        # an admin call does not fail over
        waits = failover is not None and not operation.admin and has_providers(failover)
        endpoints = await open_endpoints_async(failover, self.config.audit) if failover is not None and waits else None
        return write_call(operation, self.config, now, self.resilience, authorization, endpoints, downloads=downloads)

    async def _reach(self, prepared: PreparedCall, ask: Callable[[HttpCall], Awaitable[R]]) -> R:
        """Have the transport make the call; a failure of it is told as the client's."""
        try:
            return await ask(prepared.http)
        except HttpFailure as failure:
            ended = prepared.ended_by(failure, self._clock.monotonic())
            raise from_failure(ended, prepared.secrets, prepared.quotes) from without_frames(failure)

    async def _opened(
        self, preparing: Awaitable[PreparedCall], ask: Callable[[HttpCall], Awaitable[A]]
    ) -> tuple[A, PreparedCall]:
        prepared = await preparing
        source = await self._reach(prepared, ask)
        try:
            self._heed(prepared, source.head)
        except BaseException:
            await source.aclose()
            raise
        return source, prepared
