"""Bucket and window: never above the limit, never later than promised, and exact about what is given back."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from http_util.rate_gauges import SLICES, Bucket, Window

if TYPE_CHECKING:
    from collections.abc import Iterable


@pytest.mark.requirement("RL-01")
def test_a_bucket_lets_a_burst_start_and_then_one_after_the_other() -> None:
    """Three at once, then one every tenth of a second."""
    bucket = Bucket(rate=10.0, limit=3)
    moments = []
    now = 0.0
    for _ in range(6):
        now = bucket.free_at(1, now)
        bucket.take(1, now)
        moments.append(round(now, 9))
    assert moments == [0.0, 0.0, 0.0, 0.1, 0.2, 0.3]


@pytest.mark.requirement("RL-01")
def test_a_bucket_fills_up_to_its_limit_and_no_further() -> None:
    """A long silence buys one burst."""
    bucket = Bucket(rate=10.0, limit=3)
    for _ in range(3):
        bucket.take(1, 1e6)
    assert bucket.used(1e6) == 3
    assert bucket.free_at(1, 1e6) == pytest.approx(1e6 + 0.1)
    assert bucket.used(1e6 + 0.15) == 2


@pytest.mark.requirement("RL-01")
def test_a_bucket_tells_when_the_last_of_many_may_start() -> None:
    """Also of more than it holds."""
    bucket = Bucket(rate=10.0, limit=3)
    assert bucket.free_at(3, 5.0) == 5.0
    assert bucket.free_at(4, 5.0) == pytest.approx(5.1)
    assert bucket.free_at(13, 5.0) == pytest.approx(6.0)


@pytest.mark.requirement("RL-01")
def test_the_moment_that_was_told_is_the_moment() -> None:
    """Who asks again at exactly that moment is not told another one, whatever the rounding."""
    bucket, window = Bucket(rate=3.0, limit=1), Window(seconds=0.7, limit=1)
    now = 0.1
    for _ in range(1000):
        for gauge in (bucket, window):
            gauge.take(1, now)
        now = max(bucket.free_at(1, now), window.free_at(1, now))
        assert bucket.free_at(1, now) == window.free_at(1, now) == now


@pytest.mark.requirement("RL-01")
@pytest.mark.parametrize("rate", [0.3, 3.0, 7.0, 10.0, 1000.0])
def test_a_whole_burst_starts_at_once_at_any_moment(rate: float) -> None:
    """Not one less, because of a rounding error, and not one more."""
    for now in (0.0, 0.1, 123456.789):
        for limit in range(1, 50):
            bucket = Bucket(rate=rate, limit=limit)
            for _ in range(limit):
                assert bucket.free_at(1, now) == now
                bucket.take(1, now)
            assert bucket.free_at(1, now) > now


def _starts(bucket: Bucket, gaps: Iterable[float]) -> list[float]:
    """The moments at which those could start that came after *gaps*; the others are refused."""
    now, starts = 0.0, []
    for gap in gaps:
        now += gap
        if bucket.free_at(1, now) <= now:
            bucket.take(1, now)
            starts.append(now)
    return starts


@pytest.mark.requirement("RL-01")
@settings(deadline=None)
@given(st.lists(st.floats(0, 0.7), max_size=60), st.integers(1, 5), st.floats(0.5, 20))
def test_no_interval_holds_more_than_burst_and_rate(gaps: list[float], limit: int, rate: float) -> None:
    """Every interval between two starts is looked at."""
    starts = _starts(Bucket(rate=rate, limit=limit), gaps)
    for one, other in combinations(range(len(starts)), 2):
        assert other - one + 1 <= limit + rate * (starts[other] - starts[one]) + 1e-6


@pytest.mark.requirement("RL-02")
@settings(deadline=None)
@given(st.lists(st.floats(0, 0.13), min_size=2, max_size=30), st.data())
def test_a_start_that_is_given_back_leaves_the_bucket_as_if_it_had_not_been(
    gaps: list[float], data: st.DataObject
) -> None:
    """Whichever it was, and however many came after it."""
    bucket, other = Bucket(rate=4.0, limit=8), Bucket(rate=4.0, limit=8)
    moments = _starts(Bucket(rate=4.0, limit=8), gaps)
    gone = data.draw(st.integers(0, len(moments) - 1))
    kept = [bucket.take(1, at) for at in moments]
    for number, at in enumerate(moments):
        if number != gone:
            other.take(1, at)
    bucket.change(kept[gone], -1)
    now = moments[-1]
    assert bucket.free_at(1, now) == pytest.approx(other.free_at(1, now))
    assert bucket.free_at(20, now) == pytest.approx(other.free_at(20, now))


@pytest.mark.requirement("RL-02")
def test_a_start_is_given_back_once_and_not_for_ever() -> None:
    """The second time, and after two fillings of the bucket, nothing happens."""
    bucket = Bucket(rate=1.0, limit=2)
    first = bucket.take(1, 0.0)
    bucket.take(1, 0.0)
    bucket.change(first, -1)
    bucket.change(first, -1)
    assert bucket.used(0.0) == 1
    old = bucket.take(1, 0.0)
    for second in range(1, 10):
        bucket.take(1, float(second))
    bucket.change(old, -1)
    assert bucket.free_at(1, 9.0) == 10.0


@pytest.mark.requirement("RL-02")
def test_a_bucket_that_is_in_use_for_long_gives_back_one_start_and_no_more() -> None:
    """What it has forgotten still weighs."""
    bucket = Bucket(rate=1.0, limit=2)
    bucket.take(1, 0.0)
    starts = [bucket.take(1, float(second)) for second in range(10)]
    assert bucket.free_at(1, 9.0) == 10.0
    bucket.change(starts[-1], -1)
    assert bucket.free_at(1, 9.0) == 9.0
    assert bucket.free_at(2, 9.0) == 10.0


def test_a_bucket_remembers_a_bounded_number_of_starts() -> None:
    """Under full load for long, no more than three fillings."""
    bucket = Bucket(rate=100.0, limit=10)
    now = 0.0
    for _ in range(5000):
        now = bucket.free_at(1, now)
        bucket.take(1, now)
    assert len(bucket._starts) <= 30


@pytest.mark.requirement("RL-01")
def test_a_window_holds_its_limit_and_is_free_again_start_by_start() -> None:
    """Each start leaves it a whole window later."""
    window = Window(seconds=60.0, limit=3)
    for at in (0.0, 10.0, 20.0):
        assert window.free_at(1, at) == at
        window.take(1, at)
    assert window.free_at(1, 25.0) == 60.0
    assert window.free_at(2, 25.0) == 70.0
    assert window.free_at(3, 25.0) == 80.0
    assert window.used(60.0) == 2


@pytest.mark.requirement("RL-01")
def test_of_more_than_the_limit_each_further_limit_needs_another_window() -> None:
    """As many rounds as it takes."""
    window = Window(seconds=60.0, limit=10)
    window.take(4, 5.0)
    assert window.free_at(6, 6.0) == 6.0
    assert window.free_at(10, 6.0) == 65.0
    assert window.free_at(16, 6.0) == 66.0
    assert window.free_at(20, 6.0) == 125.0


@pytest.mark.requirement("RL-01")
@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(0, 6)), max_size=80),
    st.integers(6, 12),
)
def test_no_window_holds_more_than_the_limit(asks: list[tuple[float, int]], limit: int) -> None:
    """Compared with an exact log: never more, and at most a slice later than it would have to be."""
    seconds = 10.0
    window = Window(seconds=seconds, limit=limit)
    log: list[tuple[float, int]] = []
    now = 0.0
    for gap, units in asks:
        now += gap
        # what counts for the whole of the next slice counts now at the latest
        certain = sum(amount for at, amount in log if at + seconds + seconds / SLICES > now)
        free_at = window.free_at(units, now)
        if free_at <= now:
            window.take(units, now)
            log.append((now, units))
            assert sum(amount for at, amount in log if at + seconds > now) <= limit
        else:
            assert certain + units > limit
            assert free_at <= now + seconds + seconds / SLICES


def test_a_window_remembers_a_bounded_number_of_slices() -> None:
    """Whatever starts in it."""
    window = Window(seconds=60.0, limit=10**9)
    for number in range(100_000):
        window.take(1, number * 0.001)
    assert len(window._slices) <= SLICES + 1
    assert window.used(100.0) == pytest.approx(60_000, abs=60_000 / SLICES + 1)


@pytest.mark.requirement("RL-01")
def test_a_slice_is_as_young_as_its_youngest_start() -> None:
    """What shares a slice counts until the last of it is over, and a start after it has a slice of its own."""
    window = Window(seconds=60.0, limit=3)
    for at in (0.0, 0.09, 0.11):
        window.take(1, at)
    assert window.free_at(1, 1.0) == 60.09
    assert window.used(60.0) == 3
    assert window.used(60.09) == 1
    assert window.free_at(3, 60.1) == 60.11


@pytest.mark.requirement("RL-02")
def test_what_started_is_corrected_in_both_directions_while_it_counts() -> None:
    """Down makes room at once, up takes it; after its window it is over."""
    window = Window(seconds=60.0, limit=100)
    start = window.take(80, 0.0)
    assert window.free_at(30, 1.0) == 60.0
    window.change(start, -20)
    assert window.free_at(30, 1.0) == 1.0
    window.change(start, 70)
    assert window.used(1.0) == 130
    assert window.free_at(0, 1.0) == 60.0
    assert window.used(60.0) == 0
    window.change(start, 500)
    assert window.used(60.0) == 0


@pytest.mark.requirement("RL-06")
def test_what_others_have_used_counts_until_the_reset() -> None:
    """Ten are gone at the upstream, three of them are ours: seven count, and only until the upstream forgets them."""
    window = Window(seconds=60.0, limit=50)
    window.take(3, 0.0)
    window.adapt(20, 10, 30.0, 1.0)
    assert window.limit == 20
    assert window.used(1.0) == 10
    assert window.free_at(11, 1.0) == 31.0
    window.adapt(20, 12, 30.0, 2.0)
    assert window.used(2.0) == 8
    window.adapt(20, 20, 30.0, 3.0)
    assert window.used(3.0) == 3
    window.adapt(20, 10, 30.0, 4.0)
    assert window.used(33.9) == 10
    assert window.used(34.0) == 3


@pytest.mark.requirement("RL-06")
@pytest.mark.parametrize(("reset", "until"), [(None, 61.0), (1e9, 61.0), (0.0, 1.0)])
def test_others_count_for_a_window_at_most(reset: float | None, until: float) -> None:
    """Also when the upstream does not say until when, or says nonsense."""
    window = Window(seconds=60.0, limit=50)
    window.adapt(50, 0, reset, 1.0)
    assert window.free_at(1, 1.0) == until


@pytest.mark.requirement("RL-06")
def test_a_lower_limit_holds_for_what_has_started_already() -> None:
    """Enough of it must be over before anything else starts, oldest first, others' use among it."""
    window = Window(seconds=60.0, limit=100)
    window.take(10, 0.0)
    window.take(10, 20.0)
    window.adapt(20, 0, 30.0, 21.0)
    assert window.free_at(1, 21.0) == 60.0
    window.adapt(25, 0, 30.0, 21.0)
    assert window.free_at(1, 21.0) == 51.0
    assert window.free_at(6, 21.0) == 60.0


def test_a_clock_that_goes_back_frees_nothing() -> None:
    """The later moment counts."""
    window, bucket = Window(seconds=60.0, limit=2), Bucket(rate=1.0, limit=2)
    for gauge in (window, bucket):
        gauge.take(1, 10.0)
        gauge.take(1, 5.0)
    assert window.free_at(1, 66.0) == 70.0
    assert bucket.free_at(1, 10.0) == 11.0


@settings(deadline=None)
@given(st.lists(st.floats(0, 5), min_size=1, max_size=40))
def test_slices_stay_in_the_order_of_their_moments(gaps: list[float]) -> None:
    """Whatever comes when."""
    window = Window(seconds=60.0, limit=1000)
    now = 0.0
    for gap in gaps:
        now += gap
        window.take(1, now)
    assert all(one.last <= other.first for one, other in pairwise(window._slices))


def test_gauges_show_their_settings() -> None:
    """In their repr."""
    assert repr(Bucket(rate=2.5, limit=3)) == "Bucket(rate=2.5, limit=3)"
    assert repr(Window(seconds=60.0, limit=3)) == "Window(seconds=60, limit=3)"
