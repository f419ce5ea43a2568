"""
Descriptors that make client events methods of a session, so that each is written once.

    class _SessionCommands:
        update = command(session_update)

    class SessionCommands(_SessionCommands, SyncCommands): ...
    class AsyncSessionCommands(_SessionCommands, AsyncCommands): ...

The function builds the event out of its fields; the method sends it. What it is sent on is the session.

Spec: RT-01
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from pydantic import BaseModel, ValidationError

from openai_client.body_faults import refused
from openai_client.resource_methods import ResourceMethod, Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

P = ParamSpec("P")
M = TypeVar("M", bound=BaseModel)


class Sender(Protocol):
    """What commands are sent on."""

    def send(self, event: BaseModel, /) -> None:
        """Send an event; raises the client's errors."""


class AsyncSender(Protocol):
    """What commands are sent on, on an event loop."""

    async def send(self, event: BaseModel, /) -> None:
        """Send an event; raises the client's errors."""


class SyncCommands:
    """Some events of a session, or a part of them, as methods that block."""

    def __init__(self, sender: Sender) -> None:
        """Send on *sender*."""
        self._sender = sender


class AsyncCommands:
    """Some events of a session, or a part of them, as methods that are awaited."""

    def __init__(self, sender: AsyncSender) -> None:
        """Send on *sender*."""
        self._sender = sender


class _CommandMethod(ResourceMethod):
    """A method that sends an event."""

    def __call__(self, commands: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Send it."""
        refusal: Exception
        try:
            event = self.build(*args, **kwargs)
        # whatever it is; the frames below hold prompts
        except Exception as error:  # noqa: BLE001 - raised again
            refusal = self.refusal(error, args, kwargs)
        else:
            # this frame may be shown in a traceback; an event hides what is in it
            del args, kwargs
            # commands and their methods are one thing in two classes
            return commands._sender.send(event)  # noqa: SLF001
        del args, kwargs
        raise refusal


class Command(Generic[P]):
    """The descriptor behind `command`."""

    def __init__(self, build: Callable[P, BaseModel]) -> None:
        """Remember the function that builds the event."""
        self.build = build
        """For callers who want the event as a value."""
        self.__doc__ = build.__doc__
        self._name = build.__name__
        self._methods: dict[type, _CommandMethod] = {}

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember the name of the method."""
        self._name = name

    @overload
    def __get__(self, commands: None, owner: type) -> Self: ...
    @overload
    def __get__(self, commands: SyncCommands, owner: type) -> Callable[P, None]: ...
    @overload
    def __get__(self, commands: AsyncCommands, owner: type) -> Callable[P, Coroutine[Any, Any, None]]: ...
    def __get__(self, commands: SyncCommands | AsyncCommands | None, owner: type) -> Any:
        """Return the method that sends the event, or the function of the class *owner*."""
        method = self._methods.get(owner)
        if method is None:
            returns = "Coroutine[Any, Any, None]" if issubclass(owner, AsyncCommands) else "None"
            shown = Shown(self.build, (), returns)
            method = self._methods[owner] = _CommandMethod(owner, self._name, self.build, shown)
        return method.__get__(commands)


def command(build: Callable[P, BaseModel]) -> Command[P]:
    """Return the attribute that makes *build* a method that sends the event."""
    return Command(build)


def event_of(model: type[M], fields: Any) -> M:
    """
    Return the event that *fields*, a dictionary by name, describe; they are cleared when they describe none.

    Raises:
        MissingRequiredField: A field that the event needs is not there.
        InvalidFieldValue: A field is unknown, or its value is not accepted. No value is repeated.
    """
    try:
        return model(**fields)
    except ValidationError as problem:
        failure = refused(problem, model.__pydantic_core_schema__)
    # this frame and the one that they were given to may be shown in a traceback, and they hold prompts
    fields.clear()
    raise failure
