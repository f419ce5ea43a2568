"""
One task on its way through the host, and the host's side of its stream.

The adapter's stream is passed on in the batches in which it comes: per network read one call, per token nothing.
Whatever ends a task (its terminal event, a cancel, a consumer that leaves, a failure) ends it once: place in the table,
slot, breaker permit and story are settled together.

The deadline of a task holds whatever the adapter does: `http_util.watch` costs one timer for each task, none for each
token.

Spec: AH-1004, AH-1005, HST-05, ADP-30, ADP-31, AH-1008
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import ref

from adapter_api import Fault, OrderGuard, OrderViolation, Outcome, TaskCancelled, TokenEvent, TokenStream, WorkerError
from adapter_host.fault_record import fault_facts
from adapter_host.waiting import within
from http_util.breaker_policy import COUNTED_REASONS
from http_util.deadline import Deadline
from http_util.errors import DeadlineExceeded
from http_util.watch import AsyncWatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from adapter_api import TaskRequest
    from adapter_host.metrics import Metrics
    from adapter_host.registry import Pool, Replica
    from adapter_host.task_story import TaskStory
    from http_util.breaker import Permit
    from http_util.clock import Clock

CANCEL_TIMEOUT: Final = 5.0
"""Seconds that an adapter has to confirm a cancel; then its stream is closed over its head."""

DEADLINE_GRACE: Final = 0.025
"""Seconds beyond its deadline that an adapter gets to end a task itself: it knows better what became of it."""

AGAINST_THE_POOL: Final = COUNTED_REASONS | {
    # A call of HTTP has no adapter in between. A pool has, and is as bad as the adapter that serves it: one that
    # raises what it should not, or breaks the order of its stream, fails its tasks like a broken upstream.
    "internal",
    "order_violation",
}
"""Reasons that a breaker counts: the pool failed, not the task, the account, a limit or the caller's patience."""


class Owner(Protocol):
    """What a dispatch needs of the host."""

    clock: Clock
    metrics: Metrics

    def safe(self, text: str) -> str:
        """*text* from outside, as it may be shown."""

    def settled(self, dispatch: Dispatch, error: WorkerError | None) -> None:
        """Take *dispatch* out of the tables; *error* is what it failed with."""


