"""The operations of the client as type checkers see them, in both colours: never run, only read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, assert_type

from openai_client import (
    Answer,
    AsyncClient,
    AsyncPage,
    AsyncStream,
    Client,
    Page,
    ResponseMetadata,
    Stream,
    azure,
    metadata_of,
)
from openai_client._generated.operations.chat import create_chat_completion, stream_chat_completion
from openai_client.binary_content import BinaryContent
from openai_client.downloads import Download
from openai_client.operation import Operation, StreamOperation
from openai_client.types import (
    Batch,
    ChatCompletionRequestUserMessage,
    CreateChatCompletionRequest,
    CreateChatCompletionResponse,
    CreateChatCompletionStreamResponse,
    CreateEmbeddingRequest,
    CreateEmbeddingResponse,
    CreateResponse,
    ListModelsResponse,
    Model,
    OpenAIFile,
    ProjectUser,
    Response,
    ResponseCompletedEvent,
    ResponseStreamEvent,
    RunObject,
    Unknown,
    VectorStoreFileBatchObject,
    VectorStoreFileObject,
    VectorStoreSearchResultItem,
)

BODY = CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content="Hello")])


def values() -> None:
    """Operations are values with exact results."""
    assert_type(create_chat_completion(BODY), Operation[CreateChatCompletionResponse])
    assert_type(stream_chat_completion(BODY), StreamOperation[CreateChatCompletionStreamResponse])


def blocking(client: Client) -> None:
    """On a blocking client a method returns its result."""
    assert_type(client.models.list(), ListModelsResponse)
    assert_type(client.models.retrieve("m"), Model)
    assert_type(list(client.models.list()), list[Model])
    assert_type(list(client.vector_stores.search("v", query="tide")), list[VectorStoreSearchResultItem])
    assert_type(client.chat.completions.create(BODY), CreateChatCompletionResponse)
    assert_type(client.chat.completions.stream(BODY), Stream[CreateChatCompletionStreamResponse])
    assert_type(client.chat.completions.list(limit=2), Page[CreateChatCompletionResponse])
    assert_type(client.embeddings.create(CreateEmbeddingRequest(model="m", input="x")), CreateEmbeddingResponse)
    assert_type(client.responses.create(CreateResponse(model="m", input="x")), Response)
    client.responses.delete("r")
    assert_type(client.files.content("f"), BinaryContent)
    assert_type(client.files.download("f"), Download)
    assert_type(client.files.create(file=Path("a.jsonl"), purpose="batch"), OpenAIFile)
    assert_type(client.audio.speech.create(model="m", voice="alloy", input="x"), BinaryContent)
    assert_type(client.audio.speech.download(model="m", voice="alloy", input="x", on_progress=print), Download)
    assert_type(client.vector_stores.files.list("v"), Page[VectorStoreFileObject])
    assert_type(client.vector_stores.files.retrieve("f", vector_store_id="v"), VectorStoreFileObject)
    assert_type(client.admin.organization.projects.users.list("p"), Page[ProjectUser])


def by_keyword(client: Client) -> None:
    """A body's fields may be given one by one, objects among them as mappings, beside what belongs to the call."""
    messages = [{"role": "user", "content": "Hello"}]
    whole = client.chat.completions.create(model="m", messages=messages, temperature=0.5, timeout=3.0)
    assert_type(whole, CreateChatCompletionResponse)
    streamed = client.chat.completions.create(model="m", messages=messages, stream=True, extra_headers={"x": "y"})
    assert_type(streamed, Stream[CreateChatCompletionStreamResponse])
    assert_type(
        client.chat.completions.stream(model="m", messages=messages), Stream[CreateChatCompletionStreamResponse]
    )
    assert_type(client.embeddings.create(model="m", input=["a", "b"], extra_query={"q": 1}), CreateEmbeddingResponse)


def events_of(client: Client) -> None:
    """A stream's events are told apart by their classes."""
    with client.responses.stream(CreateResponse(model="m", input="x")) as events:
        for event in events:
            if isinstance(event, ResponseCompletedEvent):
                assert_type(event.response, Response)
            elif isinstance(event, Unknown):
                assert_type(event.anything, Any)


async def awaited(client: AsyncClient) -> None:
    """On a client of an event loop a method returns what is awaited."""
    assert_type(await client.models.retrieve("m"), Model)
    assert_type(await client.chat.completions.create(BODY), CreateChatCompletionResponse)
    assert_type(client.chat.completions.stream(BODY), AsyncStream[CreateChatCompletionStreamResponse])
    assert_type(await client.chat.completions.list(order="asc"), AsyncPage[CreateChatCompletionResponse])
    assert_type(await client.responses.create(CreateResponse(model="m", input="x")), Response)
    assert_type(await client.responses.create(model="m", input="x"), Response)
    assert_type(await client.responses.create(model="m", input="x", stream=True), AsyncStream[ResponseStreamEvent])
    assert_type(client.responses.stream(model="m", input="x"), AsyncStream[ResponseStreamEvent])


