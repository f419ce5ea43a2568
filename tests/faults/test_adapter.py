"""The matrix against the adapter: every case, over every protocol in which its fault exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.matrix import CASES
from tests.faults.run import play

if TYPE_CHECKING:
    from tests.faults.case import Case
    from tests.faults.upstreams import Stage

pytestmark = pytest.mark.integration

PLAYS = [pytest.param(case, protocol, id=f"{case}-{protocol}") for case in CASES for protocol in case.protocols]


@pytest.mark.requirement("ADP-23", "ADP-24", "ADP-25", "ADP-30", "ADP-31", "ADP-32", "ADP-33", "ADP-34")
@pytest.mark.requirement("ERR-09", "ERR-11", "ERR-12", "HTU-06", "HTU-07", "HTU-10", "HTU-14", "SEC-16")
@pytest.mark.requirement("REL-07", "CB-01", "CB-06", "RL-01", "RL-03", "FO-01", "FO-02")
@pytest.mark.measured
@pytest.mark.parametrize(("case", "protocol"), PLAYS)
async def test_every_fault_has_one_known_ending(case: Case, protocol: str, stage: Stage) -> None:
    """The row holds, in time, and nothing is left behind."""
    await play(case, protocol, stage)
