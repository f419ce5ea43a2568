"""What is looked at while a soak runs: memory, descriptors, tasks, and what the upstream has open."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING, Final

from benchmarks.cores import descriptors, resident_bytes
from benchmarks.ratios import percentile
from benchmarks.soak.streams import WAYS, Violation

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.board import Board
    from benchmarks.soak.streams import Streams

LINE_EVERY: Final = 30.0
SLACK: Final = 16
"""Descriptors or tasks that may come and go."""
FLAT: Final = 1.05
FLAT_MIB: Final = 4
"""Memory may be so many times, and so much more, than what it was when warm."""
SETTLED: Final = 5.0
"""Seconds that the end may take to leave nothing behind."""
MIB: Final = 1024 * 1024


class Watch:
    """Looks at the process once a second, and holds it to what it was at the end of the warm-up."""

    def __init__(self, streams: Streams, board: Board, warm_up: float) -> None:
        """Begin to count."""
        self._streams = streams
        self._board = board
        self._warm_up = warm_up
        self._began = time.monotonic()
        self._resident: list[int] = []
        self._first: tuple[float, int, int] | None = None
        """Memory, descriptors and tasks when warm."""

    async def run(self, seconds: float) -> None:
        """
        Watch for so long, and print a line now and then.

        Raises:
            Violation: The process grows.
        """
        next_line = LINE_EVERY
        while (elapsed := time.monotonic() - self._began) < seconds:
            await asyncio.sleep(1)
            self._resident.append(resident_bytes())
            if elapsed >= min(next_line, seconds - 1):
                next_line += LINE_EVERY
                self._line(elapsed)
                self._resident.clear()

    def _line(self, elapsed: float) -> None:
        streams, board = self._streams, self._board
        memory, files, tasks = statistics.median(self._resident) / MIB, descriptors(), len(asyncio.all_tasks())
        late = percentile(streams.cancel_seconds, 0.99) * 1e3 if streams.cancel_seconds else 0.0
        cancelled = ", ".join(f"{streams.counts[way]} {way}" for way in WAYS)
        print(
            f"{elapsed:5.0f} s  {streams.counts['whole']} whole, {cancelled}; {streams.counts['tokens']:,} tokens; "
            f"upstream: {board.open_streams} open on {board.connections}; cancels seen in {late:.1f} ms (p99); "
            f"{memory:.1f} MiB, {files} descriptors, {tasks} tasks",
            flush=True,
        )
        if elapsed < self._warm_up:
            return
        if self._first is None:
            self._first = memory, files, tasks
        was_memory, was_files, was_tasks = self._first
        if memory > was_memory * FLAT + FLAT_MIB:
            raise Violation(f"memory grew from {was_memory:.1f} to {memory:.1f} MiB")
        if files > was_files + SLACK:
            raise Violation(f"descriptors grew from {was_files} to {files}")
        if tasks > was_tasks + SLACK:
            raise Violation(f"tasks grew from {was_tasks} to {tasks}")


async def until_settled(what: str, is_settled: Callable[[], bool]) -> None:
    """
    Wait until nothing is left.

    Raises:
        Violation: Something still is after a few seconds.
    """
    began = time.monotonic()
    while not is_settled():
        if time.monotonic() - began > SETTLED:
            raise Violation(f"left at the end: {what}")
        await asyncio.sleep(0.01)
