"""
The two clients: one call is one attempt, nothing is automatic, nothing is remembered.

They differ in who waits. Here is what a caller sees of them; what they do for a call is in `making_calls`, what they
are made of in `client_base`.

Spec: CLI-01, CLI-02, CLI-03, CLI-15, CLI-16, CLI-19
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from openai_client import moved_names
from openai_client._generated.families import AsyncFamilies, SyncFamilies
from openai_client.download_calls import AsyncDownloads, Downloads
from openai_client.errors import InvalidFieldValue
from openai_client.http_transport import AsyncHttpTransport, HttpTransport
from openai_client.making_calls import AsyncMakesCalls, MakesCalls
from openai_client.metadata import Answer, ResponseMetadata
from openai_client.moved_names import PointsOn
from openai_client.operation import Operation, PageOperation
from openai_client.pagination import AsyncPage, Page
from openai_client.raw_calls import AsyncRawCalls, RawCalls
from openai_client.realtime.sockets import AsyncOpensSockets, OpensSockets
from openai_client.reliability import AsyncReliableCalls, ReliableCalls
from openai_client.streams import AsyncStream, Stream
from openai_client.webhooks import ReadsWebhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from random import Random
    from types import TracebackType

    from http_util.clock import Clock, SyncClock
    from http_util.resilience import Resilience
    from openai_client.binding import Method, SwitchMethod
    from openai_client.operation import CallOptions, StreamOperation
    from openai_client.transport import AsyncTransport, Transport

P = ParamSpec("P")
F = ParamSpec("F")
T = TypeVar("T")
E = TypeVar("E")


class Client(MakesCalls, Downloads, OpensSockets, SyncFamilies, ReliableCalls, RawCalls, ReadsWebhooks, PointsOn):
    """
    The client for blocking code. Safe for threads; needs no event loop.

    Example:
        >>> with Client(base_url="http://localhost:8000/v1", api_key=None) as client:
        ...     client
        Client('http://localhost:8000/v1')

    Spec: CLI-03
    """

    _moved = moved_names.CLIENT

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """
        Close the connections, unless the transport belongs to somebody else. Safe to call twice.

        Spec: CLI-15
        """
        self._is_closed = True
        if self._owns_transport:
            self._transport.close()

    def execute(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """
        Make a call and return its result.

        Args:
            operation: The call.
            options: Used instead of the operation's own.

        Raises:
            OpenAIError: The call failed; the leaf says how.
        """
        asked = operation.with_options(options)
        return self._read(asked.parse, self._prepared(asked))[0]

    def with_metadata(self, operation: Operation[T], options: CallOptions | None = None) -> Answer[T]:
        """
        Make a call and return its result together with the head of the answer. Arguments and errors as `execute`.

        Spec: CLI-16
        """
        asked = operation.with_options(options)
        return self._answer(asked, self._prepared(asked))

    @overload
    def call_with_metadata(
        self, method: Method[F, P, T] | SwitchMethod[F, P, Any, T, Any], /, *args: F.args, **kwargs: F.kwargs
    ) -> Answer[T]: ...
    @overload
    def call_with_metadata(self, method: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Answer[T]: ...
    def call_with_metadata(self, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Answer[Any]:
        """
        Call a method of a family and return its result together with the head of the answer.

        Use as `client.call_with_metadata(client.models.retrieve, "m")`, for results that are no model: these remember
        theirs, see `metadata_of`. Errors as `execute`.

        Args:
            method: A method that is answered by one document, or by one page.
            args: Its arguments.
            kwargs: Its named arguments.

        Raises:
            InvalidFieldValue: *method* is something else.

        Spec: CLI-16
        """
        operation = operation_of(method, *args, **kwargs)
        if isinstance(operation, PageOperation):
            page = self.fetch_page(operation)
            return Answer(result=page, metadata=page.metadata)
        return self.with_metadata(operation)

    def open_stream(self, operation: StreamOperation[E], options: CallOptions | None = None) -> Stream[E]:
        """
        Return a streamed call as a context manager and iterator. Entering makes the call, leaving closes the answer.

        Args:
            operation: The call.
            options: Used instead of the operation's own.

        Spec: CLI-10
        """
        streamed = operation.with_options(options)
        return Stream(streamed, lambda: self._opened(self._prepared(streamed), self._transport.open), self._clock)

    def fetch_page(self, operation: PageOperation[T], options: CallOptions | None = None) -> Page[T]:
        """
        Fetch one page of a list. Arguments and errors as `execute`.

        Spec: CLI-18
        """
        wanted = operation.with_options(options)
        document, heard = self._read(wanted.parse, self._prepared(wanted))
        return Page(self, wanted, document, ResponseMetadata.of(*heard))

    def _system_clock(self) -> SyncClock:
        from http_util.clock import SystemSyncClock

        return SystemSyncClock()

    def _http_transport(self, rng: Random | None, resilience: Resilience | None) -> Transport:
        return HttpTransport(self.config.http, clock=self._clock, rng=rng, resilience=resilience)

    def _behind(self, middleware: Sequence[object]) -> Transport:
        from openai_client.call_middleware import MiddlewareTransport

        return MiddlewareTransport(self._transport, middleware)


class AsyncClient(
    AsyncMakesCalls,
    AsyncDownloads,
    AsyncOpensSockets,
    AsyncFamilies,
    AsyncReliableCalls,
    AsyncRawCalls,
    ReadsWebhooks,
    PointsOn,
):
    """
    The client for one event loop. Any number of tasks may use it at once.

    Spec: CLI-03
    """

    _moved = moved_names.ASYNC_CLIENT

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        await self.aclose()

    async def aclose(self) -> None:
        """
        Close the connections, unless the transport belongs to somebody else. Safe to call twice.

        Spec: CLI-15
        """
        self._is_closed = True
        if self._owns_transport:
            await self._transport.aclose()

    async def execute(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """
        Make a call and return its result.

        Args:
            operation: The call.
            options: Used instead of the operation's own.

        Raises:
            OpenAIError: The call failed; the leaf says how.
        """
        asked = operation.with_options(options)
        return (await self._read(asked.parse, await self._prepared(asked)))[0]

    async def with_metadata(self, operation: Operation[T], options: CallOptions | None = None) -> Answer[T]:
        """
        Make a call and return its result together with the head of the answer. Arguments and errors as `execute`.

        Spec: CLI-16
        """
        asked = operation.with_options(options)
        return await self._answer(asked, await self._prepared(asked))

    @overload
    async def call_with_metadata(
        self,
        method: Method[F, P, Coroutine[Any, Any, T]] | SwitchMethod[F, P, Any, Coroutine[Any, Any, T], Any],
        /,
        *args: F.args,
        **kwargs: F.kwargs,
    ) -> Answer[T]: ...
    @overload
    async def call_with_metadata(
        self, method: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Answer[T]: ...
    async def call_with_metadata(self, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Answer[Any]:
        """
        Call a method of a family and return its result together with the head of the answer.

        Arguments and errors as `Client.call_with_metadata`.

        Spec: CLI-16
        """
        operation = operation_of(method, *args, **kwargs)
        if isinstance(operation, PageOperation):
            page = await self.fetch_page(operation)
            return Answer(result=page, metadata=page.metadata)
        return await self.with_metadata(operation)

    def open_stream(self, operation: StreamOperation[E], options: CallOptions | None = None) -> AsyncStream[E]:
        """
        Return a streamed call as a context manager and iterator. Entering makes the call, leaving closes the answer.

        Args:
            operation: The call.
            options: Used instead of the operation's own.

        Spec: CLI-10
        """
        streamed = operation.with_options(options)
        return AsyncStream(streamed, lambda: self._opened(self._prepared(streamed), self._transport.open), self._clock)

    async def fetch_page(self, operation: PageOperation[T], options: CallOptions | None = None) -> AsyncPage[T]:
        """
        Fetch one page of a list. Arguments and errors as `execute`.

        Spec: CLI-18
        """
        wanted = operation.with_options(options)
        document, heard = await self._read(wanted.parse, await self._prepared(wanted))
        return AsyncPage(self, wanted, document, ResponseMetadata.of(*heard))

    def _system_clock(self) -> Clock:
        from http_util.clock import SystemClock

        return SystemClock()

    def _http_transport(self, rng: Random | None, resilience: Resilience | None) -> AsyncTransport:
        return AsyncHttpTransport(self.config.http, clock=self._clock, rng=rng, resilience=resilience)

    def _behind(self, middleware: Sequence[object]) -> AsyncTransport:
        from openai_client.call_middleware import AsyncMiddlewareTransport

        return AsyncMiddlewareTransport(self._transport, middleware)


def operation_of(
    method: Callable[..., object], /, *args: object, **kwargs: object
) -> Operation[Any] | PageOperation[Any]:
    """
    Return the call that a method of a family would make, as a value.

    Raises:
        InvalidFieldValue: *method* is no method of a family, or one that streams.
    """
    build = getattr(method, "__wrapped__", None)
    if build is not None and kwargs.get("stream"):
        raise InvalidFieldValue("stream: an open stream has its metadata itself; call the method")
    operation = None if build is None else build(*args, **kwargs)
    if not isinstance(operation, Operation | PageOperation):
        name = getattr(method, "__qualname__", type(method).__name__)
        raise InvalidFieldValue(f"method: must be a method of a family that is answered by a document, not {name}")
    return operation
