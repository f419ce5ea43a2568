"""
Taking the frames out of an error that becomes the cause of another one.

Frames keep their local variables alive, and reporters show them. Those below a border hold what nobody outside should
see: the bytes of a request, credentials included, and what an upstream said, who may have repeated them. So where an
error crosses a border and becomes another one, it keeps its class and its words. It loses its frames and the memory
that they kept, and whatever it was raised ``from None`` to hide.

Spec: SEC-01, SEC-16
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

E = TypeVar("E", bound=BaseException)
C = TypeVar("C")
R = TypeVar("R")
P = ParamSpec("P")

# Longer chains do not occur; a cycle does, when exceptions are raised again by hand.
_MOST_LINKS = 64


def without_frames(error: E) -> E:
    """
    Return *error* itself, which has lost its traceback and hidden contexts, and so has everything that led to it.

    >>> def border() -> None:
    ...     try:
    ...         {}["key"]
    ...     except KeyError as error:
    ...         raise LookupError("not there") from without_frames(error)
    >>> try:
    ...     border()
    ... except LookupError as error:
    ...     print(repr(error.__cause__), error.__cause__.__traceback__)
    KeyError('key') None

    Spec: SEC-01
    """
    for link in _chain(error):
        link.__traceback__ = None
        if link.__suppress_context__:
            link.__context__ = None
    return error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and its causes, contexts and members, each once."""
    left, seen = [error], set[int]()
    while left and len(seen) < _MOST_LINKS:
        link = left.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        members = link.exceptions if isinstance(link, BaseExceptionGroup) else ()
        left += [found for found in (link.__cause__, link.__context__, *members) if found is not None]


def shows_no_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """
    Return *function*, of whose arguments no frame of a refusal shows any: for what is given keys, or an environment.

    Raises what *function* does, without the frames below.

    >>> @shows_no_arguments
    ... def checked(password: str) -> None:
    ...     raise ValueError("too short")
    >>> try:
    ...     checked("hunter2")
    ... except ValueError as error:
    ...     print(error, error.__traceback__.tb_next.tb_frame.f_locals.keys())
    too short dict_keys(['refusal', 'function'])

    Spec: SEC-01
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - raised again
            refusal = without_frames(error)
        del args, kwargs
        raise refusal

    return call


def made_unseen(kind: type[C]) -> type[C]:
    """
    Return *kind*, a dataclass, of whose arguments no frame of a refusal shows any, nor the object that is half made.

    Spec: SEC-01
    """
    kind.__init__ = shows_no_arguments(kind.__init__)  # type: ignore[method-assign] # the very point
    return kind
