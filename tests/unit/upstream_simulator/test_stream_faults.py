from __future__ import annotations

import json

import pytest

from upstream_simulator.faults import read_faults
from upstream_simulator.flavours import FLAVOURS
from upstream_simulator.frames import DONE, Frame
from upstream_simulator.stream_faults import bend, disturb

FRAMES = [Frame(b"role"), Frame(b"one", 1), Frame(b"two", 1), DONE]


def disturbed(wish: str, *, is_responses: bool = False) -> list[bytes]:
    """The bytes of every event after the fault."""
    return [frame.data for frame in disturb(iter(FRAMES), read_faults(wish), is_responses=is_responses)]


@pytest.mark.requirement("SIM-05", "TST-10")
@pytest.mark.parametrize("tokens", [0, 1, 2])
def test_an_error_event_ends_the_stream_after_its_tokens(tokens: int) -> None:
    """Nothing follows the error, no [DONE] either."""
    events = disturbed(f"stream_error=string;stream_error_after={tokens};error_message=boom")
    assert events[-1] == b'data: {"error":"boom"}\n\n'
    assert len(events) == [1, 3, 4][tokens]


@pytest.mark.requirement("SIM-05")
def test_an_error_event_takes_the_form_of_its_api() -> None:
    """Objects in chat, failed and error events in responses."""
    assert b'"code":"500"' in disturbed("stream_error=litellm")[-1]
    assert disturbed("stream_error=openai", is_responses=True)[-1].startswith(b"event: response.failed\n")
    flat = disturbed("stream_error=flat;error_code=c", is_responses=True)[-1]
    assert flat.startswith(b"event: error\n")
    assert json.loads(flat.partition(b"data: ")[2])["code"] == "c"
    assert b'"detail"' in disturbed("stream_error=detail", is_responses=True)[-1]


@pytest.mark.requirement("SIM-05", "TST-10")
@pytest.mark.parametrize("kind", ["text", "cut", "array", "number", "latin1"])
def test_a_malformed_chunk_stands_once_between_the_others(kind: str) -> None:
    """The stream goes on after it; it is no JSON object in UTF-8."""
    events = disturbed(f"malformed={kind};malformed_after=1")
    assert [events[0], events[1], *events[3:]] == [frame.data for frame in FRAMES]
    with pytest.raises((ValueError, TypeError)):
        dict(json.loads(events[2].removeprefix(b"data: ").decode()))


@pytest.mark.requirement("SIM-05", "SIM-09")
def test_faults_go_before_the_flavour() -> None:
    """What a wish names is changed, everything else stays the server's."""
    vllm = FLAVOURS["vllm"]
    bent = bend(vllm, read_faults("omit=done,created;usage=zero;first_delta=null_content;tool_style=repeated;hangs_up"))
    assert (bent.done, bent.created, bent.usage, bent.first_delta) == (False, False, "zero", "null_content")
    assert (bent.tool_style, bent.hangs_up, bent.finish_with_text) == ("repeated", True, True)
    assert bend(vllm, read_faults(None)) == vllm
