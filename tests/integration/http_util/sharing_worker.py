"""
One of several processes that share limits. Asks again and again, and prints what came of it as one line of JSON.

    python sharing_worker.py JOB

JOB is JSON: see `Job`. It says "ready" when it can begin, and begins when a line comes in. Half of the workers are
tasks in an event loop, the others threads: both sides of the limiter take part.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from http_util.call import LimitedCall
from http_util.clock import SystemClock, SystemSyncClock
from http_util.errors import PolicyFailure
from http_util.rate_limit import RateLimits
from http_util.secret import Secret
from http_util.shared_limits import SharedRateLimiter
from http_util.shared_store import StoreSettings
from http_util.watch import AsyncWatch, Watch

PAUSE: Final = 0.003
"""Seconds between two asks, so that every process gets its part of a processor."""

WARM_UP: Final = LimitedCall(endpoint="https://elsewhere:443", family="", request_id=None, tokens=0)


@dataclass(kw_only=True)
class Job:
    """What a worker does."""

    url: str
    """Of the store."""
    limits: dict[str, Any]
    """Arguments of `RateLimits`."""
    seconds: float
    """For how long it asks, at most."""
    most: int = 1_000_000
    """After how many starts it has enough."""
    vain: int = 1_000_000
    """After how many refusals in a row it has enough: nothing is left to be had."""
    tokens: int = 0
    """Up to how many tokens a call is thought to use."""
    queue: bool = False
    """Whether it waits for its turn."""
    in_thread: bool = False
    """Whether it asks as a thread."""
    seed: int = 0
    """Of what it draws."""


@dataclass
class Diary:
    """What came of the asks."""

    starts: list[tuple[float, float, int]] = field(default_factory=list)
    """For each start: the moments before and after the ask, between which it lies, and the tokens that it used."""
    refused: int = 0


class Asker:
    """Draws the calls, and notes what comes of them."""

    def __init__(self, job: Job) -> None:
        self.diary = Diary()
        self.limiter = SharedRateLimiter(
            # a machine that is busy with other things is no store that is away
            StoreSettings(url=Secret(job.url), when_away="closed", timeout=5.0),
            RateLimits(**job.limits),
            queue_requests=job.queue,
        )
        if job.in_thread:
            # what a first call loads is no part of the race
            self.limiter.acquire(WARM_UP, Watch(SystemSyncClock()), SystemSyncClock())
        self._job = job
        self._rng = Random(job.seed)
        self._vain = 0
        self._until = 0.0

    def begin(self) -> None:
        """Start the clock."""
        self._until = time.monotonic() + self._job.seconds

    @property
    def has_enough(self) -> bool:
        """Whether it is over."""
        job = self._job
        return time.monotonic() >= self._until or len(self.diary.starts) >= job.most or self._vain >= job.vain

    def call(self) -> LimitedCall:
        """The next call."""
        tokens = self._rng.randint(1, self._job.tokens) if self._job.tokens else 0
        return LimitedCall(endpoint="https://a:443", family="chat", request_id=None, tokens=tokens)

    def started(self, call: LimitedCall, leave: Any, before: float) -> None:
        """Note a start, and end it: some never left, others used less than was thought."""
        after = time.monotonic()
        self._vain = 0
        if call.tokens and self._rng.random() < 0.2:
            leave.abandon()
            return
        used = call.tokens - call.tokens // 3 if self._rng.random() < 0.5 else call.tokens
        leave.settle(used)
        self.diary.starts.append((before, after, used))

    def refused(self) -> None:
        """Note a refusal."""
        self.diary.refused += 1
        self._vain += 1

    async def ask_as_task(self) -> None:
        """Ask until it has enough."""
        clock = SystemClock()
        while not self.has_enough:
            call, before = self.call(), time.monotonic()
            try:
                leave = await self.limiter.acquire_async(call, AsyncWatch(clock), clock)
            except PolicyFailure:
                self.refused()
            else:
                self.started(call, leave, before)
            await clock.sleep(PAUSE)
        await self.limiter.aclose()

    def ask_as_thread(self) -> None:
        """Ask until it has enough."""
        clock = SystemSyncClock()
        while not self.has_enough:
            call, before = self.call(), time.monotonic()
            try:
                leave = self.limiter.acquire(call, Watch(clock), clock)
            except PolicyFailure:
                self.refused()
            else:
                self.started(call, leave, before)
            clock.sleep(PAUSE)
        self.limiter.close()


def main() -> None:
    """Do the job."""
    job = Job(**json.loads(sys.argv[1]))
    asker = Asker(job)
    print("ready", flush=True)  # noqa: T201 - it talks to the test
    sys.stdin.readline()
    asker.begin()
    if job.in_thread:
        asker.ask_as_thread()
    else:
        asyncio.run(asker.ask_as_task())
    print(json.dumps([asker.diary.starts, asker.diary.refused]), flush=True)  # noqa: T201 - it talks to the test


if __name__ == "__main__":
    main()
