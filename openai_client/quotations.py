"""
What of a call may not stand in an error, although the upstream says it: the prompt, which its message may quote.

A request is looked through when an error is made, and not before. Names stay readable, of models, tools and files:
what an upstream complains about is mostly one of them.

Spec: SEC-16
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel
from pydantic_core import from_json

from http_util.redact_quotes import WINDOW, without_quotes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai_client.operation import Call

_PRIVATE: Final = frozenset(
    {
        *("additional_instructions", "arguments", "content", "documents", "input", "instructions", "messages"),
        *("output", "prediction", "prompt", "query", "suffix", "summary", "text", "user_location", "variables"),
    }
)
"""Fields that hold what somebody has said, themselves or anywhere inside of them."""

_NAMES: Final = frozenset(
    {
        *("call_id", "detail", "encoding", "file_id", "format", "id", "item_id", "mime_type", "model", "name"),
        *("object", "phase", "role", "status", "tool_call_id", "type", "voice"),
    }
)
"""Fields that name something, wherever they are."""

_APART: Final = "\x00"
_MOST_SHORT: Final = 64
"""Texts that are too short for a window, and looked for one by one."""


class Quotations:
    """The texts of a call that an upstream may quote. Keeps the call, and shows nothing of it."""

    __slots__ = ("_call",)

    def __init__(self, call: Call | None = None) -> None:
        """Look into *call* when something is to be said about it."""
        self._call = call

    def masked(self, said: str | None) -> str | None:
        """Return what an upstream has said, without what it quotes of the call."""
        if not said or self._call is None:
            return said
        texts = list(_texts_of(self._call))
        short = {text for text in texts if len(text) < WINDOW}
        # one long text is gone through once, however many it was
        return without_quotes(
            said, (_APART.join(text for text in texts if len(text) >= WINDOW), *sorted(short)[:_MOST_SHORT])
        )


NO_QUOTATIONS: Final = Quotations()
"""Of a call in which nothing is private."""


def _texts_of(call: Call) -> Iterator[str]:
    """Yield the private texts in the body of *call*, and in what was added to it."""
    body: Any = call.body
    if isinstance(body, bytes):
        try:
            body = from_json(body)
        except ValueError:
            # bytes of a raw call, whose form nobody knows
            yield body.decode("utf-8", "replace")
            return
    for given in (body, call.options.extra_body):
        yield from _texts(given, is_private=False)


def _texts(value: Any, *, is_private: bool) -> Iterator[str]:
    # no recursion: an extra field may be as deep as anybody likes
    waiting = [(value, is_private)]
    while waiting:
        item, private = waiting.pop()
        if isinstance(item, str):
            if private:
                yield item
        elif isinstance(item, BaseModel):
            waiting += _fields(vars(item), private)
            waiting += _fields(item.model_extra or {}, private)
        elif isinstance(item, dict):
            waiting += _fields(item, private)
        elif isinstance(item, list | tuple):
            waiting += [(inner, private) for inner in item]


def _fields(fields: dict[str, Any], private: bool) -> list[tuple[Any, bool]]:  # noqa: FBT001 - of one function
    return [(value, private or name in _PRIVATE) for name, value in fields.items() if name not in _NAMES]
