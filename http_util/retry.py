"""
Whether a failed attempt is repeated, and after which pause. Pure: no clock, no sleep, randomness handed in.

Two named policies, the two columns of one table. What decides is the failure's outcome and reason, never its text:

==================================================================  ========  ============  =========
failure                                                             outcome   billing_safe  available
==================================================================  ========  ============  =========
no connection, handshake cut, pool timeout, stream refused          NOT_SENT  yes           yes
408, 425, 429 (rate), 503, 529                                      REJECTED  yes           yes
``x-should-retry`` before the first token                           any       as it says    as it says
409, 500, 501, 502, 504, 52x                                        UNKNOWN   no            yes
sent, no byte of an answer: reset, end, timeout                     UNKNOWN   no            yes
200, then nothing or an error before the first token                UNKNOWN   no            no
anything after the first token                                      PARTIAL   never         never
a 429 that is not about the rate, whatever ``x-should-retry`` says  REJECTED  never         never
everything else                                                     any       no            no
==================================================================  ========  ============  =========

A policy may name its own statuses (`RetryPolicy.statuses`); they stand in for the rows that are about statuses. What is
UNKNOWN is still repeated only by a policy that says so, for a call that may be repeated.

Spec: HTU-1002, HTU-03, HTU-06, HTU-07, RTY-01, RTY-04, RTY-05, RTY-06, RTY-07
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from adapter_api.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from http_util.errors import HttpFailure

RETRIED_NOT_SENT: Final = frozenset({"connection_failed", "connect_timeout", "pool_timeout", "reset"})
"""Reasons retried by every policy when the request was not sent."""

RETRIED_REJECTED: Final = frozenset(
    {"request_timeout", "too_early", "rate_limited", "service_unavailable", "overloaded"},
)
"""Reasons retried by every policy when the upstream says that it refused."""

RETRIED_UNKNOWN: Final = frozenset(
    {
        "bad_gateway",
        "conflict",
        "first_byte_timeout",
        "gateway_timeout",
        "idle_timeout",
        "reset",
        "server_error",
        "write_timeout",
    },
)
"""Reasons retried by `AVAILABLE` only: the upstream may have processed, and billed, the request."""

NEVER_RETRIED: Final = frozenset({"quota_exceeded", "token_limit"})
"""The 429s that are not about the rate. No pause mends them, whatever a header or a list of statuses says."""

_SUCCESS: Final = range(200, 300)
_ERROR_STATUSES: Final = range(400, 600)

# 2.0 ** 1024 is no float any more, and no sensible cap is anywhere near 2.0 ** 64.
_LARGEST_EXPONENT: Final = 64


class Stop(StrEnum):
    """Why a failure is not followed by another attempt."""

    PARTIAL = "partial"
    """A part of the answer was handed out."""
    EXHAUSTED = "attempts_exhausted"
    """All attempts are used up."""
    REFUSED = "upstream_said_no"
    """The upstream itself says that a retry is useless."""
    NOT_RETRIED = "not_retried"
    """The policy does not repeat failures of this kind."""
    NOT_REPLAY_SAFE = "not_replay_safe"
    """The upstream may have processed the request, and the caller did not say that it may be repeated."""
    BODY_USED = "body_used_up"
    """The body was read while it was sent, and cannot be read again."""
    RETRY_AFTER = "retry_after_too_long"
    """The upstream asks for a longer pause than the policy or the deadline allows."""
    DEADLINE = "deadline"
    """The deadline would pass during the pause."""
    TOTAL_TIMEOUT = "total_timeout"
    """The policy's own time for a call would pass during the pause."""
    BUDGET = "retry_budget_empty"
    """The endpoint's retry budget is used up."""
    HOOK = "hook_aborted"
    """A hook said so."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after a pause."""

    delay: float
    """Seconds, zero or more."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Raise the failure as it is."""

    reason: Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """
    The rules of retrying, as a value.

    The pause before retry number n (from 0) is drawn uniformly from ``[0, min(cap, base * multiplier ** n)]`` seconds
    (see `backoff` for less jitter), unless the upstream named one.

    A policy is immutable, keeps nothing about any call, and may be shared by all of them.

    Spec: HTU-1002, RTY-07
    """

    name: str
    """Shows up in logs and in ``describe`` texts."""
    max_attempts: int = 4
    """Attempts in all, the first call included; at least 1."""
    base: float = 0.1
    """Bound of the first pause in seconds; above zero."""
    multiplier: float = 2.0
    """Growth of the bound from one pause to the next; at least 1."""
    cap: float = 2.0
    """Largest bound in seconds; at least *base*."""
    jitter: float = 1.0
    """Part of the pause that is drawn, 0 to 1: 1 is full jitter, 0 waits the same pause every time."""
    jitter_around: bool = False
    """Whether the pause is drawn around its middle, so that a *jitter* of 0.1 means 10 % more or less."""
    total_timeout: float | None = None
    """Seconds from the first attempt after which no other begins, above zero; a running one is not cut off by it."""
    retry_after_ceiling: float = 60.0
    """Longest pause in seconds that an upstream may ask for; when it asks for more, the call fails at once."""
    retries_unknown: bool = False
    """Whether failures are retried after which the upstream may have processed the request."""
    statuses: frozenset[int] | None = None
    """The statuses, 400 to 599, whose answers are retried, and no others; None: those of the table."""
    server_error_attempts: int | None = None
    """Attempts in all for a call whose last one failed with `server_error` (500), at least 1; None: *max_attempts*."""

    def __post_init__(self) -> None:
        """
        Refuse settings that make no sense.

        Raises:
            ValueError: A field is out of its range; the text names it.
        """
        for field, fine, accepted in (
            ("max_attempts", self.max_attempts >= 1, "1 or more"),
            ("base", self.base > 0, "above zero seconds"),
            ("multiplier", self.multiplier >= 1, "1 or more"),
            ("cap", self.cap >= self.base, "base or more seconds"),
            ("jitter", 0 <= self.jitter <= 1, "between 0 and 1"),
            ("total_timeout", self.total_timeout is None or self.total_timeout > 0, "above zero seconds, or None"),
            ("retry_after_ceiling", self.retry_after_ceiling >= 0, "zero or more seconds"),
            ("statuses", _are_error_statuses(self.statuses), "a frozenset of statuses from 400 to 599, or None"),
            (
                "server_error_attempts",
                self.server_error_attempts is None or self.server_error_attempts >= 1,
                "1 or more, or None",
            ),
        ):
            if not fine:
                raise ValueError(f"{field} must be {accepted}, not {getattr(self, field)!r}")

    def backoff(self, retry: int, rng: Random) -> float:
        """
        Draw the pause before a retry.

        Args:
            retry: 0 for the first retry.
            rng: Source of the jitter; a seeded one gives an exact sequence.

        Returns:
            Seconds, never above *cap*. With ``bound = min(cap, base * multiplier ** retry)`` uniform in
            ``[(1 - jitter) * bound, bound]``; with *jitter_around* uniform in ``[(1 - jitter) * m, (1 + jitter) * m]``
            for the middle ``m = min(cap / (1 + jitter), base * multiplier ** retry)``.

        Raises:
            ValueError: *retry* is negative.

        Spec: HTU-1002, HTU-04
        """
        if retry < 0:
            raise ValueError(f"retry must be 0 or more, not {retry!r}")
        grown = self.base * self.multiplier ** min(retry, _LARGEST_EXPONENT)
        spread = 1 + self.jitter if self.jitter_around else 1.0
        middle = min(self.cap / spread, grown)
        return min(self.cap, rng.uniform(middle * (1 - self.jitter), middle * spread))

    def decide(
        self,
        failure: HttpFailure,
        *,
        attempt: int,
        remaining: float | None,
        rng: Random,
        elapsed: float = 0.0,
        replay_safe: bool = True,
    ) -> Retry | GiveUp:
        """
        Decide what follows a failed attempt.

        Args:
            failure: What happened.
            attempt: Number of the attempt that failed, from 1.
            remaining: Seconds until the deadline; None when there is none.
            rng: Source of the jitter; it is asked at most once, and only when a computed pause is needed.
            elapsed: Seconds since the first attempt began, for *total_timeout*.
            replay_safe: Whether the caller says that the request may be processed twice. Without it only failures that
                prove that nothing was processed are followed by another attempt.

        Returns:
            `Retry` with a pause that ends in time, or `GiveUp` with the reason.

        Spec: HTU-03, HTU-06, RTY-05, RTY-06
        """
        stop = self._stop(failure, attempt, replay_safe=replay_safe)
        if stop is not None:
            return GiveUp(stop)
        left, late = self.time_left(remaining, elapsed)
        if failure.retry_after is not None:
            allowed = min(self.retry_after_ceiling, left)
            return Retry(failure.retry_after) if failure.retry_after <= allowed else GiveUp(Stop.RETRY_AFTER)
        delay = self.backoff(attempt - 1, rng)
        return Retry(delay) if delay < left else GiveUp(late)

    def time_left(self, remaining: float | None, elapsed: float) -> tuple[float, Stop]:
        """
        Return how long a pause may be, and what stops a longer one.

        Args:
            remaining: Seconds until the deadline; None when there is none.
            elapsed: Seconds since the first attempt began.
        """
        deadline = math.inf if remaining is None else remaining
        own = math.inf if self.total_timeout is None else self.total_timeout - elapsed
        return (own, Stop.TOTAL_TIMEOUT) if own < deadline else (deadline, Stop.DEADLINE)

    def _stop(self, failure: HttpFailure, attempt: int, *, replay_safe: bool) -> Stop | None:
        """Return why there must be no other attempt, or None."""
        if failure.outcome is Outcome.PARTIAL:
            return Stop.PARTIAL
        if failure.should_retry is False:
            return Stop.REFUSED
        is_told = failure.should_retry is True and failure.reason not in NEVER_RETRIED
        if not is_told and not self.retries(failure):
            return Stop.NOT_RETRIED
        if failure.outcome is Outcome.UNKNOWN and not replay_safe and not is_told:
            return Stop.NOT_REPLAY_SAFE
        return Stop.EXHAUSTED if attempt >= self._most_attempts(failure) else None

    def _most_attempts(self, failure: HttpFailure) -> int:
        """Return the attempts that a call has in all whose last one failed with *failure*."""
        if failure.reason == "server_error" and self.server_error_attempts is not None:
            return min(self.max_attempts, self.server_error_attempts)
        return self.max_attempts

    def retries(self, failure: HttpFailure) -> bool:
        """
        Tell whether the policy repeats failures of this kind, whatever the upstream, the deadline or the count say.

        Spec: RTY-01, RTY-04
        """
        if failure.reason in NEVER_RETRIED or failure.outcome is Outcome.PARTIAL:
            return False
        if failure.outcome is Outcome.UNKNOWN and not self.retries_unknown:
            return False
        if self.statuses is not None and failure.http_status is not None:
            return failure.http_status in self.statuses
        match failure.outcome:
            case Outcome.NOT_SENT:
                return failure.reason in RETRIED_NOT_SENT
            case Outcome.REJECTED:
                return failure.reason in RETRIED_REJECTED
            case _:
                return failure.reason in RETRIED_UNKNOWN and failure.http_status not in _SUCCESS


def _are_error_statuses(statuses: object) -> bool:
    """Tell whether *statuses* may be a policy's own list."""
    return statuses is None or (isinstance(statuses, frozenset) and all(one in _ERROR_STATUSES for one in statuses))


BILLING_SAFE: Final = RetryPolicy(name="billing_safe")
"""Repeats only what provably was not processed: nobody pays twice."""

AVAILABLE: Final = RetryPolicy(name="available", retries_unknown=True)
"""Repeats also what may have been processed: more answers, now and then paid twice."""

POLICIES: Final[Mapping[str, RetryPolicy]] = {policy.name: policy for policy in (AVAILABLE, BILLING_SAFE)}
"""The named policies."""


def named_policy(name: str) -> RetryPolicy:
    """
    Return the policy called *name*.

    Raises:
        ValueError: There is none; the text lists those that exist.
    """
    try:
        return POLICIES[name]
    except KeyError:
        pass
    # not a word of what was given, also in what is raised beside it: it may be a secret in the wrong place
    raise ValueError(f"retry must be one of {', '.join(sorted(POLICIES))} (value not shown)")
