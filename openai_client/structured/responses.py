"""
Responses whose text is a pydantic model.

Spec: CLI-14, TYP-12
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pydantic import BaseModel

from openai_client._generated.models.responses.events import ResponseStreamEvent
from openai_client.remembering import heard_with, remember
from openai_client.response_text import parts_of
from openai_client.streaming.accumulator import Accumulator
from openai_client.streaming.responses import ResponseAccumulator
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
    from openai_client._generated.models.responses.response import Response, ResponseUsage
    from openai_client.remembering import Heard

M = TypeVar("M", bound=BaseModel)

# no set: what is no known item may have a list for its type
_CALLS: Final = ("custom_tool_call", "function_call")


@dataclass(frozen=True, slots=True)
class ParsedResponse(Generic[M]):
    """
    A response that was asked for as a model.

    Spec: CLI-14
    """

    response: Response = field(repr=False)
    """The response as it came."""
    outcome: Outcome[M]
    """How it came out."""

    @property
    def parsed(self) -> M:
        """
        The parsed text.

        Raises:
            RefusedByModel: The model refused.
            ContentFiltered: The filter cut the answer.
            UnexpectedResponse: The answer was cut off at its limit, or is a call of tools.
            DeserializationError: The answer is not what was asked for.
        """
        return value_of(self.outcome, "the response")

    @property
    def output_parsed(self) -> M | None:
        """The parsed text; None when there is none. The name is the official SDK's."""
        return self.outcome.value if isinstance(self.outcome, Parsed) else None

    @property
    def output_text(self) -> str:
        """The text as it came."""
        return self.response.output_text

    @property
    def id(self) -> str:
        """The response's id."""
        return self.response.id

    @property
    def _heard(self) -> Heard | None:
        return heard_with(self.response)

    @_heard.setter
    def _heard(self, heard: Heard | None) -> None:
        # what is heard with an answer belongs to the response that came in it
        remember(self.response, heard)

    @property
    def _request_id(self) -> str | None:
        """The id that the upstream gave the request; see `metadata_of`."""
        heard = self._heard
        return None if heard is None else heard.head.upstream_request_id

    @property
    def usage(self) -> ResponseUsage | None:
        """What the call cost."""
        return self.response.usage


def parsed_response(response: Response, model: type[M]) -> ParsedResponse[M]:
    """
    Return *response*, whole or collected from a stream, with its text as *model*. Raises nothing.

    Spec: CLI-14
    """
    return ParsedResponse(response, _outcome_of(response, model))


def _outcome_of(response: Response, model: type[M]) -> Outcome[M]:
    text = response.output_text
    refusals = [part.refusal for part in parts_of(response, "refusal")]
    reason = getattr(response.incomplete_details, "reason", None)
    if refusals:
        return Refused("".join(refusals))
    if reason == "content_filter":
        return Filtered(text)
    if reason is not None or response.status == "incomplete":
        return CutOff(text)
    calls = [item for item in response.output if getattr(item, "type", None) in _CALLS]
    return CalledTools(calls) if calls and not text else read_as(model, text)


class ParsedResponseAccumulator(Accumulator[ResponseStreamEvent, ParsedResponse[M]]):
    """
    Collects a stream whose text is to be a model: `stream.collect(ParsedResponseAccumulator(Model)).parsed`.

    Spec: CLI-14, CLI-10
    """

    def __init__(self, model: type[M]) -> None:
        """Start with nothing; the text will be read as *model*."""
        self._model = model
        self._whole = ResponseAccumulator()

    def add(self, event: ResponseStreamEvent) -> None:
        """Add the next event."""
        self._whole.add(event)

    @property
    def text(self) -> str:
        """The text so far: the beginning of a JSON document."""
        return self._whole.text

    def missing(self) -> str | None:
        """Return what has to come before the response is whole."""
        return self._whole.missing()

    def partial(self) -> ParsedResponse[M]:
        """Return the response so far; one that is not finished comes out as unreadable."""
        return parsed_response(self._whole.partial(), self._model)
