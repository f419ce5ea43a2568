"""
Operations whose answer is a pydantic model, as values: those of chat and of responses, with the format filled in.

Spec: CLI-14
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from pydantic import BaseModel

from openai_client._generated.models.chat.completion import CreateChatCompletionRequest
from openai_client._generated.models.responses.requests import CreateResponse
from openai_client._generated.models.responses.response import ResponseTextParam
from openai_client._generated.operations.chat import create_chat_completion
from openai_client._generated.operations.responses import create_response
from openai_client.calling import body_and_call
from openai_client.errors import InvalidFieldValue
from openai_client.structured.chat import ParsedChatCompletion, parsed_chat
from openai_client.structured.formats import response_format_of, text_format_of
from openai_client.structured.json_schema import check_model
from openai_client.structured.responses import ParsedResponse, parsed_response

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from openai_client._generated.fields.chat import CreateChatCompletionParsedFields
    from openai_client._generated.fields.responses import CreateResponseFields
    from openai_client.calling import CallKeywords
    from openai_client.operation import Operation

_INSTEAD: Final = "; the method `create` takes other formats, as {}"

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
R = TypeVar("R")


def parse_chat_completion(
    body: CreateChatCompletionRequest, response_format: type[M], **call: Unpack[CallKeywords]
) -> Operation[ParsedChatCompletion[M]]:
    """
    Answer a conversation with a model.

    Args:
        body: The conversation; its `response_format` is left open.
        response_format: What the content is to be.
        call: What belongs to the call.

    Raises:
        InvalidFieldValue: `body.response_format` is set, or the model has no strict schema.

    Spec: CLI-14
    """
    check_model("response_format", response_format, _INSTEAD.format("response_format"))
    if body.response_format is not None:
        raise InvalidFieldValue("body.response_format: must be left open, for `response_format` fills it in")
    asking = body.model_copy(update={"response_format": response_format_of(response_format)})
    return _read_as(create_chat_completion(asking, **call), partial(parsed_chat, model=response_format))


def parse_chat_completion_with(
    response_format: type[M], **fields: Unpack[CreateChatCompletionParsedFields]
) -> Operation[ParsedChatCompletion[M]]:
    """Do as `parse_chat_completion`, with the fields of the body as arguments."""
    body, call = body_and_call(CreateChatCompletionRequest, fields)
    return parse_chat_completion(body, response_format, **call)


def parse_response(
    body: CreateResponse, text_format: type[M], **call: Unpack[CallKeywords]
) -> Operation[ParsedResponse[M]]:
    """
    Answer an input with a model.

    Args:
        body: The input; its `text.format` is left open.
        text_format: What the text is to be.
        call: What belongs to the call.

    Raises:
        InvalidFieldValue: `body.text.format` is set, or the model has no strict schema.

    Spec: CLI-14
    """
    check_model("text_format", text_format, _INSTEAD.format("text={'format': ...}"))
    text = body.text or ResponseTextParam()
    if text.format is not None:
        raise InvalidFieldValue("body.text.format: must be left open, for `text_format` fills it in")
    filled = text.model_copy(update={"format": text_format_of(text_format)})
    asking = body.model_copy(update={"text": filled})
    return _read_as(create_response(asking, **call), partial(parsed_response, model=text_format))


def parse_response_with(text_format: type[M], **fields: Unpack[CreateResponseFields]) -> Operation[ParsedResponse[M]]:
    """Do as `parse_response`, with the fields of the body as arguments."""
    body, call = body_and_call(CreateResponse, fields)
    return parse_response(body, text_format, **call)


@dataclass(frozen=True, slots=True)
class _Reading(Generic[T, R]):
    """A parser with something behind it."""

    parse: Callable[[bytes], T]
    read: Callable[[T], R]

    def __call__(self, data: bytes) -> R:
        return self.read(self.parse(data))


def _read_as(operation: Operation[T], read: Callable[[T], R]) -> Operation[R]:
    """Return the same call, whose answer is read on by *read*."""
    parse: Any = _Reading(operation.parse, read)
    # `replace` cannot say that the result of `parse` is another one
    changed: Any = replace(operation, parse=parse)
    return cast("Operation[R]", changed)
