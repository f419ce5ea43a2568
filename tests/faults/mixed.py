"""
Minutes of everything at once: each request meets a fault that is drawn, and every attempt is accounted for.

The adapter's ledgers and the simulator's log are two books about the same requests, kept on two sides of the wire. Each
task's lines are held against the exchanges that carry its correlation id: a request that is in one book and not in the
other was lost, or repeated in secret.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from adapter_api import CORRELATION_HEADER, Outcome, TaskRequest, WorkerError, correlation_id
from tests.faults.aborts import Traces
from tests.faults.run import SETTINGS, TASK
from tests.process import open_files, resident
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from upstream_simulator import Exchange, Simulator

OF_A_STREAM: Final = (
    "tokens_per_second=500",
    "status=429;retry_after_ms=20",
    "status=503;retry_after_ms=5",
    "status=429;error_code=insufficient_quota",
    "status=400",
    "status=500;error_form=html",
    "status=502;error_form=empty",
    "status=529",
    "drop=reset",
    "stall=30",
    "stall=30;stall_at=body",
    "stall=30;stall_at=3",
    "cut=900",
    "cut_after_tokens=3",
    "refuse_stream",
    "omit=done,finish",
    "omit=done;linger=1",
    "stream_error=litellm;stream_error_after=2",
    "stream_error=string;stream_error_after=0;first_delta=none",
    "malformed=text;malformed_after=2",
    "instead=html",
    "instead=empty",
    "encoding=gzip",
    "encoding=br",
    "ping_for=0.3;ping_every=0.02",
    "drip=40;drip_ms=1",
    "huge=2000000",
    "crlf;split_utf8;words=unicode",
    "tool_calls=2",
    "after_finish=5",
)
"""Faults that one request meets."""
OF_A_CONNECTION: Final = (
    "drop=close",
    "cut_after_tokens=3;cut_by=close",
    "cut_after_tokens=3;cut_by=goaway",
    "goaway=below",
    "goaway=allowed",
    "hangs_up",
)
"""Faults that end a connection, and over HTTP/2 concern all that runs on it."""
WISHES: Final = {
    "": 60.0,
    **dict.fromkeys(OF_A_STREAM, 4.0),
    **dict.fromkeys(OF_A_CONNECTION, 0.5),
}
"""What a request may meet, and how often; an empty wish is a good answer."""

TIMERS: Final = {"first_byte_timeout": 2.0, "idle_timeout": 1.0, "content_timeout": 1.5}
DEADLINE: Final = 5.0
"""Seconds that each task has."""
LATEST: Final = 1.0
"""Seconds by which a task may be late in a process that has two hundred of them to run, on a busy machine."""
GROWTH: Final = 16 * 1024 * 1024
"""Bytes by which the process may grow after the first fifth of a run of a minute or more."""
SETTLED: Final = 30
"""Looks at the memory, one every `TURN`, without which nothing can be said of its growth."""
TURN: Final = 2.0
"""Seconds between two looks at the upstream's log, which holds 20,000 exchanges."""
IN_STOCK: Final = 2_000
"""Faults that wait for the requests to come."""


class Line(NamedTuple):
    """What one line of a ledger says."""

    outcome: Outcome | None
    reason: str | None
    status: int | None

    @classmethod
    def of(cls, attempt: Any) -> Self:
        """The line of an attempt, as an error carries it, or an event."""
        told = attempt if isinstance(attempt, dict) else attempt.as_dict()
        outcome = told.get("outcome")
        return cls(outcome and Outcome(outcome), told.get("reason"), told.get("http_status"))

    @property
    def is_answered(self) -> bool:
        """Whether it knows of an answer."""
        return self.outcome is None or self.status is not None


@dataclass
class Books:
    """The ledgers of tasks that are over, the exchanges that the upstream saw, and what does not match."""

    ledgers: dict[str, list[Line]] = field(default_factory=dict)
    """The lines of each task, by its correlation id."""
    exchanges: Counter[str] = field(default_factory=Counter)
    """Requests that the upstream saw, by correlation id."""
    last: int = 0
    """The number of the last exchange that was read."""
    totals: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def enter(self, exchanges: Sequence[Exchange]) -> None:
        """Take in what the upstream saw since the last time."""
        for exchange in exchanges:
            self.last = max(self.last, exchange.number)
            self.exchanges[dict(exchange.headers)[CORRELATION_HEADER.lower()]] += 1
            self.totals["exchanges"] += 1

    def settle(self, names: Sequence[str]) -> None:
        """
        Hold the ledgers of tasks against the exchanges that bear their ids, and close their accounts.

        No exchange may be without a line, and no line without an exchange that claims to know of one: the upstream
        answered, or refused. A line that says UNKNOWN and has no status may be of a request that was lost on its way,
        and one that says NOT_SENT of a request that was refused, or of none: that is what the words mean.
        """
        for name in names:
            lines, seen = self.ledgers.pop(name), self.exchanges.pop(name, 0)
            answered = sum(line.is_answered for line in lines)
            self.totals["lines"] += len(lines)
            self.totals["answered"] += answered
            self.totals["not sent"] += sum(line.outcome is Outcome.NOT_SENT for line in lines)
            self.totals["lost on their way"] += sum(line.outcome is not Outcome.NOT_SENT for line in lines) > seen
            if not answered <= seen <= len(lines):
                self.problems.append(f"{name}: {seen} requests on the wire, ledger {lines}")


