"""All cases of all groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.faults.groups import (
    breakers,
    cancels,
    connect,
    deadlines,
    failovers,
    heads,
    http2,
    http2_frames,
    inputs,
    limiters,
    neighbours,
    pauses,
    requests,
    statuses,
    streams,
)

if TYPE_CHECKING:
    from tests.faults.case import Case

CASES: Final[tuple[Case, ...]] = (
    *connect.CASES,
    *requests.CASES,
    *heads.CASES,
    *statuses.CASES,
    *pauses.CASES,
    *streams.CASES,
    *http2.CASES,
    *http2_frames.CASES,
    *cancels.CASES,
    *deadlines.CASES,
    *neighbours.CASES,
    *inputs.CASES,
    *breakers.CASES,
    *limiters.CASES,
    *failovers.CASES,
)
