"""Nothing is left behind: ten thousand tasks, and everything is where it was."""

from __future__ import annotations

import asyncio
import gc
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

TASKS: Final = 10_000
AT_ONCE: Final = 50
GROWTH: Final = 8 * 1024 * 1024
"""Bytes that the process may have grown by; ten thousand forgotten tasks of 1 KiB would be more."""


def resident() -> int:
    """Resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.requirement("ADP-32", "HTU-18")
async def test_ten_thousand_tasks_leave_nothing_behind(adapters: Any, task: Callable[..., Any]) -> None:
    """The in-flight table, the tasks of the loop, the open sockets and the memory return to where they were."""
    async with adapters() as adapter:
        numbers = iter(range(TASKS + 10 * AT_ONCE))

        async def work(share: int) -> None:
            for _ in range(share):
                stream = await adapter.submit(task(f"t-{next(numbers)}", max_tokens=2))
                async with stream:
                    async for _event in stream:
                        pass

        await asyncio.gather(*(work(10) for _ in range(AT_ONCE)))
        gc.collect()
        before, tasks, sockets = resident(), len(asyncio.all_tasks()), open_files()
        await asyncio.gather(*(work(TASKS // AT_ONCE) for _ in range(AT_ONCE)))
        gc.collect()
        assert (await adapter.props()).slots_free == 64
        assert len(asyncio.all_tasks()) == tasks
        assert open_files() <= sockets + 2
        assert resident() - before < GROWTH


def open_files() -> int:
    """Open file descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))
