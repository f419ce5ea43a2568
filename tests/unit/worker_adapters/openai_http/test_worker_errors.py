"""The two projections of the error tree: total over the reasons."""

from __future__ import annotations

import pytest

from adapter_api import REASONS, ErrorKind, Outcome, TaskCancelled, Variant
from openai_client import errors
from openai_client.errors import OpenAIError, TooManyRequests
from worker_adapters.openai_http.worker_errors import SERVICE_KINDS, ServiceKind, service_kind, worker_error

_INTERNAL = (Variant.INTERNAL, ErrorKind.INTERNAL, False, "Precondition")
_ACCOUNT = (Variant.POOL_UNAVAILABLE, ErrorKind.POOL_UNAVAILABLE, False, "HttpError")
_REQUEST = (Variant.ADAPTER, ErrorKind.INVALID_PARAMS, False, "HttpError")
_NOT_NOW = (Variant.ADAPTER, ErrorKind.ADMISSION_REJECT, True, "HttpError")
_UPSTREAM = (Variant.POOL_UNAVAILABLE, ErrorKind.POOL_UNAVAILABLE, True, "HttpError")
_UNREACHABLE = (Variant.POOL_UNAVAILABLE, ErrorKind.POOL_UNAVAILABLE, False, "Connection")
_UNREADABLE = (Variant.ADAPTER, ErrorKind.INTERNAL, False, "DecodeError")

BY_LEAF = {
    errors.MissingApiKey: _INTERNAL,
    errors.InvalidBaseUrl: _INTERNAL,
    errors.InvalidConfiguration: _INTERNAL,
    errors.InvalidApiKey: _ACCOUNT,
    errors.ExpiredApiKey: _ACCOUNT,
    errors.InsufficientPermissions: _ACCOUNT,
    errors.QuotaExceeded: _ACCOUNT,
    errors.MissingRequiredField: _REQUEST,
    errors.InvalidFieldValue: _REQUEST,
    errors.MalformedRequest: _REQUEST,
    # found here, before anything was sent
    errors.SerializationError: (Variant.ADAPTER, ErrorKind.INVALID_PARAMS, False, "Precondition"),
    errors.TooManyTokens: _REQUEST,
    errors.TokenLimitExceeded: _REQUEST,
    errors.ContentFiltered: _REQUEST,
    errors.SafetyViolation: _REQUEST,
    errors.RefusedByModel: _REQUEST,
    errors.NotFound: _REQUEST,
    errors.Deleted: (Variant.ADAPTER, ErrorKind.MODEL_DEPRECATED, False, "HttpError"),
    errors.AlreadyExists: _NOT_NOW,
    errors.InvalidState: _NOT_NOW,
    errors.TooManyRequests: _NOT_NOW,
    errors.ConnectionFailed: (Variant.POOL_UNAVAILABLE, ErrorKind.POOL_UNAVAILABLE, True, "Connection"),
    errors.Timeout: (Variant.POOL_UNAVAILABLE, ErrorKind.POOL_UNAVAILABLE, True, "NetworkTimeout"),
    errors.DnsResolutionFailed: _UNREACHABLE,
    errors.SslError: _UNREACHABLE,
    errors.InternalServerError: _UPSTREAM,
    errors.ServiceUnavailable: _UPSTREAM,
    errors.BadGateway: _UPSTREAM,
    errors.Overloaded: _UPSTREAM,
    errors.StreamInterrupted: (Variant.WORKER_RESET, ErrorKind.WORKER_RESET, True, "DecodeError"),
    errors.DeserializationError: _UNREADABLE,
    errors.UnexpectedResponse: _UNREADABLE,
    errors.InvalidContentType: _UNREADABLE,
}


@pytest.mark.requirement("ERR-20", "ERR-21")
def test_the_table_below_has_every_leaf_of_the_tree() -> None:
    """So that a leaf that is added gets its rows."""
    leaves = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, OpenAIError)}
    assert set(BY_LEAF) == {leaf for leaf in leaves if leaf._is_leaf}


@pytest.mark.requirement("ERR-20", "ERR-21", "HTU-ERR-4002")
@pytest.mark.parametrize("leaf", BY_LEAF)
def test_every_leaf_has_its_variant_code_advice_and_kind(leaf: type[OpenAIError]) -> None:
    """Row by row, as the requirement has it; by the reason that is the leaf's own."""
    error = worker_error(leaf("it happened", http_status=400), streaming=False)
    assert (error.variant, error.code, error.retriable, service_kind(error.reason, 400)) == BY_LEAF[leaf]


