"""The circuit breaker: every cell of its table, its windows, its probes, its hooks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_api.outcome import Outcome
from adapter_api.reasons import REASONS
from http_util.breaker import (
    COUNTED_REASONS,
    TRANSITIONS,
    Breaker,
    BreakerPolicy,
    Breakers,
    BreakerStats,
    CallSettled,
    Rejected,
    Signal,
    State,
    StateChanged,
)
from http_util.classify import classify_status
from http_util.errors import Interrupted, PolicyFailure, TimeoutFailure

POLICY = BreakerPolicy(failure_threshold=2, success_threshold=2, failure_window=60.0, recovery_timeout=30.0)


STEPS = ["admit", "success", "failure", "abandon"]


def in_state(state: State, policy: BreakerPolicy = POLICY, **more: object) -> tuple[Breaker, float]:
    """Return a breaker in *state*, and the time it is there."""
    breaker, now = Breaker(policy, **more), 0.0
    if state is not State.CLOSED:
        for _ in range(policy.failure_threshold):
            breaker.settle_failure(breaker.admit(now), now)
    if state is State.HALF_OPEN:
        now = policy.recovery_timeout
    assert breaker.state_at(now) is state
    return breaker, now


EXPECTED = {
    (State.CLOSED, Signal.FAILURES_REACHED): State.OPEN,
    (State.OPEN, Signal.RECOVERY_DUE): State.HALF_OPEN,
    (State.HALF_OPEN, Signal.FAILURE): State.OPEN,
    (State.HALF_OPEN, Signal.FAILURES_REACHED): State.OPEN,
    (State.HALF_OPEN, Signal.SUCCESSES_REACHED): State.CLOSED,
}


@pytest.mark.requirement("CB-01")
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("signal", Signal)
def test_every_cell_of_the_table_is_filled_and_only_five_change_the_state(state: State, signal: Signal) -> None:
    """All other signals leave the breaker where it is."""
    assert TRANSITIONS[state][signal] is EXPECTED.get((state, signal), state)


@pytest.mark.requirement("CB-01")
def test_the_whole_way_round_with_the_default_numbers() -> None:
    """Five failures open it, after 30 seconds one probe passes, three successes close it."""
    breaker = Breaker()
    for now in range(4):
        breaker.settle_failure(breaker.admit(now), now)
    assert breaker.state_at(4) is State.CLOSED
    breaker.settle_failure(breaker.admit(4), 4)
    assert breaker.state_at(33.9) is State.OPEN
    for now in (34.0, 35.0, 36.0):
        assert breaker.state_at(now) is State.HALF_OPEN
        breaker.settle_success(breaker.admit(now), now)
    assert breaker.state_at(36.0) is State.CLOSED


@pytest.mark.requirement("CB-01")
def test_failures_count_only_inside_the_window() -> None:
    """Two failures 60 seconds apart open it, 60.1 seconds apart do not, whatever succeeds in between."""
    for distance, state in ((60.0, State.OPEN), (60.1, State.CLOSED)):
        breaker = Breaker(POLICY)
        breaker.settle_failure(breaker.admit(0.0), 0.0)
        breaker.settle_success(breaker.admit(1.0), 1.0)
        breaker.settle_failure(breaker.admit(distance), distance)
        assert breaker.state_at(distance) is state


@pytest.mark.requirement("CB-07")
def test_an_open_breaker_refuses_with_the_time_that_is_left() -> None:
    """The failure is typed, not sent, and names the endpoint."""
    breaker, _ = in_state(State.OPEN, endpoint="https://a:443")
    with pytest.raises(PolicyFailure, match="circuit breaker for https://a:443 is open") as caught:
        breaker.admit(10.0)
    assert (caught.value.reason, caught.value.outcome, caught.value.retry_after) == (
        "circuit_open",
        Outcome.NOT_SENT,
        20.0,
    )


@pytest.mark.requirement("CB-06")
@pytest.mark.parametrize("probes", [1, 3])
def test_half_open_admits_only_so_many_probes_at_once(probes: int) -> None:
    """Of ten callers at the same moment, the limit passes; a settled probe makes room."""
    policy = BreakerPolicy(failure_threshold=1, success_threshold=9, max_probes=probes)
    breaker, now = in_state(State.HALF_OPEN, policy)
    permits, refused = [], 0
    for _ in range(10):
        try:
            permits.append(breaker.admit(now))
        except PolicyFailure as failure:
            refused += 1
            assert failure.retry_after is None  # noqa: PT017 - some of the ten pass
    assert (len(permits), refused) == (probes, 10 - probes)
    breaker.settle_success(permits[0], now)
    breaker.admit(now)


@pytest.mark.requirement("CB-06")
def test_a_cancelled_probe_makes_room_for_the_next_one() -> None:
    """It neither closes nor opens the breaker."""
    breaker, now = in_state(State.HALF_OPEN)
    breaker.abandon(breaker.admit(now), now)
    assert breaker.state_at(now) is State.HALF_OPEN
    breaker.settle_success(breaker.admit(now), now)
    breaker.settle_success(breaker.admit(now), now)
    assert breaker.state_at(now) is State.CLOSED


@pytest.mark.requirement("CB-06")
def test_a_probe_that_is_never_settled_does_not_wedge_the_breaker() -> None:
    """After the recovery time another one passes, and the forgotten one may still report."""
    breaker, now = in_state(State.HALF_OPEN)
    forgotten = breaker.admit(now)
    with pytest.raises(PolicyFailure):
        breaker.admit(now + 29.9)
    breaker.settle_success(breaker.admit(now + 30.0), now + 30.0)
    breaker.settle_success(forgotten, now + 31.0)
    assert breaker.state_at(now + 31.0) is State.CLOSED


@pytest.mark.requirement("CB-01")
def test_a_failed_probe_opens_the_breaker_for_the_whole_time_again() -> None:
    """And the series of successes begins at nothing."""
    breaker, now = in_state(State.HALF_OPEN)
    breaker.settle_success(breaker.admit(now), now)
    breaker.settle_failure(breaker.admit(now), now)
    assert breaker.state_at(now + 29.9) is State.OPEN
    assert breaker.state_at(now + 30.0) is State.HALF_OPEN
    breaker.settle_success(breaker.admit(now + 30.0), now + 30.0)
    assert breaker.state_at(now + 30.0) is State.HALF_OPEN


@pytest.mark.parametrize("end", ["settle_success", "settle_failure", "abandon"])
def test_calls_of_an_earlier_state_change_nothing(end: str) -> None:
    """A slow call from before the breaker opened does not act as a probe."""
    breaker = Breaker(POLICY)
    slow = [breaker.admit(0.0) for _ in range(5)]
    for _ in range(2):
        breaker.settle_failure(breaker.admit(0.0), 0.0)
    getattr(breaker, end)(slow[0], 1.0)
    assert breaker.state_at(1.0) is State.OPEN
    assert breaker.state_at(30.0) is State.HALF_OPEN
    for permit in slow[1:]:
        getattr(breaker, end)(permit, 30.0)
    assert breaker.state_at(30.0) is State.HALF_OPEN


def test_a_permit_counts_once() -> None:
    """Settling it again is ignored."""
    breaker = Breaker(POLICY)
    permit = breaker.admit(0.0)
    for _ in range(3):
        breaker.settle_failure(permit, 0.0)
        breaker.settle_success(permit, 0.0)
        breaker.abandon(permit, 0.0)
    assert breaker.state_at(0.0) is State.CLOSED
    assert (breaker.stats.failure_count, breaker.stats.success_count) == (1, 0)


@pytest.mark.requirement("CB-04")
@pytest.mark.parametrize(
    ("failure", "signal"),
    [
        (None, Signal.SUCCESS),
        (classify_status(500, {}, b"", 0.0), Signal.FAILURE),
        (classify_status(503, {}, b"", 0.0), Signal.FAILURE),
        (TimeoutFailure("x", reason="idle_timeout", outcome=Outcome.PARTIAL), Signal.FAILURE),
        (classify_status(400, {}, b"", 0.0), Signal.SUCCESS),
        (classify_status(401, {}, b"", 0.0), Signal.SUCCESS),
        (classify_status(429, {}, b"", 0.0), Signal.SUCCESS),
        (Interrupted("x", reason="cancelled", outcome=Outcome.UNKNOWN), Signal.ABANDONED),
        (PolicyFailure("x", reason="egress_denied", outcome=Outcome.NOT_SENT), Signal.ABANDONED),
    ],
    ids=repr,
)
def test_only_what_speaks_against_the_upstream_counts(failure: object, signal: Signal) -> None:
    """Server errors and timeouts count; a client's mistake shows a living upstream; a cancellation shows nothing."""
    seen: list[CallSettled] = []
    listener = type("Listener", (), {"on_outcome": staticmethod(seen.append)})
    breaker = Breaker(POLICY, endpoint="e", hooks=[listener])
    breaker.settle(breaker.admit(0.0), failure, 0.0)
    assert seen == [CallSettled(endpoint="e", signal=signal)]


