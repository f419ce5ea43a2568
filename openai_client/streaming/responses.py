"""
Events of the Responses API into a response.

Spec: CLI-10, TYP-12
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openai_client._generated.models.responses.events import ResponseStreamEvent
from openai_client._generated.models.responses.response import Response
from openai_client.base_model import WireParser
from openai_client.errors import StreamInterrupted
from openai_client.streaming.accumulator import Accumulator, EventReader, built
from openai_client.streaming.merging import Text, decoded, joined_base64
from openai_client.streaming.response_items import ResponseItems, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_EVENTS: Final = EventReader(WireParser[ResponseStreamEvent](ResponseStreamEvent))
_LAST: Final = frozenset({"response.completed", "response.failed", "response.incomplete"})
_FACTS: Final = _LAST | {"response.created", "response.queued", "response.in_progress"}


class ResponseEvents:
    """
    What the events of one stream have told so far, whichever of the two Responses APIs they came from. Pure.

    Spec: CLI-10
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._response: dict[str, Any] = {}
        self._items = ResponseItems()
        self._audio = Text()
        self._transcript = Text()
        self.is_last: bool = False
        """Whether the response said that it is completed, failed or incomplete."""
        self.unknown_count: int = 0
        """How many events were of a type that is not known."""

    def add(self, fields: Mapping[str, Any] | None) -> None:
        """Add the next event, as plain values; None for one of a type that is not known."""
        if fields is None:
            self.unknown_count += 1
            return
        kind = fields.get("type") or ""
        response = fields.get("response")
        if kind in _FACTS and isinstance(response, dict):
            self._response |= response
            self.is_last = self.is_last or kind in _LAST
        elif kind.startswith("response.audio."):
            self._hear(kind, fields)
        elif not self._items.add(kind, fields):
            self.unknown_count += 1

    def _hear(self, kind: str, fields: Mapping[str, Any]) -> None:
        heard = self._transcript if kind.startswith("response.audio.transcript.") else self._audio
        # an event that is known to have none may have been given one of any kind
        if isinstance(piece := fields.get("delta"), str):
            heard.add(piece)

    @property
    def output(self) -> list[dict[str, Any]]:
        """The output items so far: those of the last event, or what can be told from the events before it."""
        return self._response.get("output") or self._items.whole()

    @property
    def text(self) -> str:
        """The text of all output so far."""
        return "".join(texts_of(self.output))

    @property
    def audio(self) -> bytes:
        """
        The audio so far, decoded; it stands in no output item.

        Raises:
            DeserializationError: It is no base64.
        """
        return decoded(joined_base64(str(self._audio)), "audio")

    @property
    def transcript(self) -> str:
        """What is said in the audio so far."""
        return str(self._transcript)

    @property
    def partial_images(self) -> Mapping[int, str]:
        """The latest partial image of each output item that draws one, in base64, by the item's place."""
        return self._items.partial_images

    def missing(self) -> str | None:
        """Return what has to come before the response is whole."""
        if self.is_last:
            return None
        return "no event came that says that the response is completed, failed or incomplete"

    def fields(self) -> dict[str, Any]:
        """
        Return the response so far as plain values.

        Raises:
            StreamInterrupted: No event told anything about a response yet.
        """
        if not self._response:
            raise StreamInterrupted("the stream has not told anything about a response yet")
        return {**self._response, "output": self.output}


class ResponseAccumulator(Accumulator[ResponseStreamEvent, Response]):
    """
    Collects the events of one stream of the Responses API: messages, refusals, reasoning, calls of every kind of tool.

    Spec: CLI-10
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.events: ResponseEvents = ResponseEvents()
        """What was told so far, beyond the response: audio, partial images, how many events were unknown."""

    def add(self, event: ResponseStreamEvent) -> None:
        """Add the next event."""
        self.events.add(_EVENTS.fields_of(event))

    @property
    def text(self) -> str:
        """The text of all output so far."""
        return self.events.text

    @property
    def unknown_count(self) -> int:
        """How many events were of a type that is not known."""
        return self.events.unknown_count

    def missing(self) -> str | None:
        """Return what has to come before the response is whole; None when its last event came."""
        return self.events.missing()

    def partial(self) -> Response:
        """
        Return the response: the one that the last event holds, or what can be told from the events before it.

        Raises:
            StreamInterrupted: No event told anything about a response yet.
        """
        return built(Response, self.events.fields())
