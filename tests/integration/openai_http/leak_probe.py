"""
Runs many tasks against the upstream that is named, and prints what they left behind, as one line of JSON.

A program of its own: neither the test tool's memory nor a measured line of code is in its figures.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
from pathlib import Path
from typing import Final

from adapter_api.testing import make_task
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

AT_ONCE: Final = 50

WARM_UP: Final = 50
"""Tasks for each of them before anything is counted: what a process keeps for good, it has by then."""


def footprint() -> dict[str, int]:
    """Resident bytes, open files and tasks of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "resident": pages * resource.getpagesize(),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "tasks": len(asyncio.all_tasks()),
    }


async def work(adapter: OpenAIHttpAdapter, worker: int, share: int) -> None:
    """Run *share* tasks, one after the other; every tenth is left in the middle."""
    for number in range(share):
        task = make_task(f"t-{worker}-{number}", priority="batch", max_tokens=2, deadline_ms=60_000)
        async with await adapter.submit(task) as stream:
            async for _ in stream:
                if number % 10 == 9:
                    break


async def main(base_url: str, tasks: int) -> None:
    """Warm up, run *tasks* tasks, compare."""
    start = footprint()
    adapter = OpenAIHttpAdapter(OpenAIHttpConfig(base_url=base_url, model="m"))
    await asyncio.gather(*(work(adapter, worker, WARM_UP) for worker in range(AT_ONCE)))
    before = footprint()
    await asyncio.gather(*(work(adapter, worker, tasks // AT_ONCE) for worker in range(AT_ONCE)))
    after = footprint()
    props = await adapter.props()
    await adapter.aclose()
    # the slots keep their connections until the adapter is closed
    closed = footprint()
    slots = [props.slots_free, props.slots_total]
    json.dump({"start": start, "before": before, "after": after, "closed": closed, "slots": slots}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
