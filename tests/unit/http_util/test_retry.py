"""Whether and when a failed attempt is repeated: the two columns of the table, pauses, deadlines."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_api.outcome import Outcome
from adapter_api.reasons import REASONS
from http_util.classify import classify_status
from http_util.errors import HttpFailure, TransportFailure
from http_util.retry import (
    AVAILABLE,
    BILLING_SAFE,
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


# failure, retried by billing_safe, retried by available
TABLE = [
    (failure("connection_failed", Outcome.NOT_SENT), True, True),
    (failure("connect_timeout", Outcome.NOT_SENT), True, True),
    (failure("pool_timeout", Outcome.NOT_SENT), True, True),
    (failure("reset", Outcome.NOT_SENT), True, True),
    (status(408), True, True),
    (status(425), True, True),
    (status(429), True, True),
    (status(503), True, True),
    (status(529), True, True),
    (status(409), False, True),
    (status(500), False, True),
    (status(501), False, True),
    (status(502), False, True),
    (status(504), False, True),
    (status(522), False, True),
    (failure("reset", Outcome.UNKNOWN), False, True),
    (failure("first_byte_timeout", Outcome.UNKNOWN), False, True),
    (failure("write_timeout", Outcome.UNKNOWN), False, True),
    (failure("truncated", Outcome.UNKNOWN, http_status=200), False, False),
    (failure("reset", Outcome.UNKNOWN, http_status=200), False, False),
    (failure("server_error", Outcome.UNKNOWN, http_status=200), False, False),
    (failure("protocol", Outcome.UNKNOWN), False, False),
    (failure("reset", Outcome.PARTIAL), False, False),
    (failure("idle_timeout", Outcome.PARTIAL), False, False),
    (status(400), False, False),
    (status(401), False, False),
    (status(403), False, False),
    (status(404), False, False),
    (status(410), False, False),
    (status(422), False, False),
    (status(301), False, False),
    (status(429).replace(reason="quota_exceeded"), False, False),
    (status(429).replace(reason="token_limit"), False, False),
    (failure("tls_failed", Outcome.NOT_SENT), False, False),
    (failure("dns_failed", Outcome.NOT_SENT), False, False),
    (failure("egress_denied", Outcome.NOT_SENT), False, False),
    (failure("deadline", Outcome.NOT_SENT), False, False),
    (failure("cancelled", Outcome.UNKNOWN), False, False),
]


@pytest.mark.requirement("HTU-07", "HTU-1002", "RTY-04")
@pytest.mark.parametrize(("what", "safe", "available"), TABLE, ids=lambda value: repr(value)[:70])
def test_each_kind_of_failure_is_repeated_as_the_table_says(what: HttpFailure, safe: bool, available: bool) -> None:
    """Both columns, row by row."""
    assert (retries(BILLING_SAFE, what), retries(AVAILABLE, what)) == (safe, available)


def test_the_tables_reasons_exist_in_the_contract() -> None:
    """A misspelt reason would never match."""
    assert set(REASONS) >= RETRIED_NOT_SENT | RETRIED_REJECTED | RETRIED_UNKNOWN


@pytest.mark.parametrize("policy", [BILLING_SAFE, AVAILABLE])
def test_the_upstreams_own_word_wins_before_the_first_token_and_never_after(policy: RetryPolicy) -> None:
    """x-should-retry decides both ways; a partial answer is never repeated whatever it says."""
    assert retries(policy, status(500, x_should_retry="true"))
    assert retries(policy, status(400, x_should_retry="true"))
    assert not retries(policy, status(429, x_should_retry="false"))
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
        ("retry_after_ceiling", -1.0),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_the_name_of_its_field(field: str, value: float) -> None:
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
    with pytest.raises(ValueError, match="one of available, billing_safe, not 'never'"):
        named_policy("never")
