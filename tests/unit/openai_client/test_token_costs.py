"""What a call costs in tokens: guessed before, read afterwards."""

from __future__ import annotations

import pytest

from openai_client import CallOptions
from openai_client._generated.operations.chat import create_chat_completion
from openai_client._generated.operations.models import retrieve_model
from openai_client.token_costs import counted_tokens, estimated_tokens, tokens_of
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest


def asked(**fields: object):
    """A chat completion."""
    body = CreateChatCompletionRequest(
        model="m", messages=[ChatCompletionRequestUserMessage(content="x" * 400)], **fields
    )
    return create_chat_completion(body)


@pytest.mark.requirement("RL-02")
def test_a_guess_is_a_quarter_of_the_bytes_and_what_the_answer_may_have() -> None:
    """The first bound that is set counts, in the body or beside it; a call without a body costs nothing."""
    content = b"x" * 400
    assert estimated_tokens(asked(), content) == 100
    assert estimated_tokens(asked(max_tokens=20), content) == 120
    assert estimated_tokens(asked(max_tokens=20, max_completion_tokens=30), content) == 130
    beside = asked().with_options(CallOptions(extra_body={"max_output_tokens": 5}))
    assert estimated_tokens(beside, content) == 105
    assert estimated_tokens(retrieve_model("m"), None) == 0


@pytest.mark.requirement("RL-02")
@pytest.mark.parametrize(
    ("body", "cost"),
    [
        (b'{"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}', 3),
        (b'{"usage": {"input_tokens": 4, "output_tokens": 5}}', 9),
        (b'{"usage": {"total_tokens": 0}}', None),
        (b'{"usage": null}', None),
        (b"{}", None),
        (b'{"usage": {"total_tokens": "x"}}', None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_the_cost_is_what_the_answer_says(body: bytes, cost: int | None) -> None:
    """In the names of either API; an answer that says nothing, or nonsense, gives None."""
    assert counted_tokens(body) == cost


def test_negative_and_foreign_counts_do_not_count() -> None:
    """They come from outside."""
    assert tokens_of({"prompt_tokens": -5, "completion_tokens": 2, "total_tokens": -3}) == 2
    assert tokens_of({"prompt_tokens": None}) is None
