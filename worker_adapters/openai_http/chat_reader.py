"""
Readers of the chat and completions streams: chunks with choices, closed by `[DONE]`.

Spec: ADP-22, ADP-23, ADP-24, OC-ADAPT-OAI-6001
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from adapter_api import TokenEvent
from worker_adapters.openai_http.chunks import decode_chunk, decode_trouble
from worker_adapters.openai_http.token_reader import DONE, UNREADABLE, TokenReader, UnreadableChunk, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_util.sse import Frame
    from worker_adapters.openai_http.chunks import Choice, Chunk, Delta, ToolCall
    from worker_adapters.openai_http.token_reader import Evidence


MOST_TOOL_CALLS: Final = 1024
"""Tool calls that an answer may begin; the API stops at 128. Beyond it the stream is not what the API describes."""

_MOST_REMEMBERED: Final = 256
"""Characters of an id and a name by which a call is known again."""

FAILED: Final = frozenset({"error", "abort"})
"""Finish reasons by which a server says that it gave up: no end of an answer, whatever they are called."""


class ChatReader(TokenReader):
    """Reads chat completions, and, as their chunks have the same frame, legacy completions."""

    __slots__ = ("_done_is_evidence", "_is_flowing", "_tool_calls")

    def __init__(self, *, done_is_evidence: bool = True) -> None:
        """
        Start before the first chunk.

        Args:
            done_is_evidence: Whether `[DONE]` alone proves an end. False for servers that send it also when they give
                up.
        """
        super().__init__()
        self._done_is_evidence = done_is_evidence
        # the model is known and no end in sight: of most chunks only the text is new
        self._is_flowing = False
        # what has been told of each tool call: servers repeat id and name in every delta
        self._tool_calls: dict[int, tuple[str | None, str | None]] = {}

    def take(self, frames: Sequence[Frame], into: list[TokenEvent]) -> None:
        """Take in all the events of one read; see `TokenReader.take`."""
        for frame in frames:
            if not isinstance(frame, bytes):
                self.read(frame.event, frame.data, into)
                continue
            try:
                chunk = decode_chunk(frame)
            except UNREADABLE:
                # the mark of the end, nothing at all, or a failure
                self.read("message", frame, into)
                continue
            # what nearly every chunk is: once more of what is known already, and one increment of text
            text = _text_alone(chunk) if self._is_flowing else None
            if text is None or chunk.system_fingerprint != self.system_fingerprint:
                self._read_chunk("message", frame, chunk, into)
            else:
                into.append(TokenEvent("token", {"t": text, "i": self.index}))
                self.index += 1

    def read(self, event: str, data: bytes, into: list[TokenEvent]) -> None:
        """Take in one event; see `TokenReader.read`."""
        if self.is_complete or not data:
            return
        if data == DONE and event != "error":
            self._close()
            return
        try:
            chunk = decode_chunk(data)
        except UNREADABLE as error:
            raise _unreadable(event, data) from error
        self._read_chunk(event, data, chunk, into)

    def _read_chunk(self, event: str, data: bytes, chunk: Chunk, into: list[TokenEvent]) -> None:
        """Take in one event; *chunk* is its *data*, decoded."""
        if self.is_complete:
            return
        if chunk.choices is None or chunk.error is not None or event == "error":
            _raise_if_error(event, data)
            self._count(chunk.usage)
            return
        self.started = True
        if chunk.model and self.model is None:
            self.model = chunk.model
            self._is_flowing = self.finish_reason is None
        if chunk.system_fingerprint:
            self.system_fingerprint = chunk.system_fingerprint
        for choice in chunk.choices:
            # an index that is missing or null is that of the only choice
            if not choice.index:
                self._read_choice(choice, into)
        if chunk.usage is not None:
            self._count(chunk.usage)

    def _finish(self, reason: str, evidence: Evidence) -> None:
        super()._finish(reason, evidence)
        self._is_flowing = False

    def _close(self) -> None:
        self.is_complete = True
        self._is_flowing = False
        if self.evidence is None and self._done_is_evidence and self.started:
            self.evidence = "done"

    def _read_choice(self, choice: Choice, into: list[TokenEvent]) -> None:
        delta = choice.delta if choice.delta is not None else choice.message
        if delta is not None:
            self._read_delta(delta, into)
        if choice.text:
            self._token(choice.text, into)
        if choice.finish_reason in FAILED:
            raise UpstreamError({"error": {"message": f"finish_reason {choice.finish_reason}"}})
        if choice.finish_reason:
            self._finish(choice.finish_reason, "finish_reason")

    def _read_delta(self, delta: Delta, into: list[TokenEvent]) -> None:
        if reasoning := delta.reasoning_content or delta.reasoning:
            self._token(reasoning, into, "reasoning")
        if (content := delta.content) and (text := content if isinstance(content, str) else _text_of_parts(content)):
            self._token(text, into)
        if delta.refusal:
            self._token(delta.refusal, into, "refusal")
        if delta.tool_calls:
            for position, call in enumerate(delta.tool_calls):
                self._read_tool_call(call, position, into)
        elif delta.function_call is not None:
            # the older form; some servers repeat a tool call in it
            arguments, name = delta.function_call.arguments, delta.function_call.name
            self._read_call(0, None, name, arguments, into)

    def _read_tool_call(self, call: ToolCall, position: int, into: list[TokenEvent]) -> None:
        index = call.index if call.index is not None else position
        name = call.function.name if call.function is not None else None
        arguments = call.function.arguments if call.function is not None else None
        self._read_call(index, call.id, name, arguments, into)

    def _read_call(
        self, index: int, call_id: str | None, name: str | None, arguments: Any, into: list[TokenEvent]
    ) -> None:
        """Append what is new of a tool call: its id and name once, its arguments as they grow."""
        known_id, known_name = self._tool_calls.get(index, (None, None))
        told: dict[str, Any] = {"index": index}
        if call_id and _known(call_id) != known_id:
            told["id"] = call_id
        if name and _known(name) != known_name:
            told["name"] = name
        text = _arguments_text(arguments)
        if text or len(told) > 1:
            if index not in self._tool_calls and len(self._tool_calls) >= MOST_TOOL_CALLS:
                raise UnreadableChunk(f"the stream begins more than {MOST_TOOL_CALLS} tool calls")
            self._tool_calls[index] = (_known(call_id) or known_id, _known(name) or known_name)
            self._token(text, into, "tool_call", tool_call=told)


def _known(word: str | None) -> str | None:
    """The part of an id or a name that is remembered of it."""
    return None if word is None else word[:_MOST_REMEMBERED]


def _text_alone(chunk: Chunk) -> str | None:
    """The text of a chunk that is one increment of text; None when it has anything else, or nothing, to tell."""
    choices = chunk.choices
    if not choices or len(choices) != 1 or chunk.error is not None or chunk.usage is not None:
        return None
    choice = choices[0]
    delta = choice.delta
    if delta is None or choice.index or choice.text or choice.finish_reason is not None:
        return None
    if delta.reasoning_content or delta.reasoning or delta.refusal or delta.tool_calls or delta.function_call:
        return None
    content = delta.content
    return content if content and type(content) is str else None


def _arguments_text(arguments: Any) -> str:
    """The arguments as text; a server that sends them as a value means its JSON."""
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()


def _text_of_parts(parts: list[Any]) -> str:
    """The text of content that comes as a list of parts."""
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return "".join(text for text in texts if isinstance(text, str))


def _raise_if_error(event: str, data: bytes) -> None:
    """Raise for an error in any of its forms: an object, a text, a flat object, a framework's `detail`."""
    try:
        told = decode_trouble(data)
    except UNREADABLE as error:
        raise _unreadable(event, data) from error
    if told.error is not None:
        raise UpstreamError({"error": told.error})
    if event == "error" or told.object == "error" or told.detail is not None or told.message is not None:
        raise _unreadable("error", data)


def _unreadable(event: str, data: bytes) -> Exception:
    """The error of data that is no chunk; under the event name `error` it may be any JSON, or text."""
    if event != "error":
        return UnreadableChunk("a chunk of the stream is not the JSON that the API describes")
    try:
        return UpstreamError(msgspec.json.decode(data))
    except UNREADABLE:
        return UpstreamError(data.decode("utf-8", "replace"))
