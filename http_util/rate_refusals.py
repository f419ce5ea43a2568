"""
The words of a limiter: what a refused call is told. Pure.

All are NOT_SENT: the call has not left.

Spec: RL-03, REL-05
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapter_api.outcome import Outcome
from http_util.errors import HttpFailure, PolicyFailure

if TYPE_CHECKING:
    from http_util.call import LimitedCall
    from http_util.rate_limit import Limited, Row


def not_now(ask: LimitedCall, limited: Limited, now: float) -> PolicyFailure:
    """Return the failure of a call that cannot start now: *rate_limited*."""
    return _refusal(ask, limited, now, "rate_limited", "")


def in_vain(ask: LimitedCall, limited: Limited, now: float) -> PolicyFailure:
    """Return the failure of a call whose turn would come behind its deadline: *rate_limited*."""
    return _refusal(ask, limited, now, "rate_limited", ", which is not before the call's deadline")


def no_room(ask: LimitedCall, limited: Limited, now: float, room: int) -> PolicyFailure:
    """Return the failure of a call for which the line has no room: *queue_full*."""
    return _refusal(ask, limited, now, "queue_full", f", and {room} calls wait already (max_queue_size)")


def too_large(ask: LimitedCall, row: Row) -> PolicyFailure:
    """Return the failure of a call that is larger than a whole budget: *token_limit*. No waiting would help."""
    return PolicyFailure(
        f"{row.limit_type}: the call{where(ask)} would use {ask.tokens} tokens, and the whole budget is "
        f"{row.gauge.limit}",
        reason="token_limit",
        outcome=Outcome.NOT_SENT,
    )


def where(ask: LimitedCall) -> str:
    """Say of which calls a text speaks."""
    return f" for {ask.family} at {ask.endpoint}" if ask.family else f" at {ask.endpoint}"


def _refusal(ask: LimitedCall, limited: Limited, now: float, reason: str, why: str) -> PolicyFailure:
    retry_after = max(0.0, limited.at - now)
    return PolicyFailure(
        f"{limited.limit_type}: the limit{where(ask)} is reached; the next call may start in {retry_after:.3f} s{why}",
        reason=reason,
        outcome=Outcome.NOT_SENT,
        retry_after=retry_after,
    )


class _NothingSent:
    """A block out of which every failure comes as NOT_SENT."""

    __slots__ = ()

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Replace a failure that says something else."""
        if isinstance(error, HttpFailure) and error.outcome is not Outcome.NOT_SENT:
            raise error.replace(outcome=Outcome.NOT_SENT) from None


NOTHING_SENT: Final = _NothingSent()
"""Stands around a wait: whatever ends it, the call has not left."""
