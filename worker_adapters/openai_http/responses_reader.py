"""
Reader of the Responses stream: typed events, closed by the event that completes the response.

Spec: ADP-10, ADP-22, ADP-23, ADP-24, OC-ADAPT-OAI-6001
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from worker_adapters.openai_http.chunks import decode_response_event
from worker_adapters.openai_http.token_reader import DONE, UNREADABLE, TokenReader, UnreadableChunk, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapter_api import Channel, TokenEvent
    from worker_adapters.openai_http.chunks import Response, ResponseEvent
    from worker_adapters.openai_http.token_reader import Evidence

_CHANNELS: Final[Mapping[str, Channel]] = {
    "response.output_text.delta": "text",
    "response.reasoning_text.delta": "reasoning",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.refusal.delta": "refusal",
}
"""Event types that bring text, and the channel of it."""

_ARGUMENTS: Final = frozenset({"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"})
_CALLS: Final = frozenset({"function_call", "custom_tool_call"})

_INCOMPLETE: Final[Mapping[str | None, str]] = {"max_output_tokens": "length", "content_filter": "content_filter"}
"""Why a response is incomplete, in the words of a finish reason."""


class ResponsesReader(TokenReader):
    """Reads one response."""

    __slots__ = ("_called",)

    def __init__(self) -> None:
        """Start before the first event."""
        super().__init__()
        self._called = False

    def read(self, event: str, data: bytes, into: list[TokenEvent]) -> None:
        """Take in one event; see `TokenReader.read`."""
        if not data or (data == DONE and event != "error"):
            return
        try:
            parsed = decode_response_event(data)
        except UNREADABLE as error:
            raise UnreadableChunk("an event of the stream is not the JSON that the API describes") from error
        kind = parsed.type or event
        if kind == "error" or parsed.error is not None or not kind.startswith("response."):
            self._read_stranger(kind, parsed, data)
            return
        self.started = True
        channel = _CHANNELS.get(kind)
        if channel is not None:
            if isinstance(parsed.delta, str) and parsed.delta:
                self._token(parsed.delta, into, channel)
        elif kind in _ARGUMENTS:
            if isinstance(parsed.delta, str) and parsed.delta:
                self._token(parsed.delta, into, "tool_call", tool_call={"index": parsed.output_index or 0})
        elif kind == "response.output_item.added":
            self._read_item(parsed, into)
        elif parsed.response is not None:
            self._read_response(kind, parsed.response, data)

    def _read_stranger(self, kind: str, parsed: ResponseEvent, data: bytes) -> None:
        """An error in any form is raised; other events that are not of a response are passed over."""
        if kind == "error" or parsed.error is not None or parsed.message is not None:
            raise UpstreamError(_decoded(data))

    def _read_item(self, parsed: ResponseEvent, into: list[TokenEvent]) -> None:
        item = parsed.item
        if item is None or item.type not in _CALLS:
            return
        self._called = True
        told: dict[str, object] = {"index": parsed.output_index or 0}
        if item.call_id or item.id:
            told["id"] = item.call_id or item.id
        if item.name:
            told["name"] = item.name
        self._token("", into, "tool_call", tool_call=told)

    def _read_response(self, kind: str, response: Response, data: bytes) -> None:
        if response.model and self.model is None:
            self.model = response.model
        self._count(response.usage)
        if kind == "response.completed":
            self._complete("tool_calls" if self._called else "stop", "response.completed")
        elif kind == "response.incomplete":
            why = response.incomplete_details.reason if response.incomplete_details is not None else None
            self._complete(_INCOMPLETE.get(why, why or "incomplete"), "response.incomplete")
        elif kind in ("response.failed", "response.cancelled"):
            raise UpstreamError(_decoded(data).get("response", {}))

    def _complete(self, reason: str, evidence: Evidence) -> None:
        """Note the end; its event carries everything, so nothing that follows it matters."""
        self._finish(reason, evidence)
        self.is_complete = True


def _decoded(data: bytes) -> dict[str, Any]:
    """The whole of an event that has been read in part already; what is nested too deep for that says nothing."""
    try:
        decoded: dict[str, Any] = msgspec.json.decode(data)
    except UNREADABLE:
        return {}
    return decoded
