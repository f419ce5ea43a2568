"""How two pieces of one JSON object become one. Pure; knows no endpoint."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

# Said again and again by some servers; they name a thing and are no part of a text.
_SAID_ONCE: Final = frozenset({"id", "index", "name", "object", "role", "type"})


def merge_piece(whole: MutableMapping[str, Any], piece: Mapping[str, Any]) -> None:
    """
    Add a piece of an object to what is there.

    Texts are appended, but for those that name something: the first one counts. Lists whose items have an `index` are
    merged item by item, other lists are appended, objects are merged, everything else is replaced. Null says nothing.

    Args:
        whole: What is there; changed.
        piece: What came.

    Example:
        >>> whole = {"name": "pick", "arguments": '{"a'}
        >>> merge_piece(whole, {"name": "pick", "arguments": '":1}'})
        >>> whole
        {'name': 'pick', 'arguments': '{"a":1}'}
    """
    for name, value in piece.items():
        there = whole.get(name)
        if value is None:
            whole.setdefault(name, None)
        elif isinstance(value, list):
            whole[name] = _merged_list(there if isinstance(there, list) else [], value)
        elif isinstance(value, Mapping):
            inner = dict(there) if isinstance(there, Mapping) else {}
            merge_piece(inner, value)
            whole[name] = inner
        elif isinstance(value, str) and isinstance(there, str) and name not in _SAID_ONCE:
            whole[name] = there + value
        elif name not in _SAID_ONCE or there in (None, ""):
            whole[name] = value


def _merged_list(there: list[Any], pieces: list[Any]) -> list[Any]:
    """Return the list with more pieces in it."""
    merged = list(there)
    for piece in pieces:
        index = piece.get("index") if isinstance(piece, Mapping) else None
        if not isinstance(index, int):
            merged.append(piece)
            continue
        place = next((i for i, item in enumerate(merged) if item.get("index") == index), len(merged))
        item = dict(merged[place]) if place < len(merged) else {}
        merge_piece(item, piece)
        merged[place : place + 1] = [item]
    return merged


def said(model: Any) -> dict[str, Any]:
    """Return the fields that the upstream sent, unknown ones included, as plain values."""
    fields: dict[str, Any] = model.model_dump(mode="json", exclude_unset=True, by_alias=True)
    return fields
