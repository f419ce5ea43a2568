"""From a task to bytes: exactly the documented mapping, the same bytes each time."""

from __future__ import annotations

import json
from collections import UserDict
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api import InvalidTask
from worker_adapters.openai_http import OpenAIHttpConfig
from worker_adapters.openai_http.dialects import DIALECTS
from worker_adapters.openai_http.request_body import serialize, upstream_model

if TYPE_CHECKING:
    from collections.abc import Callable


def config(**settings: Any) -> OpenAIHttpConfig:
    """Settings for loopback."""
    return OpenAIHttpConfig(**{"base_url": "http://127.0.0.1/v1", "model": "m", **settings})


def body(task: Any, **settings: Any) -> dict[str, Any]:
    """The body for *task*, decoded."""
    written: dict[str, Any] = json.loads(serialize(task, config(**settings)).body)
    return written


CHAT_LIMIT = {"openai": "max_completion_tokens", "azure": "max_completion_tokens"}
USAGE = {"stream_options": {"include_usage": True}}


@pytest.mark.requirement("ADP-11", "OQ-06", "OC-ADAPT-OAI-6001")
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_the_body_is_the_documented_mapping_and_nothing_else(task: Callable[..., Any], dialect: str) -> None:
    """For every API and every dialect; no other parameter appears."""
    messages = [{"role": "user", "content": "Tell me of the sea."}]
    assert body(task(), dialect=dialect) == {
        "model": "m",
        "messages": messages,
        CHAT_LIMIT.get(dialect, "max_tokens"): 8,
        "stream": True,
        **USAGE,
    }
    assert body(task(), dialect=dialect, api="completions") == {
        "model": "m",
        "prompt": "Tell me of the sea.",
        "max_tokens": 8,
        "stream": True,
        **USAGE,
    }
    assert body(task(), dialect=dialect, api="responses") == {
        "model": "m",
        "input": "Tell me of the sea.",
        "max_output_tokens": 8,
        "stream": True,
        "store": False,
    }


@pytest.mark.requirement("ADP-12", "SVC-13")
@pytest.mark.parametrize("api", ["chat", "completions", "responses"])
def test_the_bytes_are_the_same_for_the_same_task_and_settings(task: Callable[..., Any], api: str) -> None:
    """Stable key order, no time, no id: ids of the task are not in the body."""
    fields = {"seed": 3, "temperature": 0.5, "extra_body": {"z": 1, "a": {"y": [1, 2.5, None]}}}
    one = serialize(task("t-1", session_id="s-1", **fields), config(api=api))
    two = serialize(task("t-2", session_id="s-2", priority="batch", **fields), config(api=api))
    assert one == two
    assert b"t-1" not in one.body


@pytest.mark.requirement("ADP-11")
@pytest.mark.parametrize("api", ["chat", "completions", "responses"])
def test_optional_fields_are_sent_under_their_names_when_given(task: Callable[..., Any], api: str) -> None:
    """Seed and sampling; what is absent is not sent, also not as null."""
    given = {"seed": 0, "temperature": 0.0, "top_p": 0.9, "presence_penalty": -1, "frequency_penalty": 1, "stop": ["x"]}
    plain = body(task(), api=api)
    assert body(task(**given), api=api) == plain | given
    assert not given.keys() & plain.keys()


@pytest.mark.requirement("ADP-11")
def test_strict_means_temperature_0_and_top_p_1(task: Callable[..., Any]) -> None:
    """Given again with these values it is fine; with others it is refused; best effort adds nothing."""
    strict = body(task(determinism="strict", seed=7))
    assert (strict["temperature"], strict["top_p"], strict["seed"]) == (0, 1, 7)
    assert body(task(determinism="strict", seed=7, temperature=0, top_p=1)) == strict
    assert "temperature" not in body(task(determinism="best_effort"))
    with pytest.raises(InvalidTask, match="temperature: determinism strict means 0"):
        body(task(determinism="strict", temperature=1))


@pytest.mark.requirement("ADP-11")
def test_vendor_fields_reach_the_body_unchanged(task: Callable[..., Any]) -> None:
    """Nested, in order, any mapping; a field that the task sets already is refused."""
    extra = {"top_k": 5, "logit_bias": {"2": 100}, "guided": {"b": [True, None, "é\u2028"], "a": 1.5}}
    assert body(task(extra_body=extra)).items() >= extra.items()
    assert body(task(extra_body=UserDict(extra))) == body(task(extra_body=extra))
    for name in ("model", "messages", "max_tokens", "stream", "stream_options"):
        with pytest.raises(InvalidTask, match=f"extra_body.{name}: the task sets this field already"):
            body(task(extra_body={name: 1}))
    with pytest.raises(InvalidTask, match=r"extra_body\.store"):
        body(task(extra_body={"store": True}), api="responses")


@pytest.mark.requirement("OQ-04")
def test_messages_go_to_chat_and_responses_as_they_are(task: Callable[..., Any]) -> None:
    """Legacy completions take a prompt; one entry of inputs is a prompt."""
    messages = (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "é"}]},
    )
    assert body(task(messages=messages))["messages"] == list(messages)
    assert body(task(messages=messages), api="responses")["input"] == list(messages)
    with pytest.raises(InvalidTask, match="messages: the completions API takes a prompt"):
        body(task(messages=messages), api="completions")
    assert body(task(inputs=["one"]), api="completions")["prompt"] == "one"


@pytest.mark.requirement("OQ-05", "ADP-11")
def test_the_model_comes_from_the_settings_the_aliases_or_the_task() -> None:
    """In this order; a reference loses a leading scheme."""
    aliases = {"big": "org/big-70b"}
    assert upstream_model("big", config(model=None, model_aliases=aliases)) == "org/big-70b"
    assert upstream_model("hf://org/m", config(model=None)) == "org/m"
    assert upstream_model("org/m:tag", config(model=None)) == "org/m:tag"
    assert upstream_model("big", config(model="set", model_aliases=aliases)) == "set"


@pytest.mark.requirement("HTU-17", "ADP-13")
def test_a_body_that_is_too_large_is_refused(task: Callable[..., Any]) -> None:
    """One below, at and above the bound; the prompt is not quoted."""
    size = len(serialize(task(prompt="x" * 2000), config()).body)
    serialize(task(prompt="x" * 2000), config(max_request_bytes=size))
    with pytest.raises(InvalidTask, match="max_request_bytes") as caught:
        serialize(task(prompt="x" * 2001), config(max_request_bytes=size))
    assert "xxx" not in str(caught.value)


@pytest.mark.requirement("ADP-13")
@pytest.mark.parametrize(
    "prompt",
    ["", "a\ud800b", "a\x00b", "\x1b[31m", "x" * 50_000_000],
    ids=["empty", "surrogate", "NUL", "escape", "50 MB"],
)
def test_a_prompt_that_cannot_be_sent_is_refused_when_the_task_is_made(task: Callable[..., Any], prompt: str) -> None:
    """One error that names the field and does not quote it."""
    with pytest.raises(InvalidTask, match=r"^INVALID_PARAMS \(invalid_task\): prompt: ") as caught:
        task(prompt=prompt)
    assert len(str(caught.value)) < 300
