"""
How one client is measured, inside its own process: one function per kind of figure. Every answer is checked.

CPU is that of the whole process, all threads, without what it spent waiting for the upstream's next round.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from benchmarks.answers import Ask
from benchmarks.cores import resident_bytes
from benchmarks.ratios import percentile
from benchmarks.readings import Counted, FirstToken, InStep, Paced, Steps
from benchmarks.scenarios import RATE, Load

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmarks.board import Board
    from benchmarks.clients import Client
    from benchmarks.readings import Reading

FEW: Final = 10
"""Streams that warm a process up, or that many are compared with."""
SETTLING: Final = RATE // 2
"""First tokens of a paced stream that do not count: all streams begin at once."""
KIB: Final = 1024
MIB: Final = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure, and what else was seen on the way."""

    value: float
    notes: dict[str, float] = field(default_factory=dict)


class Group:
    """Streams that are read at once and in step, made before the clock runs and checked after it."""

    def __init__(self, board: Board, load: Load) -> None:
        """Make what takes them."""
        asks = [Ask(slot=slot, tokens=load.tokens, burst=load.burst, gate=load.streams) for slot in range(load.streams)]
        self.steps = Steps(board, asks[0], load.streams)
        self._readings = [InStep(ask, board, self.steps) for ask in asks]

    async def read(self, client: Client) -> float:
        """Read all streams; the CPU seconds that it cost."""
        gc.collect()
        began = time.process_time()
        await asyncio.gather(self.steps.begin(), *(client.read(reading.ask, reading) for reading in self._readings))
        spent = time.process_time() - began - self.steps.waited
        for reading in self._readings:
            reading.check()
        return spent


async def _read(client: Client, reading: Reading) -> None:
    await client.read(reading.ask, reading)
    reading.check()


async def _spent(client: Client, board: Board, load: Load) -> float:
    """CPU seconds that the streams of *load* cost."""
    return sum([await Group(board, load).read(client) for _ in range(load.repeats)])


async def cpu_per_token(client: Client, board: Board, load: Load) -> Measured:
    """CPU microseconds per token; connections are warm."""
    await _spent(client, board, replace(load, tokens=2 * load.burst))
    stalls, reads = board.stalls, getattr(client, "reads", 0)
    spent = await _spent(client, board, load)
    tokens = load.streams * load.tokens
    notes = {"stalls": float(board.stalls - stalls)}
    if reads:
        notes["reads_per_token"] = round((client.reads - reads) / tokens, 3)
    return Measured(spent / tokens * 1e6, notes)


async def cpu_per_task(client: Client, board: Board, load: Load) -> Measured:
    """CPU microseconds per task; connections are warm."""
    await _spent(client, board, replace(load, repeats=1))
    spent = await _spent(client, board, load)
    return Measured(spent / (load.streams * load.repeats) * 1e6)


async def first_token(client: Client, board: Board, load: Load) -> Measured:
    """Microseconds by the wall from the call to the first token, one task after the other."""
    times = []
    gc.collect()
    spent = time.process_time()
    for _ in range(load.repeats + FEW):
        began = time.perf_counter()
        reading = FirstToken(Ask(slot=0, tokens=load.tokens, burst=load.burst), board)
        await _read(client, reading)
        times.append((reading.first_at - began) * 1e6)
    spent = (time.process_time() - spent) / len(times) * 1e6
    times = times[FEW:]
    return Measured(statistics.median(times), {"p99": round(percentile(times, 0.99)), "cpu_us": round(spent)})


async def held_streams(client: Client, board: Board, load: Load) -> Measured:
    """The 99th percentile of the lateness of paced tokens, in milliseconds."""
    board.behind_us = 0
    readings = [
        Paced(Ask(slot=slot, tokens=load.tokens, rate=RATE, gate=load.streams), board) for slot in range(load.streams)
    ]
    gc.collect()
    spent, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(_read(client, reading) for reading in readings))
    wall, spent = time.perf_counter() - began, time.process_time() - spent
    late = [seconds for reading in readings for seconds in reading.lateness[SETTLING:]]
    notes = {"load": round(spent / wall, 2), "behind_ms": round(board.behind_us / 1e3, 1), "wall": round(wall, 2)}
    return Measured(percentile(late, 0.99) * 1e3, notes)


async def memory_per_stream(client: Client, board: Board, load: Load) -> Measured:
    """KiB by which the process grows with each stream that has begun and waits for its next token."""
    await _spent(client, board, replace(load, streams=FEW))
    seen: list[int] = []

    def look() -> None:
        gc.collect()
        seen.append(resident_bytes())

    look()
    group = Group(board, load)
    group.steps.on_taken = look
    await group.read(client)
    before, _sent, all_begun, *_ = seen
    return Measured((all_begun - before) / load.streams / KIB, {"streams": load.streams})


async def growth(client: Client, board: Board, load: Load) -> Measured:
    """How many times the CPU per token with few streams that with many is; requests and ends left out."""
    few = replace(load, streams=FEW, tokens=load.tokens * load.streams // FEW)
    await _spent(client, board, replace(load, tokens=2))
    many_us = await _pure_cpu_per_token(client, board, load)
    few_us = await _pure_cpu_per_token(client, board, few)
    return Measured(many_us / few_us, {"many_us": round(many_us, 2), "few_us": round(few_us, 2)})


async def _pure_cpu_per_token(client: Client, board: Board, load: Load) -> float:
    """CPU microseconds per token between the first round and the last."""
    seen: list[float] = []
    group = Group(board, load)
    group.steps.on_taken = lambda: seen.append(time.process_time() - group.steps.waited)
    await group.read(client)
    _sent, first, *_, last = seen
    return (last - first) / (load.streams * (load.tokens - 1)) * 1e6


async def long_stream(client: Client, board: Board, load: Load) -> Measured:
    """MiB by which the process has grown at most after a tenth of one long stream."""
    reading = Counted(Ask(slot=0, tokens=load.tokens, burst=load.burst), board)
    await _read(client, reading)
    early = max(size for count, size in reading.resident.items() if count <= load.tokens // 10)
    late = max(size for count, size in reading.resident.items() if count > load.tokens // 10)
    return Measured(max(0, late - early) / MIB)


MEASURES: Final[dict[str, Callable[[Client, Board, Load], Awaitable[Measured]]]] = {
    function.__name__: function
    for function in (cpu_per_token, cpu_per_task, first_token, held_streams, memory_per_stream, growth, long_stream)
}
