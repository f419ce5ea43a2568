"""
Calls that are equal and under way at the same time become one request.

The first caller's request serves all who ask the same until its answer has come; afterwards it is forgotten, so no
answer is older than the call that gets it. Each caller waits by its own deadline and may leave; the request goes on for
the others, and is cancelled when nobody waits for it any more. An error is everybody's. Only when the request ends by
the deadline of the caller who began it do those ask again who have more time left than they have waited.

Answers are shared as bytes: each caller gets a result of its own, free to be changed.

Spec: BAT-01, REL-04, REL-08
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from openai_client.errors import OpenAIError, Timeout
from openai_client.middleware import AsyncMiddleware, Middleware
from openai_client.patience import Patience, own_error
from openai_client.shareable import SHARED_BY_DEFAULT, checked_operations, keeping_body, kept, share_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from http_util.clock import Clock, SyncClock
    from http_util.deadline import Deadline
    from openai_client.middleware import AsyncCallsNext, CallsNext
    from openai_client.operation import CallOptions, Operation
    from openai_client.waiting import MakeSignal, Signal

T = TypeVar("T")


class AsyncSingleFlightClient(AsyncMiddleware):
    """
    An `AsyncClient` whose equal calls share a request while it is under way. For one event loop.

    Shared are GETs and the POSTs that are named; everything else is handed on. No task outlives its callers.

    Spec: BAT-01
    """

    def __init__(
        self, client: AsyncCallsNext, *, operations: Iterable[str] = SHARED_BY_DEFAULT, clock: Clock | None = None
    ) -> None:
        """
        Stand in front of *client*.

        Args:
            client: Makes the calls; stays its owner's to close.
            operations: Ids of the POSTs that are shared, from `openai_client.shareable.MAY_BE_SHARED`.
            clock: Source of times, the same as the client's; by default the system's.

        Raises:
            InvalidConfiguration: An operation is named that may change something.
        """
        super().__init__(client, clock=clock)
        self.joined = 0
        """Calls that were served by another one's request."""
        self._operations = checked_operations(operations)
        self._flights: dict[str, _AsyncFlight] = {}

    async def execute(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """
        Make a call, or wait for an equal one, and return its result.

        Arguments and errors as `AsyncClient.execute`.
        """
        asked = operation.with_options(options)
        key = share_key(asked, self.config, self._operations)
        if key is None:
            return await self.client.execute(asked, asked.options)
        patience = Patience.of(asked.options, self.config, self._clock.monotonic())
        while True:
            flight = self._flights.get(key)
            # one that is over is forgotten in the loop's next turn
            if flight is None or flight.task.done():
                return kept(asked, await self._wait(self._begin(key, asked), patience.deadline)).result
            try:
                answer = await self._wait(flight, patience.deadline)
            except OpenAIError as error:
                if patience.asks_again(error, self._clock.monotonic()):
                    continue
                raise own_error(error) from error
            self.joined += 1
            return kept(asked, answer).again(asked)

    def _begin(self, key: str, asked: Operation[Any]) -> _AsyncFlight:
        """Send the request that others may join."""
        call = self.client.execute(keeping_body(asked), asked.options)
        flight = self._flights[key] = _AsyncFlight(key, asyncio.ensure_future(call))
        flight.task.add_done_callback(lambda _: self._forget(flight))
        return flight

    async def _wait(self, flight: _AsyncFlight, deadline: Deadline) -> Any:
        """Return what the request brings; the last who leaves takes it away."""
        flight.waiting += 1
        try:
            return await self._within(deadline, asyncio.shield(flight.task))
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._forget(flight)
                flight.task.cancel()
                await asyncio.wait((flight.task,))

    def _forget(self, flight: _AsyncFlight) -> None:
        """Let the next equal call make a request of its own."""
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]


class SingleFlightClient(Middleware):
    """
    A `Client` whose equal calls share a request while it is under way. Safe for threads.

    The request is made in the thread of the caller who began it. When that one is interrupted, another one begins anew.

    Example:
        >>> from openai_client import Client
        >>> with Client(base_url="http://localhost:8000/v1", api_key=None) as client:
        ...     SingleFlightClient(client)
        SingleFlightClient(Client('http://localhost:8000/v1'))

    Spec: BAT-01
    """

    def __init__(
        self,
        client: CallsNext,
        *,
        operations: Iterable[str] = SHARED_BY_DEFAULT,
        clock: SyncClock | None = None,
        make_signal: MakeSignal = threading.Event,
    ) -> None:
        """
        Stand in front of *client*.

        Args:
            client: Makes the calls; stays its owner's to close.
            operations: Ids of the POSTs that are shared, from `openai_client.shareable.MAY_BE_SHARED`.
            clock: Source of times, the same as the client's; by default the system's.
            make_signal: Makes what callers wait for.

        Raises:
            InvalidConfiguration: An operation is named that may change something.
        """
        super().__init__(client, clock=clock)
        self.joined = 0
        """Calls that were served by another one's request."""
        self._operations = checked_operations(operations)
        self._make_signal = make_signal
        self._flights: dict[str, _Flight] = {}
        # guards the table; nothing waits while it is held
        self._lock = threading.Lock()

    def execute(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """Make a call, or wait for an equal one, and return its result. Arguments and errors as `Client.execute`."""
        asked = operation.with_options(options)
        key = share_key(asked, self.config, self._operations)
        if key is None:
            return self.client.execute(asked, asked.options)
        patience = Patience.of(asked.options, self.config, self._clock.monotonic())
        while True:
            flight, is_own = self._flight(key)
            if is_own:
                return kept(asked, self._fly(key, flight, asked)).result
            if not flight.landed.wait(patience.left(self._clock.monotonic())):
                raise Timeout("the deadline passed while an equal call was under way", reason="deadline")
            if flight.is_answered:
                with self._lock:
                    self.joined += 1
                return kept(asked, flight.answer).again(asked)
            error = flight.error
            if error is not None and not patience.asks_again(error, self._clock.monotonic()):
                raise own_error(error)

    def _flight(self, key: str) -> tuple[_Flight, bool]:
        """Return the request under way, and whether it is the caller's to make."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = _Flight(self._make_signal())
            return flight, True

    def _fly(self, key: str, flight: _Flight, asked: Operation[Any]) -> Any:
        """Make the request that others may join, and let them go on when it is over, whatever it came to."""
        try:
            flight.answer = answer = self.client.execute(keeping_body(asked), asked.options)
            flight.is_answered = True
        except Exception as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                del self._flights[key]
            flight.landed.set()
        return answer


class _AsyncFlight:
    """A request under way, and how many wait for it."""

    __slots__ = ("key", "task", "waiting")

    def __init__(self, key: str, task: asyncio.Future[Any]) -> None:
        self.key = key
        self.task = task
        self.waiting = 0


class _Flight:
    """A request under way in the thread that began it; neither answered nor failed means that it was interrupted."""

    __slots__ = ("answer", "error", "is_answered", "landed")

    def __init__(self, landed: Signal) -> None:
        self.landed = landed
        self.is_answered = False
        self.answer: Any = None
        self.error: Exception | None = None
