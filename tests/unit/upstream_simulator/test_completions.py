from __future__ import annotations

import json
from typing import Any

import pytest

from upstream_simulator.asks import Ask
from upstream_simulator.completions import completion_answer, completion_frames
from upstream_simulator.faults import read_faults
from upstream_simulator.flavours import FLAVOURS
from upstream_simulator.generation import generate
from upstream_simulator.options import Options
from upstream_simulator.stream_faults import bend

ASK = Ask(model="m", prompts=("a", "b"), limit=3, include_usage=True)


def streamed(flavour: str = "generic", wish: str | None = None) -> list[Any]:
    """The data of every event, decoded where it is JSON."""
    faults = read_faults(wish)
    shape = bend(FLAVOURS[flavour], faults)
    frames = completion_frames(generate(ASK, Options(), faults, shape), shape, empty_chunks=faults.empty_chunks)
    texts = [frame.data.decode().removeprefix("data: ").removesuffix("\n\n") for frame in frames]
    return [text if text == "[DONE]" else json.loads(text) for text in texts]


@pytest.mark.requirement("SIM-04", "TST-09")
def test_texts_of_all_prompts_are_streamed_and_equal_the_plain_answer() -> None:
    """Each choice adds up to what the plain answer says, and ends with its reason."""
    chunks = streamed()
    generic = FLAVOURS["generic"]
    plain: Any = completion_answer(generate(ASK, Options(), read_faults(None), generic), generic)
    for choice in plain["choices"]:
        own = [chunk["choices"][0] for chunk in chunks[:-2] if chunk["choices"][0]["index"] == choice["index"]]
        assert "".join(piece["text"] for piece in own) == choice["text"]
        assert own[-1]["finish_reason"] == choice["finish_reason"] == "length"
    assert chunks[-2]["usage"] == plain["usage"]
    assert chunks[-1] == "[DONE]"


@pytest.mark.requirement("SIM-05", "SIM-09")
def test_flavours_and_faults_shape_the_chunks() -> None:
    """Last text with the reason, usage with the reason or as zeros, empty chunks, what is left out or added."""
    assert streamed("vllm")[-3]["choices"][0]["text"]
    assert streamed("transformers")[-1]["usage"]["completion_tokens"] == 6
    assert all(chunk["usage"]["total_tokens"] == 0 for chunk in streamed(wish="usage=zero")[:-1])
    assert streamed(wish="empty_chunks=1")[0]["choices"][0]["text"] == ""
    assert len(streamed(wish="omit=finish,done,usage,created")) == 6
    assert streamed(wish="after_finish=1")[-3]["choices"][0]["finish_reason"] is None


@pytest.mark.requirement("SIM-05")
def test_a_plain_answer_leaves_out_what_it_should() -> None:
    """No usage, no reason, no created."""
    faults = read_faults("omit=usage,finish,created")
    shape = bend(FLAVOURS["generic"], faults)
    answer: Any = completion_answer(generate(ASK, Options(), faults, shape), shape)
    assert "usage" not in answer
    assert "created" not in answer
    assert answer["choices"][0]["finish_reason"] is None
