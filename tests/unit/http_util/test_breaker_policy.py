"""The rules of a breaker: what a call's end says, when it opens, and which settings are refused."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from adapter_api.outcome import Outcome
from adapter_api.reasons import REASONS
from http_util import breaker_policy
from http_util.breaker_policy import COUNTED_REASONS, BreakerPolicy, speaks_against_upstream
from http_util.breaker_states import Signal
from http_util.breaker_window import CallWindow
from http_util.classify import classify_status
from http_util.errors import (
    DeadlineExceeded,
    HttpFailure,
    Interrupted,
    PolicyFailure,
    ProtocolFailure,
    StatusFailure,
    TimeoutFailure,
    TransportFailure,
)


def status(*numbers: int) -> list[HttpFailure]:
    """Return the failures for some statuses."""
    return [classify_status(number, {}, b"", 0.0) for number in numbers]


def failures(kind: type[HttpFailure], outcome: Outcome, *reasons: str, **facts: object) -> list[HttpFailure]:
    """Return a failure for each of *reasons*."""
    return [kind("x", reason=reason, outcome=outcome, **facts) for reason in reasons]


# the rows of the module's table, and failures of each
ROWS: dict[str, list[HttpFailure | None]] = {
    "well: a whole answer, or a stream with its end": [None],
    "5xx, 529": [
        *status(500, 501, 502, 503, 504, 522, 529, 599),
        *failures(StatusFailure, Outcome.UNKNOWN, "server_error", "overloaded", http_status=200),
    ],
    "no connection: refused, no such name, TLS, connect_timeout": [
        *failures(TransportFailure, Outcome.NOT_SENT, "connection_failed", "dns_failed", "tls_failed"),
        *failures(TimeoutFailure, Outcome.NOT_SENT, "connect_timeout"),
    ],
    "a timer ran out: write, first byte, idle, content": [
        *failures(TimeoutFailure, Outcome.UNKNOWN, "write_timeout", "first_byte_timeout", "idle_timeout"),
        *failures(TimeoutFailure, Outcome.PARTIAL, "idle_timeout", "content_timeout"),
    ],
    "a connection or a stream that broke: reset, truncated": [
        *failures(TransportFailure, Outcome.UNKNOWN, "reset"),
        *failures(TransportFailure, Outcome.NOT_SENT, "reset"),
        *failures(TransportFailure, Outcome.PARTIAL, "truncated", "reset", http_status=200),
    ],
    "an answer that is none: protocol, content_type, decode": [
        *failures(ProtocolFailure, Outcome.UNKNOWN, "protocol", "content_type", "decode", http_status=200),
        *failures(ProtocolFailure, Outcome.PARTIAL, "protocol", "decode", http_status=200),
        *failures(ProtocolFailure, Outcome.UNKNOWN, "protocol"),
    ],
    "4xx: the upstream is alive and says no": [
        *status(400, 401, 403, 404, 408, 409, 410, 418, 422, 425, 429),
        *failures(StatusFailure, Outcome.REJECTED, "quota_exceeded", "context_length", http_status=429),
    ],
    "3xx": status(301, 307),
    "an error inside a 200 that speaks of the request": failures(
        StatusFailure, Outcome.UNKNOWN, "content_filtered", "context_length", "rate_limited", http_status=200
    ),
    "no place: pool_timeout, rate_limited, queue_full, token_limit": [
        *failures(TimeoutFailure, Outcome.NOT_SENT, "pool_timeout"),
        *failures(PolicyFailure, Outcome.NOT_SENT, "rate_limited", "queue_full", "token_limit"),
    ],
    "refused here: egress, circuit_open, a request that is no HTTP": [
        *failures(PolicyFailure, Outcome.NOT_SENT, "egress_denied", "circuit_open", "invalid_base_url"),
        *failures(ProtocolFailure, Outcome.NOT_SENT, "protocol"),
    ],
    "the caller's doing: cancelled, closed, deadline": [
        *failures(Interrupted, Outcome.UNKNOWN, "cancelled", "closed"),
        *failures(DeadlineExceeded, Outcome.UNKNOWN, "deadline"),
    ],
}


def documented() -> dict[str, Signal]:
    """Return the rows of the table in the module's docstring."""
    text = breaker_policy.__doc__ or ""
    return {
        row: Signal[said]
        for row, said in re.findall(r"^(\S.*?) +(SUCCESS|FAILURE|ABANDONED)$", text, flags=re.MULTILINE)
    }


