"""The reader of chat and completions streams, over every habit that servers have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from http_util.sse import ServerSentEvent
from worker_adapters.openai_http.chat_reader import MOST_TOOL_CALLS, ChatReader
from worker_adapters.openai_http.token_reader import UnreadableChunk, UpstreamError

if TYPE_CHECKING:
    from adapter_api import TokenEvent


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **extra: Any) -> bytes:
    """The data of one chunk."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return json.dumps({"object": "chat.completion.chunk", "model": "snap", "choices": [choice], **extra}).encode()


def state(reader: ChatReader) -> list[Any]:
    """Everything that a reader remembers."""
    names = [name for kind in type(reader).__mro__ for name in getattr(kind, "__slots__", ())]
    return [(name, getattr(reader, name)) for name in names]


def outcome_of(read_all: Any) -> Exception | None:
    """What reading raised, if it did."""
    try:
        read_all()
    except (UnreadableChunk, UpstreamError) as error:
        return error
    return None


def read(*events: bytes | tuple[str, bytes], done_is_evidence: bool = True) -> tuple[ChatReader, list[dict[str, Any]]]:
    """Read *events* one by one, and see that as one batch, or as batches of any two sizes, they read the same."""
    named = [event if isinstance(event, tuple) else ("message", event) for event in events]
    # as they are, and behind chunks that make a plain stream of it: from then on there is a shorter way for text
    flowing = [("message", chunk({"content": "a"})), ("message", chunk({"content": "a"}, system_fingerprint="f"))]
    for before in ([], flowing[:1], flowing[1:]):
        reader = ChatReader(done_is_evidence=done_is_evidence)
        into: list[Any] = []
        given = [*before, *named]
        error = outcome_of(lambda: [reader.read(name, data, into) for name, data in given])  # noqa: B023 - called here
        assert_batches_read_as(reader, into, error, given, done_is_evidence=done_is_evidence)
        if not before:
            first = reader, into, error
    reader, into, error = first
    if error is not None:
        raise error
    return reader, [dict(token.data) for token in into]


def assert_batches_read_as(
    reader: ChatReader,
    into: list[Any],
    error: Exception | None,
    named: list[tuple[str, bytes]],
    *,
    done_is_evidence: bool,
) -> None:
    """The events *named*, cut anywhere in two batches, give the same tokens, state and failure as one by one."""
    frames = [data if name == "message" else ServerSentEvent(name, data) for name, data in named]
    for cut in range(len(frames) + 1):
        batches = ChatReader(done_is_evidence=done_is_evidence)
        taken: list[Any] = []
        again = outcome_of(lambda: take_cut(batches, frames, cut, taken))  # noqa: B023 - called here
        assert (taken, state(batches)) == (into, state(reader))
        assert (type(again), str(again), getattr(again, "payload", None)) == (
            type(error),
            str(error),
            getattr(error, "payload", None),
        )


def take_cut(reader: ChatReader, frames: list[Any], cut: int, into: list[Any]) -> None:
    """Take *frames* in two batches."""
    reader.take(frames[:cut], into)
    reader.take(frames[cut:], into)


@pytest.mark.requirement("ADP-22", "OC-ADAPT-OAI-6011", "WA-INT-3001")
@pytest.mark.parametrize("first", [{"role": "assistant", "content": None}, {"role": "assistant"}, {"content": ""}])
def test_a_first_chunk_with_only_a_role_starts_the_stream_and_is_no_token(first: dict[str, Any]) -> None:
    """Content may be null, absent or empty; one non-empty delta is one token, unchanged, with the next index."""
    reader, tokens = read(chunk(first), chunk({"content": " a"}), chunk({"content": "\u2028\x00b "}))
    assert reader.started
    assert tokens == [{"t": " a", "i": 0}, {"t": "\u2028\x00b ", "i": 1}]


@pytest.mark.requirement("ADP-22")
def test_a_first_chunk_may_carry_role_and_text() -> None:
    """Text is a token wherever it stands."""
    assert read(chunk({"role": "assistant", "content": "Hel"}))[1] == [{"t": "Hel", "i": 0}]


