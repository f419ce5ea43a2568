"""
The story of a task in the log: one line per attempt, one when the task is over. Never a line per token, never a prompt.

Spec: OC-ADAPT-OAI-6020, OC-ADAPT-OAI-6030, OC-ADAPT-OAI-6031, WA-INT-3007, LOG-04, LOG-05, LOG-06, LOG-07, ADP-50
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from adapter_api import ErrorKind
from http_util.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from adapter_api import Attempt, TaskRequest, TokenEvent, WorkerError

_CALLERS_FAULT: Final = frozenset({ErrorKind.INVALID_PARAMS, ErrorKind.ADMISSION_REJECT, ErrorKind.DEADLINE_UNMET})
"""Codes that the caller can do something about: warnings. The others are errors."""


class TaskLog:
    """The log of one task, bound to its ids."""

    __slots__ = ("_engine", "_log")

    def __init__(self, task: TaskRequest, *, engine: str, correlation_id: str) -> None:
        """Bind the ids of *task*."""
        self._engine = engine
        self._log = get_logger("worker_adapters.openai_http").bind(
            job_id=task.task_id,
            session_id=task.session_id,
            engine=engine,
            correlation_id=correlation_id,
        )

    def attempts(self, attempts: Iterable[Attempt]) -> None:
        """One line for each attempt that was made."""
        for attempt in attempts:
            facts = attempt.as_dict()
            facts["attempt"] = facts.pop("number")
            if attempt.outcome is None:
                self._log.info("attempt", human=f"The {self._engine} upstream takes the request", **facts)
            elif attempt.reason == "cancelled":
                self._log.info("attempt", human=f"An attempt at {self._engine} is cancelled", **facts)
            else:
                self._log.warning("attempt", human=f"An attempt at {self._engine} fails: {attempt.reason}", **facts)

    def failed(self, error: WorkerError) -> None:
        """The task failed before it started."""
        self._end(error.payload(), error.code)

    def ended(self, terminal: TokenEvent) -> None:
        """The task's stream is over."""
        data = terminal.data
        if terminal.kind == "error":
            code = data.get("code")
            self._end(data, ErrorKind(code) if code else None)
            return
        usage = data["usage"]
        self._log.info(
            "stream_ended",
            human=_told(self._engine, data),
            engine_version=data.get("engine_version"),
            model=data.get("model"),
            tokens_in=usage["prompt_tokens"],
            tokens_out=data["tokens_out"],
            decode_time_ms=data["decode_time_ms"],
            first_token_ms=data.get("latency_first_token_ms"),
            finish_reason=data["finish_reason"],
            evidence=data["evidence"],
            attempts=len(data["attempts"]),
            upstream_request_id=data.get("upstream_request_id"),
        )

    def other_version(self, expected: str, found: str) -> None:
        """The engine has another version than the settings expect."""
        self._log.warning(
            "engine_version_differs",
            human=f"The {self._engine} upstream runs another version than expected",
            expected=expected,
            engine_version=found,
        )

    def _end(self, payload: Mapping[str, Any], code: ErrorKind | None) -> None:
        facts = {name: value for name, value in payload.items() if name != "attempts"}
        facts["error_message"] = facts.pop("message")
        if code is None:
            self._log.info("stream_cancelled", human=f"A task at {self._engine} is cancelled before it starts", **facts)
            return
        level = self._log.warning if code in _CALLERS_FAULT else self._log.error
        level("stream_failed", human=f"A task at {self._engine} fails: {payload['reason']}", **facts)


def _told(engine: str, data: Mapping[str, Any]) -> str:
    if data["finish_reason"] == "cancelled":
        return f"A task at {engine} is cancelled after {data['tokens_out']} tokens"
    return f"A task at {engine} ends with {data['tokens_out']} tokens in {data['decode_ms']} ms"
