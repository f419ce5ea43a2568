"""
What is wrong with the fields of a body, in one sentence: the field, what would be accepted, and where else to look.

Of a union the faults of every form are told; what is said is the fault of the form that came nearest. No value is ever
repeated, because bodies hold prompts.

Spec: ERR-01, CLI-09
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openai_client.base_model import NO_SUCH_TAG
from openai_client.errors import InvalidFieldValue, MissingRequiredField, OpenAIError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_TYPES: Final = frozenset({"absent", "bool", "bytes", "float", "int", "str"})
_MOST_PLACES: Final = 3
"""Other faults that are told by name."""


def refused(problem: ValidationError, known: Iterable[str] = ()) -> OpenAIError:
    """
    Return the error for the first of the faults in *problem*, and say where the others are.

    Args:
        problem: Of a body, or of an event.
        known: The names that may stand at its top, for whoever mistyped one.
    """
    faults = problem.errors(include_input=False, include_url=False, include_context=False)
    found = _nearest_form(faults)
    place, more = _place(found), _others(faults, found)
    if found["type"] == "missing":
        return MissingRequiredField(f"{place}: must be given{more}", param=place)
    if found["type"] == "extra_forbidden":
        hint = _meant(str(found["loc"][0]), known) if len(found["loc"]) == 1 else ""
        return InvalidFieldValue(f"{place}: unknown field; {hint}vendor fields go into extra_body{more}", param=place)
    return InvalidFieldValue(f"{place}: {_words(faults, found)}{more}", param=place)


def _nearest_form(faults: Sequence[ErrorDetails]) -> ErrorDetails:
    """Return the first fault; where it is one form of a union, the one of the form that fits furthest inside."""
    first = faults[0]
    if not _is_form(first["loc"][-1:]):
        return first
    union = first["loc"][:-1]
    return max((fault for fault in faults if fault["loc"][: len(union)] == union), key=lambda fault: len(fault["loc"]))


def _is_form(parts: Sequence[int | str]) -> bool:
    """Tell whether *parts* has one, and it names a form of a union and no field: types, and classes of models."""
    return any(isinstance(part, str) and ("[" in part or part in _TYPES or part[:1].isupper()) for part in parts)


def _place(fault: ErrorDetails) -> str:
    parts = [str(part) for part in fault["loc"] if not _is_form([part])]
    # the union says which of its fields nobody knows
    if fault["type"] == NO_SUCH_TAG:
        parts.append(fault["msg"].partition(": ")[0])
    return ".".join(parts)


def _words(faults: Sequence[ErrorDetails], found: ErrorDetails) -> str:
    """Return what is expected at the place of *found*, in all forms that it may have."""
    place = _place(found)
    told = [_expected(fault) for fault in faults if _place(fault) == place]
    return "; or: ".join(dict.fromkeys(told))


def _expected(fault: ErrorDetails) -> str:
    if fault["type"] == NO_SUCH_TAG:
        return fault["msg"].partition(": ")[2]
    return fault["msg"].removeprefix("Value error, ")


def _others(faults: Sequence[ErrorDetails], found: ErrorDetails) -> str:
    """Return where the faults are that are no other form of *found*."""
    first = faults[0]["loc"]
    union: Sequence[Any] = first[:-1] if _is_form(first[-1:]) else first
    others = (fault for fault in faults if fault["loc"][: len(union)] != union)
    places = [place for place in dict.fromkeys(map(_place, others)) if place != _place(found)]
    if not places:
        return ""
    named = ", ".join(places[:_MOST_PLACES]) + (", ..." if len(places) > _MOST_PLACES else "")
    return f" (and {len(places)} more: {named})"


def _meant(name: str, known: Iterable[str]) -> str:
    # loaded only when there is something to say
    from http_util.schema_words import nearest

    near = nearest(name, known)
    return "" if near is None else f"did you mean {near!r}? "
