from __future__ import annotations

import json
from typing import Any

import pytest

from upstream_simulator.asks import Ask
from upstream_simulator.faults import read_faults
from upstream_simulator.flavours import FLAVOURS
from upstream_simulator.generation import generate
from upstream_simulator.options import Options
from upstream_simulator.responses import response_answer, response_frames
from upstream_simulator.stream_faults import bend

ASK = Ask(model="m", prompts=("hello",), limit=None)


def streamed(flavour: str = "generic", wish: str | None = None, ask: Ask = ASK) -> tuple[list[Any], bytes]:
    """The decoded data of every event, and all bytes."""
    faults = read_faults(wish)
    shape = bend(FLAVOURS[flavour], faults)
    frames = response_frames(generate(ask, Options(tokens=5), faults, shape), shape, empty_chunks=faults.empty_chunks)
    raw = b"".join(frame.data for frame in frames)
    lines = [line.removeprefix("data: ") for line in raw.decode().split("\n") if line.startswith("data: {")]
    return [json.loads(line) for line in lines], raw


@pytest.mark.requirement("SIM-04", "TST-09")
def test_a_response_goes_from_created_to_completed() -> None:
    """Events in the API's order, numbered, named, and the final object equals the plain answer."""
    events, raw = streamed()
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
    assert kinds[4:9] == ["output_text.delta"] * 5
    assert kinds[9:] == ["output_text.done", "content_part.done", "output_item.done", "completed"]
    assert [event["sequence_number"] for event in events] == list(range(13))
    assert raw.count(b"event: ") == 13
    generic = FLAVOURS["generic"]
    assert events[-1]["response"] == response_answer(
        generate(ASK, Options(tokens=5), read_faults(None), generic), generic
    )
    assert b"[DONE]" not in raw


@pytest.mark.requirement("SIM-04")
def test_a_response_cut_by_its_limit_is_incomplete() -> None:
    """The status and the reason say so."""
    events, _ = streamed(ask=Ask(model="m", prompts=("hello",), limit=2))
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    filtered, _ = streamed(wish="finish_reason=content_filter")
    assert filtered[-1]["response"]["incomplete_details"] == {"reason": "content_filter"}


@pytest.mark.requirement("SIM-05")
def test_reasoning_refusal_and_tool_calls_are_items() -> None:
    """Each in its own kind of item, and in the final output."""
    reasoned, _ = streamed(wish="reasoning=2")
    assert [item["type"] for item in reasoned[-1]["response"]["output"]] == ["reasoning", "message"]
    assert sum(event["type"] == "response.reasoning_text.delta" for event in reasoned) == 2
    assert reasoned[-1]["response"]["usage"]["output_tokens_details"] == {"reasoning_tokens": 2}
    refused, _ = streamed(wish="refusal")
    assert "".join(event["delta"] for event in refused if event["type"] == "response.refusal.delta")
    called, _ = streamed(wish="tool_calls=2")
    assert [item["type"] for item in called[-1]["response"]["output"]] == ["function_call"] * 2
    pieces = [e["delta"] for e in called if e["type"].endswith("arguments.delta") and e["output_index"] == 1]
    assert json.loads("".join(pieces)) == {"place": "Town 1"}


@pytest.mark.requirement("SIM-05", "SIM-09")
def test_flavours_and_faults_shape_the_events() -> None:
    """No numbers, no event lines, [DONE], repeated progress, no end, text after it."""
    assert all("sequence_number" not in event for event in streamed("llama-server")[0])
    assert b"event: " not in streamed("transformers")[1]
    assert streamed("litellm")[1].endswith(b"data: [DONE]\n\n")
    assert [event["type"] for event in streamed(wish="empty_chunks=2")[0]].count("response.in_progress") == 3
    unfinished, _ = streamed(wish="omit=finish,created")
    assert unfinished[-1]["type"] == "response.output_item.done"
    assert "created_at" not in unfinished[0]["response"]
    assert streamed(wish="after_finish=1")[0][-1]["type"] == "response.output_text.delta"
