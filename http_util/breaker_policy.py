"""
When a breaker opens and closes, and what a call's end says about the upstream. Pure.

=============================================================  =========
how the call ended                                             says
=============================================================  =========
well: a whole answer, or a stream with its end                 SUCCESS
5xx, 529                                                       FAILURE
no connection: refused, no such name, TLS, connect_timeout     FAILURE
a timer ran out: write, first byte, idle, content              FAILURE
a connection or a stream that broke: reset, truncated          FAILURE
an answer that is none: protocol, content_type, decode         FAILURE
4xx: the upstream is alive and says no                         SUCCESS
3xx                                                            ABANDONED
an error inside a 200 that speaks of the request               ABANDONED
no place: pool_timeout, rate_limited, queue_full, token_limit  ABANDONED
refused here: egress, circuit_open, a request that is no HTTP  ABANDONED
the caller's doing: cancelled, closed, deadline                ABANDONED
=============================================================  =========

ABANDONED means: no news. It neither opens nor closes a breaker. So a proxy's error page under a 200 can not close it,
and a full connection pool can not open it.

Spec: CB-01, CB-04
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from adapter_api.outcome import Outcome
from http_util.breaker_states import Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_util.breaker_window import CallWindow
    from http_util.errors import HttpFailure

_UNREACHABLE: Final = frozenset({"connect_timeout", "connection_failed", "dns_failed", "tls_failed"})
_UNWELL: Final = frozenset(
    {
        "bad_gateway",
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
_UNUSABLE: Final = frozenset({"content_type", "decode", "protocol"})

COUNTED_REASONS: Final = _UNREACHABLE | _UNWELL | _UNUSABLE
"""
Reasons that speak against the upstream. The one list: who counts something else says so beside it, and why.

Not in it, on purpose: `deadline`, because a caller in a hurry is no news of the upstream (keep ``first_byte_timeout``
below the deadline, and a hanging upstream is noticed); `request_timeout` (408) and `rate_limited` (429), which are 4xx.
"""

_REFUSALS: Final = range(400, 500)


def speaks_against_upstream(failure: HttpFailure) -> bool:
    """
    Tell whether *failure* counts: server errors, timeouts, broken connections and answers that are none do.

    Spec: CB-04
    """
    if failure.reason in _UNUSABLE:
        # the same reasons say that a request of ours could not be written; nothing has left then
        return failure.outcome is not Outcome.NOT_SENT
    return failure.reason in COUNTED_REASONS


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """
    When a breaker opens and closes. Immutable, compares by value, pickles; shared by any number of breakers.

    It opens when the window holds *failure_threshold* failures and, if *failure_rate* is set, that part of at least
    *minimum_calls* calls has failed. Both must be so: where calls are many, a threshold alone would open a breaker for
    five failures in ten thousand calls, and where they are few, a rate alone would open it for one in two.

    Spec: CB-01, CB-04
    """

    failure_threshold: int = 5
    """Failures inside the window that open it; at least 1."""
    failure_rate: float | None = None
    """Part of the calls inside the window that must have failed as well, above 0 up to 1; None: the number decides."""
    minimum_calls: int = 10
    """Calls inside the window without which a rate means nothing; at least 1, and of no use without *failure_rate*."""
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
    counts: Callable[[HttpFailure], bool] = field(default=speaks_against_upstream, repr=False)
    """Tells which failures count. A function of a module, for then the policy pickles; it must not raise."""

    def __post_init__(self) -> None:
        """
        Refuse settings that make no sense.

        Raises:
            ValueError: A field is out of its range; the text names it.
        """
        for name in ("failure_threshold", "minimum_calls", "success_threshold", "max_probes"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)!r}")
        for name in ("failure_window", "recovery_timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above zero seconds, not {getattr(self, name)!r}")
        if self.failure_rate is not None and not 0 < self.failure_rate <= 1:
            raise ValueError(f"failure_rate must be above 0 and at most 1, or None, not {self.failure_rate!r}")
        if not callable(self.counts):
            raise ValueError(f"counts must be a function that takes a failure, not {self.counts!r}")  # noqa: TRY004 - one class for all fields

    def verdict(self, failure: HttpFailure | None) -> Signal:
        """
        Return what the end of a call says: SUCCESS, FAILURE, or ABANDONED for nothing.

        Args:
            failure: How the call ended; None when it ended well.

        Spec: CB-04
        """
        if failure is None:
            return Signal.SUCCESS
        if self.counts(failure):
            return Signal.FAILURE
        return Signal.SUCCESS if failure.http_status in _REFUSALS else Signal.ABANDONED

    def opens(self, window: CallWindow, now: float) -> bool:
        """Tell whether a closed breaker opens whose calls are those of *window*, at the monotonic moment *now*."""
        if window.failures(now) < self.failure_threshold:
            return False
        if self.failure_rate is None:
            return True
        failed, calls = window.calls(now)
        return calls >= self.minimum_calls and failed >= self.failure_rate * calls
