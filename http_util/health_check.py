"""
Whether an upstream is well, by the row of its last checks.

One check says little: a packet is lost, a server restarts. So the verdict changes after some results of the same kind
in a row. The rules are a table, `TRANSITIONS`: verdict x finding -> verdict. Everything else here turns results into
findings:

- a failed check is FAILED; the one that completes the row is FAILURES_REACHED;
- a passed check is PASSED; the one that completes the row is PASSES_REACHED.

Nothing speaks against an upstream that was never asked, so the first check that passes is believed at once.

Pure: the time is an argument, and who makes the check is somebody else. One record belongs to one event loop; threads
that share one put a lock around it.

Spec: HC-01, REL-08
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Health(StrEnum):
    """The verdict."""

    UNKNOWN = "unknown"
    """No check has passed, and too few have failed."""
    HEALTHY = "healthy"
    """It answers."""
    UNHEALTHY = "unhealthy"
    """It failed too often in a row, and has not passed often enough since."""


class Finding(Enum):
    """What one check says, together with those before it."""

    PASSED = "passed"
    PASSES_REACHED = "passes_reached"
    FAILED = "failed"
    FAILURES_REACHED = "failures_reached"


TRANSITIONS: Final[Mapping[Health, Mapping[Finding, Health]]] = {
    Health.UNKNOWN: {
        Finding.PASSED: Health.HEALTHY,
        Finding.PASSES_REACHED: Health.HEALTHY,
        Finding.FAILED: Health.UNKNOWN,
        Finding.FAILURES_REACHED: Health.UNHEALTHY,
    },
    Health.HEALTHY: {
        Finding.PASSED: Health.HEALTHY,
        Finding.PASSES_REACHED: Health.HEALTHY,
        Finding.FAILED: Health.HEALTHY,
        Finding.FAILURES_REACHED: Health.UNHEALTHY,
    },
    Health.UNHEALTHY: {
        Finding.PASSED: Health.UNHEALTHY,
        Finding.PASSES_REACHED: Health.HEALTHY,
        Finding.FAILED: Health.UNHEALTHY,
        Finding.FAILURES_REACHED: Health.UNHEALTHY,
    },
}
"""Every cell of the table; nothing happens that is not in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """
    What is asked, how often, and how many answers make a verdict. Immutable; shared by any number of checks.

    Example:
        >>> HealthPolicy(unhealthy_after=0)
        Traceback (most recent call last):
        ...
        ValueError: unhealthy_after must be 1 or more checks, not 0
    """

    interval: float = 30.0
    """Seconds from the end of a check to the next one of a loop; above zero."""
    timeout: float = 5.0
    """Seconds that a check may take; above zero."""
    unhealthy_after: int = 3
    """Failed checks in a row that make an upstream unhealthy; at least 1."""
    healthy_after: int = 2
    """Passed checks in a row that make an unhealthy upstream healthy again; at least 1."""
    path: str = "/models"
    """What is asked for with GET, below the base URL; begins with `/`."""

    def __post_init__(self) -> None:
        """
        Refuse settings that make no sense.

        Raises:
            ValueError: A field is out of its range; the text names it.
        """
        for field in ("interval", "timeout"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} must be above zero seconds, not {getattr(self, field)!r}")
        for field in ("unhealthy_after", "healthy_after"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be 1 or more checks, not {getattr(self, field)!r}")
        if not self.path.startswith("/"):
            raise ValueError(f"path must begin with '/', not {self.path[:64]!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStats:
    """Numbers about the checks of one upstream."""

    checks: int
    """Checks that said something."""
    passed: int
    """Those that passed."""
    failed: int
    """Those that failed."""
    row: int
    """Results of the same kind in a row, up to the last one: above zero passed, below zero failed."""
    last_checked_at: float | None
    """Monotonic moment of the last result; None when there was none."""
    last_failed_at: float | None
    """Monotonic moment of the last failed one."""
    changed_at: float | None
    """Monotonic moment of the last change of the verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthChanged:
    """What hooks get in ``on_health_change``."""

    endpoint: str
    """Whose health."""
    old: Health
    """The verdict until now."""
    new: Health
    """The verdict from now on."""
    stats: HealthStats
    """The numbers at that moment."""


class HealthRecord:
    """
    The results of the checks of one upstream, and the verdict.

    Example:
        >>> record = HealthRecord(HealthPolicy(unhealthy_after=2))
        >>> for second, passed in enumerate([True, False, False]):
        ...     changed = record.add(passed=passed, now=float(second))
        >>> changed.old.value, changed.new.value, record.health.value
        ('healthy', 'unhealthy', 'unhealthy')

    Spec: HC-01
    """

    def __init__(self, policy: HealthPolicy | None = None, *, endpoint: str = "") -> None:
        """
        Begin knowing nothing.

        Args:
            policy: The rules; the defaults of `HealthPolicy` when None.
            endpoint: Whose health; appears in records.
        """
        self.policy = policy or HealthPolicy()
        """The rules."""
        self.endpoint = endpoint
        """Whose health."""
        self.health = Health.UNKNOWN
        """The verdict."""
        self._passed = self._failed = self._row = 0
        self._last_checked_at: float | None = None
        self._last_failed_at: float | None = None
        self._changed_at: float | None = None

    def add(self, *, passed: bool, now: float) -> HealthChanged | None:
        """
        Take in the result of a check.

        Args:
            passed: Whether it passed.
            now: Monotonic seconds.

        Returns:
            The change of the verdict, for hooks; None when it stands.
        """
        self._last_checked_at = now
        if passed:
            self._passed += 1
            self._row = max(self._row, 0) + 1
        else:
            self._failed += 1
            self._row = min(self._row, 0) - 1
            self._last_failed_at = now
        old, self.health = self.health, TRANSITIONS[self.health][self._finding()]
        if self.health is old:
            return None
        self._changed_at = now
        return HealthChanged(endpoint=self.endpoint, old=old, new=self.health, stats=self.stats)

    @property
    def stats(self) -> HealthStats:
        """The numbers."""
        return HealthStats(
            checks=self._passed + self._failed,
            passed=self._passed,
            failed=self._failed,
            row=self._row,
            last_checked_at=self._last_checked_at,
            last_failed_at=self._last_failed_at,
            changed_at=self._changed_at,
        )

    def _finding(self) -> Finding:
        """Return what the last result says, together with those before it."""
        if self._row > 0:
            return Finding.PASSES_REACHED if self._row >= self.policy.healthy_after else Finding.PASSED
        return Finding.FAILURES_REACHED if -self._row >= self.policy.unhealthy_after else Finding.FAILED

    def __repr__(self) -> str:
        """Show the verdict and the numbers."""
        return f"HealthRecord(endpoint={self.endpoint!r}, health={self.health.value!r}, {self.stats})"
