"""
Embeddings of several callers in one request: a batch waits a moment for more, then goes out as one call.

Every caller gets its own inputs' embeddings in order, its share of the usage, and its own error; it waits by its own
deadline, and its leaving does not touch the others. A request that nobody waits for any more is cancelled. What a batch
is made of, and how its answer is shared out, is decided in `embedding_batch`.

A batch is no retry: it is asked again, in halves, only when the upstream refused it for what may be one input's fault,
and then nothing was processed. Calls that are equal become one when a `SingleFlightClient` stands in front.

Spec: BAT-01, REL-04, REL-08
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from openai_client.embedding_answers import may_be_one_inputs_fault
from openai_client.embedding_batch import BatchPolicy, joined, part_of, parted
from openai_client.errors import Timeout
from openai_client.middleware import AsyncMiddleware, Middleware
from openai_client.patience import Patience, own_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_util.clock import Clock, SyncClock, TimerHandle
    from http_util.deadline import Deadline
    from openai_client.embedding_batch import Part
    from openai_client.middleware import AsyncCallsNext, CallsNext
    from openai_client.operation import CallOptions, Operation
    from openai_client.waiting import MakeSignal, Signal

T = TypeVar("T")

_DEFAULT: Final = BatchPolicy()


class AsyncBatchingClient(AsyncMiddleware):
    """
    An `AsyncClient` that sends calls for embeddings in batches. For one event loop.

    Everything else is handed on at once. No task and no timer outlives its callers.

    Spec: BAT-01
    """

    def __init__(self, client: AsyncCallsNext, policy: BatchPolicy = _DEFAULT, *, clock: Clock | None = None) -> None:
        """
        Stand in front of *client*.

        Args:
            client: Makes the calls; stays its owner's to close.
            policy: How large a batch becomes, and how long it waits.
            clock: Source of times, the same as the client's; by default the system's.
        """
        super().__init__(client, clock=clock)
        self.policy = policy
        """How large a batch becomes, and how long it waits."""
        self._filling: dict[str, _AsyncBatch] = {}

    async def execute(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """
        Make a call, in a batch if it can be, and return its result.

        Arguments and errors as `AsyncClient.execute`.
        """
        asked = operation.with_options(options)
        part = part_of(asked, self.config, self.policy)
        if part is None:
            return await self.client.execute(asked, asked.options)
        patience = Patience.of(asked.options, self.config, self._clock.monotonic())
        member = _AsyncMember(part, patience.deadline, asyncio.get_running_loop().create_future())
        batch = self._seat(member)
        try:
            return cast("T", await self._within(member.deadline, member.answer))
        finally:
            await self._leave(batch, member)

    def _seat(self, member: _AsyncMember) -> _AsyncBatch:
        """Put a caller into the batch that fills; send what is full."""
        key, size = member.part.key, len(member.part.inputs)
        batch = self._filling.get(key)
        if batch is not None and batch.size + size > self.policy.max_batch_size:
            self._send(batch)
            batch = None
        if batch is None:
            batch = self._filling[key] = _AsyncBatch(key)
            due = self._clock.monotonic() + self.policy.max_wait
            batch.timer = self._clock.call_at(due, lambda: self._send(batch))
        batch.members.append(member)
        if batch.size == self.policy.max_batch_size:
            self._send(batch)
        return batch

    def _close(self, batch: _AsyncBatch) -> None:
        """Let nobody in any more."""
        if batch.timer is not None:
            batch.timer.cancel()
            batch.timer = None
        if self._filling.get(batch.key) is batch:
            del self._filling[batch.key]

    def _send(self, batch: _AsyncBatch) -> None:
        """Send a batch, in a task that ends when it has been answered."""
        self._close(batch)
        batch.task = asyncio.ensure_future(self._deliver(tuple(batch.members)))

    async def _leave(self, batch: _AsyncBatch, member: _AsyncMember) -> None:
        """A caller is gone, served or not; the last one takes the request away."""
        batch.members.remove(member)
        if batch.members:
            return
        if batch.task is None:
            self._close(batch)
        elif not batch.task.done():
            batch.task.cancel()
            await asyncio.wait((batch.task,))

    async def _deliver(self, members: Sequence[_AsyncMember]) -> None:
        """Make the call for those who still wait, and give each what is his."""
        members = [member for member in members if not member.answer.done()]
        if not members:
            return
        parts = [member.part for member in members]
        deadline = max(member.deadline for member in members)
        try:
            call = joined(parts, deadline, self._clock.monotonic())
            results = parted(parts, await self.client.execute(call, call.options))
        # whatever it is, also of a foreign transport, nobody may be left waiting
        except Exception as error:  # noqa: BLE001
            if len(members) > 1 and may_be_one_inputs_fault(error):
                for half in _halves(members):
                    await self._deliver(half)
                return
            for member in members:
                member.fail(error)
        except asyncio.CancelledError:
            for member in members:
                member.answer.cancel()
            raise
        else:
            for member, result in zip(members, results, strict=True):
                member.serve(result)


class BatchingClient(Middleware):
    """
    A `Client` that sends calls for embeddings in batches. Safe for threads.

    A batch is sent by the thread whose call began it, and ends by that call's deadline; those who have time left then
    take part in another one. There is no thread beside the callers' own.

    Example:
        >>> from openai_client import Client
        >>> from openai_client.embedding_batch import BatchPolicy
        >>> with Client(base_url="http://localhost:8000/v1", api_key=None) as client:
        ...     BatchingClient(client, BatchPolicy(max_batch_size=256, max_wait_ms=10)).policy.max_wait
        0.01

    Spec: BAT-01
    """

    def __init__(
        self,
        client: CallsNext,
        policy: BatchPolicy = _DEFAULT,
        *,
        clock: SyncClock | None = None,
        make_signal: MakeSignal = threading.Event,
    ) -> None:
        """
        Stand in front of *client*.

        Args:
            client: Makes the calls; stays its owner's to close.
            policy: How large a batch becomes, and how long it waits.
            clock: Source of times, the same as the client's; by default the system's.
            make_signal: Makes what callers wait for.
        """
        super().__init__(client, clock=clock)
        self.policy = policy
        """How large a batch becomes, and how long it waits."""
        self._make_signal = make_signal
        self._filling: dict[str, _Batch] = {}
        # guards batches that fill; nothing waits while it is held
        self._lock = threading.Lock()

    def execute(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """Make a call, in a batch if it can be, and return its result. Arguments and errors as `Client.execute`."""
        asked = operation.with_options(options)
        part = part_of(asked, self.config, self.policy)
        if part is None:
            return self.client.execute(asked, asked.options)
        patience = Patience.of(asked.options, self.config, self._clock.monotonic())
        while True:
            member = _Member(part, self._make_signal())
            batch = self._seat(member)
            if batch.members[0] is member:
                self._lead(batch, patience)
            elif not member.served.wait(patience.left(self._clock.monotonic())):
                member.has_left = True
                raise Timeout("the deadline passed before the batch was answered", reason="deadline")
            if member.is_answered:
                return cast("T", member.answer)
            error = member.error
            if error is not None and not patience.asks_again(error, self._clock.monotonic()):
                raise error

    def _seat(self, member: _Member) -> _Batch:
        """Put a caller into the batch that fills, or into a new one that he leads."""
        key, size = member.part.key, len(member.part.inputs)
        with self._lock:
            batch = self._filling.get(key)
            if batch is not None and batch.size + size > self.policy.max_batch_size:
                self._close(batch)
                batch = None
            if batch is None:
                batch = self._filling[key] = _Batch(key, self._make_signal())
            batch.members.append(member)
            if batch.size == self.policy.max_batch_size:
                self._close(batch)
        return batch

    def _close(self, batch: _Batch) -> None:
        """Let nobody in any more, and tell the leader so; with the lock held."""
        if self._filling.get(batch.key) is batch:
            del self._filling[batch.key]
        batch.closed.set()

    def _lead(self, batch: _Batch, patience: Patience) -> None:
        """Wait for others, then make the call for all; whatever happens, nobody is left waiting."""
        try:
            batch.closed.wait(min(self.policy.max_wait, patience.left(self._clock.monotonic())))
            with self._lock:
                self._close(batch)
            self._deliver(batch.members, patience.deadline)
        finally:
            # once more, for a leader that was interrupted while it waited
            with self._lock:
                self._close(batch)
            for member in batch.members:
                member.served.set()

    def _deliver(self, members: Sequence[_Member], deadline: Deadline) -> None:
        """Make the call for those who still wait, and give each what is his."""
        members = [member for member in members if not member.has_left]
        if not members:
            return
        parts = [member.part for member in members]
        try:
            call = joined(parts, deadline, self._clock.monotonic())
            results = parted(parts, self.client.execute(call, call.options))
        # whatever it is, also of a foreign transport, it is told to everybody
        except Exception as error:  # noqa: BLE001
            if len(members) > 1 and may_be_one_inputs_fault(error):
                for half in _halves(members):
                    self._deliver(half, deadline)
                return
            for member in members:
                member.error = own_error(error)
        else:
            for member, result in zip(members, results, strict=True):
                member.answer, member.is_answered = result, True


def _halves(members: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Return both halves of at least two callers."""
    middle = len(members) // 2
    return members[:middle], members[middle:]


