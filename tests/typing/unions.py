"""
Variants told apart by their tag, as type checkers see them: never run, only read.

mypy reads it with every check; pyright has to accept it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_type

from openai_client.types import (
    ChatCompletionMessageToolCallFunction,
    Response,
    ResponseCompletedEvent,
    ResponseTextDeltaEvent,
    RunStepDetailsToolCallsFunctionObject,
    Unknown,
    WebhookEvent,
    WebhookResponseCompleted,
)

if TYPE_CHECKING:
    from openai_client import AsyncClient, Client

MESSAGES = [{"role": "user", "content": "Hello"}]


def by_if(client: Client) -> None:
    """A comparison of the tag leaves the variants that have it, and an unknown one is found by its class."""
    for event in client.responses.create(model="m", input="x", stream=True):
        if event.type == "response.output_text.delta":
            assert_type(event, ResponseTextDeltaEvent)
            assert_type(event.delta, str)
        elif event.type == "response.completed":
            assert_type(event.response, Response)
        elif isinstance(event, Unknown):
            assert_type(event.unknown_tag, str | None)
            assert_type(event.whatever_it_has, Any)


async def by_match(client: AsyncClient) -> None:
    """So does a match over the tag, or over the classes."""
    async for event in client.responses.stream(model="m", input="x"):
        match event.type:
            case "response.output_text.delta":
                assert_type(event, ResponseTextDeltaEvent)
            case "response.completed":
                assert_type(event, ResponseCompletedEvent)
            case _:
                pass
        match event:
            case ResponseTextDeltaEvent(delta=text):
                assert_type(text, str)
            case Unknown(unknown_tag=tag):
                assert_type(tag, str | None)
            case _:
                pass


def tool_calls(client: Client) -> None:
    """A call of a function is told from one of a custom tool."""
    answer = client.chat.completions.create(model="m", messages=MESSAGES)
    for call in answer.choices[0].message.tool_calls or ():
        if call.type == "function":
            assert_type(call.function, ChatCompletionMessageToolCallFunction)


def items(client: Client) -> None:
    """Items of a response, and the parts in them."""
    for item in client.responses.create(model="m", input="x").output:
        if item.type == "function_call":
            assert_type(item.arguments, str)
        elif item.type == "message":
            for part in item.content:
                if part.type == "output_text":
                    assert_type(part.text, str)


def beta(client: Client) -> None:
    """Parts of messages, and the steps of a run, whose events are told apart by `event`."""
    for message in client.beta.threads.messages.list("t"):
        for part in message.content:
            if part.type == "text":
                assert_type(part.text.value, str | None)
    for event in client.beta.threads.runs.stream("t", assistant_id="a"):
        details = event.data.step_details if event.event == "thread.run.step.completed" else None
        if details is not None and details.type == "tool_calls":
            for call in details.tool_calls or ():
                if call.type == "function":
                    assert_type(call, RunStepDetailsToolCallsFunctionObject)


def webhooks(client: Client) -> None:
    """What the service delivers."""
    event = client.webhooks.unwrap(b"{}", {})
    assert_type(event, WebhookEvent)
    if event.type == "response.completed":
        assert_type(event, WebhookResponseCompleted)
        assert_type(event.data.id, str)


def raw(client: Client) -> None:
    """Nobody knows the events of a raw stream: every field of them may have any value."""
    with client.request_stream("POST", "/new", body={}) as stream:
        for event in stream:
            if event.type == "whatever.it.says":
                assert_type(event.text, Any)


def refused(client: Client) -> None:
    """What a type checker must refuse: a field that the variant with this tag does not have."""
    for event in client.responses.create(model="m", input="x", stream=True):
        if event.type == "response.completed":
            event.delta  # type: ignore[attr-defined] # noqa: B018 - what is shown here
