"""
One pool of a host, in the shape of an adapter: so a host can stand where an adapter stands, in another host too.

Spec: AH-1002, HST-09
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from adapter_api import ADAPTER_API_VERSION, WorkerError, WorkerHealth, WorkerProps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from adapter_api import TaskRequest, TokenStream
    from adapter_host.host import AdapterHost

T = TypeVar("T")


class PoolView:
    """A `WorkerAdapter` whose engine is a pool. Made by `AdapterHost.pool`."""

    def __init__(self, host: AdapterHost, pool_id: str) -> None:
        """Look at *pool_id* of *host*, which stays its owner's."""
        self._host = host
        self._pool_id = pool_id
        self._is_closed = False

    def __repr__(self) -> str:
        """The pool."""
        return f"<PoolView {self._pool_id!r}>"

    async def health(self) -> WorkerHealth:
        """The pool's health; not live when there is no such pool, or the view is closed."""
        if self._is_closed:
            return WorkerHealth(live=False, ready=False, reason="closed", detail="the view of the pool is closed")
        try:
            return await self._host.health(self._pool_id)
        except WorkerError as error:
            return WorkerHealth(live=False, ready=False, reason=error.reason, detail=error.message)

    async def props(self) -> WorkerProps:
        """The pool's abilities; nothing is known of a pool that is not there."""
        try:
            return await self._host.props(self._pool_id)
        except WorkerError:
            return WorkerProps(contract_version=ADAPTER_API_VERSION)

    async def submit(self, task: TaskRequest) -> TokenStream:
        """Submit to the pool, as `AdapterHost.submit`."""
        if self._is_closed:
            raise WorkerError("closed", f"the view of pool {self._pool_id} is closed")
        return await self._host.submit(self._pool_id, task, via=self)

    async def cancel(self, task_id: str) -> None:
        """Cancel in the pool; nothing happens when there is no such pool."""
        if self._pool_id in self._host.pool_ids:
            await self._host.cancel(self._pool_id, task_id)

    async def engine_version(self) -> str:
        """The pool's engine version."""
        return await self._host.engine_version(self._pool_id)

    async def aclose(self) -> None:
        """Stop the tasks that came through this view. The host and its pool stay open: they are their owner's."""
        self._is_closed = True
        await self._host.cancel_all(via=self)


def joined_props(replicas: Sequence[tuple[WorkerProps | None, int | None]]) -> WorkerProps:
    """
    What replicas can do together: slots added up, limits the smallest, abilities those of all; unknown stays None.

    Args:
        replicas: What each tells of itself, and its free slots as they are reckoned now.
    """
    told = [props for props, _ in replicas if props is not None]
    if not told or len(told) < len(replicas):
        return WorkerProps(contract_version=ADAPTER_API_VERSION)
    limits = [props.ctx_max for props in told if props.ctx_max is not None]
    return WorkerProps(
        slots_total=_sum(props.slots_total for props in told),
        slots_free=_sum(None if free is None else max(0, free) for _, free in replicas),
        engine=_same(props.engine for props in told),
        engine_version=_same(props.engine_version for props in told),
        model=_same(props.model for props in told),
        ctx_max=min(limits) if len(limits) == len(told) else None,
        workloads=_shared([props.workloads for props in told]),
        features=_shared([props.features for props in told]),
        contract_version=ADAPTER_API_VERSION,
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def _same(values: Iterable[T]) -> T | None:
    first, *rest = values
    return first if all(value == first for value in rest) else None


def _shared(lists: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return tuple(one for one in lists[0] if all(one in other for other in lists[1:]))
