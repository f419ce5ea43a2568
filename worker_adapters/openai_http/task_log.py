"""
The story of a task in the log: one line per attempt, one when the task is over. Never a line per token, never a prompt.

Spec: OC-ADAPT-OAI-6020, OC-ADAPT-OAI-6030, OC-ADAPT-OAI-6031, WA-INT-3007, LOG-04, LOG-05, LOG-06, LOG-07, ADP-50
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from adapter_api import ErrorKind
from http_util.log import get_logger, is_taken
from http_util.redact import safe_identifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from adapter_api import Attempt, TaskRequest, TokenEvent, WorkerError
    from worker_adapters.openai_http.streamed_tokens import StreamedTokens

_CALLERS_FAULT: Final = frozenset({ErrorKind.INVALID_PARAMS, ErrorKind.ADMISSION_REJECT, ErrorKind.DEADLINE_UNMET})
"""Codes that the caller can do something about: warnings. The others are errors."""


_NAME: Final = "worker_adapters.openai_http"
"""Of the logger."""

_METHODS: Final = {logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}
"""A logger's methods by the level of their lines."""


class TaskLog:
    """The log of one task, bound to its ids. A line that nobody would take is not made."""

    __slots__ = ("_engine", "_ids")

    def __init__(self, task: TaskRequest, *, engine: str, correlation_id: str) -> None:
        """Bind the ids of *task*."""
        self._engine = engine
        self._ids = (task.task_id, task.session_id, correlation_id)

    def answered(self, tokens: StreamedTokens) -> None:
        """The upstream answers: one line for each attempt that it took."""
        # most often there is one, and nobody listens to what goes well
        if tokens.was_retried or is_taken(_NAME, logging.INFO):
            self.attempts(tokens.attempts)

    def attempts(self, attempts: Iterable[Attempt]) -> None:
        """One line for each attempt that was made."""
        for attempt in attempts:
            is_fine = attempt.outcome is None or attempt.reason == "cancelled"
            level = logging.INFO if is_fine else logging.WARNING
            if is_taken(_NAME, level):
                facts = attempt.as_dict()
                facts["attempt"] = facts.pop("number")
                self._line(level, "attempt", _of_attempt(self._engine, attempt), facts)

    def failed(self, error: WorkerError) -> None:
        """The task failed before it started: it was refused here, or the upstream gave no stream."""
        if error.attempts:
            self._end(error.payload(), error.code, "stream_failed", f"A task at {self._engine} gets no stream")
        else:
            self._end(error.payload(), error.code, "task_refused", f"A task for {self._engine} is not sent")

    def ended(self, terminal: TokenEvent) -> None:
        """The task's stream is over."""
        data = terminal.data
        if terminal.kind == "error":
            code = data.get("code")
            self._end(data, ErrorKind(code) if code else None, "stream_failed", f"A task at {self._engine} fails")
        elif is_taken(_NAME, logging.INFO):
            self._line(logging.INFO, "stream_ended", _told(self._engine, data), _facts_of_end(data))

    def other_version(self, expected: str, found: str) -> None:
        """The engine has another version than the settings expect."""
        human = f"The {self._engine} upstream runs another version than expected"
        facts = {"expected": expected, "engine_version": _name(found)}
        self._line(logging.WARNING, "engine_version_differs", human, facts)

    def _end(self, payload: Mapping[str, Any], code: ErrorKind | None, event: str, human: str) -> None:
        """The one line of a task that did not end well; *human* gets the reason."""
        facts = {name: value for name, value in payload.items() if name != "attempts"}
        facts["error_message"] = facts.pop("message")
        if code is None:
            human = f"A task at {self._engine} is cancelled before it starts"
            self._line(logging.INFO, "stream_cancelled", human, facts)
            return
        level = logging.WARNING if code in _CALLERS_FAULT else logging.ERROR
        self._line(level, event, f"{human}: {payload['reason']}", facts)

    def _line(self, level: int, event: str, human: str, facts: Mapping[str, Any]) -> None:
        """Write one line, through the logger that the program has configured by now."""
        job_id, session_id, correlation_id = self._ids
        log = get_logger(_NAME).bind(
            job_id=job_id, session_id=session_id, engine=self._engine, correlation_id=correlation_id
        )
        # by its name: what `log` is called in a chain of somebody else's, nobody knows
        getattr(log, _METHODS[level])(event, human=human, **facts)


def _of_attempt(engine: str, attempt: Attempt) -> str:
    if attempt.outcome is None:
        return f"The {engine} upstream takes the request"
    if attempt.reason == "cancelled":
        return f"An attempt at {engine} is cancelled"
    return f"An attempt at {engine} fails: {attempt.reason}"


def _facts_of_end(data: Mapping[str, Any]) -> dict[str, Any]:
    usage = data["usage"]
    return {
        "engine_version": _name(data.get("engine_version")),
        "model": _name(data.get("model")),
        "tokens_in": usage["prompt_tokens"],
        "tokens_out": data["tokens_out"],
        "decode_time_ms": data["decode_time_ms"],
        "first_token_ms": data.get("latency_first_token_ms"),
        "finish_reason": _name(data["finish_reason"]),
        "evidence": data["evidence"],
        "attempts": len(data["attempts"]),
        "upstream_request_id": data.get("upstream_request_id"),
    }


def _name(told: str | None) -> str | None:
    """Return what the upstream calls something, which may be anything."""
    return None if told is None else safe_identifier(told)


def _told(engine: str, data: Mapping[str, Any]) -> str:
    if data["finish_reason"] == "cancelled":
        return f"A task at {engine} is cancelled after {data['tokens_out']} tokens"
    return f"A task at {engine} ends with {data['tokens_out']} tokens in {data['decode_ms']} ms"
