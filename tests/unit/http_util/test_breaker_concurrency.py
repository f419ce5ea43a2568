"""The circuit breaker under a crowd: tasks of one loop, and threads."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import TYPE_CHECKING

import pytest

from http_util import breaker as breaker_module
from http_util.breaker import Breaker, BreakerPolicy, Breakers, Permit, State
from http_util.errors import PolicyFailure
from http_util.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 8


def yield_turn() -> None:
    """Let another thread run, here and now."""
    time.sleep(0)  # noqa: TID251 - no pause: it gives the turn away where a race would show


def crowd(work: Callable[[], object]) -> None:
    """Run *work* in several threads that begin together; all of them must end."""
    start = threading.Barrier(THREADS)

    def run() -> None:
        start.wait()
        work()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


def half_open(**rules: object) -> Breaker:
    """Return a breaker that is due for a probe from the moment 30 on."""
    breaker = Breaker(BreakerPolicy(failure_threshold=1, **rules))
    breaker.settle_failure(breaker.admit(0.0), 0.0)
    return breaker


@pytest.mark.requirement("CB-06", "REL-04")
async def test_of_a_thousand_tasks_exactly_one_probes_at_a_time() -> None:
    """Three rounds of a thousand callers: one is let through in each, and the third success closes it."""
    clock, breaker = FakeClock(now=30.0, auto=True), half_open()
    running = most = 0

    async def caller() -> bool:
        nonlocal running, most
        try:
            permit = breaker.admit(clock.monotonic())
        except PolicyFailure:
            return False
        running += 1
        most = max(most, running)
        await clock.sleep(100.0)
        running -= 1
        breaker.settle_success(permit, clock.monotonic())
        return True

    for _ in range(3):
        assert breaker.state_at(clock.monotonic()) is State.HALF_OPEN
        assert sum(await asyncio.gather(*(caller() for _ in range(1000)))) == 1
    assert most == 1
    assert breaker.state_at(clock.monotonic()) is State.CLOSED


@pytest.mark.requirement("CB-06")
@pytest.mark.parametrize("tells", [True, False])
async def test_a_probe_that_is_cancelled_at_its_await_gives_its_place_back(tells: bool) -> None:
    """At once when the caller says so; when he does not, with his permit, which dies with the task."""
    clock, breaker = FakeClock(now=30.0), half_open()

    async def caller() -> None:
        permit = breaker.admit(clock.monotonic())
        try:
            await clock.sleep(100.0)
        finally:
            if tells:
                breaker.abandon(permit, clock.monotonic())

    for _ in range(3):
        probe = asyncio.create_task(caller())
        await clock.settle()
        with pytest.raises(PolicyFailure):
            breaker.admit(clock.monotonic())
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        if not tells:
            # the loop's current callback holds the task, whose traceback holds the frame that holds the permit
            del probe
            await clock.settle()
            gc.collect()
    assert breaker.admit(clock.monotonic()) is not None


@pytest.mark.requirement("CB-06", "REL-04")
def test_of_many_threads_exactly_one_probes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when they come between the look at the places and the taking of one: never two, and every end is counted."""

    class Slow(Permit):
        def __init__(self, generation: int) -> None:
            yield_turn()
            super().__init__(generation)

    monkeypatch.setattr(breaker_module, "Permit", Slow)
    breaker = half_open(success_threshold=1_000_000)
    running: list[int] = []
    crowded: list[int] = []

    def work() -> None:
        for _ in range(100):
            try:
                permit = breaker.admit(30.0)
            except PolicyFailure:
                continue
            running.append(1)
            crowded.append(len(running))
            yield_turn()
            running.pop()
            breaker.settle_success(permit, 30.0)

    crowd(work)
    assert max(crowded) == 1
    assert breaker.stats.success_count == len(crowded)
    assert breaker.stats.total_requests == 1 + THREADS * 100


@pytest.mark.requirement("CB-05", "REL-04")
def test_threads_that_ask_for_the_same_circuit_get_the_same_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """No two circuits for one endpoint, whoever comes first."""

    class Slow(Breaker):
        def __init__(self, *given: object, **more: object) -> None:
            yield_turn()
            super().__init__(*given, **more)

    monkeypatch.setattr(breaker_module, "Breaker", Slow)
    breakers = Breakers(BreakerPolicy(per_endpoint=True))
    got: list[Breaker] = []
    crowd(lambda: got.extend([breakers.circuit(str(number)) for number in range(50)]))
    assert len(set(got)) == len(breakers.circuits) == 50


class Moment(float):
    """A moment that looks, whenever it is used, whether another thread could get at the breaker."""

    breaker: Breaker
    got_in: list[bool]

    def look(self) -> None:
        """Try the lock from another thread."""
        other = threading.Thread(target=lambda: self.got_in.append(self.breaker._lock.acquire(blocking=False)))
        other.start()
        other.join()

    def __sub__(self, other: float) -> float:
        self.look()
        return float(self) - other

    def __lt__(self, other: float) -> bool:
        self.look()
        return float(self) < other


@pytest.mark.requirement("REL-04")
@pytest.mark.parametrize("operation", ["admit", "settle", "state_at"])
def test_each_decision_is_made_under_the_lock(operation: str) -> None:
    """While it looks at the time no other thread decides anything."""
    breaker = Breaker(BreakerPolicy(failure_threshold=1 if operation != "settle" else 2))
    permit = breaker.admit(0.0)
    breaker.settle_failure(breaker.admit(0.0), 0.0)
    now = Moment(60.0)
    now.breaker, now.got_in = breaker, []
    work = {
        "admit": lambda: breaker.admit(now),
        "settle": lambda: breaker.settle_failure(permit, now),
        "state_at": lambda: breaker.state_at(now),
    }
    work[operation]()
    assert set(now.got_in) == {False}


@pytest.mark.requirement("CB-02", "REL-04")
def test_a_hook_is_called_without_the_lock() -> None:
    """A hook that waits for another thread which asks the same breaker does not wait for ever."""
    ended: list[bool] = []

    def ask(_: object) -> None:
        other = threading.Thread(target=lambda: breaker.state_at(0.0), daemon=True)
        other.start()
        other.join(5)
        ended.append(not other.is_alive())

    listener = type(
        "Listener", (), {name: staticmethod(ask) for name in ("on_state_change", "on_rejected", "on_outcome")}
    )
    breaker = Breaker(BreakerPolicy(failure_threshold=1), hooks=[listener])
    breaker.settle_failure(breaker.admit(0.0), 0.0)
    with pytest.raises(PolicyFailure):
        breaker.admit(0.0)
    assert ended == [True, True, True]


@pytest.mark.requirement("REL-04")
def test_a_finalizer_may_settle_a_call_while_a_decision_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector runs when it likes, in the thread that holds the lock; that must not stop the thread."""
    breaker = Breaker()
    dropped = breaker.admit(0.0)

    class Collecting(Permit):
        def __init__(self, generation: int) -> None:
            super().__init__(generation)
            breaker.abandon(dropped, 0.0)

    monkeypatch.setattr(breaker_module, "Permit", Collecting)
    asking = threading.Thread(target=breaker.admit, args=(0.0,), daemon=True)
    asking.start()
    asking.join(5)
    assert not asking.is_alive()
    assert dropped.is_settled
