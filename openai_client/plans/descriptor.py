"""
The descriptor that gives a plan its colour, as those of `openai_client.binding` do for an operation.

Spec: CLI-20
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, overload

from openai_client.binding import AsyncResource, SyncResource

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from openai_client.plans.steps import Steps

P = ParamSpec("P")
T = TypeVar("T")


class StepsEndpoint(Generic[P, T]):
    """The descriptor behind `steps_endpoint`."""

    def __init__(self, build: Callable[P, Steps[T]]) -> None:
        """Remember the function that makes the plan."""
        self.build = build
        """The function that makes the plan, for callers who want the value."""
        self.__doc__ = build.__doc__

    if TYPE_CHECKING:

        @overload
        def __get__(self, resource: None, owner: type) -> Self: ...
        @overload
        def __get__(self, resource: SyncResource, owner: type) -> Callable[P, T]: ...
        @overload
        def __get__(self, resource: AsyncResource, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
        def __get__(self, resource: Any, owner: type) -> Any: ...

    else:

        def __get__(self, resource: SyncResource | AsyncResource | None, owner: type) -> Any:
            """Return the plan as a method of *resource*, or the descriptor itself on the class."""
            return self if resource is None else _bound(self.build, resource)


def steps_endpoint(build: Callable[P, Steps[T]]) -> StepsEndpoint[P, T]:
    """Return the attribute that makes *build* a method that takes the steps of its plan."""
    return StepsEndpoint(build)


def _bound(build: Callable[..., Steps[Any]], resource: SyncResource | AsyncResource) -> Callable[..., Any]:
    # loaded with the first wait
    from openai_client.plans.walking import wait_for, wait_for_async

    walk: Callable[..., Any] = wait_for if isinstance(resource, SyncResource) else wait_for_async
    # a resource and its descriptors are one thing in two classes
    client = resource._client  # noqa: SLF001

    @functools.wraps(build)
    def call(*args: Any, **kwargs: Any) -> Any:
        return walk(client, build(*args, **kwargs))

    return call
