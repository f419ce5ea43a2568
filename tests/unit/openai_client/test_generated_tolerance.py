from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from openai_client import types
from openai_client._generated.operations.chat import create_chat_completion, stream_chat_completion
from openai_client._generated.operations.completions import create_completion, stream_completion
from openai_client._generated.operations.embeddings import create_embedding
from openai_client._generated.operations.models import list_models
from openai_client._generated.operations.responses import create_response, stream_response
from openai_client._generated.operations.vector_stores import search_vector_store_with

CHAT = types.CreateChatCompletionRequest(model="m", messages=[types.ChatCompletionRequestUserMessage(content="Hello")])
TEXT = types.CreateCompletionRequest(model="m", prompt="Hello")
RESPONSE = types.CreateResponse(model="m", input="Hello")

CHUNKS = {
    "role with null content (llama-server)": b'{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant",'
    b'"content":null}}],"created":1763,"id":"c","model":"m","system_fingerprint":"b1","object":"chat.completion.chunk"}',
    "role without content (llama-cpp-python)": b'{"id":"c","model":"m","created":1,"object":"chat.completion.chunk",'
    b'"choices":[{"index":0,"delta":{"role":"assistant"},"logprobs":null,"finish_reason":null}]}',
    "no finish_reason, no logprobs (transformers)": b'{"id":"c","choices":[{"delta":{"content":"a"},"index":0}],'
    b'"created":1,"model":"m","object":"chat.completion.chunk","system_fingerprint":""}',
    "usage and no choices (vLLM)": b'{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
    b'"usage":{"prompt_tokens":25,"total_tokens":33,"completion_tokens":8}}',
    "extra keys (vLLM)": b'{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
    b'"delta":{"content":"a"},"logprobs":null,"finish_reason":"stop","stop_reason":2,"token_ids":[1]}],'
    b'"prompt_token_ids":null}',
    "timings (llama-server)": b'{"choices":[{"finish_reason":"length","index":0,"delta":{}}],"created":1,"id":"c",'
    b'"model":"m","timings":{"prompt_n":1,"prompt_ms":0.5}}',
    "unknown finish_reason (others)": b'{"choices":[{"finish_reason":"eos","index":0,"delta":{"content":""}}]}',
    "provider fields (LiteLLM)": b'{"id":"c","choices":[{"index":0,"delta":{"provider_specific_fields":null,'
    b'"content":"x","role":"assistant"}}],"usage":{"completion_tokens":0,"prompt_tokens":0,"total_tokens":0}}',
    "a tool call without arguments (vLLM)": b'{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"id":"t",'
    b'"type":"function","index":0,"function":{"name":"f"}}]}}]}',
    "tool calls without an index": b'{"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"{"}}]}}]}',
    "a choice without a delta (Azure)": b'{"choices":[{"content_filter_offsets":{"check_offset":1},"index":0}]}',
    "no id, model or created (proxies)": b'{"choices":[{"delta":{"content":"a","reasoning_content":"b"}}]}',
    "an unknown role": b'{"choices":[{"delta":{"role":"narrator","content":"a"}}]}',
}


@pytest.mark.requirement("FWD-01", "FWD-02", "TYP-04")
@pytest.mark.parametrize("chunk", CHUNKS.values(), ids=CHUNKS.keys())
def test_every_chat_chunk_that_a_real_server_sent_is_understood_and_kept(chunk: bytes) -> None:
    """Missing, null and additional fields are data."""
    parsed = stream_chat_completion(CHAT).parse_event(chunk)
    assert json.loads(parsed.wire_bytes()) == json.loads(chunk)


@pytest.mark.requirement("FWD-02", "TYP-04")
def test_an_unknown_finish_reason_keeps_its_raw_value() -> None:
    """Nothing is mapped to a known one."""
    parsed = stream_chat_completion(CHAT).parse_event(CHUNKS["unknown finish_reason (others)"])
    assert parsed.choices[0].finish_reason == "eos"
    assert parsed.choices[0].delta.content == ""


