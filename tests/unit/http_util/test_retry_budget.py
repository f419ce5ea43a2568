"""The retry budget: an outage is not amplified."""

from __future__ import annotations

import re
import threading
import time
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_api.outcome import Outcome
from http_util import retry_budget
from http_util.errors import StatusFailure, TimeoutFailure
from http_util.retry import GiveUp, RetryPolicy
from http_util.retry_budget import CAPACITY, RETRY_COST, SUCCESS_CREDIT, TIMEOUT_COST, RetryBudget
from http_util.retry_plan import RetryPlan
from http_util.testing import FakeSyncClock

if TYPE_CHECKING:
    from collections.abc import Callable

A, B = "https://a:443", "https://b:443"
BUSY = StatusFailure("x", reason="service_unavailable", outcome=Outcome.REJECTED)
LATE = TimeoutFailure("x", reason="first_byte_timeout", outcome=Outcome.UNKNOWN)


def test_the_documented_numbers_are_those_of_the_code() -> None:
    """The table in the module's docstring."""
    rows = dict(re.findall(r"^(\w.*?)  +([-+\d].*|back .*)$", retry_budget.__doc__ or "", flags=re.MULTILINE))
    assert rows == {
        "a bucket at its beginning, full": f"{CAPACITY:.0f}",
        "a retry after a timeout": f"-{TIMEOUT_COST:.0f}",
        "any other retry": f"-{RETRY_COST:.0f}",
        "a retry succeeds": "back what it cost",
        "a first attempt succeeds": f"+{SUCCESS_CREDIT:.0f}",
        "a second passes": "0",
    }
    assert repr(RetryBudget()) == (
        "RetryBudget(capacity=500.0, retry_cost=5.0, timeout_cost=10.0, success_credit=1.0, per_second=0.0, "
        "<0 endpoints in use>)"
    )


def test_a_hundred_retries_may_follow_one_another_and_fifty_after_timeouts() -> None:
    """The price depends on the failure."""
    for failure, retries in ((BUSY, 100), (LATE, 50)):
        budget = RetryBudget()
        paid = [budget.spend(A, 0.0, budget.price(failure)) for _ in range(200)]
        assert paid == [True] * retries + [False] * (200 - retries)


def test_what_is_not_enough_is_not_taken() -> None:
    """A retry that is too dear leaves the bucket for a cheaper one."""
    budget = RetryBudget(capacity=19)
    assert [budget.spend(A, 0.0, cost) for cost in (10.0, 10.0, 5.0, 5.0)] == [True, False, True, False]
    assert budget.available(A, 0.0) == 4.0


def test_a_retry_that_succeeds_gets_back_what_it_cost_and_a_first_attempt_brings_one() -> None:
    """So retries that help are free."""
    budget = RetryBudget()
    budget.spend(A, 0.0, 10.0)
    budget.spend(A, 0.0, 5.0)
    budget.credit(A, 0.0, paid=5.0)
    assert budget.available(A, 0.0) == 490.0
    budget.credit(A, 0.0)
    assert budget.available(A, 0.0) == 491.0


def test_five_successes_pay_for_one_retry_in_an_empty_bucket() -> None:
    """Four do not."""
    budget = RetryBudget(capacity=10)
    budget.spend(A, 0.0, 10.0)
    for _ in range(4):
        budget.credit(A, 0.0)
    assert not budget.spend(A, 0.0, 5.0)
    budget.credit(A, 0.0)
    assert budget.spend(A, 0.0, 5.0)


def test_a_bucket_may_be_refilled_by_time_and_never_holds_more_than_its_capacity() -> None:
    """Half a token a second where that is asked for; by default nothing, however long the silence."""
    budget, silent = RetryBudget(capacity=10, per_second=0.5), RetryBudget(capacity=10)
    for each in (budget, silent):
        each.spend(A, 0.0, 10.0)
    assert [budget.available(A, now) for now in (0.0, 1.0, 20.0, 1e9)] == [0.0, 0.5, 10.0, 10.0]
    assert silent.available(A, 1e9) == 0.0


def test_endpoints_do_not_pay_for_each_other() -> None:
    """Each has its own bucket."""
    budget = RetryBudget(capacity=10)
    assert budget.spend(A, 0.0, 10.0)
    assert not budget.spend(A, 0.0, 5.0)
    assert budget.spend(B, 0.0, 5.0)


def test_a_clock_that_goes_back_costs_nothing() -> None:
    """Tokens are neither taken nor given."""
    budget = RetryBudget(capacity=10, per_second=1.0)
    budget.spend(A, 10.0, 5.0)
    assert budget.available(A, 5.0) == 5.0


