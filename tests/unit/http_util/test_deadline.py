"""A deadline is a moment, not a duration."""

from __future__ import annotations

import pytest

from http_util.deadline import Deadline
from http_util.testing import FakeClock


def test_a_deadline_is_counted_from_now_and_nothing_resets_it() -> None:
    """What remains shrinks to zero and stays there."""
    clock = FakeClock(now=100.0)
    deadline = Deadline.after(5.0, clock)
    assert deadline == Deadline(105.0)
    assert [deadline.remaining(now) for now in (100.0, 104.0, 105.0, 200.0)] == [5.0, 1.0, 0.0, 0.0]


def test_the_stricter_of_two_deadlines_is_the_smaller() -> None:
    """Deadlines order by time."""
    assert min(Deadline(2.0), Deadline(1.0)) == Deadline(1.0)


@pytest.mark.parametrize("seconds", [-0.1, float("nan")])
def test_a_duration_that_is_none_is_refused(seconds: float) -> None:
    """The text shows it."""
    with pytest.raises(ValueError, match="seconds must be zero or more"):
        Deadline.after(seconds, FakeClock())


def test_a_moment_that_is_not_a_number_is_refused() -> None:
    """It could not be compared."""
    with pytest.raises(ValueError, match=r"Deadline\.at"):
        Deadline(float("nan"))
