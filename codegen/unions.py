"""
Finds what tells the variants of a union apart: a property that is a constant, or one of a few strings, in each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from codegen.schema import (
    Definition,
    Document,
    Enumeration,
    Limited,
    Nullable,
    OneOf,
    Property,
    Ref,
    Scalar,
    Shape,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# properties that tell variants apart, most telling first
_TAGS: Final = ("type", "event", "role", "object", "status")


@dataclass(frozen=True, slots=True)
class Variants:
    """A union, flattened: unions inside it are taken apart."""

    objects: tuple[Definition, ...]
    others: tuple[Shape, ...]
    tag: str | None
    """The property that tells the objects apart; None when nothing does."""
    by_tag: dict[str, tuple[str, ...]]
    """Names of objects by value of the tag, in the description's order."""
    untagged: tuple[str, ...]
    """Names of the objects that may come without the tag."""


def variants(document: Document, union: OneOf) -> Variants:
    """Return the variants of *union* and what tells them apart."""
    leaves = list(dict.fromkeys(_leaves(document, union)))
    objects = tuple(
        document.definitions[leaf.name]
        for leaf in leaves
        if isinstance(leaf, Ref) and document.definitions[leaf.name].alias is None
    )
    names = {definition.name for definition in objects}
    others = tuple(leaf for leaf in leaves if not (isinstance(leaf, Ref) and leaf.name in names))
    for tag in (union.tag, *_TAGS) if union.tag else _TAGS:
        by_tag = _by_tag(objects, tag)
        if len(objects) > 1 and len(by_tag) > 1:
            return Variants(objects, others, tag, by_tag, _untagged(objects, tag))
    return Variants(objects, others, None, {}, ())


def tagged(document: Document) -> dict[str, set[str]]:
    """Return, for every object that is a variant of some tagged union, the properties that tell it from the others."""
    found: dict[str, set[str]] = {}
    for definition in document.definitions.values():
        for shape in definition.shapes():
            for union in _unions(shape):
                result = variants(document, union)
                for variant in result.objects if result.tag else ():
                    found.setdefault(variant.name, set()).add(str(result.tag))
    return found


def texts(shape: Shape) -> tuple[str, ...]:
    """Return the strings that *shape* is limited to, or none."""
    inner = shape.inner if isinstance(shape, Nullable) else shape
    if isinstance(inner, Enumeration) and not inner.is_open:
        return tuple(value for value in inner.values if isinstance(value, str))
    return ()


def takes_null(shape: Shape, document: Document) -> bool:
    """Tell whether null is one of the values of *shape*."""
    match shape:
        case Nullable() | Scalar("Any"):
            return True
        case Limited(inner, _):
            return takes_null(inner, document)
        case OneOf(members, _):
            return any(takes_null(member, document) for member in members)
        case Ref(name):
            alias = document.definitions[name].alias
            return alias is not None and takes_null(alias, document)
        case _:
            return False


def _leaves(document: Document, shape: Shape) -> Iterator[Shape]:
    match shape:
        case OneOf(members, _):
            for member in members:
                yield from _leaves(document, member)
        case Nullable(inner):
            yield from _leaves(document, inner)
        case Ref(name) if isinstance(alias := document.definitions[name].alias, OneOf | Ref):
            yield from _leaves(document, alias)
        case _:
            yield shape


def _by_tag(objects: tuple[Definition, ...], tag: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for definition in objects:
        values = texts(item.shape) if (item := property_of(definition, tag)) else ()
        if not values:
            return {}
        for value in values:
            found[value] = (*found.get(value, ()), definition.name)
    return found


def _untagged(objects: tuple[Definition, ...], tag: str) -> tuple[str, ...]:
    return tuple(
        definition.name
        for definition in objects
        if definition.may_lack_tag or ((item := property_of(definition, tag)) is not None and not item.required)
    )


def property_of(definition: Definition, name: str) -> Property | None:
    """Return the property *name* of *definition*, or None."""
    return next((item for item in definition.properties if item.name == name), None)


def _unions(shape: Shape) -> Iterator[OneOf]:
    match shape:
        case OneOf(members, _):
            yield shape
            for member in members:
                yield from _unions(member)
        case _ if hasattr(shape, "inner"):
            yield from _unions(shape.inner)
        case _ if hasattr(shape, "item"):
            yield from _unions(shape.item)
        case _ if hasattr(shape, "value"):
            yield from _unions(shape.value)
        case _:
            pass
