"""Whether and when a failed attempt is repeated: the two columns of the table, pauses, deadlines."""

from __future__ import annotations

import pickle
import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_api.outcome import Outcome
from adapter_api.reasons import REASONS
from http_util import retry
from http_util.classify import classify_status
from http_util.errors import HttpFailure, TransportFailure
from http_util.retry import (
    AVAILABLE,
    BILLING_SAFE,
    NEVER_RETRIED,
    POLICIES,
    RETRIED_NOT_SENT,
    RETRIED_REJECTED,
    RETRIED_UNKNOWN,
    GiveUp,
    Retry,
    RetryPolicy,
    Stop,
    named_policy,
)
from http_util.testing import FixedRandom, seeded_random


def failure(reason: str, outcome: Outcome, **facts: object) -> HttpFailure:
    """Return a failure with these facts."""
    return TransportFailure("x", reason=reason, outcome=outcome, **facts)


def status(number: int, **headers: str) -> HttpFailure:
    """Return the failure for a status."""
    return classify_status(number, {name.replace("_", "-"): value for name, value in headers.items()}, b"", 0.0)


def retries(policy: RetryPolicy, what: HttpFailure, **arguments: object) -> bool:
    """Tell whether *policy* repeats after a first attempt."""
    decided = policy.decide(what, **{"attempt": 1, "remaining": None, "rng": seeded_random(), **arguments})
    return isinstance(decided, Retry)


# the rows of the module's table, and failures of each
ROWS: dict[str, list[HttpFailure]] = {
    "no connection, handshake cut, pool timeout, stream refused": [
        failure(reason, Outcome.NOT_SENT)
        for reason in ("connection_failed", "connect_timeout", "pool_timeout", "reset")
    ],
    "408, 425, 429 (rate), 503, 529": [status(number) for number in (408, 425, 429, 503, 529)],
    "409, 500, 501, 502, 504, 52x": [status(number) for number in (409, 500, 501, 502, 504, 520, 522, 524, 530)],
    "sent, no byte of an answer: reset, end, timeout": [
        failure(reason, Outcome.UNKNOWN) for reason in ("reset", "first_byte_timeout", "write_timeout", "idle_timeout")
    ],
    "200, then nothing or an error before the first token": [
        failure(reason, Outcome.UNKNOWN, http_status=200)
        for reason in ("truncated", "reset", "server_error", "overloaded", "idle_timeout", "protocol")
    ],
    "anything after the first token": [
        failure(reason, Outcome.PARTIAL) for reason in ("reset", "idle_timeout", "server_error", "rate_limited")
    ],
    "a 429 that is not about the rate, whatever ``x-should-retry`` says": [
        status(429, x_should_retry=said).replace(reason=reason)
        for reason in ("quota_exceeded", "token_limit")
        for said in ("", "true", "false")
    ],
    "everything else": [
        *[status(number) for number in (400, 401, 403, 404, 410, 422, 301)],
        *[
            failure(reason, Outcome.NOT_SENT)
            for reason in ("tls_failed", "dns_failed", "egress_denied", "deadline", "circuit_open", "queue_full")
        ],
        failure("rate_limited", Outcome.NOT_SENT),
        failure("protocol", Outcome.UNKNOWN),
        failure("cancelled", Outcome.UNKNOWN),
    ],
}


def documented() -> dict[str, tuple[str, str, str]]:
    """Return the rows of the table in the module's docstring: outcome, billing_safe, available."""
    cells = re.findall(
        r"^(\S.*?) +(NOT_SENT|REJECTED|UNKNOWN|PARTIAL|any) +(\S.*?)  +(\S.*)$", retry.__doc__ or "", flags=re.MULTILINE
    )
    return {row: (outcome, safe, available) for row, outcome, safe, available in cells}


@pytest.mark.requirement("RTY-04")
def test_the_documented_rows_are_those_that_are_tested() -> None:
    """Neither a row without an example nor an example without a row; the upstream's own word has tests of its own."""
    assert set(documented()) == {*ROWS, "``x-should-retry`` before the first token"}


