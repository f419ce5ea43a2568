"""Chunks put together again: what an endpoint would have answered unstreamed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from openai_client import ChatAccumulator, CompletionAccumulator, ResponseAccumulator, RunAccumulator, errors
from openai_client._generated.operations.responses import stream_response
from openai_client.streaming.merging import MOST_PLACES, merge_piece, plain
from openai_client.types import (
    AssistantStreamEvent,
    CreateChatCompletionStreamResponse,
    CreateCompletionResponse,
    CreateResponse,
)
from tests.unit.openai_client.conftest import data

if TYPE_CHECKING:
    from collections.abc import Callable

RUN_EVENT = TypeAdapter[Any](AssistantStreamEvent)
EVENT = stream_response(CreateResponse(model="m", input="x")).parse_event


def chat(*choices: dict[str, Any], **fields: Any) -> CreateChatCompletionStreamResponse:
    """Return a chat chunk."""
    return CreateChatCompletionStreamResponse.model_validate({"id": "c", "choices": list(choices), **fields})


def collected(*chunks: CreateChatCompletionStreamResponse) -> ChatAccumulator:
    """Return an accumulator that was fed with the chunks."""
    whole = ChatAccumulator()
    for chunk in chunks:
        whole.add(chunk)
    return whole


@pytest.mark.requirement("CLI-10", "TYP-04", "FWD-01")
def test_a_chat_is_put_together() -> None:
    """Role, text, vendor fields, finish reason, usage, fingerprint."""
    whole = collected(
        chat({"index": 0, "delta": {"role": "assistant", "content": None}, "finish_reason": None}, model="m"),
        chat({"index": 0, "delta": {"content": "Hel", "reasoning_content": "so "}}, system_fingerprint="fp"),
        chat({"index": 0, "delta": {"content": "lo", "reasoning_content": "what"}}, system_fingerprint=""),
        chat({"index": 0, "delta": {}, "finish_reason": "stop"}),
        chat(usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, timings={"ms": 1}),
    )
    result = whole.result()
    message = result.choices[0].message
    assert (message.role, message.content, message.reasoning_content) == ("assistant", "Hello", "so what")
    assert (result.id, result.model, result.object, result.system_fingerprint) == ("c", "m", "chat.completion", "fp")
    assert result.usage is not None
    assert result.usage.total_tokens == 3
    assert result.timings == {"ms": 1}
    assert (whole.text, whole.is_finished) == ("Hello", True)


@pytest.mark.requirement("CLI-14")
@pytest.mark.parametrize("repeat", [False, True])
def test_tool_calls_are_put_together(repeat: bool) -> None:
    """By index, also when a server repeats id, type and name in every delta."""
    again = {"id": "call-1", "type": "function"} if repeat else {}
    name = {"name": "pick"} if repeat else {}
    whole = collected(
        chat(
            {
                "index": 0,
                "delta": {
                    "tool_calls": [{"index": 0, "id": "call-1", "type": "function", "function": {"name": "pick"}}]
                },
            }
        ),
        chat({"index": 0, "delta": {"tool_calls": [{"index": 0, **again, "function": {**name, "arguments": '{"a"'}}]}}),
        chat({"index": 0, "delta": {"tool_calls": [{"index": 1, "id": "call-2", "function": {"name": "look"}}]}}),
        chat({"index": 0, "delta": {"tool_calls": [{"index": 0, **again, "function": {**name, "arguments": ":1}"}}]}}),
        chat({"index": 0, "delta": {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]}}),
        chat({"index": 0, "delta": {}, "finish_reason": "tool_calls"}),
    )
    calls = whole.result().choices[0].message.tool_calls or []
    assert [(c.id, c.type, c.function.name, c.function.arguments) for c in calls] == [
        ("call-1", "function", "pick", '{"a":1}'),
        ("call-2", "function", "look", "{}"),
    ]


def test_a_call_without_a_position_is_the_first() -> None:
    """Servers that send one call leave it out."""
    piece = {"index": 0, "delta": {"tool_calls": [{"id": "x", "function": {"name": "f", "arguments": "1"}}]}}
    more = {"index": 0, "delta": {"tool_calls": [{"function": {"arguments": "2"}}]}}
    calls = collected(chat(piece), chat(more)).partial().choices[0].message.tool_calls or []
    assert [call.function.arguments for call in calls] == ["12"]


def test_choices_are_kept_apart_and_in_order() -> None:
    """Whichever comes first."""
    whole = collected(
        chat({"index": 1, "delta": {"content": "b"}}),
        chat({"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}),
    )
    assert not whole.is_finished
    whole.add(chat({"index": 1, "delta": {"content": "B"}, "finish_reason": "length"}))
    assert [(c.index, c.message.content, c.finish_reason) for c in whole.result().choices] == [
        (0, "a", "stop"),
        (1, "bB", "length"),
    ]
    assert whole.is_finished


@pytest.mark.requirement("CLI-10")
def test_what_comes_after_a_finish_reason_is_dropped() -> None:
    """It is no part of the answer any more."""
    whole = collected(
        chat({"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}),
        chat({"index": 0, "delta": {"content": "b"}, "finish_reason": "length"}),
    )
    assert (whole.text, whole.result().choices[0].finish_reason) == ("a", "stop")


def test_logprobs_are_appended() -> None:
    """Token by token."""
    whole = collected(
        *(
            chat({"index": 0, "delta": {"content": t}, "logprobs": {"content": [{"token": t, "logprob": -1.0}]}})
            for t in "ab"
        )
    )
    logprobs = whole.partial().choices[0].logprobs
    assert logprobs is not None
    assert [item.token for item in logprobs.content or []] == ["a", "b"]


def test_an_answer_can_be_asked_for_before_there_is_one() -> None:
    """A stream that broke at once leaves an empty answer."""
    assert ChatAccumulator().partial().choices == []
    assert ChatAccumulator().text == ""
    assert not ChatAccumulator().is_finished
    assert collected(chat({"index": 0})).partial().choices[0].message.content is None


@pytest.mark.requirement("CLI-10")
@given(st.text(), st.lists(st.integers(0, 40), max_size=6))
def test_the_text_does_not_depend_on_where_it_was_cut(text: str, cuts: list[int]) -> None:
    """Any pieces of a text give the text."""
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    whole = ChatAccumulator()
    for piece in pieces:
        whole.add(
            CreateChatCompletionStreamResponse.model_validate({"choices": [{"index": 0, "delta": {"content": piece}}]})
        )
    assert whole.text == "".join(pieces) == text


@pytest.mark.requirement("CLI-10")
def test_a_legacy_completion_is_put_together() -> None:
    """Text, logprobs, usage."""
    whole = CompletionAccumulator()
    for text, reason in (("On", None), ("ce", "stop")):
        choice = {"index": 0, "text": text, "finish_reason": reason, "logprobs": {"tokens": [text]}}
        whole.add(CreateCompletionResponse.model_validate({"id": "c", "choices": [choice]}))
    whole.add(CreateCompletionResponse.model_validate({"choices": [], "usage": {"total_tokens": 2}}))
    result = whole.result()
    assert (result.choices[0].text, result.choices[0].finish_reason, whole.is_finished) == ("Once", "stop", True)
    assert result.choices[0].logprobs is not None
    assert result.choices[0].logprobs.tokens == ["On", "ce"]
    assert result.usage is not None
    assert result.usage.total_tokens == 2


def events(*values: dict[str, Any]) -> ResponseAccumulator:
    """Return an accumulator that was fed with the events."""
    whole = ResponseAccumulator()
    for value in values:
        whole.add(EVENT(data(value)))
    return whole


BARE = {"id": "r", "object": "response", "status": "in_progress", "output": []}
DELTA = {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0, "logprobs": []}


@pytest.mark.requirement("CLI-10", "TYP-12")
def test_a_response_is_the_one_that_its_last_event_holds() -> None:
    """The deltas are there before."""
    item = {"type": "message", "id": "i", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
    whole = events(
        {"type": "response.created", "response": BARE},
        {**DELTA, "delta": "H"},
        {**DELTA, "delta": "i"},
    )
    assert (whole.text, whole.is_finished) == ("Hi", False)
    whole.add(
        EVENT(data({"type": "response.completed", "response": {**BARE, "status": "completed", "output": [item]}}))
    )
    assert whole.is_finished
    assert whole.result().status == "completed"
    assert whole.result().output[0].content[0].text == "Hi"


@pytest.mark.requirement("CLI-10")
def test_a_response_that_broke_off_is_what_came_of_it() -> None:
    """Items that were finished, and texts that were not."""
    whole = events(
        {"type": "response.created", "response": BARE},
        {"type": "response.output_item.done", "output_index": 0, "item": {"type": "new_kind", "id": "i"}},
        {**DELTA, "output_index": 1, "delta": "half"},
        {"type": "response.of_tomorrow"},
    )
    result = whole.partial()
    assert [item.type for item in result.output] == ["new_kind", "message"]
    assert result.output[1].content[0].text == "half"
    assert whole.unknown_count == 1
    whole.add(EVENT(data({**DELTA, "type": "response.output_text.done", "output_index": 1, "text": "half of it"})))
    assert whole.text == "half of it"


def test_a_response_nobody_told_anything_about_is_an_error() -> None:
    """There is no id, so there is no response."""
    with pytest.raises(errors.StreamInterrupted):
        ResponseAccumulator().partial()


@pytest.mark.parametrize(
    ("there", "piece", "whole"),
    [
        ({}, {"a": None}, {"a": None}),
        ({"a": "x"}, {"a": None}, {"a": "x"}),
        ({"a": "x"}, {"a": "y"}, {"a": "xy"}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"id": "x"}, {"id": "x"}, {"id": "x"}),
        ({"id": ""}, {"id": "x"}, {"id": "x"}),
        ({"a": None}, {"a": [1]}, {"a": [1]}),
        ({"a": [1]}, {"a": [2]}, {"a": [1, 2]}),
        ({"a": {"b": "x"}}, {"a": {"b": "y", "c": 1}}, {"a": {"b": "xy", "c": 1}}),
        ({"a": "x"}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_pieces_of_objects_are_merged_by_rule(there: dict, piece: dict, whole: dict) -> None:
    """Texts grow, names stay, numbers are replaced, null says nothing."""
    merge_piece(there, piece)
    assert plain(there) == whole


def tool_call(index: int) -> CreateChatCompletionStreamResponse:
    """Return a chunk with a tool call at *index*."""
    return chat({"index": 0, "delta": {"tool_calls": [{"index": index, "id": f"c{index}"}]}})


def added(place: int, **where: Any) -> Any:
    """Return the event of a new output item at *place*."""
    item = {"type": "function_call", "id": f"i{place}", "call_id": "c", "name": "f", "arguments": ""}
    event = {"type": "response.output_item.added", "sequence_number": 1, "output_index": place, "item": item, **where}
    return EVENT(data(event))


def part(place: int) -> Any:
    """Return the event of a new part of the first item."""
    content = {"type": "output_text", "text": "", "annotations": []}
    where = {"output_index": 0, "item_id": "i", "content_index": place, "sequence_number": 1}
    return EVENT(data({"type": "response.content_part.added", **where, "part": content}))


def drawn(place: int) -> Any:
    """Return the event of a partial image of the item at *place*."""
    where = {"output_index": place, "item_id": "i", "sequence_number": 1, "partial_image_index": 0}
    return EVENT(data({"type": "response.image_generation_call.partial_image", **where, "partial_image_b64": "YQ=="}))


def delta(place: int) -> Any:
    """Return the event of arguments of the item at *place*, of which nothing was told."""
    where = {"output_index": place, "item_id": f"i{place}", "sequence_number": 1}
    return EVENT(data({"type": "response.function_call_arguments.delta", **where, "delta": "x"}))


def begun(place: int) -> Any:
    """Return the event of a new message of a run."""
    message = {"id": f"m{place}", "object": "thread.message", "role": "assistant", "content": []}
    return RUN_EVENT.validate_python({"event": "thread.message.created", "data": message})


def feed(whole: Any, event: Callable[[int], Any]) -> None:
    """Feed an accumulator with more and more events."""
    for place in range(3, 7):
        whole.add(event(place))


@pytest.mark.requirement("CLI-10")
@pytest.mark.parametrize(
    ("kind", "event"),
    [
        (ChatAccumulator, tool_call),
        (ChatAccumulator, lambda index: chat({"index": index, "delta": {"content": "a"}})),
        (ResponseAccumulator, added),
        (ResponseAccumulator, lambda place: added(0, item={"type": "of_tomorrow", "id": f"i{place}"})),
        (ResponseAccumulator, part),
        (ResponseAccumulator, drawn),
        (ResponseAccumulator, delta),
        (RunAccumulator, begun),
    ],
)
def test_what_a_stream_begins_is_bounded(
    kind: type[Any], event: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upstream that goes on and on with new tool calls, choices, items or parts fills no memory."""
    assert MOST_PLACES == 4096
    monkeypatch.setattr("openai_client.streaming.merging.MOST_PLACES", 3)
    whole = kind()
    for place in (0, 1, 2, 0, 1):
        whole.add(event(place))
    with pytest.raises(errors.UnexpectedResponse, match="begins more than 3 choices, tool calls, items or parts"):
        feed(whole, event)
