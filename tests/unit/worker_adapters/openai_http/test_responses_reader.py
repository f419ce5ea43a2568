"""The reader of Responses streams, over every habit that servers have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worker_adapters.openai_http.responses_reader import ResponsesReader
from worker_adapters.openai_http.token_reader import UnreadableChunk, UpstreamError


def event(kind: str, **fields: Any) -> bytes:
    """The data of one event."""
    return json.dumps({"type": f"response.{kind}", **fields}).encode()


def read(*events: bytes | tuple[str, bytes]) -> tuple[ResponsesReader, list[dict[str, Any]]]:
    """Read *events* in order."""
    reader = ResponsesReader()
    into: list[Any] = []
    for each in events:
        name, data = each if isinstance(each, tuple) else ("message", each)
        reader.read(name, data, into)
    return reader, [dict(token.data) for token in into]


CREATED = event("created", response={"model": "snap", "status": "in_progress"})
COMPLETED = event(
    "completed", response={"model": "snap", "usage": {"input_tokens": 2, "output_tokens": 1, "total_tokens": 3}}
)


@pytest.mark.requirement("ADP-10", "ADP-23", "OC-ADAPT-OAI-6001")
def test_the_completed_event_is_the_evidence() -> None:
    """Deltas are tokens, lifecycle events are not, and usage comes with the end."""
    reader, tokens = read(
        CREATED, event("output_text.delta", delta="a"), event("output_text.done", text="a"), COMPLETED
    )
    assert tokens == [{"t": "a", "i": 0}]
    assert (reader.finish_reason, reader.evidence, reader.is_complete) == ("stop", "response.completed", True)
    assert reader.model == "snap"
    assert reader.usage is not None
    assert reader.usage.output_tokens == 1


@pytest.mark.requirement("ADP-10")
def test_the_type_may_stand_in_the_event_line_only() -> None:
    """Servers name the type in the data, in the event line, or in both."""
    _, tokens = read(("response.output_text.delta", b'{"delta": "a"}'), event("output_text.delta", delta="b"))
    assert [token["t"] for token in tokens] == ["a", "b"]


@pytest.mark.requirement("ADP-23")
@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"reason": "max_output_tokens"}, "length"),
        ({"reason": "content_filter"}, "content_filter"),
        ({"reason": "another"}, "another"),
        (None, "incomplete"),
    ],
)
def test_an_incomplete_response_is_an_end_that_says_why(details: Any, reason: str) -> None:
    """Its reason is given in the words of a finish reason."""
    reader, _ = read(CREATED, event("incomplete", response={"incomplete_details": details}))
    assert (reader.finish_reason, reader.evidence) == (reason, "response.incomplete")


@pytest.mark.requirement("ADP-23")
def test_done_is_no_evidence_for_a_response() -> None:
    """Some gateways add it; without the completed event it proves nothing."""
    assert read(CREATED, b"[DONE]")[0].evidence is None
    assert read(CREATED, COMPLETED, b"[DONE]", event("output_text.delta", delta="late"))[1] == []


@pytest.mark.requirement("OC-ADAPT-OAI-6001")
def test_reasoning_refusal_and_tool_calls_come_on_their_channels() -> None:
    """A call is announced once with id and name, then its arguments follow; it makes the finish reason tool_calls."""
    reader, tokens = read(
        event("reasoning_text.delta", delta="hm"),
        event("reasoning_summary_text.delta", delta="so"),
        event("refusal.delta", delta="no"),
        event("output_item.added", output_index=0, item={"type": "message", "id": "m"}),
        event(
            "output_item.added", output_index=1, item={"type": "function_call", "id": "i", "call_id": "c", "name": "f"}
        ),
        event("function_call_arguments.delta", output_index=1, delta="{}"),
        event("output_item.added", output_index=2, item={"type": "custom_tool_call", "id": "j"}),
        event("custom_tool_call_input.delta", output_index=2, delta="x"),
        event("output_text.delta", delta=""),
        event("function_call_arguments.delta", delta=None),
        COMPLETED,
    )
    assert [(token["t"], token["channel"], token.get("tool_call")) for token in tokens] == [
        ("hm", "reasoning", None),
        ("so", "reasoning", None),
        ("no", "refusal", None),
        ("", "tool_call", {"index": 1, "id": "c", "name": "f"}),
        ("{}", "tool_call", {"index": 1}),
        ("", "tool_call", {"index": 2, "id": "j"}),
        ("x", "tool_call", {"index": 2}),
    ]
    assert reader.finish_reason == "tool_calls"


@pytest.mark.requirement("ADP-22")
def test_events_of_unknown_types_are_passed_over() -> None:
    """They are neither tokens nor a start unless they are of a response."""
    assert not read(b'{"type": "keepalive"}', b"{}")[0].started
    assert read(event("output_audio.delta", delta="x"), event("output_item.added"))[1] == []


@pytest.mark.requirement("ADP-24")
@pytest.mark.parametrize(
    "data",
    [
        b'{"type": "error", "code": "server_error", "message": "m", "param": null}',
        b'{"error": {"message": "m"}}',
        b'{"error": "m"}',
        b'{"message": "m"}',
        event("failed", response={"status": "failed", "error": {"code": "server_error", "message": "m"}}),
        event("cancelled", response={"status": "cancelled"}),
    ],
)
def test_an_error_in_any_form_is_raised(data: bytes) -> None:
    """Flat, as an object, as a text, or as a response that failed."""
    with pytest.raises(UpstreamError):
        read(CREATED, data)


@pytest.mark.requirement("SVC-08")
@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b'{"type": 3}'])
def test_what_is_no_event_is_unreadable(data: bytes) -> None:
    """Anything but the JSON of an event is refused."""
    with pytest.raises(UnreadableChunk):
        read(data)
