"""The circuit breaker: the way round, its probes, its refusals, its hooks and numbers."""

from __future__ import annotations

import gc
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_api.outcome import Outcome
from http_util import breaker as breaker_module
from http_util.breaker import (
    MOST_CIRCUITS,
    PROBE_PAUSE,
    Breaker,
    BreakerPolicy,
    Breakers,
    BreakerStats,
    CallSettled,
    Permit,
    Rejected,
    Signal,
    State,
    StateChanged,
)
from http_util.classify import classify_status
from http_util.errors import Interrupted, PolicyFailure, ProtocolFailure

POLICY = BreakerPolicy(failure_threshold=2, success_threshold=2, failure_window=60.0, recovery_timeout=30.0)


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


def passes(breaker: Breaker, now: float) -> Permit | None:
    """Return the leave for a call, None when it is refused."""
    try:
        return breaker.admit(now)
    except PolicyFailure:
        return None


@pytest.mark.requirement("CB-01", "REL-08")
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
def test_the_documented_defaults_are_those_of_the_code() -> None:
    """The table in the module's docstring names fields of the policy, and every state."""
    text = breaker_module.__doc__ or ""
    rows = re.findall(r"^(closed|open|half_open) .* (closed|open|half_open)$", text, flags=re.MULTILINE)
    assert rows == [("closed", "open"), ("open", "half_open"), ("half_open", "open"), ("half_open", "closed")]
    for field in re.findall(r"\*(\w+)\*", text):
        assert hasattr(POLICY, field)


@pytest.mark.requirement("CB-01")
def test_failures_count_only_inside_the_window() -> None:
    """Two failures 60 seconds apart open it, 60.1 seconds apart do not, whatever succeeds in between."""
    for distance, state in ((60.0, State.OPEN), (60.1, State.CLOSED)):
        breaker = Breaker(POLICY)
        breaker.settle_failure(breaker.admit(0.0), 0.0)
        breaker.settle_success(breaker.admit(1.0), 1.0)
        breaker.settle_failure(breaker.admit(distance), distance)
        assert breaker.state_at(distance) is state


@pytest.mark.requirement("CB-01")
def test_with_a_rate_a_busy_breaker_stays_closed_until_enough_of_its_calls_fail() -> None:
    """One failure in ten does not open it however many there are; then every call fails, and it opens at half."""
    breaker = Breaker(BreakerPolicy(failure_threshold=5, failure_rate=0.5))
    for number in range(1000):
        end = breaker.settle_failure if number % 10 == 0 else breaker.settle_success
        end(breaker.admit(0.0), 0.0)
    assert breaker.state_at(0.0) is State.CLOSED
    failing = 0
    while (permit := passes(breaker, 1.0)) is not None:
        breaker.settle_failure(permit, 1.0)
        failing += 1
    # (100 + 800) of (1000 + 800)
    assert failing == 800


@pytest.mark.requirement("CB-01")
def test_successes_and_failures_of_a_closed_spell_are_forgotten_when_it_is_over() -> None:
    """A breaker that closed again begins with an empty window."""
    breaker, now = in_state(State.HALF_OPEN)
    for _ in range(2):
        breaker.settle_success(breaker.admit(now), now)
    breaker.settle_failure(breaker.admit(now), now)
    assert breaker.state_at(now) is State.CLOSED


@pytest.mark.requirement("CB-07", "REL-05")
def test_an_open_breaker_refuses_with_the_time_that_is_left_and_with_what_went_wrong() -> None:
    """The failure is typed, not sent, and names the endpoint and the upstream's last failure."""
    breaker, _ = in_state(State.CLOSED, endpoint="https://a:443")
    for _ in range(2):
        breaker.settle(breaker.admit(0.0), classify_status(502, {}, b"", 0.0), 0.0)
    with pytest.raises(PolicyFailure) as caught:
        breaker.admit(10.0)
    assert caught.value.message == (
        "the circuit breaker for https://a:443 is open: the upstream failed too often just now, the last time with "
        "bad_gateway; a probe is due in 20 s"
    )
    assert (caught.value.reason, caught.value.outcome, caught.value.retry_after) == (
        "circuit_open",
        Outcome.NOT_SENT,
        20.0,
    )


