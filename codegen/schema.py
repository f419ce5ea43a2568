"""
The small vocabulary that schemas and operations are described in between parser and renderer.

A type is one of the `Shape` classes; a definition is a name with an object's fields or with the type it stands for.
Nothing here knows JSON Schema or Python source.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Scalar:
    """A Python type without parts: str, int, float, bool, bytes or Any."""

    name: str


@dataclass(frozen=True, slots=True)
class Enumeration:
    """Some strings, or some integers; `is_open` when the description itself allows any other."""

    values: tuple[str | int, ...]
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class ListOf:
    """A JSON array of one kind of item."""

    item: Shape


@dataclass(frozen=True, slots=True)
class MapOf:
    """A JSON object whose keys are data."""

    value: Shape


@dataclass(frozen=True, slots=True)
class Ref:
    """Another definition, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class Nullable:
    """A shape or null."""

    inner: Shape


@dataclass(frozen=True, slots=True)
class Limited:
    """A shape with limits, written as pydantic's `Field` writes them: (("ge", 0), ("le", 2))."""

    inner: Shape
    limits: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """
    Any of several shapes; `tag` names the property that tells objects among them apart, where the description says so.
    """

    members: tuple[Shape, ...]
    tag: str | None = None


Shape: TypeAlias = Scalar | Enumeration | ListOf | MapOf | Ref | Nullable | Limited | OneOf


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an object, under its name on the wire."""

    name: str
    shape: Shape
    required: bool
    default: Any = None
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """
    A named schema: an object with properties, or an alias of a shape.

    `owner` is the schema of the description that it was found in (itself, or the one whose property holds it), `place`
    says where.
    """

    name: str
    owner: str
    place: str
    properties: tuple[Property, ...] = ()
    alias: Shape | None = None
    deprecated: bool = False
    may_lack_tag: bool = False
    """Whether the object is a variant of a union that may come without the property that tells it from the others."""

    def shapes(self) -> Iterator[Shape]:
        """Yield the shapes that the definition consists of."""
        if self.alias is not None:
            yield self.alias
        for item in self.properties:
            yield item.shape


@dataclass(frozen=True, slots=True)
class Parameter:
    """A path, query or header parameter of an operation, under its name on the wire."""

    place: Literal["path", "query", "header"]
    name: str
    shape: Shape
    required: bool


@dataclass(frozen=True, slots=True)
class Body:
    """What an operation sends."""

    shape: Shape
    content_type: str
    required: bool
    json: Shape | None = None
    """What may be sent as JSON in place of a form; None where the body is no form, or nothing else than a form."""
    part_types: tuple[tuple[str, str], ...] = ()
    """Media types of a form's fields that are not sent as plain text, by name."""

    def shapes(self) -> Iterator[Shape]:
        """Yield what the body may be."""
        yield self.shape
        if self.json not in {None, self.shape}:
            yield self.json


@dataclass(frozen=True, slots=True)
class Message:
    """A schema that travels outside of operations: in a session, or to a webhook."""

    family: str
    is_sent: bool
    shape: Shape


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the description: method, path, what goes in and what comes out."""

    operation_id: str
    method: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    result: Shape | None = None
    """The shape of the JSON answer, or text; None when the answer is binary or empty."""
    result_type: str | None = None
    """The media type of the answer; None when it is empty."""
    event: Shape | None = None
    """The shape of one server-sent event; None when the operation does not stream."""
    fixed_query: tuple[tuple[str, str], ...] = ()
    deprecated: bool = False
    admin: bool = False
    beta: str | None = None

    def of(self, place: str) -> tuple[Parameter, ...]:
        """Return the parameters in *place*, in the description's order."""
        return tuple(item for item in self.parameters if item.place == place)


@dataclass(frozen=True, slots=True)
class Document:
    """Everything the description says, in this vocabulary."""

    definitions: dict[str, Definition] = field(default_factory=dict)
    endpoints: tuple[Endpoint, ...] = ()
    messages: tuple[Message, ...] = ()


def refs(shape: Shape) -> Iterator[str]:
    """Yield the names that *shape* refers to, at any depth, in order."""
    match shape:
        case Ref(name):
            yield name
        case ListOf(inner) | MapOf(inner) | Nullable(inner) | Limited(inner, _):
            yield from refs(inner)
        case OneOf(members, _):
            for member in members:
                yield from refs(member)
        case _:
            pass
