"""Chat and legacy completions: any cut of any answer is put together again, and what is missing is said."""

from __future__ import annotations

import base64
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openai_client import ChatAccumulator, CompletionAccumulator, StreamInterrupted
from openai_client.streaming.merging import Text, grown, joined_base64, plain
from openai_client.types import (
    CreateChatCompletionResponse,
    CreateChatCompletionStreamResponse,
    CreateCompletionResponse,
)
from tests.unit.openai_client.splitting import cut, deltas, full, interleaved

CALLS = frozenset({"tool_calls"})


def chunk(*choices: dict[str, Any], **fields: Any) -> CreateChatCompletionStreamResponse:
    """Return a chat chunk."""
    return CreateChatCompletionStreamResponse.model_validate({"choices": list(choices), **fields})


def message(text: str, audio: bytes, variant: int) -> dict[str, Any]:
    """Return a message with everything in it."""
    made = dict(full("ChatCompletionResponseMessage"))
    kinds = ("ChatCompletionMessageToolCall", "ChatCompletionMessageCustomToolCall")
    calls = [full(kinds[(variant + place) % 2]) for place in range(3)]
    return {
        **made,
        "role": "assistant",
        "content": text,
        "refusal": text[::-1],
        "tool_calls": calls,
        "audio": {**made["audio"], "data": base64.b64encode(audio).decode()},
        "reasoning_content": text * 2,
    }


@pytest.mark.requirement("CLI-10", "CLI-14", "TYP-04", "FWD-01")
@settings(deadline=None)  # the first example builds the models
@given(st.text(), st.binary(max_size=20), st.integers(0, 1), st.integers())
def test_any_cut_of_any_chat_is_put_together_again(text: str, audio: bytes, variant: int, seed: int) -> None:
    """Texts, refusals, reasoning, audio, annotations, calls of both kinds, logprobs, two choices at a time."""
    rng = Random(seed)
    whole = {
        **full("CreateChatCompletionResponse"),
        "choices": [
            {
                **full("CreateChatCompletionResponse")["choices"][0],
                "index": index,
                "message": message(text, audio, variant),
                "finish_reason": "tool_calls",
            }
            for index in range(2)
        ],
    }
    facts = {name: value for name, value in whole.items() if name not in {"choices", "object", "usage"}}
    rows = []
    for choice in whole["choices"]:
        at = {"index": choice["index"]}
        pieces = [{**at, "delta": piece} for piece in deltas(choice["message"], rng, CALLS)]
        logprobs = [{**at, "delta": {}, "logprobs": piece} for piece in deltas(choice["logprobs"], rng, CALLS)]
        last = {**at, "delta": {}, "finish_reason": choice["finish_reason"]}
        rows.append([*interleaved([pieces, logprobs], rng), last])
    collected = ChatAccumulator()
    for piece in interleaved(rows, rng):
        collected.add(chunk(piece, **facts, object="chat.completion.chunk", obfuscation="xx"))
    collected.add(chunk(**facts, usage=whole["usage"]))
    expected = CreateChatCompletionResponse.model_validate(whole)
    assert collected.result() == expected
    assert collected.text == text


@pytest.mark.requirement("CLI-10")
@settings(deadline=None)  # the first example builds the models
@given(st.text(), st.integers())
def test_any_cut_of_any_legacy_completion_is_put_together_again(text: str, seed: int) -> None:
    """Text and logprobs."""
    rng = Random(seed)
    whole = full("CreateCompletionResponse")
    (choice,) = whole["choices"]
    choice |= {"index": 0, "text": text, "finish_reason": "stop"}
    collected = CompletionAccumulator()
    grows = {"text": text, "logprobs": choice["logprobs"]}
    for piece in deltas(grows, rng, CALLS):
        chunk_ = {**whole, "usage": None, "choices": [{"index": 0, "text": "", **piece}]}
        collected.add(CreateCompletionResponse.model_validate(chunk_))
    collected.add(
        CreateCompletionResponse.model_validate(
            {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}], "usage": whole["usage"]}
        )
    )
    assert collected.result() == CreateCompletionResponse.model_validate(whole)


@pytest.mark.requirement("CLI-10", "ERR-01")
def test_an_answer_that_is_not_whole_says_what_is_missing() -> None:
    """By choice; what there is can be had all the same."""
    collected = ChatAccumulator()
    with pytest.raises(StreamInterrupted, match="no choice came"):
        collected.result()
    for index, reason in ((0, "stop"), (1, None), (2, None)):
        collected.add(chunk({"index": index, "delta": {"content": "secret"}, "finish_reason": reason}))
    with pytest.raises(StreamInterrupted, match="no finish reason came for choice 1, 2") as caught:
        collected.result()
    assert "secret" not in str(caught.value)
    assert [choice.message.content for choice in collected.partial().choices] == ["secret"] * 3


@pytest.mark.requirement("CLI-10")
def test_half_of_a_call_is_a_call_without_its_other_half() -> None:
    """Whatever of it came; a call of an unknown kind stays as it came."""
    collected = ChatAccumulator()
    calls = [
        {"index": 0, "id": "a"},
        {"index": 2, "type": "custom"},
        {"index": 1, "custom": {"name": "c"}},
        {"index": 3, "type": "of_tomorrow", "news": 1},
    ]
    collected.add(chunk({"index": 0, "delta": {"tool_calls": calls, "function_call": {"name": "f"}, "audio": {}}}))
    answer = collected.partial().choices[0].message
    found = [call.model_dump(exclude_none=True) for call in answer.tool_calls or []]
    assert found == [
        {"id": "a", "type": "function", "function": {"name": "", "arguments": ""}},
        {"type": "custom", "custom": {"name": "c", "input": ""}},
        {"type": "custom", "custom": {"name": "", "input": ""}},
        {"type": "of_tomorrow", "news": 1},
    ]
    assert answer.function_call is not None
    assert answer.function_call.arguments == ""
    assert answer.audio is not None
    assert answer.audio.data == ""


@pytest.mark.requirement("CLI-10", "SEC-13")
def test_what_cannot_be_an_answer_is_said_without_its_content() -> None:
    """A vendor's field may have the wrong type in the whole answer only."""
    collected = CompletionAccumulator()
    collected.add(CreateCompletionResponse.model_validate({"choices": [{"text": "secret", "finish_reason": "stop"}]}))
    collected._choices._answer["created"] = "secret"
    with pytest.raises(StreamInterrupted, match=r"no answer yet: created: int_parsing") as caught:
        collected.result()
    assert "secret" not in str(caught.value)


def test_a_long_text_grows_at_the_same_cost() -> None:
    """Adding does not copy what is there: a text is an object that stays the same one."""
    text = grown("a", "b")
    assert grown(text, "c") is text
    assert plain({"x": [text]}) == {"x": ["abc"]}
    assert "abc" not in repr(Text("abc"))


@pytest.mark.parametrize(
    ("pieces", "joined"), [("", ""), ("YWI=", "YWI="), ("YQ==Yg==", "YWI="), ("YQ==Y", "YQ==Y"), ("YWJj", "YWJj")]
)
def test_pieces_of_base64_are_one(pieces: str, joined: str) -> None:
    """Padding stands at the end only; what is no base64 stays as it is."""
    assert joined_base64(pieces) == joined


def test_a_cut_gives_all_of_a_text() -> None:
    """The splitter itself loses nothing."""
    assert "".join(cut("abcdef", Random(1))) == "abcdef"
