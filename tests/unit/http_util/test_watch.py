"""The watch over one call: deadline, timer, switch, and a cancellation from outside that stays one."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from adapter_api import Outcome
from http_util import AsyncWatch, Deadline, DeadlineExceeded, Interrupted, TimeoutFailure, Timeouts, Watch
from http_util.testing import FakeClock, FakeSyncClock

STOP = Interrupted("stopped", reason="cancelled", outcome=Outcome.UNKNOWN)


async def forever() -> None:
    """Wait for what does not come."""
    await asyncio.get_running_loop().create_future()


async def give(value: Any) -> Any:
    """Come back at once."""
    return value


@pytest.mark.requirement("HTU-14")
async def test_what_ends_in_time_is_passed_on() -> None:
    """Its result or its own exception; no timer stays behind when the call is over."""
    clock = FakeClock()
    watch = AsyncWatch(clock, Deadline(10.0))
    assert await watch.guard(give(3), timer="idle_timeout", at=5.0) == 3
    with pytest.raises(ZeroDivisionError):
        await watch.guard(_divide())
    assert not watch.is_waiting
    watch.stop()
    assert clock.next_due() is None


async def _divide() -> float:
    """Fail on its own."""
    return 1 / 0


@pytest.mark.requirement("HTU-14", "ADP-33")
@pytest.mark.parametrize(
    ("deadline", "at", "kind", "reason", "when"),
    [
        (10.0, 5.0, TimeoutFailure, "idle_timeout", 5.0),
        (4.0, 5.0, DeadlineExceeded, "deadline", 4.0),
        (5.0, 5.0, DeadlineExceeded, "deadline", 5.0),
        (None, 5.0, TimeoutFailure, "idle_timeout", 5.0),
    ],
)
async def test_the_earlier_of_timer_and_deadline_ends_the_wait(
    deadline: float | None, at: float, kind: type[Exception], reason: str, when: float
) -> None:
    """Not a moment before; with its own reason; at the same moment the deadline counts."""
    clock = FakeClock()
    watch = AsyncWatch(clock, None if deadline is None else Deadline(deadline))
    wait = asyncio.ensure_future(watch.guard(forever(), timer="idle_timeout", at=at))
    await clock.run_for(when - 0.001)
    assert not wait.done()
    await clock.run_for(0.001)
    with pytest.raises(kind) as caught:
        await wait
    assert caught.value.reason == reason  # type: ignore[attr-defined]


@pytest.mark.requirement("ADP-33")
async def test_the_timer_is_armed_lazily_and_follows_later_waits() -> None:
    """A thousand waits cost one timer; the one that rings is the last wait's."""
    clock = FakeClock()
    watch = AsyncWatch(clock)
    for _ in range(1000):
        await watch.guard(give(None), timer="idle_timeout", at=clock.monotonic() + 3.0)
    assert len(clock._waiting) == 1
    clock.advance(2.0)
    wait = asyncio.ensure_future(watch.guard(forever(), timer="idle_timeout", at=5.0))
    await clock.run_for(2.9)
    assert not wait.done()
    await clock.run_for(0.2)
    with pytest.raises(TimeoutFailure):
        await wait


@pytest.mark.requirement("ADP-33")
async def test_a_timer_of_a_wait_that_is_over_breaks_nothing() -> None:
    """It rings between two waits, and the next wait has its own time."""
    clock = FakeClock()
    watch = AsyncWatch(clock)
    await watch.guard(give(None), timer="idle_timeout", at=1.0)
    await clock.run_for(2.0)
    assert watch.failure is None
    assert await watch.guard(give(1), timer="idle_timeout", at=5.0) == 1


@pytest.mark.requirement("ADP-30", "SVC-16")
async def test_breaking_off_ends_the_wait_and_every_later_one() -> None:
    """The first failure counts; a wait that never began is closed; the caller learns who cleans up."""
    watch = AsyncWatch(FakeClock())
    wait = asyncio.ensure_future(watch.guard(forever()))
    await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop
    assert watch.is_waiting
    assert watch.break_off(STOP)
    assert watch.break_off(Interrupted("another", reason="closed", outcome=Outcome.UNKNOWN))
    with pytest.raises(Interrupted, match="stopped"):
        await wait
    assert not watch.break_off(STOP)
    with pytest.raises(Interrupted, match="stopped"):
        await watch.guard(forever())
    with pytest.raises(Interrupted, match="stopped"):
        await watch.guard(asyncio.get_running_loop().create_future())
    assert watch.failure is STOP


