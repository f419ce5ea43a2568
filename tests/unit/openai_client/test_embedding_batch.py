"""What a batch is made of, and how its answer is shared out."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_api import Outcome
from http_util.deadline import Deadline
from openai_client import CallOptions, ClientConfig, errors
from openai_client._generated.operations.embeddings import create_embedding
from openai_client._generated.operations.models import list_models
from openai_client.embedding_answers import may_be_one_inputs_fault
from openai_client.embedding_batch import (
    BatchPolicy,
    Part,
    joined,
    part_of,
    parted,
)
from openai_client.raw import raw_operation
from openai_client.shareable import keeping_body, kept
from openai_client.types import CreateEmbeddingRequest, CreateEmbeddingResponse

CONFIG = ClientConfig(base_url="http://localhost:8000/v1", api_key=None)
POLICY = BatchPolicy()
LATE = Deadline(60.0)


def call(what: Any, options: CallOptions | None = None, **fields: Any) -> Any:
    """Return a call for embeddings."""
    operation = create_embedding(CreateEmbeddingRequest(**({"model": "m", "input": what} | fields)))
    return operation if options is None else operation.with_options(options)


def part(what: Any, options: CallOptions | None = None, **fields: Any) -> Part:
    """Return what such a call brings to a batch."""
    found = part_of(call(what, options, **fields), CONFIG, POLICY)
    assert found is not None
    return found


def answer(*values: float, usage: tuple[int, int] | None = None, indices: list[int | None] | None = None) -> Any:
    """Return an answer with one short embedding for each value."""
    numbers: Any = indices or range(len(values))
    data = [{"index": index, "embedding": [value]} for index, value in zip(numbers, values, strict=True)]
    document: dict[str, Any] = {"object": "list", "model": "m-1", "data": data, "vendor": "v"}
    if usage is not None:
        document["usage"] = {"prompt_tokens": usage[0], "total_tokens": usage[1], "cost": 0.5}
    return CreateEmbeddingResponse.from_wire(json.dumps(document).encode())


def vectors(result: Any) -> list[tuple[int | None, Any]]:
    """Return the indices and the vectors of a result."""
    return [(item.index, item.embedding) for item in result.data]


@pytest.mark.requirement("BAT-01")
@pytest.mark.parametrize(
    ("what", "inputs"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2, 3], [[1, 2, 3]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
    ],
)
def test_every_kind_of_input_can_be_batched(what: Any, inputs: list[Any]) -> None:
    """A text, texts, tokens, lists of tokens."""
    assert part(what).inputs == inputs


@pytest.mark.requirement("BAT-01")
def test_calls_that_differ_in_their_inputs_only_may_share_a_request() -> None:
    """However many they bring; how long they wait is their own business."""
    keys = {part(what).key for what in ("a", "b", ["a", "b"])}
    assert keys == {part("c", CallOptions(timeout=1.0)).key}
    assert part([1, 2]).key == part([[3], [4]]).key


@pytest.mark.requirement("BAT-01")
@pytest.mark.parametrize(
    "other",
    [
        part([1, 2]),
        part("a", model="other"),
        part("a", dimensions=8),
        part("a", encoding_format="base64"),
        part("a", user="u"),
        part("a", CallOptions(headers={"x-region": "eu"})),
        part("a", CallOptions(extra_body={"truncate": "END"})),
        part("a", CallOptions(retry="available")),
    ],
)
def test_calls_that_differ_in_anything_else_may_not(other: Part) -> None:
    """Nor do texts and tokens go together."""
    assert other.key != part("a").key


@pytest.mark.requirement("BAT-01", "CLI-12")
@pytest.mark.parametrize(
    "operation",
    [
        list_models(),
        replace(call("a"), body=b'{"model": "m", "input": "a"}'),
        raw_operation("POST", "/embeddings", body=CreateEmbeddingRequest(model="m", input="a")),
        raw_operation("POST", "/embeddings", body={"model": "m", "input": "a"}),
        call("a", CallOptions(idempotency_key="i-1")),
        call("a", CallOptions(headers={"authorization": "Bearer other"})),
        call(["a"] * 128),
    ],
)
def test_other_calls_go_alone(operation: Any) -> None:
    """Also those that fill a batch by themselves, and those with a credential of their own."""
    assert part_of(operation, CONFIG, POLICY) is None


@pytest.mark.requirement("BAT-01")
def test_parts_become_one_call_with_all_inputs_in_order() -> None:
    """With what they have in common, and the time that is left."""
    options = CallOptions(timeout=1.0, headers={"x-region": "eu"}, extra_body={"truncate": "END"}, retry="available")
    one = joined([part("a", options), part(["b", "c"], options)], Deadline(12.0), now=10.0)
    body = json.loads(one.body_bytes())
    assert body == {"input": ["a", "b", "c"], "model": "m", "truncate": "END"}
    assert one.options == replace(options, timeout=2.0, deadline=Deadline(12.0))
    tokens = joined([part([1, 2]), part([[3], [4]])], LATE, now=0.0)
    assert json.loads(tokens.body_bytes())["input"] == [[1, 2], [3], [4]]


@pytest.mark.requirement("BAT-01")
def test_a_part_alone_goes_out_as_it_was_asked_for() -> None:
    """A text stays a text, and the answer is its own, byte by byte."""
    one = joined([part("a")], LATE, now=0.0)
    assert json.loads(one.body_bytes())["input"] == "a"
    assert parted([part("a")], result := object()) == [result]


@pytest.mark.requirement("BAT-01")
def test_a_deadline_that_has_passed_is_still_an_option() -> None:
    """Whose call fails at once."""
    assert joined([part("a")], Deadline(1.0), now=2.0).options.timeout == 0.001


@pytest.mark.requirement("BAT-01")
@pytest.mark.parametrize("indices", [[0, 1, 2, 3], [3, 1, 2, 0], [None] * 4])
def test_each_part_gets_its_embeddings_in_its_own_order(indices: list[int | None]) -> None:
    """Whatever order the upstream sent them in; indices begin at 0 for everybody."""
    place = {number: index for number, index in enumerate(indices) if index is not None}
    values = [float(place.get(number, number)) for number in range(4)]
    first, second = parted([part("a"), part(["b", "c", "d"])], answer(*values, indices=indices))
    assert vectors(first) == [(0, [0.0])]
    assert vectors(second) == [(0, [1.0]), (1, [2.0]), (2, [3.0])]
    assert (first.model, second.model_extra) == ("m-1", {"vendor": "v"})


@pytest.mark.requirement("BAT-01")
@pytest.mark.parametrize(
    ("values", "indices"),
    [
        ((0.0,), None),
        ((0.0, 1.0, 2.0), None),
        ((0.0, 1.0), [0, 0]),
        ((0.0, 1.0), [0, None]),
        ((0.0, 1.0), [1, 2]),
        ((0.0, 1.0, 2.0), [0, 1, None]),
    ],
)
def test_an_answer_without_exactly_one_embedding_for_each_input_is_refused(values: Any, indices: Any) -> None:
    """Nobody gets another one's vector."""
    with pytest.raises(errors.UnexpectedResponse, match="embeddings for 2 inputs") as caught:
        parted([part("a"), part("b")], answer(*values, indices=indices))
    assert caught.value.outcome is Outcome.UNKNOWN


