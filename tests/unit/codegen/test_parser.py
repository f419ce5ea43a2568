from __future__ import annotations

from typing import Any

import pytest

from codegen.parser import Parser, UnknownConstruct
from codegen.schema import (
    Definition,
    Document,
    Enumeration,
    Limited,
    ListOf,
    MapOf,
    Nullable,
    OneOf,
    Ref,
    Scalar,
    Shape,
)


def parsed(schemas: dict[str, Any], names: dict[str, str] | None = None) -> Document:
    """The document of a description with one operation that answers with the first of some schemas."""
    first = next(iter(schemas))
    answer = {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{first}"}}}}
    operation = {"operationId": "getIt", "responses": {"404": {}, "200": answer}}
    return Parser({"paths": {"/it": {"get": operation}}, "components": {"schemas": schemas}}, names or {}).parse()


def shape(schema: dict[str, Any], **others: Any) -> Shape | None:
    """The shape of a property with this schema."""
    document = parsed({"It": {"type": "object", "properties": {"p": schema}}, **others})
    return document.definitions["It"].properties[0].shape


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, Scalar("str")),
        ({"type": "string", "format": "binary"}, Scalar("bytes")),
        ({"type": "integer"}, Scalar("int")),
        ({"type": "number"}, Scalar("float")),
        ({"type": "boolean"}, Scalar("bool")),
        ({}, Scalar("Any")),
        ({"type": "object"}, MapOf(Scalar("Any"))),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, MapOf(Scalar("int"))),
        ({"type": "array", "items": {"type": "string"}}, ListOf(Scalar("str"))),
        ({"items": {"type": "string"}}, ListOf(Scalar("str"))),
        ({"type": "string", "enum": ["a", "b"]}, Enumeration(("a", "b"))),
        ({"type": ["string", "null"], "enum": ["a", None]}, Nullable(Enumeration(("a",)))),
        ({"const": "a"}, Enumeration(("a",))),
        ({"type": ["integer", "null"], "minimum": 0}, Nullable(Limited(Scalar("int"), (("ge", 0),)))),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, Nullable(Scalar("str"))),
        ({"anyOf": [{"type": "string"}, {"type": "string", "enum": ["a"]}]}, Enumeration(("a",), is_open=True)),
        (
            {"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b"]}]},
            Enumeration(("a", "b")),
        ),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, OneOf((Scalar("str"), Scalar("int")))),
        ({"type": "number", "exclusiveMinimum": 0}, Limited(Scalar("float"), (("gt", 0),))),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, Limited(Scalar("float"), (("gt", 0),))),
        ({"type": "number", "maximum": 9, "exclusiveMaximum": False}, Limited(Scalar("float"), (("le", 9),))),
    ],
)
def test_each_construct_of_the_description_has_a_shape(schema: dict[str, Any], expected: Shape) -> None:
    """One small vocabulary for what JSON Schema says in many ways."""
    assert shape(schema) == expected


def test_an_object_inside_an_object_is_named_by_the_path_to_it() -> None:
    """Items of a list are named in the singular, variants of a union by their constant."""
    document = parsed(
        {
            "It": {
                "type": "object",
                "properties": {
                    "choices": {"type": "array", "items": {"type": "object", "properties": {"a": {}}}},
                    "part": {
                        "oneOf": [
                            {"type": "object", "properties": {"type": {"enum": ["text"]}}},
                            {"type": "object", "properties": {"type": {"enum": ["image_url"]}}},
                        ]
                    },
                },
            }
        }
    )
    assert set(document.definitions) == {"It", "ItChoice", "ItPartText", "ItPartImageUrl"}
    assert document.definitions["ItChoice"].owner == "It"


def test_parts_of_an_all_of_become_one_object() -> None:
    """Later parts win, what any part requires is required."""
    document = parsed(
        {
            "It": {
                "allOf": [
                    {"$ref": "#/components/schemas/Base"},
                    {"type": "object", "required": ["a"], "properties": {"b": {"type": "integer"}}},
                ]
            },
            "Base": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}},
        }
    )
    found = {item.name: (item.shape, item.required) for item in document.definitions["It"].properties}
    assert found == {"a": (Scalar("str"), True), "b": (Scalar("int"), False)}


def test_a_schema_that_admits_null_is_nullable_where_it_is_used() -> None:
    """The schema itself stays what it is."""
    schemas = {
        "It": {"type": "object", "properties": {"m": {"$ref": "#/components/schemas/Meta"}}},
        "Meta": {"anyOf": [{"type": "object", "additionalProperties": {"type": "string"}}, {"type": "null"}]},
    }
    document = parsed(schemas)
    assert document.definitions["It"].properties[0].shape == Nullable(Ref("Meta"))
    assert document.definitions["Meta"].alias == MapOf(Scalar("str"))