@pytest.mark.requirement("ERR-11")
async def test_a_cancellation_from_outside_stays_one() -> None:
    """Also when it comes together with our own; afterwards the task is as uncancelled as it should be."""
    for together in (False, True):
        watch = AsyncWatch(FakeClock())
        wait = asyncio.ensure_future(watch.guard(forever()))
        await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop
        if together:
            watch.break_off(STOP)
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait


@pytest.mark.requirement("ERR-11")
async def test_our_own_cancellation_is_taken_back() -> None:
    """A task that handles the failure goes on; it is not cancelled."""
    clock = FakeClock()
    watch = AsyncWatch(clock)

    async def handles() -> int:
        with pytest.raises(TimeoutFailure):
            await watch.guard(forever(), timer="idle_timeout", at=1.0)
        task = asyncio.current_task()
        assert task is not None
        await clock.settle()
        return task.cancelling()

    running = asyncio.ensure_future(handles())
    await clock.run_for(1.0)
    assert await running == 0


@pytest.mark.requirement("SVC-16")
async def test_what_is_awaited_may_turn_our_cancellation_into_something_else() -> None:
    """An error or a result that comes of it is still our failure."""

    async def swallows() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            return "swallowed"
        raise AssertionError

    async def translates() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            raise OSError("closed") from None

    for awaited in (swallows, translates):
        watch = AsyncWatch(FakeClock())
        wait = asyncio.ensure_future(watch.guard(awaited()))
        await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop
        watch.break_off(STOP)
        with pytest.raises(Interrupted, match="stopped"):
            await wait


@pytest.mark.requirement("ADP-33")
async def test_somebody_is_told_when_the_deadline_passes_while_nobody_waits() -> None:
    """Once, and not after the watch was stopped."""
    for stopped in (False, True):
        clock = FakeClock()
        told: list[int] = []
        watch = AsyncWatch(clock)
        watch.tighten(Deadline(2.0))
        watch.tighten(Deadline(3.0))
        watch.tighten(None)
        watch.on_broken(lambda told=told: told.append(1))
        await watch.guard(give(None))
        if stopped:
            watch.stop()
        await clock.run_for(5.0)
        assert told == ([] if stopped else [1])
        assert (watch.failure is None) == stopped


async def entered(watch: AsyncWatch, awaited: Any, timer: str = "", at: float = math.inf) -> Any:
    """What `guard` does, by hand."""
    watch.enter(timer, at)
    try:
        result = await awaited
    except BaseException as error:
        if (failure := watch.leave(error)) is not None:
            raise failure from None
        raise
    if (failure := watch.leave()) is not None:
        raise failure
    return result


@pytest.mark.requirement("HTU-14", "ADP-33", "ADP-30", "ERR-11")
async def test_a_wait_between_enter_and_leave_is_guarded_as_any_other() -> None:
    """Deadline, timer, break and a cancellation from outside, each at its moment and as itself."""
    clock = FakeClock()
    watch = AsyncWatch(clock, Deadline(10.0))
    assert await entered(watch, give(3), "idle_timeout", 5.0) == 3
    with pytest.raises(ZeroDivisionError):
        await entered(watch, _divide())
    assert not watch.is_waiting
    late = asyncio.ensure_future(entered(watch, forever(), "idle_timeout", 5.0))
    await clock.run_for(5.0)
    with pytest.raises(TimeoutFailure):
        await late
    for by, kind in (("deadline", DeadlineExceeded), ("break", Interrupted), ("cancel", asyncio.CancelledError)):
        watch = AsyncWatch(clock, Deadline(clock.monotonic() + 1.0))
        wait = asyncio.ensure_future(entered(watch, forever()))
        await clock.run_for(1.0 if by == "deadline" else 0.5)
        if by == "break":
            assert watch.break_off(STOP)
        elif by == "cancel":
            wait.cancel()
        with pytest.raises(kind):
            await wait
        assert not watch.is_waiting


@pytest.mark.requirement("ADP-30", "ERR-11")
async def test_nothing_is_entered_once_the_call_is_over() -> None:
    """Whoever was not waiting when it was broken off hears of it before the next wait."""
    watch = AsyncWatch(FakeClock())
    assert not watch.break_off(STOP)
    with pytest.raises(Interrupted, match="stopped"):
        watch.enter()
    assert not watch.is_waiting
    assert watch.leave() is None