@pytest.mark.requirement("ADP-23")
def test_the_last_text_and_the_finish_reason_may_share_a_chunk() -> None:
    """The text is given out, and the reason is the evidence."""
    reader, tokens = read(chunk({"content": "end"}, "length"))
    assert tokens == [{"t": "end", "i": 0}]
    assert (reader.finish_reason, reader.evidence) == ("length", "finish_reason")


@pytest.mark.requirement("ADP-23")
def test_a_choice_without_the_key_of_the_finish_reason_is_unfinished() -> None:
    """Some servers leave finish_reason and logprobs out until the end."""
    reader, tokens = read(b'{"choices": [{"index": 0, "delta": {"content": "a"}}]}')
    assert reader.evidence is None
    assert len(tokens) == 1


@pytest.mark.requirement("OC-ADAPT-OAI-6011")
def test_content_after_the_finish_reason_is_counted_and_not_given_out() -> None:
    """What comes after the end is no part of the answer."""
    reader, tokens = read(chunk({"content": "a"}, "stop"), chunk({"content": "b"}), chunk({}, "length"))
    assert tokens == [{"t": "a", "i": 0}]
    assert (reader.surplus, reader.finish_reason) == (1, "stop")


@pytest.mark.requirement("ADP-22")
def test_usage_counts_wherever_it_comes_and_zeros_do_not() -> None:
    """With no choices, beside an empty delta after the reason, without choices at all; zeros are none."""
    usage = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
    zero = dict.fromkeys(usage, 0)
    for late in (
        {"choices": [], "usage": usage},
        {"choices": [{"index": 0, "delta": {}}], "usage": usage},
        {"usage": usage},
    ):
        reader, _ = read(chunk({"content": "a"}, "stop", usage=zero), json.dumps(late).encode(), chunk(usage=zero))
        assert reader.usage is not None
        assert reader.usage.total_tokens == 3


@pytest.mark.requirement("ADP-23")
def test_done_closes_the_stream_and_proves_an_end_where_the_dialect_says_so() -> None:
    """[DONE] alone is evidence by the profile, never before the first chunk, and nothing is read after it."""
    reader, tokens = read(chunk({"content": "a"}), b"[DONE]", chunk({"content": "b"}))
    assert (reader.evidence, reader.is_complete, len(tokens)) == ("done", True, 1)
    assert read(chunk({"content": "a"}), b"[DONE]", done_is_evidence=False)[0].evidence is None
    assert read(b"[DONE]")[0].evidence is None
    assert read(chunk({}, "stop"), b"[DONE]")[0].evidence == "finish_reason"


@pytest.mark.requirement("ADP-22")
def test_other_choices_are_not_interleaved() -> None:
    """Only choice 0 streams, and only its finish reason counts."""
    other = json.dumps({"choices": [{"index": 1, "delta": {"content": "x"}, "finish_reason": "stop"}]}).encode()
    reader, tokens = read(other, chunk({"content": "a"}))
    assert tokens == [{"t": "a", "i": 0}]
    assert reader.evidence is None


@pytest.mark.requirement("OC-ADAPT-OAI-6001")
def test_reasoning_and_refusal_come_on_their_channels() -> None:
    """Nothing that the upstream generated is dropped; the text channel is left out on the wire."""
    _, tokens = read(
        chunk({"reasoning_content": "hm"}),
        chunk({"reasoning": "so"}),
        chunk({"refusal": "no"}),
        chunk({"content": [{"type": "text", "text": "pa"}, {"type": "text", "text": "rt"}, {"type": "image"}]}),
    )
    assert tokens == [
        {"t": "hm", "i": 0, "channel": "reasoning"},
        {"t": "so", "i": 1, "channel": "reasoning"},
        {"t": "no", "i": 2, "channel": "refusal"},
        {"t": "part", "i": 3},
    ]