def test_null_is_seen_through_references() -> None:
    """A union with a schema that admits null admits it too."""
    schemas = {
        "It": {"type": "object", "properties": {"p": {"$ref": "#/components/schemas/Outer"}}},
        "Outer": {"anyOf": [{"$ref": "#/components/schemas/Inner"}, {"type": "integer"}]},
        "Inner": {"type": ["string", "null"]},
    }
    document = parsed(schemas)
    assert document.definitions["It"].properties[0].shape == Nullable(Ref("Outer"))
    assert document.definitions["Outer"].alias == OneOf((Ref("Inner"), Scalar("int")))


def test_a_recursive_schema_ends() -> None:
    """It refers to itself by name."""
    schemas = {"It": {"type": "object", "properties": {"inner": {"$ref": "#/components/schemas/It"}}}}
    assert parsed(schemas).definitions["It"].properties[0].shape == Ref("It")


def test_alternatives_that_only_say_what_must_be_present_are_no_types() -> None:
    """The object keeps its own properties."""
    schema = {"type": "object", "properties": {"a": {}}, "anyOf": [{"required": ["a"]}, {"not": {}}]}
    assert [item.name for item in parsed({"It": schema}).definitions["It"].properties] == ["a"]


def test_names_can_be_given_to_schemas() -> None:
    """The place where it was found stays what the description calls it."""
    document = parsed({"It-2": {"type": "object", "properties": {"a": {}}}}, {"It-2": "Other"})
    assert list(document.definitions) == ["Other"]


@pytest.mark.parametrize(
    ("schemas", "message"),
    [
        ({"It": {"type": "object", "properties": {"p": {"type": ["string", "integer"]}}}}, "ItP: several types"),
        ({"It": {"type": "object", "properties": {"p": {"type": "tuple"}}}}, "ItP: type 'tuple'"),
        ({"It": {"allOf": [{"$ref": "#/components/schemas/S"}]}, "S": {"type": "string"}}, "allOf with S"),
        (
            {
                "It": {
                    "type": "object",
                    "properties": {
                        "p": {"type": "object", "properties": {"a": {}}},
                        "q": {"$ref": "#/components/schemas/ItP"},
                    },
                },
                "ItP": {"type": "object", "properties": {"b": {}}},
            },
            "ItP names two schemas",
        ),
    ],
)
def test_what_is_not_understood_is_an_error_that_says_where(schemas: dict[str, Any], message: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(UnknownConstruct, match=message):
        parsed(schemas)


def test_an_operation_is_read_with_all_its_parts() -> None:
    """Parameters, body, answer, events, flags."""
    operation = {
        "operationId": "doIt",
        "deprecated": True,
        "security": [{"AdminApiKeyAuth": []}],
        "parameters": [
            {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}},
            {"in": "query", "name": "limit", "schema": {"type": "integer"}},
        ],
        "requestBody": {"content": {"multipart/form-data": {"schema": {"type": "object", "properties": {"a": {}}}}}},
        "responses": {
            "200": {
                "content": {
                    "text/event-stream": {"schema": {"type": "string"}},
                    "application/json": {"schema": {"type": "integer"}},
                }
            }
        },
        "x-path": "/it/{id}",
        "x-query": {"beta": "true"},
        "x-beta": "v=1",
    }
    [endpoint] = (
        Parser({"paths": {"/it/{id}?b": {"post": operation}}, "components": {"schemas": {}}}, {}).parse().endpoints
    )
    assert (endpoint.method, endpoint.path, endpoint.operation_id) == ("POST", "/it/{id}", "doIt")
    assert [item.name for item in endpoint.of("path")] == ["id"]
    assert [item.name for item in endpoint.of("query")] == ["limit"]
    assert endpoint.body is not None
    assert (endpoint.body.shape, endpoint.body.content_type, endpoint.body.required) == (
        Ref("DoItRequest"),
        "multipart/form-data",
        False,
    )
    assert (endpoint.result, endpoint.result_type, endpoint.event) == (Scalar("int"), "application/json", Scalar("str"))
    assert (endpoint.deprecated, endpoint.admin, endpoint.beta) == (True, True, "v=1")
    assert endpoint.fixed_query == (("beta", "true"),)


def test_a_definition_yields_what_it_consists_of() -> None:
    """An alias its shape, an object those of its properties."""
    assert list(Definition("A", "A", "A", alias=Ref("B")).shapes()) == [Ref("B")]