@pytest.mark.requirement("BAT-01")
def test_usage_is_shared_out_by_size_and_adds_up() -> None:
    """Bytes of text, numbers of tokens; what cannot be shared is left out."""
    results = parted([part("aa"), part("aaaa"), part("é")], answer(0, 1, 2, usage=(8, 16)))
    assert [(r.usage.prompt_tokens, r.usage.total_tokens) for r in results] == [(2, 4), (4, 8), (2, 4)]
    assert [r.usage.model_extra for r in results] == [{}] * 3
    tokens = parted([part([7, 7, 7]), part([[7]])], answer(0, 1, usage=(4, 4)))
    assert [r.usage.prompt_tokens for r in tokens] == [3, 1]


@pytest.mark.requirement("BAT-01")
def test_usage_that_was_not_told_is_not_made_up() -> None:
    """Neither the whole nor a number in it."""
    assert [r.usage for r in parted([part("a"), part("b")], answer(0, 1))] == [None, None]
    half = answer(0, 1, usage=(8, 16))
    half.usage.prompt_tokens = None
    assert [(r.usage.prompt_tokens, r.usage.total_tokens) for r in parted([part("a"), part("b")], half)] == [
        (None, 8),
        (None, 8),
    ]


@given(st.lists(st.text(max_size=8), min_size=2, max_size=20), st.integers(0, 10**12))
def test_whole_tokens_are_shared_and_none_is_lost(texts: list[str], tokens: int) -> None:
    """Nobody's share is off by a whole token; empty texts count evenly when there is nothing else."""
    parts = [Part("k", call(text), [text]) for text in texts]
    results = parted(parts, answer(*[0.0] * len(texts), usage=(tokens, tokens)))
    shares = [result.usage.prompt_tokens for result in results]
    assert sum(shares) == tokens
    sizes = [len(text.encode("utf-8", "replace")) for text in texts]
    sizes = sizes if any(sizes) else [1] * len(sizes)
    assert all(abs(share * sum(sizes) - tokens * size) < sum(sizes) for share, size in zip(shares, sizes, strict=True))


