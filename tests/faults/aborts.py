"""Streams that are started and left at random points, in every way there is, and what is left of them: nothing."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from adapter_api import TaskRequest, WorkerError
from tests.faults.footprint import foreign_tasks
from tests.faults.run import SETTINGS, TASK
from tests.process import open_files, resident
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from random import Random

    Way = Callable[["OpenAIHttpAdapter", TaskRequest, Random], Awaitable[None]]

AT_ONCE: Final = 64
"""Streams that run at once."""
WISH: Final = {"tokens": 60, "tokens_per_second": 3000}
"""Every answer: 60 tokens in 20 ms, time enough to be left anywhere."""
WARM_UP: Final = 500
"""Streams that are run before anything is measured, at least: what is made once is made by then."""
LONGEST: Final = 0.03
"""Seconds within which a stream is left."""


@dataclass(frozen=True)
class Traces:
    """What a process holds for an adapter."""

    files: int
    tasks: int
    resident: int
    slots: int
    """Slots that are taken."""
    in_flight: int
    """Requests on the pool's connections."""
    waiting: int
    """Requests that wait for a connection, and connections on their way."""

    @classmethod
    async def of(cls, adapter: OpenAIHttpAdapter) -> Traces:
        """What is held now."""
        gc.collect()
        props = await adapter.props()
        places = pool_of(adapter)._places
        return cls(
            files=open_files(),
            tasks=len(foreign_tasks()),
            resident=resident(),
            slots=(props.slots_total or 0) - (props.slots_free or 0),
            in_flight=sum(connection.in_flight for connection in places.connections),
            waiting=sum(len(room.tickets) + room.dialling for room in places._rooms.values()),
        )


def pool_of(adapter: OpenAIHttpAdapter) -> Any:
    """The pool of connections under an adapter."""
    guard: Any = adapter._transport
    return guard._transport._pool


# ways of leaving


async def leave_after_some(adapter: OpenAIHttpAdapter, task: TaskRequest, draw: Random) -> None:
    """Read a few events, and leave the block."""
    most = draw.randrange(60)
    async with await adapter.submit(task) as stream:
        async for event in stream:
            if event.kind == "token" and event.index >= most:
                break


async def close_after_some(adapter: OpenAIHttpAdapter, task: TaskRequest, draw: Random) -> None:
    """Read a few batches, and close."""
    stream = await adapter.submit(task)
    for _ in range(draw.randrange(5)):
        await stream.next_batch()
    await stream.aclose()


async def cancel_by_id(adapter: OpenAIHttpAdapter, task: TaskRequest, draw: Random) -> None:
    """Have another task cancel it at any moment."""

    async def cancel() -> None:
        await asyncio.sleep(draw.random() * LONGEST)
        await adapter.cancel(task.task_id)

    cancelling = asyncio.ensure_future(cancel())
    try:
        async for _ in await adapter.submit(task):
            pass
    finally:
        await cancelling


async def cancel_its_task(adapter: OpenAIHttpAdapter, task: TaskRequest, draw: Random) -> None:
    """Cancel the asyncio task that reads it at any moment."""

    async def read() -> None:
        async for _ in await adapter.submit(task):
            pass

    reading = asyncio.ensure_future(read())
    await asyncio.wait((reading,), timeout=draw.random() * LONGEST)
    reading.cancel()
    await asyncio.wait((reading,))
    if not reading.cancelled():
        reading.result()


async def run_out_of_time(adapter: OpenAIHttpAdapter, task: TaskRequest, draw: Random) -> None:
    """Give it less time than it needs."""
    short = TaskRequest.from_mapping({**task.to_dict(), "deadline_ms": draw.randint(1, round(LONGEST * 1000))})
    async for _ in await adapter.submit(short):
        pass


async def read_it_all(adapter: OpenAIHttpAdapter, task: TaskRequest, draw: Random) -> None:
    """Let it end."""
    await (await adapter.submit(task)).collect()


WAYS: Final[Mapping[str, Way]] = {
    way.__name__: way
    for way in (leave_after_some, close_after_some, cancel_by_id, cancel_its_task, run_out_of_time, read_it_all)
}


async def abort(adapter: OpenAIHttpAdapter, count: int, draw: Random) -> Counter[str]:
    """
    Start *count* streams and leave each in a way that is drawn.

    Returns:
        How many ended in which way: by the way's name, or by the reason of the error that was raised.

    Raises:
        BaseException: One of them raised something that is no `WorkerError`.
    """
    numbers = iter(range(count))
    endings: Counter[str] = Counter()

    async def work() -> None:
        for number in numbers:
            name = draw.choice(tuple(WAYS))
            task = TaskRequest(task_id=f"abort-{number}", **TASK)
            try:
                await asyncio.wait_for(WAYS[name](adapter, task, draw), 10.0)
            except WorkerError as error:
                name = error.reason
            endings[name] += 1

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return endings


async def measure(where: Mapping[str, Any], count: int, draw: Random) -> dict[str, Any]:
    """Warm up, abort *count* streams, close; what was there before and after each, and how they ended."""
    adapter = OpenAIHttpAdapter(OpenAIHttpConfig(**{**SETTINGS, **where, "max_slots": AT_ONCE}))
    start = open_files()
    await abort(adapter, max(WARM_UP, count // 10), draw)
    before = await Traces.of(adapter)
    endings = await abort(adapter, count, draw)
    after = await Traces.of(adapter)
    await adapter.aclose()
    return {
        "before": asdict(before),
        "after": asdict(after),
        "files": {"start": start, "closed": open_files()},
        "endings": dict(endings),
    }