@pytest.mark.requirement("HTU-07", "HTU-1002", "RTY-04")
@pytest.mark.parametrize(
    ("row", "what"), [(row, example) for row, examples in ROWS.items() for example in examples], ids=repr
)
def test_each_kind_of_failure_is_repeated_as_the_table_says(row: str, what: HttpFailure) -> None:
    """Both columns, row by row."""
    outcome, safe, available = documented()[row]
    assert outcome in {what.outcome.value, "any"}
    assert (retries(BILLING_SAFE, what), retries(AVAILABLE, what)) == (safe == "yes", available == "yes")


def test_the_tables_reasons_exist_in_the_contract() -> None:
    """A misspelt reason would never match."""
    assert set(REASONS) >= RETRIED_NOT_SENT | RETRIED_REJECTED | RETRIED_UNKNOWN | NEVER_RETRIED


@pytest.mark.parametrize("policy", [BILLING_SAFE, AVAILABLE])
def test_the_upstreams_own_word_wins_before_the_first_token_and_never_after(policy: RetryPolicy) -> None:
    """x-should-retry decides both ways; a partial answer is never repeated whatever it says."""
    assert retries(policy, status(500, x_should_retry="true"))
    assert retries(policy, status(400, x_should_retry="true"))
    assert not retries(policy, status(429, x_should_retry="false"))
    assert not retries(policy, status(429, x_should_retry="true").replace(reason="quota_exceeded"))
    assert not retries(policy, failure("reset", Outcome.PARTIAL, should_retry=True))


@pytest.mark.requirement("HTU-03", "RTY-06")
def test_a_call_that_is_not_replay_safe_is_repeated_only_when_nothing_was_processed() -> None:
    """Without the caller's word, an unknown outcome ends the call even under the generous policy."""
    assert retries(AVAILABLE, status(502), replay_safe=True)
    assert AVAILABLE.decide(status(502), attempt=1, remaining=None, rng=Random(1), replay_safe=False) == GiveUp(
        Stop.NOT_REPLAY_SAFE
    )
    assert retries(AVAILABLE, status(503), replay_safe=False)
    assert retries(AVAILABLE, failure("connection_failed", Outcome.NOT_SENT), replay_safe=False)


@pytest.mark.requirement("HTU-1002", "RTY-01")
def test_four_attempts_are_made_and_no_fifth() -> None:
    """The first call counts."""
    decisions = [BILLING_SAFE.decide(status(503), attempt=n, remaining=None, rng=Random(1)) for n in (1, 2, 3, 4)]
    assert [isinstance(d, Retry) for d in decisions] == [True, True, True, False]
    assert decisions[3] == GiveUp(Stop.EXHAUSTED)


@pytest.mark.requirement("HTU-1002")
def test_the_bounds_of_the_pauses_double_up_to_the_cap() -> None:
    """With the largest draw: 0.1, 0.2, 0.4, ... and never more than 2 seconds."""
    rng = FixedRandom(1.0)
    assert [BILLING_SAFE.backoff(n, rng) for n in range(7)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])
    assert BILLING_SAFE.backoff(10_000, rng) == 2.0
    assert BILLING_SAFE.backoff(3, FixedRandom(0.0)) == 0.0


@pytest.mark.requirement("HTU-1002", "HTU-04")
@given(retry=st.integers(0, 2000), seed=st.integers())
def test_every_pause_lies_between_zero_and_its_bound(retry: int, seed: int) -> None:
    """Full jitter: uniform in [0, min(cap, base * 2 ** n)]."""
    pause = BILLING_SAFE.backoff(retry, Random(seed))
    assert 0.0 <= pause <= min(2.0, 0.1 * 2.0 ** min(retry, 60))


