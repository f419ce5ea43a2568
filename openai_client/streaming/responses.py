"""
Events of the Responses API into a response.

Spec: CLI-10, TYP-12
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openai_client._generated.models.responses.response import Response
from openai_client.errors import StreamInterrupted
from openai_client.streaming.merging import said

if TYPE_CHECKING:
    from openai_client._generated.models.responses.events import ResponseStreamEvent

_LAST: Final = frozenset({"response.completed", "response.failed", "response.incomplete"})


class ResponseAccumulator:
    """
    Collects the events of one stream. Unknown events are counted and otherwise ignored.

    Spec: CLI-10
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._response: dict[str, Any] = {}
        self._items: dict[int, dict[str, Any]] = {}
        self._texts: dict[tuple[int, int], str] = {}
        self.is_finished: bool = False
        """Whether the response said that it is completed, failed or incomplete."""
        self.unknown_count: int = 0
        """How many events were of a type that is not accumulated."""

    def add(self, event: ResponseStreamEvent) -> None:
        """Add the next event."""
        fields = said(event)
        kind = fields.get("type", "")
        response = fields.get("response")
        place = fields.get("output_index") or 0
        if isinstance(response, dict):
            self._response = {**self._response, **response}
            self.is_finished = self.is_finished or kind in _LAST
        elif kind in {"response.output_item.added", "response.output_item.done"}:
            self._items[place] = fields.get("item") or {}
        elif kind == "response.output_text.delta":
            key = place, fields.get("content_index") or 0
            self._texts[key] = self._texts.get(key, "") + (fields.get("delta") or "")
        elif kind == "response.output_text.done":
            self._texts[place, fields.get("content_index") or 0] = fields.get("text") or ""
        else:
            self.unknown_count += 1

    @property
    def text(self) -> str:
        """The text of all output so far."""
        return "".join(text for _, text in sorted(self._texts.items()))

    def result(self) -> Response:
        """
        Return the response: the one that the last event holds, or what can be told from the events before it.

        Raises:
            StreamInterrupted: No event told anything about a response yet.
        """
        if not self._response:
            raise StreamInterrupted("the stream has not told anything about a response yet")
        response = dict(self._response)
        if not response.get("output"):
            places = self._items.keys() | {place for place, _ in self._texts}
            response["output"] = [self._item(place) for place in sorted(places)]
        return Response.model_validate(response)

    def _item(self, place: int) -> dict[str, Any]:
        """Return an output item, with the texts that came for it when the item itself has none."""
        item = dict(self._items.get(place) or {"type": "message", "role": "assistant"})
        texts = [text for (index, _), text in sorted(self._texts.items()) if index == place]
        if texts and not item.get("content"):
            item["content"] = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
        return item
