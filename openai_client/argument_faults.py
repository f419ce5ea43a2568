"""
What is wrong with the arguments of a method, by the name that callers know it by, and what it takes instead.

Python speaks of the function behind the method, and that of no caller. Loaded when an argument cannot be used.

Spec: CLI-03, ERR-01
"""

from __future__ import annotations

import inspect
import re
import sys
from inspect import Parameter
from typing import TYPE_CHECKING, Any, Final

from openai_client.calling import CallKeywords
from openai_client.errors import InvalidFieldValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openai_client.resource_methods import ResourceMethod

_CALL: Final = frozenset(CallKeywords.__annotations__)
_MOST_NAMES: Final = 6
"""Own arguments that are told by name."""


def told(method: ResourceMethod, error: Exception, args: Sequence[object], kwargs: Mapping[str, object]) -> Exception:
    """
    Return what to raise for *error*, which calling *method* with *args* and *kwargs* ended in.

    That is *error* itself, unless the arguments do not fit the method. No value of them is repeated.
    """
    if isinstance(error, TypeError):
        problem = _misfit(method, args, kwargs)
        return error if problem is None else TypeError(f"{_public_name(method)}: {problem}; {_accepted(method)}")
    param = getattr(error, "param", None)
    if not isinstance(param, str) or param not in kwargs or (_takes_body(method) and not _gives_body(args, kwargs)):
        return error
    return _unknown(method, param) or error


def _takes_body(method: ResourceMethod) -> bool:
    return "body" in inspect.signature(method.build).parameters


def _gives_body(args: Sequence[object], kwargs: Mapping[str, object]) -> bool:
    # as the method chooses
    from openai_client.binding import has_body

    return has_body(tuple(args), dict(kwargs))


def _misfit(method: ResourceMethod, args: Sequence[object], kwargs: Mapping[str, object]) -> str | None:
    """Return how the arguments do not fit the function behind *method*, None when they do."""
    whole = _takes_body(method) and _gives_body(args, kwargs)
    try:
        inspect.signature(method.build if whole else method.takes).bind(*args, **kwargs)
    except TypeError as problem:
        return str(problem)
    return None


def _unknown(method: ResourceMethod, param: str) -> InvalidFieldValue | None:
    """Return what to say of the argument *param* if *method* does not have it beside a whole body, else None."""
    own = _own(method)
    if param in inspect.signature(method.build).parameters or param in _CALL:
        return None
    if param in own:
        if not _takes_body(method):
            return None
        return InvalidFieldValue(
            f"{param}: a field of the body, which is given whole here; set it there, or give all fields by name",
            param=param,
        )
    from http_util.schema_words import nearest

    near = nearest(param, [*own, *_CALL])
    meant = "" if near is None else f"did you mean {near!r}? "
    return InvalidFieldValue(f"{param}: unknown argument; {meant}{_accepted(method)}", param=param)


def _own(method: ResourceMethod) -> dict[str, Parameter]:
    """Return the arguments of *method* that not every call has, what is needed first."""
    shown = inspect.signature(method).parameters
    return {name: item for name, item in shown.items() if name not in {"self", *_CALL}}


def _accepted(method: ResourceMethod) -> str:
    """Return what *method* takes, in words."""
    own = _own(method)
    placed = [name for name, item in own.items() if item.kind is not Parameter.KEYWORD_ONLY]
    named = [name for name in own if name not in placed]
    is_call = inspect.signature(method).parameters.keys() >= _CALL
    more = ", ..." if len(named) > _MOST_NAMES else ""
    body = inspect.signature(method.build).parameters.get("body")
    parts = [
        f"{', '.join(placed)} by position" if placed else "",
        f"by name {', '.join(named[:_MOST_NAMES])}{more}" if named else "",
        f"or the body whole, a {body.annotation}, as the last one by position" if body is not None else "",
        f"and what every call takes: {', '.join(sorted(_CALL))}" if is_call else "",
    ]
    return f"it takes {', '.join(part for part in parts if part)}"


def _public_name(method: ResourceMethod) -> str:
    """Return the way to *method* from a client, which its class tells."""
    owner, _, name = method.__qualname__.rpartition(".")
    described: Any = getattr(sys.modules[method.__module__], owner, None)
    way = re.match(r"`(client\.[\w.]+)`", getattr(described, "__doc__", None) or "")
    return f"{way[1]}.{name}" if way else method.__qualname__
