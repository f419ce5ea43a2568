"""
The method `parse` of the generated resources, in both colours. Loads nothing before it is called.

Spec: CLI-03, CLI-14
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from http_util.frames import shows_no_arguments
from openai_client.binding import AsyncResource, SyncResource
from openai_client.resource_methods import shows_fields

if TYPE_CHECKING:
    from typing import Unpack

    from pydantic import BaseModel

    from openai_client._generated.fields.chat import CreateChatCompletionParsedFields
    from openai_client._generated.fields.responses import CreateResponseFields
    from openai_client._generated.models.chat.completion import CreateChatCompletionRequest
    from openai_client._generated.models.responses.requests import CreateResponse
    from openai_client.calling import CallKeywords
    from openai_client.operation import Operation
    from openai_client.structured.chat import ParsedChatCompletion
    from openai_client.structured.responses import ParsedResponse

    M = TypeVar("M", bound=BaseModel)


class ChatParsing(SyncResource):
    """What `client.chat.completions` has beyond the API's description, blocking."""

    @overload
    def parse(
        self, body: CreateChatCompletionRequest, *, response_format: type[M], **call: Unpack[CallKeywords]
    ) -> ParsedChatCompletion[M]: ...
    @overload
    def parse(
        self, *, response_format: type[M], **fields: Unpack[CreateChatCompletionParsedFields]
    ) -> ParsedChatCompletion[M]: ...
    @shows_fields
    def parse(self, body: Any = None, *, response_format: Any, **fields: Any) -> Any:
        """
        Answer a conversation with a model: the content keeps to its strict schema and is parsed.

        A refusal, an answer that was cut off, a call of tools: each is an outcome of its choice and nothing is raised
        before `parsed` is asked for.

        Args:
            body: The conversation, or its fields as keyword arguments; without `response_format` and `stream`.
            response_format: A pydantic model.
            fields: The fields, and what belongs to the call.

        Raises:
            InvalidFieldValue: The model has no strict schema; nothing was sent.
            OpenAIError: The call failed.

        Spec: CLI-14
        """
        try:
            operation = _chat(body, response_format, fields)
        finally:
            # this frame may be shown in a traceback
            del body, fields
        return self._client.execute(operation, operation.options)


class AsyncChatParsing(AsyncResource):
    """What `client.chat.completions` has beyond the API's description, awaited."""

    @overload
    async def parse(
        self, body: CreateChatCompletionRequest, *, response_format: type[M], **call: Unpack[CallKeywords]
    ) -> ParsedChatCompletion[M]: ...
    @overload
    async def parse(
        self, *, response_format: type[M], **fields: Unpack[CreateChatCompletionParsedFields]
    ) -> ParsedChatCompletion[M]: ...
    @shows_fields
    async def parse(self, body: Any = None, *, response_format: Any, **fields: Any) -> Any:
        """Do as `ChatParsing.parse`."""
        try:
            operation = _chat(body, response_format, fields)
        finally:
            # this frame may be shown in a traceback
            del body, fields
        return await self._client.execute(operation, operation.options)


class ResponseParsing(SyncResource):
    """What `client.responses` has beyond the API's description, blocking."""

    @overload
    def parse(
        self, body: CreateResponse, *, text_format: type[M], **call: Unpack[CallKeywords]
    ) -> ParsedResponse[M]: ...
    @overload
    def parse(self, *, text_format: type[M], **fields: Unpack[CreateResponseFields]) -> ParsedResponse[M]: ...
    @shows_fields
    def parse(self, body: Any = None, *, text_format: Any, **fields: Any) -> Any:
        """
        Answer an input with a model: the text keeps to its strict schema and is parsed.

        A refusal, an answer that was cut off, a call of tools: each is the response's outcome and nothing is raised
        before `parsed` is asked for.

        Args:
            body: The input, or its fields as keyword arguments; without `text.format` and `stream`.
            text_format: A pydantic model.
            fields: The fields, and what belongs to the call.

        Raises:
            InvalidFieldValue: The model has no strict schema; nothing was sent.
            OpenAIError: The call failed.

        Spec: CLI-14
        """
        try:
            operation = _response(body, text_format, fields)
        finally:
            # this frame may be shown in a traceback
            del body, fields
        return self._client.execute(operation, operation.options)


class AsyncResponseParsing(AsyncResource):
    """What `client.responses` has beyond the API's description, awaited."""

    @overload
    async def parse(
        self, body: CreateResponse, *, text_format: type[M], **call: Unpack[CallKeywords]
    ) -> ParsedResponse[M]: ...
    @overload
    async def parse(self, *, text_format: type[M], **fields: Unpack[CreateResponseFields]) -> ParsedResponse[M]: ...
    @shows_fields
    async def parse(self, body: Any = None, *, text_format: Any, **fields: Any) -> Any:
        """Do as `ResponseParsing.parse`."""
        try:
            operation = _response(body, text_format, fields)
        finally:
            # this frame may be shown in a traceback
            del body, fields
        return await self._client.execute(operation, operation.options)


@shows_no_arguments
def _chat(body: Any, response_format: Any, fields: dict[str, Any]) -> Operation[Any]:
    from openai_client.structured.operations import parse_chat_completion, parse_chat_completion_with

    if body is None:
        return parse_chat_completion_with(response_format, **fields)
    return parse_chat_completion(body, response_format, **fields)


@shows_no_arguments
def _response(body: Any, text_format: Any, fields: dict[str, Any]) -> Operation[Any]:
    from openai_client.structured.operations import parse_response, parse_response_with

    return parse_response_with(text_format, **fields) if body is None else parse_response(body, text_format, **fields)
