"""The guard against floods: a burst, a rate, and what our own doings explain."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from copy import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from http_util.engine.http2_floods import BURST, MAX_EXPLAINED, REFILL, FloodGuard
from http_util.engine.http2_frames import ConnectionFault, ErrorCode


def emptied() -> FloodGuard:
    """A guard that has just let all pass that it lets pass at once, at the moment 0."""
    guard = FloodGuard()
    for _ in range(BURST):
        guard.count(0.0)
    return guard


def test_a_burst_passes_and_one_more_does_not() -> None:
    """The connection ends with the code that asks for calm."""
    with pytest.raises(ConnectionFault, match="more pings") as caught:
        emptied().count(0.0)
    assert caught.value.error_code == ErrorCode.ENHANCE_YOUR_CALM


def test_a_rate_passes_for_ever() -> None:
    """One frame per refill, after the burst is used up."""
    guard = emptied()
    for number in range(1, 20_000):
        guard.count(number * 1.01 / REFILL)


def test_twice_the_rate_ends_when_the_burst_is_used_up() -> None:
    """So after as many as twice the burst, give or take what a float is off by."""
    guard = FloodGuard()
    moments = [number / REFILL / 2 for number in range(2 * BURST + 10)]
    for now in moments[: 2 * BURST - 10]:
        guard.count(now)
    with pytest.raises(ConnectionFault):
        deque(map(guard.count, moments[2 * BURST - 10 :]))


def test_a_long_silence_allows_no_more_than_a_burst() -> None:
    """The bucket has a rim."""
    guard = FloodGuard()
    guard.count(0.0)
    for _ in range(BURST):
        guard.count(1e6)
    with pytest.raises(ConnectionFault):
        guard.count(1e6)


def test_the_first_moment_may_be_any() -> None:
    """A monotonic clock begins anywhere."""
    FloodGuard().count(-5.0)
    FloodGuard().count(1e9)


def test_what_we_explain_is_not_counted() -> None:
    """And is used up."""
    guard = emptied()
    guard.explain(3)
    for _ in range(3):
        guard.count(0.0)
    with pytest.raises(ConnectionFault):
        guard.count(0.0)


def test_explanations_have_a_bound() -> None:
    """A peer cannot save them up for ever."""
    guard = emptied()
    for _ in range(3):
        guard.explain(MAX_EXPLAINED)
    for _ in range(MAX_EXPLAINED):
        guard.count(0.0)
    with pytest.raises(ConnectionFault):
        guard.count(0.0)


def test_a_frame_may_count_as_many() -> None:
    """Also against what is explained, as a whole."""
    guard = FloodGuard()
    guard.explain(9)
    guard.count(0.0, 10)
    guard.count(0.0, 9)
    guard.count(0.0, BURST - 10)
    with pytest.raises(ConnectionFault):
        guard.count(0.0, 1)


@settings(deadline=None)
@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=50))
def test_no_more_than_a_burst_and_the_rate_ever_pass(pauses: list[float]) -> None:
    """Whatever the peer's pace: as many frames as it can get rid of after each pause."""
    guard, now, passed = FloodGuard(), 0.0, 0
    for pause in pauses:
        now += pause
        copied = copy(guard)
        with suppress(ConnectionFault):
            for _ in range(2 * BURST):
                copied.count(now)
                guard.count(now)
                passed += 1
    assert BURST <= passed <= BURST + now * REFILL + 1
