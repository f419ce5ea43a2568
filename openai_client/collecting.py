"""
What both colours of stream offer for the whole of their answer: `collect`.

Which accumulator belongs to which operation stands here once, for callers as a table and for type checkers as the
overloads of `collect`.

Spec: CLI-10
"""

# Two unions of events have only the unknown event in common, and no stream is of two.
# pyright: reportOverlappingOverload=false

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, overload

from openai_client.errors import InvalidFieldValue, InvalidState

if TYPE_CHECKING:
    from openai_client._generated.models.audio import (
        CreateSpeechResponseStreamEvent,
        CreateTranscriptionResponseDiarizedJson,
        CreateTranscriptionResponseJson,
        CreateTranscriptionResponseStreamEvent,
    )
    from openai_client._generated.models.beta_responses.events import BetaResponseStreamEvent
    from openai_client._generated.models.beta_responses.response import BetaResponse
    from openai_client._generated.models.chat.chunks import CreateChatCompletionStreamResponse
    from openai_client._generated.models.chat.completion import CreateChatCompletionResponse
    from openai_client._generated.models.completions import CreateCompletionResponse
    from openai_client._generated.models.images import ImageEditStreamEvent, ImageGenStreamEvent, ImagesResponse
    from openai_client._generated.models.responses.events import ResponseStreamEvent
    from openai_client._generated.models.responses.response import Response
    from openai_client._generated.models.threads.events import AssistantStreamEvent
    from openai_client.operation import Call
    from openai_client.streaming.accumulator import Accumulator
    from openai_client.streaming.runs import RunTranscript

E = TypeVar("E")
R = TypeVar("R")

_ACCUMULATOR_OF: Final = {
    "beta_createResponse": "BetaResponseAccumulator",
    "beta_getResponse": "BetaResponseAccumulator",
    "createChatCompletion": "ChatAccumulator",
    "createCompletion": "CompletionAccumulator",
    "createImage": "ImageAccumulator",
    "createImageEdit": "ImageAccumulator",
    "createResponse": "ResponseAccumulator",
    "createRun": "RunAccumulator",
    "createSpeech": "SpeechAccumulator",
    "createThreadAndRun": "RunAccumulator",
    "createTranscription": "TranscriptionAccumulator",
    "getResponse": "ResponseAccumulator",
    "submitToolOuputsToRun": "RunAccumulator",
}
"""By `operation_id`; what is not here has no whole answer that is known."""


def accumulator_for(operation: Call) -> Accumulator[Any, Any]:
    """
    Return a new accumulator for the stream that answers *operation*.

    Raises:
        InvalidFieldValue: No accumulator is known for it, as for a raw call.
    """
    name = _ACCUMULATOR_OF.get(operation.operation_id)
    if name is None:
        raise InvalidFieldValue(f"into: must be given, for no accumulator is known for {operation.operation_id}")
    accumulator: Accumulator[Any, Any] = getattr(import_module("openai_client.streaming"), name)()
    return accumulator


def collector(operation: Call, into: Accumulator[Any, Any] | None, *, is_begun: bool) -> Accumulator[Any, Any]:
    """
    Return what a stream is to be collected in.

    Raises:
        InvalidState: Events were taken already, and nobody gave the accumulator that has seen them.
        InvalidFieldValue: As `accumulator_for`.
    """
    if into is not None:
        return into
    if is_begun:
        raise InvalidState("the beginning of the stream was taken already; give the accumulator that saw it as `into`")
    return accumulator_for(operation)


if TYPE_CHECKING:

    class Collects(Generic[E]):
        """What `collect` returns, by the events of the stream."""

        @overload
        def collect(self: Collects[CreateChatCompletionStreamResponse]) -> CreateChatCompletionResponse: ...
        @overload
        def collect(self: Collects[CreateCompletionResponse]) -> CreateCompletionResponse: ...
        @overload
        def collect(self: Collects[ResponseStreamEvent]) -> Response: ...
        @overload
        def collect(self: Collects[BetaResponseStreamEvent]) -> BetaResponse: ...
        @overload
        def collect(self: Collects[CreateSpeechResponseStreamEvent]) -> bytes: ...
        @overload
        def collect(
            self: Collects[CreateTranscriptionResponseStreamEvent],
        ) -> CreateTranscriptionResponseJson | CreateTranscriptionResponseDiarizedJson: ...
        @overload
        def collect(self: Collects[ImageGenStreamEvent]) -> ImagesResponse: ...
        @overload
        def collect(self: Collects[ImageEditStreamEvent]) -> ImagesResponse: ...
        @overload
        def collect(self: Collects[AssistantStreamEvent]) -> RunTranscript: ...
        @overload
        def collect(self, into: Accumulator[E, R]) -> R: ...
        def collect(self, into: Any = None) -> Any:
            """
            Read the stream to its end and return the whole answer, as the endpoint would have given it unstreamed.

            Makes the call unless it is made, and closes in every case.

            Args:
                into: Used instead of a new accumulator of the operation's own; may have seen events already.

            Raises:
                OpenAIError: The call failed, or the stream did; what came stays in *into*.
                InvalidState: Events were taken already, and *into* is not given.
                InvalidFieldValue: The call is a raw one, and *into* is not given.

            Spec: CLI-10
            """

    class AsyncCollects(Generic[E]):
        """What awaiting `collect` returns, by the events of the stream."""

        @overload
        async def collect(self: AsyncCollects[CreateChatCompletionStreamResponse]) -> CreateChatCompletionResponse: ...
        @overload
        async def collect(self: AsyncCollects[CreateCompletionResponse]) -> CreateCompletionResponse: ...
        @overload
        async def collect(self: AsyncCollects[ResponseStreamEvent]) -> Response: ...
        @overload
        async def collect(self: AsyncCollects[BetaResponseStreamEvent]) -> BetaResponse: ...
        @overload
        async def collect(self: AsyncCollects[CreateSpeechResponseStreamEvent]) -> bytes: ...
        @overload
        async def collect(
            self: AsyncCollects[CreateTranscriptionResponseStreamEvent],
        ) -> CreateTranscriptionResponseJson | CreateTranscriptionResponseDiarizedJson: ...
        @overload
        async def collect(self: AsyncCollects[ImageGenStreamEvent]) -> ImagesResponse: ...
        @overload
        async def collect(self: AsyncCollects[ImageEditStreamEvent]) -> ImagesResponse: ...
        @overload
        async def collect(self: AsyncCollects[AssistantStreamEvent]) -> RunTranscript: ...
        @overload
        async def collect(self, into: Accumulator[E, R]) -> R: ...
        async def collect(self, into: Any = None) -> Any:
            """Do as `Collects.collect`."""
