"""
The story of one task, as the log and the metrics tell it: submit, start, end; cancel and error when they happen.

A story is a handful of records, never one per token. Each is bound to its task: job_id, session_id, pool, correlation
id. The logger is the one that was handed in; the default writes through the standard `logging` and sets nothing global.

Spec: AH-2001, AH-2002, AH-2003, AH-3001, ORCH-3604, LOG-04, LOG-05, LOG-07
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import structlog

from adapter_host import narration
from adapter_host.fault_record import EVENT
from http_util.log import RedactSecrets
from http_util.redact import safe_identifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from adapter_api import TaskRequest, WorkerError
    from adapter_host.metrics import Metrics
    from adapter_host.registry import Replica
    from http_util.clock import Clock
    from http_util.secret import Secret

ACTOR: Final = "adapter-host"
LOGGER_NAME: Final = "adapter_host"

_AT_FAULT_ELSEWHERE: Final = frozenset({"INVALID_PARAMS", "ADMISSION_REJECT", "QUEUE_FULL_DROP_LRU", "DEADLINE_UNMET"})
"""Codes of failures that the caller or a limit causes: a warning, where the rest is an error."""

logging.getLogger(LOGGER_NAME).addHandler(logging.NullHandler())


def default_logger(secrets: Iterable[Secret] = ()) -> Any:
    """
    A structlog logger that ends in the standard logger `adapter_host`, redaction last.

    Args:
        secrets: Known credentials, removed wherever they stand.

    Spec: LOG-05, AH-3001
    """
    return structlog.wrap_logger(
        logging.getLogger(LOGGER_NAME),
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            RedactSecrets(secrets),
            structlog.stdlib.render_to_log_kwargs,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
        cache_logger_on_first_use=False,
    )


class TaskStory:
    """Tells what happens to one task. Each method is called at most once, in about this order."""

    def __init__(
        self,
        task: TaskRequest,
        pool_id: str,
        correlation_id: str,
        logger: Any,
        clock: Clock,
        *,
        engine: str | None = None,
    ) -> None:
        """
        Bind the records of *task*; nothing is told yet.

        Args:
            task: As it was submitted.
            pool_id: Where it goes.
            correlation_id: Goes with every record.
            logger: Takes the records.
            clock: Tells the time.
            engine: Of the pool, where its adapters have told it. The one that the task names is never told for it: it
                is what somebody hoped to find there.
        """
        self._task = task
        self._pool_id = pool_id
        self._clock = clock
        self._began_at = clock.monotonic()
        self._adapter = "none"
        self._worker: dict[str, str] = {
            "engine": task.engine,
            "engine_version": "unknown",
            "pool_id": pool_id,
            "replica_id": "none",
        }
        self._tokens_in: int | None = None
        self._log = logger.bind(
            actor=ACTOR,
            action="submit",
            target=f"pool {pool_id}",
            job_id=task.task_id,
            session_id=task.session_id,
            pool_id=pool_id,
            correlation_id=correlation_id,
        )
        self._engine: str | None = None
        self._name_engine(engine)

    @property
    def seconds(self) -> float:
        """Seconds since the task was submitted."""
        return self._clock.monotonic() - self._began_at

    def submitting(self) -> None:
        """The task is accepted for dispatch."""
        self._log.info("task_submitted", human=narration.submitting(self._task, self._engine, self._pool_id))

    def placed(self, replica: Replica) -> None:
        """A replica was chosen."""
        self._worker["replica_id"] = replica.replica_id
        self._adapter = replica.adapter_name
        self._log = self._log.bind(replica_id=replica.replica_id, adapter=replica.adapter_name)
        self._name_engine(replica.engine)

    def started(self, data: Mapping[str, Any], metrics: Metrics) -> None:
        """The adapter's stream gave its `started` event."""
        self._worker["engine_version"] = safe_identifier(str(data.get("engine_version") or "unknown"))
        self._tokens_in = data.get("tokens_in")
        known = {name: data[name] for name in ("queue_position", "predicted_start_ms") if name in data}
        if data.get("model") is not None:
            # an upstream names it as it likes
            known["model"] = safe_identifier(str(data["model"]))
        self._log = self._log.bind(engine_version=self._worker["engine_version"], **known)
        human = narration.starting(self._engine, self._pool_id, self.seconds)
        self._log.info("task_started", human=human, latency_ms=round(self.seconds * 1000))
        metrics.count("tasks_started_total", {**self._worker, "priority": self._task.priority})
        metrics.count("adapter_dispatch_total", {"adapter": self._adapter, "outcome": "started"})
        metrics.observe("adapter_dispatch_latency_ms", {"adapter": self._adapter}, self.seconds * 1000)

    def first_token(self, metrics: Metrics) -> None:
        """The first token is there."""
        metrics.observe("latency_first_token_ms", self._by_pool(), self.seconds * 1000)

    def cancelling(self) -> None:
        """Somebody asked to cancel the task."""
        self._log.info("task_cancelling", action="cancel", human=narration.cancelling(self._engine, self._pool_id))

    def ended(self, end: Mapping[str, Any], metrics: Metrics) -> None:
        """The stream gave its `end` event."""
        tokens = int(end.get("tokens_out") or 0)
        reason = safe_identifier(str(end.get("finish_reason") or "unknown"))
        decode_ms = end.get("decode_time_ms", end.get("decode_ms"))
        usage = end.get("usage") or {}
        tokens_in = usage.get("prompt_tokens", self._tokens_in)
        human = narration.ending(tokens, reason, self.seconds)
        self._log.info(
            "task_ended",
            human=human,
            tokens_in=tokens_in,
            tokens_out=tokens,
            decode_time_ms=decode_ms,
            finish_reason=reason,
            evidence=end.get("evidence"),
            attempts=len(end.get("attempts") or ()),
        )
        self._count_tokens(tokens, tokens_in, metrics)
        if decode_ms is not None:
            metrics.observe("latency_decode_ms", self._by_pool(), decode_ms)

    def stopped(self, tokens: int, why: str, metrics: Metrics) -> None:
        """The task was cancelled (*why* is `cancelled`) or its consumer left (`dropped`)."""
        human = narration.cancelled(tokens) if why == "cancelled" else narration.dropped(tokens)
        facts = {"tokens_in": self._tokens_in, "tokens_out": tokens, "finish_reason": "cancelled", "reason": why}
        self._log.info("task_ended", action="cancel", human=human, decode_time_ms=round(self.seconds * 1000), **facts)
        metrics.count("tasks_canceled_total", {**self._worker, "reason": why})
        self._count_tokens(tokens, self._tokens_in, metrics)

    def failed(self, error: WorkerError, tokens: int, metrics: Metrics, *, cause: str | None = None) -> None:
        """
        The task failed, before or after it started.

        Args:
            error: What the caller is told.
            tokens: Tokens delivered before.
            metrics: Where to count.
            cause: Class name of an exception whose text is not shown.
        """
        level = logging.WARNING if error.code in _AT_FAULT_ELSEWHERE else logging.ERROR
        facts = {
            "code": error.code and error.code.value,
            "reason": error.reason,
            "message": error.message,
            "retriable": error.retriable,
            "retry_after_ms": error.retry_after_ms,
            "outcome": error.outcome and error.outcome.value,
            "attempts": len(error.attempts),
            "upstream_request_id": error.upstream_request_id,
            "error_class": cause or type(error).__name__,
            "tokens_out": tokens,
            "decode_time_ms": round(self.seconds * 1000),
        }
        facts["error_message"] = facts.pop("message")  # a standard log record has a `message` of its own
        self._log.log(level, "task_failed", human=narration.failing(error, self._pool_id, tokens), **facts)
        metrics.count("adapter_dispatch_total", {"adapter": self._adapter, "outcome": error.reason})
        if tokens:
            self._count_tokens(tokens, self._tokens_in, metrics)
        else:
            metrics.count("tasks_rejected_total", {"engine": self._worker["engine"], "reason": error.reason})

    def fault(self, facts: Mapping[str, Any]) -> None:
        """The adapter raised what no adapter may; for its author, who asks for records of level debug."""
        self._log.debug(EVENT, **facts)

    def trouble(self, what: str, exc: BaseException) -> None:
        """The adapter failed to clean up after the task; the task ends all the same."""
        human = f"The adapter fails at {what} of a task in pool {self._pool_id}; the host closes the stream itself."
        self._log.error("adapter_trouble", action="cancel", human=human, error_class=type(exc).__name__)

    def _name_engine(self, engine: str | None) -> None:
        """From now on the records name *engine*, once it is known."""
        if engine is not None:
            self._engine = self._worker["engine"] = safe_identifier(engine)
            self._log = self._log.bind(target=self._engine, engine=self._engine)

    def _by_pool(self) -> dict[str, str]:
        names = ("engine", "engine_version", "pool_id")
        return {**{name: self._worker[name] for name in names}, "priority": self._task.priority}

    def _count_tokens(self, tokens_out: int, tokens_in: int | None, metrics: Metrics) -> None:
        metrics.count("tokens_out_total", dict(self._worker), tokens_out)
        if tokens_in is not None:
            metrics.count("tokens_in_total", dict(self._worker), tokens_in)
