"""
Runs that are too long for a test: many aborted streams, and minutes of mixed faults with exact accounting.

    python -m tests.faults.long_runs --aborts 10000
    python -m tests.faults.long_runs --minutes 5 --streams 200

Prints what it found as one line of JSON for each run; the exit code is 1 when something is not as it must be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from random import Random
from typing import TYPE_CHECKING, Any, Final

import upstream_simulator
from tests.faults import aborts, mixed

if TYPE_CHECKING:
    from upstream_simulator import Simulator

GROWTH: Final = 8 * 1024 * 1024
"""Bytes by which a process may grow over ten thousand streams; a forgotten KiB for each would be more."""


def places(simulator: Simulator) -> dict[str, dict[str, Any]]:
    """How the upstream is called over each protocol."""
    return {
        "http/1.1": {"base_url": simulator.base_url},
        "h2": {"base_url": simulator.tls_base_url, "ca_file": simulator.ca_file},
    }


def run_aborts(count: int, seed: int) -> list[str]:
    """Abort *count* streams over each protocol; what is wrong afterwards."""
    problems: list[str] = []
    with upstream_simulator.start(tls_port=0) as simulator:
        simulator.script(always=aborts.WISH)
        for protocol, where in places(simulator).items():
            began = time.monotonic()
            told = asyncio.run(aborts.measure(where, count, Random(seed)))
            seen = simulator.seen(settle=2.0)
            told |= {
                "run": "aborts",
                "protocol": protocol,
                "streams": count,
                "seconds": round(time.monotonic() - began, 1),
                "upstream": {
                    "connections": seen.open_connections,
                    "open": sum(exchange.left == "open" for exchange in seen.exchanges),
                },
            }
            problems += [f"{protocol}: {problem}" for problem in abort_problems(told)]
            sys.stdout.write(json.dumps(told) + "\n")
            simulator.reset()
            simulator.script(always=aborts.WISH)
    return problems


def abort_problems(told: dict[str, Any]) -> list[str]:
    """What is wrong after a run of aborts."""
    after, before, files = told["after"], told["before"], told["files"]
    grown = after["resident"] - before["resident"]
    wrong = {
        f"{after['tasks']} tasks run on": after["tasks"],
        f"{after['slots']} slots stay taken": after["slots"],
        f"{after['in_flight']} requests stay on connections": after["in_flight"],
        f"{after['waiting']} requests or dials wait": after["waiting"],
        f"{files['closed'] - files['start']} files stay open": files["closed"] > files["start"],
        f"memory has grown by {grown} bytes": grown > GROWTH,
        f"the upstream sees {told['upstream']}": any(told["upstream"].values()),
        f"unexpected endings: {told['endings']}": set(told["endings"]) - {*aborts.WAYS, "cancelled", "deadline"},
    }
    return [text for text, is_wrong in wrong.items() if is_wrong]


def run_mixed(minutes: float, streams: int, seed: int) -> list[str]:
    """Run mixed faults over both protocols at once; what is wrong afterwards."""
    with upstream_simulator.start(tls_port=0) as simulator:
        told = asyncio.run(mixed.measure(simulator, places(simulator), minutes * 60, streams, Random(seed)))
    sys.stdout.write(json.dumps({"run": "mixed", "minutes": minutes, "streams": streams, **told}) + "\n")
    return list(told["problems"])


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.long_runs", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--aborts", type=int, default=0, help="streams to start and leave, over each protocol")
    parser.add_argument("--minutes", type=float, default=0.0, help="minutes of mixed faults")
    parser.add_argument("--streams", type=int, default=200, help="streams at once in them (default 200)")
    parser.add_argument("--seed", type=int, default=20261127, help="seed of all that is drawn (default 20261127)")
    chosen = parser.parse_args()
    problems: list[str] = []
    if chosen.aborts:
        problems += run_aborts(chosen.aborts, chosen.seed)
    if chosen.minutes:
        problems += run_mixed(chosen.minutes, chosen.streams, chosen.seed)
    for problem in problems:
        sys.stderr.write(problem + "\n")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
