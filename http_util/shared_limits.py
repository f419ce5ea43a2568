"""
A limiter whose counts are shared by processes and hosts: they all together keep the limits.

It is a `RateLimiter` that asks a store in Redis or Valkey (`shared_store`) where the other asks itself. Everything else
is the same: families, hooks, refusals, the line. The line is each process's own: in it, who came first starts first,
and between processes whoever asks the store first. A burst is shared as a window of ``burst / rate`` seconds.

What an earlier call has really used is told to the store with the next one, so it costs no round trip and no task in
the background; `aclose` tells the rest. An ask that is cancelled on its way stays counted, because nobody knows whether
the store has got it.

While the store is away, *when_away* says what happens:

=======  ==========================================================================================================
open     calls start, and nothing limits them
closed   calls are refused: *rate_limited*, with the seconds until the store is asked again
local    this process keeps the limits by its own count, which it has kept all the time; n processes may start n times
         as much
=======  ==========================================================================================================

A store that hangs costs a call its *timeout* at most, and never more than the call's deadline; then nobody asks it for
*away_pause* seconds.

Spec: RL-01, RL-02, RL-03
"""

from __future__ import annotations

import asyncio
import math
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakKeyDictionary

from adapter_api.outcome import Outcome
from http_util.clock import SystemClock
from http_util.errors import Interrupted, PolicyFailure
from http_util.log import get_logger
from http_util.rate_limit import Cost, Limited, Permit
from http_util.rate_limiter import RateLimiter, check_size
from http_util.rate_refusals import where
from http_util.shared_store import Correction, Full, Reserved, SharedBudget, Store, StoreAway, libraries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Mapping, Sequence

    from http_util.call import LimitedCall
    from http_util.clock import Clock, SyncClock
    from http_util.engine.thread import EngineThread
    from http_util.rate_limit import RateLimits
    from http_util.rate_line import Line, Ticket
    from http_util.shared_store import StoreSettings
    from http_util.watch import AsyncWatch, Watch

T = TypeVar("T")


class SharedPermit(Permit):
    """A permit that the store has counted too."""

    __slots__ = ("slices",)

    def __init__(self, here: Permit, slices: tuple[int, ...]) -> None:
        """Add to the count *here* the slices in which the store has counted it, one for each budget."""
        super().__init__(here.entries, here.tokens)
        self.slices = slices


