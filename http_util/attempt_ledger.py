"""
The attempt ledger of one call: what was tried, where, with which outcome and after which pause.

Pure: the time is an argument. The ledger travels with the result or with the failure, never through a global.

Spec: HTU-05, REL-05
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapter_api.outcome import Attempt, Outcome
from http_util.errors import PolicyFailure

if TYPE_CHECKING:
    from http_util.errors import HttpFailure


class AttemptLedger:
    """Collects the lines of one call: `begin` each attempt, then `succeeded` or `failed`."""

    __slots__ = ("_began", "_delay", "_endpoint", "_lines", "last_failure", "started")

    def __init__(self) -> None:
        """Open the ledger of a call."""
        self._endpoint = ""
        self._lines: list[Attempt] = []
        self.started: float | None = None
        """The monotonic moment at which the first attempt began; None before."""
        self.last_failure: HttpFailure | None = None
        """What the last attempt failed with; None when there was none, or it succeeded."""
        self._began = 0.0
        self._delay = 0.0

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The finished lines, oldest first."""
        return tuple(self._lines)

    def begin(self, endpoint: str, now: float, *, delay: float = 0.0) -> None:
        """
        Note the start of an attempt.

        Args:
            endpoint: Where it goes: ``scheme://host:port``, without userinfo.
            now: Monotonic seconds.
            delay: Seconds waited before it.
        """
        self._endpoint = endpoint
        self._began = now
        self._delay = delay
        if self.started is None:
            self.started = now

    def succeeded(self, now: float, *, http_status: int, upstream_request_id: str | None) -> Attempt:
        """Close the current attempt with a good answer and return its line."""
        return self._line(now, None, None, http_status, upstream_request_id)

    def failed(self, now: float, failure: HttpFailure) -> Attempt:
        """Close the current attempt with *failure*, write the whole ledger into it, and return the line."""
        line = self._line(now, failure.outcome, failure.reason, failure.http_status, failure.upstream_request_id)
        failure.attempts = self.attempts
        self.last_failure = failure
        return line

    def resent(self, now: float) -> Attempt:
        """Close the current attempt, which the upstream did not process, begin the next at once; return the line."""
        line = self._line(now, Outcome.NOT_SENT, "reset", None, None)
        self._began, self._delay = now, 0.0
        return line

    def outside_attempts(self, failure: HttpFailure) -> HttpFailure:
        """
        Return what a call has failed with that was stopped outside of an attempt: before, between or behind them.

        That is the last attempt's own failure where a layer of this side let no other one pass, for what the upstream
        said is what the caller must know. Else it is *failure*, with the ledger and the outcome of the last attempt.

        Spec: REL-05
        """
        if isinstance(failure, PolicyFailure) and self.last_failure is not None:
            return self.last_failure
        last = self._lines[-1].outcome if self._lines else None
        return failure.replace(outcome=last or Outcome.NOT_SENT, attempts=self.attempts)

    def _line(
        self,
        now: float,
        outcome: Outcome | None,
        reason: str | None,
        http_status: int | None,
        upstream_request_id: str | None,
    ) -> Attempt:
        """Append and return a line."""
        line = Attempt(
            number=len(self._lines) + 1,
            outcome=outcome,
            reason=reason,
            http_status=http_status,
            delay=self._delay,
            elapsed=max(0.0, now - self._began),
            endpoint=self._endpoint,
            upstream_request_id=upstream_request_id,
        )
        self._lines.append(line)
        return line