@pytest.mark.requirement("ERR-20", "ERR-21")
@pytest.mark.parametrize(
    ("error", "variant", "code", "retriable", "kind"),
    [
        (TooManyRequests("x", retry_after=2.0), "Adapter", "ADMISSION_REJECT", True, "Rejected"),
        (TooManyRequests("x", reason="slots_exhausted"), "Adapter", "ADMISSION_REJECT", True, "Rejected"),
        (TooManyRequests("x", reason="queue_full"), "Adapter", "QUEUE_FULL_DROP_LRU", True, "Rejected"),
        (errors.TokenLimitExceeded("x"), "Adapter", "INVALID_PARAMS", False, "Precondition"),
        (errors.InvalidFieldValue("x", reason="invalid_task"), "Adapter", "INVALID_PARAMS", False, "Precondition"),
        (
            errors.ServiceUnavailable("x", reason="circuit_open", retry_after=2.0),
            "PoolUnavailable",
            "POOL_UNAVAILABLE",
            True,
            "Rejected",
        ),
        (errors.Timeout("x", reason="deadline"), "DeadlineUnmet", "DEADLINE_UNMET", False, "NetworkTimeout"),
    ],
)
def test_what_this_side_says_itself_has_rows_of_its_own(
    error: OpenAIError, variant: str, code: str, retriable: bool, kind: str
) -> None:
    """Limiter, breaker, slots, deadline, and what is wrong with a task: no upstream answered."""
    made = worker_error(error, streaming=False)
    assert (made.variant, made.code, made.retriable) == (variant, code, retriable)
    assert service_kind(made.reason, made.http_status) == kind
    assert made.retry_after_ms == (None if error.retry_after is None else 2000)


@pytest.mark.requirement("ERR-20")
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.Timeout("x", reason="idle_timeout"), "DECODE_TIMEOUT"),
        (errors.Timeout("x", reason="content_timeout"), "DECODE_TIMEOUT"),
        (errors.StreamInterrupted("x", reason="reset"), "WORKER_RESET"),
        (errors.InternalServerError("x"), "POOL_UNAVAILABLE"),
    ],
)
def test_in_a_stream_a_timeout_is_the_decoders_and_a_break_the_workers(error: OpenAIError, code: str) -> None:
    """Everything else is what it is before the start."""
    assert worker_error(error, streaming=True).code == code


@pytest.mark.requirement("ERR-20")
@pytest.mark.parametrize("word", [True, False])
def test_the_upstreams_own_word_about_a_retry_is_passed_on(word: bool) -> None:
    """Whatever the reason's row advises."""
    for leaf in (errors.BadGateway, errors.NotFound):
        assert worker_error(leaf("x", retryable=word), streaming=False).retriable is word


@pytest.mark.requirement("ERR-21", "SVC-09")
def test_every_reason_has_a_kind_and_no_kind_is_empty() -> None:
    """The table knows each reason once, and none that does not exist."""
    assert set(SERVICE_KINDS) == set(REASONS)
    assert set(SERVICE_KINDS.values()) == set(ServiceKind)


@pytest.mark.requirement("ERR-21", "SVC-06", "SVC-07", "SVC-08", "SVC-09")
@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("idle_timeout", "NetworkTimeout"),
        ("deadline", "NetworkTimeout"),
        ("rate_limited", "HttpError"),
        ("server_error", "HttpError"),
        ("decode", "DecodeError"),
        ("truncated", "DecodeError"),
        ("connection_failed", "Connection"),
        ("reset", "Connection"),
        ("cancelled", "Cancelled"),
        ("configuration", "Precondition"),
        ("slots_exhausted", "Rejected"),
    ],
)
def test_the_kinds_of_the_service(reason: str, kind: str) -> None:
    """The three of the service, and one each for what they leave out."""
    assert SERVICE_KINDS[reason] == kind


@pytest.mark.requirement("ERR-20", "HTU-ERR-4002")
def test_the_facts_of_an_error_are_carried_over() -> None:
    """Reason, outcome, status, pause and ids; the code follows the reason."""
    error = worker_error(
        TooManyRequests(
            "slow down",
            reason="rate_limited",
            outcome=Outcome.REJECTED,
            http_status=429,
            retry_after=1.5,
            upstream_request_id="r-1",
        ),
        streaming=False,
    )
    assert (error.reason, error.code, error.retriable, error.retry_after_ms) == (
        "rate_limited",
        "ADMISSION_REJECT",
        True,
        1500,
    )
    assert (error.outcome, error.http_status, error.upstream_request_id) == ("REJECTED", 429, "r-1")


@pytest.mark.requirement("ERR-20", "OQ-01")
def test_a_cancelled_task_and_an_unknown_reason() -> None:
    """A cancel before the start is its own class; a reason that the contract does not know is internal."""
    cancelled = TooManyRequests("x", reason="cancelled", outcome=Outcome.NOT_SENT)
    assert isinstance(worker_error(cancelled, streaming=False), TaskCancelled)
    assert worker_error(TooManyRequests("x", reason="of the future"), streaming=False).reason == "internal"


class Unread(str):
    """A prompt that must not be looked at."""

    __slots__ = ()

    def __len__(self) -> int:
        raise AssertionError("the prompt is gone through for words of our own")


@pytest.mark.requirement("ADP-33", "ADP-50")
def test_a_prompt_is_not_gone_through_for_words_that_no_upstream_said() -> None:
    """It may have 64 MiB, and the deadline that is told of has passed; what an upstream says is another thing."""
    ours = worker_error(
        errors.Timeout("the deadline passed", reason="deadline"), streaming=False, private=[Unread("p")]
    )
    assert "the deadline passed" in str(ours)
    theirs = errors.Timeout("late: the treasure lies here", reason="first_byte_timeout", http_status=504)
    told = worker_error(theirs, streaming=False, private=["say: the treasure lies here"])
    assert "treasure" not in str(told)
