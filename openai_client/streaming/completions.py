"""
Chunks of a legacy completion into a completion.

Spec: CLI-10
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openai_client._generated.models.completions import CreateCompletionResponse
from openai_client.streaming.accumulator import Accumulator, EventReader, built
from openai_client.streaming.choices import Choices

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHUNKS: Final = EventReader(CreateCompletionResponse.from_wire)


class CompletionAccumulator(Accumulator[CreateCompletionResponse, CreateCompletionResponse]):
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
        self._choices = Choices(_CHUNKS, _piece)

    def add(self, event: CreateCompletionResponse) -> None:
        """Add the next chunk."""
        self._choices.add(event)

    @property
    def text(self) -> str:
        """The text of the first choice so far."""
        return self._choices.text(0, "text")

    def missing(self) -> str | None:
        """Return which choices have no finish reason yet; None when all have one."""
        return self._choices.missing()

    def partial(self) -> CreateCompletionResponse:
        """Return the answer so far as an unstreamed one."""
        return built(CreateCompletionResponse, self._choices.answer("text_completion", {"text": ""}))


def _piece(choice: Mapping[str, Any]) -> dict[str, Any]:
    """Return a choice of a chunk as a piece of a whole choice."""
    return {name: value for name, value in choice.items() if name != "index"}
