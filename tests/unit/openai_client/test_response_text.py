"""The text of a response is what its messages say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openai_client.types import BetaResponse, Response


def response(*output: dict[str, Any], **fields: Any) -> bytes:
    """A response with these items."""
    return json.dumps({"id": "r", "output": output, **fields}).encode()


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    """An item that is a message."""
    return {"type": "message", "id": "m", "status": "completed", "role": "assistant", "content": parts}


def said(text: str) -> dict[str, Any]:
    """A part of one."""
    return {"type": "output_text", "text": text, "annotations": []}


@pytest.mark.requirement("CLI-09")
@pytest.mark.parametrize("model", [Response, BetaResponse])
def test_the_text_is_that_of_all_messages(model: Any) -> None:
    """In order, with nothing between, and without what is no text."""
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    refusal = {"type": "refusal", "refusal": "No."}
    whole = response(
        message(said("In "), said("Ulm")), call, message(refusal, said(".")), {"type": "news", "text": "x"}
    )
    assert model.from_wire(whole).output_text == "In Ulm."
    assert model.from_wire(response(call)).output_text == ""


@pytest.mark.requirement("CLI-09", "FWD-03")
def test_a_server_that_fills_the_field_in_changes_nothing() -> None:
    """Its field is kept as it came, and written back."""
    whole = response(message(said("In Ulm.")), output_text="something else")
    parsed = Response.from_wire(whole)
    assert parsed.output_text == "In Ulm."
    assert json.loads(parsed.wire_bytes())["output_text"] == "something else"
