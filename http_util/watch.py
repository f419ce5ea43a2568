"""
The watch over one call: a deadline, a timer for what is being awaited, and a switch for others.

`AsyncWatch.guard` awaits something in the caller's own task. When the deadline passes, the timer runs out or somebody
calls `break_off`, what is awaited is cancelled and the failure is raised instead; no second task is needed, and a
cancellation that comes from outside stays one. The timer is armed lazily: a stream of a thousand reads costs one timer,
not a thousand. Who waits once per token needs no coroutine and no cancellation for it: `news`, await, `settle`.

`Watch` is the same for blocking code, where the socket's own timeouts do the waiting: it looks at the deadline before
and after each wait, and so may be late by one of those timeouts.

Spec: ADP-30, ADP-33, HTU-14, SVC-16, ERR-11
"""

from __future__ import annotations

import math
from asyncio import current_task
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

from adapter_api.outcome import Outcome
from http_util.errors import DeadlineExceeded, HttpFailure, TimeoutFailure

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from http_util.call import Timeouts
    from http_util.clock import Clock, SyncClock, TimerHandle
    from http_util.deadline import Deadline

T = TypeVar("T")

_NEVER: Final = math.inf

_MOMENT: Final = 0.001


class HasNews(Protocol):
    """Something that arrives piece by piece."""

    def news(self) -> asyncio.Future[None]:
        """What is done when something has arrived."""


class WaitsForNews(Protocol):
    """The same for threads."""

    def news(self, seconds: float | None) -> bool:
        """Wait until something has arrived, at most *seconds*; whether it has."""


