"""The limits as a value, and the budgets as a table: each holds by itself, and all hold together."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from http_util.rate_headers import Allowance, RateHeaders
from http_util.rate_limit import Budgets, Cost, Limited, LimitType, Permit, RateLimits, speaks_of_day

ONE = Cost(1, 0)


def started(budgets: Budgets, cost: Cost, now: float) -> Permit:
    """Let one start that must be able to."""
    answer = budgets.ask(cost, now)
    assert isinstance(answer, Permit)
    return answer


def limited(budgets: Budgets, cost: Cost, now: float) -> Limited:
    """Ask for one that must not be able to."""
    answer = budgets.ask(cost, now)
    assert isinstance(answer, Limited)
    return answer


@pytest.mark.requirement("RL-01", "RL-02")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        (field, value)
        for field in ("requests_per_minute", "tokens_per_minute", "requests_per_day", "tokens_per_day", "burst_size")
        for value in (0, -1, 1.5, True, "10", float("nan"))
    ]
    + [("requests_per_second", value) for value in (0, 0.0, -1.0, float("inf"), float("nan"), True, "10")],
)
def test_a_limit_out_of_its_range_is_refused_by_name(field: str, value: Any) -> None:
    """The text names the field, what it was, and what would be accepted."""
    with pytest.raises(ValueError, match=rf"^{field} must be a .*, or None, not {value!r}"):
        RateLimits(**{field: value})


@pytest.mark.requirement("RL-01")
def test_a_burst_needs_a_rate() -> None:
    """By itself it would limit nothing."""
    with pytest.raises(ValueError, match="burst_size needs requests_per_second"):
        RateLimits(burst_size=3)


def test_limits_are_values() -> None:
    """They compare, hash, copy, pickle, and show what is set."""
    limits = RateLimits(requests_per_second=2.5, tokens_per_day=10)
    assert limits == RateLimits(requests_per_second=2.5, tokens_per_day=10) != RateLimits()
    assert pickle.loads(pickle.dumps(limits)) == copy.deepcopy(limits) == limits
    assert len({limits, RateLimits(requests_per_second=2.5, tokens_per_day=10)}) == 1
    assert repr(limits) == "RateLimits(requests_per_second=2.5, tokens_per_day=10)"
    assert repr(RateLimits()) == "RateLimits()"


@pytest.mark.requirement("RL-01")
@pytest.mark.parametrize(
    ("rate", "burst", "at_once"),
    [(10.0, 20, 20), (10.0, None, 10), (2.5, None, 2), (0.5, None, 1), (0.5, 3, 3)],
)
def test_a_burst_is_a_second_s_worth_unless_it_is_named(rate: float, burst: int | None, at_once: int) -> None:
    """But at least one."""
    budgets = Budgets(RateLimits(requests_per_second=rate, burst_size=burst))
    for _ in range(at_once):
        started(budgets, ONE, 0.0)
    answer = limited(budgets, ONE, 0.0)
    assert answer.limit_type is LimitType.REQUESTS_PER_SECOND
    assert answer.at == pytest.approx(1 / rate)


@pytest.mark.requirement("RL-02")
@pytest.mark.parametrize(
    ("limits", "cost", "limit_type", "at"),
    [
        (RateLimits(requests_per_second=1.0), Cost(1, 0), LimitType.REQUESTS_PER_SECOND, 1.0),
        (RateLimits(requests_per_minute=1), Cost(1, 0), LimitType.REQUESTS_PER_MINUTE, 60.0),
        (RateLimits(tokens_per_minute=10), Cost(1, 6), LimitType.TOKENS_PER_MINUTE, 60.0),
        (RateLimits(requests_per_day=1), Cost(1, 0), LimitType.REQUESTS_PER_DAY, 86_400.0),
        (RateLimits(tokens_per_day=10), Cost(1, 6), LimitType.TOKENS_PER_DAY, 86_400.0),
    ],
)
def test_each_budget_holds_by_itself(limits: RateLimits, cost: Cost, limit_type: LimitType, at: float) -> None:
    """It alone stands in the way, by its name, until its moment and not a moment longer."""
    budgets = Budgets(limits)
    started(budgets, cost, 0.0)
    assert limited(budgets, cost, 0.5) == Limited(limit_type, at)
    assert limited(budgets, cost, at - 0.001) == Limited(limit_type, at)
    started(budgets, cost, at)


ALL = RateLimits(
    requests_per_second=1.0,
    burst_size=2,
    requests_per_minute=4,
    tokens_per_minute=100,
    requests_per_day=6,
    tokens_per_day=150,
)


@pytest.mark.requirement("RL-02")
def test_all_budgets_hold_together() -> None:
    """What stands in the way the longest is named; each of the five does in turn."""
    budgets = Budgets(ALL)
    small = Cost(1, 1)
    started(budgets, Cost(1, 90), 0.0)
    started(budgets, small, 0.0)
    assert limited(budgets, small, 0.0) == Limited(LimitType.REQUESTS_PER_SECOND, 1.0)
    assert limited(budgets, Cost(1, 20), 0.0) == Limited(LimitType.TOKENS_PER_MINUTE, 60.0)
    started(budgets, small, 1.0)
    started(budgets, small, 2.0)
    assert limited(budgets, small, 3.0) == Limited(LimitType.REQUESTS_PER_MINUTE, 60.0)
    started(budgets, Cost(1, 50), 60.0)
    # a day's slice is 144 s long, and as young as its youngest start
    assert limited(budgets, Cost(1, 10), 62.0) == Limited(LimitType.TOKENS_PER_DAY, 86_460.0)
    started(budgets, small, 62.0)
    assert limited(budgets, small, 200.0) == Limited(LimitType.REQUESTS_PER_DAY, 86_462.0)


@pytest.mark.requirement("RL-02")
def test_a_request_that_may_not_start_is_counted_nowhere() -> None:
    """A full budget costs nothing in the others."""
    budgets = Budgets(ALL)
    started(budgets, Cost(1, 90), 0.0)
    for _ in range(10):
        limited(budgets, Cost(1, 20), 0.5)
    started(budgets, Cost(1, 1), 0.5)


@pytest.mark.requirement("RL-01")
def test_without_limits_everything_starts() -> None:
    """And nothing is kept of it."""
    budgets = Budgets(RateLimits())
    assert started(budgets, Cost(1, 10**9), 0.0).entries == ()
    assert budgets.rows == ()


@pytest.mark.requirement("RL-02")
@pytest.mark.parametrize(("used", "room"), [(20, 80), (80, 20), (0, 100), (-5, 100), (150, -50), (None, 50)], ids=str)
def test_the_estimate_is_corrected_by_what_was_really_used(used: int | None, room: int) -> None:
    """In both directions, in each token budget, once; requests stay counted."""
    budgets = Budgets(RateLimits(tokens_per_minute=100, tokens_per_day=100, requests_per_minute=5))
    permit = started(budgets, Cost(1, 50), 0.0)
    budgets.correct(permit, used)
    budgets.correct(permit, 33)
    budgets.give_back(permit)
    counts = {row.limit_type: row.gauge.used(1.0) for row in budgets.rows}
    assert counts == {
        LimitType.TOKENS_PER_MINUTE: 100 - room,
        LimitType.TOKENS_PER_DAY: 100 - room,
        LimitType.REQUESTS_PER_MINUTE: 1,
    }


@pytest.mark.requirement("RL-02")
def test_what_never_left_is_given_back_everywhere() -> None:
    """Once."""
    budgets = Budgets(ALL)
    permits = [started(budgets, Cost(1, 50), 0.0), started(budgets, Cost(1, 50), 0.0)]
    for _ in range(2):
        budgets.give_back(permits[0])
    budgets.correct(permits[0], 99)
    assert [row.gauge.used(0.0) for row in budgets.rows] == [1, 1, 50, 1, 50]
    budgets.give_back(permits[1])
    assert budgets.is_unused(0.0)


@pytest.mark.requirement("RL-02")
def test_a_request_larger_than_a_whole_budget_is_told_which() -> None:
    """The first that could not hold it; one at the limit could."""
    budgets = Budgets(RateLimits(requests_per_minute=1, tokens_per_minute=200, tokens_per_day=100))
    assert budgets.too_small(100, now=0.0) is None
    over = budgets.too_small(101, now=0.0)
    assert over is not None
    assert over.limit_type is LimitType.TOKENS_PER_DAY


@pytest.mark.requirement("RL-04")
def test_nothing_starts_while_the_upstream_refuses() -> None:
    """Until the latest moment that it named."""
    budgets = Budgets(RateLimits())
    budgets.hold(9.0)
    budgets.hold(5.0)
    assert limited(budgets, ONE, 1.0) == Limited(LimitType.SERVER_ENFORCED, 9.0)
    assert not budgets.is_unused(1.0)
    started(budgets, ONE, 9.0)
    assert budgets.is_unused(9.0)


@pytest.mark.requirement("RL-06")
def test_limits_follow_what_the_upstream_names_up_and_down() -> None:
    """Requests and tokens by themselves; what is not named stays."""
    budgets = Budgets(RateLimits(requests_per_minute=10, tokens_per_minute=1000))
    for limit in (3, 30):
        budgets.adapt(RateHeaders(requests=Allowance(limit, None, None)), 0.0)
        assert [row.gauge.limit for row in budgets.rows] == [limit, 1000]
    budgets.adapt(RateHeaders(tokens=Allowance(500, 20, 1.0)), 0.0)
    assert [row.gauge.limit for row in budgets.rows] == [30, 500]
    assert limited(budgets, Cost(1, 21), 0.0) == Limited(LimitType.TOKENS_PER_MINUTE, 1.0)
    started(budgets, Cost(1, 20), 0.0)


@pytest.mark.requirement("RL-06")
def test_a_limit_that_was_not_there_is_there_once_it_is_named() -> None:
    """A limit of nothing is none, for then nothing would ever start again."""
    budgets = Budgets(RateLimits())
    budgets.adapt(RateHeaders(requests=Allowance(0, 0, 1.0), tokens=Allowance(None, 5, 1.0)), 0.0)
    assert budgets.rows == ()
    budgets.adapt(RateHeaders(requests=Allowance(2, 2, 1.0)), 0.0)
    budgets.adapt(RateHeaders(requests=Allowance(1, 1, 1.0)), 0.0)
    started(budgets, ONE, 0.0)
    assert limited(budgets, ONE, 0.0) == Limited(LimitType.REQUESTS_PER_MINUTE, 60.0)


@pytest.mark.requirement("RL-06")
@pytest.mark.parametrize(
    ("said", "of_day"),
    [
        (Allowance(60, 59, 1.0), False),
        (Allowance(10_000, 9_999, 8.64), True),
        (Allowance(10_000, 9_900, 864.0), True),
        (Allowance(10_000, 9_999, 0.006), False),
        (Allowance(150_000, 149_984, 360.0), False),
        (Allowance(1000, 0, 3601.0), True),
        (Allowance(1000, 0, 3600.0), False),
        (Allowance(1000, None, 30.0), False),
        (Allowance(1000, 1001, 30.0), False),
        (Allowance(1000, 999, None), False),
        (Allowance(None, 999, 86_400.0), False),
    ],
)
def test_an_answer_speaks_of_the_minute_or_of_the_day(said: Allowance, of_day: bool) -> None:
    """By when the window is whole again, and by how fast it fills."""
    assert speaks_of_day(said) is of_day
    budgets = Budgets(RateLimits())
    budgets.adapt(RateHeaders(tokens=said), 0.0)
    expected = LimitType.TOKENS_PER_DAY if of_day else LimitType.TOKENS_PER_MINUTE
    assert [row.limit_type for row in budgets.rows] == ([] if said.limit is None else [expected])


def test_budgets_show_their_table() -> None:
    """In their repr."""
    shown = repr(Budgets(RateLimits(requests_per_second=1.0, tokens_per_day=9)))
    assert shown == (
        "Budgets(requests_per_second=Bucket(rate=1, limit=1), tokens_per_day=Window(seconds=86400, limit=9))"
    )


@pytest.mark.requirement("RL-06")
def test_a_limit_that_the_upstream_has_named_once_does_not_shut_everybody_out_for_ever() -> None:
    """A call above it is refused for a minute; then one may ask again, up to what the settings say."""
    told = RateHeaders(tokens=Allowance(limit=1))
    for limits, largest in ((RateLimits(), 10**6), (RateLimits(tokens_per_minute=500), 500)):
        budgets = Budgets(limits)
        budgets.adapt(told, now=5.0)
        assert budgets.too_small(50, now=64.9) is not None
        assert budgets.too_small(largest + 1, now=65.0) is not None or largest == 10**6
        assert budgets.too_small(largest, now=65.0) is None
        assert budgets.ask(Cost(1, largest), now=65.0).__class__ is Permit
        budgets.adapt(told, now=66.0)
        assert budgets.too_small(50, now=66.0) is not None