class Source:
    """Something that arrives piece by piece: its news is a future that the test completes."""

    def __init__(self) -> None:
        self.futures: list[asyncio.Future[None]] = []

    def news(self) -> asyncio.Future[None]:
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]


async def hear(watch: AsyncWatch, source: Source, timer: str = "", at: float = math.inf) -> None:
    """Wait for news of *source* as who reads a stream does."""
    await watch.news(source, timer, at)
    watch.settle()


@pytest.mark.requirement("HTU-14", "ADP-33", "ADP-30", "ERR-11")
async def test_a_wait_for_news_ends_by_news_timer_deadline_break_or_cancel() -> None:
    """Each at its moment and as itself, without a cancellation; afterwards nobody waits."""
    for by, kind in (
        ("news", None),
        ("timer", TimeoutFailure),
        ("deadline", DeadlineExceeded),
        ("break", Interrupted),
        ("cancel", asyncio.CancelledError),
    ):
        clock, source = FakeClock(), Source()
        watch = AsyncWatch(clock, Deadline(2.0 if by == "deadline" else 10.0))
        wait = asyncio.ensure_future(hear(watch, source, "idle_timeout", 3.0))
        await clock.run_for(1.9)
        assert watch.is_waiting
        assert not wait.done()
        if by == "news":
            source.futures[0].set_result(None)
        elif by == "break":
            assert watch.break_off(STOP)
        elif by == "cancel":
            wait.cancel()
        await clock.run_for({"timer": 1.1, "deadline": 0.1}.get(by, 0.0))
        if kind is None:
            await wait
        else:
            with pytest.raises(kind):
                await wait
        assert not watch.is_waiting
        assert wait.cancelling() == (by == "cancel")


@pytest.mark.requirement("ADP-30", "SVC-16")
async def test_news_that_comes_together_with_a_break_is_not_news_any_more() -> None:
    """Whoever was woken learns the failure when it settles, and may not wait again."""
    watch, source = AsyncWatch(FakeClock()), Source()
    wait = asyncio.ensure_future(hear(watch, source))
    await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop
    source.futures[0].set_result(None)
    assert watch.break_off(STOP)
    with pytest.raises(Interrupted, match="stopped"):
        await wait
    with pytest.raises(Interrupted, match="stopped"):
        watch.news(source)
    assert len(source.futures) == 1


@pytest.mark.requirement("ADP-33")
async def test_a_timer_of_news_that_came_breaks_nothing() -> None:
    """It rings between two waits."""
    clock, source = FakeClock(), Source()
    watch = AsyncWatch(clock)
    wait = asyncio.ensure_future(hear(watch, source, "idle_timeout", 1.0))
    await clock.settle()
    source.futures[0].set_result(None)
    await wait
    await clock.run_for(2.0)
    assert watch.failure is None


