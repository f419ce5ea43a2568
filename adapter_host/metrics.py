"""
Counters and histograms of the host, as a hook: nothing is kept unless somebody asks for it.

The names and labels are a contract with the orchestrator's dashboards; `NAMES` is the whole list.

Spec: AH-2003, MET-20, MET-21, MET-25
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORKER: Final = ("engine", "engine_version", "pool_id", "replica_id")
_POOL: Final = ("engine", "engine_version", "pool_id", "priority")

NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "tasks_started_total": (*_WORKER, "priority"),
        "tasks_canceled_total": (*_WORKER, "reason"),
        "tasks_rejected_total": ("engine", "reason"),
        "tokens_in_total": _WORKER,
        "tokens_out_total": _WORKER,
        "latency_first_token_ms": _POOL,
        "latency_decode_ms": _POOL,
        "adapter_dispatch_total": ("adapter", "outcome"),
        "adapter_dispatch_latency_ms": ("adapter",),
        "adapter_health_checks_total": ("adapter", "outcome"),
    }
)
"""Every metric of the host with its labels. `_total` are counters; `_ms` are histograms in milliseconds."""

BUCKETS: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "latency_first_token_ms": (50, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000),
        "latency_decode_ms": (250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000),
    }
)
"""Upper bounds that an exporter should use, in milliseconds."""


class Metrics(Protocol):
    """Takes what the host counts. Called a few times per task, never per token; must not wait."""

    def count(self, name: str, labels: Mapping[str, str], amount: int = 1) -> None:
        """Add *amount* to the counter *name*."""

    def observe(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Put *value*, in milliseconds, into the histogram *name*."""


class NoMetrics:
    """The default: keeps nothing."""

    def count(self, name: str, labels: Mapping[str, str], amount: int = 1) -> None:
        """Do nothing."""

    def observe(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Do nothing."""


class InMemoryMetrics:
    """
    Keeps everything, for tests and for the curious.

    Example:
        >>> metrics = InMemoryMetrics()
        >>> metrics.count("adapter_dispatch_total", {"adapter": "echo", "outcome": "started"})
        >>> metrics.total("adapter_dispatch_total", adapter="echo")
        1
    """

    def __init__(self) -> None:
        """Start from nothing."""
        self.counters: dict[tuple[str, frozenset[tuple[str, str]]], int] = defaultdict(int)
        """Sums by name and labels."""
        self.histograms: dict[tuple[str, frozenset[tuple[str, str]]], list[float]] = defaultdict(list)
        """Values by name and labels, in order."""

    def count(self, name: str, labels: Mapping[str, str], amount: int = 1) -> None:
        """Add *amount* to the counter."""
        self.counters[name, frozenset(labels.items())] += amount

    def observe(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Keep *value*."""
        self.histograms[name, frozenset(labels.items())].append(value)

    def total(self, name: str, **labels: str) -> int:
        """The sum of the counter *name* over every line that has these labels."""
        wanted = set(labels.items())
        return sum(amount for (found, given), amount in self.counters.items() if found == name and wanted <= given)

    def values(self, name: str, **labels: str) -> list[float]:
        """The values of the histogram *name* over every line that has these labels."""
        wanted = set(labels.items())
        lines = (values for (found, given), values in self.histograms.items() if found == name and wanted <= given)
        return [value for values in lines for value in values]


class ShieldedMetrics:
    """Passes on to another hook, and survives what it raises: watching must not break what is watched."""

    def __init__(self, hook: Metrics) -> None:
        """Pass on to *hook*."""
        self._hook = hook

    def count(self, name: str, labels: Mapping[str, str], amount: int = 1) -> None:
        """Pass it on."""
        # A hook is foreign code.
        with contextlib.suppress(Exception):
            self._hook.count(name, labels, amount)

    def observe(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Pass it on."""
        # As above.
        with contextlib.suppress(Exception):
            self._hook.observe(name, labels, value)
