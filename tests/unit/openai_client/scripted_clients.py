"""Doubles of what stands behind a middleware: clients that answer when, and what, a test says."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

from openai_client import ClientConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai_client.operation import CallOptions, Operation

CONFIG = ClientConfig(base_url="http://localhost:8000/v1", api_key="local-test-key")


class Asked:
    """One call that reached the client, and how to end it."""

    def __init__(self, operation: Operation[Any], options: CallOptions) -> None:
        self.operation = operation
        self.options = options
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.was_cancelled = False

    @property
    def inputs(self) -> Any:
        """What was to be embedded."""
        return json.loads(self.operation.body_bytes() or b"{}").get("input")

    def serve(self, body: bytes) -> None:
        """Answer with success."""
        self.answer.set_result(body)

    def fail(self, error: Exception) -> None:
        """Answer with an error."""
        self.answer.set_exception(error)


class AsyncScriptedClient:
    """An `AsyncClient` to a middleware: every call waits until the test ends it."""

    def __init__(self, config: ClientConfig = CONFIG) -> None:
        self.config = config
        self.asked: list[Asked] = []

    async def execute(self, operation: Operation[Any], options: CallOptions) -> Any:
        """Wait for the test."""
        asked = Asked(operation, options)
        self.asked.append(asked)
        try:
            return operation.parse(await asked.answer)
        except asyncio.CancelledError:
            asked.was_cancelled = True
            raise

    def open_stream(self, operation: Any, options: Any) -> Any:
        """Return what was asked."""
        return ("open_stream", operation, options)

    def open_download(self, operation: Any, options: Any) -> Any:
        """Return what was asked."""
        return ("open_download", operation, options)

    async def fetch_page(self, operation: Any, options: Any) -> Any:
        """Return what was asked."""
        return ("fetch_page", operation, options)

    def __repr__(self) -> str:
        return "AsyncScriptedClient()"


class ScriptedClient:
    """A `Client` to a middleware: calls are answered by a function, in the thread that makes them."""

    def __init__(self, answer: Callable[[Operation[Any], CallOptions], bytes], config: ClientConfig = CONFIG) -> None:
        self.config = config
        self.asked: list[tuple[Operation[Any], CallOptions]] = []
        self._answer = answer

    def execute(self, operation: Operation[Any], options: CallOptions) -> Any:
        """Ask the test's function."""
        self.asked.append((operation, options))
        return operation.parse(self._answer(operation, options))

    def open_stream(self, operation: Any, options: Any) -> Any:
        """Return what was asked."""
        return ("open_stream", operation, options)

    def open_download(self, operation: Any, options: Any) -> Any:
        """Return what was asked."""
        return ("open_download", operation, options)

    def fetch_page(self, operation: Any, options: Any) -> Any:
        """Return what was asked."""
        return ("fetch_page", operation, options)

    def __repr__(self) -> str:
        return "ScriptedClient()"


class Worker(threading.Thread):
    """A thread that makes one call and keeps what came of it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.result: Any = None
        self.error: BaseException | None = None
        self._work = work
        self.start()

    def run(self) -> None:
        """Make the call."""
        try:
            self.result = self._work()
        # what a thread raises is looked at by the test
        except BaseException as error:  # noqa: BLE001
            self.error = error

    def ended(self) -> Worker:
        """Wait for the end of the thread."""
        self.join(10.0)
        assert not self.is_alive()
        return self


class Rung(threading.Event):
    """A signal that says when somebody waits for it, and whose time is up when the test says so."""

    def __init__(self, changed: threading.Condition) -> None:
        super().__init__()
        self.waits: list[float | None] = []
        """The seconds that were asked for, one for each who waits."""
        self._changed = changed
        self._time_is_up = self._interrupts = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the signal is given or the time is up, whatever *timeout* says."""
        with self._changed:
            self.waits.append(timeout)
            self._changed.notify_all()
        assert super().wait(10.0)
        if self._interrupts:
            self._interrupts = False
            raise KeyboardInterrupt
        return not self._time_is_up

    def let_time_pass(self) -> None:
        """End the wait without the signal."""
        self._time_is_up = True
        super().set()

    def interrupt(self) -> None:
        """End the wait as the user of a program does."""
        self._interrupts = True
        super().set()

    def is_set(self) -> bool:
        """Tell whether the signal was given."""
        return super().is_set() and not self._time_is_up


class Signals:
    """Makes signals, and keeps them in the order of their making."""

    def __init__(self) -> None:
        self.made: list[Rung] = []
        self._changed = threading.Condition()

    def __call__(self) -> Rung:
        """Make one."""
        with self._changed:
            self.made.append(Rung(self._changed))
            self._changed.notify_all()
            return self.made[-1]

    def waited_for(self, number: int, times: int = 1) -> Rung:
        """Return signal *number* once so many wait, or have waited, for it."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: len(self.made) > number and len(self.made[number].waits) >= times, 10.0
            )
        return self.made[number]
