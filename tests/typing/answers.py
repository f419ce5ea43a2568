"""Collected streams and parsed answers as type checkers see them, in both colours: never run, only read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

from pydantic import BaseModel

from openai_client import (
    Answer,
    AsyncClient,
    AsyncPage,
    AsyncStream,
    CalledTools,
    ChatAccumulator,
    Client,
    CutOff,
    Filtered,
    Page,
    Parsed,
    ParsedChatAccumulator,
    ParsedChatCompletion,
    ParsedResponse,
    ParsedResponseAccumulator,
    Refused,
    RunTranscript,
    Stream,
    Unreadable,
    image_part,
    json_schema_of,
    parse_chat_completion,
    parsed_arguments,
    pydantic_function_tool,
    response_format_of,
)
from openai_client.operation import Operation
from openai_client.types import (
    BetaResponse,
    ChatCompletionRequestUserMessage,
    ChatCompletionTool,
    CreateChatCompletionRequest,
    CreateChatCompletionResponse,
    CreateChatCompletionStreamResponse,
    CreateCompletionResponse,
    CreateResponse,
    CreateTranscriptionResponseDiarizedJson,
    CreateTranscriptionResponseJson,
    FunctionToolCall,
    ImagesResponse,
    Model,
    OpenAIFile,
    Response,
    ResponseFormatJsonSchema,
)


class Place(BaseModel):
    """What is asked for."""

    name: str


class Search(BaseModel):
    """Another one."""

    query: str


MESSAGES = [{"role": "user", "content": "Hello"}]
BODY = CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content="Hello")])


def collected(client: Client) -> None:
    """Collecting a stream gives what the endpoint answers unstreamed."""
    chat = client.chat.completions.stream(model="m", messages=MESSAGES)
    assert_type(chat.collect(), CreateChatCompletionResponse)
    assert_type(chat.collect(ChatAccumulator()), CreateChatCompletionResponse)
    assert_type(chat.collect(ParsedChatAccumulator(Place)), ParsedChatCompletion[Place])
    opened = client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
    assert_type(opened.collect(), CreateChatCompletionResponse)
    for text in opened.text_deltas(into=ChatAccumulator()):
        assert_type(text, str)
    assert_type(client.completions.stream(model="m", prompt="x").collect(), CreateCompletionResponse)
    responses = client.responses.stream(model="m", input="x")
    assert_type(responses.collect(), Response)
    assert_type(responses.collect(ParsedResponseAccumulator(Place)), ParsedResponse[Place])
    assert_type(client.beta.responses.stream(model="m", input="x").collect(), BetaResponse)
    assert_type(client.audio.speech.stream(model="m", voice="alloy", input="x").collect(), bytes)
    assert_type(
        client.audio.transcriptions.stream(model="m", file=Path("a.wav")).collect(),
        CreateTranscriptionResponseJson | CreateTranscriptionResponseDiarizedJson,
    )
    assert_type(client.images.stream_generate(prompt="x").collect(), ImagesResponse)
    assert_type(client.images.stream_edit(prompt="x", image=Path("a.png")).collect(), ImagesResponse)
    assert_type(client.beta.threads.runs.stream("t", assistant_id="a").collect(), RunTranscript)


async def collected_async(client: AsyncClient) -> None:
    """Awaited, the same."""
    assert_type(await client.chat.completions.stream(BODY).collect(), CreateChatCompletionResponse)
    assert_type(await client.chat.completions.stream(BODY).collect(ChatAccumulator()), CreateChatCompletionResponse)
    assert_type(await client.responses.stream(model="m", input="x").collect(), Response)
    assert_type(await client.audio.speech.stream(model="m", voice="alloy", input="x").collect(), bytes)
    assert_type(await client.images.stream_generate(prompt="x").collect(), ImagesResponse)
    assert_type(await client.beta.threads.runs.stream("t", assistant_id="a").collect(), RunTranscript)
    stream = await client.responses.create(model="m", input="x", stream=True)
    async for text in stream.text_deltas():
        assert_type(text, str)


def parsed(client: Client) -> None:
    """A parsed answer knows the model that was asked for."""
    chat = client.chat.completions.parse(model="m", messages=MESSAGES, response_format=Place, timeout=3.0)
    assert_type(chat, ParsedChatCompletion[Place])
    assert_type(chat.parsed, Place)
    assert_type(chat.choices[0].message.parsed, Place | None)
    assert_type(client.chat.completions.parse(BODY, response_format=Place).parsed.name, str)
    response = client.responses.parse(model="m", input="x", text_format=Place)
    assert_type(response, ParsedResponse[Place])
    assert_type(response.output_parsed, Place | None)
    assert_type(client.responses.parse(CreateResponse(model="m"), text_format=Place).parsed, Place)
    assert_type(parse_chat_completion(BODY, Place), Operation[ParsedChatCompletion[Place]])


async def parsed_async(client: AsyncClient) -> None:
    """Awaited, the same."""
    chat = await client.chat.completions.parse(model="m", messages=MESSAGES, response_format=Place)
    assert_type(chat.parsed, Place)
    response = await client.responses.parse(CreateResponse(model="m"), text_format=Place, timeout=3.0)
    assert_type(response.parsed, Place)


def told(answer: ParsedResponse[Place]) -> str:
    """A match over the outcomes is complete."""
    match answer.outcome:
        case Parsed(value):
            return value.name
        case Refused(refusal):
            return refusal
        case CutOff(text) | Filtered(text):
            return text
        case CalledTools(calls):
            return str(len(calls))
        case Unreadable(error):
            return error.message


def tools(call: FunctionToolCall) -> None:
    """Arguments are the model that the tool was made of."""
    assert_type(parsed_arguments(call, Place), Place)
    found = parsed_arguments(call, Place, Search)
    if isinstance(found, Place):
        assert_type(found.name, str)
    assert_type(pydantic_function_tool(Place), ChatCompletionTool)
    assert_type(response_format_of(Place), ResponseFormatJsonSchema)
    assert_type(json_schema_of(Place), dict[str, Any])
    image_part(Path("a.png"), detail="low")


def refused(client: Client) -> None:
    """What a type checker must refuse."""
    # a format is a class, not a value
    client.chat.completions.parse(model="m", messages=MESSAGES, response_format={"type": "text"})  # type: ignore[call-overload]
    # a parsed answer is whole
    client.responses.parse(model="m", input="x", text_format=Place, stream=True)  # type: ignore[call-overload]
    # an accumulator is of the stream's events
    client.responses.stream(model="m", input="x").collect(ChatAccumulator())  # type: ignore[arg-type]
    # a path is no text
    image_part(1)  # type: ignore[arg-type]


def raw(client: Client) -> None:
    """With the head of its answer a result has the type that it has without."""
    assert_type(client.models.with_raw_response.retrieve("m"), Answer[Model])
    assert_type(client.models.with_raw_response.retrieve("m").parse().id, str)
    assert_type(client.files.with_raw_response.list(limit=3), Answer[Page[OpenAIFile]])
    completions = client.chat.completions.with_raw_response
    assert_type(completions.create(BODY), Answer[CreateChatCompletionResponse])
    assert_type(completions.create(model="m", messages=MESSAGES), Answer[CreateChatCompletionResponse])
    assert_type(
        completions.create(model="m", messages=MESSAGES, stream=True),
        Answer[Stream[CreateChatCompletionStreamResponse]],
    )
    assert_type(client.beta.chat.completions.parse(BODY, response_format=Place), ParsedChatCompletion[Place])


async def raw_async(client: AsyncClient) -> None:
    """Awaited, the same."""
    assert_type(await client.models.with_raw_response.retrieve("m"), Answer[Model])
    assert_type(await client.files.with_raw_response.list(), Answer[AsyncPage[OpenAIFile]])
    completions = client.chat.completions.with_raw_response
    assert_type(await completions.create(BODY), Answer[CreateChatCompletionResponse])
    stream = await completions.create(model="m", messages=MESSAGES, stream=True)
    assert_type(stream, Answer[AsyncStream[CreateChatCompletionStreamResponse]])
