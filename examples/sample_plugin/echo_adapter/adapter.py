"""The adapter: six methods. The source: three. `TokenStream` does the rest."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from adapter_api import (
    InvalidTask,
    TaskRequest,
    TokenEvent,
    TokenStream,
    WorkerError,
    WorkerHealth,
    WorkerProps,
    current_correlation_id,
    prompt_of,
    token,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ENGINE_VERSION = "echo-1"


class EchoConfig(BaseModel):
    """The settings of a pool: `[pools.<id>.settings]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    delay: float = Field(default=0.0, ge=0, le=60, description="Seconds before each word.")
    slots: int = Field(default=8, ge=1, description="Tasks that may run at once.")


class EchoAdapter:
    """Answers a task with the words of its prompt, one token each."""

    def __init__(self, config: EchoConfig) -> None:
        """Open nothing yet."""
        self._config = config
        self._running: dict[str, TokenStream] = {}
        self._is_closed = False

    async def health(self) -> WorkerHealth:
        """Report; never raise. An adapter with an upstream asks it here."""
        return WorkerHealth(live=not self._is_closed, ready=not self._is_closed)

    async def props(self) -> WorkerProps:
        """Tell what is known; what is not known stays None."""
        slots = self._config.slots
        free = slots - len(self._running)
        return WorkerProps(
            slots_total=slots,
            slots_free=free,
            engine="echo",
            engine_version=ENGINE_VERSION,
            workloads=("completion",),
        )

    async def submit(self, task: TaskRequest) -> TokenStream:
        """Refuse what cannot be right before anything is sent; return the stream once the engine answers."""
        words = self._words_of(task)
        source = EchoSource(words, task.deadline_ms, self._config.delay, lambda: self._running.pop(task.task_id, None))
        stream = self._running[task.task_id] = TokenStream(source, task_id=task.task_id, origin="echo")
        return stream

    async def cancel(self, task_id: str) -> None:
        """Stop one task; an id that is unknown or finished is no error."""
        if task_id in self._running:
            await self._running[task_id].cancel()

    async def engine_version(self) -> str:
        """Tell the version of what produces the tokens."""
        return ENGINE_VERSION

    async def aclose(self) -> None:
        """Stop everything and refuse tasks from now on; safe to call twice."""
        self._is_closed = True
        for task_id in list(self._running):
            await self.cancel(task_id)

    def _words_of(self, task: TaskRequest) -> list[str]:
        if self._is_closed:
            raise WorkerError("closed", "the echo adapter is closed")
        if task.task_id in self._running:
            raise InvalidTask("task_id", "expected an id that is not in flight")
        if task.workload != "completion":
            raise InvalidTask("workload", f"expected completion, got {task.workload}")
        if task.max_tokens > task.ctx:
            raise InvalidTask("max_tokens", f"expected at most ctx, which is {task.ctx}, got {task.max_tokens}")
        if (task.n or 1) > 1:
            raise InvalidTask("n", f"expected 1, got {task.n}")
        prompt = prompt_of(task)  # raises InvalidTask unless there is exactly one input
        if not isinstance(prompt, str):
            raise InvalidTask("messages", "the echo adapter takes a prompt only")
        if task.deadline_ms <= 0:
            raise WorkerError("deadline", f"deadline_ms: expected more than 0, got {task.deadline_ms}")
        if len(self._running) >= self._config.slots:
            raise WorkerError("slots_exhausted", f"all {self._config.slots} slots are taken")
        return prompt.split()[: task.max_tokens]


class EchoSource:
    """The adapter's side of one stream: says what comes next, and stops when it is told to or when time is up."""

    def __init__(self, words: list[str], deadline_ms: int, delay: float, forget: Callable[[], object]) -> None:
        """Say *words*, each after *delay* seconds, all within *deadline_ms*; call *forget* when the task is over."""
        self._words = words
        self._delay = delay
        self._forget = forget
        self._stop = asyncio.Event()
        self._began_at = time.monotonic()
        self._deadline_ms = deadline_ms
        self._said = -1  # nothing yet, not even `started`

    async def next_events(self) -> list[TokenEvent]:
        """Give the next events, at least one; the last batch ends in `end` or `error`."""
        if self._said < 0:
            self._said = 0
            data = {"engine_version": ENGINE_VERSION, "correlation_id": current_correlation_id()}
            return [TokenEvent("started", data)]
        await self._pause()
        if self._stop.is_set():
            return [self._end("cancelled")]
        if self._seconds_left() <= 0:  # what is raised here becomes the one `error` event, and the source is closed
            raise WorkerError("deadline", f"the deadline of {self._deadline_ms} ms passed", streaming=True)
        if self._said == len(self._words):
            return [self._end("stop")]
        text, index = self._words[self._said], self._said
        self._said += 1
        return [token(f" {text}" if index else text, index)]

    async def cancel(self) -> None:
        """Stop; the next read gives the end of a cancelled task."""
        self._stop.set()
        self._forget()

    async def aclose(self) -> None:
        """Release everything: nobody reads any more."""
        await self.cancel()

    def _seconds_left(self) -> float:
        return self._began_at + self._deadline_ms / 1000 - time.monotonic()

    async def _pause(self) -> None:
        """Wait for the next word, for the cancel or for the deadline, whichever is first."""
        try:
            async with asyncio.timeout(min(self._delay, self._seconds_left())):
                await self._stop.wait()
        except TimeoutError:
            pass

    def _end(self, finish_reason: str) -> TokenEvent:
        self._forget()
        data = {
            "tokens_out": self._said,
            "decode_ms": round((time.monotonic() - self._began_at) * 1000),
            "finish_reason": finish_reason,
            "evidence": "cancelled" if finish_reason == "cancelled" else "finish_reason",
            "usage": {"source": "none"},
        }
        return TokenEvent("end", data)
