"""Threads before a limiter: by the same rules as tasks, in the same line."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from adapter_api import Outcome
from http_util.deadline import Deadline
from http_util.errors import DeadlineExceeded, PolicyFailure
from http_util.rate_hooks import QUEUE, Wait
from http_util.rate_limit import RateLimits
from http_util.rate_limiter import RE_ASK, Leave, RateLimiter
from http_util.testing import FakeClock, FakeSyncClock
from http_util.watch import Watch
from tests.unit.http_util.limiter_crowd import ONE_A_SECOND, Recorder, ask, crowd

if TYPE_CHECKING:
    from collections.abc import Callable


def in_threads(work: Callable[[int], None], count: int) -> None:
    """Run *work* in as many threads, and wait for them."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)


@pytest.mark.requirement("RL-03")
def test_a_thread_waits_for_its_turn() -> None:
    """It sleeps until its moment, and looks now and then."""
    limiter, clock = RateLimiter(ONE_A_SECOND, queue_requests=True), FakeSyncClock()
    moments = []
    for _ in range(3):
        limiter.acquire(ask(), Watch(clock), clock)
        moments.append(clock.monotonic())
    assert moments == pytest.approx([0.0, 1.0, 2.0], abs=0.01)
    assert max(clock.sleeps) == RE_ASK


@pytest.mark.requirement("RL-03", "RL-04")
def test_a_thread_is_refused_paused_and_timed_out_like_a_task() -> None:
    """By the same rules, with the same words."""
    clock = FakeSyncClock()
    limiter = RateLimiter(ONE_A_SECOND, hooks=[Recorder(None, Wait(0.5), QUEUE, QUEUE)])
    limiter.acquire(ask(), Watch(clock), clock)
    with pytest.raises(PolicyFailure, match=r"requests_per_second: .* in 1\.000 s$"):
        limiter.acquire(ask(), Watch(clock), clock)
    limiter.acquire(ask(), Watch(clock), clock).settle(3)
    assert clock.monotonic() == pytest.approx(1.0, abs=0.01)
    assert clock.sleeps[0] == 0.5
    with pytest.raises(PolicyFailure, match="not before the call's deadline"):
        limiter.acquire(ask(), Watch(clock, Deadline(1.5)), clock)


@pytest.mark.requirement("RL-03")
def test_a_thread_whose_call_is_over_leaves_the_line() -> None:
    """NOT_SENT; nobody stands in its place any more."""

    class Late(FakeSyncClock):
        """A clock of a machine that was suspended."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds + 100.0)

    clock = Late()
    limiter = RateLimiter(ONE_A_SECOND, queue_requests=True)
    limiter.acquire(ask(), Watch(clock), clock)
    with pytest.raises(DeadlineExceeded) as caught:
        limiter.acquire(ask(), Watch(clock, Deadline(50.0)), clock)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert limiter.stats(0.0)[0].waiting == 0


@pytest.mark.requirement("RL-01", "REL-04")
def test_many_threads_share_one_budget() -> None:
    """Exactly as many start as the limit allows, whoever they are."""
    limiter, clock = RateLimiter(RateLimits(requests_per_minute=50)), FakeSyncClock()
    outcomes: list[bool] = []

    def work(number: int) -> None:
        for _ in range(20):
            try:
                limiter.acquire(ask(), Watch(clock), clock)
            except PolicyFailure:
                outcomes.append(False)
            else:
                outcomes.append(True)

    in_threads(work, 8)
    assert len(outcomes) == 160
    assert sum(outcomes) == 50


class Gate(FakeSyncClock):
    """A thread's clock that does not sleep before it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asleep, self.may_go_on = threading.Event(), threading.Event()

    def sleep(self, seconds: float) -> None:
        self.is_asleep.set()
        assert self.may_go_on.wait(30.0)
        super().sleep(seconds)


@pytest.mark.requirement("RL-03", "REL-04")
async def test_threads_and_tasks_wait_in_one_line() -> None:
    """A thread that leaves wakes the task behind it, in the event loop of that task."""
    clock, gate = FakeClock(), Gate()
    them = crowd(clock)
    await them.come("a")
    leaves: list[Leave] = []

    def work() -> None:
        leaves.append(them.limiter.acquire(ask(), Watch(gate), gate))

    thread = threading.Thread(target=work)
    thread.start()
    assert await asyncio.to_thread(gate.is_asleep.wait, 30.0)
    clock.advance(100.0)
    await them.come("task")
    await clock.run_for(100.0)
    assert them.waiting == 2
    gate.may_go_on.set()
    await asyncio.wait_for(them.tasks["task"], 30.0)
    thread.join(30.0)
    assert len(leaves) == 1
    assert list(them.started) == ["a", "task"]
