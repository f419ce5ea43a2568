"""The breaker's table: every cell."""

from __future__ import annotations

import pytest

from http_util.breaker_states import TRANSITIONS, Signal, State

CHANGES = {
    (State.CLOSED, Signal.FAILURES_REACHED): State.OPEN,
    (State.OPEN, Signal.RECOVERY_DUE): State.HALF_OPEN,
    (State.HALF_OPEN, Signal.FAILURE): State.OPEN,
    (State.HALF_OPEN, Signal.FAILURES_REACHED): State.OPEN,
    (State.HALF_OPEN, Signal.SUCCESSES_REACHED): State.CLOSED,
}


@pytest.mark.requirement("CB-01")
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("signal", Signal)
def test_every_cell_of_the_table_is_filled_and_only_five_change_the_state(state: State, signal: Signal) -> None:
    """All other signals leave the breaker where it is."""
    assert TRANSITIONS[state][signal] is CHANGES.get((state, signal), state)
