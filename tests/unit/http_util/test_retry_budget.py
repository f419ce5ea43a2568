"""The retry budget: an outage is not amplified."""

from __future__ import annotations

import pytest

from http_util.retry_budget import RetryBudget

A, B = "https://a:443", "https://b:443"


def test_a_bucket_is_spent_and_refilled_by_time() -> None:
    """Two retries at once, then one every two seconds."""
    budget = RetryBudget(capacity=2, per_second=0.5)
    assert [budget.spend(A, 0.0) for _ in range(3)] == [True, True, False]
    assert [budget.spend(A, now) for now in (1.0, 2.0, 3.0, 4.0)] == [False, True, False, True]


def test_a_bucket_never_holds_more_than_its_capacity() -> None:
    """A long silence buys no more than a full bucket."""
    budget = RetryBudget(capacity=2, per_second=1.0)
    budget.spend(A, 0.0)
    assert budget.available(A, 1e9) == 2.0


def test_successes_pay_for_retries() -> None:
    """Ten successes bring one retry when time brings none."""
    budget = RetryBudget(capacity=1, per_second=0.0, per_success=0.1)
    assert budget.spend(A, 0.0)
    for _ in range(9):
        budget.credit(A, 0.0)
    assert not budget.spend(A, 0.0)
    budget.credit(A, 0.0)
    budget.credit(A, 0.0)
    assert budget.spend(A, 0.0)


def test_endpoints_do_not_pay_for_each_other() -> None:
    """Each has its own bucket."""
    budget = RetryBudget(capacity=1, per_second=0.0)
    assert budget.spend(A, 0.0)
    assert not budget.spend(A, 0.0)
    assert budget.spend(B, 0.0)


def test_a_clock_that_goes_back_costs_nothing() -> None:
    """Tokens are neither taken nor given."""
    budget = RetryBudget(capacity=2, per_second=1.0)
    budget.spend(A, 10.0)
    assert budget.available(A, 5.0) == 1.0


def test_full_buckets_and_old_endpoints_are_forgotten() -> None:
    """Memory is bounded however many endpoints there were."""
    budget = RetryBudget(capacity=2, per_second=0.0, per_success=1.0)
    budget.spend(A, 0.0)
    budget.credit(A, 0.0)
    assert "<0 endpoints in use>" in repr(budget)
    for number in range(2000):
        budget.spend(f"https://host-{number}:443", 0.0)
    assert "<1024 endpoints in use>" in repr(budget)


@pytest.mark.parametrize("wrong", [{"capacity": 0.5}, {"per_second": -1.0}, {"per_success": float("nan")}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    """The text names what is wrong."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RetryBudget(**wrong)
