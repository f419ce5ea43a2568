"""Streams collected, answers parsed and tools called over real sockets: both colours, HTTP/1.1 and HTTP/2 over TLS."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from openai_client import (
    ApiVersionConfig,
    ChatAccumulator,
    CutOff,
    ParsedChatAccumulator,
    ParsedResponseAccumulator,
    Refused,
    StreamInterrupted,
    image_part,
    parsed_arguments,
    pydantic_function_tool,
    response_format_of,
    text_format_of,
)
from tests.unit.openai_client.splitting import full

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.openai_client.conftest import Caller
    from upstream_simulator import Simulator

pytestmark = pytest.mark.integration

PROMPT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


class Place(BaseModel):
    """Somewhere on earth."""

    name: str
    height: int


TEXT = '{"name":"Ulm","height":478}'


def stream_of(*events: tuple[str | None, Any], mark: str | None = None) -> dict[str, Any]:
    """Return the fault that answers with these events, each with its name and data, in exactly these bytes."""
    lines = []
    for name, fields in events:
        lines.append("" if name is None else f"event: {name}\n")
        lines.append(f"data: {fields if isinstance(fields, str) else json.dumps(fields)}\n\n")
    return {"body": "".join(lines) + (mark or ""), "content_type": "text/event-stream"}


async def done(value: Any) -> Any:
    """Return what a call of either colour gives."""
    return await value if inspect.isawaitable(value) else value


@pytest.mark.requirement("CLI-10", "TYP-04", "CLI-14")
async def test_a_chat_is_collected_with_its_usage_and_logprobs(caller: Caller) -> None:
    """As the same chat asked whole, seed for seed."""
    asked = {**PROMPT, "seed": 7, "max_tokens": 12, "logprobs": True, "top_logprobs": 2, "n": 2}
    whole = await caller.call(lambda client: client.chat.completions.create(**asked))
    stream = caller.client.chat.completions.stream(**asked, stream_options={"include_usage": True})
    collected = await done(stream.collect())
    assert collected.usage == whole.usage
    assert [choice.message.content for choice in collected.choices] == [
        choice.message.content for choice in whole.choices
    ]
    assert [choice.logprobs for choice in collected.choices] == [choice.logprobs for choice in whole.choices]


@pytest.mark.requirement("CLI-10", "TYP-13")
async def test_the_named_events_of_a_run_are_read_from_the_wire(
    callers: Callable[..., Caller], simulator: Simulator
) -> None:
    """The kind of an event is in its `event` line; a run that breaks off is interrupted."""
    caller = callers(api_version=ApiVersionConfig(enable_beta=True))
    run, message = full("RunObject"), full("MessageObject") | {"id": "m", "content": []}
    calls = [{"index": 0, "id": "f", "type": "function", "function": {"name": "Place", "arguments": TEXT[:9]}}]
    more = [{"index": 0, "type": "function", "function": {"arguments": TEXT[9:]}}]
    details = {"type": "tool_calls", "tool_calls": []}
    events: list[tuple[str | None, Any]] = [
        ("thread.run.created", run | {"status": "queued"}),
        ("thread.message.created", message),
        *(
            ("thread.message.delta", {"id": "m", "delta": {"content": [{"index": 0, "type": "text", "text": piece}]}})
            for piece in ({"value": "Ul"}, {"value": "m\u2028"})
        ),
        ("thread.run.step.created", full("RunStepObject") | {"id": "s", "step_details": details}),
        *(
            (
                "thread.run.step.delta",
                {"id": "s", "delta": {"step_details": {"type": "tool_calls", "tool_calls": item}}},
            )
            for item in (calls, more)
        ),
        ("thread.run.of_tomorrow", {"news": 1}),
        ("thread.run.requires_action", run | {"status": "requires_action"}),
    ]
    simulator.script(stream_of(*events, ("done", "[DONE]")), stream_of(*events[:4]))
    told = await done(caller.client.beta.threads.runs.stream("t", assistant_id="a").collect())
    assert told.run.status == "requires_action"
    assert told.messages[0].content[0].text.value == "Ulm\u2028"
    (call,) = told.steps[0].step_details.tool_calls
    assert (call.id, call.function.name, call.function.arguments) == ("f", "Place", TEXT)
    with pytest.raises(StreamInterrupted):
        await done(caller.client.beta.threads.runs.stream("t", assistant_id="a").collect())


@pytest.mark.requirement("CLI-10", "TYP-08", "TYP-10")
async def test_media_are_collected_from_the_wire(caller: Caller, simulator: Simulator) -> None:
    """Speech, an image with a partial one before it."""
    simulator.script(
        stream_of((None, {"type": "speech.audio.delta", "audio": "YWI="}), (None, {"type": "speech.audio.done"})),
        stream_of(
            (None, {"type": "image_generation.partial_image", "b64_json": "YQ==", "partial_image_index": 0}),
            (None, {"type": "image_generation.completed", "b64_json": "YWI=", "created_at": 1}),
        ),
    )
    assert await done(caller.client.audio.speech.stream(model="m", voice="alloy", input="x").collect()) == b"ab"
    images = await done(caller.client.images.stream_generate(prompt="x").collect())
    assert [image.b64_json for image in images.data] == ["YWI="]


@pytest.mark.requirement("CLI-14", "CLI-10")
async def test_answers_are_parsed_over_real_sockets(caller: Caller, simulator: Simulator) -> None:
    """Whole and streamed, of chat and of responses."""
    answer = {"id": "c", "choices": [{"index": 0, "message": {"content": TEXT}, "finish_reason": "stop"}]}
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": TEXT}]}
    response = {"id": "r", "object": "response", "status": "completed", "output": [item]}
    delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": TEXT}
    simulator.script(
        {"body": answer},
        {"body": response},
        stream_of(
            (None, {"choices": [{"index": 0, "delta": {"content": TEXT[:5]}}]}),
            (None, {"choices": [{"index": 0, "delta": {"content": TEXT[5:]}, "finish_reason": "stop"}]}),
            (None, "[DONE]"),
        ),
        stream_of(
            (None, {"type": "response.created", "response": {**response, "output": []}}),
            (None, delta),
            (None, {"type": "response.completed", "response": {**response, "output": []}}),
        ),
    )
    client, asked = caller.client, {"model": "m", "input": "Where?"}
    chat = await done(client.chat.completions.parse(**PROMPT, response_format=Place))
    told = await done(client.responses.parse(**asked, text_format=Place))
    stream = client.chat.completions.stream(**PROMPT, response_format=response_format_of(Place))
    streamed = await done(stream.collect(ParsedChatAccumulator(Place)))
    events = client.responses.stream(**asked, text={"format": text_format_of(Place)})
    heard = await done(events.collect(ParsedResponseAccumulator(Place)))
    assert [found.parsed for found in (chat, told, streamed, heard)] == [Place(name="Ulm", height=478)] * 4
    assert all(b"json_schema" in json.dumps(exchange.body).encode() for exchange in simulator.log(settle=1.0))


@pytest.mark.requirement("CLI-14", "ERR-01")
async def test_refusals_and_cut_answers_are_outcomes(caller: Caller, simulator: Simulator) -> None:
    """The upstream answered, and was paid."""
    simulator.script({"refusal": True}, {"tokens": 3, "finish_reason": "length"})
    refused = await done(caller.client.chat.completions.parse(**PROMPT, response_format=Place))
    cut = await done(caller.client.chat.completions.parse(**PROMPT, response_format=Place))
    assert isinstance(refused.choices[0].outcome, Refused)
    assert isinstance(cut.choices[0].outcome, CutOff)
    assert refused.usage.completion_tokens


@pytest.mark.requirement("CLI-14", "CLI-10", "TYP-03")
async def test_an_image_goes_out_and_a_streamed_call_comes_back(caller: Caller, simulator: Simulator) -> None:
    """The call's arguments are the model that the tool was made of."""
    calls = [
        {"index": 0, "id": "t", "function": {"name": "Place", "arguments": ""}},
        {"index": 0, "function": {"arguments": TEXT}},
    ]
    chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]} for call in calls]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    simulator.script(stream_of(*((None, chunk) for chunk in (*chunks, last, "[DONE]"))))
    content = [{"type": "text", "text": "Where is this?"}, image_part(b"GIF89a", detail="low")]
    whole = ChatAccumulator()
    messages = [{"role": "user", "content": content}]
    tools = [pydantic_function_tool(Place)]
    stream = caller.client.chat.completions.stream(model="m", messages=messages, tools=tools)
    answer = await done(stream.collect(whole))
    (call,) = answer.choices[0].message.tool_calls
    assert parsed_arguments(call, Place) == Place(name="Ulm", height=478)
    (exchange,) = simulator.log(settle=1.0)
    sent = json.loads(exchange.body)
    assert sent["messages"][0]["content"][1]["image_url"] == {
        "url": "data:image/gif;base64,R0lGODlh",
        "detail": "low",
    }
    assert sent["tools"][0]["function"]["strict"] is True
