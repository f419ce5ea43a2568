"""
The circuit breaker: after too many failures calls are refused at once, until a probe shows that the upstream is back.

The rules are a table, `TRANSITIONS`: state x signal -> state. Everything else here turns what happens into signals:

- a failure below the threshold is FAILURE; the one that fills the window is FAILURES_REACHED;
- a success in half-open is SUCCESS; the one that completes the series is SUCCESSES_REACHED;
- a call that tells nothing about the upstream (cancelled, refused locally) is ABANDONED;
- the end of the recovery time, noticed when somebody asks, is RECOVERY_DUE.

Pure: the time is an argument. A call takes a `Permit` and settles it once; permits of an earlier state are ignored,
so a slow call of yesterday neither closes nor opens today's breaker. A probe that is never settled is given up after
the recovery time, so that nobody can wedge the breaker by forgetting it. One breaker belongs to one event loop;
threads that share one put their own lock around it.

Spec: CB-01, CB-02, CB-03, CB-04, CB-05, CB-06, CB-07
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final

from adapter_api.outcome import Outcome
from http_util.errors import PolicyFailure
from http_util.telemetry import notify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from http_util.errors import HttpFailure


class State(StrEnum):
    """What the breaker does with calls."""

    CLOSED = "closed"
    """All pass."""
    OPEN = "open"
    """None pass."""
    HALF_OPEN = "half_open"
    """Probes pass, a few at a time."""


class Signal(Enum):
    """What can happen to a breaker."""

    SUCCESS = "success"
    FAILURE = "failure"
    SUCCESSES_REACHED = "successes_reached"
    FAILURES_REACHED = "failures_reached"
    ABANDONED = "abandoned"
    RECOVERY_DUE = "recovery_due"


TRANSITIONS: Final[Mapping[State, Mapping[Signal, State]]] = {
    State.CLOSED: {
        Signal.SUCCESS: State.CLOSED,
        Signal.FAILURE: State.CLOSED,
        Signal.SUCCESSES_REACHED: State.CLOSED,
        Signal.FAILURES_REACHED: State.OPEN,
        Signal.ABANDONED: State.CLOSED,
        Signal.RECOVERY_DUE: State.CLOSED,
    },
    State.OPEN: {
        Signal.SUCCESS: State.OPEN,
        Signal.FAILURE: State.OPEN,
        Signal.SUCCESSES_REACHED: State.OPEN,
        Signal.FAILURES_REACHED: State.OPEN,
        Signal.ABANDONED: State.OPEN,
        Signal.RECOVERY_DUE: State.HALF_OPEN,
    },
    State.HALF_OPEN: {
        Signal.SUCCESS: State.HALF_OPEN,
        Signal.FAILURE: State.OPEN,
        Signal.SUCCESSES_REACHED: State.CLOSED,
        Signal.FAILURES_REACHED: State.OPEN,
        Signal.ABANDONED: State.HALF_OPEN,
        Signal.RECOVERY_DUE: State.HALF_OPEN,
    },
}
"""Every cell of the table; nothing happens that is not in it."""

COUNTED_REASONS: Final = frozenset(
    {
        "bad_gateway",
        "connect_timeout",
        "connection_failed",
        "content_timeout",
        "first_byte_timeout",
        "gateway_timeout",
        "idle_timeout",
        "overloaded",
        "reset",
        "server_error",
        "service_unavailable",
        "truncated",
        "write_timeout",
    },
)
"""Reasons that speak against the upstream. What the client did wrong, and cancellation, do not."""


def speaks_against_upstream(failure: HttpFailure) -> bool:
    """
    Tell whether *failure* counts: server errors, timeouts and broken connections do.

    Spec: CB-04
    """
    return failure.reason in COUNTED_REASONS


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a breaker opens and closes. Immutable; shared by any number of breakers."""

    failure_threshold: int = 5
    """Failures inside the window that open it; at least 1."""
    success_threshold: int = 3
    """Successful probes in a row that close it; at least 1."""
    failure_window: float = 60.0
    """Seconds for which a failure counts; above zero."""
    recovery_timeout: float = 30.0
    """Seconds from opening to the first probe; above zero."""
    max_probes: int = 1
    """Probes in flight at once while half-open; at least 1."""
    per_endpoint: bool = False
    """Whether `Breakers` keeps a circuit for each endpoint."""

    def __post_init__(self) -> None:
        """
        Refuse settings that make no sense.

        Raises:
            ValueError: A field is out of its range; the text names it.
        """
        for field in ("failure_threshold", "success_threshold", "max_probes"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be 1 or more, not {getattr(self, field)!r}")
        for field in ("failure_window", "recovery_timeout"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} must be above zero seconds, not {getattr(self, field)!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStats:
    """
    Numbers about one breaker.

    Spec: CB-03
    """

    failure_count: int
    """Counted failures since the breaker was made."""
    success_count: int
    """Successes since the breaker was made."""
    total_requests: int
    """Calls that asked, the refused ones included."""
    last_failure: float | None
    """Monotonic moment of the last counted failure."""
    state_changed_at: float | None
    """Monotonic moment of the last change; None when there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    """What hooks get in ``on_state_change``."""

    endpoint: str
    """Whose breaker."""
    old: State
    """The state it left."""
    new: State
    """The state it is in."""
    stats: BreakerStats
    """Its numbers at that moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """What hooks get in ``on_rejected``."""

    endpoint: str
    """Whose breaker."""
    request_id: str | None
    """The caller's id of the request."""
    retry_after: float | None
    """Seconds until a probe may pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettled:
    """What hooks get in ``on_outcome``."""

    endpoint: str
    """Whose breaker."""
    signal: Signal
    """SUCCESS, FAILURE or ABANDONED."""


class Permit:
    """The leave to make one call. Settle it once; only its breaker looks inside."""

    __slots__ = ("_generation", "_is_probe", "_since", "is_settled")

    def __init__(self, generation: int, *, is_probe: bool, since: float) -> None:
        """Note in which state, and when, the permit was given."""
        self.is_settled = False
        """Whether the call has ended."""
        self._generation = generation
        self._is_probe = is_probe
        self._since = since


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
        self._state = State.CLOSED
        # grows with every change of state; permits of an older generation are out of date
        self._generation = 0
        self._recent: deque[float] = deque(maxlen=self.policy.failure_threshold)
        self._series = 0
        self._probes: list[Permit] = []
        self._failures = self._successes = self._total = 0
        self._last_failure: float | None = None
        self._changed_at: float | None = None

    def admit(self, now: float, *, request_id: str | None = None) -> Permit:
        """
        Give leave for one call.

        Args:
            now: Monotonic seconds.
            request_id: The caller's id, for the hook.

        Raises:
            PolicyFailure: *circuit_open*, NOT_SENT; ``retry_after`` holds the seconds left until a probe may pass, None
                while a probe is under way.

        Spec: CB-01, CB-06, CB-07
        """
        self._total += 1
        state = self.state_at(now)
        if state is State.OPEN:
            raise self._refusal(request_id, self._opened_at + self.policy.recovery_timeout - now)
        permit = Permit(self._generation, is_probe=state is State.HALF_OPEN, since=now)
        if state is State.HALF_OPEN:
            self._probes = [p for p in self._probes if now - p._since < self.policy.recovery_timeout]  # noqa: SLF001 ours
            if len(self._probes) >= self.policy.max_probes:
                raise self._refusal(request_id, None)
            self._probes.append(permit)
        return permit

    def settle(
        self,
        permit: Permit,
        failure: HttpFailure | None,
        now: float,
        *,
        counts: Callable[[HttpFailure], bool] = speaks_against_upstream,
    ) -> None:
        """
        End a call with its failure, or None for success; a stream succeeds only when it ended well.

        A failure that does not count but came with a status shows that the upstream answers, so it is a success here;
        one without a status (cancelled, refused locally) says nothing.

        Spec: CB-04, CB-06
        """
        if failure is None:
            self.settle_success(permit, now)
        elif counts(failure):
            self.settle_failure(permit, now)
        elif failure.http_status is not None:
            self.settle_success(permit, now)
        else:
            self.abandon(permit, now)

    def settle_success(self, permit: Permit, now: float) -> None:
        """End a call well."""
        if not self._take_back(permit, Signal.SUCCESS):
            return
        self._successes += 1
        if self._is_current(permit):
            self._series += self._state is State.HALF_OPEN
            reached = self._series >= self.policy.success_threshold
            self._apply(Signal.SUCCESSES_REACHED if reached else Signal.SUCCESS, now)

    def settle_failure(self, permit: Permit, now: float) -> None:
        """End a call with a failure that speaks against the upstream."""
        if not self._take_back(permit, Signal.FAILURE):
            return
        self._failures += 1
        self._last_failure = now
        if self._is_current(permit):
            self._recent.append(now)
            is_full = len(self._recent) == self.policy.failure_threshold
            reached = is_full and now - self._recent[0] <= self.policy.failure_window
            self._apply(Signal.FAILURES_REACHED if reached else Signal.FAILURE, now)

    def abandon(self, permit: Permit, now: float) -> None:
        """End a call that says nothing about the upstream: it was cancelled, or never left."""
        if self._take_back(permit, Signal.ABANDONED) and self._is_current(permit):
            self._apply(Signal.ABANDONED, now)

    def state_at(self, now: float) -> State:
        """Return the state at the monotonic moment *now*; an open breaker whose time is over becomes half-open."""
        if self._state is State.OPEN and now - self._opened_at >= self.policy.recovery_timeout:
            self._apply(Signal.RECOVERY_DUE, now)
        return self._state

    @property
    def stats(self) -> BreakerStats:
        """
        The breaker's numbers.

        Spec: CB-03
        """
        return BreakerStats(
            failure_count=self._failures,
            success_count=self._successes,
            total_requests=self._total,
            last_failure=self._last_failure,
            state_changed_at=self._changed_at,
        )

    @property
    def _opened_at(self) -> float:
        """The moment of the last change; only asked while open."""
        return self._changed_at or 0.0

    def _is_current(self, permit: Permit) -> bool:
        """Tell whether *permit* was given in the state that the breaker is in."""
        return permit._generation == self._generation  # noqa: SLF001 ours

    def _take_back(self, permit: Permit, signal: Signal) -> bool:
        """Note the end of a call and tell whether it was the first."""
        if permit.is_settled:
            return False
        permit.is_settled = True
        if permit in self._probes:
            self._probes.remove(permit)
        notify(self._hooks, "on_outcome", CallSettled(endpoint=self.endpoint, signal=signal))
        return True

    def _apply(self, signal: Signal, now: float) -> None:
        """Look the next state up, and begin it afresh when it is another one."""
        old, self._state = self._state, TRANSITIONS[self._state][signal]
        if self._state is old:
            return
        self._generation += 1
        self._changed_at = now
        self._recent.clear()
        self._series = 0
        self._probes.clear()
        record = StateChanged(endpoint=self.endpoint, old=old, new=self._state, stats=self.stats)
        notify(self._hooks, "on_state_change", record)

    def _refusal(self, request_id: str | None, retry_after: float | None) -> PolicyFailure:
        """Return the failure of a call that is not let through."""
        notify(
            self._hooks,
            "on_rejected",
            Rejected(endpoint=self.endpoint, request_id=request_id, retry_after=retry_after),
        )
        where = f" for {self.endpoint}" if self.endpoint else ""
        return PolicyFailure(
            f"the circuit breaker{where} is {self._state.value}: the upstream failed too often just now",
            reason="circuit_open",
            outcome=Outcome.NOT_SENT,
            retry_after=retry_after,
        )

    def __repr__(self) -> str:
        """Show the state as it was last noticed."""
        return f"Breaker(endpoint={self.endpoint!r}, state={self._state.value!r}, {self.stats})"


class Breakers:
    """
    The circuits of one client: one for all endpoints, or one for each.

    Spec: CB-05
    """

    def __init__(self, policy: BreakerPolicy | None = None, *, hooks: Sequence[object] = ()) -> None:
        """Make circuits by *policy* when they are first asked for."""
        self.policy = policy or BreakerPolicy()
        """The rules of all circuits."""
        self._hooks = hooks
        self._circuits: dict[str, Breaker] = {}

    def circuit(self, endpoint: str) -> Breaker:
        """Return the circuit for *endpoint*, always the same one."""
        name = endpoint if self.policy.per_endpoint else ""
        found = self._circuits.get(name)
        if found is None:
            found = self._circuits[name] = Breaker(self.policy, endpoint=name, hooks=self._hooks)
        return found
