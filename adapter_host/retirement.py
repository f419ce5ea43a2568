"""
What becomes of a replica that was replaced or taken out: its tasks end, then its adapter is closed, once.

An adapter that stands at several places is closed with the last of them.

Spec: AH-1001, HST-04
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from adapter_host.waiting import until_set, within

if TYPE_CHECKING:
    from adapter_host.host import AdapterHost
    from adapter_host.registry import Registry, Replica

CLOSE_TIMEOUT: Final = 10.0
"""Seconds that an adapter has to close; then it is left behind."""


class Retirement:
    """Sees replicas out, each in a task of its own."""

    def __init__(self, host: AdapterHost, registry: Registry) -> None:
        """Nobody leaves yet."""
        self._host = host
        self._registry = registry
        self._leaving: dict[Replica, asyncio.Task[None]] = {}

    def begin(self, replica: Replica, *, grace: float | None) -> asyncio.Task[None]:
        """
        See *replica* out; the task is done when its adapter is closed.

        Args:
            replica: Has been taken out of the registry.
            grace: Seconds that its tasks get; then they are cancelled. None waits for them without end.
        """
        task = self._leaving[replica] = asyncio.create_task(self._see_out(replica, grace))
        return task

    async def aclose(self) -> None:
        """Wait until all who leave have left."""
        while self._leaving:
            await asyncio.gather(*self._leaving.values())

    async def _see_out(self, replica: Replica, grace: float | None) -> None:
        if grace is None:
            await replica.idle.wait()
        elif not await until_set(self._host.clock, replica.idle, grace):
            await self._host.cancel_all(replica=replica)
        del self._leaving[replica]
        adapter = replica.adapter
        if self._registry.uses(adapter) or any(other.adapter is adapter for other in self._leaving):
            return
        try:
            await within(self._host.clock, CLOSE_TIMEOUT, adapter.aclose())
        # An adapter is foreign code: one that cannot close must not keep the others, or the host, from closing.
        except Exception as exc:  # noqa: BLE001
            self._host.note_trouble(replica, "aclose", exc)
