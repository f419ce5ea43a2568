"""Runs of assistants: any cut of their messages and steps is put together again."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from openai_client import RunAccumulator, StreamInterrupted
from openai_client.types import AssistantStreamEvent, MessageObject, RunObject, RunStepObject, ThreadObject
from tests.unit.openai_client.splitting import MAKER, deltas, full, interleaved

EVENT = TypeAdapter[Any](AssistantStreamEvent)
RUN = full("RunObject")
LAST = ("completed", "failed", "cancelled", "expired", "incomplete", "requires_action")


def collected(events: list[dict[str, Any]]) -> RunAccumulator:
    """Return an accumulator that was fed with the events."""
    whole = RunAccumulator()
    for event in events:
        whole.add(EVENT.validate_python(event))
    return whole


def message(name: str, text: str) -> dict[str, Any]:
    """Return a message with content of every kind."""
    marks = [
        full("MessageContentTextAnnotationsFileCitationObject"),
        full("MessageContentTextAnnotationsFilePathObject"),
    ]
    content = [
        {"type": "text", "text": {"value": text, "annotations": marks}},
        full("MessageContentImageFileObject"),
        full("MessageContentImageUrlObject"),
        {"type": "refusal", "refusal": text},
        {"type": "of_tomorrow", "news": text},
    ]
    return {**full("MessageObject"), "id": name, "content": content}


def step(name: str, text: str) -> dict[str, Any]:
    """Return a step with calls of every kind of tool."""
    outputs = [
        {"type": "logs", "logs": text},
        full("RunStepDetailsToolCallsCodeOutputImageObject"),
    ]
    calls = [
        {"id": "c", "type": "code_interpreter", "code_interpreter": {"input": text, "outputs": outputs}},
        {"id": "f", "type": "function", "function": {"name": "pick", "arguments": text, "output": text}},
        {"id": "s", **full("RunStepDetailsToolCallsFileSearchObject")},
    ]
    return {**full("RunStepObject"), "id": name, "step_details": {"type": "tool_calls", "tool_calls": calls}}


def grown(kind: str, thing: dict[str, Any], field: str, empty: Any, rng: Random) -> list[dict[str, Any]]:
    """Return the events of a message or a step whose *field* comes in pieces."""
    created = {"event": f"thread.{kind}.created", "data": {**thing, field: empty}}
    pieces = [
        {"event": f"thread.{kind}.delta", "data": {"id": thing["id"], "object": "o", "delta": piece}}
        for piece in deltas({field: thing[field]}, rng)
    ]
    return [created, *pieces]


@pytest.mark.requirement("CLI-10", "TYP-13")
@settings(deadline=None)  # the first example builds the models
@given(st.text(), st.booleans(), st.integers())
def test_any_cut_of_any_run_is_put_together_again(text: str, complete: bool, seed: int) -> None:
    """Messages and steps by id, parts and calls by index; the events that repeat a whole thing change nothing."""
    rng = Random(seed)
    messages, steps = [message(name, text) for name in "ab"], [step(name, text) for name in "st"]
    rows = [grown("message", item, "content", [], rng) for item in messages]
    rows += [grown("run.step", item, "step_details", {"type": "tool_calls", "tool_calls": []}, rng) for item in steps]
    if complete:
        for row, item in zip(rows, [*messages, *steps], strict=True):
            kind = "message" if item in messages else "run.step"
            row.append({"event": f"thread.{kind}.completed", "data": item})
    began = [
        {"event": "thread.created", "data": full("ThreadObject")},
        {"event": "thread.run.created", "data": {**RUN, "status": "queued"}},
    ]
    ended = [{"event": "thread.run.completed", "data": {**RUN, "status": "completed"}}, {"event": "of.tomorrow"}]
    whole = collected([*began, *interleaved(rows, rng), *ended])
    result = whole.result()
    by_id = {item.id: item for item in (*result.messages, *result.steps)}
    for item in messages:
        assert by_id[item["id"]] == MessageObject.model_validate(item)
    for item in steps:
        assert by_id[item["id"]] == RunStepObject.model_validate(item)
    assert result.run == RunObject.model_validate({**RUN, "status": "completed"})
    assert result.thread == ThreadObject.model_validate(full("ThreadObject"))
    assert whole.text == text * 2


@pytest.mark.requirement("CLI-10", "ERR-01")
def test_a_run_is_over_when_an_event_says_how_it_ended() -> None:
    """Or waits for tool outputs; before the first event there is nothing at all."""
    whole = RunAccumulator()
    with pytest.raises(StreamInterrupted, match="how the run ended"):
        whole.result()
    with pytest.raises(StreamInterrupted, match="not told anything about a run"):
        whole.partial()
    for variant in range(MAKER.variants("RunStreamEvent")):
        event = full("RunStreamEvent", variant)
        ended = event["event"].removeprefix("thread.run.") in LAST
        assert collected([event]).is_finished is ended
        assert collected([event]).partial().run.id == RUN["id"]


@pytest.mark.requirement("CLI-10")
def test_a_message_whose_beginning_was_missed_is_what_came_of_it() -> None:
    """And so is a step."""
    text = {"index": 0, "type": "text", "text": {"value": "hi", "annotations": [{"index": 0, "type": "file_path"}]}}
    call = {"index": 0, "type": "function", "function": {"arguments": "{"}}
    whole = collected(
        [
            {"event": "thread.run.created", "data": RUN},
            {"event": "thread.message.delta", "data": {"id": "m", "delta": {"content": [text]}}},
            {
                "event": "thread.run.step.delta",
                "data": {"id": "s", "delta": {"step_details": {"type": "tool_calls", "tool_calls": [call]}}},
            },
        ]
    )
    told = whole.partial()
    assert told.thread is None
    assert told.messages[0].content[0].text.value == "hi"
    assert told.steps[0].step_details.tool_calls[0].function.arguments == "{"


@pytest.mark.requirement("CLI-10")
def test_what_names_a_thing_is_no_text_that_grows() -> None:
    """A server may say it with every piece."""
    image = {"index": 0, "type": "image_file", "image_file": {"file_id": "f", "detail": "low"}}
    link = {"index": 1, "type": "image_url", "image_url": {"url": "https://localhost", "detail": "low"}}
    said = {"role": "assistant", "content": [image, link]}
    delta = {"event": "thread.message.delta", "data": {"id": "m", "delta": said}}
    (message,) = collected([{"event": "thread.run.created", "data": RUN}, delta, delta]).partial().messages
    assert (message.content[0].image_file.file_id, message.content[0].image_file.detail) == ("f", "low")
    assert message.content[1].image_url.url == "https://localhost"
