"""
Chat completions whose content is a pydantic model.

Spec: CLI-14, TYP-04
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel

from openai_client._generated.models.chat.chunks import CreateChatCompletionStreamResponse
from openai_client.errors import UnexpectedResponse
from openai_client.remembering import heard_with, remember
from openai_client.streaming.accumulator import Accumulator
from openai_client.streaming.chat import ChatAccumulator
from openai_client.structured.outcomes import (
    CalledTools,
    CutOff,
    Filtered,
    Outcome,
    Parsed,
    Refused,
    read_as,
    value_of,
)

if TYPE_CHECKING:
    from openai_client._generated.models.chat.completion import (
        ChatCompletionMessageToolCalls,
        CreateChatCompletionResponse,
        CreateChatCompletionResponseChoice,
    )
    from openai_client._generated.models.shared.generation import CompletionUsage
    from openai_client.remembering import Heard

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ParsedMessage(Generic[M]):
    """
    A message, under the names of the official SDK.

    Spec: CLI-14
    """

    parsed: M | None
    """The parsed content; None when there is none. `ParsedChoice.outcome` says why."""
    content: str | None = field(repr=False)
    """The content as it came."""
    refusal: str | None = field(repr=False)
    """What the model said when it refused."""
    tool_calls: ChatCompletionMessageToolCalls | None = field(repr=False)
    """The calls of tools; `parsed_arguments` reads them."""

    @property
    def role(self) -> str:
        """Who speaks; with it the message can be given back in the next request."""
        return "assistant"


@dataclass(frozen=True, slots=True)
class ParsedChoice(Generic[M]):
    """
    One of the choices of a completion.

    Spec: CLI-14
    """

    index: int
    finish_reason: str | None
    message: ParsedMessage[M]
    outcome: Outcome[M]
    """How it came out."""

    @property
    def parsed(self) -> M:
        """The parsed content; raises as `value_of`."""
        return value_of(self.outcome, f"choice {self.index}")


@dataclass(frozen=True, slots=True)
class ParsedChatCompletion(Generic[M]):
    """
    A chat completion that was asked for as a model.

    Spec: CLI-14
    """

    completion: CreateChatCompletionResponse = field(repr=False)
    """The completion as it came."""
    choices: tuple[ParsedChoice[M], ...]
    """Its choices, in order."""

    @property
    def parsed(self) -> M:
        """
        The parsed content of the first choice.

        Raises:
            RefusedByModel: The model refused.
            ContentFiltered: The filter cut the answer.
            UnexpectedResponse: The answer was cut off at its limit, is a call of tools, or has no choice.
            DeserializationError: The answer is not what was asked for.
        """
        if not self.choices:
            raise UnexpectedResponse("the completion has no choice", param="choices")
        return self.choices[0].parsed

    @property
    def id(self) -> str | None:
        """The completion's id."""
        return self.completion.id

    @property
    def model(self) -> str | None:
        """The model that answered."""
        return self.completion.model

    @property
    def _heard(self) -> Heard | None:
        return heard_with(self.completion)

    @_heard.setter
    def _heard(self, heard: Heard | None) -> None:
        # what is heard with an answer belongs to the completion that came in it
        remember(self.completion, heard)

    @property
    def _request_id(self) -> str | None:
        """The id that the upstream gave the request; see `metadata_of`."""
        heard = self._heard
        return None if heard is None else heard.head.upstream_request_id

    @property
    def usage(self) -> CompletionUsage | None:
        """What the call cost."""
        return self.completion.usage


def parsed_chat(completion: CreateChatCompletionResponse, model: type[M]) -> ParsedChatCompletion[M]:
    """
    Return *completion*, whole or collected from a stream, with its content as *model*. Raises nothing.

    Spec: CLI-14
    """
    choices = (_parsed_choice(choice, place, model) for place, choice in enumerate(completion.choices))
    return ParsedChatCompletion(completion, tuple(choices))


def _parsed_choice(choice: CreateChatCompletionResponseChoice, place: int, model: type[M]) -> ParsedChoice[M]:
    outcome, message = _outcome_of(choice, model), choice.message
    return ParsedChoice(
        index=place if choice.index is None else choice.index,
        finish_reason=choice.finish_reason,
        outcome=outcome,
        message=ParsedMessage(
            parsed=outcome.value if isinstance(outcome, Parsed) else None,
            content=message.content,
            refusal=message.refusal,
            tool_calls=message.tool_calls,
        ),
    )


def _outcome_of(choice: CreateChatCompletionResponseChoice, model: type[M]) -> Outcome[M]:
    message, text = choice.message, choice.message.content or ""
    if message.refusal:
        return Refused(message.refusal)
    if choice.finish_reason == "content_filter":
        return Filtered(text)
    if choice.finish_reason == "length":
        return CutOff(text)
    if message.tool_calls and not text:
        return CalledTools(message.tool_calls)
    return read_as(model, text)


class ParsedChatAccumulator(Accumulator[CreateChatCompletionStreamResponse, ParsedChatCompletion[M]]):
    """
    Collects a chat stream whose content is to be a model: `stream.collect(ParsedChatAccumulator(Model)).parsed`.

    Spec: CLI-14, CLI-10
    """

    def __init__(self, model: type[M]) -> None:
        """Start with nothing; the content will be read as *model*."""
        self._model = model
        self._whole = ChatAccumulator()

    def add(self, event: CreateChatCompletionStreamResponse) -> None:
        """Add the next chunk."""
        self._whole.add(event)

    @property
    def text(self) -> str:
        """The text of the first choice so far: the beginning of a JSON document."""
        return self._whole.text

    def missing(self) -> str | None:
        """Return what has to come before the answer is whole."""
        return self._whole.missing()

    def partial(self) -> ParsedChatCompletion[M]:
        """Return the answer so far; a choice that is not finished comes out as unreadable."""
        return parsed_chat(self._whole.partial(), self._model)
