"""
Server-sent events as bytes, and JSON with a hole for the text, so that a token costs no encoding of the constant parts.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HOLE: Final = "\x00hole\x00"
"""Stands in a document where the text of each token goes."""
_HOLE_JSON: Final = json.dumps(HOLE)
_LONGEST_WORD: Final = 64


class Frame(NamedTuple):
    """
    One server-sent event.
    """

    data: bytes
    tokens: int = 0
    """How many tokens it completes."""


DONE: Final = Frame(b"data: [DONE]\n\n")


def encoder(*, spaced: bool) -> Callable[[object], str]:
    """
    Make the JSON writer of a flavour: compact UTF-8, or with spaces and escapes.
    """
    return _spaced if spaced else _compact


def event(document: str, name: str | None = None) -> bytes:
    """
    Wrap JSON text into a server-sent event.

    Args:
        document: One line of JSON.
        name: The event's name, or None for no `event:` line.
    """
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {document}\n\n".encode("utf-8", "surrogatepass")


def comment(text: str) -> Frame:
    """
    Make a comment, as servers send to keep a connection warm.
    """
    return Frame(f": {text}\n\n".encode())


def template(document: Mapping[str, object], *, spaced: bool, name: str | None = None) -> Callable[[str], bytes]:
    """
    Encode a document once, all but its `HOLE`.

    Args:
        document: JSON object that holds `HOLE` exactly once, as a value.
        spaced: As for `encoder`.
        name: The event's name, or None for no `event:` line.

    Returns:
        A function from the text of the hole to the whole event.
    """
    before, _, after = event(encoder(spaced=spaced)(document), name).partition(_HOLE_JSON.encode())
    text = _spaced_text if spaced else _compact_text

    def fill(token: str) -> bytes:
        # Words come again and again; a huge token comes once, and is not kept.
        encode = text if len(token) <= _LONGEST_WORD else text.__wrapped__
        return before + encode(token) + after

    return fill


def _compact(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _spaced(document: object) -> str:
    return json.dumps(document)


@lru_cache(maxsize=4096)
def _compact_text(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")


@lru_cache(maxsize=4096)
def _spaced_text(text: str) -> bytes:
    return json.dumps(text).encode()
