"""
How an answer that was to have a structure came out: parsed, or one of the ways in which it was not.

None of them is raised: an answer is there, and was paid for, whatever it is. `value_of` turns all but the first into
errors, for callers who want one thing only.

Spec: CLI-14, ERR-01
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from openai_client.answer_reading import places_of
from openai_client.errors import ContentFiltered, DeserializationError, RefusedByModel, UnexpectedResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openai_client.errors import OpenAIError

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Parsed(Generic[M]):
    """The answer is what was asked for."""

    value: M
    """The parsed answer."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The model refused to answer."""

    refusal: str = field(repr=False)
    """What it said."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """The answer ended at its token limit; a larger one may help."""

    text: str = field(repr=False)
    """What came of it."""


@dataclass(frozen=True, slots=True)
class Filtered:
    """The upstream's content filter cut the answer."""

    text: str = field(repr=False)
    """What came of it."""


@dataclass(frozen=True, slots=True)
class CalledTools:
    """The model called tools instead of answering."""

    calls: Sequence[Any] = field(repr=False)
    """The calls, as the API describes them; `parsed_arguments` reads them."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The answer is whole, and not what was asked for; compatible servers may ignore the schema."""

    error: DeserializationError
    """Where it is not; no value is repeated."""
    text: str = field(repr=False)
    """The answer."""


Outcome: TypeAlias = "Parsed[M] | Refused | CutOff | Filtered | CalledTools | Unreadable"
"""How an answer came out; a `match` over the six classes is complete."""


def read_as(model: type[M], text: str, what: str = "the model's text") -> Parsed[M] | Unreadable:
    """Return *text*, a whole JSON document that *what* says the origin of, as *model*, or say where it is not one."""
    try:
        return Parsed(model.model_validate_json(text))
    except ValidationError as problem:
        is_json = all(fault["type"] != "json_invalid" for fault in problem.errors(include_input=False))
        said = f"{what} is no {model.__name__}: {places_of(problem)}" if is_json else f"{what} is no JSON"
        return Unreadable(DeserializationError(said), text)


def value_of(outcome: Outcome[M], place: str) -> M:
    """
    Return the value of an outcome that is parsed.

    Args:
        outcome: How the answer came out.
        place: What the answer is, for the message.

    Raises:
        RefusedByModel: The model refused.
        ContentFiltered: The filter cut the answer.
        UnexpectedResponse: The answer was cut off at its limit (`reason` is `truncated`), or is a call of tools.
        DeserializationError: The answer is not what was asked for.
    """
    if isinstance(outcome, Parsed):
        return outcome.value
    raise error_of(outcome, place)


def error_of(outcome: Refused | CutOff | Filtered | CalledTools | Unreadable, place: str) -> OpenAIError:
    """Return the error that stands for an outcome that is not parsed."""
    match outcome:
        case Refused():
            return RefusedByModel(f"{place}: the model refused to answer", param="refusal")
        case Filtered():
            return ContentFiltered(f"{place}: the content filter cut it", param="finish_reason")
        case CutOff():
            return UnexpectedResponse(f"{place}: cut off at the token limit", reason="truncated", param="finish_reason")
        case CalledTools():
            return UnexpectedResponse(f"{place}: tools were called instead of an answer", param="tool_calls")
        case Unreadable(error=error):
            return error
