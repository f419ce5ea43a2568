"""Whole answers cut into the deltas of a stream, at random: what the accumulators must put together again."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from codegen.description import load_description, load_settings
from codegen.instances import Fill, InstanceMaker

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

MAKER = InstanceMaker(load_description(load_settings().overrides))

NAMES = frozenset({"detail", "file_id", "id", "message_id", "name", "object", "role", "type", "url"})
INDEXED = frozenset({"annotations", "content", "outputs", "tool_calls"})
"""Lists of the assistants API whose items say their place when they stream; chat has the last one only."""


@cache
def _written(schema: str, variant: int) -> str:
    return json.dumps(MAKER.instance(schema, Fill.FULL, variant))


def full(schema: str, variant: int = 0) -> Any:
    """Return an instance of a schema with every property."""
    return json.loads(_written(schema, variant))


def cut(text: str, rng: Random) -> list[str]:
    """Return the text in pieces; some may be empty."""
    places = sorted(rng.randint(0, len(text)) for _ in range(rng.randint(0, 4)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def cut_base64(data: str, rng: Random) -> list[str]:
    """Return base64 in pieces that are base64 each, with padding of their own."""
    pieces = cut(base64.b64decode(data).decode("latin-1"), rng)
    return [base64.b64encode(piece.encode("latin-1")).decode() for piece in pieces]


def interleaved(rows: Iterable[list[Any]], rng: Random) -> list[Any]:
    """Return the items of all rows; the order within a row stays."""
    waiting = [list(row) for row in rows if row]
    found = []
    while waiting:
        row = rng.choice(waiting)
        found.append(row.pop(0))
        waiting = [row for row in waiting if row]
    return found


def deltas(value: dict[str, Any], rng: Random, indexed: frozenset[str] = INDEXED) -> list[dict[str, Any]]:
    """Return pieces of an object that make it up again."""
    rows = [[{key: piece} for piece in _pieces(key, item, rng, indexed)] for key, item in value.items()]
    return interleaved(rows, rng)


def _pieces(key: str, value: Any, rng: Random, indexed: frozenset[str]) -> list[Any]:
    if isinstance(value, str) and key not in NAMES:
        return cut_base64(value, rng) if key == "data" else cut(value, rng)
    if isinstance(value, dict):
        return deltas(value, rng, indexed) or [{}]
    if isinstance(value, list) and key in indexed:
        rows = [
            [[{"index": place, **({"type": item["type"]} if "type" in item else {}), **piece}] for piece in pieces]
            for place, item in enumerate(value)
            for pieces in [deltas(item, rng, indexed) or [{}]]
        ]
        return interleaved(rows, rng)
    if isinstance(value, list):
        return [[item] for item in value] or [[]]
    return [value]
