"""A crowd before a limiter: the calls, the hooks and the tasks of the limiter's tests."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from http_util.call import LimitedCall
from http_util.deadline import Deadline
from http_util.errors import HttpFailure
from http_util.rate_limit import RateLimits
from http_util.rate_limiter import Leave, RateLimiter
from http_util.watch import AsyncWatch

if TYPE_CHECKING:
    from http_util.rate_hooks import RateLimitRecord, RateLimitUpdate
    from http_util.testing import FakeClock

A: Final = "https://a:443"
ONE_A_SECOND: Final = RateLimits(requests_per_second=1.0)


def ask(tokens: int = 0, *, family: str = "chat", endpoint: str = A, request_id: str | None = "r-1") -> LimitedCall:
    """A call for a limiter."""
    return LimitedCall(endpoint=endpoint, family=family, request_id=request_id, tokens=tokens)


class Recorder:
    """A hook that notes what it is told, and answers from a list."""

    def __init__(self, *answers: object) -> None:
        self.limited: list[RateLimitRecord] = []
        self.updates: list[RateLimitUpdate] = []
        self._answers = list(answers)

    def on_rate_limit(self, record: RateLimitRecord) -> object:
        self.limited.append(record)
        return self._answers.pop(0) if self._answers else None

    def on_rate_limit_update(self, record: RateLimitUpdate) -> None:
        self.updates.append(record)


class Crowd:
    """Tasks that want to start, by name, and the moments at which they did."""

    def __init__(self, limiter: RateLimiter, clock: FakeClock) -> None:
        self.limiter = limiter
        self.clock = clock
        self.started: dict[str, float] = {}
        self.leaves: dict[str, Leave] = {}
        self.failed: dict[str, HttpFailure] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.watches: dict[str, AsyncWatch] = {}

    async def come(self, *names: str, tokens: int = 0, deadline: float | None = None, family: str = "chat") -> None:
        """Let one after the other ask, without the clock moving."""
        for name in names:
            watch = self.watches[name] = AsyncWatch(self.clock, None if deadline is None else Deadline(deadline))
            self.tasks[name] = asyncio.ensure_future(self._start(name, ask(tokens, family=family), watch))
            await self.clock.settle()

    async def _start(self, name: str, call: LimitedCall, watch: AsyncWatch) -> None:
        try:
            self.leaves[name] = await self.limiter.acquire_async(call, watch, self.clock)
            self.started[name] = self.clock.monotonic()
        except HttpFailure as failure:
            self.failed[name] = failure
        finally:
            watch.stop()

    async def go_away(self, name: str) -> None:
        """Cancel one that waits."""
        self.tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await self.tasks[name]
        await self.clock.settle()

    @property
    def waiting(self) -> int:
        """How many wait in all lines together."""
        return sum(line.waiting for line in self.limiter.stats(self.clock.monotonic()))


def crowd(clock: FakeClock, limits: RateLimits = ONE_A_SECOND, **settings: Any) -> Crowd:
    """A crowd before a new limiter that queues."""
    return Crowd(RateLimiter(limits, **({"queue_requests": True} | settings)), clock)