class SlowSource:
    """The same for threads: its news takes some seconds of the clock."""

    def __init__(self, clock: FakeSyncClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.bounds: list[float | None] = []

    def news(self, seconds: float | None) -> bool:
        self.bounds.append(seconds)
        self._clock.sleep(self._seconds if seconds is None else min(seconds, self._seconds))
        return seconds is None or self._seconds <= seconds


@pytest.mark.requirement("HTU-14", "ADP-33")
@pytest.mark.parametrize(
    ("deadline", "at", "bound", "kind"),
    [
        (None, math.inf, None, None),
        (None, 3.0, 3.0, None),
        (None, 1.0, 1.0, TimeoutFailure),
        (1.0, 3.0, 1.0, DeadlineExceeded),
        (1.0, 1.0, 1.0, DeadlineExceeded),
        (-1.0, 3.0, 0.0, DeadlineExceeded),
    ],
)
def test_a_thread_waits_for_news_until_the_earlier_of_timer_and_deadline(
    deadline: float | None, at: float, bound: float | None, kind: type[Exception] | None
) -> None:
    """To the moment: an engine that can be asked to wait so long is asked."""
    clock = FakeSyncClock()
    watch = Watch(clock, None if deadline is None else Deadline(deadline))
    source = SlowSource(clock, 2.0)
    if kind is None:
        watch.news(source, "idle_timeout", at)
        watch.settle()
    else:
        with pytest.raises(kind):
            watch.news(source, "idle_timeout", at)
    assert source.bounds == [bound]


@pytest.mark.requirement("ADP-33")
async def test_a_timer_may_ring_before_anything_is_due() -> None:
    """A wait that is due then finds it set; when nothing is due it is set for what is, and ends no call."""
    clock = FakeClock()
    watch = AsyncWatch(clock, Deadline(100.0))
    watch.ring_by(3.0)
    watch.ring_by(4.0)
    assert await watch.guard(give(1), timer="first_byte_timeout", at=50.0) == 1
    wait = asyncio.ensure_future(watch.guard(forever(), timer="idle_timeout", at=3.0))
    await clock.settle()
    assert len(clock._waiting) == 1
    await clock.run_for(3.0)
    with pytest.raises(TimeoutFailure):
        await wait
    other = AsyncWatch(clock, Deadline(100.0))
    other.ring_by(clock.monotonic() + 1.0)
    waiting = asyncio.ensure_future(other.guard(forever(), timer="idle_timeout", at=20.0))
    await clock.run_for(16.9)
    assert not waiting.done()
    await clock.run_for(0.1)
    with pytest.raises(TimeoutFailure):
        await waiting


@pytest.mark.requirement("HTU-14")
def test_the_blocking_watch_looks_at_the_deadline_after_each_wait() -> None:
    """The socket keeps the time: its timeout is the larger timer, or what is left of the deadline."""
    clock = FakeSyncClock()
    watch = Watch(clock)
    assert watch.clock is clock
    assert watch.guard(3) == 3
    assert watch.socket_timeout(Timeouts()) == 30.0
    assert watch.socket_timeout(Timeouts(first_byte=None, idle=None)) is None
    assert watch.socket_timeout(Timeouts(idle=None)) is None
    watch.tighten(Deadline(5.0))
    watch.tighten(None)
    assert watch.socket_timeout(Timeouts()) == 5.0
    watch.ring_by(1.0)
    watch.enter("idle_timeout", 1.0)
    assert watch.leave() is None
    clock.sleep(5.0)
    assert watch.socket_timeout(Timeouts()) == 0.001
    assert isinstance(watch.leave(), DeadlineExceeded)
    assert isinstance(watch.leave(OSError()), DeadlineExceeded)
    assert watch.leave(KeyboardInterrupt()) is None
    with pytest.raises(DeadlineExceeded):
        watch.guard(3)
    watch.stop()


def test_the_asynchronous_watch_leaves_reads_unbounded_in_the_engine() -> None:
    """It keeps their time itself."""
    watch = AsyncWatch(FakeClock())
    assert watch.socket_timeout(Timeouts()) is None


@pytest.mark.parametrize("watch", [AsyncWatch(FakeClock(), Deadline(5.0)), Watch(FakeSyncClock(), Deadline(5.0))])
def test_a_watch_tells_when_the_call_is_over(watch: AsyncWatch | Watch) -> None:
    """The earliest deadline that it was given; without one, never."""
    assert watch.deadline_at == 5.0
    watch.tighten(Deadline(3.0))
    watch.tighten(Deadline(4.0))
    assert watch.deadline_at == 3.0
    assert type(watch)(watch.clock).deadline_at == math.inf


@pytest.mark.requirement("HTU-14", "ADP-33")
@pytest.mark.parametrize("way", ["guard", "news"])
async def test_a_timer_ends_its_wait_and_not_the_call(way: str) -> None:
    """Another attempt has time of its own; a break or the deadline still end everything."""
    clock, source = FakeClock(), Source()
    watch = AsyncWatch(clock, Deadline(100.0))

    def wait(at: float) -> asyncio.Future[None]:
        if way == "guard":
            return asyncio.ensure_future(watch.guard(forever(), timer="first_byte_timeout", at=at))
        return asyncio.ensure_future(hear(watch, source, "first_byte_timeout", at))

    for at in (1.0, 2.0):
        waiting = wait(at)
        await clock.run_for(1.0)
        with pytest.raises(TimeoutFailure):
            await waiting
        assert watch.failure is None
    assert await watch.guard(give(5)) == 5
    waiting = wait(50.0)
    await clock.settle()
    assert watch.break_off(STOP)
    with pytest.raises(Interrupted):
        await waiting


def test_a_thread_waits_for_a_head_by_its_own_timer() -> None:
    """Or by what is left of the deadline; a read of the body may take longer."""
    clock = FakeSyncClock()
    assert Watch(clock).head_timeout(Timeouts(first_byte=1.0, idle=9.0)) == 1.0
    assert Watch(clock).head_timeout(Timeouts(first_byte=None)) is None
    assert Watch(clock, Deadline(0.5)).head_timeout(Timeouts(first_byte=1.0)) == 0.5
    assert AsyncWatch(FakeClock()).head_timeout(Timeouts()) is None
