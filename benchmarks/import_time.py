"""
What `import adapter_api` costs over a bare interpreter: wall and CPU, medians of alternating runs.

    python -m benchmarks.import_time [--runs 30]

Goal: under 60 ms over `python -c pass`.
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
from typing import TYPE_CHECKING, Final

from benchmarks.table import show, show_goal

if TYPE_CHECKING:
    from collections.abc import Mapping

GOAL_MS: Final = 60.0
STATEMENTS: Final = {"bare": "pass", "adapter_api": "import adapter_api"}


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
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    ended, after = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return (ended - began) * 1e3, cpu * 1e3


def main() -> None:
    """Run both in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30, help="runs of each interpreter (default 30)")
    runs = parser.parse_args().runs
    seen = costs(STATEMENTS, runs)
    wall = {name: statistics.median(wall for wall, _ in found) for name, found in seen.items()}
    cpu = {name: statistics.median(cpu for _, cpu in found) for name, found in seen.items()}
    rows = [[name, f"{wall[name]:.1f}", f"{cpu[name]:.1f}"] for name in STATEMENTS]
    rows.append(["difference", f"{wall['adapter_api'] - wall['bare']:.1f}", f"{cpu['adapter_api'] - cpu['bare']:.1f}"])
    rows.append(["ratio", f"{wall['adapter_api'] / wall['bare']:.2f}", f"{cpu['adapter_api'] / cpu['bare']:.2f}"])
    show([f"median of {runs}", "wall ms", "CPU ms"], rows)
    show_goal(
        "adapter_api over a bare interpreter", measured=wall["adapter_api"] - wall["bare"], goal=GOAL_MS, unit="ms wall"
    )


if __name__ == "__main__":
    main()
