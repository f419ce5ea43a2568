"""
What a limiter tells its hooks, and what they may answer. Pure.

A hook is any object with ``on_rate_limit`` or ``on_rate_limit_update``, each taking one record; it runs in the calling
task or thread, so it must be quick. Of several answers `REJECT` wins, and otherwise the last.

Spec: RL-04, RL-05
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from http_util.telemetry import notify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from http_util.rate_headers import Allowance
    from http_util.rate_limit import LimitType

D = TypeVar("D")

QUEUE: Final = "queue"
"""Answer of ``on_rate_limit``: wait in the line for the turn."""

REJECT: Final = "reject"
"""Answer of ``on_rate_limit``: refuse the request."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Answer of ``on_rate_limit``: pause for *seconds*, in no line, and ask again; hooks are then asked again too."""

    seconds: float
    """Zero or more."""

    def __post_init__(self) -> None:
        """
        Refuse a pause that is none.

        Raises:
            ValueError: *seconds* is negative, infinite or not a number.
        """
        if not 0 <= self.seconds < math.inf:
            raise ValueError(f"Wait.seconds must be zero or more seconds, not {self.seconds!r}")


Step = Wait | Literal["queue", "reject"]
"""What becomes of a request that cannot start now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitRecord:
    """What hooks get in ``on_rate_limit``."""

    request_id: str | None
    """The caller's id of the request."""
    limit_type: LimitType
    """What stands in the way; SERVER_ENFORCED when the upstream refused."""
    retry_after: float | None
    """Seconds until the request may start; None when the upstream refused and did not say."""
    endpoint: str
    """`scheme://host:port`."""
    family: str
    """The kind of operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitUpdate:
    """What hooks get in ``on_rate_limit_update``."""

    request_id: str | None
    """The caller's id of the request that was answered."""
    requests: Allowance
    """Limit, remaining and reset of requests."""
    tokens: Allowance
    """Limit, remaining and reset of tokens."""
    endpoint: str
    """`scheme://host:port`."""
    family: str
    """The kind of operation."""


def decide(hooks: Iterable[object], record: RateLimitRecord, default: D) -> Step | D:
    """
    Return what the hooks say to *record*, *default* when none has an opinion.

    Spec: RL-04
    """
    answers = notify(hooks, "on_rate_limit", record)
    if REJECT in answers:
        return REJECT
    return next((answer for answer in reversed(answers) if answer == QUEUE or isinstance(answer, Wait)), default)
