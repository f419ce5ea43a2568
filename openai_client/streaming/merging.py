"""
How pieces of one JSON object become one. Pure; knows no endpoint.

A text that grows is kept as a `Text`, to which adding costs the same however long it is; `plain` makes strings of them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, MutableMapping, Sized
from io import StringIO
from typing import Any, Final

from openai_client.errors import DeserializationError, UnexpectedResponse

# Said again and again by some servers; they name a thing and are no part of a text.
_SAID_ONCE: Final = frozenset(
    {"detail", "file_id", "id", "index", "message_id", "name", "object", "role", "type", "url"},
)


MOST_PLACES: Final = 4096
"""
Choices, tool calls, items, parts of one and the like that a stream may begin. An answer has some; only an upstream that
means harm, or is broken, goes on and on.
"""


class Text:
    """A text that grows."""

    __slots__ = ("_pieces",)

    def __init__(self, first: str = "") -> None:
        """Begin with *first*."""
        self._pieces = StringIO()
        self._pieces.write(first)

    def add(self, piece: str) -> None:
        """Add to the end."""
        self._pieces.write(piece)

    def __str__(self) -> str:
        """Return the text so far."""
        return self._pieces.getvalue()

    def __repr__(self) -> str:
        """Return how long the text is; what the model said is not shown."""
        return f"{type(self).__name__}({self._pieces.tell()} characters)"


def merge_piece(whole: MutableMapping[str, Any], piece: Mapping[str, Any]) -> None:
    """
    Add a piece of an object to what is there.

    Texts are appended, but for those that name something: the first one counts. Lists whose items have an `index` are
    merged item by item, other lists are appended, objects are merged, everything else is replaced. Null says nothing.

    Args:
        whole: What is there; changed. Read it with `plain`.
        piece: What came; parts of it may live on in *whole*.

    Raises:
        UnexpectedResponse: A list of items with an `index` would have more than `MOST_PLACES`.

    Example:
        >>> whole = {"name": "pick", "arguments": '{"a'}
        >>> merge_piece(whole, {"name": "pick", "arguments": '":1}'})
        >>> plain(whole)
        {'name': 'pick', 'arguments': '{"a":1}'}
    """
    for name, value in piece.items():
        there = whole.get(name)
        if value is None:
            whole.setdefault(name, None)
        elif isinstance(value, list):
            whole[name] = _merged_list(there if isinstance(there, list) else [], value)
        elif isinstance(value, Mapping):
            inner = there if isinstance(there, MutableMapping) else {}
            merge_piece(inner, value)
            whole[name] = inner
        elif isinstance(value, str) and name not in _SAID_ONCE:
            whole[name] = grown(there, value)
        elif name not in _SAID_ONCE or there in (None, ""):
            whole[name] = value


def grown(there: object, piece: str) -> Text:
    """Return the text *there*, or an empty one, with *piece* at its end."""
    text = there if isinstance(there, Text) else Text(there if isinstance(there, str) else "")
    text.add(piece)
    return text


def plain(value: Any) -> Any:
    """Return a copy of *value* with strings for its texts."""
    if isinstance(value, Text):
        return str(value)
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def _merged_list(there: list[Any], pieces: list[Any]) -> list[Any]:
    """Return the list with more pieces in it."""
    for piece in pieces:
        index = piece.get("index") if isinstance(piece, Mapping) else None
        if not isinstance(index, int):
            there.append(piece)
            continue
        item = next((item for item in there if isinstance(item, dict) and item.get("index") == index), None)
        if item is None:
            check_room(there)
            item = {}
            there.append(item)
        merge_piece(item, piece)
    return there


def check_room(things: Sized) -> None:
    """
    Make sure that there is room for one more among *things*.

    Raises:
        UnexpectedResponse: There are `MOST_PLACES` already.

    Spec: CLI-10
    """
    if len(things) >= MOST_PLACES:
        raise UnexpectedResponse(
            f"the stream begins more than {MOST_PLACES} choices, tool calls, items or parts; no answer has so many"
        )


def without_places(items: list[Any]) -> list[Any]:
    """Return the items in the order of their `index`, which is the stream's; items of a whole answer have none."""
    placed = sorted(items, key=lambda item: item.get("index") or 0)
    return [{name: value for name, value in item.items() if name != "index"} for item in placed]


def joined_base64(text: str) -> str:
    """
    Return pieces of base64 that were written one behind the other as one: padding stands only at its end.

    Example:
        >>> joined_base64("YQ==Yg==")
        'YWI='
    """
    if "=" not in text.rstrip("="):
        return text
    try:
        decoded = b"".join(base64.b64decode(part) for part in re.findall(r"[^=]+=*", text))
    except ValueError:
        # it is no base64: whoever decodes it is told so then
        return text
    return base64.b64encode(decoded).decode()


def decoded(text: str, field: str) -> bytes:
    """
    Return what *text* is the base64 of.

    Raises:
        DeserializationError: It is no base64; the message names *field*.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        failure = DeserializationError(f"{field}: must be base64")
    # the frame may be shown in a traceback
    del text
    raise failure


def said(model: Any) -> dict[str, Any]:
    """Return the fields that the upstream sent, unknown ones included, as plain values."""
    fields: dict[str, Any] = model.model_dump(mode="json", exclude_unset=True, by_alias=True)
    return fields
