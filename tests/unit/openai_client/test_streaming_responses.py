"""Responses: every event is known, and any cut of any output is put together again without the last event."""

from __future__ import annotations

import base64
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from openai_client import BetaResponseAccumulator, ResponseAccumulator, StreamInterrupted
from openai_client._generated.models.beta_responses.events import BetaResponseStreamEvent
from openai_client.types import Response, ResponseStreamEvent
from tests.unit.openai_client.splitting import MAKER, cut, cut_base64, full, interleaved

EVENT = TypeAdapter[Any](ResponseStreamEvent)
BETA_EVENT = TypeAdapter[Any](BetaResponseStreamEvent)
BARE = {"id": "r", "object": "response", "status": "in_progress", "output": []}
GROWS = {
    "function_call": ("arguments", "function_call_arguments"),
    "mcp_call": ("arguments", "mcp_call_arguments"),
    "custom_tool_call": ("input", "custom_tool_call_input"),
    "code_interpreter_call": ("code", "code_interpreter_call_code"),
}


def collected(events: list[dict[str, Any]]) -> ResponseAccumulator:
    """Return an accumulator that was fed with the events."""
    whole = ResponseAccumulator()
    for event in events:
        whole.add(EVENT.validate_python(event))
    return whole


def part_events(part: dict[str, Any], where: dict[str, Any], rng: Random) -> list[dict[str, Any]]:
    """Return the events of one part of a message or of reasoning."""
    prefix = {"output_text": "output_text", "refusal": "refusal", "reasoning_text": "reasoning_text"}[part["type"]]
    field = "refusal" if prefix == "refusal" else "text"
    events: list[dict[str, Any]] = [
        {"type": "response.content_part.added", **where, "part": {"type": part["type"], field: "", "annotations": []}}
    ]
    if prefix != "output_text":
        del events[0]["part"]["annotations"]
    pieces = [{"type": f"response.{prefix}.delta", **where, "delta": piece} for piece in cut(part[field], rng)]
    pieces[-1] |= {"logprobs": part["logprobs"]} if "logprobs" in part else {}
    marks = [
        {"type": "response.output_text.annotation.added", **where, "annotation_index": place, "annotation": mark}
        for place, mark in enumerate(part.get("annotations", ()))
    ]
    return events + interleaved([pieces, marks], rng)


def item_events(place: int, item: dict[str, Any], rng: Random) -> list[dict[str, Any]]:
    """Return the events of one output item; its `done` is not among them."""
    where = {"output_index": place, "item_id": item.get("id", "")}
    kind, bare = item["type"], dict(item)
    rows: list[list[dict[str, Any]]] = []
    if kind in GROWS:
        field, name = GROWS[kind]
        bare[field] = ""
        rows.append([{"type": f"response.{name}.delta", **where, "delta": piece} for piece in cut(item[field], rng)])
    if kind in {"message", "reasoning"}:
        bare["content"] = []
        parts = item["content"]
        rows += [part_events(part, {**where, "content_index": i}, rng) for i, part in enumerate(parts)]
    if kind == "reasoning":
        bare["summary"] = []
        for index, part in enumerate(item["summary"]):
            at = {**where, "summary_index": index}
            added = {"type": "response.reasoning_summary_part.added", **at, "part": {**part, "text": ""}}
            texts = cut(part["text"], rng)
            grow = [{"type": "response.reasoning_summary_text.delta", **at, "delta": text} for text in texts]
            rows.append([added, *grow])
    if kind == "shell_call":
        bare["action"] = {**item["action"], "commands": []}
        for index, command in enumerate(item["action"]["commands"]):
            at = {**where, "command_index": index}
            grow = [{"type": "response.shell_call_command.delta", **at, "delta": text} for text in cut(command, rng)]
            rows.append([{"type": "response.shell_call_command.added", **at, "command": ""}, *grow])
    added = {"type": "response.output_item.added", "output_index": place, "item": bare}
    # parts come one after the other, as the API sends them
    return [added, *(event for row in rows for event in row)]


