"""The attempt ledger of one call."""

from __future__ import annotations

import pytest

from adapter_api.outcome import Attempt, Outcome
from http_util.attempt_ledger import AttemptLedger
from http_util.errors import Interrupted, StatusFailure


@pytest.mark.requirement("HTU-05")
def test_a_ledger_holds_a_line_for_each_attempt_in_order() -> None:
    """Numbers, outcomes, delays and durations are noted, also in the failure itself."""
    ledger = AttemptLedger()
    failure = StatusFailure("busy", reason="rate_limited", outcome=Outcome.REJECTED, http_status=429)
    ledger.begin("https://a:443", 10.0)
    line = ledger.failed(10.5, failure)
    ledger.begin("https://a:443", 12.5, delay=2.0)
    ledger.succeeded(13.5, http_status=200, upstream_request_id="req-2")
    assert failure.attempts == (line,)
    assert ledger.attempts == (
        Attempt(
            number=1,
            outcome=Outcome.REJECTED,
            reason="rate_limited",
            http_status=429,
            delay=0.0,
            elapsed=0.5,
            endpoint="https://a:443",
        ),
        Attempt(
            number=2,
            outcome=None,
            reason=None,
            http_status=200,
            delay=2.0,
            elapsed=1.0,
            endpoint="https://a:443",
            upstream_request_id="req-2",
        ),
    )


def test_a_clock_that_goes_back_gives_no_negative_duration() -> None:
    """Durations are zero or more."""
    ledger = AttemptLedger()
    ledger.begin("https://a:443", 5.0)
    assert ledger.succeeded(4.0, http_status=200, upstream_request_id=None).elapsed == 0.0


@pytest.mark.requirement("HTU-05")
def test_a_failure_between_two_attempts_has_the_ledger_and_the_last_outcome() -> None:
    """Before the first attempt nothing was sent; in the pause behind one, that one says what may have been done."""
    ledger = AttemptLedger()
    stopped = Interrupted("stopped", reason="cancelled", outcome=Outcome.UNKNOWN)
    assert ledger.outside_attempts(stopped).outcome is Outcome.NOT_SENT
    line = ledger.failed(1.0, StatusFailure("busy", reason="rate_limited", outcome=Outcome.REJECTED, http_status=429))
    between = ledger.outside_attempts(stopped)
    assert (between.outcome, between.attempts, between.reason) == (Outcome.REJECTED, (line,), "cancelled")
