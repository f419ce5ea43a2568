"""
The circuit breaker: after too many failures calls are refused at once, until a probe shows that the upstream is back.

The rules stand in three tables: which state follows which (`breaker_states`), which end of a call counts as what
(`breaker_policy`), and when enough have counted (`breaker_window`). Here they are applied to what happens:

===========  ====================  ==================================================  ===========
state        calls                 what ends it                                        leads to
===========  ====================  ==================================================  ===========
closed       all pass              the failure that fills the window                   open
open         all refused           *recovery_timeout*, noticed when somebody asks      half_open
half_open    *max_probes* at once  the first failure                                   open
half_open    *max_probes* at once  *success_threshold* successes                       closed
===========  ====================  ==================================================  ===========

The time is an argument. A call takes a `Permit` and settles it once; permits of an earlier state are ignored, so a slow
call of yesterday neither closes nor opens today's breaker. A probe keeps its place for as long as its call runs, and no
longer: a cancelled one gives it back, and one that is dropped unsettled does when Python frees its permit, so nobody
can wedge a breaker by forgetting.

Tasks and threads may share a breaker. A lock is held for each decision and for nothing else; hooks are called after it
was let go, in the thread that caused the news.

Spec: CB-01, CB-02, CB-03, CB-04, CB-05, CB-06, CB-07, REL-04
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock, RLock
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from http_util.breaker_policy import COUNTED_REASONS, BreakerPolicy, speaks_against_upstream
from http_util.breaker_records import HOOKS, BreakerStats, CallSettled, Rejected, StateChanged
from http_util.breaker_states import TRANSITIONS, Signal, State
from http_util.breaker_window import CallWindow
from http_util.telemetry import notify

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from http_util.errors import HttpFailure

# The breaker has several rooms, and this is their door.
__all__ = [
    "COUNTED_REASONS",
    "MOST_CIRCUITS",
    "PROBE_PAUSE",
    "TRANSITIONS",
    "Breaker",
    "BreakerPolicy",
    "BreakerStats",
    "Breakers",
    "CallSettled",
    "Permit",
    "Rejected",
    "Signal",
    "State",
    "StateChanged",
    "speaks_against_upstream",
]

PROBE_PAUSE: Final = 1.0
"""
Seconds after which a caller may ask again who came during a probe; *recovery_timeout* when that is less.

