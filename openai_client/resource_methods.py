"""
What a resource has under the name of an operation: a function that knows what it is called and what it takes.

There is one for each class that has the method, made when it is first looked up. `help` and `inspect.signature` see
what may be given to it, which is put together when they ask.

Spec: CLI-03
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from inspect import cleandoc, iscoroutinefunction
from types import MethodType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast, get_overloads

from http_util.frames import without_frames
from openai_client.errors import InvalidFieldValue

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

_BODY: Final = "\n\nThe body may be given whole in place of its fields: a `{}`, as the last positional argument."


class Shown(NamedTuple):
    """What a signature is made of."""

    takes: Callable[..., Any]
    """Has the parameters: those of the path, and the fields."""
    builds: tuple[Callable[..., Any], ...]
    """Return what is called for; the parameter of their type is what the method gives."""
    returns: str
    """How that is given, such as `Page[{0}]`."""
    streams: bool = False
    """Whether the method streams for `stream=True`."""


class ShownMethod(ABC):
    """A function of a class: `MethodType` binds it to a resource, as a function that was written with `def`."""

    def __init__(self, names: tuple[str, str, str], doc: str | None, shown: Shown) -> None:
        """
        Describe the method.

        Args:
            names: Its module, its class, and its own.
            doc: What it does.
            shown: What the signature is made of.
        """
        self.__module__, owner, self.__name__ = names
        self.__qualname__ = f"{owner}.{self.__name__}"
        self.__doc__ = doc
        self._shown = shown

    @functools.cached_property
    def __signature__(self) -> inspect.Signature:
        """What may be given to it, and what it returns."""
        # whoever never asks does not pay for it
        from openai_client.signatures import signature_of

        return signature_of(self._shown)

    def __get__(self, resource: object, owner: type | None = None) -> Any:
        """Return the method of *resource*, as functions do: so it counts as one."""
        return self if resource is None else MethodType(self, resource)

    @abstractmethod
    def __call__(self, resource: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Do what the method does for *resource*."""

    def __repr__(self) -> str:
        """Return what a function says of itself, without an address."""
        return f"<function {self.__qualname__}>"


class ResourceMethod(ShownMethod):
    """A method that is made of a function that returns what is called for: an operation, or a plan."""

    def __init__(self, owner: type, name: str, build: Callable[..., Any], shown: Shown) -> None:
        """
        Describe the method.

        Args:
            owner: The class that has it.
            name: Under which it has it.
            build: Makes the value that is called for.
            shown: What the signature is made of.
        """
        body = getattr(build, "__annotations__", {}).get("body")
        doc = build.__doc__ if body is None else f"{cleandoc(build.__doc__ or '')}{_BODY.format(body)}"
        super().__init__((owner.__module__, owner.__qualname__, name), doc, shown)
        self.__wrapped__ = self.build = build
        """The function that returns the value, for callers who want that."""
        self.takes: Final = shown.takes
        """The function that has the fields of the body as arguments, where there is a body; else the same."""

    def refusal(self, error: Exception, args: tuple[object, ...], kwargs: dict[str, object]) -> Exception:
        """Return what a caller is told of *error*, which *args* and *kwargs* ended in; it keeps no frames."""
        if isinstance(error, TypeError | InvalidFieldValue):
            from openai_client.argument_faults import told

            error = told(self, error, args, kwargs)
        return without_frames(error)


class WrittenMethod(ShownMethod):
    """A method that was written with `def`, shown with the fields that its keywords stand for."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """Describe *function*; of several signatures the last one is shown, for that is the one with the fields."""
        takes = (get_overloads(function) or [function])[-1]
        returns: str = takes.__annotations__["return"]
        if iscoroutinefunction(function):
            returns = f"Coroutine[Any, Any, {returns}]"
        owner, _, name = function.__qualname__.rpartition(".")
        super().__init__((function.__module__, owner, name), function.__doc__, Shown(takes, (), returns))
        self._function = function

    def __call__(self, resource: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Do what the function does."""
        try:
            return self._function(resource, *args, **kwargs)
        finally:
            # this frame may be shown in a traceback, where half-made settings tell what was given
            del resource, args, kwargs


def shows_fields(function: F) -> F:
    """Return *function*, a method, as one that `help` shows with the fields that its keywords stand for."""
    # what it is called with and gives is the same
    return cast("F", WrittenMethod(function))


class OperationMethod(ResourceMethod):
    """A method that has the resource's client make a call."""

    def __init__(
        self, owner: type, name: str, build: Callable[..., Any], shown: Shown, make: Callable[[Any, Any], Any]
    ) -> None:
        """Describe the method; *make* has a client make the call."""
        super().__init__(owner, name, build, shown)
        self._make = make

    def __call__(self, resource: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Make the call; raises what is wrong with the arguments at once, also on an event loop."""
        refusal: Exception
        try:
            operation = self.build(*args, **kwargs)
        # whatever it is; the frames below hold prompts
        except Exception as error:  # noqa: BLE001 - raised again
            refusal = self.refusal(error, args, kwargs)
        else:
            # this frame may be shown in a traceback; that of an operation hides what is in it
            del args, kwargs
            # a resource and its methods are one thing in two classes
            return self._make(resource._client, operation)  # noqa: SLF001
        del args, kwargs
        raise refusal
