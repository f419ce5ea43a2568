"""
From JSON Schema to the vocabulary of `codegen.schema`.

Objects inside objects get a name of their own, made of the path that leads to them: `choices` of
`CreateChatCompletionResponse` holds `CreateChatCompletionResponseChoice`. `allOf` is flattened, null becomes
`Nullable`, alternatives that only say which properties must be present say nothing about types and are dropped. What is
not understood is an error, never a guess.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from codegen.naming import pascal, singular
from codegen.schema import (
    Body,
    Definition,
    Document,
    Endpoint,
    Enumeration,
    Limited,
    ListOf,
    MapOf,
    Message,
    Nullable,
    OneOf,
    Parameter,
    Property,
    Ref,
    Scalar,
    Shape,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

ANY: Final = Scalar("Any")
WEBHOOK_EVENT: Final = "WebhookEvent"
"""The union of all events that webhooks are called with."""
_SCALARS: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_LIMITS: Final = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
    "maxProperties": "max_length",
    "pattern": "pattern",
}
JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
_EVENTS: Final = "text/event-stream"
_TEXTS: Final = frozenset({"application/sdp", "text/plain"})
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_SCHEMAS: Final = "#/components/schemas/"


class UnknownConstruct(ValueError):
    """The description uses JSON Schema in a way that this parser does not know; the message says where."""


class Parser:
    """Parses one description. `definitions` grows while schemas are met; only what an operation reaches is in it."""

    def __init__(self, document: Mapping[str, Any], names: Mapping[str, str]) -> None:
        """
        Prepare to parse *document*.

        Args:
            document: The description, corrected.
            names: Python names by place (a schema's name, or the path to an object inside it), where ours differ.
        """
        self._schemas: Mapping[str, Any] = document["components"]["schemas"]
        self._paths: Mapping[str, Any] = document["paths"]
        self._hooks: Mapping[str, Any] = document.get("webhooks", {})
        self._names = names
        self._reserved = {names.get(name, pascal(name)) for name in self._schemas}
        self._pending: set[str] = set()
        self.definitions: dict[str, Definition] = {}

    def parse(self, messages: Mapping[str, Mapping[str, list[str]]] = MappingProxyType({})) -> Document:
        """
        Return every operation, every message, and every schema that one of them reaches.

        Args:
            messages: Names of schemas that are sent and received outside of operations, by family.

        Raises:
            UnknownConstruct: Something in the description is not understood.
        """
        endpoints = tuple(
            self._endpoint(path, method, item[method])
            for path, item in self._paths.items()
            for method in _METHODS
            if method in item
        )
        told = [
            Message(family, direction == "sent", self._ref(f"{_SCHEMAS}{name}"))
            for family, directions in messages.items()
            for direction, names in directions.items()
            for name in names
        ]
        told += self._webhooks()
        return Document(dict(sorted(self.definitions.items())), endpoints, tuple(told))

    def _webhooks(self) -> tuple[Message, ...]:
        """Return the events that webhooks are called with, and define what any of them is."""
        bodies = [item["post"]["requestBody"]["content"][JSON]["schema"] for item in self._hooks.values()]
        if not bodies:
            return ()
        shapes = tuple(self._ref(body["$ref"]) for body in bodies)
        self._add(Definition(WEBHOOK_EVENT, WEBHOOK_EVENT, WEBHOOK_EVENT, alias=OneOf(shapes, "type")))
        return (Message("webhooks", is_sent=False, shape=Ref(WEBHOOK_EVENT)),)

    def _endpoint(self, path: str, method: str, item: Mapping[str, Any]) -> Endpoint:
        operation_id = item["operationId"]
        answers: Mapping[str, Any] = next(
            (answer for code, answer in item["responses"].items() if code.startswith("2")), {}
        )
        content = answers.get("content", {})
        kind = _answer_type(content)
        event_schema = content.get(_EVENTS, {}).get("schema")
        base = pascal(operation_id)
        return Endpoint(
            operation_id=operation_id,
            method=method.upper(),
            path=item.get("x-path", path),
            parameters=tuple(
                Parameter(
                    p["in"],
                    p["name"],
                    self._shape(p["schema"], base + pascal(p["name"]), base),
                    p.get("required", False),
                )
                for p in item.get("parameters", ())
            ),
            body=self._body(item.get("requestBody"), base),
            result=self._shape(content[kind]["schema"], f"{base}Response", base) if kind in {JSON, *_TEXTS} else None,
            result_type=kind,
            event=None if event_schema is None else self._shape(event_schema, f"{base}Event", base),
            fixed_query=tuple(item.get("x-query", {}).items()),
            deprecated=item.get("deprecated", False),
            admin=any("AdminApiKeyAuth" in entry for entry in item.get("security", ())),
            beta=item.get("x-beta"),
        )

    def _body(self, item: Mapping[str, Any] | None, base: str) -> Body | None:
        if item is None:
            return None
        content = item["content"]
        content_type = FORM if FORM in content else JSON
        schema = content[content_type]["schema"]
        shape = self._shape(schema, f"{base}Request", base)
        if content_type == JSON or JSON not in content:
            return Body(shape, content_type, item.get("required", False), part_types=_part_types(content[content_type]))
        other = content[JSON]["schema"]
        fits_form = self._fields(other) <= self._fields(schema)
        return Body(
            shape,
            content_type,
            item.get("required", False),
            json=shape if fits_form else self._shape(other, f"{base}JsonRequest", base),
        )

    def _fields(self, schema: Mapping[str, Any]) -> set[str]:
        while "$ref" in schema:
            schema = self._schemas[schema["$ref"].removeprefix(_SCHEMAS)]
        return set(schema["properties"])

    def _shape(self, schema: Mapping[str, Any], place: str, owner: str) -> Shape:
        if "$ref" in schema:
            return self._ref(schema["$ref"])
        if isinstance(schema.get("type"), list):
            kinds = [kind for kind in schema["type"] if kind != "null"]
            if len(kinds) != 1:
                raise UnknownConstruct(f"{place}: several types {kinds}")
            return _nullable(self._shape({**schema, "type": kinds[0]}, place, owner))
        if "const" in schema:
            return Enumeration((schema["const"],))
        if "enum" in schema:
            values = tuple(value for value in schema["enum"] if value is not None)
            return _nullable(Enumeration(values)) if None in schema["enum"] else Enumeration(values)
        if "allOf" in schema:
            return self._object(schema, place, owner)
        alternatives = schema.get("anyOf", schema.get("oneOf"))
        if alternatives is not None and not _says_presence_only(schema, alternatives):
            return self._union(schema, alternatives, place, owner)
        return _limited(self._plain(schema, place, owner), schema)

    def _plain(self, schema: Mapping[str, Any], place: str, owner: str) -> Shape:
        kind = schema.get("type")
        if "properties" in schema:
            return self._object(schema, place, owner)
        if kind == "object" or "additionalProperties" in schema:
            values = schema.get("additionalProperties")
            return MapOf(self._shape(values, f"{place}Value", owner) if isinstance(values, dict) else ANY)
        if kind == "array" or "items" in schema:
            return ListOf(self._shape(schema.get("items", {}), singular(place), owner))
        if kind == "string" and schema.get("format") == "binary":
            return Scalar("bytes")
        if kind in _SCALARS:
            return Scalar(_SCALARS[kind])
        if kind is None:
            return ANY
        raise UnknownConstruct(f"{place}: type {kind!r}")

    def _ref(self, target: str) -> Shape:
        schema_name = target.removeprefix(_SCHEMAS)
        schema = self._schemas[schema_name]
        name = self._names.get(schema_name, pascal(schema_name))
        if name not in self.definitions and name not in self._pending:
            self._pending.add(name)
            self._define(name, schema)
        return Nullable(Ref(name)) if self._admits_null(schema) else Ref(name)

    def _admits_null(self, schema: Mapping[str, Any]) -> bool:
        if "$ref" in schema:
            return self._admits_null(self._schemas[schema["$ref"].removeprefix(_SCHEMAS)])
        if isinstance(schema.get("type"), list):
            return "null" in schema["type"]
        alternatives = schema.get("anyOf", schema.get("oneOf", ()))
        is_null = schema.get("type") == "null" or None in schema.get("enum", ())
        return is_null or any(self._admits_null(item) for item in alternatives)

    def _define(self, name: str, schema: Mapping[str, Any]) -> None:
        # null belongs to the places where a schema is used, so that `Metadata` is a mapping and not "a mapping or null"
        shape = self._shape(schema, name, name)
        shape = shape.inner if isinstance(shape, Nullable) else shape
        if shape != Ref(name):
            self._add(Definition(name, name, name, alias=shape, deprecated=schema.get("deprecated", False)))

    def _add(self, definition: Definition) -> None:
        known = self.definitions.setdefault(definition.name, definition)
        if known != definition:
            raise UnknownConstruct(
                f"{definition.name} names two schemas: {known.place} and {definition.place}; give one another name"
            )

    def _object(self, schema: Mapping[str, Any], place: str, owner: str) -> Ref:
        name = self._names.get(place, place)
        if place != owner and name in self._reserved:
            raise UnknownConstruct(f"{name} names two schemas: one of its own and one inside {owner}; rename one")
        self._pending.add(name)
        merged = {item.name: item for item in self._properties(schema, name, owner)}
        required = _required(schema, self._schemas)
        properties = tuple(
            Property(item.name, item.shape, item.name in required, item.default, item.deprecated)
            for item in merged.values()
        )
        self._add(
            Definition(
                name,
                owner,
                place,
                properties,
                deprecated=schema.get("deprecated", False),
                may_lack_tag=schema.get("x-untagged", False),
            )
        )
        return Ref(name)

    def _properties(self, schema: Mapping[str, Any], place: str, owner: str) -> list[Property]:
        found: list[Property] = []
        for part in schema.get("allOf", ()):
            target = part.get("$ref")
            if target is None:
                found += self._properties(part, place, owner)
            else:
                found += self._inherited(target, place)
        for name, item in schema.get("properties", {}).items():
            shape = self._shape(item, place + pascal(name), owner)
            found.append(
                Property(name, shape, required=False, default=_default(item), deprecated=item.get("deprecated", False))
            )
        return found

    def _inherited(self, target: str, place: str) -> tuple[Property, ...]:
        self._ref(target)
        schema_name = target.removeprefix(_SCHEMAS)
        base = self.definitions[self._names.get(schema_name, pascal(schema_name))]
        if base.alias is not None:
            raise UnknownConstruct(f"{place}: allOf with {base.name}, which is no object")
        return base.properties

    def _union(self, schema: Mapping[str, Any], alternatives: list[Mapping[str, Any]], place: str, owner: str) -> Shape:
        inline = [item for item in alternatives if "properties" in item or "allOf" in item]
        shapes: list[Shape] = []
        for item in alternatives:
            if item.get("type") != "null":
                needs_suffix = item in inline and (
                    len(inline) > 1 or (place == owner and not _is_optional(alternatives))
                )
                suffix = _variant_suffix(item) if needs_suffix else ""
                shapes.append(self._shape(item, place + suffix, owner))
        is_nullable = len(shapes) < len(alternatives) or any(isinstance(shape, Nullable) for shape in shapes)
        shapes = [shape.inner if isinstance(shape, Nullable) else shape for shape in shapes]
        members = tuple(dict.fromkeys(_merge_enumerations(shapes)))
        tag = schema.get("discriminator", {}).get("propertyName")
        whole = members[0] if len(members) == 1 else OneOf(members, tag)
        return _nullable(whole) if is_nullable else whole


def _part_types(form: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, how["contentType"]) for name, how in form.get("encoding", {}).items())


def _answer_type(content: Mapping[str, Any]) -> str | None:
    """Return the media type of the whole answer: of several, what is no JSON describes it better."""
    kinds = [kind for kind in content if kind != _EVENTS]
    return next((kind for kind in kinds if kind != JSON), kinds[0] if kinds else None)


def _nullable(shape: Shape) -> Shape:
    return shape if isinstance(shape, Nullable) else Nullable(shape)


def _limited(shape: Shape, schema: Mapping[str, Any]) -> Shape:
    limits = tuple((_LIMITS[key], value) for key, value in _exact(schema).items() if key in _LIMITS)
    return Limited(shape, limits) if limits and not isinstance(shape, Ref) else shape


def _exact(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *schema* with bounds as newer drafts write them: older ones mark a `minimum` as exclusive by true."""
    exact = dict(schema)
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(exact.get(exclusive), bool) and exact.pop(exclusive):
            exact[exclusive] = exact.pop(bound)
    return exact


def _merge_enumerations(shapes: list[Shape]) -> list[Shape]:
    # "a string, or one of these" is an open enumeration; two enumerations side by side are one
    texts = [shape for shape in shapes if _is_text(shape)]
    known = tuple(dict.fromkeys(value for shape in texts if isinstance(shape, Enumeration) for value in shape.values))
    if len(texts) < 2 or not known:  # noqa: PLR2004
        return shapes
    is_open = any(not isinstance(shape, Enumeration) or shape.is_open for shape in texts)
    return [Enumeration(known, is_open=is_open), *(shape for shape in shapes if not _is_text(shape))]


def _is_text(shape: Shape) -> bool:
    if isinstance(shape, Enumeration):
        return all(isinstance(value, str) for value in shape.values)
    return shape == Scalar("str")


def _says_presence_only(schema: Mapping[str, Any], alternatives: list[Mapping[str, Any]]) -> bool:
    return "properties" in schema and all(item.keys() <= {"required", "not"} for item in alternatives)


def _variant_suffix(schema: Mapping[str, Any]) -> str:
    for item in schema.get("properties", {}).values():
        values = item.get("enum", [item["const"]] if "const" in item else [])
        if len(values) == 1 and isinstance(values[0], str):
            return pascal(values[0])
    return pascal(schema.get("title", "Object"))


def _is_optional(alternatives: list[Mapping[str, Any]]) -> bool:
    return len([item for item in alternatives if item.get("type") != "null"]) == 1


def _required(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> set[str]:
    if "$ref" in schema:
        return _required(schemas[schema["$ref"].removeprefix(_SCHEMAS)], schemas)
    found = set(schema.get("required", ()))
    for part in schema.get("allOf", ()):
        found |= _required(part, schemas)
    return found


def _default(schema: Mapping[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    inner = [item for item in schema.get("anyOf", ()) if item.get("type") != "null"]
    return inner[0].get("default") if len(inner) == 1 else None