class SharedRateLimiter(RateLimiter):
    """
    Paces the calls of many processes. Close it with `aclose` in each event loop that used it, or with `close`.

    >>> from http_util.secret import Secret
    >>> from http_util.shared_store import StoreSettings
    >>> store = StoreSettings(url=Secret("redis://:password@127.0.0.1:6379/0"), when_away="local")
    >>> SharedRateLimiter(store, queue_requests=True).store.place
    'redis://127.0.0.1:6379/0'

    Spec: RL-01, RL-02, RL-03
    """

    def __init__(
        self,
        store: StoreSettings,
        limits: RateLimits | None = None,
        *,
        families: Mapping[str, RateLimits] | None = None,
        auto_adjust: bool = False,
        queue_requests: bool = False,
        max_queue_size: int = 100,
        hooks: Sequence[object] = (),
    ) -> None:
        """
        Share limits; every process must be given the same ones. Nothing is connected yet.

        Args:
            store: Where the counts are.
            limits: As for `RateLimiter`.
            families: As for `RateLimiter`.
            auto_adjust: Follow the limits that the upstream names; each process by the answers that it gets itself.
            queue_requests: Let calls wait for their turn.
            max_queue_size: How many may wait in one line of this process.
            hooks: See `http_util.rate_hooks`.

        Raises:
            PolicyFailure: *configuration*: the extra `shared` is not installed.
        """
        super().__init__(
            limits,
            families=families,
            auto_adjust=auto_adjust,
            queue_requests=queue_requests,
            max_queue_size=max_queue_size,
            hooks=hooks,
        )
        # now, and not within the time of the first call
        libraries()
        self.store: Final = store
        """Where the counts are."""
        self._stores: WeakKeyDictionary[asyncio.AbstractEventLoop, Store] = WeakKeyDictionary()
        self._thread: EngineThread | None = None
        self._away_until = -math.inf
        self._is_known_away = False
        # by line: (budget, slice) -> units that the store does not know yet
        self._untold: dict[Line, Counter[tuple[int, int]]] = {}

    async def aclose(self) -> None:
        """Tell the store the rest, and close this event loop's connections to it. Safe to call twice."""
        with self._lock:
            store = self._stores.pop(asyncio.get_running_loop(), None)
        if store is not None:
            try:
                await _within(self._tell(store), self.store.timeout, SystemClock())
            except (StoreAway, TimeoutError):
                get_logger("http_util").debug("shared_limits_untold", store=self.store.place)
            finally:
                await store.aclose()

    def close(self) -> None:
        """Close what threads have used: the connections, and the event loop behind them. Safe to call twice."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None and thread.process == os.getpid():
            thread.call(self.aclose())
            thread.stop()

    async def _ask_async(
        self, line: Line, ask: LimitedCall, ticket: Ticket | None, watch: AsyncWatch, clock: Clock
    ) -> Permit | Limited:
        """Let a call start if nobody is before it and the store has counted it."""
        limited = self._must_wait_here(line, ask, ticket, clock)
        if limited is not None:
            return limited
        if self._is_away(clock):
            return self._without_store(line, ask, ticket, clock)
        try:
            said = await watch.guard(self._reserve(line, ask, self.store.timeout, clock))
        except (StoreAway, TimeoutError) as error:
            self._went_away(error, clock)
            return self._without_store(line, ask, ticket, clock)
        return self._told(line, ask, ticket, said, clock)

    def _ask(
        self, line: Line, ask: LimitedCall, ticket: Ticket | None, watch: Watch, clock: SyncClock
    ) -> Permit | Limited:
        """Do the same for a thread; an event loop in another thread asks the store."""
        limited = self._must_wait_here(line, ask, ticket, clock)
        if limited is not None:
            return limited
        if self._is_away(clock):
            return self._without_store(line, ask, ticket, clock)
        watch.guard(None)
        seconds = min(self.store.timeout, watch.deadline_at - clock.monotonic())
        try:
            said = self._in_thread(self._reserve(line, ask, seconds, SystemClock()))
        except (StoreAway, TimeoutError) as error:
            # it may be the deadline that was short, and not the store that was slow
            watch.guard(None)
            self._went_away(error, clock)
            return self._without_store(line, ask, ticket, clock)
        watch.guard(None)
        return self._told(line, ask, ticket, said, clock)

    def _must_wait_here(
        self, line: Line, ask: LimitedCall, ticket: Ticket | None, clock: Clock | SyncClock
    ) -> Limited | None:
        """Tell when a call may start for which this process knows that it may not now; None when the store must say."""
        with self._lock:
            now = clock.monotonic()
            check_size(line, ask, now)
            return line.behind(ticket, ask.tokens, now) or line.budgets.held(now)

    async def _reserve(self, line: Line, ask: LimitedCall, seconds: float, clock: Clock) -> Reserved | Full:
        """
        Ask the store to count a call, and tell it what it does not know yet.

        Raises:
            StoreAway: It did not.
            TimeoutError: It did not within *seconds*.
        """
        with self._lock:
            budgets = _shared(line, Cost(1, ask.tokens))
            if not budgets:
                return Reserved(())
            untold = self._untold.pop(line, Counter())
            store = self._store()
        # told once at most: an ask that gets lost must not be told twice
        return await _within(store.reserve(_name(line), budgets, _corrections(untold)), seconds, clock)

    def _told(
        self, line: Line, ask: LimitedCall, ticket: Ticket | None, said: Reserved | Full, clock: Clock | SyncClock
    ) -> Permit | Limited:
        """Do as the store said."""
        with self._lock:
            self._is_known_away = False
            now = clock.monotonic()
            if isinstance(said, Full):
                return line.answered(ticket, Limited(line.budgets.rows[said.budget].limit_type, now + said.wait))
            here = line.budgets.take(Cost(1, ask.tokens), now)
            return line.answered(ticket, SharedPermit(here, said.slices))

    def _without_store(
        self, line: Line, ask: LimitedCall, ticket: Ticket | None, clock: Clock | SyncClock
    ) -> Permit | Limited:
        """Do as *when_away* says."""
        if self.store.when_away == "local":
            return self._ask_here(line, ask, ticket, clock)
        with self._lock:
            now = clock.monotonic()
            if self.store.when_away == "open":
                return line.answered(ticket, line.budgets.take(Cost(1, ask.tokens), now))
            line.refused += 1
            raise PolicyFailure(
                f"the store of the limits{where(ask)} is away, and when_away is 'closed': {self.store.place}",
                reason="rate_limited",
                outcome=Outcome.NOT_SENT,
                retry_after=max(0.0, self._away_until - now),
            )

    def _is_away(self, clock: Clock | SyncClock) -> bool:
        """Tell whether the store is left alone for now."""
        return clock.monotonic() < self._away_until

    def _went_away(self, error: Exception, clock: Clock | SyncClock) -> None:
        """Leave the store alone for a while."""
        with self._lock:
            was_known, self._is_known_away = self._is_known_away, True
            self._away_until = clock.monotonic() + self.store.away_pause
        if was_known:
            return
        get_logger("http_util").warning(
            "shared_limits_away",
            store=self.store.place,
            when_away=self.store.when_away,
            error=str(error) if isinstance(error, StoreAway) else type(error).__name__,
        )

    def _settle(self, line: Line, permit: Permit, tokens: int | None) -> None:
        """Count what a call has really used, here and, with the next ask, in the store."""
        if tokens is not None:
            self._note(line, permit, Cost(0, max(0, tokens) - permit.tokens))
        super()._settle(line, permit, tokens)

    def _give_back(self, line: Line, permit: Permit) -> None:
        """Uncount a call that has not started, here and, with the next ask, in the store."""
        self._note(line, permit, Cost(-1, -permit.tokens))
        super()._give_back(line, permit)

    def _note(self, line: Line, permit: Permit, change: Cost) -> None:
        """Note what the store does not know yet."""
        with self._lock:
            if permit.is_closed or not isinstance(permit, SharedPermit):
                return
            untold = self._untold.setdefault(line, Counter())
            for number, part in enumerate(permit.slices):
                untold[number, part] += change[line.budgets.rows[number].unit]

    async def _tell(self, store: Store) -> None:
        """Tell the store what it does not know yet."""
        with self._lock:
            untold, self._untold = self._untold, {}
        for line, changes in untold.items():
            await store.reserve(_name(line), _shared(line, Cost(0, 0)), _corrections(changes))

    def _store(self) -> Store:
        """Return the store of the event loop that runs, made when it is first asked for."""
        loop = asyncio.get_running_loop()
        store = self._stores.get(loop)
        if store is None:
            store = self._stores[loop] = Store(self.store)
        return store

    def _in_thread(self, work: Coroutine[Any, Any, T]) -> T:
        """
        Run *work* in the event loop for threads, and return its result.

        Raises:
            Interrupted: The limiter was closed meanwhile.
        """
        from httpx import StreamClosed

        from http_util.engine.thread import EngineThread

        with self._lock:
            if self._thread is None or self._thread.process != os.getpid():
                self._thread = EngineThread()
            thread = self._thread
        try:
            return thread.call(work)
        except StreamClosed:
            raise Interrupted("the limiter was closed", reason="closed", outcome=Outcome.NOT_SENT) from None

    def __repr__(self) -> str:
        """Show the settings, without credentials."""
        return f"{super().__repr__()[:-1]}, store={self.store.place!r}, when_away={self.store.when_away!r})"


async def _within(work: Awaitable[T], seconds: float, clock: Clock) -> T:
    """
    Return the result of *work*, if it comes within *seconds*.

    Raises:
        TimeoutError: It does not; it was cancelled.
    """
    task = asyncio.ensure_future(work)
    timer = clock.call_at(clock.monotonic() + seconds, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        # who waits may have been cancelled as well; then that counts
        waiter = asyncio.current_task()
        if task.cancelled() and waiter is not None and not waiter.cancelling():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()


def _shared(line: Line, cost: Cost) -> list[SharedBudget]:
    """Return a line's budgets as the store knows them."""
    return [
        SharedBudget(row.limit_type, row.gauge.seconds, row.gauge.limit, cost[row.unit]) for row in line.budgets.rows
    ]


def _corrections(untold: Mapping[tuple[int, int], int]) -> list[Correction]:
    """Return what the store does not know yet, in its words."""
    return [Correction(budget, part, units) for (budget, part), units in untold.items() if units]


def _name(line: Line) -> str:
    """Return the part of a line's keys that tells it from others."""
    return f"{line.endpoint}|{line.family}"