@pytest.mark.requirement("HTU-04")
def test_a_seed_gives_an_exact_sequence_of_pauses() -> None:
    """The same seed draws the same pauses, another one others."""

    def drawn(seed: int) -> list[float]:
        rng = seeded_random(seed)
        return [BILLING_SAFE.backoff(n, rng) for n in range(3)]

    assert drawn(7) == drawn(7) == pytest.approx([0.0323832764833, 0.0301698347849, 0.2603737892159])
    assert drawn(7) != drawn(8)


@pytest.mark.requirement("RTY-01")
def test_jitter_can_be_a_part_of_the_pause() -> None:
    """With jitter 0.1 the pause is drawn from the last tenth."""
    policy = RetryPolicy(name="client", max_attempts=4, base=0.5, cap=60.0, jitter=0.1)
    assert (policy.backoff(1, FixedRandom(0.0)), policy.backoff(1, FixedRandom(1.0))) == (0.9, 1.0)


@pytest.mark.requirement("RTY-01")
def test_jitter_can_be_a_tenth_more_or_less() -> None:
    """Around 0.5, 1 and 2 seconds, and never above the cap."""
    policy = RetryPolicy(name="client", base=0.5, cap=60.0, jitter=0.1, jitter_around=True)
    for number, middle in enumerate((0.5, 1.0, 2.0)):
        drawn = [policy.backoff(number, FixedRandom(fraction)) for fraction in (0.0, 0.5, 1.0)]
        assert drawn == pytest.approx([0.9 * middle, middle, 1.1 * middle])
    assert policy.backoff(99, FixedRandom(1.0)) == 60.0
    assert policy.backoff(99, FixedRandom(0.0)) == pytest.approx(60.0 * 0.9 / 1.1)


STATUSES = RetryPolicy(name="listed", statuses=frozenset({404, 429, 500}), retries_unknown=True)


@pytest.mark.requirement("RTY-01")
@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (status(404), True),
        (status(429), True),
        (status(500), True),
        (status(503), False),
        (status(408), False),
        (status(429).replace(reason="quota_exceeded"), False),
        (status(502, x_should_retry="true"), True),
        (status(500, x_should_retry="false"), False),
        (failure("connection_failed", Outcome.NOT_SENT), True),
        (failure("reset", Outcome.UNKNOWN), True),
        (failure("server_error", Outcome.UNKNOWN, http_status=200), False),
        (failure("reset", Outcome.PARTIAL, http_status=500), False),
    ],
)
def test_a_list_of_statuses_stands_in_for_the_tables_own(what: HttpFailure, expected: bool) -> None:
    """Other failures, the upstream's word, a quota and an answer under 200 are what they were."""
    assert retries(STATUSES, what) is expected


@pytest.mark.requirement("RTY-01", "RTY-06")
def test_a_listed_status_is_still_not_repeated_where_it_might_be_processed_twice() -> None:
    """Neither by a policy that repeats nothing unknown, nor for a call that may not be repeated."""
    assert not retries(RetryPolicy(name="safe", statuses=frozenset({500})), status(500))
    assert not retries(STATUSES, status(500), replay_safe=False)
    assert retries(STATUSES, status(404), replay_safe=False)
    assert not retries(RetryPolicy(name="none", statuses=frozenset()), status(503))


@pytest.mark.requirement("RTY-04")
def test_a_server_error_may_have_fewer_attempts_than_other_failures() -> None:
    """One retry after a 500, three after a 503; the smaller number counts."""
    policy = RetryPolicy(name="client", retries_unknown=True, server_error_attempts=2)
    assert [retries(policy, status(500), attempt=n) for n in (1, 2)] == [True, False]
    assert [retries(policy, status(500, x_should_retry="true"), attempt=n) for n in (1, 2)] == [True, False]
    assert [retries(policy, status(503), attempt=n) for n in (1, 2, 3, 4)] == [True, True, True, False]
    assert [retries(policy, status(502), attempt=n) for n in (3, 4)] == [True, False]
    once = RetryPolicy(name="once", max_attempts=1, retries_unknown=True, server_error_attempts=2)
    assert not retries(once, status(500))


