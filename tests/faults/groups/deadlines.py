"""The task's own time: whatever the upstream does, and wherever the task is, it is over when the deadline passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.faults.case import (
    DEADLINE,
    H1,
    H2,
    LATER,
    NEVER,
    NOT_SENT,
    PARTIAL,
    RAISED,
    REJECTED,
    UNAVAILABLE,
    UNKNOWN,
    Case,
    Failure,
)
from tests.faults.footprint import told
from tests.faults.groups.connect import say_nothing
from tests.faults.groups.requests import LARGE, deaf, deaf_stream
from tests.faults.upstreams import Http1, Http2, Named, Nowhere, Socket, simulated

if TYPE_CHECKING:
    from tests.faults.run import Run
    from tests.faults.upstreams import Upstream

UNSENT: Final = Failure(DEADLINE, "deadline", NOT_SENT, NEVER)
SENT: Final = UNSENT._replace(outcome=UNKNOWN)
BEGUN: Final = UNSENT._replace(outcome=PARTIAL)
EXPIRED: Final = UNSENT._replace(outcome=None)
BUSY: Final = Failure(UNAVAILABLE, "overloaded", REJECTED, LATER)

BUDGET: Final = 0.25
"""Seconds that each of these tasks has."""


def row(name: str, upstream: Upstream, failure: Failure, sequence: str = RAISED, **more: Any) -> Case:
    """A case that takes exactly its budget."""
    task = {"deadline_ms": round(BUDGET * 1000), **more.pop("task", {})}
    given = {"after": BUDGET, "within": BUDGET, **more}
    return Case(name=name, group="deadline", upstream=upstream, sequence=sequence, failure=failure, task=task, **given)


def streaming(name: str, wish: str, sequence: str, failure: Failure = BEGUN, **more: Any) -> Case:
    """A case whose stream is running when its time is up."""
    return row(name, simulated(always=wish), failure, sequence, **more)


async def sleep_through_it(run: Run) -> None:
    """Read one token, and nothing until long after the deadline; the slot must be free all the same."""
    stream = await run.submit()
    assert stream is not None
    run.events += [await anext(stream), await anext(stream)]
    await told(lambda: run.place.log()[-1].left != "open", lambda: "the upstream works for a task that is over")
    run.watch.stop()
    await run.read(stream)


PHASES: Final = (
    row("resolving", Named(None), UNSENT, posts=0, attempts=1),
    row("connecting", Nowhere(full=True), UNSENT, posts=0, attempts=1),
    row("shaking-hands", Socket(say_nothing), UNSENT, posts=0, attempts=1),
    row("sending", Http1(lambda: deaf), SENT, protocols=(H1,), task=LARGE),
    row("sending-without-window", Http2(deaf_stream, {"gives_credit": False}), SENT, protocols=(H2,), task=LARGE),
    row("waiting-for-the-head", simulated(always="stall=30"), SENT),
    row("waiting-for-the-first-chunk", simulated(always="stall=30;stall_at=body"), SENT),
    row("reading-a-refusal", simulated(always="status=400;stall=30;stall_at=body"), SENT),
    row("among-heartbeats", simulated(always="ping_for=30;ping_every=0.01"), SENT),
    row("dripping", simulated(always="drip=1;drip_ms=10"), SENT),
    streaming("in-a-stall", "stall=30;stall_at=3", "started token*3 error"),
    streaming("between-tokens", "tokens_per_second=100;tokens=5000", "started token*N error"),
    streaming("flooded", "endless", "started token*N error"),
    streaming("asleep", "tokens_per_second=100;tokens=5000", "started token*N error", consumer=sleep_through_it),
)

PAUSES: Final = (
    row(
        "no-room-for-another-pause",
        simulated(always="status=529;retry_after_ms=400"),
        BUSY,
        task={"deadline_ms": 700},
        posts=2,
        after=0.4,
        within=0.7,
    ),
    row("pause-beyond-it", simulated(always="status=529;retry_after_ms=300"), BUSY, after=0.0, within=0.1),
    row("passed-already", simulated(), EXPIRED, task={"deadline_ms": 0}, posts=0, after=0.0, within=0.05),
    row("long-passed", simulated(), EXPIRED, task={"deadline_ms": -(2**40)}, posts=0, after=0.0, within=0.05),
    Case(
        name="far-away",
        group="deadline",
        upstream=simulated(),
        sequence="started token*8 end",
        task={"deadline_ms": 2**53},
    ),
    Case(
        name="kept",
        group="deadline",
        upstream=simulated("stall=0.1"),
        sequence="started token*8 end",
        task={"deadline_ms": 5_000},
        after=0.1,
    ),
)

CASES: Final = (*PHASES, *PAUSES)