@pytest.mark.requirement("TYP-04")
@pytest.mark.parametrize(
    "document", [b"{}", b'{"choices":null}', b'{"error":{"message":"m"}}', b"[]", b"null", b'"a"', b"<html>"]
)
def test_what_is_no_chat_completion_is_an_error(document: bytes) -> None:
    """An answer without choices has no meaning, and silence about it would be a lie."""
    with pytest.raises(ValidationError):
        create_chat_completion(CHAT).parse(document)
    with pytest.raises(ValidationError):
        stream_chat_completion(CHAT).parse_event(document)


@pytest.mark.requirement("TYP-04", "FWD-01")
def test_a_chat_completion_needs_nothing_but_its_choices() -> None:
    """Everything else is None, and tool calls without a type are function calls."""
    document = (
        b'{"choices":[{"message":{"content":null,"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},'
        b'"finish_reason":"tool_calls"}]}'
    )
    parsed = create_chat_completion(CHAT).parse(document)
    assert (parsed.id, parsed.created, parsed.model, parsed.usage) == (None, None, None, None)
    [call] = parsed.choices[0].message.tool_calls or []
    assert isinstance(call, types.ChatCompletionMessageToolCall)
    assert call.function.name == "f"
    assert json.loads(parsed.wire_bytes()) == json.loads(document)


@pytest.mark.requirement("FWD-02", "TYP-04")
def test_a_tool_call_of_an_unknown_type_is_kept_raw() -> None:
    """Its fields are there, undecoded."""
    document = b'{"choices":[{"message":{"tool_calls":[{"type":"teleport","id":"1","to":{"x":1}}]}}]}'
    [call] = create_chat_completion(CHAT).parse(document).choices[0].message.tool_calls or []
    assert isinstance(call, types.Unknown)
    assert (call.type, call.to) == ("teleport", {"x": 1})


@pytest.mark.requirement("TYP-03", "FWD-01")
def test_an_assistant_message_that_came_can_be_sent_back_with_its_tool_calls() -> None:
    """The tool calls go into the next request as they are."""
    document = (
        b'{"choices":[{"message":{"content":"a","tool_calls":[{"id":"1","type":"function","function":{"name":"f",'
        b'"arguments":"{}"},"extra":1}]}}]}'
    )
    message = create_chat_completion(CHAT).parse(document).choices[0].message
    sent = types.ChatCompletionRequestAssistantMessage(content=message.content, tool_calls=message.tool_calls)
    expected = json.loads(document)["choices"][0]["message"]
    assert json.loads(sent.wire_bytes()) == {"role": "assistant", **expected}


@pytest.mark.requirement("TYP-02")
@pytest.mark.parametrize(
    ("field", "bad", "good"),
    [
        ("temperature", -0.01, 0),
        ("temperature", 2.01, 2),
        ("top_p", 1.01, 1),
        ("presence_penalty", -2.01, -2),
        ("frequency_penalty", 2.01, 2),
        ("n", 0, 1),
        ("top_logprobs", 21, 20),
        ("stop", ["a"] * 5, ["a"] * 4),
        ("service_tier", 3, "flex"),
        ("messages", [], [{"role": "user", "content": "a"}]),
        ("messages", [{"role": "narrator", "content": "a"}], [{"role": "system", "content": "a"}]),
    ],
)
def test_a_chat_request_enforces_its_ranges_and_names_the_field(field: str, bad: Any, good: Any) -> None:
    """One step beyond an end is refused, the end itself is not."""
    fields: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "secret"}]}
    assert types.CreateChatCompletionRequest(**{**fields, field: good})
    with pytest.raises(ValidationError) as caught:
        types.CreateChatCompletionRequest(**{**fields, field: bad})
    assert {error["loc"][0] for error in caught.value.errors()} == {field}
    assert "secret" not in str(caught.value)


