from __future__ import annotations

import json
from itertools import islice

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


@pytest.mark.requirement("SIM-05", "TST-10")
@pytest.mark.parametrize("kind", ["object", "surrogate", "null_choices", "null_choice", "null_delta", "number_content"])
def test_an_odd_chunk_is_an_object_all_the_same(kind: str) -> None:
    """Valid JSON, an object, and not what the API describes, or next to nothing of it."""
    odd = disturbed(f"malformed={kind};malformed_after=1")[2]
    assert isinstance(json.loads(odd.removeprefix(b"data: ")), dict)


@pytest.mark.requirement("SIM-05", "TST-10")
def test_chunks_that_no_decoder_takes() -> None:
    """`null`, and brackets that never end."""
    assert disturbed("malformed=json_null;malformed_after=0")[0] == b"data: null\n\n"
    assert disturbed("malformed=deep;malformed_after=0")[0].count(b"[") == 100_000
    assert b'"choices":{' in disturbed("malformed=choices_object;malformed_after=0")[0]


@pytest.mark.requirement("SIM-05", "TST-10")
@pytest.mark.parametrize(
    ("kind", "begins"),
    [
        ("event", b"event: heartbeat\ndata: {"),
        ("text_event", b"event: heartbeat\ndata: still"),
        ("fields", b"flavour: plain\nretry: "),
        ("comments", b": ping\n"),
        ("empty", b"data:\n"),
    ],
)
def test_something_else_stands_before_each_event(kind: str, begins: bytes) -> None:
    """As many of them as there are events, in turn."""
    events = disturbed(f"between={kind}")
    assert events[1::2] == [frame.data for frame in FRAMES]
    assert len(set(events[::2])) == 1
    assert events[0].startswith(begins)


@pytest.mark.requirement("SIM-05", "TST-10")
@pytest.mark.parametrize(
    ("what", "data"),
    [("done", b"data: [DONE]\n\n"), ("content", b'"late"'), ("error", b'"error"'), ("text", b"goodbye")],
)
def test_something_follows_the_end(what: str, data: bytes) -> None:
    """Behind `[DONE]`, once."""
    events = disturbed(f"after_done={what}")
    assert events[:-1] == [frame.data for frame in FRAMES]
    assert data in events[-1]


@pytest.mark.requirement("SIM-05", "TST-10")
def test_an_event_on_three_lines_is_the_same_event() -> None:
    """Its data lines, joined as the standard says, are the JSON again; `[DONE]` stays on one."""
    frames = [Frame(b'event: x\ndata: {"a":[1,2],"b":{}}\n\n', 1), DONE]
    wide = list(disturb(iter(frames), read_faults("multi_line"), is_responses=False))
    lines = wide[0].data.decode().rstrip("\n").split("\n")
    assert (lines[0], len(lines), wide[0].tokens) == ("event: x", 4, 1)
    assert json.loads("\n".join(line.removeprefix("data: ") for line in lines[1:])) == {"a": [1, 2], "b": {}}
    assert wide[1] == DONE


@pytest.mark.requirement("SIM-05")
def test_an_endless_stream_says_its_first_token_for_ever() -> None:
    """What stands before it comes once; an error in the stream would still end it."""
    endless = disturb(iter(FRAMES), read_faults("endless"), is_responses=False)
    assert [frame.data for frame in islice(endless, 100)] == [b"role", *[b"one"] * 99]
    assert len(disturbed("endless;stream_error=flat;stream_error_after=7")) == 9


@pytest.mark.requirement("SIM-05")
def test_an_error_event_may_be_named() -> None:
    """As some servers name it, in chat as in responses."""
    assert disturbed("stream_error=openai;stream_error_named")[-1].startswith(b"event: error\ndata: {")


@pytest.mark.requirement("SIM-05", "SIM-09")
def test_faults_go_before_the_flavour() -> None:
    """What a wish names is changed, everything else stays the server's."""
    vllm = FLAVOURS["vllm"]
    bent = bend(vllm, read_faults("omit=done,created;usage=zero;first_delta=null_content;tool_style=repeated;hangs_up"))
    assert (bent.done, bent.created, bent.usage, bent.first_delta) == (False, False, "zero", "null_content")
    assert (bent.tool_style, bent.hangs_up, bent.finish_with_text) == ("repeated", True, True)
    assert bend(vllm, read_faults(None)) == vllm
