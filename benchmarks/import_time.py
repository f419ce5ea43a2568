"""
What `import adapter_api` costs over a bare interpreter: wall and CPU, medians of alternating runs.

    python -m benchmarks.import_time [--runs 30]

Goal: under 60 ms over `python -c pass`.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from typing import Final

from benchmarks.table import show, show_goal

GOAL_MS: Final = 60.0
STATEMENTS: Final = {"bare": "pass", "adapter_api": "import adapter_api"}


def cost(statement: str) -> tuple[float, float]:
    """Wall and CPU milliseconds of a fresh interpreter that executes *statement*."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    ended, after = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return (ended - began) * 1e3, cpu * 1e3


def main() -> None:
    """Run both in turn, so that a busy moment of the machine hits both, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=30, help="runs of each interpreter (default 30)")
    runs = parser.parse_args().runs
    for statement in STATEMENTS.values():
        cost(statement)  # the first run compiles and fills the caches
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in STATEMENTS}
    for _ in range(runs):
        for name, statement in STATEMENTS.items():
            seen[name].append(cost(statement))
    wall = {name: statistics.median(wall for wall, _ in costs) for name, costs in seen.items()}
    cpu = {name: statistics.median(cpu for _, cpu in costs) for name, costs in seen.items()}
    rows = [[name, f"{wall[name]:.1f}", f"{cpu[name]:.1f}"] for name in STATEMENTS]
    rows.append(["difference", f"{wall['adapter_api'] - wall['bare']:.1f}", f"{cpu['adapter_api'] - cpu['bare']:.1f}"])
    rows.append(["ratio", f"{wall['adapter_api'] / wall['bare']:.2f}", f"{cpu['adapter_api'] / cpu['bare']:.2f}"])
    show([f"median of {runs}", "wall ms", "CPU ms"], rows)
    show_goal(
        "adapter_api over a bare interpreter", measured=wall["adapter_api"] - wall["bare"], goal=GOAL_MS, unit="ms wall"
    )


if __name__ == "__main__":
    main()