@pytest.mark.requirement("RTY-01")
@pytest.mark.parametrize(
    ("what", "remaining", "elapsed", "expected"),
    [
        (status(503), None, 9.89, Retry(0.1)),
        (status(503), None, 9.9, GiveUp(Stop.TOTAL_TIMEOUT)),
        (status(503), 0.1, 0.0, GiveUp(Stop.DEADLINE)),
        (status(503), 0.05, 9.92, GiveUp(Stop.DEADLINE)),
        (status(503), 0.09, 9.92, GiveUp(Stop.TOTAL_TIMEOUT)),
        (status(503), None, 11.0, GiveUp(Stop.TOTAL_TIMEOUT)),
        (status(503, retry_after="3"), None, 7.0, Retry(3.0)),
        (status(503, retry_after="3"), None, 7.1, GiveUp(Stop.RETRY_AFTER)),
        (status(503, retry_after="3"), 2.9, 0.0, GiveUp(Stop.RETRY_AFTER)),
    ],
)
def test_a_policy_may_have_a_time_of_its_own_for_all_attempts(
    what: HttpFailure, remaining: float | None, elapsed: float, expected: object
) -> None:
    """Ten seconds from the first attempt no other begins; the deadline holds as well, whichever is nearer."""
    policy = RetryPolicy(name="timed", total_timeout=10.0)
    rng = FixedRandom(1.0)
    assert policy.decide(what, attempt=1, remaining=remaining, rng=rng, elapsed=elapsed) == expected


@pytest.mark.requirement("HTU-06", "RTY-05")
@pytest.mark.parametrize(
    ("retry_after", "remaining", "expected"),
    [
        ("3", None, Retry(3.0)),
        ("0", None, Retry(0.0)),
        ("60", None, Retry(60.0)),
        ("61", None, GiveUp(Stop.RETRY_AFTER)),
        ("3", 3.0, Retry(3.0)),
        ("3", 2.9, GiveUp(Stop.RETRY_AFTER)),
    ],
)
def test_a_pause_that_the_upstream_names_is_kept_or_the_call_fails_now(
    retry_after: str, remaining: float | None, expected: object
) -> None:
    """It wins over the computed pause, up to the ceiling and the deadline; beyond, there is no waiting at all."""
    rng = FixedRandom(0.5)
    assert (
        BILLING_SAFE.decide(status(429, retry_after=retry_after), attempt=1, remaining=remaining, rng=rng) == expected
    )


