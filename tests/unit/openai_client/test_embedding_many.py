"""Many embeddings in few requests, in both colours."""

from __future__ import annotations

import base64
import json
import struct
from typing import TYPE_CHECKING, Any

import pytest

from http_util.testing import Answer
from openai_client import InvalidFieldValue, ServiceUnavailable
from openai_client.embedding_many import tokens_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.openai_client.conftest import Pair

    MakePair = Callable[..., Pair]

BAD = Answer.json(b'{"error": {"message": "no", "param": "input", "type": "invalid_request_error"}}', status=400)
BUSY = Answer.json(b"{}", status=503)


def answer(*numbers: float, tokens: int = 1) -> Answer:
    """Vectors of one number each, the last first."""
    data = [
        {"index": index, "embedding": base64.b64encode(struct.pack("<f", number)).decode()}
        for index, number in enumerate(numbers)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Answer.json(json.dumps({"data": data[::-1], "usage": usage}).encode())


def inputs_of(made: Pair) -> list[Any]:
    """The inputs of each request."""
    return [json.loads(request.content)["input"] for request in made.requests]


@pytest.mark.requirement("CLI-21", "BAT-01")
async def test_inputs_are_packed_under_both_limits_and_their_vectors_come_in_order(pair: MakePair) -> None:
    """The body asks for base64, and has what else was given."""
    made = pair(answer(0.0, 1.0), answer(2.0, tokens=2), answer(3.0, 4.0))
    seen: list[tuple[int, int]] = []
    result = await made.call(
        lambda client: client.embeddings.create_many(
            ["a", "b", "c" * 30, "d", "e"],
            model="m",
            dimensions=1,
            max_batch_size=2,
            max_batch_tokens=11,
            on_batch=lambda done, of: seen.append((done, of)),
            extra_headers={"x-a": "1"},
        )
    )
    assert inputs_of(made) == [["a", "b"], ["c" * 30], ["d", "e"]]
    assert [one[0] for one in result.all_vectors()] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert (result.requests, result.prompt_tokens, result.total_tokens, result.failures) == (3, 4, 4, ())
    assert seen == [(2, 5), (3, 5), (5, 5)]
    body = json.loads(made.requests[0].content)
    assert body == {"input": ["a", "b"], "model": "m", "encoding_format": "base64", "dimensions": 1}
    assert made.requests[0].headers["x-a"] == "1"


@pytest.mark.requirement("CLI-21", "BAT-01")
async def test_the_one_input_that_is_refused_is_told_and_the_others_are_embedded(pair: MakePair) -> None:
    """A refused request is halved until the input at fault is alone."""
    made = pair(BAD, answer(0.0, 1.0), BAD, BAD, answer(3.0))
    result = await made.call(lambda client: client.embeddings.create_many(["a", "b", "c", "d"], model="m"))
    assert inputs_of(made) == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["d"]]
    assert [None if one is None else one[0] for one in result.vectors] == [0.0, 1.0, None, 3.0]
    ((indices, error),) = result.failures
    assert (indices, error.param) == ((2,), "input")
    with pytest.raises(type(error)):
        result.all_vectors()


@pytest.mark.requirement("CLI-21")
async def test_any_other_failure_ends_the_sending_and_keeps_what_came(pair: MakePair) -> None:
    """What was not sent is told apart from what failed."""
    made = pair(answer(0.0), BUSY)
    result = await made.call(
        lambda client: client.embeddings.create_many(["a", "b", "c", "d"], model="m", max_batch_size=1)
    )
    assert len(made.requests) == 2
    assert result.vectors[0][0] == 0.0
    assert [failure.indices for failure in result.failures] == [(1,), (2, 3)]
    assert all(isinstance(failure.error, ServiceUnavailable) for failure in result.failures)
    assert "memory" not in repr(result)


@pytest.mark.requirement("CLI-21")
async def test_an_answer_with_a_vector_too_few_is_a_failure(pair: MakePair) -> None:
    """Nothing is guessed about which one is missing."""
    made = pair(answer(0.0))
    result = await made.call(lambda client: client.embeddings.create_many(["a", "b"], model="m"))
    assert result.vectors == (None, None)
    assert "1 embeddings for 2 inputs" in str(result.failures[0].error)


@pytest.mark.requirement("CLI-21")
async def test_token_lists_are_counted_as_they_are(pair: MakePair) -> None:
    """And text by its bytes."""
    made = pair(answer(0.0), answer(1.0))
    await made.call(lambda client: client.embeddings.create_many([[1, 2, 3], [4, 5]], model="m", max_batch_tokens=4))
    assert inputs_of(made) == [[[1, 2, 3]], [[4, 5]]]
    assert [tokens_of(item) for item in ("", "abc", "é" * 3, [1, 2])] == [1, 2, 3, 2]


@pytest.mark.requirement("CLI-21")
@pytest.mark.parametrize(
    "wrong",
    [
        {"inputs": []},
        {"inputs": "text"},
        {"max_batch_size": 0},
        {"max_batch_size": 2049},
        {"max_batch_tokens": 0},
        {"max_concurrency": True},
    ],
)
async def test_arguments_that_make_no_sense_are_refused(pair: MakePair, wrong: Any) -> None:
    """Before anything is sent, by name."""
    made = pair()
    with pytest.raises(InvalidFieldValue, match=f"^{next(iter(wrong))}: must be"):
        await made.call(lambda client: client.embeddings.create_many(**{"inputs": ["a"], "model": "m", **wrong}))
