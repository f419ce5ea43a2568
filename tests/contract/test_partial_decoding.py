"""Partial decoding reads from a chunk what the full model reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openai_client._generated.models.chat import CreateChatCompletionStreamResponse
from openai_client._generated.models.completions import CreateCompletionResponse
from worker_adapters.openai_http.chat_reader import ChatReader
from worker_adapters.openai_http.chunks import decode_chunk, decode_response_event
from worker_adapters.openai_http.responses_reader import ResponsesReader

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
