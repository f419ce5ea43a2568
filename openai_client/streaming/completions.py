"""
Chunks of a legacy completion into a completion.

Spec: CLI-10
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openai_client._generated.models.completions import CreateCompletionResponse
from openai_client.streaming.choices import ChoiceAccumulator

if TYPE_CHECKING:
    from collections.abc import Mapping


class CompletionAccumulator:
    """
    Collects the chunks of one completions stream.

    Example:
        >>> from openai_client._generated.models.completions import CreateCompletionResponse as Chunk
        >>> whole = CompletionAccumulator()
        >>> whole.add(Chunk.model_validate({"choices": [{"index": 0, "text": "Hi", "finish_reason": "stop"}]}))
        >>> whole.text, whole.is_finished
        ('Hi', True)

    Spec: CLI-10
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._choices = ChoiceAccumulator(_piece)

    def add(self, chunk: CreateCompletionResponse) -> None:
        """Add the next chunk."""
        self._choices.add(chunk)

    @property
    def text(self) -> str:
        """The text of the first choice so far."""
        return self._choices.text(0, "text")

    @property
    def is_finished(self) -> bool:
        """Whether every choice has a finish reason."""
        return self._choices.is_finished

    def result(self) -> CreateCompletionResponse:
        """Return the answer so far as an unstreamed one."""
        return CreateCompletionResponse.model_validate(self._choices.answer("text_completion", {"text": ""}))


def _piece(choice: Mapping[str, Any]) -> dict[str, Any]:
    """Return a choice of a chunk as a piece of a whole choice."""
    return {name: value for name, value in choice.items() if name != "index"}
