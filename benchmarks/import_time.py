"""
What `import adapter_api` and a client cost in a fresh interpreter: wall and CPU, medians of alternating runs.

    python -m benchmarks.import_time [--runs 30]

Goals: the contract under 60 ms over `python -c pass`; a client under 150 ms of CPU over pydantic and httpx, and a
quarter of what the official SDK takes over them; the first use of chat under 50 ms over a client that is ready to call.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from benchmarks.table import show, show_goal

if TYPE_CHECKING:
    from collections.abc import Mapping

GOAL_MS: Final = 60.0
CLIENT_GOAL_MS: Final = 150.0
CHAT_GOAL_MS: Final = 50.0
SDK_GOAL: Final = 0.25

_PLACE: Final = "(base_url='http://localhost:9/v1', api_key='k')"
_OURS: Final = f"import openai_client; client = openai_client.Client{_PLACE}"
_READY: Final = f"{_OURS}; client._transport.prepare()"
_CHAT: Final = """
from openai_client._generated.operations.chat import create_chat_completion_with
operation = create_chat_completion_with(model="m", messages=[{"role": "user", "content": "Hello"}])
operation.body_bytes()
operation.parse(b'{"id": "c", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}')
"""
STATEMENTS: Final = {
    "bare": "pass",
    "adapter_api": "import adapter_api",
    "pydantic and httpx": "import pydantic, httpx; pydantic.BaseModel",
    "a client": _OURS,
    "a client, ready to call": _READY,
    "a client, after its first chat": f"{_READY}; client.chat.completions{_CHAT}",
}
OFFICIAL: Final = {"the official SDK's client": f"import openai; client = openai.OpenAI{_PLACE}"}


def costs(statements: Mapping[str, str], runs: int) -> dict[str, list[tuple[float, float]]]:
    """
    Wall and CPU milliseconds of fresh interpreters, by name of the statement, one for each run.

    All statements are run in turn, so that a busy moment of the machine hits them all. The first run of each compiles
    and fills the caches, which are kept apart from those of the checkout, and is left out.
    """
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in statements}
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as caches:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": caches, "PYTHONDONTWRITEBYTECODE": ""}
        for number in range(runs + 1):
            for name, statement in statements.items():
                found = cost(statement, environment)
                if number:
                    seen[name].append(found)
    return seen


def cost(statement: str, environment: Mapping[str, str]) -> tuple[float, float]:
    """Wall and CPU milliseconds of a fresh interpreter that executes *statement*."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    # taking everything apart again is no part of it
    subprocess.run([sys.executable, "-c", f"{statement}\nimport os; os._exit(0)"], check=True, env=environment)
    ended, after = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return (ended - began) * 1e3, cpu * 1e3


def main() -> None:
    """Run all in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30, help="runs of each interpreter (default 30)")
    runs = parser.parse_args().runs
    statements = STATEMENTS | (OFFICIAL if find_spec("openai") else {})
    seen = costs(statements, runs)
    rows = []
    for name in statements:
        wall, cpu = (_medians(seen[name], seen["bare"], kind) for kind in (0, 1))
        rows.append([name, f"{wall[0]:.1f}", f"{cpu[0]:.1f}", f"{wall[1]:.1f}", f"{cpu[1]:.1f}"])
    show([f"median of {runs}", "wall ms", "CPU ms", "wall over bare", "CPU over bare"], rows)
    _show_goals(seen)


def _medians(found: list[tuple[float, float]], base: list[tuple[float, float]], kind: int) -> tuple[float, float]:
    """The median of one of the two costs, and that of its difference to the base in the same run."""
    return (
        statistics.median(costs[kind] for costs in found),
        statistics.median(costs[kind] - below[kind] for costs, below in zip(found, base, strict=True)),
    )


def _show_goals(seen: Mapping[str, list[tuple[float, float]]]) -> None:
    wall = _medians(seen["adapter_api"], seen["bare"], 0)[1]
    show_goal("adapter_api over a bare interpreter", measured=wall, goal=GOAL_MS, unit="ms wall")
    base = seen["pydantic and httpx"]
    client = _medians(seen["a client"], base, 1)[1]
    show_goal("a client over pydantic and httpx", measured=client, goal=CLIENT_GOAL_MS, unit="ms CPU")
    chat = _medians(seen["a client, after its first chat"], seen["a client, ready to call"], 1)[1]
    show_goal("the first chat over a client that is ready", measured=chat, goal=CHAT_GOAL_MS, unit="ms CPU")
    for name in OFFICIAL.keys() & seen.keys():
        over = [
            (ours[1] - below[1]) / (theirs[1] - below[1])
            for ours, theirs, below in zip(seen["a client"], seen[name], base, strict=True)
        ]
        unit = "x the official SDK"
        show_goal("the same", measured=statistics.median(over), goal=SDK_GOAL, unit=unit)
        whole = statistics.median(
            ours[1] / theirs[1] for ours, theirs in zip(seen["a client"], seen[name], strict=True)
        )
        print(f"with the interpreter, pydantic and httpx on both sides: {whole:.3g} {unit}")


if __name__ == "__main__":
    main()
