import copy
import json
import pickle
from collections.abc import Callable

import pytest

from adapter_api import Attempt, ErrorKind, InvalidTask, Outcome, TaskCancelled, Variant, WorkerError

ATTEMPT = Attempt(
    number=1,
    outcome=Outcome.REJECTED,
    reason="rate_limited",
    http_status=429,
    delay=0.0,
    elapsed=0.25,
    endpoint="https://127.0.0.1:8443",
)
FULL = {
    "retriable": False,
    "retry_after_ms": 1500,
    "outcome": Outcome.REJECTED,
    "http_status": 429,
    "attempts": [ATTEMPT],
    "upstream_request_id": "req-1",
}


def full() -> WorkerError:
    """An error with every fact."""
    return WorkerError("rate_limited", "the upstream answered 429", **FULL)


EVERY_KIND = [
    full(),
    WorkerError("idle_timeout", "no byte for 30 s", streaming=True),
    InvalidTask("prompt", "expected a text, got int"),
    TaskCancelled(),
    TaskCancelled("stopped", outcome=Outcome.UNKNOWN, attempts=[ATTEMPT], http_status=200, upstream_request_id="req-2"),
]


@pytest.mark.requirement("ADP-06", "HTU-ERR-4003")
def test_an_error_takes_code_variant_and_advice_from_its_reason() -> None:
    """With a reason and a message alone, the table gives the rest and no fact is invented."""
    error = WorkerError("rate_limited", "the upstream answered 429")
    assert (error.code, error.variant, error.retriable) == (ErrorKind.ADMISSION_REJECT, Variant.ADAPTER, True)
    assert (error.reason, error.message) == ("rate_limited", "the upstream answered 429")
    assert (error.retry_after_ms, error.outcome, error.http_status, error.upstream_request_id) == (None,) * 4
    assert error.attempts == ()


@pytest.mark.requirement("ADP-06")
def test_an_error_carries_the_facts_it_is_given() -> None:
    """Each keyword is a field; the upstream's own advice wins over the table's."""
    error = full()
    assert error.retriable is False
    assert (error.retry_after_ms, error.http_status, error.upstream_request_id) == (1500, 429, "req-1")
    assert error.outcome is Outcome.REJECTED
    assert error.attempts == (ATTEMPT,)
    assert WorkerError("not_found", "no such model", retriable=True).retriable is True


@pytest.mark.requirement("ADAPT-3002", "HTU-ERR-4002")
def test_after_started_a_timeout_is_the_decoders() -> None:
    """The same reason maps to another code once the stream has started."""
    before, after = (WorkerError("idle_timeout", "silence", streaming=streaming) for streaming in (False, True))
    assert (before.code, before.variant) == (ErrorKind.POOL_UNAVAILABLE, Variant.POOL_UNAVAILABLE)
    assert (after.code, after.variant) == (ErrorKind.DECODE_TIMEOUT, Variant.DECODE_TIMEOUT)


@pytest.mark.requirement("ADP-05", "ADP-06", "WA-INT-3008")
def test_the_payload_of_an_error_is_a_frame_as_it_is() -> None:
    """Every fact is in the payload, in plain values that JSON takes unchanged."""
    assert full().payload() == {
        "code": "ADMISSION_REJECT",
        "reason": "rate_limited",
        "message": "the upstream answered 429",
        "retriable": False,
        "retry_after_ms": 1500,
        "outcome": "REJECTED",
        "http_status": 429,
        "upstream_request_id": "req-1",
        "attempts": [ATTEMPT.as_dict()],
    }
    assert json.loads(json.dumps(full().payload())) == full().payload()


@pytest.mark.requirement("ADP-05")
def test_absent_facts_are_left_out_of_the_payload() -> None:
    """A payload without facts has the four fields that are always there, and no null."""
    payload = WorkerError("truncated", "no end", retry_after_ms=None).payload()
    assert payload == {"code": "WORKER_RESET", "reason": "truncated", "message": "no end", "retriable": True}


@pytest.mark.requirement("ADP-05")
def test_a_retry_after_of_zero_is_a_fact() -> None:
    """Now is a time too: 0 ms is written."""
    assert WorkerError("rate_limited", "later", retry_after_ms=0).payload()["retry_after_ms"] == 0


@pytest.mark.requirement("ADP-06", "WA-INT-3008", "HTU-ERR-4004")
@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "reason", ["rate_limited", "idle_timeout", "content_timeout", "reset", "truncated", "internal"]
)
def test_an_error_survives_its_payload(reason: str, streaming: bool) -> None:
    """What a payload describes equals the error that wrote it, before and after `started`."""
    error = WorkerError(reason, "why", streaming=streaming, **FULL)
    assert WorkerError.from_payload(json.loads(json.dumps(error.payload()))) == error


def test_a_payload_of_a_newer_minor_keeps_its_reason_and_its_code() -> None:
    """A reason that this version does not know is not turned into another."""
    error = WorkerError.from_payload({"reason": "melted", "code": "POOL_UNREADY", "message": "hot", "retriable": True})
    assert (error.reason, error.code, error.retriable) == ("melted", ErrorKind.POOL_UNREADY, True)