@pytest.mark.requirement("HTU-06")
def test_a_computed_pause_never_reaches_the_deadline() -> None:
    """When the drawn pause would end at the deadline or behind it, the call fails now."""
    rng = FixedRandom(1.0)
    assert BILLING_SAFE.decide(status(503), attempt=1, remaining=0.11, rng=rng) == Retry(0.1)
    assert BILLING_SAFE.decide(status(503), attempt=1, remaining=0.1, rng=rng) == GiveUp(Stop.DEADLINE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_attempts", 0),
        ("base", 0.0),
        ("base", float("nan")),
        ("multiplier", 0.5),
        ("cap", 0.01),
        ("jitter", 1.5),
        ("total_timeout", 0.0),
        ("total_timeout", float("nan")),
        ("retry_after_ceiling", -1.0),
        ("statuses", frozenset({200})),
        ("statuses", [429]),
        ("server_error_attempts", 0),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_the_name_of_its_field(field: str, value: object) -> None:
    """The text names the field and what is accepted."""
    with pytest.raises(ValueError, match=f"^{field} must be"):
        RetryPolicy(name="bad", **{field: value})


def test_a_negative_retry_number_is_refused() -> None:
    """The first retry is number 0."""
    with pytest.raises(ValueError, match="retry must be 0 or more"):
        BILLING_SAFE.backoff(-1, seeded_random())


def test_policies_are_found_by_name_and_an_unknown_name_lists_them() -> None:
    """Both are values that anybody can look at."""
    assert named_policy("billing_safe") is BILLING_SAFE
    assert named_policy("available") is AVAILABLE
    assert set(POLICIES) == {"available", "billing_safe"}
    with pytest.raises(ValueError, match="one of available, billing_safe"):
        named_policy("never")


def test_a_policy_is_a_value() -> None:
    """It compares and pickles with everything in it."""
    policy = RetryPolicy(name="mine", statuses=frozenset({429}), total_timeout=5.0, server_error_attempts=2)
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert hash(policy) == hash(RetryPolicy(**{f: getattr(policy, f) for f in policy.__dataclass_fields__}))


STATUS_NUMBERS = st.sampled_from([200, 301, 400, 404, 408, 409, 429, 500, 502, 503, 504, 529])
SECONDS = st.floats(0.0, 100.0)
FAILURES = st.builds(
    TransportFailure,
    st.just("x"),
    reason=st.sampled_from(sorted(REASONS)),
    outcome=st.sampled_from(Outcome),
    http_status=st.none() | STATUS_NUMBERS,
    retry_after=st.none() | SECONDS,
    should_retry=st.none() | st.booleans(),
)
RULES = st.builds(
    RetryPolicy,
    name=st.just("any"),
    max_attempts=st.integers(1, 5),
    base=st.floats(0.01, 1.0),
    multiplier=st.floats(1.0, 4.0),
    cap=st.floats(1.0, 60.0),
    jitter=st.floats(0.0, 1.0),
    jitter_around=st.booleans(),
    total_timeout=st.none() | st.floats(0.01, 100.0),
    retry_after_ceiling=SECONDS,
    retries_unknown=st.booleans(),
    statuses=st.none() | st.frozensets(STATUS_NUMBERS.filter(lambda number: number >= 400)),
    server_error_attempts=st.none() | st.integers(1, 5),
)


@pytest.mark.requirement("RTY-01", "RTY-04", "RTY-05", "RTY-06")
@given(
    policy=RULES,
    what=FAILURES,
    attempt=st.integers(1, 6),
    remaining=st.none() | SECONDS,
    elapsed=SECONDS,
    replay_safe=st.booleans(),
    seed=st.integers(0, 99),
)
def test_whatever_the_rules_no_retry_breaks_a_promise(
    policy: RetryPolicy,
    what: HttpFailure,
    attempt: int,
    remaining: float | None,
    elapsed: float,
    replay_safe: bool,
    seed: int,
) -> None:
    """Not after a token, not over a no, not too often, not too late, not for a quota, not twice without leave."""
    decided = policy.decide(
        what, attempt=attempt, remaining=remaining, rng=Random(seed), elapsed=elapsed, replay_safe=replay_safe
    )
    if isinstance(decided, GiveUp):
        return
    assert what.outcome is not Outcome.PARTIAL
    assert what.should_retry is not False
    assert what.reason not in NEVER_RETRIED
    assert what.should_retry or policy.retries(what)
    assert what.should_retry or what.outcome is not Outcome.UNKNOWN or (replay_safe and policy.retries_unknown)
    assert attempt < policy.max_attempts
    assert decided.delay >= 0
    assert decided.delay <= (policy.cap if what.retry_after is None else policy.retry_after_ceiling)
    assert what.retry_after in (None, decided.delay)
    assert remaining is None or decided.delay <= remaining
    assert policy.total_timeout is None or decided.delay <= policy.total_timeout - elapsed


@pytest.mark.requirement("RTY-06")
@given(what=FAILURES)
def test_what_the_careful_policy_repeats_the_generous_one_repeats_too(what: HttpFailure) -> None:
    """And the careful one never repeats what may have been processed, nor either of them after a token."""
    assert not BILLING_SAFE.retries(what) or AVAILABLE.retries(what)
    assert not (BILLING_SAFE.retries(what) and what.outcome is Outcome.UNKNOWN)
    assert not (AVAILABLE.retries(what) and what.outcome is Outcome.PARTIAL)
