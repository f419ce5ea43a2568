"""Reads the pinned API description, checks its digest, and corrects it by `overrides.toml`."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE: Final = Path(__file__).parent
_SPEC: Final = _HERE / "spec" / "openai-openapi-facts.json"
_DIGEST: Final = _HERE / "spec" / "openai-openapi-facts.json.sha256"


class StaleOverride(ValueError):
    """A correction in `overrides.toml` has nothing left to correct; the message says which one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The TOML files beside this module, as they stand."""

    families: Mapping[str, Any]
    overrides: Mapping[str, Any]
    """The corrections, with the summaries as one more table."""


def load_settings() -> Settings:
    """Return `families.toml`, and `overrides.toml` with `summaries.toml`."""
    return Settings(
        families=_table("families.toml"),
        overrides={**_table("overrides.toml"), "summaries": _table("summaries.toml")},
    )


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((_HERE / name).read_text(encoding="utf-8"))


def load_description(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the pinned description, corrected.

    Raises:
        ValueError: The file is not the one that its digest was taken of.
        StaleOverride: A correction does not apply any more.
    """
    content = _SPEC.read_bytes()
    expected = _DIGEST.read_text(encoding="utf-8").split()[0]
    if (found := hashlib.sha256(content).hexdigest()) != expected:
        raise ValueError(
            f"{_SPEC.name} has SHA-256 {found}, but {expected} is pinned; pin a new description on purpose"
        )
    return correct(json.loads(content), overrides)


def correct(document: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """
    Apply every correction to *document*, which is changed, and return it.

    Raises:
        StaleOverride: A correction does not apply: the place it names is gone, or nothing differs after it.
    """
    for patch in overrides["patch"]:
        _apply(document, patch)
    document["paths"] = _without_queries(document["paths"], overrides["beta"])
    for schema_name in overrides["names"]["schemas"]:
        if schema_name not in document["components"]["schemas"]:
            raise StaleOverride(f"names.schemas: the description has no schema {schema_name!r}")
    return document


def _apply(document: dict[str, Any], patch: Mapping[str, Any]) -> None:
    target = document
    try:
        for key in patch["at"]:
            target = target[key]
        before = dict(target)
        for key in patch.get("drop", ()):
            del target[key]
    except KeyError as error:
        raise StaleOverride(f"patch at {patch['at']}: the description has no {error}") from error
    target.update(patch.get("set", {}))
    if target == before:
        raise StaleOverride(f"patch at {patch['at']}: changes nothing")


def _without_queries(paths: Mapping[str, Any], beta: Mapping[str, Any]) -> dict[str, Any]:
    # two operations may now have the same path, so the marked ones keep their key and say in `x-path` what it means
    corrected: dict[str, Any] = {}
    for path, methods in paths.items():
        plain = path.removesuffix(beta["suffix"])
        marks = {} if plain == path else {"x-path": plain, "x-query": beta["query"], "x-beta": beta["header"]}
        corrected[path] = {
            method: {**operation, **marks, "parameters": _kept(operation, beta)} if marks else operation
            for method, operation in methods.items()
        }
    if corrected == paths:
        raise StaleOverride(f"beta: no path ends in {beta['suffix']!r}")
    return corrected


def _kept(operation: Mapping[str, Any], beta: Mapping[str, Any]) -> list[Any]:
    return [item for item in operation.get("parameters", ()) if item["name"] != beta["parameter"]]