@pytest.mark.requirement("TYP-03", "CLI-14")
def test_messages_are_tagged_by_role_and_parts_by_type() -> None:
    """Text, images, tool calls and tool results go out as the API names them."""
    body = types.CreateChatCompletionRequest(
        model="m",
        messages=[
            types.ChatCompletionRequestSystemMessage(content="s"),
            types.ChatCompletionRequestUserMessage(
                content=[
                    types.ChatCompletionRequestMessageContentPartText(text="t"),
                    types.ChatCompletionRequestMessageContentPartImage(
                        image_url=types.ChatCompletionRequestMessageContentPartImageImageUrl(url="data:,")
                    ),
                ]
            ),
            types.ChatCompletionRequestToolMessage(content="r", tool_call_id="1"),
        ],
        tools=[types.ChatCompletionTool(function=types.FunctionObject(name="f", parameters={"type": "object"}))],
        response_format=types.ResponseFormatJsonObject(),
        seed=1,
        logprobs=True,
        parallel_tool_calls=False,
    )
    assert json.loads(body.wire_bytes()) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "s"},
            {
                "role": "user",
                "content": [{"type": "text", "text": "t"}, {"type": "image_url", "image_url": {"url": "data:,"}}],
            },
            {"role": "tool", "content": "r", "tool_call_id": "1"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "response_format": {"type": "json_object"},
        "seed": 1,
        "logprobs": True,
        "parallel_tool_calls": False,
    }


@pytest.mark.requirement("TYP-01")
@pytest.mark.parametrize(
    "document",
    [
        b'{"object":"list","data":[{"id":"m","object":"model","owned_by":"me","permissions":[]}]}',
        b'{"models":[{"name":"m"}],"object":"list","data":[{"id":"m","meta":{"n_ctx":1}}]}',
        b'{"object":"list","data":[]}',
    ],
    ids=["no created (llama-cpp-python)", "a second list (llama-server)", "empty (transformers)"],
)
def test_every_models_listing_that_a_real_server_sent_is_understood_and_kept(document: bytes) -> None:
    """Only the ids matter."""
    parsed = list_models().parse(document)
    assert all(model.id == "m" for model in parsed.data)
    assert json.loads(parsed.wire_bytes()) == json.loads(document)


@pytest.mark.requirement("TYP-05")
@pytest.mark.parametrize("embedding", [[0.1, -0.2], "AACAPw==", [[0.1], [0.2]]], ids=["floats", "base64", "per token"])
def test_embeddings_come_as_floats_as_base64_and_as_lists_per_token(embedding: Any) -> None:
    """llama-cpp-python sends one list per token."""
    document = {"data": [{"embedding": embedding, "index": 0, "object": "embedding"}], "model": "m"}
    parsed = create_embedding(types.CreateEmbeddingRequest(model="m", input="x")).parse(json.dumps(document).encode())
    assert parsed.data[0].embedding == embedding


@pytest.mark.requirement("TYP-05")
@pytest.mark.parametrize("input_", ["a", ["a", "b"], [1, 2], [[1], [2, 3]]])
def test_text_and_tokens_alone_or_in_lists_can_be_embedded(input_: Any) -> None:
    """The four forms of the API, unchanged."""
    body = types.CreateEmbeddingRequest(model="m", input=input_, encoding_format="base64", dimensions=1, user="u")
    assert json.loads(body.wire_bytes())["input"] == input_


@pytest.mark.requirement("TYP-05")
@pytest.mark.parametrize(
    "fields", [{"input": []}, {"input": [[]]}, {"dimensions": 0}, {"encoding_format": "hex"}, {"input": {}}]
)
def test_an_embeddings_request_refuses_what_the_api_refuses(fields: dict[str, Any]) -> None:
    """Empty lists, no dimensions, unknown encodings."""
    with pytest.raises(ValidationError):
        types.CreateEmbeddingRequest(**{"model": "m", "input": "x", **fields})


