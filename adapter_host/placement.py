"""
Where a task runs: a ready replica of its pool is found, and taken, in one step.

Spec: HST-02, AH-1002
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapter_api import Outcome, WorkerError
from adapter_host.selection import Candidate, choose
from adapter_host.unreadiness import refusal
from adapter_host.waiting import within

if TYPE_CHECKING:
    from adapter_host.dispatch import Dispatch
    from adapter_host.readiness import Readiness
    from adapter_host.registry import Replica
    from http_util.clock import Clock


class Placement:
    """Gives each task its place; the replicas of a pool take turns."""

    def __init__(self, readiness: Readiness, clock: Clock) -> None:
        """Go by what *readiness* knows and finds out."""
        self._readiness = readiness
        self._clock = clock
        self._turn = 0

    async def find(self, dispatch: Dispatch, seconds: float) -> None:
        """
        Give *dispatch* a place: at once where a replica is known to be ready, else after asking, for at most *seconds*.

        Raises:
            WorkerError: There is none: the pool drains, no replica is ready, or the time was up.
        """
        if self._place(dispatch, asked=set()):
            try:
                await within(self._clock, seconds, self._ask_and_place(dispatch))
            except TimeoutError:
                raise WorkerError("deadline", "no replica was found ready before the deadline") from None

    async def _ask_and_place(self, dispatch: Dispatch) -> None:
        """Ask replicas how they are until one has taken *dispatch*."""
        asked: set[Replica] = set()
        while unknown := self._place(dispatch, asked=asked):
            await self._readiness.ask(unknown)
            asked.update(unknown)

    def _place(self, dispatch: Dispatch, *, asked: set[Replica]) -> list[Replica]:
        """
        Give *dispatch* a place at a ready replica, in one step: choosing and taking cannot be torn apart by a rebind.

        Returns:
            Nothing when it has its place; else the replicas that have to be asked first.
        """
        pool = dispatch.pool
        if pool.is_draining:
            raise WorkerError("pool_unready", f"pool {pool.pool_id} is draining", outcome=Outcome.NOT_SENT)
        replicas = list(pool.replicas.values())
        known = [one for one in replicas if one in asked or self._readiness.is_fresh(one)]
        unknown = [one for one in replicas if one not in known]
        chosen = choose(
            Candidate(one.replica_id, one.is_ready, one.in_flight, one.slots_free, one.turn) for one in known
        )
        if chosen is None:
            if not unknown:
                raise refusal(replicas)
            return unknown
        self._readiness.ask_soon(unknown)
        self._turn += 1
        pool.replicas[chosen].turn = self._turn
        dispatch.place(pool.replicas[chosen])
        return []
