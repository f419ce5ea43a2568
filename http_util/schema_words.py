"""
A JSON schema in words: which names a table takes, and what is expected at a place. Pure.

Enough of the standard for the schemas that pydantic writes: references, unions, tables with fixed or free names, lists.

Spec: HST-10, ADP-14
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Schema = Mapping[str, Any]
"""A JSON schema, or a part of one."""

_NEAR: Final = 0.65
"""How alike two names are, from 0 to 1, before one is taken for a slip of the other."""

_MOST_HOPS: Final = 16
"""References that are followed in a row; a schema that needs more goes round in circles."""


def names_at(schema: Schema, path: Sequence[str]) -> tuple[str, ...]:
    """The names that the table at *path* takes; empty where it takes any, or where there is no table."""
    return tuple(dict.fromkeys(name for node in _nodes(schema, path) for name in node.get("properties", ())))


def unknown_name(name: str, known: Sequence[str]) -> str:
    """
    What is said of a name that is none of *known*.

    >>> unknown_name("http_2", ["http2", "proxy"])
    "unknown key; did you mean 'http2'?"
    >>> unknown_name("colour", ["http2", "proxy"])
    'unknown key; there are: http2, proxy'
    """
    if near := difflib.get_close_matches(name, known, n=2, cutoff=_NEAR):
        return f"unknown key; did you mean {' or '.join(map(repr, near))}?"
    return f"unknown key; there are: {', '.join(known)}" if known else "unknown key"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of *known* that *name* was most likely meant to be; None when none is near."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=_NEAR)), None)


def expected_at(schema: Schema, path: Sequence[str]) -> str:
    """
    What may stand at *path*, as "a number above 0 and at most 3600"; empty where anything may.

    >>> expected_at({"properties": {"grace": {"type": "number", "minimum": 0, "maximum": 60}}}, ["grace"])
    'a number from 0 to 60'
    """
    return " or ".join(dict.fromkeys(words for node in _nodes(schema, path) if (words := _words(node, schema))))


def purpose_at(schema: Schema, path: Sequence[str]) -> str:
    """What the value at *path* is for: the first sentence of its description; empty where there is none."""
    described = (node["description"] for node in _nodes(schema, path, unions=False) if node.get("description"))
    first = " ".join(next(described, "").split()).partition(". ")[0].removesuffix(".")
    return f"{first}." if first else ""


def _nodes(schema: Schema, path: Sequence[str], *, unions: bool = True) -> list[Schema]:
    """The parts of *schema* that speak of *path*: several where a union stands on the way, or at its end."""
    nodes = list(_members(schema, schema)) if unions or path else [schema]
    for place, name in enumerate(path, start=1):
        inside = [one for node in nodes if (one := _inside(node, name)) is not None]
        is_end = place == len(path)
        nodes = inside if is_end and not unions else [one for node in inside for one in _members(node, schema)]
    return nodes


def _members(node: Schema, root: Schema) -> Iterator[Schema]:
    """*node* with its reference followed; or what it is a union of, but for nothing at all."""
    for _ in range(_MOST_HOPS):
        reference = node.get("$ref")
        if not isinstance(reference, str):
            break
        node = root.get("$defs", {}).get(reference.rpartition("/")[2], {})
    members = node.get("anyOf") or node.get("oneOf")
    if members:
        for member in members:
            yield from _members(member, root)
    elif node.get("type") != "null":
        yield node


def _inside(node: Schema, name: str) -> Schema | None:
    """What *node* says of its member *name*, or of its entry with that number."""
    if name in (properties := node.get("properties", {})):
        return _schema_or_none(properties[name])
    if "items" in node and name.isdigit():
        return _schema_or_none(node["items"])
    for free in (*node.get("patternProperties", {}).values(), node.get("additionalProperties")):
        if isinstance(free, Mapping):
            return free
    return None


def _schema_or_none(value: object) -> Schema | None:
    return value if isinstance(value, Mapping) else None


def _words(node: Schema, root: Schema) -> str:
    """One member of a union in words."""
    if "const" in node:
        return _literal(node["const"])
    if "enum" in node:
        return f"one of {', '.join(map(_literal, node['enum']))}"
    match node.get("type"):
        case "boolean":
            return "true or false"
        case "integer":
            return f"a whole number{_range(node)}"
        case "number":
            return f"a number{_range(node)}"
        case "string":
            return f"{'a path' if node.get('format') == 'path' else 'a text'}{_length(node)}"
        case "array":
            return f"a list{_of_entries(node, root)}"
        case "object":
            return "a table"
        case _:
            return ""


def _literal(value: object) -> str:
    """A value as a configuration file writes it."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _range(node: Schema) -> str:
    """The bounds of a number."""
    least, most = node.get("minimum"), node.get("maximum")
    above, below = node.get("exclusiveMinimum"), node.get("exclusiveMaximum")
    if least is not None and most is not None:
        return f" from {least:g} to {most:g}"
    bounds = [("of at least", least), ("above", above), ("of at most" if above is None else "at most", most)]
    parts = [f"{word} {bound:g}" for word, bound in (*bounds, ("below", below)) if bound is not None]
    return f" {' and '.join(parts)}" if parts else ""


def _length(node: Schema) -> str:
    """The bounds and the form of a text."""
    least, most, pattern = node.get("minLength"), node.get("maxLength"), node.get("pattern")
    if most is not None:
        words = f" of {least or 0} to {most} characters"
    else:
        words = f" of at least {least} character{'' if least == 1 else 's'}" if least else ""
    return f"{words} that matches {pattern}" if pattern else words


def _of_entries(node: Schema, root: Schema) -> str:
    """What a list holds."""
    entries = _schema_or_none(node.get("items")) or {}
    plurals = {"string": "texts", "integer": "whole numbers", "number": "numbers", "object": "tables"}
    kinds = [plurals[member["type"]] for member in _members(entries, root) if member.get("type") in plurals]
    least = node.get("minItems")
    return (f" of {' or '.join(kinds)}" if kinds else "") + (f", at least {least}" if least else "")
