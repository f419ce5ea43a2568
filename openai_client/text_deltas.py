"""
The text in a stream, piece by piece, whichever endpoint it comes from.

Spec: CLI-10
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from openai_client.streaming.accumulator import Accumulator

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)

_TEXT_DELTAS: Final = frozenset({"response.output_text.delta", "transcript.text.delta"})


def text_in(event: Any) -> str:
    """
    Return the piece of the answer's text that *event* holds; empty when it holds none.

    Of several choices the first counts. Refusals, reasoning and tool arguments are no text of the answer.
    """
    choices = getattr(event, "choices", None)
    if choices is not None:
        return "".join(_text_of(choice) for choice in choices if not choice.index)
    if getattr(event, "type", None) in _TEXT_DELTAS:
        return event.delta or ""
    if getattr(event, "event", None) == "thread.message.delta":
        parts = (getattr(part, "text", None) for part in event.data.delta.content or ())
        return "".join(getattr(part, "value", None) or "" for part in parts)
    return ""


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
