"""The verdict on an upstream: rows of results, the table behind them, the numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_util.health_check import (
    TRANSITIONS,
    Finding,
    Health,
    HealthChanged,
    HealthPolicy,
    HealthRecord,
    HealthStats,
)

UNKNOWN, HEALTHY, UNHEALTHY = Health.UNKNOWN, Health.HEALTHY, Health.UNHEALTHY


def verdicts(results: str, policy: HealthPolicy | None = None) -> list[Health]:
    """Return the verdict after each result; `+` passed, `-` failed."""
    record = HealthRecord(policy)
    found = []
    for second, result in enumerate(results):
        record.add(passed=result == "+", now=float(second))
        found.append(record.health)
    return found


@pytest.mark.requirement("HC-01")
@pytest.mark.parametrize(
    ("results", "last"),
    [
        ("", UNKNOWN),
        ("+", HEALTHY),
        ("-", UNKNOWN),
        ("--", UNKNOWN),
        ("---", UNHEALTHY),
        ("--+", HEALTHY),
        ("+--", HEALTHY),
        ("+--+--", HEALTHY),
        ("+---", UNHEALTHY),
        ("---+", UNHEALTHY),
        ("---++", HEALTHY),
        ("---+-+", UNHEALTHY),
        ("---+-++", HEALTHY),
        ("---++--", HEALTHY),
    ],
)
def test_a_verdict_changes_after_a_row_of_equal_results(results: str, last: Health) -> None:
    """Three failures make an upstream unhealthy, two passes healthy again; the first pass of all is believed."""
    assert [UNKNOWN, *verdicts(results)][-1] is last


@pytest.mark.requirement("HC-01")
def test_the_lengths_of_the_rows_are_settings() -> None:
    """One failure, and four passes."""
    policy = HealthPolicy(unhealthy_after=1, healthy_after=4)
    assert verdicts("-+++-++++", policy)[-2:] == [UNHEALTHY, HEALTHY]


@pytest.mark.requirement("HC-01")
def test_the_defaults_are_those_that_are_promised() -> None:
    """Half a minute between checks of five seconds at most; three down, two up; the list of models."""
    policy = HealthPolicy()
    assert (policy.interval, policy.timeout) == (30.0, 5.0)
    assert (policy.unhealthy_after, policy.healthy_after, policy.path) == (3, 2, "/models")


@pytest.mark.requirement("HC-01")
def test_a_change_tells_whose_what_and_the_numbers() -> None:
    """What does not change the verdict tells nothing."""
    record = HealthRecord(HealthPolicy(unhealthy_after=2), endpoint="https://a:443")
    assert record.add(passed=True, now=1.0) == HealthChanged(
        endpoint="https://a:443", old=UNKNOWN, new=HEALTHY, stats=record.stats
    )
    assert record.add(passed=True, now=2.0) is None
    assert record.add(passed=False, now=3.0) is None
    changed = record.add(passed=False, now=4.0)
    assert changed is not None
    assert (changed.old, changed.new) == (HEALTHY, UNHEALTHY)
    assert changed.stats == HealthStats(
        checks=4, passed=2, failed=2, row=-2, last_checked_at=4.0, last_failed_at=4.0, changed_at=4.0
    )


def test_the_numbers_of_a_new_record_are_empty() -> None:
    """Nothing was checked, so nothing has a time."""
    stats = HealthRecord().stats
    assert (stats.checks, stats.row) == (0, 0)
    assert stats.last_checked_at is stats.last_failed_at is stats.changed_at is None


@pytest.mark.requirement("HC-01")
def test_the_table_has_every_cell_and_a_single_result_never_makes_an_upstream_unhealthy() -> None:
    """States times findings; only a full row leads down, and only a full row leads up again."""
    assert set(TRANSITIONS) == set(Health)
    assert all(set(row) == set(Finding) for row in TRANSITIONS.values())
    assert {row[Finding.FAILURES_REACHED] for row in TRANSITIONS.values()} == {UNHEALTHY}
    assert {row[Finding.PASSES_REACHED] for row in TRANSITIONS.values()} == {HEALTHY}
    for health, row in TRANSITIONS.items():
        assert row[Finding.FAILED] is health
    assert TRANSITIONS[UNHEALTHY][Finding.PASSED] is UNHEALTHY


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_a_verdict_never_contradicts_the_last_row(results: list[bool], down: int, up: int) -> None:
    """Whatever came before: a full row of one kind decides, and nothing but a full row moves a verdict that stands."""
    record = HealthRecord(HealthPolicy(unhealthy_after=down, healthy_after=up))
    row, before = 0, UNKNOWN
    for passed in results:
        record.add(passed=passed, now=0.0)
        row = (max(row, 0) + 1) if passed else (min(row, 0) - 1)
        if row >= up:
            assert record.health is HEALTHY
        elif row <= -down:
            assert record.health is UNHEALTHY
        elif before is not UNKNOWN or not passed:
            assert record.health is before
        before = record.health


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"interval": 0.0}, "interval must be above zero seconds, not 0.0"),
        ({"timeout": float("nan")}, "timeout must be above zero seconds, not nan"),
        ({"unhealthy_after": 0}, "unhealthy_after must be 1 or more checks, not 0"),
        ({"healthy_after": -1}, "healthy_after must be 1 or more checks, not -1"),
        ({"path": "models"}, "path must begin with '/', not 'models'"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings: dict[str, object], text: str) -> None:
    """The text names the field and what would be accepted."""
    with pytest.raises(ValueError, match=f"^{text}$"):
        HealthPolicy(**settings)


def test_a_record_shows_its_verdict() -> None:
    """For logs and debuggers."""
    assert "health='unknown'" in repr(HealthRecord(endpoint="https://a:443"))
