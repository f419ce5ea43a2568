"""From events to messages and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openai_client.errors import DeserializationError, InvalidFieldValue, MissingRequiredField, SerializationError
from openai_client.realtime.messages import Codec, check_goodbye, check_wait
from openai_client.types import (
    RealtimeClientEvent,
    RealtimeClientEventInputAudioBufferAppend,
    RealtimeServerEvent,
    Unknown,
)
from tests.shown_errors import with_locals

CODEC: Codec[Any] = Codec(RealtimeClientEvent, RealtimeServerEvent)
MOST = 1000


@pytest.mark.requirement("RT-01")
def test_an_event_is_written_with_the_fields_that_were_set() -> None:
    """As a model and as a mapping alike; the type needs to be said only in a mapping."""
    expected = {"type": "input_audio_buffer.append", "audio": "AAAA"}
    for event in (RealtimeClientEventInputAudioBufferAppend(audio="AAAA"), expected):
        assert json.loads(CODEC.write(event, MOST)) == expected


@pytest.mark.requirement("RT-01")
@pytest.mark.parametrize(
    ("event", "error", "place"),
    [
        ({"type": "input_audio_buffer.append"}, MissingRequiredField, "audio"),
        ({"type": "input_audio_buffer.append", "audio": ["my secret"]}, InvalidFieldValue, "audio"),
        ({"type": "response.cancel", "why": "my secret"}, InvalidFieldValue, "why"),
        ({"type": "of.tomorrow", "x": "my secret"}, InvalidFieldValue, "^type: must be that of one"),
        ("my secret", InvalidFieldValue, "^type: must be that of one"),
        (7, InvalidFieldValue, "^type: must be that of one"),
    ],
)
def test_what_is_no_event_is_refused_without_its_values(event: Any, error: type[Exception], place: str) -> None:
    """Not in the text, and not in a frame."""
    with pytest.raises(error, match=place) as caught:
        CODEC.write(event, MOST)
    assert "my secret" not in with_locals(caught.value)


@pytest.mark.requirement("RT-01")
def test_an_event_that_is_too_large_is_not_sent() -> None:
    """Bytes count, not characters."""
    fitting = "é" * ((MOST - 50) // 2)
    CODEC.write({"type": "input_audio_buffer.append", "audio": fitting}, MOST)
    for audio in ("A" * MOST, "é" * (MOST // 2)):
        with pytest.raises(SerializationError, match="max_body_bytes allows 1000") as caught:
            CODEC.write({"type": "input_audio_buffer.append", "audio": audio}, MOST)
        assert audio not in with_locals(caught.value)


@pytest.mark.requirement("RT-04")
def test_an_event_that_no_json_can_hold_is_not_sent_and_not_shown() -> None:
    """Half of a character is no text."""
    event = {"type": "session.update", "session": {"type": "realtime", "instructions": "PROMPT\ud800"}}
    with pytest.raises(SerializationError, match="event: cannot be written as JSON") as caught:
        CODEC.write(event, MOST)
    assert "PROMPT" not in with_locals(caught.value)


def test_an_event_of_an_unknown_type_comes_whole() -> None:
    """So does one without a type."""
    for told in ({"type": "of.tomorrow", "deep": {"x": [1, None]}}, {"x": 1}):
        event = CODEC.read(json.dumps(told).encode())
        assert isinstance(event, Unknown)
        assert event.model_extra == told


@pytest.mark.requirement("RT-04", "FWD-01")
def test_unknown_fields_of_a_known_event_are_kept() -> None:
    """They are attributes, and are written back."""
    told = {"type": "response.done", "response": {"id": "r", "mood": "fine"}, "extra": 1}
    event = CODEC.read(json.dumps(told).encode())
    assert (event.extra, event.response.mood) == (1, "fine")
    assert json.loads(event.wire_bytes()) == told


@pytest.mark.requirement("RT-04")
@pytest.mark.parametrize("message", [b"my secret", b"", b"[1]", b'"my secret"', b"\xff\xfe"])
def test_what_cannot_be_read_is_told_without_its_content(message: bytes) -> None:
    """Neither the text nor a frame holds it."""
    with pytest.raises(DeserializationError, match="cannot be read") as caught:
        CODEC.read(message)
    assert "my secret" not in with_locals(caught.value)


@pytest.mark.requirement("RT-02")
def test_a_goodbye_has_a_code_that_a_program_may_choose_and_a_short_reason() -> None:
    """RFC 6455, 7.4 and 5.5."""
    for code in (1000, 3000, 4999):
        check_goodbye(code, "é" * 61)
    for code in (0, 999, 1001, 1006, 2999, 5000):
        with pytest.raises(InvalidFieldValue, match="code"):
            check_goodbye(code, "")
    for reason in ("é" * 62, None, b"bye"):
        with pytest.raises(InvalidFieldValue, match=r"^reason: must be a str of at most 123 bytes"):
            check_goodbye(1000, reason)  # type: ignore[arg-type] - two of them are none


def test_a_wait_is_seconds() -> None:
    """What asyncio would say of anything else names nothing."""
    for timeout in (None, 0, 1.5):
        check_wait(timeout)
    for wrong, shown in (("1", "str"), (-1, "-1"), (float("nan"), "nan"), ([1], "list")):
        with pytest.raises(InvalidFieldValue, match=f"^timeout: must be seconds of at least 0, or None, not {shown}$"):
            check_wait(wrong)
