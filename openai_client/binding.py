"""
Descriptors that give an operation its colour, so that a family is written once.

A family's class lists its operations; on a `SyncResource` each of them is a function that blocks and returns the
result, on an `AsyncResource` one that returns an awaitable. Both keep the operation's parameters and its exact result
type.

    class _Models:
        retrieve = endpoint(retrieve)

    class Models(_Models, SyncResource): ...
    class AsyncModels(_Models, AsyncResource): ...

Spec: CLI-02, CLI-03
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from openai_client.operation import CallOptions, Operation, PageOperation, StreamOperation
    from openai_client.pagination import AsyncPage, Page
    from openai_client.streams import AsyncStream, Stream

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E")


class SyncCaller(Protocol):
    """What a blocking client does for its resources."""

    def execute(self, operation: Operation[T], options: CallOptions) -> T:
        """Make the call and return its parsed result; raises the client's errors."""

    def open_stream(self, operation: StreamOperation[E], options: CallOptions) -> Stream[E]:
        """Return a context manager; entering makes the call, leaving closes the response."""

    def fetch_page(self, operation: PageOperation[T], options: CallOptions) -> Page[T]:
        """Make the call and return the page; raises the client's errors."""


class AsyncCaller(Protocol):
    """What a client on an event loop does for its resources."""

    async def execute(self, operation: Operation[T], options: CallOptions) -> T:
        """Make the call and return its parsed result; raises the client's errors."""

    def open_stream(self, operation: StreamOperation[E], options: CallOptions) -> AsyncStream[E]:
        """Return a context manager; entering makes the call, leaving closes the response."""

    async def fetch_page(self, operation: PageOperation[T], options: CallOptions) -> AsyncPage[T]:
        """Make the call and return the page; raises the client's errors."""


class SyncResource:
    """A family, or a part of one, whose operations block."""

    def __init__(self, client: SyncCaller) -> None:
        """Bind the resource to *client*, which it keeps alive."""
        self._client = client

    def __repr__(self) -> str:
        """Return the family's name and its client."""
        return f"{type(self).__name__}({self._client!r})"


class AsyncResource:
    """A family, or a part of one, whose operations are awaited."""

    def __init__(self, client: AsyncCaller) -> None:
        """Bind the resource to *client*, which it keeps alive."""
        self._client = client

    def __repr__(self) -> str:
        """Return the family's name and its client."""
        return f"{type(self).__name__}({self._client!r})"


class Endpoint(Generic[P, T]):
    """The descriptor behind `endpoint`."""

    def __init__(self, build: Callable[P, Operation[T]]) -> None:
        """Remember *build*, the function that returns the operation."""
        self.build = build
        """The function that returns the operation, for callers who want the value."""
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: SyncResource, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, resource: AsyncResource, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, resource: SyncResource | AsyncResource | None, owner: type) -> Any:
        """Return the operation bound to the client of *resource*, or the descriptor itself on the class."""
        return self if resource is None else _bound(self.build, resource, "execute")


class StreamEndpoint(Generic[P, E]):
    """The descriptor behind `stream_endpoint`."""

    def __init__(self, build: Callable[P, StreamOperation[E]]) -> None:
        """Remember *build*, the function that returns the operation."""
        self.build = build
        """The function that returns the operation, for callers who want the value."""
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: SyncResource, owner: type) -> Callable[P, Stream[E]]: ...
    @overload
    def __get__(self, resource: AsyncResource, owner: type) -> Callable[P, AsyncStream[E]]: ...
    def __get__(self, resource: SyncResource | AsyncResource | None, owner: type) -> Any:
        """Return the operation bound to the client of *resource*, or the descriptor itself on the class."""
        return self if resource is None else _bound(self.build, resource, "open_stream")


class PageEndpoint(Generic[P, T]):
    """The descriptor behind `page_endpoint`."""

    def __init__(self, build: Callable[P, PageOperation[T]]) -> None:
        """Remember *build*, the function that returns the operation."""
        self.build = build
        """The function that returns the operation, for callers who want the value."""
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, resource: None, owner: type) -> Self: ...
    @overload
    def __get__(self, resource: SyncResource, owner: type) -> Callable[P, Page[T]]: ...
    @overload
    def __get__(self, resource: AsyncResource, owner: type) -> Callable[P, Coroutine[Any, Any, AsyncPage[T]]]: ...
    def __get__(self, resource: SyncResource | AsyncResource | None, owner: type) -> Any:
        """Return the operation bound to the client of *resource*, or the descriptor itself on the class."""
        return self if resource is None else _bound(self.build, resource, "fetch_page")


def endpoint(build: Callable[P, Operation[T]]) -> Endpoint[P, T]:
    """Return the attribute that makes *build* a method answered by one result."""
    return Endpoint(build)


def stream_endpoint(build: Callable[P, StreamOperation[E]]) -> StreamEndpoint[P, E]:
    """Return the attribute that makes *build* a method answered by a stream, as a context manager."""
    return StreamEndpoint(build)


def page_endpoint(build: Callable[P, PageOperation[T]]) -> PageEndpoint[P, T]:
    """Return the attribute that makes *build* a method answered by one page."""
    return PageEndpoint(build)


def _bound(build: Callable[..., Any], resource: SyncResource | AsyncResource, verb: str) -> Callable[..., Any]:
    # a resource and its descriptors are one thing in two classes
    make = getattr(resource._client, verb)  # noqa: SLF001

    @functools.wraps(build)
    def call(*args: Any, **kwargs: Any) -> Any:
        operation = build(*args, **kwargs)
        return make(operation, operation.options)

    return call