class Dispatch:
    """
    A task between submit and its end.

    The one place that knows whether the task is still running; `_settle` runs once.
    """

    def __init__(
        self,
        owner: Owner,
        pool: Pool,
        task: TaskRequest,
        story: TaskStory,
        *,
        permit: Permit | None,
        keys: frozenset[tuple[str, str]],
        via: object,
    ) -> None:
        """
        Begin with nothing sent.

        Args:
            owner: The host.
            pool: Where the task goes.
            task: As it was submitted.
            story: Tells what happens.
            permit: The breaker's admission, given back at the end.
            keys: Where the host's table holds it.
            via: Whose task it is, when a view of the host submitted it.
        """
        self.owner = owner
        self.pool = pool
        self.task = task
        self.story = story
        self.permit = permit
        self.keys = keys
        self.via = via
        self.replica: Replica | None = None
        self.starting: asyncio.Task[TokenStream] | None = None
        # the host's stream belongs to its caller: one that is dropped must be noticed
        self._stream: Callable[[], TokenStream | None] = _no_stream
        self._loop = asyncio.get_running_loop()
        self._dropping: asyncio.Task[None] | None = None
        self.is_cancelled = False
        self.is_over = False
        self.tokens = 0
        """Tokens delivered."""
        self._inner: _Inner | None = None
        seconds = task.deadline_ms / 1000 - story.seconds + DEADLINE_GRACE
        self._watch = AsyncWatch(owner.clock, Deadline(owner.clock.monotonic() + seconds))
        self._expiring: asyncio.Task[WorkerError] | None = None

    def __repr__(self) -> str:
        """The task and how far it is."""
        state = "over" if self.is_over else "cancelled" if self.is_cancelled else "running"
        return f"<Dispatch {self.task.task_id!r} to {self.pool.pool_id}: {state}, {self.tokens} tokens>"

    def place(self, replica: Replica) -> None:
        """Take a place at *replica*."""
        self.replica = replica
        replica.acquire()
        self.story.placed(replica)

    async def start(self, task: TaskRequest) -> TokenStream:
        """
        Submit *task* to the chosen replica and wrap what it gives.

        Raises:
            WorkerError: As the adapter raised it, redacted; `deadline` when it took too long; `internal` without detail
                for anything else.

        Spec: AH-1008
        """
        replica = self.replica
        if replica is None:  # pragma: no cover - place() comes before start()
            raise WorkerError("internal", "a task was started before it had a place")
        name = replica.adapter_name
        try:
            raw = await self._watch.guard(replica.adapter.submit(task))
        except DeadlineExceeded:
            raise self._too_late(streaming=False) from None
        except WorkerError as error:
            raise self._redacted(error) from None
        # An adapter is foreign code seen from the host; only the class of what it raises is told, and to the log only.
        except Exception as exc:  # noqa: BLE001
            failure = WorkerError("internal", f"the adapter {name} failed to start the task")
            self._tell_fault(Fault.of(exc), name)
            self.fail(failure, cause=type(exc).__name__)
            raise failure from None
        self._inner = _Inner(raw, name)
        if self.is_cancelled:
            await self._close_inner()
            raise TaskCancelled
        self._watch.on_broken(self._expire)
        stream = TokenStream(_HostSource(self), task_id=task.task_id, origin=name)
        self._stream = ref(stream)
        return stream

    async def next_events(self) -> list[TokenEvent]:
        """Pass on the next batch of the adapter's stream."""
        inner = self._inner
        if inner is None:  # pragma: no cover - there is no stream before there is an inner one
            return []
        if self._watch.failure is not None and not self.is_cancelled:
            raise await self._expired()
        if inner.is_closed and not self.is_cancelled:
            raise WorkerError("closed", "the stream was closed, because a read of it was cancelled", streaming=True)
        events = [] if inner.is_closed else await self._read(inner)
        if not events:
            return self._after_the_end()
        if events[0].kind == "error" and not inner.has_started:
            # A guarded stream that broke the order before it started has this one event; ours says it in its own words.
            failure = self._redacted(WorkerError.from_payload(events[0].data))
            self.fail(failure)
            raise failure
        return self._noted(events) if events[-1].is_terminal or not inner.has_tokens else self._counted(events)

    async def _read(self, inner: _Inner) -> list[TokenEvent]:
        """The next batch of the adapter's stream; empty when it has stopped. A failure settles the task."""
        try:
            return await self._watch.guard(inner.read())
        except asyncio.CancelledError:
            await self._close_inner()
            self.stop("dropped")
            raise
        except DeadlineExceeded:
            if self.is_cancelled:
                return []
            raise await self._expired() from None
        except OrderViolation as violation:
            self.fail(WorkerError("order_violation", str(violation), streaming=True))
            raise
        except WorkerError as error:
            self.fail(safe := self._redacted(error))
            raise safe from None
        # As in start(): foreign code. TokenStream would hide it as well, but not tell the log its class.
        except Exception as exc:  # noqa: BLE001
            failure = WorkerError("internal", f"{inner.origin} failed inside a stream", streaming=True)
            self._tell_fault(Fault.of(exc), inner.origin)
            self.fail(failure, cause=type(exc).__name__)
            raise failure from None

    async def cancel(self) -> None:
        """
        Stop the task wherever it is; when this returns, no token of it is delivered any more.

        Spec: AH-1004, ADP-30
        """
        if self.is_over:
            return
        if not self.is_cancelled:
            self.is_cancelled = True
            self.story.cancelling()
        # From here on start() gives out no stream; one that is out gives out no token.
        if (stream := self._stream()) is not None:
            stream.stop_delivery()
        starting = self.starting
        await self._stop_adapter()
        if starting is not None and starting is not asyncio.current_task():
            await self.owner.clock.sleep(0)
            # Still there after its turn: the adapter's cancel did not end its submit, or none was under way yet.
            starting.cancel()
            await asyncio.wait([starting])
        self.stop("cancelled")

    def dropped(self) -> None:
        """The host's stream was collected unclosed, in whatever thread: stop the adapter's work, soon."""
        # a loop that is closed has nothing to stop any more
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._drop_soon)

    def _drop_soon(self) -> None:
        self._dropping = asyncio.create_task(self.drop())

    async def drop(self) -> None:
        """Nobody reads any more: stop the adapter's work."""
        await self._close_inner()
        self.stop("dropped")

    def stop(self, why: str) -> None:
        """Settle a task that was cancelled or dropped."""
        if not self.is_over:
            self.story.stopped(self.tokens, why, self.owner.metrics)
            self._settle(None)

    def fail(self, error: WorkerError, *, cause: str | None = None) -> None:
        """Settle a task that failed with *error*."""
        if not self.is_over:
            self.story.failed(error, self.tokens, self.owner.metrics, cause=cause)
            self._settle(error)

    def _expire(self) -> None:
        """The deadline passed while nobody reads: stop the adapter's work all the same."""
        if not self.is_cancelled:
            self._expiring = asyncio.create_task(self._expired())

    async def _expired(self) -> WorkerError:
        """Stop the adapter's work, and settle the task as late; what its reader is told."""
        failure = self._too_late(streaming=True)
        await self._close_inner()
        self.fail(failure)
        return failure

    def _too_late(self, *, streaming: bool) -> WorkerError:
        """What a task fails with whose adapter goes on beyond the deadline."""
        outcome = Outcome.PARTIAL if self.tokens else Outcome.UNKNOWN
        name = self.replica.adapter_name if self.replica is not None else "no adapter"
        message = f"the deadline of {self.task.deadline_ms} ms passed; {name} was stopped by the host"
        return WorkerError("deadline", message, streaming=streaming, outcome=outcome)

    async def _stop_adapter(self) -> None:
        """Tell the adapter to stop the task; close its stream when it cannot be told."""
        if self.replica is None:
            return
        adapter = self.replica.adapter
        if not await self._attempt("cancel", lambda: adapter.cancel(self.task.task_id)):
            await self._close_inner()

    async def _close_inner(self) -> None:
        inner = self._inner
        if inner is not None and not inner.is_closed:
            inner.is_closed = True
            await self._attempt("aclose", inner.aclose)

    async def _attempt(self, what: str, work: Callable[[], Awaitable[None]]) -> bool:
        """Await a stranger's clean-up within a bound; tell whether it worked."""

        async def run() -> None:
            await work()

        try:
            await within(self.owner.clock, CANCEL_TIMEOUT, run())
        # Foreign code: a clean-up that fails must not keep the task from ending.
        except Exception as exc:  # noqa: BLE001
            self.story.trouble(what, exc)
            return False
        return True

    def _counted(self, events: list[TokenEvent]) -> list[TokenEvent]:
        for event in reversed(events):
            if event.kind == "token":
                self.tokens = event.index + 1
                break
        return events

    def _noted(self, events: list[TokenEvent]) -> list[TokenEvent]:
        """Tell the story of a batch that starts or ends something."""
        inner = self._inner
        for event in events:
            if event.kind == "token" and not self.is_over:
                self.tokens += 1
                if inner is not None and not inner.has_tokens:
                    inner.has_tokens = True
                    self.story.first_token(self.owner.metrics)
            elif event.kind == "started" and inner is not None and not self.is_over:
                inner.has_started = True
                self.story.started(event.data, self.owner.metrics)
            elif event.kind == "end":
                self._end(event.data)
            elif event.kind == "error":
                events = [*events[:-1], self._error(event)]
        return events

    def _end(self, data: Mapping[str, Any]) -> None:
        if self.is_over:
            return
        if self.is_cancelled or data.get("finish_reason") == "cancelled":
            self.stop("cancelled")
        else:
            self.story.ended(data, self.owner.metrics)
            self._settle(None, ended_well=True)

    def _error(self, event: TokenEvent) -> TokenEvent:
        """The `error` event with a message that may be shown."""
        error = self._redacted(WorkerError.from_payload(event.data))
        fault = self._inner.fault if self._inner is not None else None
        if fault is not None:
            self._tell_fault(fault, self._inner_name())
        self.fail(error, cause=fault.error_class if fault is not None else None)
        return TokenEvent("error", {**event.data, "message": error.message})

    def _after_the_end(self) -> list[TokenEvent]:
        """What a stream gives that stopped by itself."""
        if self.is_cancelled:
            facts = {"tokens_out": self.tokens, "decode_ms": 0, "decode_time_ms": 0, "finish_reason": "cancelled"}
            end = TokenEvent("end", {**facts, "evidence": "cancelled", "usage": {"source": "none"}})
            has_started = self._inner is not None and self._inner.has_started
            return [end] if has_started else [TokenEvent("started", {"engine_version": "unknown"}), end]
        name = self._inner_name()
        violation = OrderViolation(f"{name}: the stream stopped without end or error")
        self.fail(WorkerError("order_violation", str(violation), streaming=True))
        raise violation

    def _inner_name(self) -> str:
        return self._inner.origin if self._inner else "the adapter"

    def _tell_fault(self, fault: Fault, name: str) -> None:
        """Tell the author of the adapter, in a record of level debug, where it failed."""
        self.story.fault(fault_facts(fault, name, safe=self.owner.safe, task=self.task))

    def _redacted(self, error: WorkerError) -> WorkerError:
        """*error* with a message that may be shown; itself when its own may."""
        message = self.owner.safe(error.message)
        if message != error.message:
            error.message = message
            error.args = (error.reason, message)
        return error

    def _settle(self, error: WorkerError | None, *, ended_well: bool = False) -> None:
        self.is_over = True
        self._watch.stop()
        # Nobody needs them any more, and they would keep each other alive until the garbage collector comes.
        self.starting = None
        self._stream = _no_stream
        if self.replica is not None:
            self.replica.release()
        breaker = self.pool.breaker
        if breaker is not None and self.permit is not None:
            now = self.owner.clock.monotonic()
            # Without a replica nothing was tried: that none is ready is no news of how tasks fare.
            if error is not None and self.replica is not None and error.reason in AGAINST_THE_POOL:
                breaker.settle_failure(self.permit, now, reason=error.reason)
            elif ended_well:
                breaker.settle_success(self.permit, now)
            else:
                breaker.abandon(self.permit, now)
        self.owner.settled(self, error)


