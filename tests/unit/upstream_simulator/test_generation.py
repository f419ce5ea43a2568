from __future__ import annotations

from dataclasses import replace

import pytest

from upstream_simulator.asks import Ask
from upstream_simulator.error_bodies import ApiError
from upstream_simulator.faults import NO_FAULTS, read_faults
from upstream_simulator.flavours import FLAVOURS
from upstream_simulator.generation import Generation, generate
from upstream_simulator.options import Options

ASK = Ask(model="m", prompts=("hello there",), limit=8)


def said(ask: Ask, wish: str | None = None, options: Options | None = None, flavour: str = "generic") -> Generation:
    """Generate with defaults for whatever does not matter."""
    return generate(ask, options or Options(), read_faults(wish), FLAVOURS[flavour])


@pytest.mark.requirement("SIM-02", "SIM-03")
def test_a_limit_gives_exactly_that_many_tokens() -> None:
    """With a limit the reason is length; without one the server's length and stop."""
    limited, free = said(ASK), said(replace(ASK, limit=None), options=Options(tokens=5))
    assert (limited.completion_tokens, limited.choices[0].finish_reason) == (8, "length")
    assert (free.completion_tokens, free.choices[0].finish_reason) == (5, "stop")
    assert said(replace(ASK, limit=0)).completion_tokens == 0
    assert said(ASK, "tokens=3").choices[0].finish_reason == "stop"


@pytest.mark.requirement("SIM-02")
def test_a_stop_sequence_ends_the_text_before_it() -> None:
    """Also where it spans tokens or stands inside one."""
    texts = said(ASK).choices[0].texts
    spanning = texts[2][-2:] + texts[3][:3]
    stopped = said(replace(ASK, stop=("never said", spanning))).choices[0]
    assert "".join(stopped.texts) == "".join(texts[:3])[:-2]
    assert stopped.finish_reason == "stop"
    assert said(replace(ASK, stop=("never said",))).choices[0].finish_reason == "length"
    assert said(replace(ASK, stop=(texts[0][0],))).choices[0].texts == ()


@pytest.mark.requirement("SIM-02")
def test_choices_and_prompts_each_have_their_own_text() -> None:
    """N choices for every prompt, numbered through."""
    generation = said(replace(ASK, prompts=("a", "b"), n=2))
    assert [choice.index for choice in generation.choices] == [0, 1, 2, 3]
    assert len({choice.texts for choice in generation.choices}) == 4
    assert generation.completion_tokens == 32


@pytest.mark.requirement("SIM-04")
def test_a_prompt_over_the_context_is_refused() -> None:
    """One token too many is too many."""
    assert said(ASK, options=Options(context=2)).prompt_tokens == 2
    with pytest.raises(ApiError) as refused:
        said(ASK, options=Options(context=1))
    assert refused.value.code == "context_length_exceeded"


@pytest.mark.requirement("SIM-05")
def test_faults_change_what_is_said() -> None:
    """Tool calls, reasoning, refusal, a huge token, text after the end, another reason."""
    calls = said(ASK, "tool_calls=2").choices[0]
    assert [call.name for call in calls.tool_calls] == ["get_weather", "get_time"]
    assert "".join(calls.tool_calls[1].arguments) == '{"place": "Town 1"}'
    assert (calls.texts, calls.finish_reason, calls.tokens) == ((), "tool_calls", 10)
    assert len(said(ASK, "reasoning=4").choices[0].reasoning) == 4
    assert said(ASK, "refusal").choices[0].is_refusal
    assert len(said(ASK, "huge=1000").choices[0].texts[1]) == 1000
    assert len(said(ASK, "after_finish=2").choices[0].after_finish) == 2
    assert said(ASK, "finish_reason=content_filter").choices[0].finish_reason == "content_filter"


@pytest.mark.requirement("SIM-05", "SIM-09")
def test_a_named_tool_ends_with_stop_on_vllm() -> None:
    """Elsewhere with tool_calls."""
    named = replace(ASK, tool_names=("f",), tool_is_named=True)
    assert said(named).choices[0].finish_reason == "tool_calls"
    assert said(named, flavour="vllm").choices[0].finish_reason == "stop"
    assert said(named).choices[0].tool_calls[0].name == "f"


def test_echo_repeats_the_prompt() -> None:
    """A completion that echoes begins with its prompt."""
    assert said(replace(ASK, echo=True)).choices[0].texts[0] == "hello there"
    assert NO_FAULTS.tokens is None
