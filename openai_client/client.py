"""
The two clients: one call is one attempt, nothing is automatic, nothing is remembered.

They differ in who waits. What a request looks like is decided in `request_writing`, what an answer means in
`answer_reading` and `stream_reading`, which error a failure is in `error_mapping`.

Spec: CLI-01, CLI-02, CLI-03, CLI-15, CLI-16, CLI-19
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from http_util.errors import HttpFailure
from http_util.frames import shows_no_arguments, without_frames
from openai_client._generated.families import AsyncFamilies, SyncFamilies
from openai_client.answer_reading import read_answer
from openai_client.client_settings import check_transport, merged, moved
from openai_client.config import ClientConfig
from openai_client.deprecation import deprecations_in, deprecations_told, tell
from openai_client.download_calls import AsyncDownloads, Downloads
from openai_client.endpoint_keys import has_providers, open_endpoints_async
from openai_client.error_mapping import from_failure
from openai_client.errors import InvalidFieldValue
from openai_client.metadata import Answer, ResponseMetadata
from openai_client.operation import Operation, PageOperation
from openai_client.pagination import AsyncPage, Page
from openai_client.raw_calls import AsyncRawCalls, RawCalls
from openai_client.realtime.sockets import AsyncOpensSockets, OpensSockets
from openai_client.reliability import AsyncReliableCalls, ReliableCalls
from openai_client.remembering import Heard, remember
from openai_client.request_writing import write_call
from openai_client.streams import AsyncStream, Stream
from openai_client.transport import AsyncHttpTransport, HttpTransport, closed_error, resilience_of
from openai_client.webhooks import ReadsWebhooks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from pathlib import Path
    from random import Random
    from types import TracebackType
    from typing import Unpack

    from http_util.call import HttpCall, ReplyHead
    from http_util.clock import Clock, SyncClock
    from http_util.resilience import Layer, Resilience
    from openai_client.binding import Method, SwitchMethod
    from openai_client.config import ClientSettings
    from openai_client.operation import Call, CallOptions, StreamOperation
    from openai_client.request_writing import PreparedCall
    from openai_client.transport import (
        AsyncByteSource,
        AsyncEventSource,
        AsyncTransport,
        ByteSource,
        EventSource,
        Transport,
    )

P = ParamSpec("P")
F = ParamSpec("F")
T = TypeVar("T")
E = TypeVar("E")
R = TypeVar("R")
S = TypeVar("S", "EventSource", "ByteSource")
A = TypeVar("A", "AsyncEventSource", "AsyncByteSource")


class Client(Downloads, OpensSockets, SyncFamilies, ReliableCalls, RawCalls, ReadsWebhooks):
    """
    The client for blocking code. Safe for threads; needs no event loop.

    Example:
        >>> with Client(base_url="http://localhost:8000/v1", api_key=None) as client:
        ...     client
        Client('http://localhost:8000/v1')

    Spec: CLI-03
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        transport: Transport | None = None,
        clock: SyncClock | None = None,
        rng: Random | None = None,
        resilience: Resilience | None = None,
        middleware: Sequence[object] = (),
        **settings: Unpack[ClientSettings],
    ) -> None:
        """
        Make a client. No socket is opened before the first call.

        Args:
            config: The settings.
            transport: Used instead of one made here, and left open when the client is closed.
            clock: Source of times and pauses; by default the system's.
            rng: Source of the retries' jitter.
            resilience: What stands around every call: retries, failover, breaker, limiter, and hooks. Several clients
                may share one. By default nothing is there but the retry policy in the settings, if one is set.
            middleware: Sees every call before it is sent and every answer before it is read; see
                `openai_client.call_middleware`. The first sees a call first and its answer last.
            settings: Settings, or replacements of some in *config*: see `ClientConfig`.

        Raises:
            ConfigurationError: A setting is wrong, or *transport* is given together with what belongs to one.
        """
        self.config: ClientConfig = merged(config, settings)
        """The settings in force."""
        check_transport(transport, resilience, rng)
        self._clock: SyncClock = clock or _system_sync_clock()
        self._owns_transport = transport is None
        self._transport: Transport = transport or HttpTransport(
            self.config.http, clock=self._clock, rng=rng, resilience=resilience
        )
        if middleware:
            from openai_client.call_middleware import MiddlewareTransport

            self._transport = MiddlewareTransport(self._transport, middleware)
        self._is_closed = False

    @classmethod
    @shows_no_arguments
    def from_env(
        cls,
        *,
        env: Mapping[str, str] | None = None,
        secret_file: Path | None = None,
        **settings: Unpack[ClientSettings],
    ) -> Self:
        """
        Return a client with the settings that the process's environment describes (see `Environment.from_env`).

        Spec: CLI-05
        """
        return cls(ClientConfig.from_env(env=env, secret_file=secret_file, **settings))

    @property
    def clock(self) -> SyncClock:
        """Where its times and pauses come from."""
        return self._clock

    @property
    def resilience(self) -> Resilience:
        """
        What stands around every call: what was given, with the retry policy of the settings.

        Spec: REL-01
        """
        return resilience_of(self._transport, self.config)

    def __repr__(self) -> str:
        """Return where the client calls."""
        # a half-made client is shown in the traceback of its constructor
        config = getattr(self, "config", None)
        return f"{type(self).__name__}({None if config is None else config.base_url!r})"

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

    def with_options(self, **settings: Unpack[ClientSettings]) -> Self:
        """
        Return a client with some settings replaced, over the same connections. Closing it leaves them open.

        Raises:
            InvalidConfiguration: A setting is wrong, or says where to call: that takes a client of its own.
        """
        return type(self)(moved(self.config, settings), transport=self._transport, clock=self._clock)

    def execute(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """
        Make a call and return its result.

        Args:
            operation: The call.
            options: Used instead of the operation's own.

        Raises:
            OpenAIError: The call failed; the leaf says how.
        """
        asked = _with(operation, options)
        return self._read(asked.parse, self._prepared(asked))[0]

    def with_metadata(self, operation: Operation[T], options: CallOptions | None = None) -> Answer[T]:
        """
        Make a call and return its result together with the head of the answer. Arguments and errors as `execute`.

        Spec: CLI-16
        """
        asked = _with(operation, options)
        return self._answer(asked, self._prepared(asked))

    def _through(self, wanted: Layer | None, operation: Operation[T], options: CallOptions | None) -> Answer[T]:
        """Make a call through one layer, or through all that there are."""
        prepared = self._prepared(_with(operation, options))
        return self._answer(operation, prepared.through(wanted, self.resilience))

    def _answer(self, operation: Operation[T], prepared: PreparedCall) -> Answer[T]:
        result, heard = self._read(operation.parse, prepared)
        return Answer(result=result, metadata=ResponseMetadata.of(*heard))

    def _read(self, parse: Callable[[bytes], T], prepared: PreparedCall) -> tuple[T, Heard]:
        """Return the result, and what was heard besides it: metadata are made when somebody asks for them."""
        reply = self._reach(prepared, self._transport.send)
        self._heed(prepared, reply.head)
        heard = Heard(reply.head, self._clock.monotonic() - prepared.began)
        return remember(read_answer(parse, reply, prepared.secrets), heard), heard

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
        streamed = _with(operation, options)
        return Stream(streamed, lambda: self._opened(self._prepared(streamed), self._transport.open), self._clock)

    def fetch_page(self, operation: PageOperation[T], options: CallOptions | None = None) -> Page[T]:
        """
        Fetch one page of a list. Arguments and errors as `execute`.

        Spec: CLI-18
        """
        wanted = _with(operation, options)
        document, heard = self._read(wanted.parse, self._prepared(wanted))
        return Page(self, wanted, document, ResponseMetadata.of(*heard))

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
            raise from_failure(ended, prepared.secrets) from without_frames(failure)

    def _opened(self, prepared: PreparedCall, ask: Callable[[HttpCall], S]) -> tuple[S, PreparedCall]:
        source = self._reach(prepared, ask)
        try:
            self._heed(prepared, source.head)
        except BaseException:
            source.close()
            raise
        return source, prepared

    def _heed(self, prepared: PreparedCall, head: ReplyHead) -> None:
        """Tell of what the upstream says is deprecated."""
        tell(deprecations_told(prepared.operation_id, head.headers), self.config.deprecations)


class AsyncClient(AsyncDownloads, AsyncOpensSockets, AsyncFamilies, AsyncReliableCalls, AsyncRawCalls, ReadsWebhooks):
    """
    The client for one event loop. Any number of tasks may use it at once.

    Spec: CLI-03
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        transport: AsyncTransport | None = None,
        clock: Clock | None = None,
        rng: Random | None = None,
        resilience: Resilience | None = None,
        middleware: Sequence[object] = (),
        **settings: Unpack[ClientSettings],
    ) -> None:
        """
        Make a client. No socket is opened before the first call.

        Args:
            config: The settings.
            transport: Used instead of one made here, and left open when the client is closed.
            clock: Source of times and pauses; by default the system's.
            rng: Source of the retries' jitter.
            resilience: What stands around every call: retries, failover, breaker, limiter, and hooks. Several clients
                may share one. By default nothing is there but the retry policy in the settings, if one is set.
            middleware: Sees every call before it is sent and every answer before it is read; see
                `openai_client.call_middleware`. The first sees a call first and its answer last.
            settings: Settings, or replacements of some in *config*: see `ClientConfig`.

        Raises:
            ConfigurationError: A setting is wrong, or *transport* is given together with what belongs to one.
        """
        self.config: ClientConfig = merged(config, settings)
        """The settings in force."""
        check_transport(transport, resilience, rng)
        self._clock: Clock = clock or _system_clock()
        self._owns_transport = transport is None
        self._transport: AsyncTransport = transport or AsyncHttpTransport(
            self.config.http, clock=self._clock, rng=rng, resilience=resilience
        )
        if middleware:
            from openai_client.call_middleware import AsyncMiddlewareTransport

            self._transport = AsyncMiddlewareTransport(self._transport, middleware)
        self._is_closed = False

    @classmethod
    @shows_no_arguments
    def from_env(
        cls,
        *,
        env: Mapping[str, str] | None = None,
        secret_file: Path | None = None,
        **settings: Unpack[ClientSettings],
    ) -> Self:
        """
        Return a client with the settings that the process's environment describes (see `Environment.from_env`).

        Spec: CLI-05
        """
        return cls(ClientConfig.from_env(env=env, secret_file=secret_file, **settings))

    @property
    def clock(self) -> Clock:
        """Where its times and pauses come from."""
        return self._clock

    @property
    def resilience(self) -> Resilience:
        """
        What stands around every call: what was given, with the retry policy of the settings.

        Spec: REL-01
        """
        return resilience_of(self._transport, self.config)

    def __repr__(self) -> str:
        """Return where the client calls."""
        # a half-made client is shown in the traceback of its constructor
        config = getattr(self, "config", None)
        return f"{type(self).__name__}({None if config is None else config.base_url!r})"

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

    def with_options(self, **settings: Unpack[ClientSettings]) -> Self:
        """
        Return a client with some settings replaced, over the same connections. Closing it leaves them open.

        Raises:
            InvalidConfiguration: A setting is wrong, or says where to call: that takes a client of its own.
        """
        return type(self)(moved(self.config, settings), transport=self._transport, clock=self._clock)

    async def execute(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """
        Make a call and return its result.

        Args:
            operation: The call.
            options: Used instead of the operation's own.

        Raises:
            OpenAIError: The call failed; the leaf says how.
        """
        asked = _with(operation, options)
        return (await self._read(asked.parse, await self._prepared(asked)))[0]

    async def with_metadata(self, operation: Operation[T], options: CallOptions | None = None) -> Answer[T]:
        """
        Make a call and return its result together with the head of the answer. Arguments and errors as `execute`.

        Spec: CLI-16
        """
        asked = _with(operation, options)
        return await self._answer(asked, await self._prepared(asked))

    async def _through(self, wanted: Layer | None, operation: Operation[T], options: CallOptions | None) -> Answer[T]:
        """Make a call through one layer, or through all that there are."""
        prepared = await self._prepared(_with(operation, options))
        return await self._answer(operation, prepared.through(wanted, self.resilience))

    async def _answer(self, operation: Operation[T], prepared: PreparedCall) -> Answer[T]:
        result, heard = await self._read(operation.parse, prepared)
        return Answer(result=result, metadata=ResponseMetadata.of(*heard))

    async def _read(self, parse: Callable[[bytes], T], prepared: PreparedCall) -> tuple[T, Heard]:
        """Return the result, and what was heard besides it: metadata are made when somebody asks for them."""
        reply = await self._reach(prepared, self._transport.send)
        self._heed(prepared, reply.head)
        heard = Heard(reply.head, self._clock.monotonic() - prepared.began)
        return remember(read_answer(parse, reply, prepared.secrets), heard), heard

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
        streamed = _with(operation, options)
        return AsyncStream(streamed, lambda: self._opened(self._prepared(streamed), self._transport.open), self._clock)

    async def fetch_page(self, operation: PageOperation[T], options: CallOptions | None = None) -> AsyncPage[T]:
        """
        Fetch one page of a list. Arguments and errors as `execute`.

        Spec: CLI-18
        """
        wanted = _with(operation, options)
        document, heard = await self._read(wanted.parse, await self._prepared(wanted))
        return AsyncPage(self, wanted, document, ResponseMetadata.of(*heard))

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
            raise from_failure(ended, prepared.secrets) from without_frames(failure)

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

    def _heed(self, prepared: PreparedCall, head: ReplyHead) -> None:
        """Tell of what the upstream says is deprecated."""
        tell(deprecations_told(prepared.operation_id, head.headers), self.config.deprecations)


C = TypeVar("C", bound="Call")


def _with(operation: C, options: CallOptions | None) -> C:
    """Return the operation with the options that are to be used."""
    return operation if options is None or options is operation.options else operation.with_options(options)


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


def _system_sync_clock() -> SyncClock:
    from http_util.clock import SystemSyncClock

    return SystemSyncClock()


def _system_clock() -> Clock:
    from http_util.clock import SystemClock

    return SystemClock()
