"""What a case may leave behind: nothing. And the time that the machine kept from it."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from tests.process import open_sockets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SOON: Final = 2.0
"""Seconds for what happens at once, on a machine that is busy with something else."""

STOLEN: Final = 8
"""Where the first line of `/proc/stat` says what a hypervisor took."""
TICKS: Final = os.sysconf("SC_CLK_TCK")


def foreign_tasks() -> set[asyncio.Task[Any]]:
    """Tasks of the running loop that neither a test nor a test's server made: whatever they are, they are ours."""
    return {task for task in asyncio.all_tasks() if not task.done() and not _is_of_tests(task)}


def _is_of_tests(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and "/tests/" in code.co_filename


@dataclass(frozen=True)
class Footprint:
    """What is there before a case, and must be all that is there after it."""

    sockets: int
    threads: int
    tasks: frozenset[asyncio.Task[Any]]

    @classmethod
    def taken(cls) -> Self:
        """What is there now."""
        return cls(open_sockets(), threading.active_count(), frozenset(foreign_tasks()))

    async def restored(self) -> None:
        """
        Wait until no more is there than was.

        Raises:
            AssertionError: Something stays; the text says what.
        """
        await told(lambda: open_sockets() <= self.sockets, lambda: f"{open_sockets() - self.sockets} sockets stay open")
        await told(lambda: threading.active_count() <= self.threads, lambda: f"threads stay: {threading.enumerate()}")
        await self.tasks_restored()

    async def tasks_restored(self) -> None:
        """Wait until no task is there that was not there before."""
        await told(lambda: foreign_tasks() <= self.tasks, lambda: f"tasks stay: {foreign_tasks() - self.tasks}")


async def told(condition: Callable[[], bool], otherwise: Callable[[], str], seconds: float = SOON) -> None:
    """
    Wait until *condition* holds, which another task or process brings about.

    Raises:
        AssertionError: It did not come to hold; the text is what *otherwise* gives then.
    """
    end = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(otherwise())
        await asyncio.sleep(0.002)


class Stopwatch:
    """
    The event loop's time since a case began, and how much of it the machine was busy with others.

    Two busy cores are shared with whatever else runs. The kernel keeps, for each process, the time for which it was
    ready to run and got no core, and, for all cores, the time for which a hypervisor gave them to other machines: no
    code can be blamed for either, so bounds are held without it.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        """Start, for this process and those that work for the case."""
        self._pids = ("self", *map(str, pids))
        self._clock = asyncio.get_running_loop().time
        self.restart()

    def restart(self) -> None:
        """Begin anew: what follows is what the case is about."""
        self._began, self._denied = self._clock(), self._waited()
        self.took = self.denied = 0.0
        self._runs = True

    def stop(self) -> None:
        """Note `took` and, in it, `denied`, both in seconds; the first time counts."""
        if self._runs:
            self.took, self.denied = self._clock() - self._began, self._waited() - self._denied
            self._runs = False

    @property
    def denied_so_far(self) -> float:
        """Seconds that were denied since the start, up to now."""
        return self._waited() - self._denied

    def _waited(self) -> float:
        """Seconds that the threads of these processes were ready and did not run, since each began."""
        schedules = [file for pid in self._pids for file in Path(f"/proc/{pid}/task").glob("*/schedstat")]
        return sum(map(_denied, schedules)) / 1e9 + _stolen()


def _stolen() -> float:
    """Seconds for which the cores of this machine ran another one, since it began."""
    cores, *_ = Path("/proc/stat").read_text().splitlines()
    return int(cores.split()[STOLEN]) / TICKS


def _denied(schedule: Path) -> int:
    """Nanoseconds that one thread was ready and did not run; none for one that has just ended."""
    try:
        return int(schedule.read_text().split()[1])
    except OSError:
        return 0