def test_the_predicate_may_be_another_one() -> None:
    """Someone may want rate limits to count."""
    breaker = Breaker(BreakerPolicy(failure_threshold=1))
    busy = classify_status(429, {}, b"", 0.0)
    breaker.settle(breaker.admit(0.0), busy, 0.0, counts=lambda failure: failure.http_status == 429)
    assert breaker.state_at(0.0) is State.OPEN


def test_the_counted_reasons_exist_in_the_contract() -> None:
    """A misspelt reason would never count."""
    assert set(REASONS) >= COUNTED_REASONS


@pytest.mark.requirement("CB-02", "CB-03")
def test_hooks_hear_of_changes_refusals_and_outcomes_with_the_numbers() -> None:
    """One record each."""
    seen: list[object] = []
    listener = type(
        "Listener", (), {name: staticmethod(seen.append) for name in ("on_state_change", "on_rejected", "on_outcome")}
    )
    breaker = Breaker(BreakerPolicy(failure_threshold=1), endpoint="e", hooks=[listener])
    breaker.settle_failure(breaker.admit(1.0), 2.0)
    with pytest.raises(PolicyFailure):
        breaker.admit(12.0, request_id="r-1")
    stats = BreakerStats(failure_count=1, success_count=0, total_requests=1, last_failure=2.0, state_changed_at=2.0)
    assert seen == [
        CallSettled(endpoint="e", signal=Signal.FAILURE),
        StateChanged(endpoint="e", old=State.CLOSED, new=State.OPEN, stats=stats),
        Rejected(endpoint="e", request_id="r-1", retry_after=20.0),
    ]
    assert breaker.stats.total_requests == 2
    assert "state='open'" in repr(breaker)


