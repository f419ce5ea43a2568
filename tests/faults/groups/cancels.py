"""A task that nobody wants any more: stopped by its id, by its stream, by its asyncio task, at each place it waits."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tests.faults.case import CANCELLED, H1, H2, NEVER, NOT_SENT, RAISED, REJECTED, UNKNOWN, Case, Failure
from tests.faults.footprint import told
from tests.faults.groups.connect import say_nothing
from tests.faults.groups.requests import LARGE, deaf, deaf_stream
from tests.faults.groups.stops import (
    PROMPTLY,
    arrived,
    by_both,
    by_closing_it_twice,
    by_closing_the_adapter,
    by_id,
    by_its_id_too_early,
    by_its_task,
    by_its_task_twice,
    consumer,
    ended,
    from_another_thread,
    never_mind,
    soon,
    tokens_read,
    twice,
    upstream_stopped,
)
from tests.faults.upstreams import Http1, Http2, Named, Nowhere, Socket, simulated

if TYPE_CHECKING:
    from tests.faults.case import Consumer
    from tests.faults.groups.stops import Moment, Way
    from tests.faults.run import Run
    from tests.faults.upstreams import Upstream


UNSENT: Final = Failure(None, "cancelled", NOT_SENT, NEVER)
SENT: Final = Failure(None, "cancelled", UNKNOWN, NEVER)
REFUSED: Final = Failure(None, "cancelled", REJECTED, NEVER)
STOPPED: Final = {"finish_reason": "cancelled", "evidence": "cancelled"}

FLOWING: Final = simulated(always="tokens_per_second=200;tokens=5000")


def row(name: str, upstream: Upstream, moment: Moment, way: Way = by_id, **more: Any) -> Case:
    """A case that is stopped."""
    given = {"consumer": consumer(moment, way), "within": PROMPTLY, **more}
    return Case(name=name, group="cancel", upstream=upstream, **given)


def unstarted(name: str, upstream: Upstream, moment: Moment, failure: Failure = SENT, **more: Any) -> Case:
    """A case that is stopped before `started`: `submit` raises `TaskCancelled`."""
    return row(name, upstream, moment, sequence=RAISED, failure=failure, **more)


def started(name: str, upstream: Upstream, moment: Moment, way: Way = by_id, **more: Any) -> Case:
    """A case that is stopped while it streams: `end`, which says so."""
    given = {"sequence": "started token*N end", "facts": STOPPED, **more}
    return row(name, upstream, moment, way, **given)


STALLS: Final = simulated(always="stall=30")
STALLS_LATE: Final = simulated(always="stall=30;stall_at=body")
PAUSES: Final = simulated(always="status=503;retry_after=5")
STALLS_AMID: Final = simulated(always="stall=30;stall_at=3")

WAITING: Final = (
    unstarted("resolving", Named(None), soon, UNSENT, posts=0, attempts=1),
    unstarted("connecting", Nowhere(full=True), soon, UNSENT, posts=0, attempts=1),
    unstarted("shaking-hands", Socket(say_nothing), soon, UNSENT, posts=0, attempts=1),
    unstarted("sending", Http1(lambda: deaf), arrived, task=LARGE, protocols=(H1,)),
    unstarted(
        "sending-without-window", Http2(deaf_stream, {"gives_credit": False}), arrived, task=LARGE, protocols=(H2,)
    ),
    unstarted("waiting-for-the-head", STALLS, arrived),
    unstarted("waiting-for-the-first-chunk", STALLS_LATE, arrived),
    unstarted("among-heartbeats", simulated(always="ping_for=30"), arrived),
    unstarted("between-attempts", PAUSES, arrived, REFUSED),
    started("between-tokens", FLOWING, tokens_read),
    started("in-a-stall", STALLS_AMID, tokens_read),
    started("with-tokens-unread", simulated(always="tokens=3000"), tokens_read),
    row(
        "after-the-finish",
        simulated("omit=done;linger=30"),
        partial(tokens_read, count=8),
        sequence="started token*8 end",
    ),
    row("after-the-end", simulated(), ended, sequence="started token*8 end", facts={"finish_reason": "length"}),
    row("before-the-task-is-known", simulated(), never_mind, by_its_id_too_early, sequence="started token*8 end"),
)

WAYS: Final = (
    unstarted("twice-before-the-head", STALLS, arrived, way=twice),
    started("twice-between-tokens", FLOWING, tokens_read, twice),
    started("from-another-thread", FLOWING, tokens_read, from_another_thread),
    started("by-closing-the-adapter", FLOWING, tokens_read, by_closing_the_adapter),
    unstarted("by-closing-before-the-head", STALLS, arrived, way=by_closing_the_adapter),
    started("by-closing-twice-at-once", FLOWING, tokens_read, by_closing_it_twice),
    unstarted("by-closing-twice-before-the-head", STALLS, arrived, way=by_closing_it_twice),
    *(
        row(f"task-cancel-{name}", upstream, moment, by_its_task, sequence=CANCELLED, posts=posts)
        for name, upstream, moment, posts in (
            ("resolving", Named(None), soon, 0),
            ("connecting", Nowhere(full=True), soon, 0),
            ("shaking-hands", Socket(say_nothing), soon, 0),
            ("before-the-head", STALLS, arrived, 1),
            ("before-the-first-chunk", STALLS_LATE, arrived, 1),
            ("between-attempts", PAUSES, arrived, 1),
            ("between-tokens", FLOWING, tokens_read, 1),
            ("in-a-stall", STALLS_AMID, tokens_read, 1),
        )
    ),
    row("task-cancel-twice", FLOWING, tokens_read, by_its_task_twice, sequence=CANCELLED),
    row("task-cancel-twice-before-the-head", STALLS, arrived, by_its_task_twice, sequence=CANCELLED),
    row("by-id-and-by-task", FLOWING, tokens_read, by_both, sequence=CANCELLED),
)


# streams that are dropped


async def leave_the_block(run: Run) -> None:
    """Take three tokens, and leave."""
    stream = await run.submit()
    assert stream is not None
    async with stream:
        async for event in stream:
            run.events.append(event)
            if event.kind == "token" and event.index == 2:
                break
        run.watch.restart()
    await upstream_stopped(run, asyncio.get_running_loop().time())


async def leave_by_an_error(run: Run) -> None:
    """Take three tokens, and fail."""

    class Failed(Exception):
        pass

    try:
        stream = await run.submit()
        assert stream is not None
        async with stream:
            async for event in stream:
                run.events.append(event)
                if event.kind == "token" and event.index == 2:
                    raise Failed
    except Failed:
        run.watch.restart()
    await upstream_stopped(run, asyncio.get_running_loop().time())


async def close_unread(run: Run) -> None:
    """Close a stream of which nothing was read, twice."""
    stream = await run.submit()
    assert stream is not None
    run.watch.restart()
    await asyncio.gather(stream.aclose(), stream.aclose())
    await run.read(stream)


async def holding_tokens(run: Run) -> None:
    """Take two tokens of many that have come, cancel by id, and read on: nothing but the end follows."""
    stream = await run.submit()
    assert stream is not None
    await told(lambda: run.place.log()[-1].left == "completed", lambda: "the answer is not complete")
    await asyncio.sleep(0.02)
    run.events += [await anext(stream) for _ in range(3)]
    run.watch.restart()
    await run.adapter.cancel("t-1")
    await run.read(stream)


def dropped(name: str, consume: Consumer, sequence: str) -> Case:
    """A case whose stream is left before its end."""
    return Case(
        name=name,
        group="cancel",
        upstream=FLOWING,
        sequence=sequence,
        consumer=consume,
        attempts=0,
        within=PROMPTLY,
    )


DROPPED: Final = (
    dropped("left-in-the-middle", leave_the_block, "started token*3"),
    dropped("left-by-an-error", leave_by_an_error, "started token*3"),
    dropped("closed-unread", close_unread, ""),
)


# many


async def one_of_two(run: Run) -> None:
    """Of two streams over one connection, stop the first; the row is about the other one."""
    one, two = await run.submit(run.task("t-0", max_tokens=4000)), await run.submit(run.task(max_tokens=60))
    assert one is not None
    await anext(one)
    await run.adapter.cancel("t-0")
    await run.read(two)
    rest = [event async for event in one]
    assert rest[-1].data["finish_reason"] == "cancelled"


async def a_thousand(run: Run) -> None:
    """Start a thousand streams, and stop them all at once; the row is about the last of them."""
    names = [f"many-{number}" for number in range(999)]
    streams = await asyncio.gather(*(run.submit(run.task(name)) for name in names), run.submit())
    run.watch.restart()
    stopped_at = asyncio.get_running_loop().time()
    await asyncio.gather(*(run.adapter.cancel(name) for name in (*names, "t-1")))
    run.watch.stop()
    for stream in streams[:-1]:
        assert stream is not None
        events = [event async for event in stream]
        assert [event.kind for event in events[-1:]] == ["end"]
        assert events[-1].data["finish_reason"] == "cancelled"
    await run.read(streams[-1])
    await told(lambda: all(seen.left != "open" for seen in run.place.log()), lambda: "the upstream goes on")
    assert max(seen.ended_at or 0.0 for seen in run.place.log()) - stopped_at < run.case.within + run.watch.denied


MANY: Final = (
    Case(
        name="with-tokens-in-hand",
        group="cancel",
        upstream=simulated({"tokens": 100}),
        sequence="started token*2 end",
        consumer=holding_tokens,
        within=PROMPTLY,
    ),
    Case(
        name="one-of-two",
        group="cancel",
        upstream=simulated(always="tokens_per_second=1000"),
        sequence="started token*60 end",
        consumer=one_of_two,
        facts={"finish_reason": "length"},
        posts=2,
        attempts=1,
    ),
    Case(
        name="a-thousand-at-once",
        group="cancel",
        upstream=simulated(always="tokens_per_second=2;tokens=500"),
        sequence="started token*N end",
        consumer=a_thousand,
        facts=STOPPED,
        settings={"max_slots": 1000, "first_byte_timeout": 35.0, "connect_timeout": 35.0, "idle_timeout": 35.0},
        task={"deadline_ms": 50_000},
        hangs_after=40.0,  # a busy machine takes its time to start them
        posts=1000,
        attempts=1,
        within=1.0,
    ),
)

CASES: Final = (*WAITING, *WAYS, *DROPPED, *MANY)
