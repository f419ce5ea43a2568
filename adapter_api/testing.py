"""
Doubles and checks for everybody who works with the contract: orchestrators, hosts, adapter authors.

`ScriptedAdapter` plays an adapter from a list of steps, in memory. `check_worker_adapter` puts any adapter through the
rules of the contract. Neither knows pytest.

Spec: ADP-08
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from adapter_api.conformance import CHECKS, ConformanceFailure, check_worker_adapter
from adapter_api.correlation import current_correlation_id
from adapter_api.errors import InvalidTask, TaskCancelled, WorkerError
from adapter_api.task_request import TaskRequest, prompt_of
from adapter_api.token_event import TokenEvent, token
from adapter_api.token_stream import TokenStream
from adapter_api.version import ADAPTER_API_VERSION
from adapter_api.worker_adapter import WorkerHealth, WorkerProps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["CHECKS", "ConformanceFailure", "Gate", "ScriptedAdapter", "answer", "check_worker_adapter", "make_task"]

Step = TokenEvent | list[TokenEvent] | Exception
"""One thing that happens: an event, several in one read, a failure. A `Gate` is a step too."""

_ENGINE_VERSION: Final = "scripted-1"


def make_task(task_id: str = "t-1", *, prompt: str | None = "Hello", **fields: Any) -> TaskRequest:
    """
    A valid task with any field replaced by keyword.

    Example:
        >>> make_task("t-7", max_tokens=8).max_tokens
        8
    """
    defaults: dict[str, Any] = {
        "task_id": task_id,
        "session_id": "s-1",
        "workload": "completion",
        "model_ref": "m",
        "engine": "openai",
        "ctx": 8192,
        "priority": "interactive",
        "max_tokens": 64,
        "deadline_ms": 30_000,
        "prompt": prompt,
    }
    return TaskRequest(**(defaults | fields))


def answer(*texts: str, finish_reason: str = "stop", **end: Any) -> list[TokenEvent]:
    """
    The events of a good answer: `started`, one token for each text, `end`.

    Args:
        texts: The tokens.
        finish_reason: Stands in `end`.
        end: Further fields of `end`, or other values for its usual ones.

    Example:
        >>> [event.kind for event in answer("a", "b")]
        ['started', 'token', 'token', 'end']
    """
    started = TokenEvent("started", {"engine_version": _ENGINE_VERSION, "model": "m"})
    return [started, *(token(text, index) for index, text in enumerate(texts)), _end(len(texts), finish_reason, **end)]


def _end(tokens: int, finish_reason: str, **fields: Any) -> TokenEvent:
    usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1, "source": "upstream"}
    facts = {
        "tokens_out": tokens,
        "decode_ms": 1,
        "decode_time_ms": 1,
        "finish_reason": finish_reason,
        "evidence": "finish_reason",
        "usage": usage,
        "model": "m",
        "engine_version": _ENGINE_VERSION,
    }
    return TokenEvent("end", facts | fields)


class Gate:
    """A step at which a script waits until the test opens it, or the task is cancelled."""

    def __init__(self) -> None:
        """Make a gate that is shut. Needs a running event loop only when it is waited at."""
        self._open = asyncio.Event()
        self._reached = asyncio.Event()

    def open(self) -> None:
        """Let the script go on, now and ever after."""
        self._open.set()

    async def reached(self) -> None:
        """Wait until a script stands at the gate."""
        await self._reached.wait()

    async def pass_through(self, stop: asyncio.Event) -> None:
        """Wait until the gate is open or *stop* is set."""
        self._reached.set()
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._open, stop)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()


class ScriptedAdapter:
    """
    An adapter that plays steps instead of asking an engine, and remembers what it was asked.

    A step is an event, a list of events that come in one read, an exception, or a `Gate`. Exceptions before the first
    event are raised from `submit`, later ones inside the stream. Every submit plays the steps from the beginning.

    Example:
        >>> import asyncio
        >>> async def main():
        ...     adapter = ScriptedAdapter(answer("Hello", " world"))
        ...     return (await (await adapter.submit(make_task())).collect()).text
        >>> asyncio.run(main())
        'Hello world'
    """

    def __init__(
        self,
        steps: Iterable[Step | Gate] | Callable[[TaskRequest], Iterable[Step | Gate]] | None = None,
        *,
        name: str = "scripted",
        slots: int | None = None,
        ready: bool = True,
        model: str = "m",
    ) -> None:
        """
        Prepare the script.

        Args:
            steps: What every task gets, or a function of the task; None says `answer("Hello", " world")`.
            name: Named in violations.
            slots: Most tasks at once, refused beyond; None has no limit and reports none.
            ready: What `health` says; may be changed at any time.
            model: What `props` says.
        """
        self._steps = steps
        self._name = name
        self._slots = slots
        self._model = model
        self._sources: dict[str, _ScriptedSource] = {}
        self._streams: WeakValueDictionary[str, TokenStream] = WeakValueDictionary()
        self.ready = ready
        """What `health` reports from now on."""
        self.health_error: BaseException | None = None
        """Raised by `health` instead of an answer."""
        self.engine = _ENGINE_VERSION
        """What `engine_version` says."""
        self.submitted: list[TaskRequest] = []
        """Every task that was accepted, in order."""
        self.correlation_ids: list[str] = []
        """The correlation id around each of `submitted`."""
        self.cancelled: list[str] = []
        """Every id given to `cancel`, in order."""
        self.stopped: list[str] = []
        """Ids of the tasks that were stopped before their end, in order."""
        self.health_checks = 0
        """How often `health` was asked."""
        self.closes = 0
        """How often `aclose` was called."""

    def __repr__(self) -> str:
        """The name and the number of tasks in flight."""
        return f"<ScriptedAdapter {self._name!r}: {len(self._sources)} in flight>"

    @property
    def in_flight(self) -> list[str]:
        """Ids of the tasks that have not ended, oldest first."""
        return list(self._sources)

    async def health(self) -> WorkerHealth:
        """Report `ready`, or raise `health_error`."""
        self.health_checks += 1
        if self.health_error is not None:
            raise self.health_error
        return WorkerHealth(
            live=True, ready=self.ready and not self.closes, reason=None if self.ready else "overloaded"
        )

    async def props(self) -> WorkerProps:
        """Slots as configured, minus those taken."""
        free = None if self._slots is None else self._slots - len(self._sources)
        return WorkerProps(
            slots_total=self._slots,
            slots_free=free,
            engine="openai",
            engine_version=self.engine,
            model=self._model,
            ctx_max=8192,
            workloads=("completion",),
            contract_version=ADAPTER_API_VERSION,
        )

    async def submit(self, task: TaskRequest) -> TokenStream:
        """Play the script for *task* up to its first event."""
        self._refuse(task)
        self.submitted.append(task)
        self.correlation_ids.append(current_correlation_id())
        steps = self._steps(task) if callable(self._steps) else self._steps
        source = _ScriptedSource(self, task.task_id, answer("Hello", " world") if steps is None else steps)
        self._sources[task.task_id] = source
        stream = self._streams[task.task_id] = TokenStream(source, task_id=task.task_id, origin=self._name)
        try:
            await source.start()
        except BaseException:
            self.forget(task.task_id)
            raise
        return stream

    async def cancel(self, task_id: str) -> None:
        """Stop the task, if it is in flight."""
        self.cancelled.append(task_id)
        # Also a stream that the script has finished may hold tokens that nobody has read yet.
        stream, source = self._streams.get(task_id), self._sources.get(task_id)
        if stream is not None:
            stream.stop_delivery()
        if source is not None:
            await source.cancel()

    async def engine_version(self) -> str:
        """Say `engine`."""
        return self.engine

    async def aclose(self) -> None:
        """Stop everything in flight; refuse tasks from now on."""
        self.closes += 1
        for task_id in self.in_flight:
            await self.cancel(task_id)

    def forget(self, task_id: str) -> None:
        """Take *task_id* out of the tasks in flight."""
        self._sources.pop(task_id, None)

    def _refuse(self, task: TaskRequest) -> None:
        """Raise what every adapter raises before it sends anything."""
        if self.closes:
            raise WorkerError("closed", f"{self._name} is closed")
        if task.task_id in self._sources:
            raise InvalidTask("task_id", "expected an id that is not in flight")
        if task.workload != "completion":
            raise InvalidTask("workload", f"expected completion, got {task.workload}")
        if task.max_tokens > task.ctx:
            raise InvalidTask("max_tokens", f"expected at most ctx, which is {task.ctx}, got {task.max_tokens}")
        if (task.n or 1) > 1:
            raise InvalidTask("n", f"expected 1, got {task.n}")
        prompt_of(task)
        if task.deadline_ms <= 0:
            raise WorkerError("deadline", f"deadline_ms: expected more than 0, got {task.deadline_ms}")
        if self._slots is not None and len(self._sources) >= self._slots:
            raise WorkerError("slots_exhausted", f"all {self._slots} slots are taken")


class _ScriptedSource:
    """One run of a script."""

    def __init__(self, adapter: ScriptedAdapter, task_id: str, steps: Iterable[Step | Gate]) -> None:
        self._adapter = adapter
        self._task_id = task_id
        self._steps = list(steps)
        self._first: list[TokenEvent] = []
        self._stop = asyncio.Event()
        self._tokens = 0
        self._is_over = False

    async def start(self) -> None:
        self._first = await self._play()
        if self._stop.is_set() and self._first[0].kind != "started":
            raise TaskCancelled

    async def next_events(self) -> list[TokenEvent]:
        events, self._first = self._first, []
        try:
            events = events or await self._play()
        except BaseException:
            await self.aclose()
            raise
        self._tokens += sum(event.kind == "token" for event in events)
        if events and events[-1].is_terminal:
            self._over()
        return events

    async def cancel(self) -> None:
        if not self._is_over and not self._stop.is_set():
            self._adapter.stopped.append(self._task_id)
        self._stop.set()
        self._adapter.forget(self._task_id)

    async def aclose(self) -> None:
        await self.cancel()

    async def _play(self) -> list[TokenEvent]:
        """Take steps until one gives events."""
        while self._steps and not self._stop.is_set():
            step = self._steps.pop(0)
            if isinstance(step, Gate):
                await step.pass_through(self._stop)
            elif isinstance(step, Exception):
                self._over()
                raise step
            else:
                return [step] if isinstance(step, TokenEvent) else list(step)
        # What a script leaves open is the end of a cancelled task, or a stream that merely stops.
        return [_end(self._tokens, "cancelled", evidence="cancelled")] if self._stop.is_set() else []

    def _over(self) -> None:
        self._is_over = True
        self._adapter.forget(self._task_id)