@pytest.mark.parametrize("code", [None, "NO_SUCH_CODE"])
def test_a_payload_with_a_code_that_nobody_knows_takes_the_reasons(code: str | None) -> None:
    """A missing or unknown code falls back on the table."""
    error = WorkerError.from_payload({"reason": "rate_limited", "code": code})
    assert (error.code, error.message, error.retriable) == (ErrorKind.ADMISSION_REJECT, "", True)


def test_an_empty_payload_is_an_internal_error() -> None:
    """A source that says nothing about its failure has a bug."""
    error = WorkerError.from_payload({})
    assert (error.reason, error.code, error.attempts) == ("internal", ErrorKind.INTERNAL, ())


@pytest.mark.requirement("ERR-12")
@pytest.mark.parametrize("error", EVERY_KIND, ids=repr)
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_pickles_and_copies_with_all_its_facts(
    error: WorkerError, again: Callable[[WorkerError], WorkerError]
) -> None:
    """The copy is of the same class, equal in every field, and prints the same."""
    twin = again(error)
    assert type(twin) is type(error)
    assert vars(twin) == vars(error)
    assert twin == error
    assert hash(twin) == hash(error)
    assert (str(twin), repr(twin), twin.args) == (str(error), repr(error), error.args)


@pytest.mark.requirement("ERR-12")
def test_a_pickle_holds_neither_cause_nor_traceback() -> None:
    """What failed below may hold a socket or a key: it stays here."""
    error = full()
    error.__cause__ = OSError("sk-secret")
    with pytest.raises(WorkerError):
        raise error
    assert error.__traceback__
    assert b"sk-secret" not in pickle.dumps(error)
    again = pickle.loads(pickle.dumps(error))
    assert (again.__cause__, again.__traceback__) == (None, None)


@pytest.mark.requirement("ERR-12")
@pytest.mark.parametrize("fact", [*FULL, "reason", "message", "streaming"])
def test_errors_that_differ_in_one_fact_are_not_equal(fact: str) -> None:
    """Equality looks at every fact."""
    facts = {"reason": "idle_timeout", "message": "a", "streaming": False} | FULL
    other = facts | {fact: {"reason": "reset", "message": "b", "streaming": True, "retriable": True}.get(fact, ())}
    if fact == "attempts":
        other["attempts"] = [ATTEMPT, ATTEMPT]
    assert WorkerError(**facts) == WorkerError(**facts)
    assert WorkerError(**facts) != WorkerError(**other)


def test_errors_of_different_classes_are_not_equal() -> None:
    """An `InvalidTask` is not the plain error with the same words."""
    plain = WorkerError("invalid_task", "prompt: x")
    assert plain != InvalidTask("prompt", "x")
    assert plain != "ADMISSION_REJECT"


@pytest.mark.requirement("ERR-12")
def test_an_error_prints_its_code_reason_and_message_on_one_line() -> None:
    """`str` is for a log line, `repr` shows the class and the facts."""
    assert str(full()) == "ADMISSION_REJECT (rate_limited): the upstream answered 429"
    assert str(TaskCancelled()) == "TaskCancelled (cancelled): the task was cancelled before it started"
    assert repr(WorkerError("truncated", "no end")) == (
        "WorkerError({'code': 'WORKER_RESET', 'reason': 'truncated', 'message': 'no end', 'retriable': True})"
    )
    assert repr(InvalidTask("seed", "x")).startswith("InvalidTask({")


@pytest.mark.requirement("ADP-13")
def test_an_invalid_task_names_its_field() -> None:
    """It is a `WorkerError`, a `ValueError`, and says which field is wrong in a field of its own."""
    error = InvalidTask("messages[2].role", "expected a text")
    assert isinstance(error, WorkerError)
    assert isinstance(error, ValueError)
    assert (error.code, error.reason, error.retriable) == (ErrorKind.INVALID_PARAMS, "invalid_task", False)
    assert (error.field, error.message) == ("messages[2].role", "messages[2].role: expected a text")


@pytest.mark.requirement("OQ-01")
def test_a_cancelled_task_is_nobodys_error() -> None:
    """It has no code and no advice to retry, and may say what the upstream had done until then."""
    error = TaskCancelled(outcome=Outcome.UNKNOWN, attempts=[ATTEMPT])
    assert isinstance(error, WorkerError)
    assert (error.code, error.variant, error.retriable) == (None, Variant.TASK_CANCELLED, False)
    assert (error.outcome, error.attempts) == (Outcome.UNKNOWN, (ATTEMPT,))


def test_the_ledger_of_an_error_does_not_change_with_the_list_it_came_from() -> None:
    """The attempts are copied into a tuple."""
    attempts = [ATTEMPT]
    error = WorkerError("rate_limited", "later", attempts=attempts)
    attempts.clear()
    assert error.attempts == (ATTEMPT,)
