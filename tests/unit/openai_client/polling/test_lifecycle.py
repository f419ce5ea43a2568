"""How work ends, against the API's description."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from codegen.description import load_description, load_settings
from http_util.redact import MESSAGE_LIMIT
from openai_client import InvalidState, OpenAIError, Timeout, WorkFailed, WorkUnfinished
from openai_client.polling import lifecycle
from openai_client.types import Batch, RunObject

if TYPE_CHECKING:
    from openai_client.polling.lifecycle import Lifecycle

SCHEMAS = load_description(load_settings().overrides)["components"]["schemas"]
GOES_ON: dict[str, tuple[Lifecycle, str]] = {
    "Batch": (lifecycle.BATCH, "cancelling finalizing in_progress validating"),
    "FineTuningJob": (lifecycle.FINE_TUNING_JOB, "queued running validating_files"),
    "OpenAIFile": (lifecycle.FILE, "uploaded"),
    "Response": (lifecycle.RESPONSE, "in_progress queued"),
    "RunObject": (lifecycle.RUN, "cancelling in_progress queued"),
    "VectorStoreFileBatchObject": (lifecycle.VECTOR_STORE_FILE_BATCH, "in_progress"),
    "VectorStoreFileObject": (lifecycle.VECTOR_STORE_FILE, "in_progress"),
    "VectorStoreObject": (lifecycle.VECTOR_STORE, "in_progress"),
    "VideoResource": (lifecycle.VIDEO, "in_progress queued"),
}


def states_of(schema: str) -> set[str]:
    """The states that the description has for a kind of work."""
    found: set[str] = set()
    waiting = [SCHEMAS[schema]]
    while waiting:
        one = waiting.pop()
        if "$ref" in one:
            waiting.append(SCHEMAS[one["$ref"].rpartition("/")[2]])
        elif "enum" in one:
            found |= set(one["enum"])
        else:
            waiting += [one["properties"]["status"]] if "status" in one.get("properties", {}) else one.get("allOf", [])
    return found


@pytest.mark.requirement("CLI-20")
@pytest.mark.parametrize("schema", GOES_ON)
def test_every_state_of_the_description_is_accounted_for(schema: str) -> None:
    """It is an end, good or bad, or one that is known to pass."""
    kind, goes_on = GOES_ON[schema]
    states = states_of(schema)
    assert len(states) > 1
    assert {state for state in states if not kind.has_ended(state)} == set(goes_on.split())
    assert not kind.done & kind.failed


@pytest.mark.requirement("CLI-20", "FWD-02")
def test_an_unknown_state_is_waited_through_and_no_state_is_an_end() -> None:
    """A new state fails nobody; an object of a server that knows no states is no work."""
    assert not lifecycle.RUN.has_ended("thinking")
    assert lifecycle.RUN.has_ended(None)


@pytest.mark.requirement("CLI-20", "ERR-12")
def test_the_error_of_failed_work_carries_the_object_and_shows_nothing_of_it() -> None:
    """Code and words of the object's error are its facts; repr, equality, copies and pickles leave the object out."""
    run: Any = RunObject.model_validate(
        {
            "id": "run_1",
            "status": "failed",
            "instructions": "secret prompt",
            "last_error": {"code": "x", "message": "y"},
        }
    )
    with pytest.raises(WorkFailed, match=r"^run run_1 is failed: y$") as caught:
        lifecycle.RUN.ended(run)
    error = caught.value
    assert isinstance(error, InvalidState)
    assert error.result is run
    assert (error.code, error.category.value, error.is_retryable) == ("x", "Api", False)
    assert "secret prompt" not in repr(error) + str(error.payload())
    twin = pickle.loads(pickle.dumps(error))
    assert (twin, twin.result, copy.copy(error).result) == (error, None, None)
    assert isinstance(OpenAIError.from_payload(error.payload()), InvalidState)


@pytest.mark.requirement("CLI-20")
def test_work_without_an_error_object_says_its_state() -> None:
    """A batch that expired has none."""
    with pytest.raises(WorkFailed, match=r"^batch b is expired$") as caught:
        lifecycle.BATCH.ended(Batch.model_validate({"id": "b", "status": "expired"}))
    assert caught.value.code is None


@pytest.mark.requirement("CLI-20", "ERR-12")
def test_the_error_of_unfinished_work_is_a_timeout_with_the_object() -> None:
    """And may be waited for again."""
    batch = Batch.model_validate({"id": "b", "status": "in_progress"})
    error = lifecycle.BATCH.unfinished(batch, 12.3)
    assert isinstance(error, WorkUnfinished)
    assert isinstance(error, Timeout)
    assert str(error) == "batch b is still in_progress after 12 s; it goes on"
    assert (error.result, error.reason, error.is_retryable) == (batch, "deadline", True)
    assert isinstance(OpenAIError.from_payload(error.payload()), Timeout)


@pytest.mark.requirement("CLI-20", "SEC-16")
def test_a_batch_says_its_first_error_and_no_credential() -> None:
    """It has a list of them; the message is cut and redacted like every other."""
    errors = {"data": [{"code": "invalid", "message": "sk-0123456789abcdef0123456789 " + "x" * 999}, {"message": "b"}]}
    batch = Batch.model_validate({"id": "b", "status": "failed", "errors": errors})
    with pytest.raises(WorkFailed, match=r"^batch b is failed: ") as caught:
        lifecycle.BATCH.ended(batch)
    assert caught.value.code == "invalid"
    assert "xxx" in str(caught.value)
    assert "0123456789abcdef" not in str(caught.value)
    assert len(str(caught.value)) <= MESSAGE_LIMIT
