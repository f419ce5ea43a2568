"""
Of which kind the parameters of a query are, and the check that they are.

A body has models; a query has a handful of values, whose kinds the generated operations say: a type, the texts that may
be, a list of one of these, or any mapping.

Spec: CLI-09, ERR-01
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from openai_client.errors import InvalidFieldValue

Kind: TypeAlias = "type | tuple[str, ...] | list[Kind]"
"""`int`, `("asc", "desc")`, `[str]`, `dict`; a list has one kind, that of its items."""

_WORDS: Final[Mapping[Any, str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    dict: "a mapping",
}
_TYPES: Final[Mapping[Any, Any]] = {float: int | float, dict: Mapping}


def check_kind(name: str, value: object, kind: Kind) -> None:
    """
    Make sure that *value* may be sent as the parameter *name*; None is no value, and none is sent.

    Raises:
        InvalidFieldValue: It is of another kind, or none of the texts that may be; `param` is its place.

    Example:
        >>> check_kind("limit", 20, int)
        >>> check_kind("order", "sideways", ("asc", "desc"))
        Traceback (most recent call last):
        ...
        openai_client.errors.InvalidFieldValue: order: must be one of 'asc', 'desc', as a parameter of the query
    """
    if value is None:
        return
    if isinstance(kind, list):
        if not isinstance(value, list | tuple):
            raise _refusal(name, f"a list of {_words(kind[0])}", value)
        for place, item in enumerate(value):
            check_kind(f"{name}.{place}", item, kind[0])
    elif isinstance(kind, tuple):
        if not isinstance(value, str) or value not in kind:
            raise _refusal(name, _words(kind), value)
    elif not isinstance(value, _TYPES.get(kind, kind)) or (isinstance(value, bool) and kind is not bool):
        raise _refusal(name, _words(kind), value)


def _words(kind: Kind) -> str:
    if isinstance(kind, list):
        return f"lists of {_words(kind[0])}"
    return f"one of {', '.join(map(repr, kind))}" if isinstance(kind, tuple) else _WORDS[kind]


def _refusal(name: str, accepted: str, value: object) -> InvalidFieldValue:
    """Return the error; a text is not repeated, for it may be anything."""
    given = "" if isinstance(value, str) and accepted.startswith("one of") else f", not {type(value).__name__}"
    return InvalidFieldValue(f"{name}: must be {accepted}, as a parameter of the query{given}", param=name)