def test_full_buckets_and_old_endpoints_are_forgotten() -> None:
    """Memory is bounded however many endpoints there were."""
    budget = RetryBudget()
    budget.spend(A, 0.0, 5.0)
    budget.credit(A, 0.0, paid=5.0)
    budget.credit(B, 0.0)
    assert "<0 endpoints in use>" in repr(budget)
    for number in range(2000):
        budget.spend(f"https://host-{number}:443", 0.0, 5.0)
    assert "<1024 endpoints in use>" in repr(budget)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("capacity", {"capacity": 9.9}),
        ("capacity", {"capacity": float("nan")}),
        ("retry_cost", {"retry_cost": 0.0}),
        ("timeout_cost", {"timeout_cost": -1.0}),
        ("per_second", {"per_second": -1.0}),
        ("success_credit", {"success_credit": float("nan")}),
    ],
)
def test_settings_out_of_range_are_refused(name: str, settings: dict[str, float]) -> None:
    """The text names what is wrong."""
    with pytest.raises(ValueError, match=f"^{name} must be"):
        RetryBudget(**settings)


EVENTS = st.lists(st.sampled_from(["first succeeds", "retry succeeds", "retry fails", "retry times out"]), max_size=300)


@given(events=EVENTS)
def test_retries_that_fail_are_paid_for_by_the_bucket_and_by_first_successes(events: list[str]) -> None:
    """Never more than capacity and credits buy; and the bucket stays between nothing and its capacity."""
    budget, failed, successes = RetryBudget(capacity=50), 0.0, 0
    for event in events:
        if event == "first succeeds":
            budget.credit(A, 0.0)
            successes += 1
            continue
        cost = budget.price(LATE if event == "retry times out" else BUSY)
        if not budget.spend(A, 0.0, cost):
            assert budget.available(A, 0.0) < cost
        elif event == "retry succeeds":
            budget.credit(A, 0.0, paid=cost)
        else:
            failed += cost
        assert 0 <= budget.available(A, 0.0) <= 50
    assert failed <= 50 + successes * SUCCESS_CREDIT


CALLERS = 2_000
POLICY = RetryPolicy(name="eager", retries_unknown=True)


def load(budget: RetryBudget | None, failing: float, rng: Random) -> int:
    """Return the requests that the callers make of an upstream that fails this part of them."""
    clock, requests = FakeSyncClock(), 0
    for _ in range(CALLERS):
        plan = RetryPlan(POLICY, clock=clock, rng=rng, endpoint=A, replay_safe=True, budget=budget)
        for attempt in range(1, POLICY.max_attempts + 1):
            requests += 1
            if rng.random() >= failing:
                if budget is not None:
                    budget.credit(A, clock.monotonic(), plan.paid)
                break
            if isinstance(plan.decide(BUSY, attempt=attempt), GiveUp):
                break
    return requests


@pytest.mark.requirement("HTU-1002")
@pytest.mark.parametrize(
    ("failing", "without", "factor"), [(1.0, 4.0, 1.05), (0.9, 3.4, 1.1), (0.5, 1.8, 1.35), (0.01, 1.01, 1.02)]
)
def test_an_outage_is_not_amplified(failing: float, without: float, factor: float) -> None:
    """
    Two thousand callers with four attempts each make a hundred requests more in an outage, not three times as many.

    Where nearly all fail it is little more, and where few fail retries are as free as without a budget.
    """
    free = load(None, failing, Random(1)) / CALLERS
    assert free >= without
    assert load(RetryBudget(), failing, Random(1)) / CALLERS <= min(free, factor)


class Moment(float):
    """A moment that gives the turn to another thread when a budget computes with it."""

    def __sub__(self, other: float) -> float:
        time.sleep(0)  # noqa: TID251 - no pause: it gives the turn away where a race would show
        return float(self) - other


@pytest.mark.requirement("REL-04")
def test_threads_cannot_spend_a_token_twice_and_lose_no_credit() -> None:
    """Of eight times a hundred tries at a full bucket, a hundred get through; then each success is counted."""
    budget, got = RetryBudget(), []

    def crowd(work: Callable[[], None]) -> None:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def earn() -> None:
        for _ in range(50):
            budget.credit(A, Moment(1.0))

    crowd(lambda: got.extend([budget.spend(A, Moment(1.0), RETRY_COST) for _ in range(100)]))
    assert (sum(got), len(got)) == (100, 800)
    crowd(earn)
    assert budget.available(A, 1.0) == 400.0
