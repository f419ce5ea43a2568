"""
What a health check asks, what its result says, and who is told when the verdict changes. Nothing here waits.

Spec: HC-01
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from http_util.call import HttpCall
from http_util.health_check import Health, HealthPolicy, HealthRecord, HealthStats
from http_util.telemetry import notify
from openai_client.errors import ErrorSource, OpenAIError
from openai_client.operation import CallOptions
from openai_client.raw import raw_operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openai_client.operation import Operation

_THIS_SIDE: Final = frozenset({ErrorSource.CLIENT, ErrorSource.EGRESS_POLICY})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """
    What one check found.

    Spec: HC-01
    """

    passed: bool | None
    """Whether the upstream answered with success; None when the check did not get as far as asking it."""
    seconds: float
    """How long it took."""
    error: Exception | None
    """Why it did not pass, an `OpenAIError` unless a foreign transport raised something else."""
    health: Health
    """The verdict after it."""


class HealthResults:
    """
    The rules, the results, and who is told: what both colours of a health check have in common. Safe for threads.

    Spec: HC-01
    """

    def __init__(self, base_url: str, policy: HealthPolicy | None, hooks: Sequence[object]) -> None:
        """
        Begin knowing nothing.

        Args:
            base_url: Of the upstream.
            policy: The rules; the defaults of `HealthPolicy` when None.
            hooks: Objects with ``on_health_change``.

        Raises:
            InvalidFieldValue: The policy's path cannot be called.
        """
        self.policy = policy or HealthPolicy()
        """The rules."""
        self._hooks = hooks
        endpoint = HttpCall(method="GET", url=base_url).endpoint
        self._record = HealthRecord(self.policy, endpoint=endpoint)
        # results come from the loop's thread and from whoever checks; nothing waits while it is held
        self._lock = threading.Lock()
        self._operation: Operation[bytes] = raw_operation(
            "GET", self.policy.path, options=CallOptions(timeout=self.policy.timeout)
        )

    @property
    def health(self) -> Health:
        """The verdict."""
        return self._record.health

    @property
    def stats(self) -> HealthStats:
        """The numbers behind it."""
        with self._lock:
            return self._record.stats

    def _found(self, error: Exception | None, began: float, now: float) -> CheckResult:
        """Take in how a check ended, and tell the hooks when the verdict has changed."""
        counts = not _is_our_own(error)
        with self._lock:
            changed = self._record.add(passed=error is None, now=now) if counts else None
            health = self._record.health
        if changed is not None:
            notify(self._hooks, "on_health_change", changed)
        return CheckResult(passed=error is None if counts else None, seconds=now - began, error=error, health=health)


def _is_our_own(error: Exception | None) -> bool:
    """Tell whether the check did not get as far as the upstream because of this side."""
    return isinstance(error, OpenAIError) and (error.source in _THIS_SIDE or error.reason == "pool_timeout")
