"""The window of a breaker: what is too old does not count, and its memory is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_util.breaker_window import SLICES, CallWindow

SPAN = 60.0

# pauses that meet the edges of slices and of the window, and any others
PAUSES = st.one_of(st.sampled_from([0.0, 0.5, 1.0, 59.0, 60.0, 60.1]), st.floats(0.0, 90.0))
HISTORIES = st.lists(st.tuples(PAUSES, st.booleans()), max_size=80)


@pytest.mark.requirement("CB-01")
@given(history=HISTORIES)
def test_failures_are_counted_to_the_moment_and_calls_to_one_slice(history: list[tuple[float, bool]]) -> None:
    """Beside a list of everything that happened: never a call too old, and at most the oldest slice is missing."""
    window, now, seen = CallWindow(SPAN, most_failures=1000), 0.0, []
    for pause, failed in history:
        now += pause
        window.note(now, failed=failed)
        seen.append((now, failed))
        in_window = [bad for moment, bad in seen if now - moment <= SPAN]
        surely = [bad for moment, bad in seen if now - moment <= SPAN - SPAN / SLICES]
        assert window.failures(now) == sum(in_window)
        failures, calls = window.calls(now)
        assert sum(surely) <= failures <= sum(in_window)
        assert len(surely) <= calls <= len(in_window)


@pytest.mark.requirement("CB-01")
@pytest.mark.parametrize(("age", "counts"), [(60.0, 1), (60.001, 0)])
def test_a_call_counts_as_long_as_the_window_and_no_longer(age: float, counts: int) -> None:
    """The end of the window belongs to it."""
    window = CallWindow(SPAN, most_failures=5)
    window.note(100.0, failed=True)
    assert (window.failures(100.0 + age), window.calls(100.0 + age)) == (counts, (counts, counts))


@pytest.mark.requirement("CB-01")
def test_the_memory_of_a_window_does_not_grow_with_the_calls() -> None:
    """A hundred thousand calls in a minute are some sixty slices and as many failures as were asked for."""
    window = CallWindow(SPAN, most_failures=5)
    for call in range(100_000):
        window.note(call * 0.0007, failed=call % 2 == 0)
    assert len(window._slices) <= SLICES + 1
    assert len(window._failed_at) == window.failures(70.0) == 5
    failures, calls = window.calls(70.0)
    assert 59 / 0.0007 <= calls <= 60 / 0.0007 + 1
    assert failures == pytest.approx(calls / 2, abs=1)


def test_a_report_from_a_thread_that_was_overtaken_counts_as_of_now() -> None:
    """It read the clock earlier than the one before it; nothing is dropped and nothing is kept for longer."""
    window = CallWindow(SPAN, most_failures=5)
    window.note(10.0, failed=True)
    window.note(9.0, failed=True)
    assert (window.failures(70.0), window.failures(70.1)) == (2, 0)


def test_a_cleared_window_is_empty() -> None:
    """Failures and calls alike."""
    window = CallWindow(SPAN, most_failures=5)
    window.note(0.0, failed=True)
    window.clear()
    assert (window.failures(0.0), window.calls(0.0)) == (0, (0, 0))
