"""
The strict JSON schema of a pydantic model, as the API wants it for structured output and for tools. Pure.

A strict schema is a part of JSON Schema: every object lists all of its fields, requires them all and has no others.
What pydantic can say beyond that is refused here, by name and place, before the upstream would refuse it.

Spec: CLI-14
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, PydanticUserError

from openai_client.errors import InvalidFieldValue

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFS: Final = "#/$defs/"
_FORMATS: Final = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"},
)
_DROPPED: Final = frozenset({"default", "deprecated", "discriminator", "examples", "readOnly", "writeOnly"})
"""Keywords that say nothing about which documents are valid."""
_KEPT: Final = frozenset(
    {
        *("$ref", "anyOf", "const", "description", "enum", "title", "type"),
        *("format", "pattern"),
        *("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"),
        *("items", "maxItems", "minItems"),
        *("additionalProperties", "properties", "required"),
    }
)
_DESCRIBING: Final = frozenset({"$ref", "description", "title"})
_INSTEAD: Final = {
    "allOf": "several schemas at once; write one model with all fields",
    "maxLength": "the length of a text; say it with a pattern",
    "minLength": "the length of a text; say it with a pattern",
    "patternProperties": "a mapping with free keys; use a list of models with a key and a value",
    "prefixItems": "a tuple; use a list, or a model with a field for each item",
    "uniqueItems": "a set; use a list",
}


def json_schema_of(model: type[BaseModel], *, strict: bool = True) -> dict[str, Any]:
    """
    Return the JSON schema of *model*.

    Strict: no additional properties, every field required, defaults and examples dropped, unions as `anyOf`, references
    into `$defs` (so recursion works) without anything beside them: what is said of one stands beside an `anyOf` of it
    alone, so that a schema is as long as its models, however they are nested. Not strict: as pydantic writes it.

    Example:
        >>> from pydantic import BaseModel
        >>> class Point(BaseModel):
        ...     x: int
        ...     label: str | None = None
        >>> schema = json_schema_of(Point)
        >>> schema["required"], schema["additionalProperties"]
        (['x', 'label'], False)

    Raises:
        InvalidFieldValue: A field has no JSON schema, or none that is strict; the message names it and what to use
            instead. `param` is its place.

    Spec: CLI-14
    """
    check_model("model", model)
    try:
        schema = model.model_json_schema()
        return _Strict(model.__name__, schema).root() if strict else schema
    except PydanticUserError as problem:
        raise InvalidFieldValue(f"{model.__name__}: has no JSON schema: {problem.message}") from None
    except RecursionError:
        # its frames are many hundreds, and say nothing more
        raise InvalidFieldValue(f"{model.__name__}: has no JSON schema: its models are nested too deeply") from None


def check_model(name: str, given: object, instead: str = "") -> None:
    """
    Make sure that *given* is a model.

    Args:
        name: The argument that it was given as.
        given: Anything.
        instead: What else the message says, such as where other values go.

    Raises:
        InvalidFieldValue: It is none; `param` is *name*.
    """
    if isinstance(given, type) and issubclass(given, BaseModel):
        return
    kind = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
    raise InvalidFieldValue(
        f"{name}: must be a pydantic model, a class that inherits from BaseModel, not {kind}{instead}", param=name
    )


def schema_name(model: type[BaseModel]) -> str:
    """
    Return the name of *model* as the API takes names: letters, digits, `_` and `-`, at most 64.

    Example:
        >>> from pydantic import create_model
        >>> schema_name(create_model("Box[int]"))
        'Box_int_'
    """
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "_-") else "_" for sign in model.__name__)[:64]


class _Strict:
    """One schema on its way to a strict one."""

    def __init__(self, name: str, schema: Mapping[str, Any]) -> None:
        self._name = name
        self._schema = schema
        self._definitions: Mapping[str, Any] = schema.get("$defs", {})

    def root(self) -> dict[str, Any]:
        """Return the whole schema, with those definitions that it refers to."""
        top = {key: value for key, value in self._schema.items() if key != "$defs"}
        if "$ref" in top:
            # the model refers to itself; the root has to be an object all the same
            top = {**self._definition(top.pop("$ref")), **top}
        strict = self._of(top, (self._name,), frozenset())
        if strict.get("type") != "object":
            raise _refusal((self._name,), "a root that is no object; put it into a field of a model")
        definitions = {name: self._of(item, (name,), frozenset()) for name, item in self._definitions.items()}
        used = _reached(strict, definitions)
        return (
            {**strict, "$defs": {name: definitions[name] for name in definitions if name in used}} if used else strict
        )

    def _of(self, schema: Any, place: tuple[str, ...], inside: frozenset[str]) -> dict[str, Any]:
        """Return one schema made strict; *inside* are the references that are being written out around it."""
        found = {key: value for key, value in schema.items() if key not in _DROPPED}
        if "oneOf" in found:
            found["anyOf"] = found.pop("oneOf")
        if len(found.get("allOf", ())) == 1:
            found = {**found.pop("allOf")[0], **found}
        if "$ref" in found and len(found) > 1:
            return self._beside(found, place, inside)
        self._check(found, place)
        if "anyOf" in found:
            found["anyOf"] = [self._of(item, place, inside) for item in found["anyOf"]]
        if "items" in found:
            found["items"] = self._of(found["items"], (*place, "[]"), inside)
        return self._object(found, place, inside) if found.get("type") == "object" else found

    def _beside(self, schema: dict[str, Any], place: tuple[str, ...], inside: frozenset[str]) -> dict[str, Any]:
        """
        Return a reference that has something beside it. What only describes it stands around it.

        What changes it, such as the bounds of a number that has a name, is written out with it; within itself it stays
        a reference.
        """
        reference = schema["$ref"]
        if schema.keys() <= _DESCRIBING:
            return {"anyOf": [{"$ref": reference}], **{key: value for key, value in schema.items() if key != "$ref"}}
        if reference in inside:
            return {"$ref": reference}
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return self._of({**self._definition(reference), **rest}, place, inside | {reference})

    def _object(self, schema: dict[str, Any], place: tuple[str, ...], inside: frozenset[str]) -> dict[str, Any]:
        extra = schema.get("additionalProperties", False)
        if extra is not False:
            what = "a model that takes extra fields" if "properties" in schema else "a mapping with free keys"
            raise _refusal(place, f"{what}; use a list of models with a key and a value")
        fields = schema.get("properties", {})
        properties = {name: self._of(item, (*place, name), inside) for name, item in fields.items()}
        return {**schema, "properties": properties, "required": list(properties), "additionalProperties": False}

    def _check(self, schema: Mapping[str, Any], place: tuple[str, ...]) -> None:
        for key in schema:
            if key not in _KEPT:
                raise _refusal(place, _INSTEAD.get(key, f"the keyword {key}; leave it out"))
        if not {"$ref", "anyOf", "const", "enum", "type"} & set(schema):
            raise _refusal(place, "a value of any type; give it one")
        if schema.get("type") == "array" and "items" not in schema:
            raise _refusal(place, "a list of anything; give its items a type")
        if "format" in schema and schema["format"] not in _FORMATS:
            raise _refusal(place, f"the format {schema['format']}; use a plain str, or a pattern")

    def _definition(self, reference: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._definitions[reference.removeprefix(_DEFS)]
        return found


def _refusal(place: tuple[str, ...], what: str) -> InvalidFieldValue:
    """Return the error for a construct at *place*, which begins with the name of a model."""
    where = ".".join(place).replace(".[]", "[]")
    return InvalidFieldValue(f"{where}: no strict schema has {what}", param=".".join(place[1:]) or None)


def _reached(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> set[str]:
    """Return the names of the definitions that *schema* refers to, directly or by way of others."""
    found: set[str] = set()
    waiting: list[Any] = [schema]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            name = item.get("$ref")
            if isinstance(name, str) and (short := name.removeprefix(_DEFS)) not in found:
                found.add(short)
                waiting.append(definitions[short])
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return found
