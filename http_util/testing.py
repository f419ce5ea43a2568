"""
Doubles for tests of everything that stands on this package.

Clocks that do not wait, randomness that does not surprise, and an upstream that does what its script says. They are
part of the product and as documented as the rest.

Spec: HTU-04, REL-08
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import types
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from http_util.clock import Clock, SyncClock, TimerHandle

EPOCH: Final = 1_700_000_000.0
"""What `FakeClock.time` says when its monotonic time is zero: 2023-11-14 22:13:20 UTC."""

# How often other tasks get a turn between two moments; more than any chain of awaits in this house is long.
_TURNS: Final = 20


class FakeClock:
    """
    A clock for asyncio code that moves only when told to.

    Sleepers and timers run in the order of their moments, and in the order of their asking at the same moment.

    >>> clock = FakeClock()
    >>> handle = clock.call_at(2.0, lambda: print("rang at", clock.monotonic()))
    >>> clock.advance(5.0)
    rang at 2.0
    >>> clock.monotonic()
    5.0

    Spec: HTU-04
    """

    def __init__(self, *, now: float = 0.0, auto: bool = False) -> None:
        """
        Set the clock.

        Args:
            now: Monotonic seconds at the start.
            auto: Let `sleep` move the clock itself and return after one turn of the event loop.
        """
        self.sleeps: list[float] = []
        """Every pause that was asked for, in seconds, in order."""
        self._now = now
        self._auto = auto
        self._waiting: list[tuple[float, int, _Timer]] = []
        self._order = itertools.count()

    def monotonic(self) -> float:
        """Return the seconds since the clock was set, plus where it was set to."""
        return self._now

    def time(self) -> float:
        """Return seconds since the epoch: `EPOCH` plus the monotonic time."""
        return EPOCH + self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved by *seconds*; zero or less gives other tasks one turn."""
        self.sleeps.append(seconds)
        if seconds <= 0:
            await _turn()
            return
        if self._auto:
            self.advance(seconds)
            await _turn()
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_at(self._now + seconds, lambda: _wake(woken))
        try:
            await woken
        finally:
            timer.cancel()

    def call_at(self, when: float, callback: Callable[[], object]) -> TimerHandle:
        """Run *callback* when the clock moves to *when* or beyond, also one that has passed: at the next move."""
        timer = _Timer(callback)
        heapq.heappush(self._waiting, (when, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """
        Move the clock and run what is due, each at its own moment.

        Tasks that were woken run when the event loop gets its turn. Use `run_for` when they sleep again meanwhile.

        Raises:
            ValueError: *seconds* is negative.
        """
        if seconds < 0:
            raise ValueError(f"a clock does not go back: {seconds!r}")
        target = self._now + seconds
        while self._waiting and self._waiting[0][0] <= target:
            when, _, timer = heapq.heappop(self._waiting)
            self._now = max(self._now, when)
            timer.run()
        self._now = target

    async def run_for(self, seconds: float) -> None:
        """Move the clock from moment to moment and let the woken tasks run in between."""
        target = self._now + seconds
        await self.settle()
        while (due := self.next_due()) is not None and due <= target:
            self.advance(max(0.0, due - self._now))
            await self.settle()
        self.advance(target - self._now)
        await self.settle()

    async def settle(self) -> None:
        """Let the other tasks run until they wait for something; the clock does not move."""
        for _ in range(_TURNS):
            await _turn()

    def next_due(self) -> float | None:
        """Return the moment of the next timer or sleeper, None when nobody waits."""
        while self._waiting and self._waiting[0][2].is_cancelled:
            heapq.heappop(self._waiting)
        return self._waiting[0][0] if self._waiting else None


class _Timer:
    """A callback that may be cancelled."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        """Keep *callback*."""
        self._callback: Callable[[], object] | None = callback

    @property
    def is_cancelled(self) -> bool:
        """Whether there is nothing to run any more."""
        return self._callback is None

    def cancel(self) -> None:
        """Forget the callback."""
        self._callback = None

    def run(self) -> None:
        """Run the callback, once, unless it was cancelled."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


def _wake(sleeper: asyncio.Future[None]) -> None:
    """End the sleep of a task that still sleeps."""
    if not sleeper.done():
        sleeper.set_result(None)


@types.coroutine
def _turn() -> Generator[None, None, None]:
    """Give the other tasks one turn."""
    yield


class FakeSyncClock:
    """
    A clock for blocking code: a sleep moves it and returns.

    >>> clock = FakeSyncClock()
    >>> clock.sleep(1.5)
    >>> clock.monotonic(), clock.sleeps
    (1.5, [1.5])
    """

    def __init__(self, *, now: float = 0.0) -> None:
        """Set the clock to *now* monotonic seconds."""
        self.sleeps: list[float] = []
        """Every pause that was asked for, in seconds, in order."""
        self._now = now

    def monotonic(self) -> float:
        """Return the seconds since the clock was set, plus where it was set to."""
        return self._now

    def time(self) -> float:
        """Return seconds since the epoch: `EPOCH` plus the monotonic time."""
        return EPOCH + self._now

    def sleep(self, seconds: float) -> None:
        """Move the clock by *seconds*, not back."""
        self.sleeps.append(seconds)
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float) -> None:
        """
        Move the clock.

        Raises:
            ValueError: *seconds* is negative.
        """
        if seconds < 0:
            raise ValueError(f"a clock does not go back: {seconds!r}")
        self._now += seconds


class FixedRandom(Random):
    """
    A source of randomness that always draws the same part of the range.

    >>> FixedRandom(0.5).uniform(0.0, 3.0)
    1.5
    """

    def __init__(self, fraction: float) -> None:
        """Draw *fraction*, from 0 up to 1."""
        super().__init__(0)
        self._fraction = fraction

    def random(self) -> float:
        """Return the fraction."""
        return self._fraction


def seeded_random(seed: int = 0) -> Random:
    """Return a source of randomness that draws the same sequence for the same *seed*."""
    return Random(seed)


@dataclass(frozen=True, slots=True)
class Pause:
    """A step that lets time pass on the upstream's clock."""

    seconds: float
    """How long."""


@dataclass(frozen=True, slots=True)
class Stall:
    """
    A step that never ends.

    An asynchronous reader waits until it is cancelled; a blocking one gets the read timeout that its socket would have
    raised.
    """


Step = bytes | Pause | Stall | Exception
"""
One thing a scripted upstream does: send bytes, let time pass, go silent, or break with an exception of the engine.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a scripted upstream does with one request."""

    status: int = 200
    """Status code of the head."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the answer, and nothing added to them."""
    body: Sequence[Step] = ()
    """Steps of the body; each ``bytes`` is one read."""
    before_head: Sequence[Step] = ()
    """Steps in front of the head: a `Pause`, a `Stall` or an exception."""
    http_version: str = "HTTP/1.1"
    """What the answer says it was spoken in."""

    @classmethod
    def events(cls, *data: bytes | Step, done: bool = True) -> Answer:
        """
        Return an event stream; each ``bytes`` becomes one event and one read.

        Args:
            data: The events' data; other steps are taken as they are.
            done: End with ``[DONE]``.
        """
        steps = [b"data: %b\n\n" % step if isinstance(step, bytes) else step for step in data]
        end: list[Step] = [b"data: [DONE]\n\n"] if done else []
        return cls(headers={"content-type": "text/event-stream"}, body=(*steps, *end))

    @classmethod
    def json(cls, text: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
        """Return a JSON answer in one read."""
        return cls(status=status, headers={"content-type": "application/json", **(headers or {})}, body=(text,))

    @classmethod
    def failing(cls, error: Exception) -> Answer:
        """Return no answer: *error* is raised in place of the head."""
        return cls(before_head=(error,))


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it would have gone out."""

    method: str
    """HTTP method."""
    url: str
    """Absolute URL."""
    headers: Mapping[str, str] = field(repr=False)
    """Headers, names in lower case."""
    content: bytes = field(repr=False)
    """Body."""


class ScriptedUpstream(httpx.AsyncBaseTransport, httpx.BaseTransport):
    """
    An upstream that answers request after request as its script says.

    Hand it to `build_client` or `build_async_client` as their transport.

    >>> from http_util.client import build_client
    >>> from http_util.config import HttpConfig
    >>> upstream = ScriptedUpstream(Answer.json(b"{}"))
    >>> with build_client(HttpConfig(base_url="http://localhost/v1"), transport=upstream) as client:
    ...     client.get("http://localhost/v1/models").json()
    {}
    >>> [request.url for request in upstream.requests]
    ['http://localhost/v1/models']
    """

    def __init__(self, *answers: Answer, clock: Clock | None = None, sync_clock: SyncClock | None = None) -> None:
        """
        Write the script.

        Args:
            answers: One for each request, in order. A request more is an `AssertionError`.
            clock: Times the pauses of asynchronous answers; needed when there are any.
            sync_clock: The same for blocking ones.
        """
        self.requests: list[RecordedRequest] = []
        """What was asked, in order."""
        self.finished = 0
        """Answers whose body was read to its end."""
        self.closed_early = 0
        """Answers that were closed before their end: the upstream would have seen the connection close."""
        self.open_bodies = 0
        """Answers that are neither finished nor closed; zero after a test, or something leaks."""
        self.cancelled_before_head = 0
        """Requests that were cancelled while their head had not come."""
        self.is_closed = False
        """Whether the client that owns this transport was closed."""
        self._answers = list(answers)
        self._clock = clock
        self._sync_clock = sync_clock

    def then(self, *answers: Answer) -> None:
        """Add to the script."""
        self._answers.extend(answers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Record the request and begin the next answer."""
        self._record(request, await request.aread())
        answer = self._next_answer()
        try:
            for step in answer.before_head:
                await self.async_step(step, request)
        except asyncio.CancelledError:
            self.cancelled_before_head += 1
            raise
        return self._response(answer, _AsyncBody(self, answer.body, request))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Record the request and begin the next answer."""
        self._record(request, request.read())
        answer = self._next_answer()
        for step in answer.before_head:
            self.sync_step(step, request)
        return self._response(answer, _Body(self, answer.body, request))

    async def async_step(self, step: Step, request: httpx.Request) -> bytes:
        """Do one step and return what it sends."""
        match step:
            case bytes():
                return step
            case Pause(seconds):
                if self._clock is None:
                    raise AssertionError("a script with pauses needs a clock")
                await self._clock.sleep(seconds)
            case Stall():
                await asyncio.get_running_loop().create_future()
            case _:
                raise _for_request(step, request)
        return b""

    def sync_step(self, step: Step, request: httpx.Request) -> bytes:
        """Do one step and return what it sends."""
        match step:
            case bytes():
                return step
            case Pause(seconds):
                if self._sync_clock is None:
                    raise AssertionError("a script with pauses needs a sync_clock")
                self._sync_clock.sleep(seconds)
            case Stall():
                raise httpx.ReadTimeout("scripted stall", request=request)
            case _:
                raise _for_request(step, request)
        return b""

    def _record(self, request: httpx.Request, content: bytes) -> None:
        """Remember what was asked."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(RecordedRequest(request.method, str(request.url), headers, content))

    def _next_answer(self) -> Answer:
        """Take the next line of the script."""
        if not self._answers:
            last = self.requests[-1]
            raise AssertionError(f"no answer is scripted for request {len(self.requests)}: {last.method} {last.url}")
        return self._answers.pop(0)

    def _response(self, answer: Answer, body: Any) -> httpx.Response:
        """Return the head of an answer in front of its body."""
        self.open_bodies += 1
        extensions = {"http_version": answer.http_version.encode()}
        return httpx.Response(answer.status, headers=dict(answer.headers), stream=body, extensions=extensions)

    async def aclose(self) -> None:
        """Note that the owner closed the transport."""
        self.is_closed = True

    def close(self) -> None:
        """Note that the owner closed the transport."""
        self.is_closed = True


def _for_request(error: Exception, request: httpx.Request) -> Exception:
    """Return *error*, told which request it belongs to as the engine's own errors are."""
    if isinstance(error, httpx.RequestError):
        error.request = request
    return error


class _ScriptedBody:
    """What both colours of a body count."""

    def __init__(self, upstream: ScriptedUpstream, steps: Iterable[Step], request: httpx.Request) -> None:
        """Play *steps*."""
        self._upstream = upstream
        self._steps = steps
        self._request = request
        self._state = "open"

    def _end(self, state: str) -> None:
        """Count the end of the body, once."""
        if self._state != "open":
            return
        self._state = state
        self._upstream.open_bodies -= 1
        if state == "finished":
            self._upstream.finished += 1
        else:
            self._upstream.closed_early += 1


class _AsyncBody(_ScriptedBody, httpx.AsyncByteStream):
    """A body for asynchronous readers."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what the steps send."""
        for step in self._steps:
            sent = await self._upstream.async_step(step, self._request)
            if sent:
                yield sent
        self._end("finished")

    async def aclose(self) -> None:
        """Note that the reader is gone."""
        self._end("closed early")


class _Body(_ScriptedBody, httpx.SyncByteStream):
    """A body for blocking readers."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield what the steps send."""
        for step in self._steps:
            sent = self._upstream.sync_step(step, self._request)
            if sent:
                yield sent
        self._end("finished")

    def close(self) -> None:
        """Note that the reader is gone."""
        self._end("closed early")
