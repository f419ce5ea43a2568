"""
Chat chunks into a chat completion.

Spec: CLI-10, TYP-04
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openai_client._generated.models.chat import CreateChatCompletionResponse
from openai_client.streaming.choices import ChoiceAccumulator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai_client._generated.models.chat import CreateChatCompletionStreamResponse


class ChatAccumulator:
    """
    Collects the chunks of one chat stream: texts, refusals, reasoning, tool calls, logprobs, usage and vendor fields.

    Example:
        >>> from openai_client._generated.models.chat import CreateChatCompletionStreamResponse as Chunk
        >>> whole = ChatAccumulator()
        >>> for text in ("Hel", "lo"):
        ...     whole.add(Chunk.model_validate({"choices": [{"index": 0, "delta": {"content": text}}]}))
        >>> whole.text, whole.is_finished
        ('Hello', False)

    Spec: CLI-10
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._choices = ChoiceAccumulator(_piece)

    def add(self, chunk: CreateChatCompletionStreamResponse) -> None:
        """Add the next chunk."""
        self._choices.add(chunk)

    @property
    def text(self) -> str:
        """The text of the first choice so far."""
        return self._choices.text(0, "message", "content")

    @property
    def is_finished(self) -> bool:
        """Whether every choice has a finish reason."""
        return self._choices.is_finished

    def result(self) -> CreateChatCompletionResponse:
        """Return the answer so far as an unstreamed one."""
        answer = self._choices.answer("chat.completion", {"message": {}})
        for choice in answer["choices"]:
            for call in choice["message"].get("tool_calls") or ():
                # the position is the stream's; a whole answer has none
                call.pop("index", None)
                call.setdefault("type", "function")
        return CreateChatCompletionResponse.model_validate(answer)


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