class Load:
    """Streams over one adapter, one after the other in each of its workers, until it is told to stop."""

    def __init__(self, protocol: str, where: Mapping[str, Any], books: Books, draw: Random) -> None:
        """Make the adapter."""
        self.adapter = OpenAIHttpAdapter(OpenAIHttpConfig(**{**SETTINGS, **TIMERS, **where, "max_slots": 1024}))
        self.endings: Counter[str] = Counter()
        self.latest = 0.0
        self.over: list[str] = []
        """Tasks that ended since the last settling."""
        self._protocol = protocol
        self._books = books
        self._draw = draw
        self._number = 0

    async def work(self, stop: asyncio.Event) -> None:
        """Run tasks until told to stop."""
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            self._number += 1
            name = f"{self._protocol}-{self._number}"
            correlation_id.set(name)
            began = loop.time()
            ending, attempts = await self._run(
                TaskRequest(task_id=name, **{**TASK, "deadline_ms": round(DEADLINE * 1000)})
            )
            self.latest = max(self.latest, loop.time() - began - DEADLINE)
            self.endings[ending] += 1
            self._books.ledgers[name] = list(map(Line.of, attempts))
            self.over.append(name)

    async def _run(self, task: TaskRequest) -> tuple[str, Sequence[Any]]:
        """Run one task, which may be given up anywhere: how it ended, and its ledger."""
        leaving = None
        if self._draw.random() < 0.1:
            leaving = asyncio.ensure_future(self._give_up(task.task_id, self._draw.random() * 0.2))
        try:
            stream = await self.adapter.submit(task)
            last = [event async for event in stream][-1]
        except WorkerError as error:
            return f"raised {error.reason}", error.attempts
        finally:
            if leaving is not None:
                leaving.cancel()
                with suppress(asyncio.CancelledError):
                    await leaving
        word = last.data["evidence"] if last.kind == "end" else last.data["reason"]
        return f"{last.kind} {word}", last.data.get("attempts", ())

    async def _give_up(self, task_id: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.adapter.cancel(task_id)


async def measure(
    simulator: Simulator, where: Mapping[str, Mapping[str, Any]], seconds: float, streams: int, draw: Random
) -> dict[str, Any]:
    """
    Run *streams* at once for so many *seconds*, half of them over each protocol.

    Returns:
        What happened, as plain values; `problems` is empty when all is as it must be.
    """
    loop = asyncio.get_running_loop()
    books, stop, start = Books(), asyncio.Event(), open_files()
    loads = [Load(protocol, place, books, draw) for protocol, place in where.items()]
    await _stock(simulator, draw)
    workers = [asyncio.ensure_future(load.work(stop)) for load in loads for _ in range(streams // len(loads))]
    end, memory = loop.time() + seconds, [resident()]
    settled: list[str] = []
    while (left := end - loop.time()) > 0:
        await asyncio.wait(workers, timeout=min(TURN, left), return_when=asyncio.FIRST_EXCEPTION)
        _raise_first(workers)
        # what was over at the last look has all its exchanges in the log by now
        books.enter(await asyncio.to_thread(simulator.log, since=books.last))
        books.settle(settled)
        settled = [name for load in loads for name in load.over]
        for load in loads:
            load.over.clear()
        await _stock(simulator, draw)
        memory.append(resident())
    stop.set()
    _, hanging = await asyncio.wait(workers, timeout=DEADLINE + 2 * LATEST)
    books.enter(await asyncio.to_thread(simulator.log, since=books.last, settle=5.0))
    books.settle([*settled, *(name for load in loads for name in load.over)])
    return await _found(loads, books, hanging=len(hanging), files=start, memory=memory, simulator=simulator)


async def _stock(simulator: Simulator, draw: Random) -> None:
    """Have enough faults wait for the requests to come."""
    waiting = await asyncio.to_thread(simulator.script)
    if waiting < IN_STOCK:
        await asyncio.to_thread(simulator.script, *draw.choices(tuple(WISHES), tuple(WISHES.values()), k=IN_STOCK))


def _raise_first(workers: Sequence[asyncio.Task[None]]) -> None:
    """Raise what a worker has failed with: no task may raise anything but a `WorkerError`."""
    for worker in workers:
        if worker.done() and worker.exception() is not None:
            worker.result()


async def _found(
    loads: Sequence[Load], books: Books, *, hanging: int, files: int, memory: Sequence[int], simulator: Simulator
) -> dict[str, Any]:
    """Close everything, and tell what was found and what of it is wrong."""
    traces = [await Traces.of(load.adapter) for load in loads]
    for load in loads:
        await load.adapter.aclose()
    gc.collect()
    seen = simulator.seen(settle=2.0)
    # the first fifth is for what is made once
    grown = memory[-1] - max(memory[: max(1, len(memory) // 5)])
    latest = max(load.latest for load in loads)
    wrong = {
        f"{hanging} workers hang": hanging,
        f"a task was over {latest:.3f} s after its deadline": latest > LATEST,
        f"left behind: {traces}": any(each.slots or each.in_flight or each.waiting or each.tasks for each in traces),
        f"{open_files() - files} files stay open": open_files() > files,
        f"memory has grown by {grown} bytes": len(memory) >= SETTLED and grown > GROWTH,
        f"{len(books.exchanges)} requests belong to no task: {list(books.exchanges)[:5]}": books.exchanges,
        f"the upstream sees {seen.open_connections} connections": seen.open_connections,
    }
    endings = sum((load.endings for load in loads), Counter())
    return {
        "tasks": endings.total(),
        "totals": dict(books.totals),
        "endings": dict(endings.most_common()),
        "latest": round(latest, 3),
        "memory": {"first": memory[0], "grown": grown, "last": memory[-1]},
        "connections": seen.accepted_connections,
        "problems": [*(text for text, is_wrong in wrong.items() if is_wrong), *books.problems[:20]],
    }
