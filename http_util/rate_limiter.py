"""
The limiter: lets calls start at the pace that their limits allow, and is where they wait for it.

What may start when is decided in `rate_limit` and `rate_line`; here is the lock around these decisions, and the waiting
in both colours. Nothing runs in the background: who waits, waits in its own task or thread.

A call that cannot start now is announced to the hooks. It then waits for its turn in its line (with *queue_requests*,
or when a hook says so), or it is refused at once with the seconds until it could have started. It is also refused at
once when its turn cannot come before its deadline. Tasks are woken when their turn comes or moves up; threads look for
themselves, every `RE_ASK` seconds at least.

One limiter may be shared by any number of tasks, event loops and threads. Hooks are called outside its lock.

Spec: RL-01, RL-02, RL-03, RL-04, RL-05, RL-06, RL-07, REL-04
"""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from http_util.rate_bell import Bell
from http_util.rate_headers import RateHeaders, asked_pause
from http_util.rate_hooks import QUEUE, REJECT, RateLimitRecord, RateLimitUpdate, Wait, decide
from http_util.rate_limit import Limited, LimitType, Permit, RateLimits
from http_util.rate_line import Lines, Ticket
from http_util.rate_refusals import NOTHING_SENT, in_vain, no_room, not_now, too_large
from http_util.telemetry import notify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from http_util.call import LimitedCall
    from http_util.clock import Clock, SyncClock
    from http_util.errors import PolicyFailure
    from http_util.rate_hooks import Step
    from http_util.rate_line import Line, LineStats
    from http_util.watch import AsyncWatch, Watch

RE_ASK: Final = 0.05
"""Seconds after which a waiting thread looks again, at the latest: somebody before it may have left."""

SHORTEST_PAUSE: Final = 0.005
"""Seconds for which a waiting thread sleeps at least."""

LONGEST_HOLD: Final = 3600.0
"""Seconds for which one refusal of the upstream holds calls, at most; the next one holds them again."""

_TOO_MANY_REQUESTS: Final = 429