class AsyncWatch:
    """
    Guards the awaits of one call, one at a time.

    Any task of the event loop may call `break_off`; only the call's own task awaits `guard`.
    """

    __slots__ = (
        "_armed_at",
        "_broken_by_us",
        "_cancelled_before",
        "_clock",
        "_deadline_at",
        "_failure",
        "_handle",
        "_late",
        "_news",
        "_on_broken",
        "_task",
        "_timer",
        "_timer_at",
    )

    def __init__(self, clock: Clock, deadline: Deadline | None = None) -> None:
        """
        Watch a call.

        Args:
            clock: Tells the time and calls back.
            deadline: When the call is over; None for never.
        """
        self._clock = clock
        self._deadline_at = deadline.at if deadline is not None else _NEVER
        self._failure: HttpFailure | None = None
        # what a timer says of the wait that it has ended: of that one alone, for another attempt has its own
        self._late: HttpFailure | None = None
        self._task: asyncio.Task[Any] | None = None
        self._news: asyncio.Future[None] | None = None
        self._cancelled_before = 0
        self._broken_by_us = False
        self._timer = ""
        self._timer_at = _NEVER
        self._handle: TimerHandle | None = None
        self._armed_at = _NEVER
        self._on_broken: Callable[[], None] | None = None

    @property
    def failure(self) -> HttpFailure | None:
        """Why the call was broken off; None while it was not."""
        return self._failure

    @property
    def is_waiting(self) -> bool:
        """Whether a task is inside `guard`, or waits for `news`."""
        return self._task is not None or (self._news is not None and not self._news.cancelled())

    @property
    def clock(self) -> Clock:
        """The clock that the watch goes by."""
        return self._clock

    @property
    def deadline_at(self) -> float:
        """The monotonic moment at which the call is over; infinity for never."""
        return self._deadline_at

    def tighten(self, deadline: Deadline | None) -> None:
        """Let *deadline* end the call if it is earlier than the one in force."""
        if deadline is not None:
            self._deadline_at = min(self._deadline_at, deadline.at)

    def on_broken(self, callback: Callable[[], None]) -> None:
        """Call *callback* when the deadline passes while nobody waits in `guard`: somebody must then clean up."""
        self._on_broken = callback

    def break_off(self, failure: HttpFailure) -> bool:
        """
        End the call: what is awaited now raises *failure*, and so does every later `guard`. The first one counts.

        Returns:
            Whether a task is inside `guard`. If so it will clean up; if not, that is the caller's to do.
        """
        if self._failure is None:
            self._failure = failure
            self._end_wait()
        return self.is_waiting

    def _end_wait(self) -> None:
        """End what is awaited now; whoever waits learns the failure when it leaves, or settles."""
        if self._task is not None and not self._broken_by_us:
            self._broken_by_us = True
            self._task.cancel()
        elif self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def guard(self, awaitable: Awaitable[T], *, timer: str = "", at: float = _NEVER) -> T:
        """
        The result of *awaitable*, unless something ends the call first.

        Args:
            awaitable: What to wait for. When the call is over already, it is closed unstarted.
            timer: The reason of the failure when *at* has come.
            at: The monotonic moment by which this one wait must be over; by default the deadline alone counts.

        Raises:
            DeadlineExceeded: The deadline passed.
            TimeoutFailure: *at* has come; its reason is *timer*.
            HttpFailure: What `break_off` was given.
            asyncio.CancelledError: The task was cancelled by somebody else.
        """
        try:
            self.enter(timer, at)
        except HttpFailure:
            _close(awaitable)
            raise
        try:
            result = await awaitable
        except BaseException:
            # whatever the wait made of our cancellation, ours it was
            if (failure := self.leave()) is not None:
                raise failure from None
            raise
        if (failure := self.leave()) is not None:
            raise failure
        return result

    def enter(self, timer: str = "", at: float = _NEVER) -> None:
        """
        Begin a wait of the current task, which ends it with `leave`, whatever the wait came to.

        Args:
            timer: The reason of the failure when *at* has come.
            at: The monotonic moment by which the wait must be over; by default the deadline alone counts.

        Raises:
            HttpFailure: The call is over already; nothing may be awaited.
        """
        if self._failure is not None:
            raise self._failure
        self._timer = timer
        self._timer_at = at
        if at < self._armed_at or self._deadline_at < self._armed_at:
            self._arm(min(at, self._deadline_at))
        self._task = task = cast("asyncio.Task[Any]", current_task())
        self._cancelled_before = task.cancelling()

    def leave(self, error: BaseException | None = None) -> HttpFailure | None:  # noqa: ARG002 - as the blocking one
        """
        End the wait that `enter` began.

        Args:
            error: What the wait raised, if it did.

        Returns:
            What the caller raises in place of the wait's result or error: the wait ended because of this watch and of
            nobody else. None when it ended by itself, or when somebody else cancelled the task too.
        """
        task, self._task = self._task, None
        self._timer_at = _NEVER
        if not self._broken_by_us or task is None:
            return None
        self._broken_by_us = False
        failure, self._late = self._failure or self._late, None
        # our own cancellation is taken back either way
        return failure if task.uncancel() <= self._cancelled_before else None

    def news(self, source: HasNews, timer: str = "", at: float = _NEVER) -> asyncio.Future[None]:
        """
        What is done when *source* has news or the call is over; await it at once, then `settle`.

        Args:
            source: What to wait for.
            timer: The reason of the failure when *at* has come.
            at: As for `guard`.

        Raises:
            HttpFailure: The call is over already.
        """
        if self._failure is not None:
            raise self._failure
        self._timer = timer
        self._timer_at = at
        if at < self._armed_at or self._deadline_at < self._armed_at:
            self._arm(min(at, self._deadline_at))
        self._news = news = source.news()
        return news

    def settle(self) -> None:
        """
        End the wait that `news` began, if there was one.

        Raises:
            HttpFailure: The call is over.
        """
        self._news = None
        self._timer_at = _NEVER
        if self._failure is not None:
            raise self._failure
        if self._late is not None:
            late, self._late = self._late, None
            raise late

    def ring_by(self, at: float) -> None:
        """
        Have the timer ring at *at* or before, though nothing may be due then.

        It looks at what is due and is set anew. A wait that is due at that time, when it comes, finds it set already.
        """
        if at < self._armed_at:
            self._arm(at)

    def check(self) -> None:
        """Raise the failure of a call that is over."""
        if self._failure is not None:
            raise self._failure

    def postpone(self, at: float) -> None:
        """Let the wait that is going on be over by *at*, in place of what it began with; nothing when there is none."""
        if self._task is not None:
            self._timer_at = at
            self.ring_by(at)

    def total_timeout(self) -> float | None:
        """Seconds that the engine shall bound a request with its body by: None, because `guard` does."""
        return None

    def socket_timeout(self, timeouts: Timeouts) -> float | None:  # noqa: ARG002 - the watch keeps the time of reads
        """Seconds that the engine itself shall bound a read by: None, because `guard` does."""
        return None

    def head_timeout(self, timeouts: Timeouts) -> float | None:  # noqa: ARG002 - as `socket_timeout`
        """Seconds that the engine itself shall wait for the head: None, because `guard` does."""
        return None

    def stop(self) -> None:
        """Take the timer away: the call is over."""
        self._deadline_at = self._timer_at = self._armed_at = _NEVER
        self._on_broken = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self, due: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._armed_at = due
        self._handle = self._clock.call_at(due, self._ring)

    def _ring(self) -> None:
        """The timer rang: something is due, or it was armed for a wait that is over."""
        self._handle = None
        self._armed_at = _NEVER
        now = self._clock.monotonic()
        if now >= self._deadline_at:
            if not self.break_off(_deadline_passed()) and self._on_broken is not None:
                self._on_broken()
        elif now >= self._timer_at:
            self._timer_at = _NEVER
            if self.is_waiting:
                self._late = _timed_out(self._timer)
                self._end_wait()
        elif (due := min(self._timer_at, self._deadline_at)) < _NEVER:
            self._arm(due)


