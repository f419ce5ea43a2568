"""
Settings that cannot be used: one problem for each, with the path of the setting and what would be accepted. Pure.

pydantic finds what is wrong; here it gets the words of whoever wrote the settings. A message never holds a value, for
any value may be a secret that stands in the wrong place.

Spec: HST-10, ADP-14, SEC-07
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from http_util.schema_words import expected_at, names_at, purpose_at, unknown_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

    from http_util.schema_words import Schema

Path = tuple[str, ...]
"""Names, and numbers of entries, that lead to a setting; empty for all of them together."""


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """One thing that is wrong."""

    path: Path
    what: str
    """What is wrong and what would be accepted; no value."""

    def __str__(self) -> str:
        """One line."""
        return ": ".join(part for part in (".".join(self.path), self.what) if part)


class InvalidSettings(ValueError):
    """
    Settings cannot be used. The text lists everything that is wrong, one a line, and shows no value.

    >>> print(InvalidSettings([SettingProblem(("http_2",), "unknown key; did you mean 'http2'?")]))
    http_2: unknown key; did you mean 'http2'?
    """

    def __init__(self, problems: Iterable[SettingProblem]) -> None:
        """Report *problems*, one or more."""
        self.problems: tuple[SettingProblem, ...] = tuple(problems)
        """Everything that is wrong."""
        super().__init__(self.problems)

    def __str__(self) -> str:
        """One line for each problem."""
        return "\n".join(map(str, self.problems))


def setting_problems(error: ValueError, given: Mapping[str, Any], schema: Schema) -> tuple[SettingProblem, ...]:
    """
    What *error* says is wrong with settings, one problem for each of them.

    Args:
        error: What refused them: `InvalidSettings`, a pydantic `ValidationError`, or any other `ValueError`, each line
            of which may begin with the name of the setting that it is about.
        given: The settings as they were refused: they tell names from the members of a union.
        schema: Their JSON schema, for the names that there are and what is expected; empty when it is not known.
    """
    if isinstance(error, InvalidSettings):
        return error.problems
    if isinstance(error, ValidationError):
        return _problems_found(error, given, schema)
    return tuple(_placed((), line, schema) for line in str(error).splitlines()) or (SettingProblem((), "is refused"),)


def _problems_found(error: ValidationError, given: Mapping[str, Any], schema: Schema) -> tuple[SettingProblem, ...]:
    """What pydantic has found. Of a union, what is wrong inside the member that was meant."""
    says: dict[Path, list[str]] = {}
    unions: set[Path] = set()
    too_short: set[Path] = set()
    for one in error.errors(include_url=False):
        path, union = _path_of(one, given, schema)
        if union is not None:
            unions.add(union)
        if one["type"] == "too_short":
            too_short.add(path)
        problem = _problem(one, path, schema)
        if problem.what not in (said := says.setdefault(problem.path, [])):
            said.append(problem.what)
    # Where a member of a union was meant, as what is wrong inside it shows, the others need not be named; and a list is
    # found too short where it is its entries that are wrong.
    for whole in unions | too_short:
        if any(len(path) > len(whole) and path[: len(whole)] == whole for path in says):
            says.pop(whole, None)
    return tuple(SettingProblem(path, ", or: ".join(said)) for path, said in says.items())


def _path_of(error: ErrorDetails, given: object, schema: Schema) -> tuple[Path, Path | None]:
    """The names that lead to *error*, as they are written; and those to the union that it is in, if it is."""
    path: Path = ()
    union: Path | None = None
    for place, part in enumerate(error["loc"], start=1):
        is_a_key = error["type"] in _OF_KEYS and place == len(error["loc"])
        is_given = is_a_key or (isinstance(given, Mapping) and part in given)
        # a default that does not fit the rest was not given, and has a name all the same
        if isinstance(part, int) or is_given or part in names_at(schema, path):
            path = (*path, str(part))
            given = given.get(part) if isinstance(given, Mapping) else _entry(given, part)
        elif part != "[key]":
            union = path
    return path, union


_OF_KEYS: Final = ("missing", "extra_forbidden")
"""Errors whose place ends in the name of a setting, also where it is not known what was given."""


def _entry(given: object, part: object) -> object:
    return given[part] if isinstance(given, list | tuple) and isinstance(part, int) and part < len(given) else None


def _problem(error: ErrorDetails, path: Path, schema: Schema) -> SettingProblem:
    """What is wrong and what is accepted."""
    kind, said = error["type"], error["msg"]
    if kind == "value_error":
        return _placed(path, said.removeprefix("Value error, "), schema)
    if kind == "missing":
        return SettingProblem(path, " ".join(["is required", *_purpose(schema, path)]))
    if kind == "extra_forbidden":
        return SettingProblem(path, unknown_name(path[-1], names_at(schema, path[:-1])))
    if error["loc"][-1:] == ("[key]",):
        return SettingProblem(path, f"cannot be a name here: {said[:1].lower()}{said[1:]}")
    expected = expected_at(schema, path)
    if not expected:
        return SettingProblem(path, said)
    is_of_another_type = kind.endswith(_OF_TYPES) and not expected.startswith("one of")
    got = f", got {_kind_of(error['input'])}" if is_of_another_type else ""
    return SettingProblem(path, " ".join([f"expected {expected}{got}", *_purpose(schema, path)]))


_OF_TYPES: Final = ("_type", "_parsing", "_from_float", "_instance_of", "literal_error")
"""How the names of those errors end that say that a value is of another type, or is not one of a few."""


def _purpose(schema: Schema, path: Path) -> list[str]:
    """What the setting is for, in brackets; nothing where that is not known."""
    return [f"({purpose})"] if (purpose := purpose_at(schema, path).removesuffix(".")) else []


def _kind_of(value: object) -> str:
    """What a value is, without the value."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, Mapping):
        return "a table"
    kinds = {str: "a text", int: "a number", float: "a number", list: "a list", tuple: "a list"}
    return kinds.get(type(value), type(value).__name__)


_FIRST_NAME: Final = re.compile(r"(?P<name>\w+)(?::)? (?P<rest>.+)", re.DOTALL)


def _placed(path: Path, text: str, schema: Schema) -> SettingProblem:
    """
    A sentence of somebody's check, put to the setting that it begins with.

    A rule over several settings is checked at one of them and speaks of another one.
    """
    found = _FIRST_NAME.match(text)
    if found is None:
        return SettingProblem(path, text)
    beside = path[:-1]
    if found["name"] not in (*path[-1:], *names_at(schema, beside)):
        return SettingProblem(path, text)
    # of two settings the sentence needs both names
    what = text if found["rest"].startswith("and ") else found["rest"]
    return SettingProblem((*beside, found["name"]), what)
