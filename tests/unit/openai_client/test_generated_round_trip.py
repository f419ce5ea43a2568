from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from codegen.description import load_description, load_settings
from codegen.generate import load_plan
from codegen.instances import Fill, InstanceMaker
from codegen.naming import pascal
from openai_client.base_model import ResponseModel

SETTINGS = load_settings()
DESCRIPTION = load_description(SETTINGS.overrides)
PLAN = load_plan(SETTINGS)
MAKER = InstanceMaker(DESCRIPTION)
RENAMED = {name: item["name"] for name, item in SETTINGS.overrides["names"]["schemas"].items()}
GENERATED = PLAN.definitions_of(PLAN.generated)
FORMS = {name for name, schema in DESCRIPTION["components"]["schemas"].items() if '"binary"' in json.dumps(schema)}
"""Bodies with files, which are no JSON; what a form does with them is tested with the forms."""
SCHEMAS = [
    name
    for name in DESCRIPTION["components"]["schemas"]
    if RENAMED.get(name, pascal(name)) in GENERATED and name not in FORMS
]


def model_of(schema: str) -> Any:
    """The generated model of a schema."""
    name = RENAMED.get(schema, pascal(schema))
    return getattr(import_module(f"openai_client._generated.models.{PLAN.modules[name]}"), name)


@cache
def adapter_of(schema: str) -> TypeAdapter[Any]:
    """The validator of a schema's model, built once."""
    return TypeAdapter(model_of(schema))


def through(schema: str, made: Any) -> Any:
    """What comes out when a document goes through the model of a schema."""
    adapter = adapter_of(schema)
    return json.loads(adapter.dump_json(adapter.validate_json(json.dumps(made)), exclude_unset=True, by_alias=True))


@pytest.mark.requirement("FWD-01", "CLI-09", "TYP-12")
@pytest.mark.parametrize("schema", SCHEMAS)
def test_whatever_the_description_allows_goes_through_its_model_unchanged(schema: str) -> None:
    """Minimal, full and null-filled instances of every alternative come out as they went in."""
    for fill in Fill:
        for variant in range(MAKER.variants(schema)):
            made = MAKER.instance(schema, fill, variant)
            assert through(schema, made) == made, (fill, variant)


@pytest.mark.requirement("FWD-01", "FWD-03")
@pytest.mark.parametrize(
    "schema",
    [name for name in SCHEMAS if isinstance(model_of(name), type) and issubclass(model_of(name), ResponseModel)],
)
def test_unknown_fields_of_everything_received_are_kept_at_every_depth(schema: str) -> None:
    """A field that no version knows comes back from where it was put."""
    made = with_news(MAKER.instance(schema, Fill.FULL))
    assert through(schema, made) == made


def with_news(value: Any) -> Any:
    """The same document with an unknown field in every object whose keys are not data."""
    if isinstance(value, list):
        return [with_news(item) for item in value]
    if isinstance(value, dict):
        known = {key: with_news(item) for key, item in value.items()}
        return known if known.keys() <= {"key", "anything"} else {**known, "news_of_tomorrow": {"n": [1, None]}}
    return value


@pytest.mark.requirement("FWD-03")
def test_every_generated_model_waits_with_its_building_and_hides_its_input() -> None:
    """No class is built before its first use, and no validation error repeats a prompt."""
    models = [model for name in SCHEMAS if isinstance(model := model_of(name), type) and issubclass(model, BaseModel)]
    assert len(models) > 250
    assert all(
        model.model_config.get("defer_build") and model.model_config.get("hide_input_in_errors") for model in models
    )