@pytest.mark.requirement("CB-04")
def test_the_documented_rows_are_those_that_are_tested() -> None:
    """Neither a row without an example nor an example without a row."""
    assert set(documented()) == set(ROWS)


@pytest.mark.requirement("CB-04")
@pytest.mark.parametrize(
    ("row", "failure"), [(row, failure) for row, examples in ROWS.items() for failure in examples], ids=repr
)
def test_each_end_of_a_call_says_what_the_table_says(row: str, failure: HttpFailure | None) -> None:
    """Only what speaks against the upstream counts, only what shows it alive is a success, and the rest is no news."""
    assert BreakerPolicy().verdict(failure) is documented()[row]


@pytest.mark.requirement("CB-04")
@pytest.mark.parametrize("reason", sorted(REASONS))
def test_no_failure_under_a_200_is_ever_a_success(reason: str) -> None:
    """A proxy's error page must not close a breaker."""
    (failure,) = failures(ProtocolFailure, Outcome.UNKNOWN, reason, http_status=200)
    assert BreakerPolicy().verdict(failure) is not Signal.SUCCESS


def test_the_list_of_what_counts_is_whole_and_has_an_example_of_each() -> None:
    """Every counted reason is one of the contract's (a misspelt one would never count) and stands in a row above."""
    shown = {
        failure.reason for row, examples in ROWS.items() for failure in examples if documented()[row] is Signal.FAILURE
    }
    assert shown == COUNTED_REASONS
    assert set(REASONS) >= COUNTED_REASONS


@pytest.mark.requirement("CB-04")
def test_the_predicate_may_be_another_one() -> None:
    """Someone may want rate limits to count; what does not count is then judged as ever."""
    policy = BreakerPolicy(counts=lambda failure: failure.http_status == 429)
    assert [policy.verdict(failure) for failure in status(429, 400, 500)] == [
        Signal.FAILURE,
        Signal.SUCCESS,
        Signal.ABANDONED,
    ]


def test_a_policy_is_a_value() -> None:
    """It compares, pickles and copies with its predicate, and does not show it."""
    policy = BreakerPolicy(failure_rate=0.5)
    assert policy == pickle.loads(pickle.dumps(policy)) == copy.deepcopy(policy) == BreakerPolicy(failure_rate=0.5)
    assert pickle.loads(pickle.dumps(policy)).counts is speaks_against_upstream
    assert policy != BreakerPolicy(failure_rate=0.5, counts=callable)
    assert "function" not in repr(policy)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("failure_threshold", 0),
        ("minimum_calls", 0),
        ("success_threshold", 0),
        ("max_probes", 0),
        ("failure_window", 0),
        ("recovery_timeout", float("nan")),
        ("failure_rate", 0.0),
        ("failure_rate", 1.1),
        ("counts", None),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_the_name_of_its_field(field: str, value: object) -> None:
    """The text names the field and what is accepted."""
    with pytest.raises(ValueError, match=f"^{field} must be"):
        BreakerPolicy(**{field: value})


def window(*, failed: int, well: int) -> CallWindow:
    """Return a window with so many calls at the moment 0."""
    calls = CallWindow(60.0, most_failures=5)
    for number in range(failed + well):
        calls.note(0.0, failed=number < failed)
    return calls


@pytest.mark.requirement("CB-01")
@pytest.mark.parametrize(
    ("rate", "failed", "well", "opens"),
    [
        (None, 4, 0, False),
        (None, 5, 0, True),
        (None, 5, 10_000, True),
        (0.5, 5, 5, True),
        (0.5, 5, 6, False),
        (0.5, 5, 10_000, False),
        (0.5, 5_000, 5_001, False),
        (0.5, 5_000, 5_000, True),
        (0.1, 9, 0, False),
        (0.1, 9, 1, True),
        (0.1, 4, 8, False),
        (1.0, 10, 0, True),
        (1.0, 10, 1, False),
    ],
)
def test_a_rate_is_asked_for_beside_the_number_and_among_enough_calls(
    rate: float | None, failed: int, well: int, opens: bool
) -> None:
    """Five failures, ten calls: below either, at both, and above."""
    assert BreakerPolicy(failure_rate=rate).opens(window(failed=failed, well=well), 0.0) is opens