Nobody knows when a probe ends. A second keeps a crowd from asking all the time, and costs little when the probe
succeeds at once.
"""

_ROUNDING: Final = 1e-6
"""Seconds that a caller may come too early: who waited as long as he was told must not be turned away by arithmetic."""

MOST_CIRCUITS: Final = 1024
"""Circuits that `Breakers` keeps: far more than anybody has endpoints. The one asked for longest ago goes first."""


class Permit:
    """The leave to make one call. Settle it once; only its breaker looks inside."""

    __slots__ = ("__weakref__", "_generation", "is_settled")

    def __init__(self, generation: int) -> None:
        """Note in which state the permit was given."""
        self.is_settled = False
        """Whether the call has ended."""
        self._generation = generation


class Breaker:
    """
    One circuit.

    >>> breaker = Breaker(BreakerPolicy(failure_threshold=1, recovery_timeout=30.0))
    >>> breaker.settle_failure(breaker.admit(now=0.0), now=1.0)
    >>> breaker.state_at(now=1.0).value, breaker.state_at(now=31.0).value
    ('open', 'half_open')
    """

    def __init__(
        self, policy: BreakerPolicy | None = None, *, endpoint: str = "", hooks: Sequence[object] = ()
    ) -> None:
        """
        Begin closed.

        Args:
            policy: The rules; the defaults of `BreakerPolicy` when None.
            endpoint: Whose breaker; appears in records and in the refusal.
            hooks: Objects with some of ``on_state_change``, ``on_rejected``, ``on_outcome``, each taking one record.
        """
        self.policy = policy or BreakerPolicy()
        """The rules."""
        self.endpoint = endpoint
        """Whose breaker."""
        self._hooks = hooks
        # reentrant: while a decision is made, the collector may run a finalizer that settles a call of this breaker
        self._lock = RLock()
        self._state = State.CLOSED
        # grows with every change of state; permits of an older generation are out of date
        self._generation = 0
        self._window = CallWindow(self.policy.failure_window, most_failures=self.policy.failure_threshold)
        self._series = 0
        # weak: a permit that nobody has any more belongs to a call that does not run any more
        self._probes: WeakSet[Permit] = WeakSet()
        self._failures = self._successes = self._total = 0
        self._last_failure: float | None = None
        self._last_reason: str | None = None
        self._changed_at: float | None = None

    def admit(self, now: float, *, request_id: str | None = None) -> Permit:
        """
        Give leave for one call.

        Args:
            now: Monotonic seconds.
            request_id: The caller's id, for the hook.

        Raises:
            PolicyFailure: *circuit_open*, NOT_SENT. ``retry_after`` holds the seconds left until a probe may pass, or
                `PROBE_PAUSE` while one is under way.

        Spec: CB-01, CB-06, CB-07
        """
        with self._lock:
            self._total += 1
            news: list[object] = [*self._notice_time(now)]
            answer = self._permit_or_refusal(now, request_id)
        if isinstance(answer, Permit):
            self._tell(news)
            return answer
        self._tell([*news, answer])
        raise answer.as_failure()

    def settle(self, permit: Permit, failure: HttpFailure | None, now: float) -> None:
        """
        End a call with its failure, or None for success; a stream succeeds only when it ended well.

        `BreakerPolicy.verdict` says what the end means.

        Spec: CB-04, CB-06
        """
        self._end(permit, self.policy.verdict(failure), now, None if failure is None else failure.reason)

    def settle_success(self, permit: Permit, now: float) -> None:
        """End a call well."""
        self._end(permit, Signal.SUCCESS, now)

    def settle_failure(self, permit: Permit, now: float, *, reason: str | None = None) -> None:
        """End a call with a failure that speaks against the upstream; *reason* is its name, for the numbers."""
        self._end(permit, Signal.FAILURE, now, reason)

    def abandon(self, permit: Permit, now: float) -> None:
        """End a call that says nothing about the upstream: it was cancelled, or never left."""
        self._end(permit, Signal.ABANDONED, now)

    def state_at(self, now: float) -> State:
        """Return the state at the monotonic moment *now*; an open breaker whose time is over becomes half-open."""
        with self._lock:
            news = self._notice_time(now)
            state = self._state
        self._tell(news)
        return state

    @property
    def stats(self) -> BreakerStats:
        """
        The breaker's numbers.

        Spec: CB-03
        """
        with self._lock:
            return self._numbers()

    def _end(self, permit: Permit, signal: Signal, now: float, reason: str | None = None) -> None:
        """Take a call's end in; only the first one of a permit counts."""
        with self._lock:
            if permit.is_settled:
                return
            permit.is_settled = True
            self._probes.discard(permit)
            self._count(signal, now, reason)
            news: list[object] = [CallSettled(endpoint=self.endpoint, signal=signal)]
            if permit._generation == self._generation:  # noqa: SLF001 - ours
                news += self._move(self._weighed(signal, now), now)
        self._tell(news)

    def _count(self, signal: Signal, now: float, reason: str | None) -> None:
        """Add a call's end to the numbers."""
        if signal is Signal.SUCCESS:
            self._successes += 1
        elif signal is Signal.FAILURE:
            self._failures += 1
            self._last_failure, self._last_reason = now, reason

    def _weighed(self, signal: Signal, now: float) -> Signal:
        """Return *signal*, or the one that says that it was the last one needed."""
        if signal is Signal.ABANDONED:
            return signal
        self._window.note(now, failed=signal is Signal.FAILURE)
        if signal is Signal.FAILURE:
            return Signal.FAILURES_REACHED if self.policy.opens(self._window, now) else signal
        self._series += self._state is State.HALF_OPEN
        return Signal.SUCCESSES_REACHED if self._series >= self.policy.success_threshold else signal

    def _notice_time(self, now: float) -> list[StateChanged]:
        """Become half-open when the recovery time is over."""
        if self._state is State.OPEN and self._recovery_left(now) <= _ROUNDING:
            return self._move(Signal.RECOVERY_DUE, now)
        return []

    def _recovery_left(self, now: float) -> float:
        """Return the seconds until the first probe; only asked while open."""
        return self.policy.recovery_timeout - (now - (self._changed_at or 0.0))

    def _permit_or_refusal(self, now: float, request_id: str | None) -> Permit | Rejected:
        """Return the leave for a call, or why there is none."""
        wait = None
        if self._state is State.OPEN:
            wait = self._recovery_left(now)
        elif self._state is State.HALF_OPEN and len(self._probes) >= self.policy.max_probes:
            wait = min(PROBE_PAUSE, self.policy.recovery_timeout)
        if wait is not None:
            return Rejected(
                endpoint=self.endpoint,
                request_id=request_id,
                state=self._state,
                last_reason=self._last_reason,
                retry_after=wait,
            )
        permit = Permit(self._generation)
        if self._state is State.HALF_OPEN:
            self._probes.add(permit)
        return permit

    def _move(self, signal: Signal, now: float) -> list[StateChanged]:
        """Look the next state up, and begin it afresh when it is another one."""
        old, self._state = self._state, TRANSITIONS[self._state][signal]
        if self._state is old:
            return []
        self._generation += 1
        self._changed_at = now
        self._window.clear()
        self._series = 0
        return [StateChanged(endpoint=self.endpoint, old=old, new=self._state, stats=self._numbers())]

    def _numbers(self) -> BreakerStats:
        """Return the numbers as they stand."""
        return BreakerStats(
            failure_count=self._failures,
            success_count=self._successes,
            total_requests=self._total,
            last_failure=self._last_failure,
            last_reason=self._last_reason,
            state_changed_at=self._changed_at,
        )

    def _tell(self, news: Iterable[object]) -> None:
        """Tell the hooks. Never under the lock: a hook may ask the breaker, and may take its time."""
        for record in news:
            notify(self._hooks, HOOKS[type(record)], record)

    def __repr__(self) -> str:
        """Show the state as it was last noticed."""
        return f"Breaker(endpoint={self.endpoint!r}, state={self._state.value!r}, {self.stats})"


