"""Retrying as tenacity does it with our rules: both loops, hooks, budget, the last real error."""

from __future__ import annotations

import asyncio

import pytest
import structlog
import tenacity

from adapter_api.outcome import Outcome
from http_util.deadline import Deadline
from http_util.errors import HttpFailure, StatusFailure, TimeoutFailure
from http_util.retry import AVAILABLE, BILLING_SAFE, GiveUp, Retry, RetryPolicy, Stop
from http_util.retry_budget import RetryBudget
from http_util.retry_plan import RetryPlan
from http_util.telemetry import ABORT, ExhaustedRecord, RetryRecord
from http_util.testing import FakeClock, FakeSyncClock, FixedRandom

ENDPOINT = "https://a:443"


def busy(number: int = 503, **facts: object) -> StatusFailure:
    """Return a failure that every policy repeats."""
    return StatusFailure(f"busy {number}", reason="service_unavailable", outcome=Outcome.REJECTED, **facts)


class Upstream:
    """Raises what its script holds, then answers."""

    def __init__(self, *script: BaseException) -> None:
        self.script = list(script)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.script:
            raise self.script.pop(0)
        return "answer"

    async def later(self) -> str:
        """Do the same asynchronously."""
        return self()


class Listener:
    """Remembers what it was told and answers what it was given."""

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.retries: list[RetryRecord] = []
        self.exhausted: list[ExhaustedRecord] = []

    def on_retry(self, record: RetryRecord) -> object:
        """Answer a coming retry."""
        self.retries.append(record)
        return self.answer

    def on_exhausted(self, record: ExhaustedRecord) -> None:
        """Note the end."""
        self.exhausted.append(record)


def blocking(
    upstream: Upstream, clock: FakeSyncClock, policy: RetryPolicy | None = BILLING_SAFE, **more: object
) -> str:
    """Run a call through tenacity's blocking loop."""
    plan = RetryPlan(policy, clock=clock, rng=FixedRandom(1.0), endpoint=ENDPOINT, **more)
    return tenacity.Retrying(sleep=clock.sleep, **plan.keywords())(upstream)


async def awaited(
    upstream: Upstream, clock: FakeClock, policy: RetryPolicy | None = BILLING_SAFE, **more: object
) -> str:
    """Run a call through tenacity's asynchronous loop."""
    plan = RetryPlan(policy, clock=clock, rng=FixedRandom(1.0), endpoint=ENDPOINT, **more)
    return await tenacity.AsyncRetrying(sleep=clock.sleep, **plan.keywords())(upstream.later)


@pytest.mark.requirement("HTU-1002", "REL-08")
async def test_both_loops_pause_as_the_policy_says_and_return_the_answer() -> None:
    """Three failures are followed by pauses of 0.1, 0.2 and 0.4 seconds in either colour."""
    clock, sync_clock = FakeClock(auto=True), FakeSyncClock()
    assert await awaited(Upstream(busy(), busy(), busy()), clock) == "answer"
    assert blocking(Upstream(busy(), busy(), busy()), sync_clock) == "answer"
    assert clock.sleeps == sync_clock.sleeps == pytest.approx([0.1, 0.2, 0.4])


@pytest.mark.requirement("HTU-05")
async def test_what_is_raised_in_the_end_is_the_last_real_error_itself() -> None:
    """Neither tenacity's wrapper nor the first error."""
    failures = [busy(n) for n in range(4)]
    with pytest.raises(HttpFailure) as caught:
        await awaited(Upstream(*failures), FakeClock(auto=True))
    assert caught.value is failures[3]
    with pytest.raises(HttpFailure) as caught:
        blocking(Upstream(*failures), FakeSyncClock())
    assert caught.value is failures[3]


def test_without_a_policy_there_is_one_attempt() -> None:
    """Nothing is retried unless a policy was handed in."""
    upstream = Upstream(busy())
    with pytest.raises(StatusFailure):
        blocking(upstream, FakeSyncClock(), policy=None)
    assert upstream.calls == 1


@pytest.mark.parametrize("error", [ValueError("bug"), KeyboardInterrupt(), asyncio.CancelledError()])
async def test_bugs_and_cancellation_pass_through_at_once(error: BaseException) -> None:
    """Only failures of HTTP are retried; a cancellation is never swallowed or repeated."""
    upstream = Upstream(error)
    with pytest.raises(type(error)):
        await awaited(upstream, FakeClock(auto=True), policy=AVAILABLE, replay_safe=True)
    assert upstream.calls == 1


