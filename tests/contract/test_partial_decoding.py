"""Partial decoding reads from a chunk what the full model reads."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from http_util.sse import SseDecoder
from openai_client._generated.models.chat.chunks import CreateChatCompletionStreamResponse
from openai_client._generated.models.completions import CreateCompletionResponse
from worker_adapters.openai_http.chat_reader import ChatReader
from worker_adapters.openai_http.chunks import decode_chunk, decode_response_event
from worker_adapters.openai_http.responses_reader import ResponsesReader
from worker_adapters.openai_http.token_reader import UnreadableChunk, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.conftest import Transcript

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
COUNT = st.integers(0, 2**31)
ABSENT = object()


def optional(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The value, null, or no key at all."""
    return st.one_of(value, st.none(), st.just(ABSENT))


def mapping(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object in any order of its keys, with keys that nobody knows."""
    extra = st.dictionaries(
        st.sampled_from(["timings", "token_ids", "x"]), st.one_of(TEXT, COUNT, st.none()), max_size=2
    )
    present = st.fixed_dictionaries(fields).map(lambda found: {n: v for n, v in found.items() if v is not ABSENT})
    whole = st.tuples(present, extra).map(lambda both: both[0] | both[1])
    return whole.flatmap(lambda found: st.permutations(list(found.items())).map(dict))


USAGE = mapping(prompt_tokens=COUNT, completion_tokens=COUNT, total_tokens=COUNT)
FUNCTION = mapping(name=optional(TEXT), arguments=optional(TEXT))
CALL = mapping(index=st.integers(0, 4), id=optional(TEXT), type=st.just("function"), function=FUNCTION)
DELTA = mapping(
    role=optional(st.just("assistant")),
    content=optional(TEXT),
    refusal=optional(TEXT),
    tool_calls=optional(st.lists(CALL, max_size=3)),
    function_call=optional(FUNCTION),
)
REASON = optional(st.sampled_from(["stop", "length", "tool_calls", "content_filter"]))
CHAT = mapping(
    id=TEXT,
    object=st.just("chat.completion.chunk"),
    created=COUNT,
    model=TEXT,
    system_fingerprint=optional(TEXT),
    choices=st.lists(mapping(index=st.integers(0, 2), delta=DELTA, finish_reason=REASON), max_size=3),
    usage=optional(USAGE),
)
COMPLETION = mapping(
    id=TEXT,
    object=st.just("text_completion"),
    created=COUNT,
    model=TEXT,
    system_fingerprint=optional(TEXT),
    choices=st.lists(mapping(index=st.integers(0, 2), text=TEXT, finish_reason=REASON), max_size=3),
    usage=optional(USAGE),
)
WRITTEN = st.tuples(st.booleans(), st.booleans())


def written(chunk: dict[str, Any], style: tuple[bool, bool]) -> bytes:
    """The chunk as JSON, compact or spaced, plain or escaped."""
    spaced, escaped = style
    return json.dumps(chunk, separators=None if spaced else (",", ":"), ensure_ascii=escaped).encode()


def calls_of(delta: Any) -> list[tuple[Any, ...]] | None:
    """Tool calls as tuples."""
    if delta.tool_calls is None:
        return None
    return [
        (c.index, c.id, c.function and c.function.name, c.function and c.function.arguments) for c in delta.tool_calls
    ]


def usage_of(chunk: Any) -> tuple[int, int, int] | None:
    """Counts as a tuple."""
    usage = chunk.usage
    return usage and (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)


@pytest.mark.requirement("ADP-27", "ADP-26")
@settings(deadline=None)
@given(chunk=CHAT, style=WRITTEN)
def test_a_chat_chunk_reads_as_by_the_full_model(chunk: dict[str, Any], style: tuple[bool, bool]) -> None:
    """Every field of the token path, whatever the order, the spacing, the escapes and the keys beside it."""
    data = written(chunk, style)
    partial, full = decode_chunk(data), CreateChatCompletionStreamResponse.from_wire(data)
    assert (partial.model, partial.system_fingerprint) == (full.model, full.system_fingerprint)
    assert usage_of(partial) == usage_of(full)
    assert partial.choices is not None
    for mine, theirs in zip(partial.choices, full.choices, strict=True):
        assert (mine.index, mine.finish_reason) == (theirs.index, theirs.finish_reason)
        assert mine.delta is not None
        assert (mine.delta.content, mine.delta.refusal) == (theirs.delta.content, theirs.delta.refusal)
        assert calls_of(mine.delta) == calls_of(theirs.delta)
        old, new = theirs.delta.function_call, mine.delta.function_call
        assert (old and (old.name, old.arguments)) == (new and (new.name, new.arguments))


@pytest.mark.requirement("ADP-27", "ADP-22")
@settings(deadline=None)
@given(chunks=st.lists(CHAT, max_size=4), style=WRITTEN)
def test_the_text_of_a_stream_is_that_of_the_full_models(
    chunks: list[dict[str, Any]], style: tuple[bool, bool]
) -> None:
    """Choice 0 up to its finish reason, every non-empty delta one token, in order."""
    reader, into, expected, finished = ChatReader(), [], [], None
    for chunk in chunks:
        data = written(chunk, style)
        reader.read("message", data, into)
        for choice in CreateChatCompletionStreamResponse.from_wire(data).choices:
            if choice.index == 0 and finished is None:
                expected += [choice.delta.content] * bool(choice.delta.content)
                finished = choice.finish_reason
    assert [event.text for event in into if event.channel == "text"] == expected
    assert reader.finish_reason == finished
    assert [event.index for event in into] == list(range(len(into)))


ODDITIES: list[tuple[str, Any]] = [
    ("index", st.sampled_from([None, 1, ABSENT])),
    ("text", st.sampled_from([None, "t", ""])),
    ("message", mapping(content=TEXT)),
    ("finish_reason", st.sampled_from(["stop", "error", ""])),
    ("delta", st.sampled_from([None, ABSENT])),
    ("delta.content", st.one_of(st.lists(st.one_of(mapping(text=TEXT), TEXT), max_size=2), st.none(), st.just(""))),
    ("delta.role", st.just("assistant")),
    ("delta.refusal", st.sampled_from([None, "r"])),
    ("delta.reasoning", st.sampled_from([None, "r"])),
    ("delta.reasoning_content", st.sampled_from([None, "r"])),
    ("delta.tool_calls", st.lists(CALL, min_size=1, max_size=1)),
    ("delta.function_call", FUNCTION),
    ("chunk.model", st.sampled_from(["other", "", ABSENT])),
    ("chunk.system_fingerprint", st.sampled_from(["g", None, ABSENT])),
    ("chunk.usage", st.one_of(USAGE, st.none())),
    ("chunk.error", st.sampled_from([None, {"message": "m"}])),
    ("chunk.choices", st.sampled_from([[], None, ABSENT])),
    ("chunk.choices", st.just([{"index": 0, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "c"}}])),
]
"""What a chunk may have beside one increment of text, or in its place."""


@st.composite
def nearly_plain(draw: st.DrawFn) -> bytes:
    """A chunk that is one increment of text, but for at most two fields."""
    delta: dict[str, Any] = {"content": draw(TEXT)}
    choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": None}
    chunk: dict[str, Any] = {"model": "m", "system_fingerprint": "f", "choices": [choice]}
    for place, values in draw(st.lists(st.sampled_from(ODDITIES), max_size=2)):
        value = draw(values)
        at, _, name = place.rpartition(".")
        owner = {"chunk": chunk, "delta": delta, "": choice}[at]
        owner[name] = value
        if value is ABSENT:
            del owner[name]
    return written(chunk, draw(WRITTEN))


ERRORS = st.sampled_from(
    [b"[DONE]", b"", b"no json", b'{"error": {"message": "m"}}', b'{"detail": "d"}', b'{"usage": null}']
)


@pytest.mark.requirement("ADP-26", "ADP-27", "ADP-21")
@settings(deadline=None, max_examples=300)
@given(
    frames=st.lists(
        st.one_of(nearly_plain(), nearly_plain(), st.tuples(CHAT, WRITTEN).map(lambda pair: written(*pair)), ERRORS),
        max_size=8,
    ),
    cuts=st.lists(st.integers(0, 8), max_size=3),
)
def test_a_batch_reads_as_its_events_one_by_one(frames: list[bytes], cuts: list[int]) -> None:
    """However many events a read brings: the same tokens, the same memory of the stream, the same failure."""
    frames = [b'{"model": "m", "system_fingerprint": "f", "choices": []}', *frames]
    one_by_one, by_batch = ChatReader(), ChatReader()
    expected: list[Any] = []
    found: list[Any] = []
    edges = [0, *sorted(cut for cut in cuts if cut < len(frames)), len(frames)]
    failures = [
        failure_of(lambda: [one_by_one.read("message", data, expected) for data in frames]),
        failure_of(lambda: [by_batch.take(frames[a:b], found) for a, b in pairwise(edges)]),
    ]
    assert failures[0] == failures[1]
    assert found == expected
    assert known_by(by_batch) == known_by(one_by_one)


def failure_of(read: Callable[[], object]) -> str | None:
    """What reading raised, if it did."""
    try:
        read()
    except (UnreadableChunk, UpstreamError) as error:
        return f"{type(error).__name__}: {error}: {getattr(error, 'payload', None)}"
    return None


def known_by(reader: ChatReader) -> dict[str, Any]:
    """All that a reader remembers of its stream."""
    names = [name for kind in type(reader).__mro__ for name in getattr(kind, "__slots__", ())]
    return {name: getattr(reader, name) for name in names}


@pytest.mark.requirement("ADP-26", "ADP-27")
def test_every_recorded_chat_reads_the_same_in_one_batch_as_by_the_full_model(stream: Transcript) -> None:
    """The text of choice 0, read by the whole transcript at once, is that of the full models, chunk by chunk."""
    if stream.api != "chat":
        return
    frames = [frame for frame in SseDecoder().feed_frames(stream.body) if isinstance(frame, bytes)]
    reader, into = ChatReader(), []
    failure = failure_of(lambda: reader.take(frames, into))
    texts: list[str] = []
    for frame in frames:
        try:
            full = CreateChatCompletionStreamResponse.from_wire(frame)
        except ValueError:
            # the closing mark, or what is no chunk
            break
        for choice in full.choices:
            texts += [choice.delta.content] * bool(choice.index == 0 and choice.delta.content)
    read = [event.text for event in into if event.channel == "text"]
    assert read == (texts[: len(read)] if failure else texts)


@pytest.mark.requirement("ADP-27")
@settings(deadline=None)
@given(chunk=COMPLETION, style=WRITTEN)
def test_a_completion_chunk_reads_as_by_the_full_model(chunk: dict[str, Any], style: tuple[bool, bool]) -> None:
    """The legacy frame too."""
    data = written(chunk, style)
    partial, full = decode_chunk(data), CreateCompletionResponse.from_wire(data)
    assert usage_of(partial) == usage_of(full)
    assert [(c.index, c.text, c.finish_reason) for c in partial.choices or ()] == [
        (c.index, c.text, c.finish_reason) for c in full.choices
    ]


@pytest.mark.requirement("ADP-27")
@settings(deadline=None)
@given(
    texts=st.lists(TEXT, max_size=6),
    usage=st.tuples(COUNT, COUNT, COUNT),
    style=WRITTEN,
)
def test_a_response_event_reads_as_plain_json_does(
    texts: list[str], usage: tuple[int, int, int], style: tuple[bool, bool]
) -> None:
    """Deltas, the model and the usage, against the standard library's decoder."""
    counts = dict(zip(("input_tokens", "output_tokens", "total_tokens"), usage, strict=True))
    reader, into = ResponsesReader(), []
    for text in texts:
        data = written({"type": "response.output_text.delta", "delta": text, "item_id": "i"}, style)
        assert decode_response_event(data).delta == json.loads(data)["delta"]
        reader.read("message", data, into)
    end = {"type": "response.completed", "response": {"model": "m", "usage": counts, "output": [{"x": texts}]}}
    reader.read("message", written(end, style), into)
    assert [event.text for event in into] == [text for text in texts if text]
    if any(usage[1:]):
        assert reader.usage is not None
        assert (reader.usage.input_tokens, reader.usage.output_tokens, reader.usage.total_tokens) == usage