class Breakers:
    """
    The circuits of one client: one for all endpoints, or one for each.

    >>> breakers = Breakers(BreakerPolicy(per_endpoint=True))
    >>> breakers.circuit("https://a:443") is breakers.circuit("https://a:443")
    True
    >>> sorted(breakers.circuits)
    ['https://a:443']

    Spec: CB-05, REL-04
    """

    def __init__(self, policy: BreakerPolicy | None = None, *, hooks: Sequence[object] = ()) -> None:
        """
        Make circuits by *policy* when they are first asked for.

        Args:
            policy: The rules of all circuits; the defaults of `BreakerPolicy` when None.
            hooks: See `Breaker`.
        """
        self.policy = policy or BreakerPolicy()
        """The rules of all circuits."""
        self._hooks = hooks
        self._lock = Lock()
        self._circuits: OrderedDict[str, Breaker] = OrderedDict()

    def circuit(self, endpoint: str) -> Breaker:
        """
        Return the circuit for *endpoint*, the same one each time while it is among the last `MOST_CIRCUITS` asked for.

        Args:
            endpoint: ``scheme://host:port``; without *per_endpoint* all share one circuit, whose name is empty.
        """
        name = endpoint if self.policy.per_endpoint else ""
        with self._lock:
            found = self._circuits.get(name)
            if found is None:
                found = self._circuits[name] = Breaker(self.policy, endpoint=name, hooks=self._hooks)
                if len(self._circuits) > MOST_CIRCUITS:
                    self._circuits.popitem(last=False)
            else:
                self._circuits.move_to_end(name)
            return found

    @property
    def circuits(self) -> dict[str, Breaker]:
        """
        The circuits by endpoint, the one asked for last at the end; a copy.

        Spec: CB-05
        """
        with self._lock:
            return dict(self._circuits)

    @property
    def stats(self) -> dict[str, BreakerStats]:
        """
        The numbers of each circuit, by endpoint.

        Spec: CB-03
        """
        return {endpoint: breaker.stats for endpoint, breaker in self.circuits.items()}

    def __repr__(self) -> str:
        """Show the rules and how many circuits there are."""
        return f"Breakers({self.policy}, <{len(self.circuits)} circuits>)"