async def test_a_cancellation_during_the_pause_ends_the_call() -> None:
    """The pause is an await like any other."""
    clock, upstream = FakeClock(), Upstream(busy())
    task = asyncio.create_task(awaited(upstream, clock))
    await clock.settle()
    assert clock.sleeps == pytest.approx([0.1])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clock.next_due() is None


@pytest.mark.requirement("HTU-06")
def test_no_pause_goes_beyond_the_deadline() -> None:
    """The third pause of 0.4 seconds does not fit into what is left of half a second."""
    clock, upstream = FakeSyncClock(), Upstream(*[busy()] * 4)
    with pytest.raises(StatusFailure):
        blocking(upstream, clock, deadline=Deadline(0.5))
    assert upstream.calls == 3
    assert clock.monotonic() < 0.5


@pytest.mark.requirement("RTY-02")
def test_a_hook_hears_of_each_retry_and_may_change_the_pause() -> None:
    """The answer Retry(delay) is obeyed; the record names attempt, failure, planned pause and policy."""
    clock, hook = FakeSyncClock(), Listener(Retry(3.0))
    failed = busy()
    assert blocking(Upstream(failed), clock, hooks=[hook]) == "answer"
    assert clock.sleeps == [3.0]
    assert hook.retries == [RetryRecord(attempt=1, failure=failed, next_delay=0.1, policy="billing_safe")]
    assert hook.exhausted == []


@pytest.mark.requirement("RTY-02", "RTY-03")
def test_a_hook_may_abort_and_then_hears_once_that_the_call_is_given_up() -> None:
    """An abort wins over other hooks' answers."""
    failed, first, second = busy(), Listener(ABORT), Listener(Retry(0.0))
    upstream = Upstream(failed)
    with pytest.raises(StatusFailure):
        blocking(upstream, FakeSyncClock(), hooks=[first, second])
    assert upstream.calls == 1
    assert first.exhausted == [ExhaustedRecord(failure=failed, attempts=1, stop=Stop.HOOK, policy="billing_safe")]


@pytest.mark.requirement("RTY-02")
def test_a_hook_without_an_answer_leaves_the_policys_pause() -> None:
    """None means Default."""
    clock = FakeSyncClock()
    blocking(Upstream(busy()), clock, hooks=[Listener(None), object()])
    assert clock.sleeps == [0.1]


def test_a_hooks_pause_cannot_break_the_deadline() -> None:
    """A pause behind the deadline ends the call."""
    clock = FakeSyncClock()
    with pytest.raises(StatusFailure):
        blocking(Upstream(busy()), clock, hooks=[Listener(Retry(9.0))], deadline=Deadline(5.0))
    assert clock.sleeps == []


@pytest.mark.requirement("RTY-03")
def test_a_call_that_is_given_up_is_reported_once_with_its_attempts() -> None:
    """After four attempts, one record."""
    hook = Listener()
    with pytest.raises(StatusFailure):
        blocking(Upstream(*[busy()] * 4), FakeSyncClock(), hooks=[hook])
    assert [(record.attempts, record.stop) for record in hook.exhausted] == [(4, Stop.EXHAUSTED)]


def test_an_empty_retry_budget_ends_the_call() -> None:
    """The budget is shared by calls: what one spends the next one lacks."""
    budget = RetryBudget(capacity=10)
    assert blocking(Upstream(busy(), busy()), FakeSyncClock(), budget=budget) == "answer"
    hook = Listener()
    with pytest.raises(StatusFailure):
        blocking(Upstream(busy()), FakeSyncClock(), budget=budget, hooks=[hook])
    assert hook.exhausted[0].stop is Stop.BUDGET


def test_a_plan_knows_what_the_current_attempt_has_cost() -> None:
    """Nothing at first; after a timeout the dearer price; what could not be paid is not what was paid."""
    late = TimeoutFailure("x", reason="connect_timeout", outcome=Outcome.NOT_SENT)
    budget = RetryBudget(capacity=15)
    plan = RetryPlan(BILLING_SAFE, clock=FakeSyncClock(), rng=FixedRandom(1.0), endpoint=ENDPOINT, budget=budget)
    assert plan.paid == 0.0
    plan.decide(busy(), attempt=1)
    assert plan.paid == 5.0
    plan.decide(late, attempt=2)
    assert plan.paid == 10.0
    assert plan.decide(busy(), attempt=3) == GiveUp(Stop.BUDGET)
    assert (plan.paid, budget.available(ENDPOINT, 0.0)) == (10.0, 0.0)


