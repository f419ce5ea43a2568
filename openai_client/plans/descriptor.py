"""
The descriptor that gives a plan its colour, as those of `openai_client.binding` do for an operation.

Spec: CLI-20
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, overload

from openai_client.binding import AsyncResource, SyncResource
from openai_client.resource_methods import ResourceMethod, Shown

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
        self._name = build.__name__
        self._methods: dict[type, _StepsMethod] = {}

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember the name of the method."""
        self._name = name

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
            """Return the plan as a method of *resource*, or the function of the class *owner*."""
            method = self._methods.get(owner)
            if method is None:
                returns = "Coroutine[Any, Any, {0}]" if issubclass(owner, AsyncResource) else "{0}"
                shown = Shown(self.build, (self.build,), returns)
                method = self._methods[owner] = _StepsMethod(owner, self._name, self.build, shown)
            return method.__get__(resource)


def steps_endpoint(build: Callable[P, Steps[T]]) -> StepsEndpoint[P, T]:
    """Return the attribute that makes *build* a method that takes the steps of its plan."""
    return StepsEndpoint(build)


class _StepsMethod(ResourceMethod):
    """A method that takes the steps of a plan."""

    def __call__(self, resource: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Take the steps."""
        # loaded with the first wait
        from openai_client.plans.walking import wait_for, wait_for_async

        walk: Callable[..., Any] = wait_for if isinstance(resource, SyncResource) else wait_for_async
        try:
            plan = self.build(*args, **kwargs)
        # whatever it is; the frames below may hold prompts
        except Exception as error:  # noqa: BLE001 - raised again
            refusal = self.refusal(error, args, kwargs)
        else:
            # a resource and its methods are one thing in two classes
            return walk(resource._client, plan)  # noqa: SLF001
        del args, kwargs
        raise refusal
