"""
The facade: tasks in by pool, ordered streams out, whichever adapters stand behind.

It adds no hop, no server and no retry: the adapter owns those. What it adds is the choice of a ready replica, the
correlation id, the breaker, one end for every task, and the story in the log.

Spec: AH-1002, AH-1003, AH-1004, AH-1005, AH-1007, HST-02, HST-04, HST-05, HST-08, HST-09
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self
from weakref import WeakValueDictionary

from adapter_api import (
    InvalidTask,
    Outcome,
    TaskCancelled,
    TaskRequest,
    WorkerError,
    WorkerHealth,
    WorkerProps,
    correlation_id,
    current_correlation_id,
)
from adapter_host import pool_view
from adapter_host.dispatch import Dispatch
from adapter_host.fault_record import EVENT, fault_facts
from adapter_host.metrics import NoMetrics, ShieldedMetrics
from adapter_host.placement import Placement
from adapter_host.readiness import CHECK_TIMEOUT, GOOD_FOR, Readiness
from adapter_host.registry import Registry
from adapter_host.retirement import Retirement
from adapter_host.selection import placed_pool
from adapter_host.task_story import TaskStory, default_logger
from adapter_host.unreadiness import unready
from adapter_host.waiting import until_set, within
from http_util.breaker import BreakerPolicy, State
from http_util.clock import SystemClock
from http_util.errors import PolicyFailure
from http_util.redact import safe_message
from http_util.resilience import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from adapter_api import Fault, TokenStream, WorkerAdapter
    from adapter_host.config import HostConfig
    from adapter_host.metrics import Metrics
    from adapter_host.plugins import Catalogue
    from adapter_host.registry import Pool, Replica
    from http_util.breaker import Permit
    from http_util.clock import Clock
    from http_util.resilience import Resilience
    from http_util.secret import Secret

GRACE: Final = 5.0
"""Seconds that tasks get to finish when the host closes."""


class AdapterHost:
    """
    Routes tasks to the adapters that are bound to its pools. Owns them: closing the host closes each once.

    All methods may be called from any task of one event loop.

    Example:
        >>> import asyncio
        >>> from adapter_api.testing import ScriptedAdapter, answer, make_task
        >>> async def main():
        ...     async with AdapterHost() as host:
        ...         host.bind("chat", "0", ScriptedAdapter(answer("Hello", " world")))
        ...         stream = await host.submit("chat", make_task())
        ...         return (await stream.collect()).text
        >>> asyncio.run(main())
        'Hello world'

    Spec: AH-1002
    """

    def __init__(
        self,
        *,
        grace: float = GRACE,
        allow_pin: bool = True,
        breaker: BreakerPolicy | None = BreakerPolicy(),  # noqa: B008 - frozen, so sharing it is safe
        health_good_for: float = GOOD_FOR,
        health_timeout: float = CHECK_TIMEOUT,
        metrics: Metrics | None = None,
        logger: Any = None,
        clock: Clock | None = None,
        secrets: Iterable[Secret] = (),
        resilience: Resilience | None = None,
    ) -> None:
        """
        Make a host without pools.

        Args:
            grace: Seconds that running tasks get, before they are cancelled, when the host closes or a replica leaves.
            allow_pin: Whether a task may name its pool itself (`placement.mode` pin).
            breaker: Policy of each pool's breaker; None turns breakers off.
            health_good_for: Seconds for which a replica's readiness is believed.
            health_timeout: Seconds that a replica has to tell its health.
            metrics: Takes counters and histograms; None keeps none.
            logger: A structlog logger; None logs to the standard logger `adapter_host`.
            clock: For tests.
            secrets: Credentials to remove wherever adapters' texts show them.
            resilience: Its breaker's policy takes the place of *breaker*, and its hooks hear of every pool's. Retries,
                failover and limits are the adapters' to keep, one owner for each.

        Raises:
            ValueError: There are such layers in *resilience*.
        """
        self.clock: Clock = clock or SystemClock()
        """Where the time comes from."""
        self._secrets = tuple(secrets)
        self.metrics: Metrics = ShieldedMetrics(metrics or NoMetrics())
        """Where the host counts."""
        self._grace = grace
        self._allow_pin = allow_pin
        self._log = default_logger(self._secrets) if logger is None else logger
        self._registry = _registry(breaker, resilience)
        self._readiness = Readiness(
            self.clock,
            good_for=health_good_for,
            timeout=health_timeout,
            on_check=self._note_check,
            on_fault=self._note_fault,
        )
        self._placement = Placement(self._readiness, self.clock)
        self._retirement = Retirement(self, self._registry)
        self._tasks: dict[tuple[str, str], Dispatch] = {}
        # A stream may be over upstream and still hold tokens for its reader: a cancel has to find it then, too.
        self._delivering: WeakValueDictionary[tuple[str, str], TokenStream] = WeakValueDictionary()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        """The pools and the load; nothing of their settings."""
        state = "open" if self._closing is None else "closed"
        return f"<AdapterHost {state}: pools {list(self._registry.pool_ids)}, {len(self._tasks)} tasks>"

    @classmethod
    def from_config(cls, config: HostConfig, *, catalogue: Catalogue | None = None, **collaborators: Any) -> Self:
        """
        A host with every pool that *config* describes.

        Args:
            config: See `adapter_host.load_config`.
            catalogue: The installed adapters; None discovers them, strictly if the configuration says so.
            collaborators: `metrics`, `logger` and `clock` of the constructor.

        Raises:
            ConfigError: A pool names an adapter that is not installed, or its adapter refuses the settings. All that is
                wrong is told at once.
            PluginError: The configuration is strict, and an installed plugin cannot be used.
        """
        from adapter_host.assembly import assemble

        return assemble(cls, config, catalogue, collaborators)

    @property
    def pool_ids(self) -> tuple[str, ...]:
        """Ids of the pools that are bound."""
        return self._registry.pool_ids

    @property
    def in_flight(self) -> int:
        """Tasks between submit and their end."""
        return len(set(self._tasks.values()))

    def replicas(self, pool_id: str) -> tuple[Replica, ...]:
        """
        The replicas of a pool; treat them as read-only.

        Raises:
            WorkerError: `pool_unknown`.
        """
        return tuple(self._registry.pool(pool_id).replicas.values())

    def pool(self, pool_id: str) -> WorkerAdapter:
        """
        One pool in the shape of an adapter, to be used or bound where an adapter is.

        The pool need not be there yet. Closing the view stops the tasks that came through it, and nothing else.
        """
        return pool_view.PoolView(self, pool_id)

    def breaker_state(self, pool_id: str) -> State | None:
        """
        Where the breaker of a pool stands; None when it has none.

        Raises:
            WorkerError: `pool_unknown`.
        """
        breaker = self._registry.pool(pool_id).breaker
        return None if breaker is None else breaker.state_at(self.clock.monotonic())

    def bind(self, pool_id: str, replica_id: str, adapter: WorkerAdapter, *, name: str | None = None) -> None:
        """
        Put *adapter* at a free place; from now on the host owns it.

        Args:
            pool_id: 1 to 128 printable characters.
            replica_id: 1 to 128 printable characters, unique in the pool.
            adapter: Anything that satisfies `WorkerAdapter`, a view of another host included.
            name: What to call it when it breaks the contract; the name of its class by default.

        Raises:
            ValueError: An id is not usable, or the place is taken.
            TypeError: *adapter* does not satisfy `WorkerAdapter`.
            WorkerError: `closed`.
        """
        self._require_open()
        self._registry.bind(pool_id, replica_id, adapter, adapter_name=name or type(adapter).__name__)

    def rebind(self, pool_id: str, replica_id: str, adapter: WorkerAdapter, *, name: str | None = None) -> None:
        """
        Put *adapter* at a place, whoever stands there.

        In one step: no task finds the place empty. Tasks that run finish on the old adapter, which is then closed once.

        Raises:
            ValueError: An id is not usable.
            TypeError: *adapter* does not satisfy `WorkerAdapter`.
            WorkerError: `closed`.

        Spec: AH-1001
        """
        self._require_open()
        adapter_name = name or type(adapter).__name__
        _, old = self._registry.rebind(pool_id, replica_id, adapter, adapter_name=adapter_name)
        if old is not None:
            human = f"Replaces a worker of pool {pool_id}; its running tasks finish where they are."
            self._log.warning("replica_rebound", actor="adapter-host", action="rebind", human=human, pool_id=pool_id)
            self._retirement.begin(old, grace=None)

    async def unbind(self, pool_id: str, replica_id: str | None = None, *, grace: float | None = None) -> bool:
        """
        Take a replica, or a whole pool, out; return once its adapters are closed.

        Args:
            pool_id: The pool.
            replica_id: One of its replicas; None takes them all.
            grace: Seconds that running tasks get, then they are cancelled; None is the host's own grace.

        Returns:
            Whether there was anything to take out.

        Spec: HST-01
        """
        removed = self._registry.unbind(pool_id, replica_id)
        seconds = self._grace if grace is None else grace
        leaving = [self._retirement.begin(replica, grace=seconds) for replica in removed]
        await asyncio.gather(*(asyncio.shield(one) for one in leaving))
        return bool(removed)

    async def drain(self, pool_id: str | None = None, *, grace: float | None = None) -> bool:
        """
        Take no more tasks for a pool, or for all, and wait for those that run.

        Args:
            pool_id: The pool; None drains them all.
            grace: Most seconds to wait; None is the host's own grace.

        Returns:
            Whether everything has finished. Nothing is cancelled; a rebind opens the pool again.

        Raises:
            WorkerError: `pool_unknown`.

        Spec: HST-04
        """
        pools = [self._registry.pool(one) for one in ([pool_id] if pool_id is not None else self.pool_ids)]
        for pool in pools:
            pool.is_draining = True
        give_up_at = self.clock.monotonic() + (self._grace if grace is None else grace)
        waits = [replica.idle for pool in pools for replica in pool.replicas.values()]
        results = [await until_set(self.clock, idle, give_up_at - self.clock.monotonic()) for idle in waits]
        return all(results)

    async def submit(self, pool_id: str, task: TaskRequest, *, via: object = None) -> TokenStream:
        """
        Start *task* in a pool; return its stream once it has started.

        The caller's correlation id is used when the context holds one (`adapter_api.correlation_id`), a new UUIDv4
        otherwise.

        Args:
            pool_id: Where it should run; a pin of the task comes before it.
            task: Its id must not be in flight in the pool.
            via: Whose task it is; views of the host set it.

        Raises:
            InvalidTask: The task is wrong, its id is in flight, or its pin cannot be honoured.
            TaskCancelled: It was cancelled before it started.
            WorkerError: `pool_unknown`, `pool_unready`, `circuit_open`, `closed`, `deadline`, or what the adapter says.
                When no replica is ready for one lasting reason, as `invalid_api_key`, it is that reason.

        Spec: AH-1002, AH-1003, AH-1008
        """
        self._require_open()
        if not isinstance(task, TaskRequest):
            raise InvalidTask("task", f"expected a TaskRequest, got {type(task).__name__}")
        placed = placed_pool(pool_id, task.placement, self._registry.pool_ids, allow_pin=self._allow_pin)
        pool = self._registry.pool(placed)
        # A pinned task is found under the pool that was named and under the one that has it.
        keys = frozenset({(pool_id, task.task_id), (placed, task.task_id)})
        if not keys.isdisjoint(self._tasks):
            raise InvalidTask("task_id", f"expected an id that is not in flight in pool {placed}")
        identity = current_correlation_id()
        story = TaskStory(task, placed, identity, self._log, self.clock, engine=pool.engine)
        dispatch = Dispatch(self, pool, task, story, permit=self._permit(pool, story, task.task_id), keys=keys, via=via)
        self._tasks |= dict.fromkeys(keys, dispatch)
        self._idle.clear()
        story.submitting()
        dispatch.starting = asyncio.create_task(self._start(dispatch, identity))
        try:
            stream = await dispatch.starting
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if dispatch.is_cancelled and not (caller and caller.cancelling()):
                raise TaskCancelled from None
            # The caller is cancelled: before the start had its first turn, on the way, or just when the stream was
            # ready and nobody will read it.
            await dispatch.drop()
            raise
        # its result is the stream, which must be its caller's alone: one that is dropped has to be noticed
        dispatch.starting = None
        return stream

    async def cancel(self, pool_id: str, task_id: str) -> None:
        """
        Stop a task on whichever replica it runs; succeed for ids that are unknown or finished.

        When it returns, no token of the task is delivered any more and the upstream has been told.

        Raises:
            WorkerError: `pool_unknown`.

        Spec: AH-1004, HST-02
        """
        dispatch = self._tasks.get((pool_id, task_id))
        if dispatch is not None:
            await dispatch.cancel()
        elif (stream := self._delivering.get((pool_id, task_id))) is not None:
            stream.stop_delivery()
        else:
            self._registry.pool(pool_id)

    async def cancel_all(self, *, via: object = None, replica: Replica | None = None) -> None:
        """Stop every task; or only those that came *via* one view of the host, or those on one *replica*."""
        wanted = {
            one
            for one in self._tasks.values()
            if (via is None or one.via is via) and (replica is None or one.replica is replica)
        }
        await asyncio.gather(*(dispatch.cancel() for dispatch in wanted))

    async def health(self, pool_id: str) -> WorkerHealth:
        """
        Ask every replica of a pool; the pool is live, or ready, when one of them is.

        Raises:
            WorkerError: `pool_unknown`. Unavailability is reported, not raised.
        """
        pool = self._registry.pool(pool_id)
        replicas = list(pool.replicas.values())
        answers = await self._readiness.ask(replicas)
        is_live = any(answer.live for answer in answers)
        if pool.is_draining:
            return WorkerHealth(live=is_live, ready=False, reason="pool_unready", detail="the pool is draining")
        if self.breaker_state(pool_id) is State.OPEN:
            return WorkerHealth(live=is_live, ready=False, reason="circuit_open", detail="the pool's breaker is open")
        if any(answer.ready for answer in answers):
            return WorkerHealth(live=True, ready=True)
        reason = next((answer.reason for answer in answers if answer.reason), "pool_unready")
        return WorkerHealth(live=is_live, ready=False, reason=reason, detail=unready(replicas))

    async def props(self, pool_id: str) -> WorkerProps:
        """
        What the pool can do, all replicas together: slots are added up, limits and abilities are those that all share.

        Answers are those of the last health check, while it is fresh. What one replica does not tell is None.

        Raises:
            WorkerError: `pool_unknown`.

        Spec: ORCH-3603
        """
        replicas = self.replicas(pool_id)
        await self._readiness.ask([one for one in replicas if one.props is None or not self._readiness.is_fresh(one)])
        return pool_view.joined_props([(one.props, one.slots_free) for one in replicas])

    async def engine_version(self, pool_id: str) -> str:
        """
        The engine's version, or the versions of a mixed pool in alphabetical order with commas.

        Raises:
            WorkerError: `pool_unknown`, or what the replicas say when none can tell.
        """
        replicas = self.replicas(pool_id)
        asked = [within(self.clock, CHECK_TIMEOUT, replica.adapter.engine_version()) for replica in replicas]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        versions = sorted({answer for answer in answers if isinstance(answer, str)})
        if not versions:
            failed = next((answer for answer in answers if isinstance(answer, WorkerError)), None)
            raise failed or WorkerError("internal", f"no replica of pool {pool_id} tells its engine's version")
        return ", ".join(versions)

    async def aclose(self, *, grace: float | None = None) -> None:
        """
        Take no more tasks, let those that run finish within *grace* seconds, cancel the rest, close every adapter once.

        Safe to call twice, also at the same time: all calls return when everything is closed.

        Spec: HST-04
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(self._grace if grace is None else grace))
        await asyncio.shield(self._closing)

    async def __aenter__(self) -> Self:
        """The host; leaving the block closes it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close; without grace when the block failed."""
        await self.aclose(grace=None if kind is None else 0.0)

    def safe(self, text: str) -> str:
        """*text* from outside, as it may be shown: redacted, escaped, short. For the dispatch."""
        return safe_message(text, [secret.reveal() for secret in self._secrets])

    def settled(self, dispatch: Dispatch, error: WorkerError | None) -> None:
        """Take *dispatch* out of the tables. For the dispatch itself."""
        for key in dispatch.keys:
            self._tasks.pop(key, None)
        if error is not None and dispatch.replica is not None and error.variant == "PoolUnavailable":
            self._readiness.doubt(dispatch.replica)
        if not self._tasks:
            self._idle.set()

    def note_trouble(self, replica: Replica, what: str, exc: BaseException) -> None:
        """Log that an adapter failed at *what*, which concerns no task. Of the exception only the class is told."""
        self._log.error(
            "adapter_trouble",
            actor="adapter-host",
            action=what,
            human=f"A worker of pool {replica.pool_id} fails at {what}; the host goes on without it.",
            pool_id=replica.pool_id,
            replica_id=replica.replica_id,
            adapter=replica.adapter_name,
            error_class=type(exc).__name__,
        )

    def _require_open(self) -> None:
        if self._closing is not None:
            raise WorkerError("closed", "the host is closed")

    def _permit(self, pool: Pool, story: TaskStory, request_id: str) -> Permit | None:
        """The breaker's admission; None when the pool has no breaker."""
        if pool.breaker is None:
            return None
        try:
            return pool.breaker.admit(self.clock.monotonic(), request_id=request_id)
        except PolicyFailure as refusal:
            after = None if refusal.retry_after is None else round(refusal.retry_after * 1000)
            error = WorkerError("circuit_open", refusal.message, retry_after_ms=after, outcome=Outcome.NOT_SENT)
        story.failed(error, 0, self.metrics)
        raise error

    async def _start(self, dispatch: Dispatch, identity: str) -> TokenStream:
        """Choose a replica and start the task there; in a task of its own, so that a cancel can end it anywhere."""
        correlation_id.set(identity)
        try:
            deadline = dispatch.task.deadline_ms / 1000
            if deadline <= 0:
                raise WorkerError("deadline", f"deadline_ms: expected more than 0, got {dispatch.task.deadline_ms}")
            await self._placement.find(dispatch, deadline)
            stream = await dispatch.start(_with_time_left(dispatch))
            for key in dispatch.keys:
                self._delivering[key] = stream
        except WorkerError as error:
            if error.reason == "cancelled":
                dispatch.stop("cancelled")
            else:
                dispatch.fail(error)
            raise
        except asyncio.CancelledError:
            dispatch.stop("cancelled" if dispatch.is_cancelled else "dropped")
            raise
        if dispatch.replica is not None:
            self._readiness.confirm(dispatch.replica)
        return stream

    def _note_check(self, replica: Replica, health: WorkerHealth) -> None:
        outcome = "ready" if health.ready else "live" if health.live else "down"
        self.metrics.count("adapter_health_checks_total", {"adapter": replica.adapter_name, "outcome": outcome})

    def _note_fault(self, replica: Replica, fault: Fault) -> None:
        facts = fault_facts(fault, replica.adapter_name, safe=self.safe)
        places = {"pool_id": replica.pool_id, "replica_id": replica.replica_id}
        self._log.debug(EVENT, actor="adapter-host", action="check", **places, **facts)

    async def _close(self, grace: float) -> None:
        await until_set(self.clock, self._idle, grace)
        await self.cancel_all()
        for pool_id in self.pool_ids:
            for replica in self._registry.unbind(pool_id):
                self._retirement.begin(replica, grace=0.0)
        await self._retirement.aclose()
        await self._readiness.aclose()


def _with_time_left(dispatch: Dispatch) -> TaskRequest:
    """Return the task with a deadline that counts the time spent on finding a replica."""
    spent_ms = int(dispatch.story.seconds * 1000)
    return replace(dispatch.task, deadline_ms=dispatch.task.deadline_ms - spent_ms) if spent_ms else dispatch.task


def _registry(breaker: BreakerPolicy | None, resilience: Resilience | None) -> Registry:
    """Return the table of a host with these breakers."""
    if resilience is None:
        return Registry(breaker)
    if others := sorted(resilience.layers - {Layer.CIRCUIT_BREAKER}):
        raise ValueError(f"resilience: the host keeps a breaker only; give {', '.join(others)} to the adapters")
    policy = breaker if resilience.breaker is None else resilience.breaker.policy
    return Registry(policy, hooks=resilience.hooks)