@pytest.mark.requirement("CB-07")
@pytest.mark.parametrize(("recovery", "pause"), [(30.0, PROBE_PAUSE), (0.25, 0.25)])
def test_who_comes_during_a_probe_is_told_when_to_ask_again(recovery: float, pause: float) -> None:
    """A second from then, or the recovery time when that is less."""
    breaker, now = in_state(State.HALF_OPEN, BreakerPolicy(failure_threshold=1, recovery_timeout=recovery))
    probe = breaker.admit(now)
    with pytest.raises(PolicyFailure, match=r"is half_open: .*; a probe is under way") as caught:
        breaker.admit(now)
    assert caught.value.retry_after == pause
    assert not probe.is_settled


@pytest.mark.requirement("CB-07")
@given(opened=st.floats(0.0, 1e9), asked=st.floats(0.0, 29.9), recovery=st.floats(30.0, 3600.0))
def test_who_waits_as_long_as_he_is_told_is_let_through(opened: float, asked: float, recovery: float) -> None:
    """Whatever the arithmetic of the clock makes of it; a millisecond earlier he is not."""
    breaker = Breaker(BreakerPolicy(failure_threshold=1, recovery_timeout=recovery))
    breaker.settle_failure(breaker.admit(opened), opened)
    with pytest.raises(PolicyFailure) as caught:
        breaker.admit(opened + asked)
    due = opened + asked + (caught.value.retry_after or 0.0)
    assert passes(breaker, due - 0.001) is None
    assert passes(breaker, due) is not None


@pytest.mark.requirement("CB-06")
@pytest.mark.parametrize("probes", [1, 3])
def test_half_open_admits_only_so_many_probes_at_once(probes: int) -> None:
    """Of ten callers at the same moment, the limit passes; a settled probe makes room."""
    policy = BreakerPolicy(failure_threshold=1, success_threshold=9, max_probes=probes)
    breaker, now = in_state(State.HALF_OPEN, policy)
    permits = [permit for _ in range(10) if (permit := passes(breaker, now)) is not None]
    assert len(permits) == probes
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
def test_a_probe_keeps_its_place_for_as_long_as_its_call_runs() -> None:
    """An hour later, a hundred recovery times on, there is still one; its end decides."""
    breaker, now = in_state(State.HALF_OPEN)
    probe = breaker.admit(now)
    for later in range(0, 3600, 60):
        assert passes(breaker, now + later) is None
    breaker.settle_success(probe, now + 3600)
    assert passes(breaker, now + 3600) is not None


@pytest.mark.requirement("CB-06")
def test_a_probe_that_outlives_its_spell_keeps_its_place_but_has_no_say() -> None:
    """Of two probes one failed; half-open again, the other still runs: one more may pass, and its end is ignored."""
    breaker, now = in_state(State.HALF_OPEN, BreakerPolicy(failure_threshold=1, success_threshold=1, max_probes=2))
    failing, running = breaker.admit(now), breaker.admit(now)
    breaker.settle_failure(failing, now)
    later = now + 30.0
    probe = breaker.admit(later)
    assert passes(breaker, later) is None
    breaker.settle_success(running, later)
    assert breaker.state_at(later) is State.HALF_OPEN
    breaker.settle_success(probe, later)
    assert breaker.state_at(later) is State.CLOSED


@pytest.mark.requirement("CB-06")
@pytest.mark.parametrize("in_a_cycle", [False, True])
def test_a_probe_whose_permit_is_dropped_does_not_wedge_the_breaker(in_a_cycle: bool) -> None:
    """When Python frees the permit, at once or with the next collection, the place is free."""
    breaker, now = in_state(State.HALF_OPEN)
    held: list[object] = [breaker.admit(now)]
    assert passes(breaker, now) is None
    if in_a_cycle:
        held.append(held)
    del held
    gc.collect()
    breaker.settle_success(breaker.admit(now), now)
    assert breaker.state_at(now) is State.HALF_OPEN