def lists(client: Client) -> None:
    """Items and pages keep their type."""
    page = client.files.list()
    assert_type(page.auto(limit=3), Iterator[OpenAIFile])
    assert_type(page.pages(), Iterator[Page[OpenAIFile]])
    assert_type(page.previous_page(), Page[OpenAIFile] | None)


async def awaited_lists(client: AsyncClient) -> None:
    """Items and pages keep their type."""
    page = await client.files.list()
    assert_type(page.auto(limit=3), AsyncIterator[OpenAIFile])
    async for item in page.auto():
        assert_type(item, OpenAIFile)
    assert_type(await page.next_page(), AsyncPage[OpenAIFile] | None)


def with_metadata(client: Client) -> None:
    """What a call heard does not change what it returns."""
    assert_type(metadata_of(client.models.retrieve("m")), ResponseMetadata)
    assert_type(client.models.retrieve("m")._request_id, str | None)
    assert_type(client.call_with_metadata(client.files.content, "f"), Answer[BinaryContent])
    assert_type(client.call_with_metadata(client.models.retrieve, model="m").result, Model)
    assert_type(client.call_with_metadata(client.files.list, limit=2).result, Page[OpenAIFile])
    speech = client.call_with_metadata(client.audio.speech.create, model="m", voice="alloy", input="x")
    assert_type(speech.result, BinaryContent)
    assert_type(speech.metadata, ResponseMetadata)
    # a keyword is checked as the method checks it
    client.call_with_metadata(client.models.retrieve, models="m")  # type: ignore[call-overload]


async def awaited_with_metadata(client: AsyncClient) -> None:
    """The same on an event loop."""
    assert_type((await client.call_with_metadata(client.files.content, "f")).result, BinaryContent)
    assert_type((await client.call_with_metadata(client.files.list, limit=2)).result, AsyncPage[OpenAIFile])
    made = await client.call_with_metadata(client.embeddings.create, model="m", input="x", timeout=3.0)
    assert_type(made.result, CreateEmbeddingResponse)


def waiting(client: Client) -> None:
    """What waits returns what it waits for."""
    assert_type(client.batches.poll("b", on_poll=print, max_wait_seconds=5), Batch)
    run = client.beta.threads.runs.create_and_poll("t", assistant_id="a", poll_interval_ms=500, timeout=3.0)
    assert_type(run, RunObject)
    stored = client.vector_stores.files.upload_and_poll(vector_store_id="v", file=Path("a.txt"))
    assert_type(stored, VectorStoreFileObject)
    assert_type(client.files.wait_for_processing("f", poll_interval=1.0), OpenAIFile)
    # what is waited for is known by its own id, and how by known names
    client.batches.poll("b", poll_interval=5)  # type: ignore[call-arg]


async def awaited_waiting(client: AsyncClient) -> None:
    """On an event loop it is awaited."""
    assert_type(await client.responses.poll("r"), Response)
    assert_type(await client.vector_stores.file_batches.upload_and_poll("v", files=[b"x"]), VectorStoreFileBatchObject)


def refused(client: Client) -> None:
    """What a type checker must refuse; an ignore that nothing needs is itself an error."""
    # a path parameter is a string
    client.models.retrieve(1)  # type: ignore[arg-type]
    # a body is its own model
    client.chat.completions.create(CreateEmbeddingRequest(model="m", input="x"))  # type: ignore[call-overload]
    # an argument is known, and has the type of its field
    client.embeddings.create(model="m", input="x", colour="blue")  # type: ignore[call-overload]
    client.embeddings.create(model="m", input=object())  # type: ignore[call-overload]
    # what a body needs is given
    client.embeddings.create(model="m")  # type: ignore[call-overload]
    # a file is no text
    client.files.create(file="path", purpose="batch")  # type: ignore[call-overload]
    # a field is known
    CreateEmbeddingRequest(model="m", input="x", colour="blue")  # type: ignore[call-arg]
    # an enumeration that is only sent is closed
    client.chat.completions.list(order="up")  # type: ignore[arg-type]


def azure_beside_other_settings() -> None:
    """What `azure` sets leaves room for the other settings."""
    Client(**azure("https://n.openai.azure.com"), api_key="0123456789abcdef", timeout=5.0)
    AsyncClient(**azure("https://n.openai.azure.com", entra=True), api_key=lambda: "token-0123456789")