def tool(index: int | None, **fields: Any) -> bytes:
    """A chunk with one tool call."""
    call = {**({"index": index} if index is not None else {}), **fields}
    return chunk({"tool_calls": [call]})


@pytest.mark.requirement("OC-ADAPT-OAI-6001")
def test_a_repeated_id_and_name_are_told_once() -> None:
    """Servers that repeat them in every delta do not make "pick_colourpick_colour" of it."""
    parts = [tool(0, id="c1", type="function", function={"name": "pick", "arguments": a}) for a in ("", '{"a"', ": 1}")]
    assert read(*parts)[1] == [
        {"t": "", "i": 0, "channel": "tool_call", "tool_call": {"index": 0, "id": "c1", "name": "pick"}},
        {"t": '{"a"', "i": 1, "channel": "tool_call", "tool_call": {"index": 0}},
        {"t": ": 1}", "i": 2, "channel": "tool_call", "tool_call": {"index": 0}},
    ]


@pytest.mark.requirement("OC-ADAPT-OAI-6001")
def test_parallel_calls_missing_arguments_and_arguments_that_are_values() -> None:
    """Calls are told apart by index or place; a name without arguments is told; a value is given out as its JSON."""
    both = chunk(
        {
            "tool_calls": [
                {"id": "a", "function": {"name": "f"}},
                {"id": "b", "function": {"name": "g", "arguments": [1, 2]}},
                {},
            ]
        }
    )
    _, tokens = read(both, tool(1, function={"arguments": None}))
    assert [(token["t"], token["tool_call"]) for token in tokens] == [
        ("", {"index": 0, "id": "a", "name": "f"}),
        ("[1,2]", {"index": 1, "id": "b", "name": "g"}),
    ]


@pytest.mark.requirement("OC-ADAPT-OAI-6001")
def test_the_old_function_call_is_a_tool_call() -> None:
    """It has no index and no id; it is call 0."""
    _, tokens = read(chunk({"function_call": {"name": "f", "arguments": "{"}}), chunk({"function_call": {}}))
    assert tokens == [{"t": "{", "i": 0, "channel": "tool_call", "tool_call": {"index": 0, "name": "f"}}]


@pytest.mark.requirement("OC-ADAPT-OAI-6001")
def test_completions_stream_text() -> None:
    """The legacy chunks have the same frame; an empty text is no token."""
    parts = [
        {"choices": [{"index": 0, "text": text, "finish_reason": reason}]}
        for text, reason in (("a", None), ("", None), ("b", "length"))
    ]
    reader, tokens = read(*(json.dumps(part).encode() for part in parts))
    assert [token["t"] for token in tokens] == ["a", "b"]
    assert reader.finish_reason == "length"


@pytest.mark.requirement("OC-ADAPT-OAI-6010")
def test_model_and_fingerprint_are_remembered() -> None:
    """The first model and the last fingerprint that says anything."""
    reader, _ = read(
        chunk(system_fingerprint=""), chunk(model="other", system_fingerprint="fp-1"), chunk(system_fingerprint=None)
    )
    assert (reader.model, reader.system_fingerprint) == ("snap", "fp-1")


ERRORS: list[Any] = [
    (
        b'{"error": {"message": "died", "type": null, "code": "500"}}',
        {"error": {"message": "died", "type": None, "code": "500"}},
    ),
    (b'{"error": "text"}', {"error": "text"}),
    (b'{"object": "error", "message": "m", "code": 400}', {"object": "error", "message": "m", "code": 400}),
    (b'{"detail": "d"}', {"detail": "d"}),
    (b'{"message": "m", "code": 503}', {"message": "m", "code": 503}),
    (("error", b'{"message": "m"}'), {"message": "m"}),
    (("error", b'"text"'), "text"),
    (("error", b"not json"), "not json"),
    (("error", b'{"choices": []}'), {"choices": []}),
]


