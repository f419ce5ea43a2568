"""Nothing is left behind: ten thousand tasks, and everything is where it was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.measuring import unmeasured_environment

if TYPE_CHECKING:
    from upstream_simulator import Simulator

TASKS: Final = 10_000
GROWTH: Final = 8 * 1024 * 1024
"""Bytes that the process may have grown by; ten thousand forgotten tasks of 1 KiB would be more."""

PROBE: Final = Path(__file__).with_name("leak_probe.py")


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.requirement("ADP-32", "HTU-18")
def test_ten_thousand_tasks_leave_nothing_behind(simulator: Simulator) -> None:
    """Slots, the tasks of the loop, the open sockets and the memory return to where they were."""
    ran = subprocess.run(
        [sys.executable, str(PROBE), simulator.base_url, str(TASKS)],
        env=unmeasured_environment(),
        capture_output=True,
        text=True,
        timeout=230,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["slots"] == [64, 64]
    assert told["after"]["tasks"] == told["before"]["tasks"]
    # a slot that is free keeps its connection; a closed adapter keeps nothing
    assert told["after"]["files"] <= told["start"]["files"] + told["slots"][1]
    assert told["closed"]["files"] <= told["start"]["files"]
    assert told["after"]["resident"] - told["before"]["resident"] < GROWTH
