from __future__ import annotations

import json
from typing import Any

import pytest

from upstream_simulator.asks import Ask
from upstream_simulator.chat import chat_answer, chat_frames
from upstream_simulator.faults import read_faults
from upstream_simulator.flavours import FLAVOURS
from upstream_simulator.generation import generate
from upstream_simulator.options import Options
from upstream_simulator.stream_faults import bend

ASK = Ask(model="m", prompts=("hello there",), limit=4, include_usage=True)


def streamed(flavour: str = "generic", wish: str | None = None, ask: Ask = ASK) -> list[Any]:
    """The data of every event, decoded where it is JSON."""
    faults = read_faults(wish)
    shape = bend(FLAVOURS[flavour], faults)
    frames = chat_frames(generate(ask, Options(), faults, shape), shape, empty_chunks=faults.empty_chunks)
    texts = [frame.data.decode().removeprefix("data: ").removesuffix("\n\n") for frame in frames]
    return [text if text == "[DONE]" else json.loads(text) for text in texts]


def deltas(chunks: list[Any]) -> list[dict[str, Any]]:
    """The deltas of all chunks that have a choice."""
    return [choice["delta"] for chunk in chunks if chunk != "[DONE]" for choice in chunk["choices"]]


@pytest.mark.requirement("SIM-04", "TST-09")
def test_a_generic_stream_is_as_the_api_documents_it() -> None:
    """Role, content, an empty delta with the reason, usage without choices, [DONE]."""
    chunks = streamed()
    assert deltas(chunks)[0] == {"role": "assistant", "content": ""}
    assert deltas(chunks)[-1] == {}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-2]] == [None] * 5 + ["length"]
    assert chunks[-2]["choices"] == []
    assert chunks[-2]["usage"] == {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6}
    assert chunks[-1] == "[DONE]"


@pytest.mark.requirement("SIM-09")
@pytest.mark.parametrize(
    ("flavour", "first"),
    [
        ("vllm", {"role": "assistant", "content": ""}),
        ("llama-server", {"role": "assistant", "content": None}),
        ("llama-cpp-python", {"role": "assistant"}),
        ("transformers", {"role": "assistant"}),
    ],
)
def test_the_first_chunk_is_written_as_each_server_writes_it(flavour: str, first: dict[str, Any]) -> None:
    """Null, absent or empty content beside the role."""
    assert deltas(streamed(flavour))[0] == first


@pytest.mark.requirement("SIM-09")
def test_litellm_puts_text_beside_the_role_and_usage_beside_a_choice() -> None:
    """Its first delta has both; no finish_reason key before the end; usage comes with an empty delta."""
    chunks = streamed("litellm")
    assert deltas(chunks)[0]["content"]
    assert "finish_reason" not in chunks[0]["choices"][0]
    assert chunks[-2]["choices"] == [{"index": 0, "delta": {}}]
    assert chunks[-2]["usage"]["completion_tokens"] == 4


@pytest.mark.requirement("SIM-09")
def test_vllm_ends_with_text_and_reason_in_one_chunk() -> None:
    """The last token comes with the reason; the fingerprint stands in that chunk only."""
    chunks = streamed("vllm")
    last = chunks[-3]
    assert last["choices"][0]["delta"]["content"]
    assert last["choices"][0]["finish_reason"] == "length"
    assert "stop_reason" in last["choices"][0]
    assert [("system_fingerprint" in chunk) for chunk in chunks[:-2]] == [False] * 4 + [True]


@pytest.mark.requirement("SIM-09")
def test_transformers_sends_no_done_and_usage_with_the_reason() -> None:
    """The body just ends; usage comes unasked."""
    chunks = streamed("transformers", ask=Ask(model="m", prompts=("x",), limit=2))
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert chunks[-1]["usage"]["completion_tokens"] == 2
    assert chunks[-1]["system_fingerprint"] == ""


@pytest.mark.requirement("SIM-09")
def test_llama_servers_have_their_own_extras() -> None:
    """Timings at llama-server's end; spaces in llama-cpp-python's JSON, and no usage although asked."""
    assert "timings" in streamed("llama-server")[-3]
    assert not any("usage" in chunk for chunk in streamed("llama-cpp-python")[:-1])


@pytest.mark.requirement("SIM-05")
def test_what_is_omitted_is_not_there() -> None:
    """Role, reason, usage, created and [DONE] can each be left out."""
    chunks = streamed(wish="omit=role,finish,usage,created,done")
    assert [set(delta) for delta in deltas(chunks)] == [{"content"}] * 4
    assert not any("created" in chunk or "role" in str(chunk) for chunk in chunks)
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks)
    assert len(deltas(streamed("vllm", "omit=finish"))) == 5