class RateLimiter:
    """
    Paces the calls of one client, or of all that share it.

    >>> from http_util.call import LimitedCall
    >>> from http_util.testing import FakeSyncClock
    >>> from http_util.watch import Watch
    >>> limiter = RateLimiter(RateLimits(requests_per_second=2.0, burst_size=1), queue_requests=True)
    >>> clock = FakeSyncClock()
    >>> ask = LimitedCall(endpoint="https://a:443", family="chat", request_id=None, tokens=0)
    >>> leaves = [limiter.acquire(ask, Watch(clock), clock) for _ in range(3)]
    >>> round(clock.monotonic(), 1)
    1.0

    Spec: RL-01, RL-02, RL-03, RL-07
    """

    def __init__(
        self,
        limits: RateLimits | None = None,
        *,
        families: Mapping[str, RateLimits] | None = None,
        auto_adjust: bool = False,
        queue_requests: bool = False,
        max_queue_size: int = 100,
        hooks: Sequence[object] = (),
    ) -> None:
        """
        Limit calls; every endpoint has limits of its own.

        Args:
            limits: For all families together that have none of their own; None for no limit.
            families: Limits by kind of operation, such as ``{"embeddings": RateLimits(...)}``.
            auto_adjust: Follow what the upstream says of its limits, up and down, and start nothing while it refuses.
            queue_requests: Let calls wait for their turn, instead of refusing those that cannot start now.
            max_queue_size: How many may wait in one line, 1 or more.
            hooks: Objects with ``on_rate_limit`` or ``on_rate_limit_update``, see `http_util.rate_hooks`.

        Raises:
            ValueError: *max_queue_size* is below 1.
        """
        if max_queue_size < 1:
            raise ValueError(f"max_queue_size must be 1 or more, not {max_queue_size!r}")
        self.limits = limits or RateLimits()
        """What holds where no family's limits do."""
        self.families: Mapping[str, RateLimits] = MappingProxyType(dict(families or {}))
        """Limits by family."""
        self.auto_adjust = auto_adjust
        self.queue_requests = queue_requests
        self.max_queue_size = max_queue_size
        self._hooks = tuple(hooks)
        self._lock = threading.Lock()
        self._lines = Lines(self.limits, self.families, room=max_queue_size)

    async def acquire_async(self, ask: LimitedCall, watch: AsyncWatch, clock: Clock) -> Leave:
        """
        Let a call start, at once or when its turn comes.

        Args:
            ask: The call.
            watch: Ends the wait with the call's deadline, or when the call is broken off.
            clock: Tells the time and calls back.

        Returns:
            The leave to start, to be settled or abandoned when the call has ended.

        Raises:
            PolicyFailure: *rate_limited*: it cannot start now, or not before its deadline; ``retry_after`` says when it
                could. *queue_full*: too many wait. *token_limit*: it is larger than a whole budget.
            DeadlineExceeded: The deadline passed while it waited.
            HttpFailure: The call was broken off while it waited.

        All of them are NOT_SENT.

        Spec: RL-03
        """
        line = self._line_of(ask, clock)
        with NOTHING_SENT:
            answer = await self._ask_async(line, ask, None, watch, clock)
            while isinstance(answer, Limited):
                step = self._step(line, ask, answer, clock.monotonic(), watch.deadline_at)
                if isinstance(step, Wait):
                    await watch.guard(clock.sleep(step.seconds))
                    answer = await self._ask_async(line, ask, None, watch, clock)
                else:
                    answer = await self._queue_async(line, ask, answer, watch, clock)
        return Leave(self, line, answer)

    def acquire(self, ask: LimitedCall, watch: Watch, clock: SyncClock) -> Leave:
        """
        Let a call of this thread start, as `acquire_async` does for a task.

        Spec: RL-03
        """
        line = self._line_of(ask, clock)
        with NOTHING_SENT:
            answer = self._ask(line, ask, None, watch, clock)
            while isinstance(answer, Limited):
                step = self._step(line, ask, answer, clock.monotonic(), watch.deadline_at)
                if isinstance(step, Wait):
                    _sleep(step.seconds, watch, clock)
                    answer = self._ask(line, ask, None, watch, clock)
                else:
                    answer = self._queue(line, ask, answer, watch, clock)
        return Leave(self, line, answer)

    def learn(self, ask: LimitedCall, status: int, headers: Mapping[str, str], now: float) -> None:
        """
        Take in the head of an answer: tell the hooks, and with *auto_adjust* follow it.

        Args:
            ask: The call that was answered.
            status: The answer's status.
            headers: By lower-case name.
            now: Monotonic seconds.

        Spec: RL-04, RL-05, RL-06
        """
        if not self._hooks and not self.auto_adjust:
            return
        told = RateHeaders.of(headers)
        if told is not None:
            self._follow(ask, told, now)
        if status == _TOO_MANY_REQUESTS:
            self._hold(ask, asked_pause(headers, told), now)

    def stats(self, now: float) -> tuple[LineStats, ...]:
        """Return the numbers of every line at the monotonic moment *now*."""
        with self._lock:
            return tuple(line.stats(now) for line in self._lines)

    # The next two are all that another limiter replaces which counts elsewhere. Without a ticket, a newcomer asks.

    async def _ask_async(
        self,
        line: Line,
        ask: LimitedCall,
        ticket: Ticket | None,
        watch: AsyncWatch,  # noqa: ARG002 - for who has to wait for the answer
        clock: Clock,
    ) -> Permit | Limited:
        """Let a call start, or tell when it may."""
        return self._ask_here(line, ask, ticket, clock)

    def _ask(
        self,
        line: Line,
        ask: LimitedCall,
        ticket: Ticket | None,
        watch: Watch,  # noqa: ARG002 - for who has to wait for the answer
        clock: SyncClock,
    ) -> Permit | Limited:
        """Let a call start, or tell when it may."""
        return self._ask_here(line, ask, ticket, clock)

    def _ask_here(
        self, line: Line, ask: LimitedCall, ticket: Ticket | None, clock: Clock | SyncClock
    ) -> Permit | Limited:
        """Ask the budgets of this process."""
        with self._lock:
            # the time is read under the lock, so that starts are counted in the order of their moments
            now = clock.monotonic()
            check_size(line, ask, now)
            return line.ask(ticket, ask.tokens, now)

    async def _queue_async(
        self, line: Line, ask: LimitedCall, limited: Limited, watch: AsyncWatch, clock: Clock
    ) -> Permit:
        """Wait for the turn of a task. It is woken when it is the first, and when the first may start."""
        bell = Bell()
        ticket = self._join(line, ask, limited, clock.monotonic(), bell.ring)
        try:
            while True:
                timer = clock.call_at(limited.at, bell.ring) if line.first is ticket else None
                try:
                    await watch.guard(bell.rung())
                finally:
                    if timer is not None:
                        timer.cancel()
                bell.silence()
                answer = await self._ask_async(line, ask, ticket, watch, clock)
                if isinstance(answer, Permit):
                    return answer
                limited = answer
                self._check_wait(line, ask, limited, limited.at, clock.monotonic(), watch.deadline_at)
        finally:
            self._leave(line, ticket)

    def _queue(self, line: Line, ask: LimitedCall, limited: Limited, watch: Watch, clock: SyncClock) -> Permit:
        """Wait for the turn of a thread, which looks for itself."""
        ticket = self._join(line, ask, limited, clock.monotonic(), None)
        try:
            while True:
                _sleep(min(max(limited.at - clock.monotonic(), SHORTEST_PAUSE), RE_ASK), watch, clock)
                answer = self._ask(line, ask, ticket, watch, clock)
                if isinstance(answer, Permit):
                    return answer
                limited = answer
                self._check_wait(line, ask, limited, limited.at, clock.monotonic(), watch.deadline_at)
        finally:
            self._leave(line, ticket)

    def _line_of(self, ask: LimitedCall, clock: Clock | SyncClock) -> Line:
        """Return the line of *ask*."""
        with self._lock:
            return self._lines.of(ask, clock.monotonic())

    def _step(self, line: Line, ask: LimitedCall, limited: Limited, now: float, deadline: float) -> Step:
        """
        Return what becomes of a call that cannot start now: a pause, or a place in the line.

        Raises:
            PolicyFailure: It is refused, or would wait in vain.
        """
        default: Step = QUEUE if self.queue_requests else REJECT
        if limited.limit_type is LimitType.SERVER_ENFORCED and line.manner is not None:
            default = line.manner
        step = decide(self._hooks, _record(ask, limited.limit_type, max(0.0, limited.at - now)), default)
        if step == REJECT:
            raise self._refused(line, not_now(ask, limited, now))
        at = now + step.seconds if isinstance(step, Wait) else limited.at
        self._check_wait(line, ask, limited, at, now, deadline)
        return step

    def _check_wait(
        self, line: Line, ask: LimitedCall, limited: Limited, until: float, now: float, deadline: float
    ) -> None:
        """
        Refuse a call that would wait in vain.

        Raises:
            PolicyFailure: The deadline comes before *until*, or with it.
        """
        if until >= deadline:
            raise self._refused(line, in_vain(ask, limited, now))

    def _refused(self, line: Line, failure: PolicyFailure) -> PolicyFailure:
        """Count a refusal, and return it."""
        with self._lock:
            line.refused += 1
        return failure

    def _join(
        self, line: Line, ask: LimitedCall, limited: Limited, now: float, ring: Callable[[], None] | None
    ) -> Ticket:
        """
        Return a new place in the line.

        Raises:
            PolicyFailure: There is none.
        """
        ticket = Ticket(ask.tokens, ring)
        with self._lock:
            has_room = line.join(ticket)
        if not has_room:
            raise self._refused(line, no_room(ask, limited, now, self.max_queue_size))
        return ticket

    def _leave(self, line: Line, ticket: Ticket) -> None:
        """Give a place in the line up, used or not."""
        with self._lock:
            line.leave(ticket)
        self._wake(line)

    def _wake(self, line: Line) -> None:
        """Let the first of the line look again: it has become the first, or there is more room."""
        with self._lock:
            first = line.first
        if first is not None and first.ring is not None:
            first.ring()

    def _follow(self, ask: LimitedCall, told: RateHeaders, now: float) -> None:
        """Tell the hooks what an answer says about limits, and follow it if that is wanted."""
        record = RateLimitUpdate(
            request_id=ask.request_id,
            requests=told.requests,
            tokens=told.tokens,
            endpoint=ask.endpoint,
            family=ask.family,
        )
        notify(self._hooks, "on_rate_limit_update", record)
        if self.auto_adjust:
            with self._lock:
                line = self._lines.of(ask, now)
                line.budgets.adapt(told, now)
            self._wake(line)

    def _hold(self, ask: LimitedCall, pause: float | None, now: float) -> None:
        """Start nothing while the upstream refuses, if that is wanted: by *auto_adjust*, or by a hook's answer."""
        said = decide(self._hooks, _record(ask, LimitType.SERVER_ENFORCED, pause), None)
        if said is None and not self.auto_adjust:
            return
        seconds = said.seconds if isinstance(said, Wait) else (pause or 0.0)
        with self._lock:
            line = self._lines.of(ask, now)
            line.manner = None if isinstance(said, Wait) else said
            line.budgets.hold(now + min(seconds, LONGEST_HOLD))

    def _settle(self, line: Line, permit: Permit, tokens: int | None) -> None:
        """Count what a call has really used."""
        with self._lock:
            line.budgets.correct(permit, tokens)
        self._wake(line)

    def _give_back(self, line: Line, permit: Permit) -> None:
        """Uncount a call that has not started."""
        with self._lock:
            line.budgets.give_back(permit)
        self._wake(line)

    def __repr__(self) -> str:
        """Show the settings, and how many calls wait."""
        return (
            f"{type(self).__name__}(limits={self.limits!r}, families={dict(self.families)!r}, "
            f"auto_adjust={self.auto_adjust}, queue_requests={self.queue_requests}, "
            f"max_queue_size={self.max_queue_size}, {self._lines!r})"
        )


