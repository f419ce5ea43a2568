"""
One call's retrying: a policy, a deadline, a budget and hooks, in the shape in which tenacity takes it.

`RetryPlan.keywords` returns one keyword dict for both of tenacity's loops; the caller adds the ``sleep`` of its colour:

    AsyncRetrying(sleep=clock.sleep, **plan.keywords())
    Retrying(sleep=clock.sleep, **plan.keywords())

All rules are in `http_util.retry`; here they are only carried into tenacity's callbacks. What is raised in the end is
the last real failure itself, with the ledger in it. Cancellation and bugs are never retried.

Spec: HTU-1002, HTU-05, RTY-02, RTY-03, RTY-07
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tenacity

from http_util.errors import HttpFailure
from http_util.log import get_logger
from http_util.retry import GiveUp, Retry, Stop
from http_util.telemetry import ABORT, ExhaustedRecord, RetryRecord, notify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from http_util.clock import Clock, SyncClock
    from http_util.deadline import Deadline
    from http_util.retry import RetryPolicy
    from http_util.retry_budget import RetryBudget


class RetryPlan:
    """The retrying of one call. Make one per call; only the policy and the budget behind it are shared."""

    __slots__ = (
        "_began",
        "_budget",
        "_can_be_sent",
        "_clock",
        "_deadline",
        "_delay",
        "_endpoint",
        "_hooks",
        "_paid",
        "_policy",
        "_replay_safe",
        "_rng",
    )

    def __init__(
        self,
        policy: RetryPolicy | None,
        *,
        clock: Clock | SyncClock,
        rng: Random,
        endpoint: str,
        began: float | None = None,
        deadline: Deadline | None = None,
        replay_safe: bool = False,
        can_be_sent: Callable[[], bool] = lambda: True,
        budget: RetryBudget | None = None,
        hooks: Sequence[object] = (),
    ) -> None:
        """
        Plan the retrying of one call.

        Args:
            policy: The rules; None means one attempt.
            clock: Says what now is; it is not asked to sleep.
            rng: Source of the jitter.
            endpoint: ``scheme://host:port``, the budget's key.
            began: Monotonic moment at which the first attempt began; None means now.
            deadline: No pause goes beyond it.
            replay_safe: Whether the request may be processed twice, see `RetryPolicy.decide`.
            can_be_sent: Tells after an attempt whether there is still a body for another.
            budget: Pays for retries; None means that they are free.
            hooks: See `http_util.telemetry.Hooks`.
        """
        self._policy = policy
        self._clock = clock
        self._rng = rng
        self._endpoint = endpoint
        self._began = clock.monotonic() if began is None else began
        self._deadline = deadline
        self._replay_safe = replay_safe
        self._can_be_sent = can_be_sent
        self._budget = budget
        self._hooks = hooks
        self._delay = 0.0
        self._paid = 0.0

    @property
    def delay(self) -> float:
        """Seconds waited before the current attempt, zero for the first."""
        return self._delay

    @property
    def paid(self) -> float:
        """Tokens that the budget took for the current attempt, zero for the first; a success gets them back."""
        return self._paid

    def keywords(self) -> dict[str, Any]:
        """Return tenacity's arguments; ``sleep`` is the caller's to add."""
        return {
            "retry": self._wants_retry,
            "wait": self._pause,
            "stop": tenacity.stop_never,
            "reraise": True,
        }

    def _pause(self, _state: tenacity.RetryCallState) -> float:
        """Return the pause that `_wants_retry` decided on."""
        return self._delay

    def _wants_retry(self, state: tenacity.RetryCallState) -> bool:
        """Decide after each attempt; tenacity raises the attempt's own error when the answer is no."""
        error = state.outcome.exception() if state.outcome is not None else None
        if not isinstance(error, HttpFailure):
            return False
        decision = self.decide(error, attempt=state.attempt_number)
        if isinstance(decision, Retry):
            self._delay = decision.delay
            return True
        return False

    def decide(self, failure: HttpFailure, *, attempt: int) -> Retry | GiveUp:
        """
        Return what follows attempt number *attempt*, after policy, hooks and budget had their say in this order.

        The hooks of `Hooks` are called from here, so call it once per failed attempt.
        """
        if self._policy is None:
            return GiveUp(Stop.NOT_RETRIED)
        now = self._clock.monotonic()
        remaining = None if self._deadline is None else self._deadline.remaining(now)
        elapsed = now - self._began
        decision = self._policy.decide(
            failure,
            attempt=attempt,
            remaining=remaining,
            rng=self._rng,
            elapsed=elapsed,
            replay_safe=self._replay_safe,
        )
        if isinstance(decision, Retry) and not self._can_be_sent():
            decision = GiveUp(Stop.BODY_USED)
        if isinstance(decision, Retry):
            answer = self._asked(failure, attempt, decision)
            left, late = self._policy.time_left(remaining, elapsed)
            decision = GiveUp(late) if isinstance(answer, Retry) and answer.delay > left else answer
        if isinstance(decision, Retry) and not self._pay(failure, now):
            decision = GiveUp(Stop.BUDGET)
        self._report(failure, attempt, decision)
        return decision

    def _asked(self, failure: HttpFailure, attempt: int, planned: Retry) -> Retry | GiveUp:
        """Return the decision after the hooks were asked; the last answer counts, and an abort always does."""
        record = RetryRecord(attempt=attempt, failure=failure, next_delay=planned.delay, policy=self._name)
        answers = notify(self._hooks, "on_retry", record)
        if ABORT in answers:
            return GiveUp(Stop.HOOK)
        return next((a for a in reversed(answers) if isinstance(a, Retry)), planned)

    def _pay(self, failure: HttpFailure, now: float) -> bool:
        """Take the price of a retry after *failure* from the budget, and tell whether there was enough."""
        if self._budget is None:
            return True
        cost = self._budget.price(failure)
        if not self._budget.spend(self._endpoint, now, cost):
            return False
        self._paid = cost
        return True

    def _report(self, failure: HttpFailure, attempt: int, decision: Retry | GiveUp) -> None:
        """Write the decision to the debug log and, when the call is given up, to the hooks."""
        facts = {
            "attempt": attempt,
            "policy": self._name,
            "reason": failure.reason,
            "outcome": failure.outcome.value,
            "upstream_request_id": failure.upstream_request_id,
        }
        if isinstance(decision, Retry):
            get_logger("http_util").debug("retrying", delay=round(decision.delay, 6), **facts)
            return
        get_logger("http_util").debug("giving_up", stop=decision.reason.value, **facts)
        record = ExhaustedRecord(failure=failure, attempts=attempt, stop=decision.reason, policy=self._name)
        notify(self._hooks, "on_exhausted", record)

    @property
    def _name(self) -> str:
        """Return the policy's name."""
        return self._policy.name if self._policy is not None else "none"