@pytest.mark.requirement("SIM-05")
@pytest.mark.parametrize(
    ("usage", "carriers"), [("none", 0), ("unasked", 1), ("with_finish", 1), ("with_choice", 1), ("zero", 6)]
)
def test_usage_comes_as_wished(usage: str, carriers: int) -> None:
    """Never, without being asked, with the reason, beside a choice, or as zeros in every chunk."""
    chunks = streamed(wish=f"usage={usage}")
    found = [chunk["usage"] for chunk in chunks[:-1] if chunk.get("usage") is not None]
    assert len(found) == carriers
    assert all((counts["total_tokens"] == 0) is (usage == "zero") for counts in found)


@pytest.mark.requirement("SIM-05")
def test_empty_chunks_and_text_after_the_end_are_sent() -> None:
    """Empty deltas follow the first chunk; content follows the reason."""
    chunks = streamed(wish="empty_chunks=3;after_finish=2")
    assert deltas(chunks)[1:4] == [{}, {}, {}]
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-2]]
    assert reasons[-3:] == ["length", None, None]


@pytest.mark.requirement("SIM-05")
def test_reasoning_and_refusal_have_their_own_keys() -> None:
    """reasoning_content, vLLM's reasoning, and refusal instead of content."""
    assert [delta for delta in deltas(streamed(wish="reasoning=2")) if "reasoning_content" in delta]
    assert [delta for delta in deltas(streamed("vllm", "reasoning=2")) if "reasoning" in delta]
    refused = deltas(streamed(wish="refusal"))
    assert all("refusal" in delta for delta in refused[1:-1])


@pytest.mark.requirement("SIM-05", "SIM-09")
def test_tool_calls_are_streamed_in_each_style() -> None:
    """By index: with empty arguments first, without them (vLLM), or with id and name repeated."""

    def pieces(style: str) -> list[dict[str, Any]]:
        found = deltas(streamed(wish=f"tool_calls=2;tool_style={style}"))
        return [delta["tool_calls"][0] for delta in found if "tool_calls" in delta]

    usual, vllm, repeated = pieces("openai"), pieces("vllm"), pieces("repeated")
    assert [piece["index"] for piece in usual] == [0] * 6 + [1] * 6
    assert usual[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert vllm[0]["function"] == {"name": "get_weather"}
    assert all(piece["function"]["name"] == "get_weather" for piece in repeated[:5])
    arguments = "".join(piece["function"].get("arguments", "") for piece in usual[:6])
    assert json.loads(arguments) == {"place": "Town 0"}


@pytest.mark.requirement("SIM-04", "SIM-05", "SIM-09", "TST-09")
def test_a_plain_answer_holds_the_whole_message() -> None:
    """Text, refusal, reasoning, tool calls, usage and extras of the flavour."""

    def answer(flavour: str, wish: str | None = None) -> Any:
        faults = read_faults(wish)
        shape = bend(FLAVOURS[flavour], faults)
        return chat_answer(generate(ASK, Options(), faults, shape), shape)

    message = answer("generic", "reasoning=1")["choices"][0]["message"]
    assert message["content"]
    assert message["reasoning_content"]
    assert answer("generic", "refusal")["choices"][0]["message"]["content"] is None
    called = answer("generic", "tool_calls=1")["choices"][0]
    assert called["message"]["tool_calls"][0]["function"]["arguments"] == '{"place": "Town 0"}'
    assert called["finish_reason"] == "tool_calls"
    assert "timings" in answer("llama-server")
    assert "usage" not in answer("generic", "usage=none")
    assert answer("generic", "omit=finish")["choices"][0]["finish_reason"] is None


@pytest.mark.requirement("SIM-05")
def test_more_choices_may_come_than_were_asked_for() -> None:
    """All of them are told, each with its index and its end."""
    chunks = [chunk for chunk in streamed(wish="choices=3") if chunk != "[DONE]"]
    ended = {choice["index"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]}
    assert ended == {0, 1, 2}


@pytest.mark.requirement("SIM-05")
def test_a_tool_may_be_named_behind_its_arguments() -> None:
    """Every piece of the arguments comes first, then id and name in a delta of their own."""
    calls = [
        call
        for delta in deltas(streamed(wish="tool_calls=1;tool_style=late_name"))
        for call in delta.get("tool_calls", ())
    ]
    assert ["id" in call for call in calls] == [False] * 5 + [True]
    assert calls[-1]["function"] == {"name": "get_weather"}