def test_a_retry_that_a_hook_aborts_costs_nothing() -> None:
    """The budget is asked last."""
    budget = RetryBudget()
    with pytest.raises(StatusFailure):
        blocking(Upstream(busy()), FakeSyncClock(), budget=budget, hooks=[Listener(ABORT)])
    assert budget.available(ENDPOINT, 0.0) == 500.0


@pytest.mark.requirement("RTY-01")
def test_the_policys_own_time_counts_from_the_first_attempt() -> None:
    """It had begun three of the five seconds ago; the pauses of 1 second fit once."""
    policy = RetryPolicy(name="timed", base=1.0, multiplier=1.0, jitter=0.0, total_timeout=5.0)
    clock, hook, upstream = FakeSyncClock(now=3.0), Listener(), Upstream(*[busy()] * 4)
    with pytest.raises(StatusFailure):
        blocking(upstream, clock, policy=policy, began=0.0, hooks=[hook])
    assert (upstream.calls, hook.exhausted[0].stop) == (2, Stop.TOTAL_TIMEOUT)
    clock, upstream = FakeSyncClock(now=3.0), Upstream(*[busy()] * 3)
    assert blocking(upstream, clock, policy=policy) == "answer"


@pytest.mark.requirement("RTY-01", "RTY-02")
def test_a_hooks_pause_cannot_break_the_policys_own_time() -> None:
    """As it cannot break the deadline."""
    policy, clock, hook = RetryPolicy(name="timed", total_timeout=5.0), FakeSyncClock(), Listener(Retry(5.1))
    with pytest.raises(StatusFailure):
        blocking(Upstream(busy()), clock, policy=policy, hooks=[hook])
    assert (clock.sleeps, hook.exhausted[0].stop) == ([], Stop.TOTAL_TIMEOUT)


@pytest.mark.requirement("RTY-07")
async def test_one_policy_serves_concurrent_calls_without_mixing_them_up() -> None:
    """Each call counts its own attempts."""
    clock = FakeClock(auto=True)
    upstreams = [Upstream(*[busy()] * n) for n in (0, 1, 2, 3)]
    assert await asyncio.gather(*(awaited(upstream, clock) for upstream in upstreams)) == ["answer"] * 4
    assert [upstream.calls for upstream in upstreams] == [1, 2, 3, 4]


@pytest.mark.requirement("HTU-16", "LOG-06")
def test_decisions_are_logged_at_debug_without_bodies() -> None:
    """The line has attempt, delay, reason and the upstream's id of the request."""
    with structlog.testing.capture_logs() as lines:
        blocking(Upstream(busy(upstream_request_id="req-1", body=b"prompt")), FakeSyncClock())
    assert lines == [
        {
            "event": "retrying",
            "log_level": "debug",
            "attempt": 1,
            "delay": 0.1,
            "policy": "billing_safe",
            "reason": "service_unavailable",
            "outcome": "REJECTED",
            "upstream_request_id": "req-1",
        },
    ]


def test_the_delay_of_the_current_attempt_is_known() -> None:
    """The ledger needs it."""
    clock = FakeSyncClock()
    plan = RetryPlan(BILLING_SAFE, clock=clock, rng=FixedRandom(1.0), endpoint=ENDPOINT)
    assert plan.delay == 0.0
    assert plan.decide(busy(retry_after=2.0), attempt=1) == Retry(2.0)
    keywords = plan.keywords()
    upstream = Upstream(busy(retry_after=2.0))
    assert tenacity.Retrying(sleep=clock.sleep, **keywords)(upstream) == "answer"
    assert plan.delay == 2.0


def test_a_plan_without_a_policy_gives_up() -> None:
    """The decision is the same as for a failure that no policy repeats."""
    plan = RetryPlan(None, clock=FakeSyncClock(), rng=FixedRandom(1.0), endpoint=ENDPOINT)
    assert plan.decide(busy(), attempt=1) == GiveUp(Stop.NOT_RETRIED)
