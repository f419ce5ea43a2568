"""Streams left at random points, and faults of all kinds at once: nothing stays, and every request is accounted for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Final

import pytest

from tests.faults.long_runs import abort_problems
from tests.measuring import unmeasured_environment

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ABORTS: Final = int(os.environ.get("FAULTS_ABORTS", "600"))
"""Streams to leave, over each protocol; set FAULTS_ABORTS=10000 for the full run."""
SECONDS: Final = float(os.environ.get("FAULTS_SECONDS", "4"))
"""Seconds of mixed faults; set FAULTS_SECONDS=300 for the full run."""


def run(*arguments: str, limit: float) -> list[dict[str, Any]]:
    """Run `long_runs` in a process of its own, whose memory is nobody else's; what it found."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.faults.long_runs", *arguments],
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
        env=unmeasured_environment(),
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.requirement("ADP-30", "ADP-32", "HTU-18")
@pytest.mark.timeout(60 + ABORTS / 10)
def test_streams_left_at_random_points_leave_nothing_behind() -> None:
    """Read in part, cancelled by id, task and deadline, closed: files, tasks, slots, pool and memory are as before."""
    told = run("--aborts", str(ABORTS), limit=50 + ABORTS / 10)
    assert [each["protocol"] for each in told] == ["http/1.1", "h2"]
    for each in told:
        assert abort_problems(each) == []
        assert sum(each["endings"].values()) == ABORTS
        assert len(each["endings"]) >= 5


@pytest.mark.requirement("HTU-05", "HTU-14", "ADP-33", "WA-INT-3003")
@pytest.mark.timeout(60 + SECONDS)
def test_every_attempt_under_mixed_faults_is_in_both_books() -> None:
    """Ledgers and the upstream's log agree request by request; no task hangs, and nothing is left."""
    (told,) = run("--minutes", str(SECONDS / 60), "--streams", "40", limit=50 + SECONDS)
    assert told["problems"] == []
    assert told["totals"]["exchanges"] > 100
    assert len(told["endings"]) > 10


def test_a_leak_would_be_seen() -> None:
    """Each thing that could stay behind is named when it does."""
    good = {
        "before": {"resident": 0},
        "after": {"tasks": 0, "slots": 0, "in_flight": 0, "waiting": 0, "resident": 0},
        "files": {"start": 3, "closed": 3},
        "endings": {"cancelled": 1},
        "upstream": {"connections": 0, "open": 0},
    }
    assert abort_problems(good) == []
    left = {**good, "after": {"tasks": 1, "slots": 2, "in_flight": 3, "waiting": 4, "resident": 2**30}}
    assert len(abort_problems(left)) == 5
    assert len(abort_problems({**good, "files": {"start": 3, "closed": 4}, "endings": {"internal": 1}})) == 2
    assert len(abort_problems({**good, "upstream": {"connections": 1, "open": 0}})) == 1
