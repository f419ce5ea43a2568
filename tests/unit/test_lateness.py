"""What plays a late test again, and what it lets through."""

from __future__ import annotations

import pytest

from tests.lateness import PLAYS, Late, in_time, late_only_once


class Simulator:
    """Counts how often it is emptied."""

    resets = 0

    def reset(self) -> None:
        """Empty it."""
        self.resets += 1


def test_what_is_late_is_played_again_with_an_empty_simulator() -> None:
    """Until it is in time; then it has passed."""
    took = iter([0.2, 0.2, 0.05])
    simulator = Simulator()

    @late_only_once
    def test(simulator: Simulator) -> None:
        in_time(next(took), 0.1)

    test(simulator=simulator)
    assert simulator.resets == 2


async def test_a_coroutine_is_played_again_too() -> None:
    """And not once it was in time."""
    took = iter([0.2, 0.05])

    @late_only_once
    async def test() -> None:
        in_time(next(took), 0.1)

    await test()
    assert list(took) == []


def test_what_is_late_every_time_fails() -> None:
    """With what took how long."""
    plays = []

    @late_only_once
    def test() -> None:
        plays.append(1)
        in_time(0.2, 0.1, "the stop")

    with pytest.raises(Late, match=r"^the stop took 0\.200 s; 0\.100 s are allowed$"):
        test()
    assert len(plays) == PLAYS


def test_what_fails_otherwise_fails_at_once() -> None:
    """It is not about time."""
    plays = []

    @late_only_once
    def test() -> None:
        plays.append(1)
        raise AssertionError("wrong")

    with pytest.raises(AssertionError, match="wrong"):
        test()
    assert plays == [1]
