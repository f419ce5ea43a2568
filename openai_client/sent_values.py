"""
How the values of a model are taken that is to be sent: as pydantic's schema, made stricter.

Text, numbers and booleans are not turned into one another: what the caller wrote is what the API gets, or it is
refused. A whole number is a number, though, and what inherits from `str` is text. None stands for "not given" wherever
the API takes no null.

Only the fields of the model itself are looked at; the models inside it have schemas of their own.

Spec: CLI-09, TYP-02
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel, GetCoreSchemaHandler
    from pydantic_core import CoreSchema

_SCALARS: Final = frozenset({"bool", "float", "int", "str"})
_INSIDE: Final = ("schema", "items_schema", "keys_schema", "values_schema")
"""Where a schema of one form has another one."""


def only_sent(model: type[BaseModel], schema: CoreSchema, handler: GetCoreSchemaHandler) -> CoreSchema:
    """
    Return *schema*, of a model that is only sent, made strict.

    Args:
        model: The model; its `takes_null` names the fields for which None is a value.
        schema: As pydantic makes it; of a model that is complete, what this made of it before.
        handler: Finds what it refers to.
    """
    if not model.__pydantic_complete__:
        holder = _holder(schema, handler)
        holder["schema"] = _without_nulls(model, _strict(holder["schema"]))
    return schema


def sent_too(model: type[BaseModel], schema: CoreSchema, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return *schema*, of a model that is received as well, made strict except for JSON; else as `only_sent`."""
    if not model.__pydantic_complete__:
        holder = _holder(schema, handler)
        fields = holder["schema"]
        holder["schema"] = core_schema.json_or_python_schema(
            json_schema=fields, python_schema=_without_nulls(model, _strict(fields))
        )
    return schema


def never_empty(model: type[BaseModel], schema: CoreSchema, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return *schema*, of a model with no fields of its own, that takes an empty mapping from JSON only."""
    if not model.__pydantic_complete__:
        holder = _holder(schema, handler)
        fields = holder["schema"]
        holder["schema"] = core_schema.json_or_python_schema(
            json_schema=fields, python_schema=core_schema.no_info_before_validator_function(_filled, fields)
        )
    return schema


def _filled(given: Any) -> Any:
    if given == {}:
        raise PydanticCustomError("empty", "must not be empty")
    return given


def _holder(schema: Any, handler: GetCoreSchemaHandler) -> Any:
    """Return the schema that has the one of the fields: that of the class, or of what looks at the fields first."""
    schema = handler.resolve_ref_schema(schema)
    while "fields" not in schema["schema"]:
        schema = schema["schema"]
    return schema


def _strict(schema: Any) -> Any:
    """Return a copy of *schema* in which every scalar is strict, as deep as no other model is."""
    kind = schema["type"]
    if kind in _SCALARS:
        return {**schema, "strict": True}
    if kind == "model-fields":
        fields = {name: {**field, "schema": _strict(field["schema"])} for name, field in schema["fields"].items()}
        return {**schema, "fields": fields}
    if kind in {"definition-ref", "literal", "model"}:
        return schema
    changed = {key: _strict(schema[key]) for key in _INSIDE if key in schema}
    choices = schema.get("choices")
    if isinstance(choices, list):
        changed["choices"] = [(_strict(one[0]), one[1]) if isinstance(one, tuple) else _strict(one) for one in choices]
    elif choices is not None:
        changed["choices"] = {tag: _strict(one) for tag, one in choices.items()}
    return {**schema, **changed} if changed else schema


def _without_nulls(model: type[BaseModel], schema: CoreSchema) -> CoreSchema:
    """Return *schema* behind a function that leaves those fields out for which None is no value."""
    null: tuple[str, ...] = getattr(model, "takes_null", ())
    fields = model.model_fields.items()
    never = {name for field, declared in fields if field not in null for name in (field, declared.alias)}
    return core_schema.no_info_before_validator_function(_dropping(never), schema) if never else schema


def _dropping(never: set[str | None]) -> Callable[[Any], Any]:
    def drop(given: Any) -> Any:
        if isinstance(given, dict):
            for value in given.values():
                # asked of each by identity: an array is compared to None item by item
                if value is None:
                    return {name: value for name, value in given.items() if value is not None or name not in never}
        return given

    return drop
