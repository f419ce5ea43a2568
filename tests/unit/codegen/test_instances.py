from __future__ import annotations

from typing import Any

import pytest

from codegen.instances import Fill, InstanceMaker

SCHEMAS: dict[str, Any] = {
    "It": {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": "string", "minLength": 5},
            "b": {"type": ["integer", "null"], "minimum": 3},
            "c": {"const": "c"},
            "d": {"type": "array", "items": {"$ref": "#/components/schemas/It"}},
        },
    },
    "Either": {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]},
}


def made(fill: Fill) -> Any:
    """An instance of the recursive schema."""
    return InstanceMaker({"components": {"schemas": SCHEMAS}}).instance("It", fill)


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        (Fill.MINIMAL, {"a": "xxxxx"}),
        (Fill.FULL, {"a": "xxxxx", "b": 3, "c": "c"}),
        (Fill.NULL, {"a": "xxxxx", "b": None, "c": "c"}),
    ],
)
def test_an_instance_holds_as_much_as_is_asked_for(fill: Fill, expected: dict[str, Any]) -> None:
    """And ends, though its schema does not."""
    found = made(fill)
    inner = found.pop("d", None)
    assert found == expected
    assert (inner is None) is (fill is Fill.MINIMAL)


def test_each_alternative_of_a_union_can_be_made() -> None:
    """Null is none of them."""
    maker = InstanceMaker({"components": {"schemas": SCHEMAS}})
    assert maker.variants("Either") == 2
    assert [maker.instance("Either", Fill.FULL, number) for number in range(2)] == ["xxx", 0.5]
    assert maker.variants("It") == 1
