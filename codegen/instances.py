"""
Makes synthetic instances of schemas, straight from the description and not by way of the parser.

They are what the tests send through the generated models: whatever the description allows must come out as it went in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DEPTH: Final = 5
"""Below this depth only what is required is made, so that recursive schemas end."""
_COVERED_DEPTH: Final = 12
"""The same for instances that cover a schema together, which are small except for the first."""
_SCHEMAS: Final = "#/components/schemas/"
# the patterns of the description are few; each has a string that matches it
_PATTERNS: Final = {"^tunnel_[a-z0-9]{32}$": "tunnel_" + "a1" * 16}


class Fill(Enum):
    """How much of a schema an instance holds."""

    MINIMAL = "only what is required"
    FULL = "every property"
    NULL = "every property, null where null is allowed"
    COVERING = "every property, then null for all that may be; then what leads to alternatives that were not made yet"


class InstanceMaker:
    """Makes instances of the schemas of one description; deterministic."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        """Take the schemas of *description*."""
        self._schemas: Mapping[str, Any] = description["components"]["schemas"]

    def instance(self, name: str, fill: Fill, variant: int = 0) -> Any:
        """Return an instance of the schema *name*; where it is a union, of its alternative number *variant*."""
        schema = self._schemas[name]
        alternatives = _alternatives(schema)
        return self.of(alternatives[variant] if alternatives else schema, fill)

    def variants(self, name: str) -> int:
        """Return of how many alternatives the schema *name* is a union; 1 when it is none."""
        return max(1, len(_alternatives(self._schemas[name])))

    def of(self, schema: Mapping[str, Any], fill: Fill) -> Any:
        """Return an instance of *schema*, which need not have a name."""
        return _Making(self._schemas, fill).make(schema, 0)

    def covering(self, schema: Mapping[str, Any]) -> Iterator[Any]:
        """
        Yield instances of *schema* that hold, together, every alternative of every union in it.

        Also every property of every object, and null for each that may be null. The first is full.
        """
        making = _Making(self._schemas, Fill.COVERING)
        yield making.make(schema, 0)
        while making.is_open(schema, 0):
            yield making.make(schema, 0)


class _Making:
    """The making of one instance, or of several that cover a schema together."""

    def __init__(self, schemas: Mapping[str, Any], fill: Fill) -> None:
        self._schemas = schemas
        self._fill = fill
        # schemas are known by identity, so what a name refers to is the same everywhere
        self._times: dict[tuple[int, int], int] = {}
        self._depth = _COVERED_DEPTH if fill is Fill.COVERING else _DEPTH
        self._met: dict[int, int] = {}
        self._closed: set[tuple[int, int]] = set()
        self._flats: dict[int, _Flat] = {}

    def make(self, schema: Mapping[str, Any], depth: int) -> Any:
        """Return an instance that stands *depth* levels below the document's root."""
        schema = self._resolved(schema)
        if "allOf" in schema:
            return self._object(schema, depth)
        if alternatives := _alternatives(schema):
            return self.make(self._one_of(schema, alternatives, depth), depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return next(value for value in schema["enum"] if value is not None)
        return self._plain(schema, depth)

    def is_open(self, schema: Mapping[str, Any], depth: int) -> bool:
        """Tell whether an alternative in *schema* was not made yet. What is closed once stays closed."""
        schema = self._resolved(schema)
        key = (id(schema), depth)
        if depth >= self._depth or key in self._closed:
            return False
        if any(self._open_parts(schema, depth)):
            return True
        self._closed.add(key)
        return False

    def _open_parts(self, schema: Mapping[str, Any], depth: int) -> Iterator[bool]:
        alternatives = _alternatives(schema)
        for number, item in enumerate(alternatives):
            yield self._is_wanted(schema, number, item, depth)
        if not alternatives:
            yield self._lacks_nulls(schema)
            for said in self._flat(schema).properties.values():
                yield self.is_open(said[-1], depth + 1)
            for key in ("items", "additionalProperties"):
                if isinstance(schema.get(key), dict):
                    yield self.is_open(schema[key], depth + 1)

    def _is_wanted(self, schema: Mapping[str, Any], number: int, item: Mapping[str, Any], depth: int) -> bool:
        return (id(schema), number) not in self._times or self.is_open(item, depth)

    def _one_of(
        self, schema: Mapping[str, Any], alternatives: Sequence[Mapping[str, Any]], depth: int
    ) -> Mapping[str, Any]:
        if self._fill is not Fill.COVERING or depth >= self._depth:
            return alternatives[0]
        wanted = [number for number, item in enumerate(alternatives) if self._is_wanted(schema, number, item, depth)]
        chosen = min(wanted or [0], key=lambda number: self._times.get((id(schema), number), 0))
        self._times[id(schema), chosen] = self._times.get((id(schema), chosen), 0) + 1
        return alternatives[chosen]

    def _plain(self, schema: Mapping[str, Any], depth: int) -> Any:
        kinds = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else None)
        kind = next((item for item in kinds if item != "null"), None) if isinstance(kinds, list) else kinds
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                items = schema.get("items", {})
                return [self.make(items, depth + 1) for _ in range(self._length(schema, items, depth))]
            case "integer":
                return _within(schema, 7)
            case "number":
                return _within(schema, 0.5)
            case "boolean":
                return True
            case "string":
                return _PATTERNS.get(schema.get("pattern", ""), "x" * max(1, schema.get("minLength", 3)))
            case _:
                return {"anything": [1, "x", None]}

    def _length(self, schema: Mapping[str, Any], items: Mapping[str, Any], depth: int) -> int:
        """Return how many items a list gets: as few as it may have, or one, or one of each kind that is wanted."""
        fewest = int(schema.get("minItems", 0))
        if self._fill is Fill.MINIMAL or depth >= self._depth:
            return fewest
        if self._fill is not Fill.COVERING:
            return max(fewest, 1)
        items = self._resolved(items)
        wanted = [self._is_wanted(items, number, item, depth + 1) for number, item in enumerate(_alternatives(items))]
        return max(fewest, 1, min(sum(wanted), int(schema.get("maxItems", len(wanted)))))

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        flat, fill = self._flat(schema), self._fill_of(schema, depth)
        made = {
            name: None if fill is Fill.NULL and _admit_null(said, self._schemas) else self.make(said[-1], depth + 1)
            for name, said in flat.properties.items()
            if name in flat.required or (name not in flat.barred and self._is_filled(said, depth, fill))
        }
        values = schema.get("additionalProperties")
        if not made and isinstance(values, dict) and self._fill is not Fill.MINIMAL:
            made["key"] = self.make(values, depth + 1)
        return made

    def _fill_of(self, schema: Mapping[str, Any], depth: int) -> Fill:
        """Return how an object is filled: one that is met again and again, first with all, then with nulls."""
        if depth >= self._depth:
            return Fill.MINIMAL
        if self._fill is not Fill.COVERING:
            return self._fill
        times = self._met[id(schema)] = self._met.get(id(schema), 0) + 1
        return {1: Fill.FULL, 2: Fill.NULL}.get(times, Fill.COVERING)

    def _is_filled(self, said: Sequence[Mapping[str, Any]], depth: int, fill: Fill) -> bool:
        """Tell whether a property that need not be there is."""
        if fill is Fill.NULL and self._fill is Fill.COVERING and _admit_null(said, self._schemas):
            return True
        if fill is Fill.MINIMAL or fill is Fill.FULL or self._fill is not Fill.COVERING:
            return fill is not Fill.MINIMAL
        return self.is_open(said[-1], depth + 1)

    def _lacks_nulls(self, schema: Mapping[str, Any]) -> bool:
        """Tell whether an object has properties that may be null, and was not made with nulls."""
        said = self._flat(schema).properties.values()
        was_made_so = self._met.get(id(schema), 0) > 1
        return not was_made_so and any(_admit_null(item, self._schemas) for item in said)

    def _flat(self, schema: Mapping[str, Any]) -> _Flat:
        known = self._flats.get(id(schema))
        if known is None:
            known = self._flats[id(schema)] = _flat(schema, self._schemas)
        return known

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        return _resolved(schema, self._schemas)