class _AsyncMember:
    """One caller in a batch."""

    __slots__ = ("answer", "deadline", "part")

    def __init__(self, part: Part, deadline: Deadline, answer: asyncio.Future[Any]) -> None:
        self.part = part
        self.deadline = deadline
        self.answer = answer

    def serve(self, result: object) -> None:
        """Give the caller what is his, if he still waits."""
        if not self.answer.done():
            self.answer.set_result(result)

    def fail(self, error: Exception) -> None:
        """Tell the caller what went wrong, if he still waits."""
        if not self.answer.done():
            self.answer.set_exception(own_error(error))


class _AsyncBatch:
    """Callers who share a request, and the task that makes it once they do."""

    __slots__ = ("key", "members", "task", "timer")

    def __init__(self, key: str) -> None:
        self.key = key
        self.members: list[_AsyncMember] = []
        self.timer: TimerHandle | None = None
        self.task: asyncio.Future[None] | None = None

    @property
    def size(self) -> int:
        """How many inputs there are."""
        return sum(len(member.part.inputs) for member in self.members)


class _Member:
    """One caller in a batch; neither answered nor failed means that the leader was interrupted."""

    __slots__ = ("answer", "error", "has_left", "is_answered", "part", "served")

    def __init__(self, part: Part, served: Signal) -> None:
        self.part = part
        self.served = served
        self.has_left = False
        self.is_answered = False
        self.answer: object = None
        self.error: Exception | None = None


class _Batch:
    """Callers who share a request; the first of them makes it."""

    __slots__ = ("closed", "key", "members")

    def __init__(self, key: str, closed: Signal) -> None:
        self.key = key
        self.closed = closed
        self.members: list[_Member] = []

    @property
    def size(self) -> int:
        """How many inputs there are."""
        return sum(len(member.part.inputs) for member in self.members)