@pytest.mark.requirement("CB-06")
@pytest.mark.parametrize("reason", ["decode", "protocol", "content_type"])
def test_an_answer_that_is_none_does_not_close_a_half_open_breaker(reason: str) -> None:
    """It came under a 200, and it opens the breaker again."""
    breaker, now = in_state(State.HALF_OPEN, BreakerPolicy(failure_threshold=1, success_threshold=1))
    failure = ProtocolFailure("x", reason=reason, outcome=Outcome.UNKNOWN, http_status=200)
    breaker.settle(breaker.admit(now), failure, now)
    assert breaker.state_at(now) is State.OPEN


@pytest.mark.requirement("CB-06")
def test_a_call_without_news_neither_closes_nor_opens() -> None:
    """In no state; and it is told as abandoned."""
    seen: list[CallSettled] = []
    listener = type("Listener", (), {"on_outcome": staticmethod(seen.append)})
    nothing = Interrupted("x", reason="cancelled", outcome=Outcome.UNKNOWN)
    policy = BreakerPolicy(failure_threshold=1, success_threshold=1)
    for state in (State.CLOSED, State.HALF_OPEN):
        breaker, now = in_state(state, policy, hooks=[listener])
        seen.clear()
        breaker.settle(breaker.admit(now), nothing, now)
        assert (breaker.state_at(now), seen) == (state, [CallSettled(endpoint="", signal=Signal.ABANDONED)])


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


@pytest.mark.requirement("CB-02", "CB-03")
def test_hooks_hear_of_changes_refusals_and_outcomes_with_the_numbers() -> None:
    """One record each."""
    seen: list[object] = []
    listener = type(
        "Listener", (), {name: staticmethod(seen.append) for name in ("on_state_change", "on_rejected", "on_outcome")}
    )
    breaker = Breaker(BreakerPolicy(failure_threshold=1), endpoint="e", hooks=[listener])
    breaker.settle_failure(breaker.admit(1.0), 2.0, reason="reset")
    with pytest.raises(PolicyFailure):
        breaker.admit(12.0, request_id="r-1")
    stats = BreakerStats(
        failure_count=1, success_count=0, total_requests=1, last_failure=2.0, last_reason="reset", state_changed_at=2.0
    )
    assert seen == [
        CallSettled(endpoint="e", signal=Signal.FAILURE),
        StateChanged(endpoint="e", old=State.CLOSED, new=State.OPEN, stats=stats),
        Rejected(endpoint="e", request_id="r-1", state=State.OPEN, last_reason="reset", retry_after=20.0),
    ]
    assert breaker.stats.total_requests == 2
    seen.clear()
    breaker.settle_success(breaker.admit(32.0), 33.0)
    assert [type(record) for record in seen] == [StateChanged, CallSettled]
    assert (breaker.stats.success_count, breaker.stats.state_changed_at) == (1, 32.0)
    assert "state='half_open'" in repr(breaker)


@pytest.mark.requirement("CB-05")
@pytest.mark.parametrize(("per_endpoint", "other_is_closed"), [(True, True), (False, False)])
def test_endpoints_have_one_circuit_together_or_one_each(per_endpoint: bool, other_is_closed: bool) -> None:
    """As the policy says."""
    breakers = Breakers(BreakerPolicy(failure_threshold=1, per_endpoint=per_endpoint))
    circuit = breakers.circuit("a")
    circuit.settle_failure(circuit.admit(0.0), 0.0)
    assert breakers.circuit("a") is circuit
    assert (breakers.circuit("b").state_at(0.0) is State.CLOSED) is other_is_closed