class Watch:
    """The watch of blocking code: the same names, for one thread."""

    __slots__ = ("_clock", "_deadline_at")

    def __init__(self, clock: SyncClock, deadline: Deadline | None = None) -> None:
        """Watch a call by *clock* until *deadline*; None for no deadline."""
        self._clock = clock
        self._deadline_at = deadline.at if deadline is not None else _NEVER

    @property
    def clock(self) -> SyncClock:
        """The clock that the watch goes by."""
        return self._clock

    @property
    def deadline_at(self) -> float:
        """The monotonic moment at which the call is over; infinity for never."""
        return self._deadline_at

    def tighten(self, deadline: Deadline | None) -> None:
        """Let *deadline* end the call if it is earlier than the one in force."""
        if deadline is not None:
            self._deadline_at = min(self._deadline_at, deadline.at)

    # The timer's name and moment are the asynchronous watch's business: here the socket has kept the time.
    def guard(self, result: T, *, timer: str = "", at: float = _NEVER) -> T:  # noqa: ARG002
        """
        *result*, which the caller has waited for, unless the deadline has passed meanwhile.

        Raises:
            DeadlineExceeded: The deadline passed.
        """
        if (failure := self.leave()) is not None:
            raise failure
        return result

    def on_broken(self, callback: Callable[[], None]) -> None:
        """Nobody looks at the clock while the thread is elsewhere: the deadline is noticed with the next wait."""

    def enter(self, timer: str = "", at: float = _NEVER) -> None:
        """Begin a wait: the socket keeps its time."""

    def leave(self, error: BaseException | None = None) -> DeadlineExceeded | None:
        """
        End a wait; what the caller raises in place of its result or error when the deadline has passed meanwhile.

        Args:
            error: What the wait raised, if it did. An interrupt of the program is not replaced.
        """
        if error is not None and not isinstance(error, Exception):
            return None
        return _deadline_passed() if self._clock.monotonic() >= self._deadline_at else None

    def news(self, source: WaitsForNews, timer: str = "", at: float = _NEVER) -> None:
        """
        Wait until *source* has news.

        Raises:
            DeadlineExceeded: The deadline passed.
            TimeoutFailure: *at* has come; its reason is *timer*.
        """
        due = min(at, self._deadline_at)
        if not source.news(None if due == _NEVER else max(0.0, due - self._clock.monotonic())):
            raise _deadline_passed() if due == self._deadline_at else _timed_out(timer)

    def settle(self) -> None:
        """
        End a wait.

        Raises:
            DeadlineExceeded: The deadline has passed.
        """
        if (failure := self.leave()) is not None:
            raise failure

    def ring_by(self, at: float) -> None:
        """Nothing to set."""

    def check(self) -> None:
        """
        Look at the time in the middle of a wait.

        Raises:
            DeadlineExceeded: The deadline has passed.
        """
        self.settle()

    def postpone(self, at: float) -> None:
        """Nothing to set: the engine begins to wait for the head when the body is sent."""

    def total_timeout(self) -> float | None:
        """Seconds that our engine shall bound a request with its body by: what is left of the deadline."""
        left = self._deadline_at - self._clock.monotonic()
        # a moment more, so that the deadline has surely passed when the engine says so
        return None if left == _NEVER else max(0.0, left) + _MOMENT

    def socket_timeout(self, timeouts: Timeouts) -> float | None:
        """Seconds that the engine shall bound a read by: the timers' larger one, or what is left of the deadline."""
        timer = max(_NEVER if seconds is None else seconds for seconds in (timeouts.first_byte, timeouts.idle))
        left = max(0.001, self._deadline_at - self._clock.monotonic())
        limit = min(timer, left)
        return None if limit == _NEVER else limit

    def head_timeout(self, timeouts: Timeouts) -> float | None:
        """Seconds that our engine shall wait for the head: its own timer, or what is left of the deadline."""
        timer = _NEVER if timeouts.first_byte is None else timeouts.first_byte
        limit = min(timer, max(0.001, self._deadline_at - self._clock.monotonic()))
        return None if limit == _NEVER else limit

    def stop(self) -> None:
        """Nothing to take away."""


def _deadline_passed() -> DeadlineExceeded:
    return DeadlineExceeded("the deadline passed", reason="deadline", outcome=Outcome.UNKNOWN)


def _timed_out(timer: str) -> TimeoutFailure:
    what = "no content" if timer == "content_timeout" else "nothing"
    return TimeoutFailure(f"{what} came within {timer}", reason=timer, outcome=Outcome.UNKNOWN)


def _close(awaitable: Awaitable[object]) -> None:
    """Close a coroutine that will not be awaited, so that it does not warn of it."""
    close = getattr(awaitable, "close", None)
    if close is not None:
        close()