def output(text: str) -> list[dict[str, Any]]:
    """Return output with everything in it that streams in pieces."""
    parts = [full("OutputTextContent"), full("RefusalContent"), full("OutputTextContent")]
    parts[0] |= {"text": text}
    parts[1] |= {"refusal": text[::-1]}
    made = [
        {**full("OutputMessage"), "content": parts},
        {**full("ReasoningItem"), "summary": [{"type": "summary_text", "text": text}]},
        {**full("FunctionToolCall"), "arguments": text},
        {**full("MCPToolCall"), "arguments": text},
        {**full("CustomToolCall"), "input": text},
        {**full("CodeInterpreterToolCall"), "code": text},
        {**full("FunctionShellCall"), "action": {"commands": [text, "ls"], "timeout_ms": 1, "max_output_length": 2}},
        full("WebSearchToolCall"),
        full("FunctionShellCallOutput"),
    ]
    return [item | {"id": f"item-{place}"} for place, item in enumerate(made)]


@pytest.mark.requirement("CLI-10", "CLI-14", "TYP-12")
@settings(deadline=None)  # the first example builds the models
@given(st.text(), st.booleans(), st.integers())
def test_any_cut_of_any_response_is_put_together_again(text: str, ends: bool, seed: int) -> None:
    """From its deltas alone: no last event tells the output, whether there is one or the stream broke."""
    rng = Random(seed)
    items = output(text)
    rows = [item_events(place, item, rng) for place, item in enumerate(items)]
    events = [{"type": "response.created", "response": BARE}, *interleaved(rows, rng)]
    if ends:
        events.append({"type": "response.completed", "response": {**BARE, "status": "completed"}})
    whole = collected(events)
    status = "completed" if ends else "in_progress"
    assert whole.is_finished is ends
    assert whole.partial() == Response.model_validate({**BARE, "status": status, "output": items})
    assert whole.text == text + "xxx"
    assert whole.unknown_count == 0


@pytest.mark.requirement("CLI-10", "TYP-12", "FWD-02")
@pytest.mark.parametrize(
    ("schema", "adapter", "make"),
    [
        ("ResponseStreamEvent", EVENT, ResponseAccumulator),
        ("BetaResponseStreamEvent", BETA_EVENT, BetaResponseAccumulator),
    ],
)
def test_every_event_of_the_description_is_known(schema: str, adapter: Any, make: Any) -> None:
    """But for the error, which never comes this far; and an item that began with any of them is an item."""
    for variant in range(MAKER.variants(schema)):
        event = adapter.validate_python(full(schema, variant))
        whole = make()
        whole.events._response = dict(BARE)
        whole.add(event)
        assert whole.events.unknown_count == (event.type == "error"), event.type
        assert whole.partial().id, event.type


@pytest.mark.requirement("CLI-10")
def test_what_an_event_says_at_the_end_counts_more_than_the_pieces() -> None:
    """A text that is done, arguments with a name, an item that is done, commands and their outputs."""
    at = {"output_index": 0, "item_id": "i", "content_index": 0}
    whole = collected(
        [
            {"type": "response.created", "response": BARE},
            {"type": "response.output_text.delta", **at, "delta": "hal", "logprobs": [full("LogProb")]},
            {"type": "response.output_text.done", **at, "text": "half", "logprobs": []},
            {"type": "response.function_call_arguments.delta", "output_index": 1, "item_id": "f", "delta": "{"},
            {
                "type": "response.function_call_arguments.done",
                "output_index": 1,
                "item_id": "f",
                "name": "pick",
                "arguments": "{}",
            },
            {"type": "response.shell_call_command.delta", "output_index": 2, "command_index": 0, "delta": "l"},
            {"type": "response.shell_call_command.done", "output_index": 2, "command_index": 0, "command": "ls"},
            {
                "type": "response.shell_call_output_content.delta",
                "output_index": 3,
                "command_index": 0,
                "delta": {"stdout": "a", "stderr": ""},
            },
            {
                "type": "response.shell_call_output_content.delta",
                "output_index": 3,
                "command_index": 0,
                "delta": {"stdout": "b"},
            },
            {"type": "response.image_generation_call.partial_image", "output_index": 4, "partial_image_b64": "YQ=="},
            {"type": "response.image_generation_call.partial_image", "output_index": 4, "partial_image_b64": "Yg=="},
            {"type": "response.image_generation_call.generating", "output_index": 4},
            {"type": "response.mcp_list_tools.failed", "output_index": 9},
        ]
    )
    message, call, shell, outputs, image = whole.partial().output
    assert message.content[0].text == "half"
    assert (call.name, call.arguments, call.id) == ("pick", "{}", "f")
    assert shell.action.commands == ["ls"]
    assert (outputs.output[0].stdout, outputs.output[0].stderr) == ("ab", "")
    assert (image.status, whole.events.partial_images) == ("generating", {4: "Yg=="})
    whole.add(
        EVENT.validate_python(
            {
                "type": "response.shell_call_output_content.done",
                "output_index": 3,
                "command_index": 0,
                "output": [{"stdout": "abc", "stderr": ""}, {"stdout": "d", "stderr": ""}],
            }
        )
    )
    assert [output.stdout for output in whole.partial().output[3].output] == ["abc", "d"]


