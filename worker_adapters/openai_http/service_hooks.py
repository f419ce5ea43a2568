"""
What the streaming service tells those who watch it. It has no logger and no registry of its own.

Spec: SVC-11, SVC-18, SVC-19, SVC-20, SVC-23
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

Stage = Literal["opened", "started", "ended"]
"""Where a call stands: the head is there, the first chunk is there, the stream is over (or never began)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """
    One line about one call. Holds no prompt, no answer, no credential.

    Spec: SVC-18, LOG-03
    """

    trace_id: str
    """The correlation id."""
    request_id: str
    """The caller's id of the request: the task's id."""
    stage: Stage
    elapsed_ms: int
    """Since the call began."""
    status: int | None
    """The upstream's HTTP status, None when there was none."""
    error_class: str | None
    """The service's kind of failure, None when there is none."""


class ServiceHooks(Protocol):
    """Where the lines and the measurements go. A hook that raises does not disturb the stream."""

    def record(self, record: ServiceRecord) -> None:
        """Take a line."""

    def measure(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """
        Take a measurement.

        Args:
            name: request_count, request_latency_ms, bytes_sent or bytes_received; surplus_increments when an upstream
                went on after its finish reason.
            value: In the unit that the name says.
            labels: status, and error_class where there is a failure.

        Spec: SVC-19, MET-22
        """


class SilentHooks:
    """Hooks that drop everything."""

    def record(self, record: ServiceRecord) -> None:
        """Drop it."""

    def measure(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Drop it."""
