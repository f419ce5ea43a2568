"""Refusals are answers until somebody asks for an error."""

from __future__ import annotations

from typing import Any

import pytest

from openai_client import ContentFiltered, RefusedByModel, require_answer
from openai_client.types import CreateChatCompletionResponse, CreateCompletionResponse, Response


def chat(message: dict[str, Any], reason: str = "stop") -> CreateChatCompletionResponse:
    """Return a chat completion."""
    return CreateChatCompletionResponse.model_validate(
        {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    )


def response(**fields: Any) -> Response:
    """Return a response."""
    return Response.model_validate({"id": "r", "output": [], **fields})


def message(part: dict[str, Any]) -> dict[str, Any]:
    """Return an output message with one part."""
    return {"type": "message", "id": "i", "role": "assistant", "status": "completed", "content": [part]}


@pytest.mark.requirement("ERR-01", "CLI-01")
@pytest.mark.parametrize(
    ("answer", "leaf"),
    [
        (chat({"content": None, "refusal": "I cannot tell you that secret."}), RefusedByModel),
        (chat({"content": "half"}, "content_filter"), ContentFiltered),
        (
            CreateCompletionResponse.model_validate({"choices": [{"text": "x", "finish_reason": "content_filter"}]}),
            ContentFiltered,
        ),
        (response(output=[message({"type": "refusal", "refusal": "no secret"})]), RefusedByModel),
        (response(status="incomplete", incomplete_details={"reason": "content_filter"}), ContentFiltered),
    ],
)
def test_a_refusal_becomes_its_leaf_without_its_words(answer, leaf: type) -> None:
    """What the model said stays in the answer."""
    with pytest.raises(leaf) as caught:
        require_answer(answer)
    assert "secret" not in repr(caught.value)
    assert not caught.value.is_retryable


@pytest.mark.parametrize(
    "answer",
    [
        chat({"content": "yes"}),
        chat({"content": "half"}, "length"),
        response(output=[message({"type": "output_text", "text": "yes", "annotations": []})]),
        response(output=[{"type": "reasoning", "id": "i", "summary": []}]),
    ],
)
def test_an_answer_is_returned_as_it_is(answer) -> None:
    """The same object."""
    assert require_answer(answer) is answer
