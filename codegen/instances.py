"""
Makes synthetic instances of schemas, straight from the description and not by way of the parser.

They are what the tests send through the generated models: whatever the description allows must come out as it went in.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEPTH: Final = 5
"""Below this depth only what is required is made, so that recursive schemas end."""
_SCHEMAS: Final = "#/components/schemas/"
# the patterns of the description are few; each has a string that matches it
_PATTERNS: Final = {"^tunnel_[a-z0-9]{32}$": "tunnel_" + "a1" * 16}


class Fill(Enum):
    """How much of a schema an instance holds."""

    MINIMAL = "only what is required"
    FULL = "every property"
    NULL = "every property, null where null is allowed"


class InstanceMaker:
    """Makes instances of the schemas of one description; deterministic."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        """Take the schemas of *description*."""
        self._schemas: Mapping[str, Any] = description["components"]["schemas"]

    def instance(self, name: str, fill: Fill, variant: int = 0) -> Any:
        """Return an instance of the schema *name*; where it is a union, of its alternative number *variant*."""
        return self._make(self._schemas[name], fill, 0, variant)

    def variants(self, name: str) -> int:
        """Return of how many alternatives the schema *name* is a union; 1 when it is none."""
        return max(1, len(_alternatives(self._schemas[name])))

    def _make(self, schema: Mapping[str, Any], fill: Fill, depth: int, variant: int = 0) -> Any:
        schema = self._resolved(schema)
        if "allOf" in schema:
            return self._merged(schema["allOf"], fill, depth)
        if alternatives := _alternatives(schema):
            return self._make(alternatives[variant], fill, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return next(value for value in schema["enum"] if value is not None)
        return self._plain(schema, fill, depth)

    def _plain(self, schema: Mapping[str, Any], fill: Fill, depth: int) -> Any:
        kinds = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else None)
        kind = next((item for item in kinds if item != "null"), None) if isinstance(kinds, list) else kinds
        match kind:
            case "object":
                return self._object(schema, fill, depth)
            case "array":
                count = schema.get("minItems", 0 if fill is Fill.MINIMAL else 1)
                return [self._make(schema.get("items", {}), fill, depth + 1) for _ in range(count)]
            case "integer":
                return schema.get("minimum", 7)
            case "number":
                return schema.get("minimum", 0.5)
            case "boolean":
                return True
            case "string":
                return _PATTERNS.get(schema.get("pattern", ""), "x" * max(1, schema.get("minLength", 3)))
            case _:
                return {"anything": [1, "x", None]}

    def _object(self, schema: Mapping[str, Any], fill: Fill, depth: int) -> dict[str, Any]:
        required = set(schema.get("required", ()))
        wanted = [
            (name, item)
            for name, item in schema.get("properties", {}).items()
            if name in required or (fill is not Fill.MINIMAL and depth < _DEPTH)
        ]
        made = {
            name: None if fill is Fill.NULL and self._admits_null(item) else self._make(item, fill, depth + 1)
            for name, item in wanted
        }
        values = schema.get("additionalProperties")
        if not made and isinstance(values, dict) and fill is not Fill.MINIMAL:
            made["key"] = self._make(values, fill, depth + 1)
        return made

    def _merged(self, parts: list[Mapping[str, Any]], fill: Fill, depth: int) -> dict[str, Any]:
        merged: dict[str, Any] = {"type": "object", "required": [], "properties": {}}
        for part in (self._resolved(part) for part in parts):
            inner = self._flat(part)
            merged["properties"].update(inner.get("properties", {}))
            merged["required"] += inner.get("required", ())
        return self._object(merged, fill, depth)

    def _flat(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "allOf" not in schema:
            return schema
        flat: dict[str, Any] = {"required": list(schema.get("required", ())), "properties": {}}
        for part in schema["allOf"]:
            inner = self._flat(self._resolved(part))
            flat["properties"].update(inner.get("properties", {}))
            flat["required"] += inner.get("required", ())
        return flat

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self._schemas[schema["$ref"].removeprefix(_SCHEMAS)]
        return schema

    def _admits_null(self, schema: Mapping[str, Any]) -> bool:
        schema = self._resolved(schema)
        listed = schema.get("type")
        direct = "null" in listed if isinstance(listed, list) else listed == "null"
        inner = [item for key in ("anyOf", "oneOf") for item in schema.get(key, ())]
        return direct or any(self._admits_null(item) for item in inner)


def _alternatives(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "properties" in schema:
        return []
    found = [item for key in ("anyOf", "oneOf") for item in schema.get(key, ())]
    return [item for item in found if item.get("type") != "null"]
