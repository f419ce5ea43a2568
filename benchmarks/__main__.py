"""
Measure all clients side by side, and print the tables, the ratios and the goals.

    python -m benchmarks [--scenario NAME]... [--client NAME]... [--wire NAME]... [--rounds 5] [--quick] [--json FILE]

Peers are left out where they are not installed: `pip install -r benchmarks/peers.txt`. The exit status is 1 when a
client failed or gave a wrong answer; goals are only shown.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks.clients import BY_NAME as CLIENTS
from benchmarks.rows import WIRES, goal_rows, scenario_rows
from benchmarks.runs import run
from benchmarks.scenarios import BY_NAME as SCENARIOS
from benchmarks.table import show


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this one; may be repeated")
    parser.add_argument("--client", action="append", choices=CLIENTS, help="only this one; may be repeated")
    parser.add_argument("--wire", action="append", choices=WIRES, help="in place of http1 and http2; may be repeated")
    parser.add_argument("--rounds", type=int, help="rounds of each scenario (default 5, with --quick 2)")
    parser.add_argument("--quick", action="store_true", help="smaller loads: for a look, not for the record")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures there, for benchmarks.report")
    options = parser.parse_args()
    if os.cpu_count() == 1:
        print("one core only: client and upstream disturb each other, the figures say little", file=sys.stderr)
    results = run(
        [SCENARIOS[name] for name in options.scenario or SCENARIOS],
        options.client or list(CLIENTS),
        wires=options.wire or (),
        rounds=options.rounds or (2 if options.quick else 5),
        quick=options.quick,
    )
    if options.json:
        results.save(options.json)
    for name, scenario in SCENARIOS.items():
        if any(figure.scenario == name for figure in results.figures):
            print(f"\n{scenario.title}")
            show(*_head_and_rows(scenario_rows(results, scenario)))
    if len(goals := goal_rows(results)) > 1:
        print()
        show(*_head_and_rows(goals))
    for client, reason in results.left_out.items():
        print(f"\n{client} is left out: {reason}")
    failed = [figure for figure in results.figures if figure.error]
    for figure in failed:
        print(f"\nFAILED {figure.scenario} {figure.wire} {figure.error}")
    sys.exit(1 if failed else 0)


def _head_and_rows(rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    return rows[0], rows[1:]


if __name__ == "__main__":
    main()
