"""
What stands around a call: collaborators that somebody made, can see, share and leave out.

Their order is fixed, from the outside in (REL-07):

    deadline     over everything, waiting included
      retry        another attempt, after a pause; paid for by the budget
        failover     the same attempt at an equivalent endpoint
          breaker      no attempt at all while the endpoint is down
            limiter      not before its turn
              transport

Nothing is here by default. A layer that is absent costs nothing: it is not asked, not wrapped and not imported.

Spec: REL-01, REL-03, REL-07
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from http_util.breaker import Breakers
    from http_util.call import LimitedCall
    from http_util.clock import Clock, SyncClock
    from http_util.config import HttpConfig
    from http_util.failover import Failover
    from http_util.retry import RetryPolicy
    from http_util.retry_budget import RetryBudget
    from http_util.watch import AsyncWatch, Watch


class Layer(StrEnum):
    """A feature that may stand around a call."""

    RETRY = "retry"
    FAILOVER = "failover"
    CIRCUIT_BREAKER = "circuit_breaker"
    RATE_LIMITING = "rate_limiting"


class Leave(Protocol):
    """A limiter's leave for one call."""

    def settle(self, tokens: int | None) -> None:
        """The call has ended; *tokens* is what it really used, None when nobody knows."""

    def abandon(self) -> None:
        """The call never left: everything is given back."""


class Limits(Protocol):
    """What a limiter does for the exchange; `http_util.rate_limiter.RateLimiter` and the shared one do."""

    async def acquire_async(self, ask: LimitedCall, watch: AsyncWatch, clock: Clock) -> Leave:
        """Wait for the turn of *ask*, or refuse it; raises `PolicyFailure`."""

    def acquire(self, ask: LimitedCall, watch: Watch, clock: SyncClock) -> Leave:
        """The same for a thread."""

    def learn(self, ask: LimitedCall, status: int, headers: Mapping[str, str], now: float) -> None:
        """Take in the head of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resilience:
    """
    The collaborators. One value may be given to any number of clients, adapters and hosts: they share what it holds.

    Example:
        >>> from http_util import BILLING_SAFE, RetryBudget
        >>> resilience = Resilience(retry=BILLING_SAFE, budget=RetryBudget())
        >>> sorted(resilience.layers)
        [<Layer.RETRY: 'retry'>]

    Spec: REL-01, REL-07
    """

    retry: RetryPolicy | None = None
    """The policy of every call that brings none."""
    budget: RetryBudget | None = None
    """Pays for retries, by endpoint; None: they are free."""
    failover: Failover | None = None
    """Where else a call may go."""
    breaker: Breakers | None = None
    """Refuses calls to an endpoint that failed too often."""
    limiter: Limits | None = None
    """Lets calls pass at their rate."""
    hooks: tuple[object, ...] = field(default=(), repr=False)
    """Told of attempts, retries and giving up; see `http_util.telemetry.Hooks`."""

    @property
    def layers(self) -> frozenset[Layer]:
        """The layers that are there."""
        there = {
            Layer.RETRY: self.retry,
            Layer.FAILOVER: self.failover,
            Layer.CIRCUIT_BREAKER: self.breaker,
            Layer.RATE_LIMITING: self.limiter,
        }
        return frozenset(layer for layer, collaborator in there.items() if collaborator is not None)

    def reaching(self, http: HttpConfig) -> HttpConfig:
        """Return *http* as it must be for a transport that may also call the endpoints of the failover list."""
        if self.failover is None:
            return http
        return http.reaching(endpoint.base_url for endpoint in self.failover.endpoints)

    def describe(self) -> dict[str, Any]:
        """Return the layers that are there and their settings, for people and logs; no secret."""
        there = {
            "retry": self.retry,
            "budget": self.budget,
            "failover": self.failover,
            "circuit_breaker": None if self.breaker is None else self.breaker.policy,
            "rate_limiting": self.limiter,
        }
        return {name: repr(collaborator) for name, collaborator in there.items() if collaborator is not None}


NOTHING = Resilience()
"""No layer at all."""