class _HostSource:
    """The source of the stream that the host's caller reads."""

    __slots__ = ("_dispatch",)

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    async def next_events(self) -> list[TokenEvent]:
        return await self._dispatch.next_events()

    async def cancel(self) -> None:
        await self._dispatch.cancel()

    async def aclose(self) -> None:
        await self._dispatch.drop()

    def dropped(self) -> None:
        self._dispatch.dropped()


def _no_stream() -> None:
    """There is no stream yet."""


class _Inner:
    """The adapter's stream, whatever object it is, as a reader of batches."""

    __slots__ = (
        "_aclose",
        "_guard",
        "_is_guarded",
        "_next",
        "_read",
        "_stream",
        "has_started",
        "has_tokens",
        "is_closed",
        "origin",
    )

    def __init__(self, stream: Any, origin: str) -> None:
        """
        Take the stream of the adapter called *origin*.

        Raises:
            WorkerError: It is no stream.
        """
        self.origin = origin
        self._stream = stream
        self.is_closed = False
        self.has_started = False
        self.has_tokens = False
        self._guard = OrderGuard(origin)
        step, close = getattr(stream, "__anext__", None), getattr(stream, "aclose", None)
        if not callable(step) or not callable(close):
            what = type(stream).__name__
            raise WorkerError("order_violation", f"{origin}: submit gave {what}, expected a TokenStream")
        self._next: Callable[[], Awaitable[TokenEvent]] = step
        self._aclose: Callable[[], Awaitable[None]] = close
        batches = getattr(stream, "next_batch", None)
        self._read: Callable[[], Awaitable[list[TokenEvent]]] = batches if callable(batches) else self._one
        # a TokenStream has its own; a task must not count as complete before the end of any other stream is checked
        self._is_guarded = isinstance(stream, TokenStream)

    @property
    def fault(self) -> Fault | None:
        """What the adapter's source raised, where its stream tells it."""
        fault = getattr(self._stream, "fault", None)
        return fault if isinstance(fault, Fault) else None

    async def read(self) -> list[TokenEvent]:
        """The next events, as many as there are; empty once the stream has stopped."""
        events = await self._read()
        if not self._is_guarded:
            self._guard.check(events)
        return events

    async def aclose(self) -> None:
        """Close the adapter's stream."""
        await self._aclose()

    async def _one(self) -> list[TokenEvent]:
        try:
            return [await self._next()]
        except StopAsyncIteration:
            return []