@pytest.mark.requirement("BAT-01", "CCH-01")
def test_a_caller_that_wants_bytes_gets_bytes_of_its_own_part() -> None:
    """As a middleware in front does, to keep them."""
    asked = part("a")._replace(operation=keeping_body(call("a")))
    first, _ = parted([asked, part("b")], answer(0.5, 1.5, usage=(2, 2)))
    found = kept(call("a"), first)
    assert vectors(found.result) == [(0, [0.5])]
    assert json.loads(found.body)["data"] == [{"index": 0, "embedding": [0.5]}]


@pytest.mark.requirement("BAT-01")
@pytest.mark.parametrize(
    ("error", "is_split"),
    [
        (errors.MalformedRequest("400", outcome=Outcome.REJECTED, http_status=400), True),
        (errors.InvalidFieldValue("400", outcome=Outcome.REJECTED, param="input"), True),
        (errors.InvalidFieldValue("400", outcome=Outcome.REJECTED, param="$.input[2]"), True),
        (errors.TooManyTokens("400", outcome=Outcome.REJECTED), True),
        (errors.TokenLimitExceeded("429", outcome=Outcome.REJECTED), True),
        (errors.SerializationError("too large"), True),
        (errors.ContentFiltered("400", outcome=Outcome.REJECTED), True),
        (errors.InvalidFieldValue("400", outcome=Outcome.REJECTED, param="model"), False),
        (errors.MalformedRequest("200", outcome=Outcome.UNKNOWN), False),
        (errors.TooManyRequests("429", outcome=Outcome.REJECTED), False),
        (errors.QuotaExceeded("429", outcome=Outcome.REJECTED), False),
        (errors.InternalServerError("500", outcome=Outcome.UNKNOWN), False),
        (errors.InvalidApiKey("401", outcome=Outcome.REJECTED), False),
        (errors.NotFound("404", outcome=Outcome.REJECTED), False),
        (RuntimeError("no"), False),
    ],
)
def test_only_one_inputs_fault_that_was_not_processed_is_asked_again(error: Exception, is_split: bool) -> None:
    """Halving a batch is no retry: what may have been billed is not sent twice."""
    assert may_be_one_inputs_fault(error) is is_split


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"max_batch_size": 0}, "max_batch_size must be from 1 to 2048 inputs, not 0"),
        ({"max_batch_size": 2049}, "max_batch_size must be from 1 to 2048 inputs, not 2049"),
        ({"max_wait_ms": -1.0}, "max_wait_ms must be zero or more milliseconds, not -1.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings: dict[str, Any], text: str) -> None:
    """The text names the field and what would be accepted."""
    with pytest.raises(ValueError, match=f"^{text}$"):
        BatchPolicy(**settings)