@pytest.mark.requirement("CB-05")
@pytest.mark.parametrize(("per_endpoint", "other_is_closed"), [(True, True), (False, False)])
def test_endpoints_have_one_circuit_together_or_one_each(per_endpoint: bool, other_is_closed: bool) -> None:
    """As the policy says."""
    breakers = Breakers(BreakerPolicy(failure_threshold=1, per_endpoint=per_endpoint))
    circuit = breakers.circuit("a")
    circuit.settle_failure(circuit.admit(0.0), 0.0)
    assert breakers.circuit("a") is circuit
    assert (breakers.circuit("b").state_at(0.0) is State.CLOSED) is other_is_closed


@pytest.mark.parametrize(
    "field", ["failure_threshold", "success_threshold", "max_probes", "failure_window", "recovery_timeout"]
)
def test_a_policy_that_makes_no_sense_is_refused_by_the_name_of_its_field(field: str) -> None:
    """Zero is too little for each of them."""
    with pytest.raises(ValueError, match=f"^{field} must be"):
        BreakerPolicy(**{field: 0})


@pytest.mark.requirement("CB-01", "CB-06")
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["admit", "success", "failure", "abandon"]), st.floats(0, 50)), max_size=60
    )
)
def test_whatever_happens_a_breaker_never_wedges_and_never_exceeds_its_probes(steps: list[tuple[str, float]]) -> None:
    """After any history, within one recovery time and a bit, somebody is let through again."""
    breaker, now, open_permits = Breaker(POLICY), 0.0, []
    for step, pause in steps:
        now += pause
        if step == "admit":
            half_open = breaker.state_at(now) is State.HALF_OPEN
            try:
                open_permits.append(breaker.admit(now))
            except PolicyFailure:
                continue
            if half_open:
                assert len(breaker._probes) <= POLICY.max_probes
        elif open_permits:
            ends = {"success": breaker.settle_success, "failure": breaker.settle_failure, "abandon": breaker.abandon}
            ends[step](open_permits.pop(0), now)
    breaker.admit(now + POLICY.recovery_timeout + 0.001)
