"""
Descriptors that give an operation its colour, so that a family is written once.

A family's class lists its operations; on a `SyncResource` each of them is a function that blocks and returns the
result, on an `AsyncResource` one that returns an awaitable. Both keep the operation's parameters and its exact result
type.

    class _Models:
        retrieve = endpoint(retrieve)

    class Models(_Models, SyncResource): ...
    class AsyncModels(_Models, AsyncResource): ...

A method whose operation has a body takes it as one model, or its fields as keyword arguments: two signatures, which a
`ParamSpec` each carries from the two functions to the method. A method that can stream also does so for `stream=True`.

Spec: CLI-02, CLI-03
"""

from __future__ import annotations

import functools
from types import MethodType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from openai_client import moved_names
from openai_client.errors import InvalidFieldValue
from openai_client.moved_names import PointsOn
from openai_client.operation import StreamOperation
from openai_client.resource_methods import OperationMethod, Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from openai_client.downloads import AsyncDownload, Download
    from openai_client.metadata import Answer
    from openai_client.operation import CallOptions, Operation, PageOperation
    from openai_client.pagination import AsyncPage, Page
    from openai_client.realtime.opening import SessionRequest
    from openai_client.realtime.sockets import AsyncOpenSocket, OpenSocket
    from openai_client.streams import AsyncStream, Stream

P = ParamSpec("P")
F = ParamSpec("F")
S = ParamSpec("S")
T = TypeVar("T")
E = TypeVar("E")
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)


class Method(Protocol[F, P, T_co]):
    """A method that takes the fields of a body, or the body."""

    @overload
    def __call__(self, *args: F.args, **kwargs: F.kwargs) -> T_co: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


class SwitchMethod(Protocol[F, P, S, T_co, E_co]):
    """A method that takes the fields of a body, or the body; with `stream=True` among the fields it streams."""

    @overload
    def __call__(self, *args: F.args, **kwargs: F.kwargs) -> T_co: ...
    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...
    @overload
    def __call__(self, *args: S.args, **kwargs: S.kwargs) -> E_co: ...


class SyncCaller(Protocol):
    """What a blocking client does for its resources."""

    def execute(self, operation: Operation[T], options: CallOptions) -> T:
        """Make the call and return its parsed result; raises the client's errors."""

    def open_stream(self, operation: StreamOperation[E], options: CallOptions) -> Stream[E]:
        """Return a context manager; entering makes the call, leaving closes the response."""

    def open_download(self, operation: Operation[Any], options: CallOptions) -> Download:
        """Return a context manager; entering makes the call, leaving closes the response."""

    def fetch_page(self, operation: PageOperation[T], options: CallOptions) -> Page[T]:
        """Make the call and return the page; raises the client's errors."""

    def open_socket(self, request: SessionRequest) -> OpenSocket:
        """Open a realtime session; raises the client's errors."""


class AsyncCaller(Protocol):
    """What a client on an event loop does for its resources."""

    async def execute(self, operation: Operation[T], options: CallOptions) -> T:
        """Make the call and return its parsed result; raises the client's errors."""

    def open_stream(self, operation: StreamOperation[E], options: CallOptions) -> AsyncStream[E]:
        """Return a context manager; entering makes the call, leaving closes the response."""

    def open_download(self, operation: Operation[Any], options: CallOptions) -> AsyncDownload:
        """Return a context manager; entering makes the call, leaving closes the response."""

    async def fetch_page(self, operation: PageOperation[T], options: CallOptions) -> AsyncPage[T]:
        """Make the call and return the page; raises the client's errors."""

    async def open_socket(self, request: SessionRequest) -> AsyncOpenSocket:
        """Open a realtime session; raises the client's errors."""


class SyncResource(PointsOn):
    """A family, or a part of one, whose operations block."""

    _moved = moved_names.RESOURCE

    def __init__(self, client: SyncCaller) -> None:
        """Bind the resource to *client*, which it keeps alive."""
        self._client = client

    def __repr__(self) -> str:
        """Return the family's name and its client."""
        return f"{type(self).__name__}({self._client!r})"


