"""The two projections of the error tree: total over the reasons."""

from __future__ import annotations

import pytest

from adapter_api import REASONS, Outcome, TaskCancelled
from openai_client.errors import TooManyRequests
from worker_adapters.openai_http.worker_errors import SERVICE_KINDS, ServiceKind, worker_error


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
