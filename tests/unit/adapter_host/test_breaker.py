import pytest

from adapter_host.breaker import Breaker, BreakerPolicy, BreakerState

POLICY = BreakerPolicy(failure_threshold=3, success_threshold=2, failure_window=60.0, recovery_timeout=30.0)

pytestmark = pytest.mark.requirement("ORCH-3602")


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(3):
        breaker.failed(breaker.admit(at), at)
    return breaker


def test_it_stays_closed_one_failure_below_the_threshold():
    """Two failures of three leave it closed."""
    breaker = Breaker(POLICY)
    for _ in range(2):
        breaker.failed(breaker.admit(0.0), 0.0)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.admit(0.0) is not None


def test_it_opens_at_the_threshold_and_admits_nobody():
    """The third failure opens it; the time to a trial is told."""
    breaker = opened(at=5.0)
    assert breaker.state is BreakerState.OPEN
    assert breaker.admit(34.9) is None
    assert breaker.retry_after(15.0) == 20.0
    assert repr(breaker) == "Breaker(open, 0 failures)"


def test_failures_count_within_the_window_only():
    """A failure that is a whole window old no longer counts."""
    breaker = Breaker(POLICY)
    for at in (0.0, 30.0, 60.0):
        breaker.failed(breaker.admit(at), at)
    assert breaker.state is BreakerState.CLOSED
    breaker.failed(breaker.admit(61.0), 61.0)
    assert breaker.state is BreakerState.OPEN


def test_success_while_closed_changes_nothing():
    """Good calls do not wipe out failures: only the window does."""
    breaker = Breaker(POLICY)
    for _ in range(2):
        breaker.failed(breaker.admit(0.0), 0.0)
    breaker.succeeded(breaker.admit(0.0))
    breaker.failed(breaker.admit(0.0), 0.0)
    assert breaker.state is BreakerState.OPEN


def test_one_trial_at_a_time_after_the_recovery_timeout():
    """At the moment itself a trial is admitted, a second one is not."""
    breaker = opened()
    assert breaker.admit(30.0).is_trial
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.admit(30.0) is None
    assert breaker.retry_after(30.0) == 0.0


def test_enough_good_trials_close_it():
    """Two good trials in a row close it."""
    breaker = opened()
    for _ in range(2):
        assert breaker.state is not BreakerState.CLOSED
        breaker.succeeded(breaker.admit(30.0))
    assert breaker.state is BreakerState.CLOSED
    assert not breaker.admit(30.0).is_trial


def test_a_failed_trial_opens_it_again_for_the_whole_time():
    """The recovery starts from the failed trial."""
    breaker = opened()
    breaker.failed(breaker.admit(31.0), 31.0)
    assert breaker.admit(60.9) is None
    assert breaker.admit(61.0).is_trial


def test_a_cancelled_trial_does_not_wedge_it():
    """An abandoned trial gives its place to the next."""
    breaker = opened()
    breaker.abandoned(breaker.admit(30.0))
    assert breaker.admit(30.0).is_trial


@pytest.mark.parametrize("report", ["succeeded", "failed", "abandoned"])
def test_results_from_before_the_last_change_are_ignored(report: str):
    """A call admitted while closed says nothing about the trial that runs later."""
    breaker = Breaker(POLICY)
    early = breaker.admit(0.0)
    for _ in range(3):
        breaker.failed(breaker.admit(0.0), 0.0)
    trial = breaker.admit(30.0)
    arguments = (early, 30.0) if report == "failed" else (early,)
    getattr(breaker, report)(*arguments)
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.admit(30.0) is None
    breaker.succeeded(trial)
    assert breaker.admit(30.0) is not None
