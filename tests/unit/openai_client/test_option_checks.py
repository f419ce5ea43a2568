"""What the options of one call may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from http_util.retry import AVAILABLE, BILLING_SAFE
from openai_client import Client
from openai_client._generated.operations.chat import create_chat_completion_with
from openai_client._generated.operations.vector_stores import create_vector_store_file_with
from openai_client.errors import InvalidFieldValue
from openai_client.multipart import write_form
from openai_client.operation import CallOptions
from openai_client.realtime.messages import Codec
from openai_client.types import CreateTranscriptionRequest, RealtimeClientEvent, RealtimeServerEvent
from tests.shown_errors import with_locals

if TYPE_CHECKING:
    from openai_client.operation import Operation


@pytest.mark.requirement("CLI-11", "RTY-05")
def test_a_retry_policy_may_be_given_by_its_name() -> None:
    """As for the client; the options then hold the policy."""
    assert CallOptions(retry="billing_safe").retry is BILLING_SAFE
    assert CallOptions(retry=AVAILABLE).retry is AVAILABLE
    assert CallOptions().retry is None


@pytest.mark.requirement("CLI-11")
@pytest.mark.parametrize("retry", ["bogus", 3, True])
def test_what_is_no_retry_policy_is_refused_with_the_names_that_are(retry: Any) -> None:
    """Before the call, and not as an attribute error in the middle of it."""
    with pytest.raises(InvalidFieldValue, match=r"^retry: must be .*available, billing_safe"):
        CallOptions(retry=retry)


@pytest.mark.requirement("FWD-11")
@pytest.mark.parametrize(
    ("extra", "place"),
    [
        ({"top_k": float("nan")}, r"extra_body\.top_k"),
        ({"a": {"b": [1, float("inf")]}}, r"extra_body\.a\.b\[1\]"),
        ({"a": ({"b": float("-inf")},)}, r"extra_body\.a\[0\]\.b"),
    ],
)
def test_a_number_that_json_lacks_is_refused_where_it_is(extra: dict[str, Any], place: str) -> None:
    """Written out it would make the whole body invalid."""
    with pytest.raises(InvalidFieldValue, match=f"^{place}: must be a finite number") as caught:
        CallOptions(extra_body=extra)
    assert re.fullmatch(place, caught.value.param or "")


def test_extra_fields_that_contain_themselves_are_refused() -> None:
    """They have no end that could be written."""
    endless: dict[str, Any] = {}
    endless["again"] = [endless]
    with pytest.raises(InvalidFieldValue, match="extra_body: is nested too deeply"):
        CallOptions(extra_body=endless)


def test_finite_numbers_and_all_else_pass() -> None:
    """Only numbers are looked at."""
    extra = {"a": 1.5, "b": [True, None, "NaN", 10**400], "c": {"d": -0.0}}
    assert CallOptions(extra_body=extra).extra_body == extra


PROMPT = [{"role": "user", "content": "PROMPT"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"x": [{"maximum": float("nan")}]}}}


@pytest.mark.requirement("CLI-09")
@pytest.mark.parametrize(
    ("operation", "place"),
    [
        (
            create_chat_completion_with(model="m", messages=PROMPT, tools=[TOOL]),
            "tools[0].function.parameters.x[0].maximum",
        ),
        (
            create_chat_completion_with(model="m", messages=PROMPT, tools=[TOOL], extra_body={"top_k": 1}),
            "tools[0].function.parameters.x[0].maximum",
        ),
        (
            create_vector_store_file_with("v", file_id="f", attributes={"score": float("-inf")}),
            "attributes.score",
        ),
    ],
)
def test_a_number_that_json_lacks_is_refused_deep_in_a_body(operation: Operation[Any], place: str) -> None:
    """Null, which it would become, is another value; and no frame holds the prompt beside it."""
    with pytest.raises(InvalidFieldValue, match=f"^{re.escape(place)}: must be a finite number") as caught:
        operation.body_bytes()
    assert caught.value.param == place


def test_a_prompt_may_speak_of_what_json_lacks() -> None:
    """The words mean nothing in a text."""
    operation = create_chat_completion_with(model="NaN", messages=[{"role": "user", "content": "-Infinity"}])
    assert operation.body_bytes() == b'{"messages":[{"content":"-Infinity","role":"user"}],"model":"NaN"}'


@pytest.mark.requirement("SEC-01")
def test_no_frame_of_such_a_refusal_shows_the_prompt() -> None:
    """Those of the rooms that write the call hold it only in an operation, whose repr shows no body."""
    with Client(base_url="http://localhost:1/v1", api_key=None) as client, pytest.raises(InvalidFieldValue) as caught:
        client.chat.completions.create(model="m", messages=PROMPT, tools=[TOOL])
    assert "PROMPT" not in with_locals(caught.value)


def test_a_form_and_an_event_refuse_them_too() -> None:
    """Whatever is written as JSON, or as the text of a number."""
    codec: Codec[Any] = Codec(RealtimeClientEvent, RealtimeServerEvent)
    tool = {"type": "function", "name": "f", "parameters": {"x": float("inf")}}
    with pytest.raises(InvalidFieldValue, match=r"^response\.tools\[0\]\.parameters\.x: must be a finite number"):
        codec.write({"type": "response.create", "response": {"tools": [tool]}}, 1000)
    body = CreateTranscriptionRequest(file=("a.wav", b"RIFF"), model="m")
    with pytest.raises(InvalidFieldValue, match=r"^vendor\.x: must be a finite number"):
        write_form(body, boundary="b", fixed={"vendor": {"x": float("nan")}})
