"""Breakers and limiters that remember every leave they gave, so that a case can see that each one came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from http_util.breaker import Breakers
from http_util.rate_limiter import RateLimiter

if TYPE_CHECKING:
    from http_util.breaker import Breaker, Permit
    from http_util.resilience import Leave, Resilience


class _Circuit:
    """A breaker that notes its permits."""

    def __init__(self, breaker: Breaker, permits: list[Permit]) -> None:
        self._breaker = breaker
        self._permits = permits

    def __getattr__(self, name: str) -> Any:
        return getattr(self._breaker, name)

    def admit(self, now: float, *, request_id: str | None = None) -> Permit:
        permit = self._breaker.admit(now, request_id=request_id)
        self._permits.append(permit)
        return permit


class RememberingBreakers(Breakers):
    """Breakers that remember every permit."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """As `Breakers`."""
        super().__init__(*arguments, **named)
        self.permits: list[Permit] = []

    def circuit(self, endpoint: str) -> Breaker:
        """The circuit, with its permits noted."""
        return cast("Breaker", _Circuit(super().circuit(endpoint), self.permits))


class _Leave:
    """A leave that notes that it came back."""

    def __init__(self, leave: Leave, given: list[_Leave]) -> None:
        self._leave = leave
        self._given = given
        given.append(self)

    def settle(self, tokens: int | None) -> None:
        self._given.remove(self)
        self._leave.settle(tokens)

    def abandon(self) -> None:
        self._given.remove(self)
        self._leave.abandon()


class RememberingLimiter(RateLimiter):
    """A limiter that remembers every leave; one that comes back twice fails."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """As `RateLimiter`."""
        super().__init__(*arguments, **named)
        self.given: list[_Leave] = []

    async def acquire_async(self, *arguments: Any) -> Any:
        """A leave that is noted."""
        return _Leave(await super().acquire_async(*arguments), self.given)


def outstanding(resilience: Resilience, now: float) -> dict[str, int]:
    """Permits, leaves and waiters that have not come back, by what they are; empty when all have."""
    breaker, limiter = resilience.breaker, resilience.limiter
    held: dict[str, int] = {}
    if isinstance(breaker, RememberingBreakers):
        held["permits of the breaker"] = sum(not permit.is_settled for permit in breaker.permits)
    if isinstance(limiter, RememberingLimiter):
        held["leaves of the limiter"] = len(limiter.given)
        held["waiters in its lines"] = sum(line.waiting for line in limiter.stats(now))
    return {name: count for name, count in held.items() if count}
