"""
Chat chunks into a chat completion.

Spec: CLI-10, CLI-14, TYP-04
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openai_client._generated.models.chat.chunks import CreateChatCompletionStreamResponse
from openai_client._generated.models.chat.completion import CreateChatCompletionResponse
from openai_client.streaming.accumulator import Accumulator, EventReader, built
from openai_client.streaming.choices import Choices
from openai_client.streaming.merging import joined_base64, without_places

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHUNKS: Final = EventReader(CreateChatCompletionStreamResponse.from_wire)


class ChatAccumulator(Accumulator[CreateChatCompletionStreamResponse, CreateChatCompletionResponse]):
    """
    Collects the chunks of one chat stream: texts, refusals, tool calls, audio, logprobs, usage and vendor fields.

    Example:
        >>> from openai_client._generated.models.chat.chunks import CreateChatCompletionStreamResponse as Chunk
        >>> whole = ChatAccumulator()
        >>> for text in ("Hel", "lo"):
        ...     whole.add(Chunk.model_validate({"choices": [{"index": 0, "delta": {"content": text}}]}))
        >>> whole.text, whole.missing()
        ('Hello', 'no finish reason came for choice 0')

    Spec: CLI-10
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._choices = Choices(_CHUNKS, _piece)

    def add(self, event: CreateChatCompletionStreamResponse) -> None:
        """Add the next chunk."""
        self._choices.add(event)

    @property
    def text(self) -> str:
        """The text of the first choice so far."""
        return self._choices.text(0, "message", "content")

    def missing(self) -> str | None:
        """Return which choices have no finish reason yet; None when all have one."""
        return self._choices.missing()

    def partial(self) -> CreateChatCompletionResponse:
        """Return the answer so far as an unstreamed one."""
        answer = self._choices.answer("chat.completion", {"message": {}})
        for choice in answer["choices"]:
            _complete(choice["message"])
        return built(CreateChatCompletionResponse, answer)


def _piece(choice: Mapping[str, Any]) -> dict[str, Any]:
    """Return a choice of a chunk as a piece of a whole choice."""
    piece = {name: value for name, value in choice.items() if name not in {"delta", "index"}}
    delta = dict(choice.get("delta") or {})
    calls = delta.get("tool_calls")
    if calls:
        # a server that sends one call at a time may leave its position out
        delta["tool_calls"] = [{**call, "index": call.get("index") or 0} for call in calls]
    piece["message"] = delta
    return piece


def _complete(message: dict[str, Any]) -> None:
    """Give what grew in *message* the form that it has in a whole answer; also when not all of it came."""
    if message.get("tool_calls"):
        message["tool_calls"] = [_whole_call(call) for call in without_places(message["tool_calls"])]
    if isinstance(message.get("function_call"), dict):
        message["function_call"] = {"name": "", "arguments": "", **message["function_call"]}
    if isinstance(message.get("audio"), dict):
        audio = {"id": "", "data": "", **message["audio"]}
        # what is no text is left for the model to refuse
        message["audio"] = audio | ({"data": joined_base64(audio["data"])} if isinstance(audio["data"], str) else {})


def _whole_call(call: dict[str, Any]) -> dict[str, Any]:
    kind = call.get("type") or ("custom" if "custom" in call else "function")
    blank = {"function": {"name": "", "arguments": ""}, "custom": {"name": "", "input": ""}}.get(kind, {})
    given = call.get(kind)
    inner = {kind: {**blank, **given} if isinstance(given, dict) else blank} if blank else {}
    return {**call, "type": kind, **inner}
