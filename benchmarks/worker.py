"""
One client in a process of its own, pinned to the first core: `python -m benchmarks.worker`, driven by `workers.py`.

The first line of stdin says which client and where to; every further line asks for one figure, and one line on stdout
answers it. The process lives through all rounds of a scenario, so that connections and caches are warm.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from pathlib import Path

from benchmarks.board import Board
from benchmarks.clients import BY_NAME, Client, Kind, Target
from benchmarks.cores import pin, raise_descriptor_limit, settle_malloc
from benchmarks.measures import MEASURES
from benchmarks.scenarios import Load


def runner_for(kind: Kind) -> asyncio.Runner:
    """The event loop that *kind* runs on."""
    if not kind.uvloop:
        return asyncio.Runner()
    import uvloop

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def connect(kind: Kind, target: Target) -> Client:
    """The client, made inside its loop."""
    return kind.connect(target)


def main() -> None:
    """Answer until stdin ends."""
    pin(0)
    raise_descriptor_limit()
    settle_malloc()
    # clients may print; stdout is for the answers
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    job = json.loads(sys.stdin.readline())
    kind = BY_NAME[job["client"]]
    with Board(Path(job["board"])) as board, runner_for(kind) as runner:
        client = runner.run(connect(kind, Target(**job["target"])))
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                measured = runner.run(MEASURES[asked["measure"]](client, board, Load(**asked["load"])))
                answer = {"value": measured.value, "notes": measured.notes}
            # whatever happens to a client is told, and is its result
            except BaseException as error:  # noqa: BLE001
                traceback.print_exc()
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=answers, flush=True)
        runner.run(client.aclose())


if __name__ == "__main__":
    main()