@pytest.mark.requirement("CLI-10")
def test_an_event_without_a_place_is_found_by_its_item() -> None:
    """Some servers tell the item's id only."""
    item = {"type": "function_call", "id": "f", "call_id": "c", "name": "pick", "arguments": ""}
    whole = collected(
        [
            {"type": "response.created", "response": BARE},
            {"type": "response.output_item.added", "output_index": 1, "item": item},
            {"type": "response.function_call_arguments.delta", "item_id": "f", "delta": "{}"},
        ]
    )
    assert [item.arguments for item in whole.partial().output] == ["{}"]


@pytest.mark.requirement("CLI-10")
@settings(deadline=None)  # the first example builds the models
@given(st.binary(max_size=30), st.text(), st.integers())
def test_audio_and_its_transcript_are_there_beside_the_response(audio: bytes, words: str, seed: int) -> None:
    """They belong to no item."""
    rng = Random(seed)
    sound = [
        {"type": "response.audio.delta", "delta": piece} for piece in cut_base64(base64.b64encode(audio).decode(), rng)
    ]
    said = [{"type": "response.audio.transcript.delta", "delta": piece} for piece in cut(words, rng)]
    ends = [{"type": "response.audio.done"}, {"type": "response.audio.transcript.done"}]
    whole = collected([*interleaved([sound, said], rng), *ends])
    assert (whole.events.audio, whole.events.transcript, whole.unknown_count) == (audio, words, 0)


@pytest.mark.requirement("CLI-10", "ERR-01")
def test_a_response_that_is_not_whole_says_what_is_missing() -> None:
    """No last event; before the first one there is nothing at all."""
    for whole in (ResponseAccumulator(), BetaResponseAccumulator()):
        with pytest.raises(StreamInterrupted, match="completed, failed or incomplete"):
            whole.result()
        with pytest.raises(StreamInterrupted, match="not told anything"):
            whole.partial()
        assert whole.text == ""


@pytest.mark.parametrize("index", [10**12, -5])
@pytest.mark.parametrize("kind", ["output_text.delta", "output_text.annotation.added", "shell_call_command.delta"])
def test_a_place_that_there_cannot_be_costs_nothing(kind: str, index: int) -> None:
    """An event of a hundred bytes makes no list of a million million parts, and breaks nothing."""
    places = dict.fromkeys(("content_index", "annotation_index", "command_index"), index)
    whole = collected([{"type": f"response.{kind}", "output_index": 0, "item_id": "i", "delta": "x", **places}] * 2)
    (item,) = whole.events.output
    assert len(item.get("content") or item["action"]["commands"]) <= 1024


def test_items_of_an_unknown_type_may_hold_anything() -> None:
    """What is no list of parts has no text, and a part that comes for it all the same takes its place."""
    item = {"type": "poem", "id": "i", "content": "a text"}
    events = [{"type": "response.output_item.added", "output_index": 0, "item": item}]
    assert not collected(events).text
    part = {"type": "output_text", "text": "tide", "annotations": []}
    events += [{"type": "response.content_part.added", "output_index": 0, "item_id": "i", "part": part}]
    assert collected(events).text == "tide"
