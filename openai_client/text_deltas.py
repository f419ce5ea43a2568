"""
The text in a stream, piece by piece, whichever endpoint it comes from.

Spec: CLI-10
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, Self, TypeVar

from openai_client.base_model import Untyped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai_client.streaming.accumulator import Accumulator

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)

# no set: what is no known event may have a list for its type
_TYPES_WITH_TEXT: Final = ("response.output_text.delta", "transcript.text.delta")


def text_in(event: Any) -> str:
    """
    Return the piece of the answer's text that *event* holds; empty when it holds none.

    Of several choices the first counts. Refusals, reasoning and tool arguments are no text of the answer.
    """
    if isinstance(event, Untyped):
        return _text_said(event.model_extra or {})
    # what a server adds to an event of a known kind is none of its fields
    fields = vars(event)
    choices = fields.get("choices")
    if choices is not None:
        return "".join(_text_of(choice) for choice in choices if not choice.index)
    if fields.get("type") in _TYPES_WITH_TEXT:
        return event.delta or ""
    if fields.get("event") == "thread.message.delta":
        parts = (getattr(part, "text", None) for part in event.data.delta.content or ())
        return "".join(getattr(part, "value", None) or "" for part in parts)
    return ""


def _text_said(fields: Mapping[str, Any]) -> str:
    """Return the piece of text in an event of a raw stream, or of no known kind, which may hold anything anywhere."""
    if isinstance(fields.get("choices"), list):
        firsts = (choice for choice in map(_object, fields["choices"]) if not choice.get("index"))
        return "".join(_string(_object(choice.get("delta", choice)), "content", "text") for choice in firsts)
    if fields.get("type") in _TYPES_WITH_TEXT:
        return _string(fields, "delta")
    return ""


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _string(fields: Mapping[str, Any], *names: str) -> str:
    """Return the first text under one of *names*."""
    return next((fields[name] for name in names if isinstance(fields.get(name), str)), "")


def _text_of(choice: Any) -> str:
    """Return the text of a choice of a chunk: chat has it in a delta, legacy completions have it in themselves."""
    delta = getattr(choice, "delta", None)
    return (choice.text if delta is None else delta.content) or ""


class _Events(Protocol[E_co]):
    def __next__(self) -> E_co: ...


class _AsyncEvents(Protocol[E_co]):
    async def __anext__(self) -> E_co: ...


class TextDeltas(Generic[E]):
    """The pieces of text in a stream, as they come, for blocking code. Ends and fails as the stream does."""

    def __init__(self, events: _Events[E], into: Accumulator[E, object] | None) -> None:
        """Read *events*; *into* sees all of them."""
        self._events = events
        self._into = into

    def __iter__(self) -> Self:
        """Return the iterator itself."""
        return self

    def __next__(self) -> str:
        """Wait for the next piece, which is never empty."""
        while True:
            event = next(self._events)
            if self._into is not None:
                self._into.add(event)
            if text := text_in(event):
                return text


class AsyncTextDeltas(Generic[E]):
    """The pieces of text in a stream, as they come, on an event loop. Ends and fails as the stream does."""

    def __init__(self, events: _AsyncEvents[E], into: Accumulator[E, object] | None) -> None:
        """Read *events*; *into* sees all of them."""
        self._events = events
        self._into = into

    def __aiter__(self) -> Self:
        """Return the iterator itself."""
        return self

    async def __anext__(self) -> str:
        """Wait for the next piece, which is never empty."""
        while True:
            event = await anext(self._events)
            if self._into is not None:
                self._into.add(event)
            if text := text_in(event):
                return text