@dataclass
class _Flat:
    """An object with what its `allOf` adds."""

    properties: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    """What the parts say about each property, in their order."""
    required: set[str] = field(default_factory=set)
    barred: set[str] = field(default_factory=set)
    """What must not be there beside the others."""


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = schemas[schema["$ref"].removeprefix(_SCHEMAS)]
    return schema


def _admit_null(said: Sequence[Mapping[str, Any]], schemas: Mapping[str, Any]) -> bool:
    """Tell whether a property may be null by everything that is said about it."""
    return all(_admits_null(item, schemas) for item in said)


def _admits_null(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> bool:
    schema = _resolved(schema, schemas)
    listed = schema.get("type")
    direct = "null" in listed if isinstance(listed, list) else listed == "null"
    inner = [item for key in ("anyOf", "oneOf") for item in schema.get(key, ())]
    return direct or any(_admits_null(item, schemas) for item in inner)


def _flat(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> _Flat:
    """Return the object that *schema* describes, with what its `allOf` adds."""
    flat = _Flat()
    for part in schema.get("allOf", ()):
        inner = _flat(_resolved(part, schemas), schemas)
        for name, said in inner.properties.items():
            flat.properties.setdefault(name, []).extend(said)
        flat.required |= inner.required
        flat.barred |= inner.barred
    for name, item in schema.get("properties", {}).items():
        flat.properties.setdefault(name, []).append(item)
    flat.required |= {*schema.get("required", ()), *_first_required(schema)}
    flat.barred |= {*schema.get("not", {}).get("required", ())[1:]}
    return flat


def _within(schema: Mapping[str, Any], usual: float) -> float:
    """Return the smallest number that *schema* allows, and *usual* where there is none."""
    least: float = schema.get("minimum", usual)
    return least + usual if schema.get("exclusiveMinimum") is True else least


def _alternatives(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "properties" in schema:
        return []
    found = [item for key in ("anyOf", "oneOf") for item in schema.get(key, ())]
    return [item for item in found if item.get("type") != "null"]


def _first_required(schema: Mapping[str, Any]) -> Sequence[str]:
    """Return what must be there where alternatives only say which properties must."""
    inner = [item for key in ("anyOf", "oneOf") for item in schema.get(key, ()) if "properties" in schema]
    found: Sequence[str] = inner[0].get("required", ()) if inner else ()
    return found
