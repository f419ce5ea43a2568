"""What one task may do to the others: nothing. Stuck streams, taken slots, and what was left behind by those before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from adapter_api import WorkerError
from tests.faults.case import (
    DECODE_TIMEOUT,
    INVALID,
    LATER,
    NEVER,
    NOT_SENT,
    PARTIAL,
    RAISED,
    REJECT,
    UNAVAILABLE,
    Case,
    Failure,
)
from tests.faults.footprint import told
from tests.faults.upstreams import simulated
from tests.lateness import in_time

if TYPE_CHECKING:
    from adapter_api import TokenStream
    from tests.faults.run import Run

NO_SLOT: Final = Failure(REJECT, "slots_exhausted", NOT_SENT, LATER)
IDLE: Final = Failure(DECODE_TIMEOUT, "idle_timeout", PARTIAL, LATER)
IN_FLIGHT: Final = Failure(INVALID, "invalid_task", None, NEVER)
CLOSED: Final = Failure(UNAVAILABLE, "closed", None, NEVER)

OTHERS: Final = 20
STARTED_AND_3: Final = 4
"""Events of the stream that is stuck."""
STUCK: Final = 0.5
"""Seconds for which a stream is stuck; its neighbours must not need half of that."""


async def _taken(run: Run, task_id: str, **fields: Any) -> TokenStream:
    """A stream that holds its slot."""
    stream = await run.adapter.submit(run.task(task_id, **fields))
    await anext(stream)
    return stream


async def _others(run: Run) -> None:
    """Run twenty tasks at once; none takes longer for the one that is stuck."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    denied = run.watch.denied_so_far

    async def one(number: int) -> None:
        answer = await (await run.adapter.submit(run.task(f"other-{number}"))).collect()
        assert answer.tokens == run.case.task.get("max_tokens", 8)

    await asyncio.gather(*(one(number) for number in range(OTHERS)))
    took = loop.time() - began - (run.watch.denied_so_far - denied)
    in_time(took, STUCK / 2, "the neighbours")


async def beside_a_stall(run: Run) -> None:
    """One stream stalls; the row is about it."""
    stream = await run.submit()
    reading = asyncio.ensure_future(run.read(stream))
    await told(lambda: len(run.events) == STARTED_AND_3, lambda: f"only {run.events} came before the stall")
    run.watch.restart()
    await _others(run)
    assert not reading.done()
    await reading


async def beside_a_sleeper(run: Run) -> None:
    """One consumer reads nothing, though its upstream sends what it can; the row is about it."""
    stream = await run.submit(run.task(max_tokens=20_000, ctx=30_000))
    await _others(run)
    await run.read(stream)


async def beside_a_slow_reader(run: Run) -> None:
    """One consumer stops after each token for a while; the row is about it."""

    async def read_slowly() -> None:
        stream = await run.submit(run.task(max_tokens=20))
        assert stream is not None
        async for event in stream:
            run.events.append(event)
            await asyncio.sleep(0.02)

    reading = asyncio.ensure_future(read_slowly())
    await _others(run)
    await reading


async def one_slot_too_few(run: Run) -> None:
    """The only slot is taken; the row is about who comes then. Whoever comes later has it."""
    holder = await _taken(run, "holder", max_tokens=5000)
    run.watch.restart()
    await run.submit()
    run.watch.stop()
    await holder.aclose()
    after = await (await run.adapter.submit(run.task("after"))).collect()
    assert after.tokens == 8


async def many_for_few_slots(run: Run) -> None:
    """Fifty come at once for four slots: each is served or told so, none waits, and all slots come back."""

    async def one(number: int) -> str:
        try:
            await (await run.adapter.submit(run.task(f"one-{number}"))).collect()
        except WorkerError as error:
            return error.reason
        return "served"

    told = await asyncio.gather(*(one(number) for number in range(50)))
    assert sorted(set(told)) == ["served", "slots_exhausted"]
    assert told.count("served") == 4
    await run.read(await run.submit())


async def same_id_twice(run: Run) -> None:
    """A task of the same id is in flight; the row is about the second one."""
    holder = await _taken(run, "t-1", max_tokens=5000)
    run.watch.restart()
    await run.submit()
    run.watch.stop()
    await holder.aclose()


async def same_id_again(run: Run) -> None:
    """A task of the same id is over; the row is about the second one."""
    await (await run.adapter.submit(run.task())).collect()
    await run.read(await run.submit())


async def after_failures(run: Run) -> None:
    """A hundred tasks fail, in turns of as many as there are slots; the row is about the one behind them."""
    for _ in range(5):
        failed = await asyncio.gather(
            *(run.adapter.submit(run.task(f"failed-{number}")) for number in range(20)), return_exceptions=True
        )
        assert {type(error) for error in failed} == {WorkerError}
    run.watch.restart()
    await run.read(await run.submit())


async def closed_adapter(run: Run) -> None:
    """The adapter is closed; the row is about a task that comes then."""
    await run.adapter.aclose()
    await run.submit()


def row(name: str, wish: Any, consumer: Any, sequence: str, failure: Failure | None = None, **more: Any) -> Case:
    """A case with several tasks."""
    upstream = simulated(*wish) if isinstance(wish, tuple) else simulated(always=wish)
    given = {"attempts": 1, **more}
    return Case(
        name=name,
        group="neighbours",
        upstream=upstream,
        consumer=consumer,
        sequence=sequence,
        failure=failure,
        **given,
    )


STUCK_ONES: Final = (
    row(
        "beside-a-stall",
        ("stall=30;stall_at=3",),
        beside_a_stall,
        "started token*3 error",
        IDLE,
        settings={"idle_timeout": STUCK},
        posts=1 + OTHERS,
        after=STUCK * 0.9,
        within=STUCK,
    ),
    row("beside-a-sleeper", None, beside_a_sleeper, "started token*20000 end", posts=1 + OTHERS, within=4.0),
    row("beside-a-slow-reader", None, beside_a_slow_reader, "started token*20 end", posts=1 + OTHERS, within=1.0),
)

SLOTS: Final = (
    row(
        "no-slot-left",
        "tokens_per_second=200",
        one_slot_too_few,
        RAISED,
        NO_SLOT,
        settings={"max_slots": 1},
        posts=2,
        attempts=0,
        within=0.01,
    ),
    row(
        "many-for-few-slots",
        "stall=0.05;stall_at=body",
        many_for_few_slots,
        "started token*8 end",
        settings={"max_slots": 4},
        posts=5,
    ),
    row("same-id-twice", "tokens_per_second=200", same_id_twice, RAISED, IN_FLIGHT, posts=1, attempts=0, within=0.01),
    row("same-id-again", None, same_id_again, "started token*8 end", posts=2),
    row(
        "after-a-hundred-failures",
        ({"status": 400, "times": 100},),
        after_failures,
        "started token*8 end",
        settings={"max_slots": 20},
        posts=101,
    ),
    row(
        "after-a-hundred-resets",
        ({"drop": "reset", "times": 100},),
        after_failures,
        "started token*8 end",
        settings={"max_slots": 20},
        posts=101,
    ),
    row("closed-adapter", None, closed_adapter, RAISED, CLOSED, posts=0, attempts=0, within=0.05),
)

CASES: Final = (*STUCK_ONES, *SLOTS)