@pytest.mark.requirement("ADP-24", "OC-CTRL-2028")
@pytest.mark.parametrize(("event", "payload"), ERRORS)
def test_an_error_in_any_form_is_raised(event: Any, payload: object) -> None:
    """An object, a text, flat, a framework's detail, under an event name, as JSON or not."""
    with pytest.raises(UpstreamError) as caught:
        read(chunk({"content": "a"}), event)
    assert caught.value.payload == payload
    assert "died" not in str(caught.value)


@pytest.mark.requirement("ADP-24")
def test_an_error_that_is_null_is_none() -> None:
    """Some servers send the key with every chunk."""
    assert read(chunk({"content": "a"}, error=None))[1] == [{"t": "a", "i": 0}]


@pytest.mark.requirement("SVC-08")
@pytest.mark.parametrize(
    "data", [b"{", b"[]", b"1", b'"t"', b"\xff", b'{"choices": 3}', b'{"choices": [{"delta": 1}]}']
)
def test_what_is_no_chunk_is_unreadable_and_not_quoted(data: bytes) -> None:
    """Anything but the JSON of a chunk is refused, without its bytes in the message."""
    with pytest.raises(UnreadableChunk) as caught:
        read(data)
    assert str(caught.value) == "a chunk of the stream is not the JSON that the API describes"


@pytest.mark.requirement("ADP-22")
def test_unknown_objects_and_keys_are_passed_over() -> None:
    """Timings, token ids and objects without choices are neither tokens nor a start."""
    _, tokens = read(b'{"object": "timings", "ms": 3}', chunk({"content": "a", "x": 1}, timings={}, token_ids=[1]))
    assert len(tokens) == 1
    assert not read(b'{"object": "timings"}')[0].started


@pytest.mark.requirement("ADP-22", "ADP-26")
@pytest.mark.parametrize(
    ("beside", "channel"),
    [
        ({"refusal": "r"}, "refusal"),
        ({"reasoning": "r"}, "reasoning"),
        ({"reasoning_content": "r"}, "reasoning"),
        ({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}, "tool_call"),
        ({"function_call": {"name": "f", "arguments": "{}"}}, "tool_call"),
    ],
)
def test_nothing_that_comes_beside_text_is_lost(beside: dict[str, Any], channel: str) -> None:
    """Two tokens of one chunk, also in the middle of a plain stream."""
    _, tokens = read(chunk({"content": "a", **beside}), chunk({"content": "b"}))
    assert sorted(token.get("channel", "text") for token in tokens) == sorted([channel, "text", "text"])
    assert [token["i"] for token in tokens] == [0, 1, 2]


@pytest.mark.requirement("ADP-22")
def test_a_chunk_in_an_event_with_a_name_of_its_own_is_a_chunk() -> None:
    """Some gateways name their events; only `error` means something."""
    _, tokens = read(("delta", chunk({"content": "a"})), chunk({"content": "b"}))
    assert [token["t"] for token in tokens] == ["a", "b"]


@pytest.mark.requirement("ADP-24")
def test_an_error_that_is_nested_too_deep_is_unreadable_and_no_bug() -> None:
    """In the place of a chunk, in the field that is looked at only then."""
    deep = b'{"detail": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    reader = ChatReader()
    for feed in (lambda: reader.read("message", deep, []), lambda: reader.take([deep], [])):
        with pytest.raises(UnreadableChunk):
            feed()


def test_tool_calls_without_an_end_are_no_answer() -> None:
    """What is remembered of them is bounded, and so is what an upstream can make an adapter hold."""
    into: list[TokenEvent] = []
    reader = ChatReader()
    for index in range(MOST_TOOL_CALLS):
        reader.read("message", tool(index, id="i" * 9999, function={"name": "n" * 9999}), into)
    reader.read("message", tool(0, id="i" * 9999, function={"arguments": "{}"}), into)
    assert "id" not in into[-1].data["tool_call"]
    with pytest.raises(UnreadableChunk, match="more than 1024 tool calls"):
        reader.read("message", tool(MOST_TOOL_CALLS, id="i"), into)
    held = reader._tool_calls
    assert (len(held), max(len(word or "") for words in held.values() for word in words)) == (MOST_TOOL_CALLS, 256)
