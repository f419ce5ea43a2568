"""The first families over real sockets: both colours, HTTP/1.1 in the clear and HTTP/2 over TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from openai_client import ChatAccumulator, CompletionAccumulator, ResponseAccumulator, require_answer
from openai_client._generated.operations.models import list_models
from openai_client.types import (
    ChatCompletionRequestUserMessage,
    ChatCompletionStreamOptions,
    CreateChatCompletionRequest,
    CreateCompletionRequest,
    CreateEmbeddingRequest,
    CreateResponse,
)
from tests.integration.openai_client.conftest import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.openai_client.conftest import Caller
    from upstream_simulator import Simulator

pytestmark = pytest.mark.integration


def chat_body(**fields: Any) -> CreateChatCompletionRequest:
    """Return a small chat request with a seed."""
    message = ChatCompletionRequestUserMessage(content="Tell me of the sea.")
    return CreateChatCompletionRequest(model="m", messages=[message], max_tokens=12, seed=7, **fields)


@pytest.mark.requirement("EP-MODELS-01", "EP-MODELS-02", "CLI-16")
async def test_models_are_listed_and_described(caller: Caller, protocol: str) -> None:
    """The answer says which protocol was spoken."""
    answer = await caller.call(lambda client: client.with_metadata(list_models()))
    assert [model.id for model in answer.result.data] == ["simulated-small", "simulated-large"]
    assert answer.metadata.http_version == ("HTTP/2" if protocol == "h2" else "HTTP/1.1")
    model = await caller.call(lambda client: client.models.retrieve("simulated-small"))
    assert (model.id, model.object) == ("simulated-small", "model")


@pytest.mark.requirement("EP-CHAT-01", "CLI-10", "TYP-04")
async def test_a_chat_streamed_and_collected_equals_the_chat_asked_whole(caller: Caller) -> None:
    """Same seed, same text, same usage, same finish."""
    whole = await caller.call(lambda client: client.chat.completions.create(chat_body()))
    asked = chat_body(stream_options=ChatCompletionStreamOptions(include_usage=True))
    chunks, _ = await caller.stream(lambda client: client.chat.completions.stream(asked))
    collected = ChatAccumulator()
    for chunk in chunks:
        collected.add(chunk)
    result = require_answer(collected.result())
    assert collected.is_finished
    assert result.choices[0].message.content == whole.choices[0].message.content
    assert result.choices[0].finish_reason == whole.choices[0].finish_reason == "length"
    assert result.usage == whole.usage
    assert result.usage is not None
    assert result.usage.completion_tokens == 12


@pytest.mark.requirement("CLI-10", "CLI-14")
async def test_tool_calls_are_put_together_however_they_are_written(caller: Caller, simulator: Simulator) -> None:
    """Also when every delta repeats the name."""
    results = []
    for style in ("openai", "repeated"):
        simulator.script({"tool_calls": 2, "tool_style": style})
        chunks, _ = await caller.stream(lambda client: client.chat.completions.stream(chat_body()))
        collected = ChatAccumulator()
        for chunk in chunks:
            collected.add(chunk)
        results.append(collected.result().choices[0].message.tool_calls)
    assert len(results[0]) == 2
    assert [call.function.name for call in results[0]] == [call.function.name for call in results[1]]
    assert [call.function.arguments for call in results[0]] == [call.function.arguments for call in results[1]]
    assert all(call.id for call in results[1])


@pytest.mark.requirement("EP-COMP-01", "CLI-10")
async def test_a_legacy_completion_streamed_and_collected_equals_the_one_asked_whole(caller: Caller) -> None:
    """The legacy endpoint has the same two ways."""
    body = CreateCompletionRequest(model="m", prompt="Once", max_tokens=9, seed=3)
    whole = await caller.call(lambda client: client.completions.create(body))
    chunks, _ = await caller.stream(lambda client: client.completions.stream(body))
    collected = CompletionAccumulator()
    for chunk in chunks:
        collected.add(chunk)
    assert collected.text == whole.choices[0].text
    assert collected.result().choices[0].finish_reason == whole.choices[0].finish_reason


@pytest.mark.requirement("EP-RESP-01", "CLI-10", "TYP-12")
async def test_a_response_streamed_and_collected_equals_the_one_asked_whole(caller: Caller) -> None:
    """Typed events; the last one holds the response."""
    body = CreateResponse(model="m", input="Tell me of the sea.", max_output_tokens=16)
    whole = await caller.call(lambda client: client.responses.create(body))
    events, _ = await caller.stream(lambda client: client.responses.stream(body))
    collected = ResponseAccumulator()
    for event in events:
        collected.add(event)
    assert events[0].type == "response.created"
    assert collected.is_finished
    result = collected.result()
    assert (result.status, result.object) == (whole.status, "response")
    assert collected.text == whole.output[0].content[0].text == result.output[0].content[0].text


@pytest.mark.requirement("EP-EMB-01", "TYP-05")
async def test_embeddings_come_as_numbers_or_as_base64(caller: Caller) -> None:
    """The same text has the same vector."""
    answer = await caller.call(lambda c: c.embeddings.create(CreateEmbeddingRequest(model="m", input=["a", "b", "a"])))
    first, second, third = (item.embedding for item in answer.data)
    assert isinstance(first[0], float)
    assert first == third != second
    body = CreateEmbeddingRequest(model="m", input="a", encoding_format="base64")
    encoded = await caller.call(lambda client: client.embeddings.create(body))
    assert isinstance(encoded.data[0].embedding, str)


@pytest.mark.requirement("CLI-08", "CLI-12")
async def test_two_tenants_of_one_process_keep_their_keys_apart(callers: Callable[..., Caller]) -> None:
    """One is let in, the other is not, whoever came first."""
    from openai_client import InvalidApiKey

    good, bad = callers(), callers(api_key="sk-wrong-0123456789")
    for _ in range(2):
        with pytest.raises(InvalidApiKey):
            await bad.call(lambda client: client.models.list())
        assert (await good.call(lambda client: client.models.list())).data


@pytest.mark.requirement("CLI-10")
async def test_connections_are_used_again_after_a_whole_stream(caller: Caller, simulator: Simulator) -> None:
    """A stream that was read to its end gives its connection back."""
    for _ in range(3):
        await caller.stream(lambda client: client.chat.completions.stream(chat_body()))
    assert len({line.connection for line in simulator.log(settle=1.0)}) == 1


@pytest.mark.requirement("CLI-19")
async def test_any_other_path_is_reached_too(caller: Caller) -> None:
    """With the client's key."""
    answer = await caller.call(lambda client: client.request("GET", "/models"))
    assert b"simulated-small" in answer.result
    assert KEY.encode() not in answer.result