@pytest.mark.requirement("CLI-10")
def test_completions_stream_chunks_of_their_own_shape() -> None:
    """The description leaves the stream out; the correction puts it in."""
    chunk = b'{"choices":[{"text":"a","index":0,"logprobs":null,"finish_reason":null}],"usage":null}'
    assert stream_completion(TEXT).parse_event(chunk).choices[0].text == "a"
    assert b'"stream":true' in (stream_completion(TEXT).body_bytes() or b"")
    assert json.loads(create_completion(TEXT).parse(chunk).wire_bytes()) == json.loads(chunk)


@pytest.mark.requirement("TYP-12", "FWD-02")
@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            b'{"type":"response.output_text.delta","delta":"a","item_id":"i","sequence_number":4}',
            "ResponseTextDeltaEvent",
        ),
        (b'{"type":"response.output_text.delta","delta":"a"}', "ResponseTextDeltaEvent"),
        (b'{"type":"response.telepathy.delta","thought":{"a":1},"sequence_number":5}', "Unknown"),
        (b'{"delta":"a"}', "Unknown"),
        (b'{"type":"response.created","response":{"id":"r","object":"response","output":[]}}', "ResponseCreatedEvent"),
        (b'{"type":"error","message":"m","code":500,"param":null}', "ResponseErrorEvent"),
    ],
)
def test_events_of_a_response_are_known_or_kept_raw(event: bytes, expected: str) -> None:
    """Servers leave sequence numbers and item ids out; a new event is data."""
    parsed = stream_response(RESPONSE).parse_event(event)
    assert type(parsed).__name__ == expected
    assert json.loads(parsed.wire_bytes()) in (json.loads(event), {**json.loads(event), "code": "500"})


@pytest.mark.requirement("TYP-12", "FWD-02")
def test_unknown_items_and_parts_of_a_response_are_kept_and_can_be_given_back() -> None:
    """The next request carries them as they came."""
    document = (
        b'{"id":"r","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"},'
        b'{"type":"hologram","q":1}]},{"type":"teleport_call","to":"x"}]}'
    )
    parsed = create_response(RESPONSE).parse(document)
    message, call = parsed.output
    assert isinstance(message, types.OutputMessage)
    assert isinstance(message.content[0], types.OutputTextContent)
    assert isinstance(message.content[1], types.Unknown)
    assert isinstance(call, types.Unknown)
    again = types.CreateResponse(model="m", input=[*parsed.output, types.EasyInputMessage(role="user", content="b")])
    assert json.loads(again.wire_bytes())["input"] == [
        *json.loads(document)["output"],
        {"role": "user", "content": "b"},
    ]


@pytest.mark.requirement("CLI-10", "TYP-12")
@pytest.mark.parametrize("kind", ["completed", "failed", "incomplete"])
def test_the_stream_of_a_response_ends_with_an_event(kind: str) -> None:
    """Most servers send no `[DONE]` there."""
    operation = stream_response(RESPONSE)
    event = operation.parse_event(f'{{"type":"response.{kind}","response":{{"id":"r","output":[]}}}}'.encode())
    assert operation.end.is_last(event)
    assert not operation.end.is_last(operation.parse_event(b'{"type":"response.output_text.delta","delta":"a"}'))


@pytest.mark.requirement("CLI-18")
def test_a_list_that_comes_whole_is_iterated_item_by_item() -> None:
    """As a page is; the models of a server are the one list of the API that has no pages."""
    models = list_models().parse(b'{"object": "list", "data": [{"id": "a"}, {"id": "b"}]}')
    assert [model.id for model in models] == ["a", "b"]
    assert list(models.model_dump()) == ["object", "data"]
    found = search_vector_store_with("v", query="tide").parse(b'{"data": [{"file_id": "f", "content": []}]}')
    assert [item.file_id for item in found] == ["f"]
