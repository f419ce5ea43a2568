"""
The contract itself: five verbs and a close.

An adapter, a host and a proxy for an adapter elsewhere all have this shape, so one may stand where another stood.

Spec: OC-ADAPT-OAI-6000, ADAPT-3000, ADP-01, ADP-02
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapter_api.task_request import TaskRequest
    from adapter_api.token_stream import TokenStream


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHealth:
    """
    Whether an upstream is there, and whether it would take a task now.

    Spec: ADAPT-3000, ADP-40
    """

    live: bool
    """The upstream answered."""
    ready: bool
    """A submit would be accepted now: authorised, model present, not draining."""
    reason: str | None = None
    """Why it is not ready: a key of `REASONS`, or `model_missing`."""
    detail: str = ""
    """One safe sentence for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProps:
    """
    What an adapter can do. Unknown is None, never invented.

    Spec: ADAPT-3000, ADP-42, ORCH-3603
    """

    slots_total: int | None = None
    """Tasks that may run at once."""
    slots_free: int | None = None
    """Tasks that may be added now."""
    engine: str | None = None
    engine_version: str | None = None
    model: str | None = None
    ctx_max: int | None = None
    """Longest context in tokens."""
    workloads: Sequence[str] = ()
    """Members of `Workload` that are served."""
    features: Sequence[str] = ()
    contract_version: str | None = None


@runtime_checkable
class WorkerAdapter(Protocol):
    """
    Streams tokens from one engine. All methods may be called from any task of one event loop, at the same time.

    Nothing but `WorkerError` leaves an adapter, `asyncio.CancelledError` apart.
    """

    async def health(self) -> WorkerHealth:
        """Ask the upstream, within a time bound and at no cost; report unavailability, do not raise it."""

    async def props(self) -> WorkerProps:
        """What is known of slots and abilities, without waiting for the upstream longer than `health` does."""

    async def submit(self, task: TaskRequest) -> TokenStream:
        """
        Start *task*; return its stream once the upstream's first valid chunk is there.

        Raises:
            InvalidTask: The task is wrong, or its id is in flight. Nothing was sent.
            TaskCancelled: The task was cancelled before it started.
            WorkerError: Everything else that fails before `started`.
        """

    async def cancel(self, task_id: str) -> None:
        """
        Stop the task in whichever phase it is; succeed for ids that are unknown or finished.

        When it returns, no token of the task is delivered any more and the upstream has been told.
        """

    async def engine_version(self) -> str:
        """
        The engine's version as the upstream tells it: stable while the upstream stays the same.

        Raises:
            WorkerError: The upstream could not be asked, and nothing is known from before.
        """

    async def aclose(self) -> None:
        """Cancel what is in flight, close every connection; safe to call twice."""
