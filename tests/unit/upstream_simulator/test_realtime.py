"""What a realtime session of the simulator says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openai_client._generated.models.realtime.server_events import RealtimeServerEvent
from openai_client.base_model import Unknown, WireParser
from upstream_simulator.options import Options
from upstream_simulator.realtime import Conversation, is_session
from upstream_simulator.received import Received

PARSE: WireParser[Any] = WireParser(RealtimeServerEvent)
ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}


def told(conversation: Conversation, *events: Any) -> list[dict[str, Any]]:
    """Return what a session answers."""
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return [answer for text in texts for answer in conversation.answer(text)]


@pytest.mark.requirement("SIM-12", "SIM-02")
def test_a_session_answers_with_events_of_the_api_and_always_the_same() -> None:
    """A greeting, the echo of what was set and added, and a response in as many deltas as it has tokens."""
    found = []
    for _ in range(2):
        conversation = Conversation("m", Options(tokens=3))
        found.append(
            [
                conversation.greeting(),
                *told(
                    conversation,
                    {"type": "session.update", "session": {"instructions": "be brief"}},
                    {"type": "conversation.item.create", "item": ITEM},
                    {"type": "input_audio_buffer.append", "audio": "AAAA"},
                    {"type": "input_audio_buffer.commit"},
                    {"type": "input_audio_buffer.clear"},
                    {"type": "response.create"},
                ),
            ]
        )
    one, other = found
    assert one == other
    assert [event["type"] for event in one] == [
        "session.created",
        "session.updated",
        "conversation.item.added",
        "conversation.item.done",
        "input_audio_buffer.committed",
        "input_audio_buffer.cleared",
        "response.created",
        *["response.output_text.delta"] * 3,
        "response.output_text.done",
        "response.done",
    ]
    assert one[1]["session"]["instructions"] == "be brief"
    assert "".join(event["delta"] for event in one[7:10]) == one[10]["text"]
    assert one[11]["response"]["usage"]["output_tokens"] == 3
    assert [event["event_id"] for event in one] == [f"event_{number}" for number in range(1, len(one) + 1)]
    for event in one:
        assert not isinstance(PARSE(json.dumps(event).encode()), Unknown)


@pytest.mark.requirement("SIM-12")
@pytest.mark.parametrize(
    "event", ["no JSON", "[]", "7", "null", '{"kind": 1}', '{"type": "of.tomorrow"}', '{"type": []}']
)
def test_what_is_no_event_is_answered_by_an_error(event: str) -> None:
    """And the session goes on."""
    (answer,) = told(Conversation("m", Options()), event)
    assert (answer["type"], answer["error"]["code"]) == ("error", "invalid_event")


@pytest.mark.requirement("SIM-12")
def test_only_a_handshake_at_the_right_place_opens_a_session() -> None:
    """Another method, path or header is a request like any other."""
    right: dict[str, Any] = {
        "connection": 1,
        "protocol": "http/1.1",
        "method": "GET",
        "target": "/v1/realtime?model=m",
        "headers": [("upgrade", "WebSocket"), ("sec-websocket-key", "x")],
        "body": b"",
    }
    assert is_session(Received(**right))
    for wrong in ({"method": "POST"}, {"target": "/v1/models"}, {"headers": right["headers"][:1]}, {"headers": []}):
        assert not is_session(Received(**(right | wrong)))
