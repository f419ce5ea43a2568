"""
Judges documents by the description's schemas, with a validator that we did not write.

Three things are read otherwise than JSON Schema means them, because the description means them otherwise: several
alternatives of `oneOf` may fit; a bound may be marked as exclusive by `true`, as in older drafts; what is required of
an object without being described (the `response_id` of some events) is not.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.contract.operations.facts import DESCRIPTION

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = "urn:description"


def problems(schema: Mapping[str, Any], document: Any) -> tuple[str, ...]:
    """What is wrong with *document*, each with its place; nothing when it fits *schema*."""
    return _problems(json.dumps(schema), json.dumps(document))


# the same document is sent in two colours and in two ways
@cache
def _problems(schema: str, document: str) -> tuple[str, ...]:
    errors = _validator(schema).iter_errors(json.loads(document))
    return tuple(f"{error.json_path}: {error.message[:200]}" for error in errors)


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(translated(json.loads(schema)), registry=registry())


@cache
def registry() -> Any:
    """The description's schemas, translated."""
    resource = DRAFT202012.create_resource(translated(DESCRIPTION["components"]))
    return Registry().with_resource(ROOT, resource)


def translated(schema: Any, *, is_part: bool = False) -> Any:
    """The same schema as the validator has to read it; *is_part* of an `allOf`, whose other parts describe the rest."""
    if isinstance(schema, list):
        return [translated(item, is_part=is_part) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: translated(value, is_part=key == "allOf") for key, value in schema.items()}
    if isinstance(found.get("oneOf"), list):
        found["anyOf"] = found.pop("oneOf")
    if isinstance(found.get("$ref"), str):
        found["$ref"] = f"{ROOT}#/schemas/{found['$ref'].rpartition('/')[2]}"
    if found.get("exclusiveMinimum") is True:
        found["exclusiveMinimum"] = found.pop("minimum")
    if isinstance(found.get("required"), list) and isinstance(found.get("properties"), dict) and not is_part:
        found["required"] = [name for name in found["required"] if name in found["properties"] or "allOf" in found]
    return found