@pytest.mark.requirement("CB-03", "CB-05")
def test_an_operator_sees_every_circuit_and_its_numbers() -> None:
    """By endpoint, with the hooks that were handed in; what is shown is a copy."""
    seen: list[CallSettled] = []
    listener = type("Listener", (), {"on_outcome": staticmethod(seen.append)})
    breakers = Breakers(BreakerPolicy(per_endpoint=True), hooks=[listener])
    one = breakers.circuit("a")
    one.settle_failure(one.admit(0.0), 0.0)
    breakers.circuit("b")
    assert breakers.circuits == {"a": one, "b": breakers.circuit("b")}
    assert {endpoint: stats.failure_count for endpoint, stats in breakers.stats.items()} == {"a": 1, "b": 0}
    assert seen == [CallSettled(endpoint="a", signal=Signal.FAILURE)]
    breakers.circuits.clear()
    assert "<2 circuits>" in repr(breakers)
    assert "failure_threshold=5" in repr(breakers)


@pytest.mark.requirement("CB-05")
def test_the_circuit_asked_for_longest_ago_is_forgotten_when_there_are_too_many() -> None:
    """Memory is bounded however many endpoints there were."""
    breakers = Breakers(BreakerPolicy(per_endpoint=True))
    kept, lost = breakers.circuit("kept"), breakers.circuit("lost")
    breakers.circuit("kept")
    for number in range(MOST_CIRCUITS - 1):
        breakers.circuit(f"https://host-{number}:443")
    assert len(breakers.circuits) == MOST_CIRCUITS
    assert breakers.circuit("kept") is kept
    assert breakers.circuit("lost") is not lost


class Model:
    """What a breaker should do, told as simply as can be: it remembers everything."""

    def __init__(self) -> None:
        self.state, self.since = State.CLOSED, 0.0
        self.failures: list[float] = []
        self.series = 0

    def at(self, now: float) -> State:
        """Return the state at *now*."""
        if self.state is State.OPEN and POLICY.recovery_timeout - (now - self.since) <= 1e-6:
            self.become(State.HALF_OPEN, now)
        return self.state

    def become(self, state: State, now: float) -> None:
        """Begin a state with nothing remembered."""
        self.state, self.since, self.failures, self.series = state, now, [], 0

    def end(self, step: str, now: float) -> None:
        """Take in the end of a call that began in this state."""
        if step == "failure":
            self.failures = [*(at for at in self.failures if now - at <= POLICY.failure_window), now]
            if self.state is State.HALF_OPEN or len(self.failures) >= POLICY.failure_threshold:
                self.become(State.OPEN, now)
        elif step == "success" and self.state is State.HALF_OPEN:
            self.series += 1
            if self.series >= POLICY.success_threshold:
                self.become(State.CLOSED, now)


STEPS = st.tuples(
    st.sampled_from(["admit", "admit", "success", "failure", "abandon", "drop"]),
    st.one_of(st.sampled_from([0.0, 30.0, 60.0]), st.floats(0, 50)),
)


@pytest.mark.requirement("CB-01", "CB-06")
@given(steps=st.lists(STEPS, max_size=60))
def test_whatever_happens_a_breaker_does_as_its_model_and_never_wedges(steps: list[tuple[str, float]]) -> None:
    """Same state at every step, one probe at most; once no call runs, somebody is let through within a recovery."""
    breaker, model, now = Breaker(POLICY), Model(), 0.0
    running: list[tuple[Permit, float, State]] = []
    for step, pause in steps:
        now += pause
        assert breaker.state_at(now) is model.at(now)
        mine = [call for call in running if (call[1], call[2]) == (model.since, model.state)]
        if step == "admit":
            full = model.state is State.OPEN or (model.state is State.HALF_OPEN and len(mine) >= POLICY.max_probes)
            permit = passes(breaker, now)
            assert (permit is None) is full
            if permit is not None:
                running.append((permit, model.since, model.state))
            del permit
        elif running:
            call = running.pop(0)
            if step != "drop":
                ends = {
                    "success": breaker.settle_success,
                    "failure": breaker.settle_failure,
                    "abandon": breaker.abandon,
                }
                ends[step](call[0], now)
                if call in mine:
                    model.end(step, now)
            del call
        del mine
        assert breaker.state_at(now) is model.at(now)
    running.clear()
    breaker.admit(now + POLICY.recovery_timeout)
