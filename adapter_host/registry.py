"""
Who stands where: (pool_id, replica_id) -> adapter.

Plain bookkeeping: nothing here waits, so every change is one step to all who look. A rebind puts the new adapter in
place in that step; tasks that run stay with the replica they were given to, and whoever owns the registry closes the
old adapter once the last of them is over.

Spec: AH-1001, HST-01
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adapter_api import WorkerAdapter, WorkerError
from http_util.breaker import Breaker, BreakerPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapter_api import WorkerHealth, WorkerProps

_LONGEST_ID = 128


@dataclass(slots=True, eq=False)
class Replica:
    """One adapter in its place, with what is known of it."""

    pool_id: str
    replica_id: str
    adapter: WorkerAdapter
    adapter_name: str
    """Named when the adapter breaks the contract."""
    in_flight: int = 0
    """Tasks of this host that run there."""
    turn: int = 0
    """When it was last chosen, as a growing number."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while nothing runs there."""
    health: WorkerHealth | None = None
    """The last answer; None when it has to be asked."""
    props: WorkerProps | None = None
    """The last answer."""
    checked_at: float = 0.0
    """Monotonic moment of `health`."""
    in_flight_at_check: int = 0
    """Our tasks at that moment: they are already counted in its slots."""

    def __post_init__(self) -> None:
        """Start idle."""
        self.idle.set()

    def __repr__(self) -> str:
        """The place, the adapter and the load."""
        return f"<Replica {self.pool_id}/{self.replica_id}: {self.adapter_name}, {self.in_flight} in flight>"

    @property
    def is_ready(self) -> bool:
        """Whether the last answer was that it would take a task."""
        return self.health is not None and self.health.ready

    @property
    def engine(self) -> str | None:
        """The engine as its adapter tells it, by the adapter's name where it tells none; None before it was asked."""
        return None if self.props is None else self.props.engine or self.adapter_name

    @property
    def slots_free(self) -> int | None:
        """Places left, reckoned from the last answer and what was given or came back since; None when unknown."""
        if self.props is None or self.props.slots_free is None:
            return None
        return self.props.slots_free - (self.in_flight - self.in_flight_at_check)

    def acquire(self) -> None:
        """Count one more task."""
        self.in_flight += 1
        self.idle.clear()

    def release(self) -> None:
        """Count one task less."""
        self.in_flight -= 1
        if not self.in_flight:
            self.idle.set()


@dataclass(slots=True, eq=False)
class Pool:
    """The replicas that answer to one pool id."""

    pool_id: str
    breaker: Breaker | None
    """None when breakers are turned off."""
    replicas: dict[str, Replica] = field(default_factory=dict)
    is_draining: bool = False
    """Takes no new task."""

    @property
    def engine(self) -> str | None:
        """The engine of all replicas; None when they have several, or one that has not been asked."""
        engines = {replica.engine for replica in self.replicas.values()}
        return engines.pop() if len(engines) == 1 else None


class Registry:
    """
    The pools of a host.

    Example:
        >>> from adapter_api.testing import ScriptedAdapter
        >>> registry = Registry()
        >>> registry.bind("chat", "0", ScriptedAdapter(), adapter_name="scripted")
        <Replica chat/0: scripted, 0 in flight>
        >>> registry.pool("nowhere")
        Traceback (most recent call last):
        ...
        adapter_api.errors.WorkerError: POOL_UNAVAILABLE (pool_unknown): no pool is bound as 'nowhere'; bound: chat
    """

    def __init__(self, breaker: BreakerPolicy | None = None, *, hooks: Sequence[object] = ()) -> None:
        """
        Start empty.

        Args:
            breaker: Policy of every pool's breaker; None gives no pool one.
            hooks: Told of every breaker's changes, refusals and outcomes.
        """
        self._policy = breaker
        self._hooks = hooks
        self._pools: dict[str, Pool] = {}

    def __repr__(self) -> str:
        """The pools and how many replicas each has."""
        return f"Registry({ ({pool.pool_id: len(pool.replicas) for pool in self._pools.values()})!r})"

    @property
    def pool_ids(self) -> tuple[str, ...]:
        """Ids of the pools, in the order in which they were first bound."""
        return tuple(self._pools)

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """Every replica of every pool."""
        return tuple(replica for pool in self._pools.values() for replica in pool.replicas.values())

    def has(self, pool_id: str) -> bool:
        """Whether a pool is bound as *pool_id*."""
        return pool_id in self._pools

    def pool(self, pool_id: str) -> Pool:
        """
        The pool that is bound as *pool_id*.

        Raises:
            WorkerError: With the reason `pool_unknown`.

        Spec: HST-01
        """
        pool = self._pools.get(pool_id)
        if pool is None:
            bound = ", ".join(self._pools) or "none"
            raise WorkerError("pool_unknown", f"no pool is bound as {_shown(pool_id)}; bound: {bound}")
        return pool

    def bind(self, pool_id: str, replica_id: str, adapter: WorkerAdapter, *, adapter_name: str) -> Replica:
        """
        Put *adapter* at a free place.

        Raises:
            ValueError: An id is not usable, or the place is taken.
            TypeError: *adapter* is not a `WorkerAdapter`.
        """
        if self.has(pool_id) and replica_id in self._pools[pool_id].replicas:
            raise ValueError(f"replica_id: {replica_id!r} is bound in pool {pool_id!r}; use rebind to replace it")
        replica, _ = self.rebind(pool_id, replica_id, adapter, adapter_name=adapter_name)
        return replica

    def rebind(
        self, pool_id: str, replica_id: str, adapter: WorkerAdapter, *, adapter_name: str
    ) -> tuple[Replica, Replica | None]:
        """
        Put *adapter* at a place, whoever stood there.

        Returns:
            The new replica and the one that it replaces, which takes no more tasks.

        Raises:
            ValueError: An id is not usable.
            TypeError: *adapter* is not a `WorkerAdapter`.

        Spec: AH-1001
        """
        _require_id("pool_id", pool_id)
        _require_id("replica_id", replica_id)
        if not isinstance(adapter, WorkerAdapter):
            raise TypeError(f"adapter: expected a WorkerAdapter, got {type(adapter).__name__}")
        pool = self._pools.get(pool_id)
        if pool is None:
            breaker = None if self._policy is None else Breaker(self._policy, endpoint=pool_id, hooks=self._hooks)
            pool = self._pools[pool_id] = Pool(pool_id, breaker)
        old = pool.replicas.get(replica_id)
        new = pool.replicas[replica_id] = Replica(pool_id, replica_id, adapter, adapter_name)
        pool.is_draining = False
        return new, old

    def unbind(self, pool_id: str, replica_id: str | None = None) -> list[Replica]:
        """
        Take one replica, or the whole pool, out; nothing happens when it is not there.

        Returns:
            The replicas that were taken out. They take no more tasks.

        Spec: HST-01
        """
        pool = self._pools.get(pool_id)
        if pool is None:
            return []
        wanted = list(pool.replicas) if replica_id is None else [replica_id]
        removed = [pool.replicas.pop(one) for one in wanted if one in pool.replicas]
        if not pool.replicas:
            del self._pools[pool_id]
        return removed

    def uses(self, adapter: WorkerAdapter) -> bool:
        """Whether *adapter* stands anywhere."""
        return any(replica.adapter is adapter for replica in self.replicas)


def _require_id(field_name: str, value: object) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_ID or not value.isprintable():
        raise ValueError(f"{field_name}: expected a printable string of 1 to {_LONGEST_ID} characters")


def _shown(pool_id: object) -> str:
    return ascii(pool_id)[: _LONGEST_ID + 2]
