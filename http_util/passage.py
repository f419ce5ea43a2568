"""
What one attempt holds of the layers that it went through, until its answer has ended.

A stream may take minutes, and what it says of the upstream is known at its end only. So the leave that the breaker gave
and the place that the limiter gave stay with the answer, and are settled once: by its end, by what broke it, or, when
nobody waited for either, as if the call had not been.

Spec: CB-06, RL-02
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapter_api.outcome import Outcome
from http_util.errors import DeadlineExceeded, Interrupted

if TYPE_CHECKING:
    from http_util.breaker import Breaker, Permit
    from http_util.clock import Clock, SyncClock
    from http_util.errors import HttpFailure
    from http_util.resilience import Leave


class Passage:
    """The leaves of one attempt. Only the first `settle` or `abandon` counts."""

    __slots__ = ("_circuit", "_clock", "_leave", "_permit")

    def __init__(
        self, clock: Clock | SyncClock, circuit: Breaker | None, permit: Permit | None, leave: Leave | None
    ) -> None:
        """
        Hold what was given.

        Args:
            clock: Tells when the attempt ends.
            circuit: The breaker that was asked; None without one.
            permit: Its leave.
            leave: The limiter's; None without one.
        """
        self._clock = clock
        self._circuit = circuit
        self._permit = permit
        self._leave = leave

    def settle(self, failure: HttpFailure | None, tokens: int | None = None) -> None:
        """
        The answer has ended.

        Args:
            failure: What broke it; None when it ended well. What this side did to it says nothing of the upstream.
            tokens: What the call really used; None when nobody knows.
        """
        circuit, permit, leave = self._take()
        if circuit is not None and permit is not None:
            now = self._clock.monotonic()
            if isinstance(failure, Interrupted | DeadlineExceeded):
                circuit.abandon(permit, now)
            else:
                circuit.settle(permit, failure, now)
        if leave is not None:
            if failure is not None and failure.outcome is Outcome.NOT_SENT:
                leave.abandon()
            else:
                leave.settle(tokens)

    def abandon(self) -> None:
        """Nobody waits for the end of the answer."""
        circuit, permit, leave = self._take()
        if circuit is not None and permit is not None:
            circuit.abandon(permit, self._clock.monotonic())
        if leave is not None:
            leave.settle(None)

    def _take(self) -> tuple[Breaker | None, Permit | None, Leave | None]:
        """Return what is held, and hold nothing any more."""
        held = self._circuit, self._permit, self._leave
        self._circuit = self._permit = self._leave = None
        return held
