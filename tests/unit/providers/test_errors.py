from __future__ import annotations

import copy
import pickle

import pytest
from pydantic import ValidationError

from adapter_api import REASONS, Outcome, reason_row
from openai_client import errors
from openai_client.errors import OpenAIError
from openai_client.types import CreateCompletionResponse
from providers import ProviderError, StreamRefused, provider_error

LEAVES = sorted(
    (
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, OpenAIError) and kind._is_leaf
    ),
    key=lambda kind: kind.__name__,
)
UPSTREAM_TEXT = "upstream says: key k-0123456789, prompt 'hello'"


@pytest.mark.requirement("ERR-22", "PRV-06")
@pytest.mark.parametrize("leaf", LEAVES)
def test_every_leaf_of_the_tree_is_one_class_with_status_502(leaf):
    """The facts that are ours stay, the upstream's text does not."""
    error = provider_error(leaf(UPSTREAM_TEXT, outcome=Outcome.REJECTED, retry_after=1.5), request_id="r-1")
    assert type(error) is ProviderError
    assert error.http_status == 502
    assert error.reason == leaf.default_reason
    assert (error.outcome, error.retry_after, error.request_id) == (Outcome.REJECTED, 1.5, "r-1")
    assert error.is_retryable == leaf(UPSTREAM_TEXT).is_retryable
    assert str(error) == f"the provider failed: {REASONS[error.reason].meaning} ({error.reason})"


@pytest.mark.requirement("ERR-22")
def test_the_tree_has_the_leaves_that_were_counted():
    """The projection was tested with all of them."""
    assert len(LEAVES) == 33


@pytest.mark.requirement("ERR-22", "PRV-06")
@pytest.mark.parametrize("reason", [*REASONS, "sk-0123456789 is no reason"])
def test_every_reason_has_a_message_of_ours(reason):
    """A name that the list does not know is not repeated."""
    error = ProviderError(reason)
    row = reason_row(reason)
    assert (error.reason, error.is_retryable) == (row.name, row.retriable)
    assert "sk-" not in str(error)
    assert "sk-" not in repr(error)


def broken_answer() -> Exception:
    """What pydantic raises for an answer that is none."""
    with pytest.raises(ValidationError) as caught:
        CreateCompletionResponse.from_wire(b'{"choices": "secret"}')
    return caught.value


@pytest.mark.requirement("ERR-22", "PRV-06")
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(UPSTREAM_TEXT), "deadline"),
        (ConnectionResetError(UPSTREAM_TEXT), "connection_failed"),
        (broken_answer(), "decode"),
        (KeyError(UPSTREAM_TEXT), "internal"),
    ],
)
def test_what_other_libraries_raise_is_the_same_class(error, reason):
    """Also bugs: nothing else leaves a provider."""
    projected = provider_error(error)
    assert (type(projected), projected.reason, projected.outcome) == (ProviderError, reason, None)
    assert "secret" not in str(projected)


def test_a_provider_error_stays_what_it_is():
    """Providers may raise them themselves."""
    error = ProviderError("overloaded")
    assert provider_error(error, request_id="r-1") is error


@pytest.mark.parametrize(
    "error", [ProviderError("truncated", request_id="r-1", outcome=Outcome.PARTIAL), StreamRefused(request_id="r-2")]
)
def test_errors_pickle_and_copy_and_are_equal_by_value(error):
    """They cross processes."""
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert twin == error
        assert hash(twin) == hash(error)
        assert str(twin) == str(error)
    assert error != ProviderError("truncated")
    assert error != "truncated"


@pytest.mark.requirement("PRV-09", "CF-23")
def test_a_refused_stream_is_the_callers_mistake_and_names_the_field():
    """A service answers it with 400; whoever catches all failures of providers catches it too."""
    error = StreamRefused(request_id="r-1")
    assert isinstance(error, ProviderError)
    assert isinstance(error, ValueError)
    assert (error.http_status, error.param, error.reason, error.is_retryable) == (
        400,
        "stream",
        "invalid_field_value",
        False,
    )
    assert str(error).startswith("stream: ")
