"""When a task is stopped, and how: what the cases of cancelling are put together from."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final

from tests.faults.footprint import SOON, told
from tests.lateness import in_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.faults.case import Consumer
    from tests.faults.run import Run

    Moment = Callable[[Run], Awaitable[object]]
    Way = Callable[[Run, asyncio.Task[None]], Awaitable[object]]

PROMPTLY: Final = 0.1
"""Seconds within which a cancel is through and the upstream has stopped."""

# moments


async def never_mind(run: Run) -> None:
    """Before the loop has turned."""


async def soon(run: Run) -> None:
    """When the call has come as far as it can."""
    await asyncio.sleep(0.05)


async def arrived(run: Run, requests: int = 1) -> None:
    """When the upstream has the request."""
    await told(lambda: run.place.posts() >= requests, lambda: "no request came")
    await asyncio.sleep(0.01)


async def tokens_read(run: Run, count: int = 3) -> None:
    """When *count* tokens were read."""
    await told(lambda: len(run.events) > count, lambda: f"only {len(run.events)} events came")


async def ended(run: Run) -> None:
    """When the task is over."""
    await told(lambda: bool(run.events) and run.events[-1].is_terminal, lambda: "the task does not end")


# ways


async def by_id(run: Run, reading: asyncio.Task[None]) -> None:
    """As an orchestrator does it; no token follows."""
    await run.adapter.cancel("t-1")
    before = len(run.events)
    await reading
    assert "token" not in {event.kind for event in run.events[before:]}


async def by_its_id_too_early(run: Run, reading: asyncio.Task[None]) -> None:
    """An id that is not known yet is nobody's; the task that comes later is another one."""
    await run.adapter.cancel("t-1")
    await reading


async def twice(run: Run, reading: asyncio.Task[None]) -> None:
    """Twice at once, once more afterwards, and some that never were."""
    await asyncio.gather(*(run.adapter.cancel(task_id) for task_id in ("t-1", "t-1", "t-2", "", "t-1" * 1000)))
    await by_id(run, reading)
    await run.adapter.cancel("t-1")


async def from_another_thread(run: Run, reading: asyncio.Task[None]) -> None:
    """By who lives in another thread, and has the loop do it."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def cancel() -> None:
        asyncio.run_coroutine_threadsafe(run.adapter.cancel("t-1"), loop).result(SOON)
        loop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=cancel)
    thread.start()
    await done.wait()
    thread.join()
    await reading


async def by_its_task(run: Run, reading: asyncio.Task[None]) -> None:
    """As a supervisor does it."""
    reading.cancel()
    await run.outcome_of(reading)


async def by_its_task_twice(run: Run, reading: asyncio.Task[None]) -> None:
    """Once more while it cleans up."""
    reading.cancel()
    await asyncio.sleep(0)
    reading.cancel()
    await run.outcome_of(reading)


async def by_both(run: Run, reading: asyncio.Task[None]) -> None:
    """By its id and by its task at the same moment."""
    reading.cancel()
    await run.adapter.cancel("t-1")
    await run.outcome_of(reading)


async def by_closing_the_adapter(run: Run, reading: asyncio.Task[None]) -> None:
    """With all that runs."""
    await run.adapter.aclose()
    await reading


async def by_closing_it_twice(run: Run, reading: asyncio.Task[None]) -> None:
    """By two who close it at once."""
    closing = asyncio.gather(run.adapter.aclose(), run.adapter.aclose())
    await asyncio.wait({closing}, timeout=SOON)
    assert closing.done(), "closing it twice at once does not end"
    await reading


def consumer(moment: Moment, way: Way) -> Consumer:
    """Return the consumer that runs one task, waits for *moment*, and stops it in that *way*."""

    async def consume(run: Run) -> None:
        async def read() -> None:
            await run.read(await run.submit())

        reading = asyncio.ensure_future(read())
        try:
            await moment(run)
            run.watch.restart()
            stopped_at = asyncio.get_running_loop().time()
            await way(run, reading)
        finally:
            if not reading.done():
                reading.cancel()
        run.watch.stop()
        await upstream_stopped(run, stopped_at)

    return consume


async def upstream_stopped(run: Run, stopped_at: float) -> None:
    """See that nothing is generated any more; the clock is the one that all processes of a machine share."""
    await told(lambda: all(seen.left != "open" for seen in run.place.log()), lambda: "the upstream goes on")
    for seen in run.place.log():
        if seen.ended_at is not None:
            in_time(seen.ended_at - stopped_at - run.watch.denied, PROMPTLY, "the stop of the upstream")
