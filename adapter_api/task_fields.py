"""
Checks of single fields. Each returns the value or raises `InvalidTask` naming the field and what it takes.

No check shows a text it refuses: it may be a prompt. Numbers and the short names of choices are shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from adapter_api.errors import InvalidTask

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

MAX_PROMPT_CHARACTERS: Final = 16 * 1024 * 1024
"""Longest prompt or message text. A context of a million tokens is about 4 million characters."""

MAX_DEPTH: Final = 64
"""Deepest nesting of messages and vendor fields; far beyond any tool schema, well within the JSON encoder's stack."""

_INTEGER_LIMIT: Final = 2**63 - 1
"""Engines keep seeds and counts in 64 bits."""

_LONGEST_SHOWN: Final = 10**40
"""Integers from here on are not printed."""

_PATH_LIMIT: Final = 200
"""Characters after which the path to a nested value is not drawn any further."""

_REFUSED: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Control characters but tab, line feed and carriage return; surrogates, which no UTF-8 can carry."""


def optional(check: Callable[..., T], field: str, value: object, **bounds: float) -> T | None:
    """*value* after *check*; None passes."""
    return None if value is None else check(field, value, **bounds)


def identifier(field: str, value: object, *, longest: int = 128) -> str:
    """A printable string of 1 to *longest* characters."""
    if isinstance(value, str) and 1 <= len(value) <= longest and value.isprintable():
        return value
    if not isinstance(value, str):
        got = type(value).__name__
    else:
        got = f"{len(value)} characters" if value.isprintable() else "one with a character that cannot be printed"
    raise InvalidTask(field, f"expected a printable string of 1 to {longest} characters, got {got}")


def choice(field: str, value: object, allowed: Sequence[str]) -> str:
    """One of *allowed*."""
    if isinstance(value, str) and value in allowed:
        return value
    shown = ascii(value[:40]) if isinstance(value, str) else type(value).__name__
    raise InvalidTask(field, f"expected one of {', '.join(allowed)}, got {shown}")


def boolean(field: str, value: object) -> bool:
    """True or False, nothing that merely counts as one."""
    if not isinstance(value, bool):
        raise InvalidTask(field, f"expected true or false, got {type(value).__name__}")
    return value


def integer(field: str, value: object, *, least: int = -_INTEGER_LIMIT) -> int:
    """An integer from *least* to 2**63 - 1; a boolean is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidTask(field, f"expected an integer, got {type(value).__name__}")
    if not least <= value <= _INTEGER_LIMIT:
        accepted = f"of {least} or more" if 0 <= least > value else "of at most 64 bits"
        raise InvalidTask(field, f"expected an integer {accepted}, got {_shown(value)}")
    return value


def number(field: str, value: object, *, least: float, most: float) -> float:
    """A finite number from *least* to *most*, both included; a boolean is none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise InvalidTask(field, f"expected a number from {least} to {most}, got {type(value).__name__}")
    if not least <= value <= most:
        raise InvalidTask(field, f"expected a number from {least} to {most}, got {_shown(value)}")
    return value


def text(field: str, value: object, *, least: int = 1) -> str:
    """A text of *least* to `MAX_PROMPT_CHARACTERS` characters that UTF-8 can carry, without control characters."""
    if not isinstance(value, str):
        raise InvalidTask(field, f"expected a text, got {type(value).__name__}")
    if not least <= len(value) <= MAX_PROMPT_CHARACTERS:
        raise InvalidTask(field, f"expected {least} to {MAX_PROMPT_CHARACTERS} characters, got {len(value)}")
    if (refused := _REFUSED.search(value)) is not None:
        found = f"U+{ord(refused.group()):04X} at position {refused.start()}"
        raise InvalidTask(field, f"expected no control characters but tab and line ends, no surrogates, got {found}")
    return value


def sequence(field: str, value: object) -> Sequence[Any]:
    """A list or tuple; a string is none."""
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes, bytearray)):
        raise InvalidTask(field, f"expected a list, got {type(value).__name__}")
    return value


def texts(field: str, value: object) -> Sequence[str]:
    """A list of texts, each as `text` takes it."""
    entries = sequence(field, value)
    for index, entry in enumerate(entries):
        text(f"{field}[{index}]", entry)
    return entries


def messages(field: str, value: object) -> Sequence[Mapping[str, Any]]:
    """A conversation: one or more mappings, each with a `role`, of JSON values."""
    conversation = sequence(field, value)
    if not conversation:
        raise InvalidTask(field, "expected at least one message, got none")
    for index, entry in enumerate(conversation):
        message = json_object(f"{field}[{index}]", entry)
        identifier(f"{field}[{index}].role", message.get("role"))
    return conversation


def mapping(field: str, value: object) -> Mapping[Any, Any]:
    """A mapping, of whatever."""
    if not isinstance(value, Mapping):
        raise InvalidTask(field, f"expected a mapping, got {type(value).__name__}")
    return value


def json_object(field: str, value: object) -> Mapping[str, Any]:
    """A mapping with string keys, of values that JSON can carry."""
    members = mapping(field, value)
    _json_value(field, members, depth=1)
    return members


def key_name(name: object) -> str:
    """*name* as an error may show it: 64 characters at most, all printable."""
    return "".join(character if character.isprintable() else "?" for character in str(name)[:64])


def _json_value(field: str, value: object, *, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidTask(field, f"expected at most {MAX_DEPTH} levels of nesting")
    if isinstance(value, Mapping):
        for name, entry in value.items():
            _json_value(_below(field, _json_key(field, name)), entry, depth=depth + 1)
    elif isinstance(value, (list, tuple)):
        for index, entry in enumerate(value):
            _json_value(_below(field, index), entry, depth=depth + 1)
    elif isinstance(value, str):
        text(field, value, least=0)
    else:
        _json_scalar(field, value)


def _json_key(field: str, name: object) -> str:
    if not isinstance(name, str):
        raise InvalidTask(field, f"expected string keys, got {type(name).__name__}")
    return text(f"{field} key", name, least=0)


def _json_scalar(field: str, value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidTask(field, f"expected a finite number, got {value}")
    if isinstance(value, int) and abs(value) > 2 * _INTEGER_LIMIT + 1:
        raise InvalidTask(field, "expected an integer of at most 64 bits")
    if value is not None and not isinstance(value, (bool, int, float)):
        raise InvalidTask(field, f"expected a JSON value, got {type(value).__name__}")


def _below(field: str, step: str | int) -> str:
    """The path of the member *step* of *field*; no path grows without end."""
    if len(field) > _PATH_LIMIT:
        return field
    return f"{field}[{step}]" if isinstance(step, int) else f"{field}.{key_name(step)}"


def _shown(value: float) -> str:
    """*value* in figures, unless it has so many that Python would refuse to print them."""
    return "a huge number" if isinstance(value, int) and abs(value) >= _LONGEST_SHOWN else repr(value)