class AsyncResource(PointsOn):
    """A family, or a part of one, whose operations are awaited."""

    _moved = moved_names.RESOURCE

    def __init__(self, client: AsyncCaller) -> None:
        """Bind the resource to *client*, which it keeps alive."""
        self._client = client

    def __repr__(self) -> str:
        """Return the family's name and its client."""
        return f"{type(self).__name__}({self._client!r})"


class SyncRawResource(PointsOn):
    """The operations of a resource that blocks, each answered with the head of its answer."""

    _moved = moved_names.RAW_RESOURCE

    def __init__(self, client: SyncCaller) -> None:
        """Bind the resource to *client*, which it keeps alive."""
        self._client = client


class AsyncRawResource(PointsOn):
    """The operations of a resource that is awaited, each answered with the head of its answer."""

    _moved = moved_names.RAW_RESOURCE

    def __init__(self, client: AsyncCaller) -> None:
        """Bind the resource to *client*, which it keeps alive."""
        self._client = client


class _Descriptor:
    """What all descriptors have: a function that makes the operation, and the verb of the client that calls."""

    _verb = "execute"
    _returns = ("{0}", "Coroutine[Any, Any, {0}]")
    """What the method gives, blocking and awaited; `{0}` is what the operation is answered by."""
    _raw_returns: tuple[str | None, str | None] = ("Answer[{0}]", "Coroutine[Any, Any, Answer[{0}]]")
    """What it gives with the head of the answer; None where there is no such method."""

    def __init__(
        self, build: Callable[..., Any], build_with: Callable[..., Any] | None = None, *more: Callable[..., Any]
    ) -> None:
        self.build = build
        """The function that returns the operation, for callers who want the value."""
        self.__doc__ = build.__doc__
        self._takes = build_with or build
        self._more = more
        self._name = build.__name__
        self._methods: dict[type, OperationMethod] = {}

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember the name of the method."""
        self._name = name

    def __get__(self, resource: SyncResource | AsyncResource | None, owner: type) -> Any:
        """Return the operation bound to the client of *resource*, or the function of the class *owner*."""
        method = self._methods.get(owner)
        if method is None:
            method = self._methods[owner] = self._method(owner)
        return method if resource is None else MethodType(method, resource)

    def _method(self, owner: type) -> OperationMethod:
        is_async = issubclass(owner, AsyncResource | AsyncRawResource)
        is_raw = issubclass(owner, SyncRawResource | AsyncRawResource)
        returns = (self._raw_returns if is_raw else self._returns)[is_async]
        if returns is None:
            raise AttributeError(f"with_raw_response.{self._name}: a stream or a download has `metadata` of its own")
        make = (_answered_async if is_async else _answered) if is_raw else self._make
        shown = Shown(self._takes, (self.build, *self._more), returns, streams=bool(self._more))
        return OperationMethod(owner, self._name, self.build, shown, make)

    def _make(self, client: Any, operation: Any) -> Any:
        """Have *client* make the call."""
        return getattr(client, self._verb)(operation, operation.options)


class Endpoint(_Descriptor, Generic[P, T]):
    """The descriptor behind `endpoint`."""

    if TYPE_CHECKING:

        def __init__(self, build: Callable[P, Operation[T]]) -> None: ...
        @overload
        def __get__(self, resource: None, owner: type) -> Self: ...
        @overload
        def __get__(self, resource: SyncResource, owner: type) -> Callable[P, T]: ...
        @overload
        def __get__(self, resource: AsyncResource, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
        @overload
        def __get__(self, resource: SyncRawResource, owner: type) -> Callable[P, Answer[T]]: ...
        @overload
        def __get__(self, resource: AsyncRawResource, owner: type) -> Callable[P, Coroutine[Any, Any, Answer[T]]]: ...
        def __get__(self, resource: Any, owner: type) -> Any: ...


class BodyEndpoint(_Descriptor, Generic[F, P, T]):
    """The descriptor behind `body_endpoint`."""

    def __init__(self, build: Callable[P, Operation[T]], build_with: Callable[F, Operation[T]]) -> None:
        """Remember both functions; `build` is one that chooses."""
        super().__init__(_either(build, build_with), build_with)

    if TYPE_CHECKING:

        @overload
        def __get__(self, resource: None, owner: type) -> Self: ...
        @overload
        def __get__(self, resource: SyncResource, owner: type) -> Method[F, P, T]: ...
        @overload
        def __get__(self, resource: AsyncResource, owner: type) -> Method[F, P, Coroutine[Any, Any, T]]: ...
        @overload
        def __get__(self, resource: SyncRawResource, owner: type) -> Method[F, P, Answer[T]]: ...
        @overload
        def __get__(self, resource: AsyncRawResource, owner: type) -> Method[F, P, Coroutine[Any, Any, Answer[T]]]: ...
        def __get__(self, resource: Any, owner: type) -> Any: ...


class StreamEndpoint(_Descriptor, Generic[P, E]):
    """The descriptor behind `stream_endpoint`."""

    _verb = "open_stream"
    _returns = ("Stream[{0}]", "AsyncStream[{0}]")
    _raw_returns = (None, None)

    if TYPE_CHECKING:

        def __init__(self, build: Callable[P, StreamOperation[E]]) -> None: ...
        @overload
        def __get__(self, resource: None, owner: type) -> Self: ...
        @overload
        def __get__(self, resource: SyncResource, owner: type) -> Callable[P, Stream[E]]: ...
        @overload
        def __get__(self, resource: AsyncResource, owner: type) -> Callable[P, AsyncStream[E]]: ...
        def __get__(self, resource: Any, owner: type) -> Any: ...


class StreamBodyEndpoint(_Descriptor, Generic[F, P, E]):
    """The descriptor behind `stream_body_endpoint`."""

    _verb = "open_stream"
    _returns = ("Stream[{0}]", "AsyncStream[{0}]")
    _raw_returns = (None, None)

    def __init__(self, build: Callable[P, StreamOperation[E]], build_with: Callable[F, StreamOperation[E]]) -> None:
        """Remember both functions; `build` is one that chooses."""
        super().__init__(_either(build, build_with), build_with)

    if TYPE_CHECKING:

        @overload
        def __get__(self, resource: None, owner: type) -> Self: ...
        @overload
        def __get__(self, resource: SyncResource, owner: type) -> Method[F, P, Stream[E]]: ...
        @overload
        def __get__(self, resource: AsyncResource, owner: type) -> Method[F, P, AsyncStream[E]]: ...
        def __get__(self, resource: Any, owner: type) -> Any: ...


class SwitchEndpoint(_Descriptor, Generic[F, P, S, T, E]):
    """The descriptor behind `switch_endpoint`."""

    _returns = ("{0} | Stream[{1}]", "Coroutine[Any, Any, {0} | AsyncStream[{1}]]")
    _raw_returns = (
        "Answer[{0}] | Answer[Stream[{1}]]",
        "Coroutine[Any, Any, Answer[{0}] | Answer[AsyncStream[{1}]]]",
    )

    def __init__(
        self,
        build: Callable[P, Operation[T]],
        build_with: Callable[F, Operation[T]],
        build_stream: Callable[S, StreamOperation[E]],
    ) -> None:
        """Remember all three functions; `build` is one that chooses."""
        super().__init__(_switched(_either(build, build_with), build_stream), build_with, build_stream)

    def _make(self, client: Any, operation: Any) -> Any:
        """Have *client* make the call; one that streams is open at once."""
        if isinstance(operation, StreamOperation):
            return client.open_stream(operation, operation.options).open()
        return super()._make(client, operation)

    if TYPE_CHECKING:

        @overload
        def __get__(self, resource: None, owner: type) -> Self: ...
        @overload
        def __get__(self, resource: SyncResource, owner: type) -> SwitchMethod[F, P, S, T, Stream[E]]: ...
        @overload
        def __get__(
            self, resource: AsyncResource, owner: type
        ) -> SwitchMethod[F, P, S, Coroutine[Any, Any, T], Coroutine[Any, Any, AsyncStream[E]]]: ...
        @overload
        def __get__(
            self, resource: SyncRawResource, owner: type
        ) -> SwitchMethod[F, P, S, Answer[T], Answer[Stream[E]]]: ...
        @overload
        def __get__(
            self, resource: AsyncRawResource, owner: type
        ) -> SwitchMethod[F, P, S, Coroutine[Any, Any, Answer[T]], Coroutine[Any, Any, Answer[AsyncStream[E]]]]: ...
        def __get__(self, resource: Any, owner: type) -> Any: ...


class DownloadEndpoint(_Descriptor, Generic[P]):
    """The descriptor behind `download_endpoint`."""

    _verb = "open_download"
    _returns = ("Download", "AsyncDownload")
    _raw_returns = (None, None)

    if TYPE_CHECKING:

        def __init__(self, build: Callable[P, Operation[Any]]) -> None: ...
        @overload
        def __get__(self, resource: None, owner: type) -> Self: ...
        @overload
        def __get__(self, resource: SyncResource, owner: type) -> Callable[P, Download]: ...
        @overload
        def __get__(self, resource: AsyncResource, owner: type) -> Callable[P, AsyncDownload]: ...
        def __get__(self, resource: Any, owner: type) -> Any: ...


class DownloadBodyEndpoint(_Descriptor, Generic[F, P]):
    """The descriptor behind `download_body_endpoint`."""

    _verb = "open_download"
    _returns = ("Download", "AsyncDownload")
    _raw_returns = (None, None)

    def __init__(self, build: Callable[P, Operation[Any]], build_with: Callable[F, Operation[Any]]) -> None:
        """Remember both functions; `build` is one that chooses."""
        super().__init__(_either(build, build_with), build_with)

    if TYPE_CHECKING:

        @overload
        def __get__(self, resource: None, owner: type) -> Self: ...
        @overload
        def __get__(self, resource: SyncResource, owner: type) -> Method[F, P, Download]: ...
        @overload
        def __get__(self, resource: AsyncResource, owner: type) -> Method[F, P, AsyncDownload]: ...
        def __get__(self, resource: Any, owner: type) -> Any: ...


class PageEndpoint(_Descriptor, Generic[P, T]):
    """The descriptor behind `page_endpoint`."""

    _verb = "fetch_page"
    _returns = ("Page[{0}]", "Coroutine[Any, Any, AsyncPage[{0}]]")
    _raw_returns = ("Answer[Page[{0}]]", "Coroutine[Any, Any, Answer[AsyncPage[{0}]]]")

    if TYPE_CHECKING:

        def __init__(self, build: Callable[P, PageOperation[T]]) -> None: ...
        @overload
        def __get__(self, resource: None, owner: type) -> Self: ...
        @overload
        def __get__(self, resource: SyncResource, owner: type) -> Callable[P, Page[T]]: ...
        @overload
        def __get__(self, resource: AsyncResource, owner: type) -> Callable[P, Coroutine[Any, Any, AsyncPage[T]]]: ...
        @overload
        def __get__(self, resource: SyncRawResource, owner: type) -> Callable[P, Answer[Page[T]]]: ...
        @overload
        def __get__(
            self, resource: AsyncRawResource, owner: type
        ) -> Callable[P, Coroutine[Any, Any, Answer[AsyncPage[T]]]]: ...
        def __get__(self, resource: Any, owner: type) -> Any: ...


def endpoint(build: Callable[P, Operation[T]]) -> Endpoint[P, T]:
    """Return the attribute that makes *build* a method answered by one result."""
    return Endpoint(build)


def body_endpoint(build: Callable[P, Operation[T]], build_with: Callable[F, Operation[T]]) -> BodyEndpoint[F, P, T]:
    """Return the attribute that makes *build*, or *build_with* from fields, a method answered by one result."""
    return BodyEndpoint(build, build_with)


def stream_endpoint(build: Callable[P, StreamOperation[E]]) -> StreamEndpoint[P, E]:
    """Return the attribute that makes *build* a method answered by a stream, as a context manager."""
    return StreamEndpoint(build)


def stream_body_endpoint(
    build: Callable[P, StreamOperation[E]], build_with: Callable[F, StreamOperation[E]]
) -> StreamBodyEndpoint[F, P, E]:
    """Return the attribute that makes *build*, or *build_with* from fields, a method answered by a stream."""
    return StreamBodyEndpoint(build, build_with)


def switch_endpoint(
    build: Callable[P, Operation[T]],
    build_with: Callable[F, Operation[T]],
    build_stream: Callable[S, StreamOperation[E]],
) -> SwitchEndpoint[F, P, S, T, E]:
    """
    Return the attribute that makes *build* a method answered by one result or, given `stream=True`, by an open stream.

    The stream is open when the method returns, so the caller closes it: by a `with` block, or by reading to its end.
    """
    return SwitchEndpoint(build, build_with, build_stream)


def download_endpoint(build: Callable[P, Operation[Any]]) -> DownloadEndpoint[P]:
    """Return the attribute that makes *build* a method answered by bytes that are read as they come."""
    return DownloadEndpoint(build)


def download_body_endpoint(
    build: Callable[P, Operation[Any]], build_with: Callable[F, Operation[Any]]
) -> DownloadBodyEndpoint[F, P]:
    """Return the attribute that makes *build*, or *build_with* from fields, a method answered by bytes as they come."""
    return DownloadBodyEndpoint(build, build_with)


def page_endpoint(build: Callable[P, PageOperation[T]]) -> PageEndpoint[P, T]:
    """Return the attribute that makes *build* a method answered by one page."""
    return PageEndpoint(build)


def _answered(client: Any, operation: Any) -> Any:
    """Have *client* make the call and tell the head of its answer."""
    # loaded with the first such call
    from openai_client.raw_answers import answered

    return answered(client, operation)


def _answered_async(client: Any, operation: Any) -> Any:
    """Have *client* do so on an event loop."""
    from openai_client.raw_answers import answered_async

    return answered_async(client, operation)


def has_body(args: tuple[object, ...], kwargs: dict[str, object]) -> bool:
    """Tell whether a body was given as a whole: it is the last positional argument, and the others are text."""
    return "body" in kwargs or bool(args and not isinstance(args[-1], str))


def _either(build: Callable[..., Any], build_with: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that calls *build* when a body was given, and else *build_with*."""

    @functools.wraps(build)
    def choose(*args: Any, **kwargs: Any) -> Any:
        # None is no body: what a body needs is then asked for by name
        if args and args[-1] is None:
            args = args[:-1]
        if "body" in kwargs and kwargs["body"] is None:
            del kwargs["body"]
        return (build if has_body(args, kwargs) else build_with)(*args, **kwargs)

    return choose


def _switched(build: Callable[..., Any], build_stream: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that calls *build_stream* when `stream=True` is given, and else *build*."""

    @functools.wraps(build)
    def choose(*args: Any, **kwargs: Any) -> Any:
        if not kwargs.get("stream"):
            return build(*args, **kwargs)
        if has_body(args, kwargs):
            raise InvalidFieldValue("stream: with a body given as a model, call the streaming method instead")
        return build_stream(*args, **kwargs)

    return choose
