"""What the groups of layers share: tasks that run before the one that a row is about."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from adapter_api import WorkerError

if TYPE_CHECKING:
    from tests.faults.run import Run


async def reasons(run: Run, count: int, prefix: str = "before") -> Counter[str]:
    """Run *count* tasks, one after the other; how they ended."""
    counted: Counter[str] = Counter()
    for number in range(count):
        try:
            events = [event async for event in await run.adapter.submit(run.task(f"{prefix}-{number}"))]
            counted[events[-1].data.get("reason", "end")] += 1
        except WorkerError as error:
            counted[error.reason] += 1
    return counted