class Leave:
    """The leave to make one call. Only the first `settle` or `abandon` counts."""

    __slots__ = ("_limiter", "_line", "_permit")

    def __init__(self, limiter: RateLimiter, line: Line, permit: Permit) -> None:
        """Hold what was counted."""
        self._limiter = limiter
        self._line = line
        self._permit = permit

    def settle(self, tokens: int | None) -> None:
        """
        The call has ended.

        Args:
            tokens: What it has really used; None leaves the estimate.

        Spec: RL-02
        """
        self._limiter._settle(self._line, self._permit, tokens)  # noqa: SLF001 - the limiter's own hand

    def abandon(self) -> None:
        """The call has not left: nothing of it counts any more."""
        self._limiter._give_back(self._line, self._permit)  # noqa: SLF001 - the limiter's own hand


def check_size(line: Line, ask: LimitedCall, now: float) -> None:
    """
    Refuse a call that no waiting would help.

    Raises:
        PolicyFailure: *token_limit*.
    """
    if (row := line.budgets.too_small(ask.tokens, now)) is not None:
        line.refused += 1
        raise too_large(ask, row)


def _sleep(seconds: float, watch: Watch, clock: SyncClock) -> None:
    """Sleep, unless the call is over then."""
    clock.sleep(seconds)
    watch.guard(None)


def _record(ask: LimitedCall, limit_type: LimitType, retry_after: float | None) -> RateLimitRecord:
    return RateLimitRecord(
        request_id=ask.request_id,
        limit_type=limit_type,
        retry_after=retry_after,
        endpoint=ask.endpoint,
        family=ask.family,
    )
