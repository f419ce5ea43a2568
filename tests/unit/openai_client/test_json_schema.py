"""Strict schemas: what a pydantic model becomes, and what is refused before the upstream refuses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, RootModel, create_model

from openai_client import InvalidFieldValue, json_schema_of, response_format_of
from openai_client.structured.json_schema import schema_name


class Colour(Enum):
    """Which."""

    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    """Ends a branch."""

    kind: Literal["leaf"]
    colour: Colour = Colour.RED


class Node(BaseModel):
    """Has branches."""

    kind: Literal["node"]
    children: list[Annotated[Node | Leaf, Field(discriminator="kind")]] = []
    first: Leaf = Field(description="The first one.", examples=["x"])
    parent: Node | None = None
    when: datetime | date | UUID | None = None
    share: float = Field(ge=0, le=1, multiple_of=0.5)
    name: str = Field(alias="title", pattern="^[a-z]+$", default="x")
    few: list[int] = Field(min_length=1, max_length=3)


def objects_in(schema: Any) -> list[dict[str, Any]]:
    """Return all schemas of objects in a schema."""
    if isinstance(schema, list):
        return [found for item in schema for found in objects_in(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [found for item in schema.values() for found in objects_in(item)]


def keys_in(schema: Any) -> set[str]:
    """Return all keywords in a schema; names of fields are none."""
    if isinstance(schema, list):
        return set().union(*map(keys_in, schema))
    if not isinstance(schema, dict):
        return set()
    inner = [
        found for key, item in schema.items() for found in (item.values() if key in {"$defs", "properties"} else [item])
    ]
    return set(schema) | keys_in(inner)


@pytest.mark.requirement("CLI-14")
def test_a_strict_schema_lists_and_requires_everything_and_nothing_else() -> None:
    """Unions, enumerations, recursion, aliases; defaults and examples are gone."""
    schema = json_schema_of(Node)
    for found in objects_in(schema):
        assert found["additionalProperties"] is False
        assert found["required"] == list(found["properties"])
    assert not keys_in(schema) & {"default", "examples", "discriminator", "oneOf", "allOf"}
    assert schema["type"] == "object"
    assert schema["properties"]["title"]["pattern"] == "^[a-z]+$"
    assert schema["properties"]["children"]["items"]["anyOf"] == [{"$ref": "#/$defs/Node"}, {"$ref": "#/$defs/Leaf"}]
    assert schema["$defs"]["Leaf"]["properties"]["colour"] == {"$ref": "#/$defs/Colour"}
    assert schema["$defs"]["Colour"]["enum"] == ["red", "blue"]
    assert {part.get("format", part["type"]) for part in schema["properties"]["when"]["anyOf"]} == {
        "date",
        "date-time",
        "null",
        "uuid",
    }


@pytest.mark.requirement("CLI-14")
def test_a_reference_stands_alone() -> None:
    """What is said of it stands around it."""
    schema = json_schema_of(Node)
    assert schema["properties"]["first"] == {"anyOf": [{"$ref": "#/$defs/Leaf"}], "description": "The first one."}
    for found in objects_in(schema):
        for item in found["properties"].values():
            assert "$ref" not in item or len(item) == 1


class Loop(BaseModel):
    """Refers to itself with something beside the reference."""

    again: Loop = Field(description="Once more.")


@pytest.mark.requirement("CLI-14")
def test_what_refers_to_itself_still_has_an_object_for_a_root() -> None:
    """And then refers."""
    schema = json_schema_of(Loop)
    again = {"anyOf": [{"$ref": "#/$defs/Loop"}], "description": "Once more."}
    assert schema["properties"] == schema["$defs"]["Loop"]["properties"] == {"again": again}


@pytest.mark.requirement("CLI-14")
def test_a_schema_is_as_long_as_its_models_however_they_are_nested() -> None:
    """Thirty of them, each with two of the next one, would be written out a billion times."""
    inner: type[BaseModel] = Leaf
    for depth in range(30):
        fields: dict[str, Any] = {name: (inner, Field(description=f"The {name} one.")) for name in ("left", "right")}
        inner = create_model(f"Level{depth}", **fields)
    schema = json_schema_of(inner)
    assert len(schema["$defs"]) == 31
    assert len(json.dumps(schema)) < 20_000


@pytest.mark.requirement("CLI-14")
def test_what_changes_a_reference_is_written_out_with_it() -> None:
    """A reference cannot have bounds beside it."""
    model = create_model("Model", colour=(Colour, Field(description="It.", json_schema_extra={"enum": ["red"]})))
    assert json_schema_of(model)["properties"]["colour"] == {
        "enum": ["red"],
        "title": "Colour",
        "type": "string",
        "description": "It.",
    }
    assert "$defs" not in json_schema_of(model)


def one(kind: Any, **about: Any) -> type[BaseModel]:
    """Return a model with one field."""
    return create_model("Model", field=(kind, Field(**about)))


class Extra(BaseModel):
    """Takes what it does not know."""

    model_config = ConfigDict(extra="allow")


@pytest.mark.requirement("CLI-14", "ERR-01")
@pytest.mark.parametrize(
    ("model", "where", "what"),
    [
        (one(dict[str, int]), "Model.field", "a mapping with free keys"),
        (one(dict[int, int]), "Model.field", "a mapping with free keys"),
        (one(Extra), "Extra", "a model that takes extra fields"),
        (one(Any), "Model.field", "a value of any type"),
        (one(list[Any]), "Model.field[]", "a value of any type"),
        (one(list), "Model.field[]", "a value of any type"),
        (one(tuple[int, str]), "Model.field", "a tuple"),
        (one(set[int]), "Model.field", "a set"),
        (one(str, min_length=1), "Model.field", "the length of a text"),
        (one(str, max_length=1), "Model.field", "the length of a text"),
        (one(AnyUrl), "Model.field", ""),
        (one(bytes), "Model.field", "the format binary"),
        (one(int, json_schema_extra={"not": {}}), "Model.field", "the keyword not"),
        (one(int, json_schema_extra={"allOf": [{}, {}]}), "Model.field", "several schemas at once"),
        (RootModel[list[int]], "RootModel[list[int]]", "a root that is no object"),
    ],
)
def test_what_no_strict_schema_says_is_refused_by_name_and_place(model: type[BaseModel], where: str, what: str) -> None:
    """Nothing is sent; the message tells what to use instead."""
    with pytest.raises(InvalidFieldValue) as caught:
        json_schema_of(model)
    assert str(caught.value).startswith(f"{where}: no strict schema has {what}")
    assert json_schema_of(model, strict=False) == model.model_json_schema()


@pytest.mark.requirement("CLI-14", "ERR-01")
def test_what_has_no_schema_at_all_is_refused_too() -> None:
    """A function is nothing that a model can write."""
    with pytest.raises(InvalidFieldValue, match="Model: has no JSON schema"):
        json_schema_of(one(Callable[[], int]))


@pytest.mark.requirement("CLI-14")
def test_one_schema_in_allof_is_that_schema() -> None:
    """Older pydantic wrote references so."""
    model = create_model("Model", field=(int, Field(json_schema_extra={"allOf": [{"minimum": 3}]})))
    assert json_schema_of(model)["properties"]["field"]["minimum"] == 3


@pytest.mark.requirement("CLI-14")
@settings(deadline=None)  # the first example builds the models
@given(st.text(min_size=1))
def test_any_name_of_a_model_becomes_one_that_the_api_takes(name: str) -> None:
    """Letters, digits, underscore and dash, at most 64."""
    made = schema_name(type(name.replace("\0", "") or "x", (BaseModel,), {"__module__": __name__}))
    assert 1 <= len(made) <= 64
    assert all(sign.isascii() and (sign.isalnum() or sign in "_-") for sign in made)


@pytest.mark.requirement("CLI-14")
@pytest.mark.slow
@pytest.mark.parametrize("strict", [True, False])
def test_models_that_are_nested_too_deeply_are_refused_by_name(*, strict: bool) -> None:
    """Rather than with the limit of the interpreter."""
    model: Any = int
    for _ in range(400):
        model = create_model("Nested", inner=(model, ...))
    with pytest.raises(InvalidFieldValue, match=r"^Nested: has no JSON schema: its models are nested too deeply"):
        json_schema_of(model, strict=strict)


@pytest.mark.parametrize("other", [dict, int, None, {"type": "json_schema"}, list[int], "Point"])
def test_what_is_no_model_is_refused_by_name(other: Any) -> None:
    """A dict with a schema is none either; it goes into the request as it is."""
    with pytest.raises(InvalidFieldValue, match="must be a pydantic model"):
        response_format_of(other)
