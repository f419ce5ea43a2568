from __future__ import annotations

from typing import Any

import pytest

from upstream_simulator.asks import read_body, read_chat, read_completion, read_response, read_texts
from upstream_simulator.error_bodies import ApiError

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.requirement("SIM-04")
def test_a_chat_request_is_read() -> None:
    """Everything that shapes an answer, with content given as parts too."""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    ask = read_chat(
        {
            "model": "m",
            "messages": [{"role": "user", "content": parts}],
            "max_tokens": 5,
            "max_completion_tokens": 7,
            "n": 2,
            "seed": -3,
            "stop": "x",
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
    assert (ask.prompts, ask.limit, ask.n, ask.seed, ask.stop) == (("user: ab",), 7, 2, -3, ("x",))
    assert ask.stream
    assert ask.include_usage


@pytest.mark.requirement("SIM-09")
def test_a_server_may_ignore_the_newer_limit() -> None:
    """llama-cpp-python does not know max_completion_tokens."""
    body = {**CHAT, "max_completion_tokens": 7}
    assert read_chat(body).limit == 7
    assert read_chat(body, obeys_completion_limit=False).limit is None


@pytest.mark.requirement("SIM-04")
def test_a_completion_takes_texts_or_token_numbers() -> None:
    """Each form of prompt, and the API's limit where none is given."""
    prompts: list[Any] = ["a", ["a", "b"], [1, 2], [[1, 2], [3]]]
    read = [read_completion({"model": "m", "prompt": prompt}) for prompt in prompts]
    assert [ask.prompts for ask in read] == [("a",), ("a", "b"), ("1 2",), ("1 2", "3")]
    assert read[0].limit == 16
    assert read_completion({"model": "m", "prompt": "a", "echo": True}).echo


@pytest.mark.requirement("SIM-04")
def test_a_response_takes_text_or_items() -> None:
    """Both forms of input."""
    assert read_response({"model": "m", "input": "hi"}).prompts == ("hi",)
    items = [{"role": "user", "content": "hi"}, {"type": "function_call_output", "output": "1"}]
    assert read_response({"model": "m", "input": items, "max_output_tokens": 3}).limit == 3


@pytest.mark.requirement("SIM-04")
@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"stop": 3}, "stop"),
        ({"stop": [3]}, "stop"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_a_wrong_field_is_refused_by_name(change: dict[str, Any], param: str) -> None:
    """The error's param names the field."""
    with pytest.raises(ApiError) as refused:
        read_chat({**CHAT, **change})
    assert (refused.value.param, refused.value.status) == (param, 400)


@pytest.mark.requirement("SIM-04")
def test_inputs_of_the_other_endpoints_are_checked_too() -> None:
    """Missing or wrong input names its field."""
    with pytest.raises(ApiError, match="input"):
        read_response({"model": "m", "input": []})
    with pytest.raises(ApiError, match="'input'"):
        read_texts({"input": [{}]})
    with pytest.raises(ApiError, match="'prompt'"):
        read_completion({"model": "m"})


@pytest.mark.requirement("SIM-04")
@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    """With the status the flavour gives to bad JSON."""
    with pytest.raises(ApiError) as refused:
        read_body(data, bad_json_status=500)
    assert refused.value.status == 500


@pytest.mark.requirement("SIM-05")
def test_tools_are_called_when_the_request_insists() -> None:
    """A named function, or the first one when a call is required; never by default."""
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "function", "name": "g"}]
    assert read_chat({**CHAT, "tools": tools}).tool_names == ()
    assert read_chat({**CHAT, "tools": tools, "tool_choice": "required"}).tool_names == ("f",)
    named = read_chat({**CHAT, "tools": tools, "tool_choice": {"type": "function", "function": {"name": "g"}}})
    assert (named.tool_names, named.tool_is_named) == (("g",), True)
    assert read_chat({**CHAT, "tool_choice": "required"}).tool_names == ()
