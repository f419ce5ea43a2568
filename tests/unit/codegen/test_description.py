from __future__ import annotations

import copy
from typing import Any

import pytest

from codegen import description
from codegen.description import StaleOverride, correct, load_description, load_settings

BETA = {"suffix": "?beta=true", "query": {"beta": "true"}, "header": "v=1", "parameter": "openai-beta"}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/a": {"get": {"operationId": "a"}},
        "/a?beta=true": {"get": {"operationId": "beta_a", "parameters": [{"name": "openai-beta"}, {"name": "x"}]}},
    },
    "components": {"schemas": {"S": {"type": "string"}}},
}


def overrides(**changes: Any) -> dict[str, Any]:
    """Corrections that change nothing but the beta paths, and these."""
    return {"patch": [], "beta": BETA, "names": {"schemas": {}}, **changes}


def corrected(**changes: Any) -> dict[str, Any]:
    """The document after these corrections."""
    return correct(copy.deepcopy(DOCUMENT), overrides(**changes))


def test_a_patch_replaces_what_it_names() -> None:
    """`set` is merged, `drop` removed."""
    patch = {"at": ["components", "schemas", "S"], "set": {"const": 1}, "drop": ["type"], "reason": "r"}
    assert corrected(patch=[patch])["components"]["schemas"]["S"] == {"const": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"patch": [{"at": ["components", "schemas", "Gone"], "set": {"a": 1}}]},
        {"patch": [{"at": ["components", "schemas", "S"], "drop": ["gone"]}]},
        {"patch": [{"at": ["components", "schemas", "S"], "set": {"type": "string"}}]},
        {"names": {"schemas": {"Gone": {"name": "N"}}}},
        {"beta": {**BETA, "suffix": "?gone"}},
    ],
)
def test_a_correction_with_nothing_left_to_correct_is_an_error(changes: dict[str, Any]) -> None:
    """So that corrections leave when the vendor's faults do."""
    with pytest.raises(StaleOverride):
        corrected(**changes)


def test_a_query_is_taken_off_the_path() -> None:
    """The operation says what it was called with, and no longer asks for the beta header."""
    operation = corrected()["paths"]["/a?beta=true"]["get"]
    assert (operation["x-path"], operation["x-query"], operation["x-beta"]) == ("/a", {"beta": "true"}, "v=1")
    assert operation["parameters"] == [{"name": "x"}]


def test_another_description_than_the_pinned_one_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A new one is pinned on purpose, with its digest."""
    changed = tmp_path / "spec.json"
    changed.write_text("{}")
    monkeypatch.setattr(description, "_SPEC", changed)
    with pytest.raises(ValueError, match="SHA-256"):
        load_description(load_settings().overrides)


def test_every_correction_of_ours_has_a_reason() -> None:
    """Corrections are data, and say why."""
    ours = load_settings().overrides
    entries = [
        *ours["patch"],
        ours["beta"],
        *ours["names"]["schemas"].values(),
        *ours["names"]["operations"].values(),
        *ours["essential"]["except"].values(),
        *ours["empty"].values(),
    ]
    assert all(len(entry["reason"]) > 10 for entry in entries)
