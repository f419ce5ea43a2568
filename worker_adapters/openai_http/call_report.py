"""
Tells the hooks of one call's progress, and keeps a hook that raises from disturbing it.

Spec: SVC-18, SVC-19, SVC-23
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from worker_adapters.openai_http.service_hooks import ServiceRecord, SilentHooks
from worker_adapters.openai_http.worker_errors import service_kind

if TYPE_CHECKING:
    from http_util.clock import Clock
    from worker_adapters.openai_http.service_hooks import ServiceHooks, Stage


class CallReport:
    """The reporter of one call."""

    __slots__ = ("_bytes_sent", "_clock", "_hooks", "_request_id", "_trace_id", "began")

    def __init__(self, hooks: ServiceHooks, clock: Clock, *, trace_id: str, request_id: str, bytes_sent: int) -> None:
        """Begin: the call starts now."""
        self.began = clock.monotonic()
        """Monotonic seconds at which the call began."""
        # for nobody, nothing is made
        self._hooks = None if type(hooks) is SilentHooks else hooks
        self._clock = clock
        self._trace_id = trace_id
        self._request_id = request_id
        self._bytes_sent = bytes_sent

    def sends(self, size: int) -> None:
        """The body that goes out has *size* bytes, however many it had when the call began."""
        self._bytes_sent = size

    def opened(self, status: int) -> None:
        """The head of a good answer is there."""
        self._record("opened", status, None)

    def started(self, status: int) -> None:
        """The first valid chunk is there."""
        self._record("started", status, None)

    def ended(self, *, status: int | None, reason: str | None, bytes_received: int, surplus: int = 0) -> None:
        """
        The call is over.

        Args:
            status: The upstream's status, if there was one.
            reason: Of the failure or the cancellation; None for a good end.
            bytes_received: Of the stream.
            surplus: Increments that came after the finish reason, and were not given out; measured when there are any.
        """
        if self._hooks is None:
            return
        kind = None if reason is None else service_kind(reason, status).value
        self._record("ended", status, kind)
        labels = {"status": str(status or 0)} | ({"error_class": kind} if kind is not None else {})
        for name, value in (
            ("request_count", 1),
            ("request_latency_ms", (self._clock.monotonic() - self.began) * 1000),
            ("bytes_sent", self._bytes_sent),
            ("bytes_received", bytes_received),
            *([("surplus_increments", surplus)] if surplus else ()),
        ):
            # a hook is foreign code; there is nowhere to tell of its failure but itself
            with suppress(Exception):
                self._hooks.measure(name, value, labels)

    def _record(self, stage: Stage, status: int | None, error_class: str | None) -> None:
        if self._hooks is None:
            return
        record = ServiceRecord(
            trace_id=self._trace_id,
            request_id=self._request_id,
            stage=stage,
            elapsed_ms=round((self._clock.monotonic() - self.began) * 1000),
            status=status,
            error_class=error_class,
        )
        # as above
        with suppress(Exception):
            self._hooks.record(record)
