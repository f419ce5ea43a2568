"""The words of a refusal: what is full, whose it is, when it is not; and never that something was sent."""

from __future__ import annotations

import pytest

from adapter_api import Outcome
from http_util.call import LimitedCall
from http_util.errors import DeadlineExceeded, PolicyFailure
from http_util.rate_limit import Limited, LimitType, RateLimits
from http_util.rate_refusals import NOTHING_SENT, in_vain, no_room, not_now, too_large

ASK = LimitedCall(endpoint="https://a:443", family="", request_id=None, tokens=7)
LIMITED = Limited(LimitType.TOKENS_PER_DAY, 12.5)


@pytest.mark.requirement("RL-03")
@pytest.mark.parametrize(
    ("failure", "reason", "text"),
    [
        (not_now(ASK, LIMITED, 10.0), "rate_limited", ""),
        (in_vain(ASK, LIMITED, 10.0), "rate_limited", ", which is not before the call's deadline"),
        (no_room(ASK, LIMITED, 10.0, 3), "queue_full", ", and 3 calls wait already (max_queue_size)"),
    ],
)
def test_a_refusal_names_the_limit_and_the_moment(failure: PolicyFailure, reason: str, text: str) -> None:
    """NOT_SENT, with the same seconds in the text and as a fact."""
    assert failure == PolicyFailure(
        f"tokens_per_day: the limit at https://a:443 is reached; the next call may start in 2.500 s{text}",
        reason=reason,
        outcome=Outcome.NOT_SENT,
        retry_after=2.5,
    )


def test_a_moment_that_has_passed_is_now() -> None:
    """No negative pause."""
    assert not_now(ASK, LIMITED, 13.0).retry_after == 0.0


@pytest.mark.requirement("RL-02")
def test_a_call_that_is_too_large_is_told_the_budget() -> None:
    """And no moment, for there is none."""
    [row] = RateLimits(tokens_per_day=5).rows()
    failure = too_large(ASK, row)
    assert failure.retry_after is None
    assert "7 tokens, and the whole budget is 5" in failure.message


@pytest.mark.requirement("RL-03")
def test_what_ends_a_wait_says_that_nothing_was_sent() -> None:
    """Other errors, and failures that say so already, pass unchanged."""
    with pytest.raises(DeadlineExceeded) as caught, NOTHING_SENT:
        raise DeadlineExceeded("late", reason="deadline", outcome=Outcome.UNKNOWN)
    assert caught.value.outcome is Outcome.NOT_SENT
    same = not_now(ASK, LIMITED, 0.0)
    with pytest.raises(PolicyFailure) as refusal, NOTHING_SENT:
        raise same
    assert refusal.value is same
    with pytest.raises(ZeroDivisionError), NOTHING_SENT:
        raise ZeroDivisionError
