"""
What an adapter raises, and nothing else leaves one.

    WorkerError
    |-- InvalidTask      a field of the task is wrong (also a ValueError)
    `-- TaskCancelled    the task was cancelled before it started

The facts are fields. Code, variant and advice come from the reason's row in `adapter_api.reasons`.

Spec: ADAPT-3002, ADP-06, HTU-ERR-4003, ERR-12
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from adapter_api.outcome import Attempt, Outcome
from adapter_api.reasons import ErrorKind, Variant, reason_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack


class ErrorFacts(TypedDict, total=False):
    """The keywords of `WorkerError` that a `TaskCancelled` may carry too."""

    outcome: Outcome | None
    http_status: int | None
    attempts: Sequence[Attempt]
    upstream_request_id: str | None


class WorkerError(Exception):
    """
    A task failed before it started, or `raise_for_error` was asked for a failure that came later.

    Example:
        >>> error = WorkerError("rate_limited", "the upstream answered 429", retry_after_ms=1500)
        >>> error.code.value, error.retriable, error.retry_after_ms
        ('ADMISSION_REJECT', True, 1500)

    Spec: ADP-06
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        streaming: bool = False,
        retriable: bool | None = None,
        retry_after_ms: int | None = None,
        outcome: Outcome | None = None,
        http_status: int | None = None,
        attempts: Sequence[Attempt] = (),
        upstream_request_id: str | None = None,
    ) -> None:
        """
        Build the error that *reason* stands for.

        Args:
            reason: A key of `REASONS`.
            message: Short and safe to show: no secret, no prompt, no text of the upstream that was not redacted.
            streaming: Whether `started` had been given (see `reason_row`).
            retriable: Overrides the reason's advice, as when the upstream itself gives it.
            retry_after_ms: When the caller may try again, in milliseconds from now.
            outcome: What the upstream may have done; None when no request was made.
            http_status: The upstream's status, if there was one.
            attempts: The ledger of this call, first attempt first.
            upstream_request_id: The id that the upstream gave the request.
        """
        super().__init__(reason, message)
        row = reason_row(reason, streaming=streaming)
        self.reason: str = reason
        """Stable snake_case name of what went wrong: a key of `REASONS`."""
        self.message: str = message
        """One safe sentence for a person."""
        self.code: ErrorKind | None = row.code
        """The orchestrator's code; None for a cancelled task only."""
        self.variant: Variant = row.variant
        """The family of the failure."""
        self.retriable: bool = row.retriable if retriable is None else retriable
        """Advice: whether the same task may succeed later."""
        self.retry_after_ms: int | None = retry_after_ms
        """Milliseconds from now after which to try again, when known."""
        self.outcome: Outcome | None = outcome
        """What the upstream may have done with the task; None when nothing was sent by design."""
        self.http_status: int | None = http_status
        """The upstream's HTTP status, None when there was none."""
        self.attempts: tuple[Attempt, ...] = tuple(attempts)
        """Every request that was made for the task, in order."""
        self.upstream_request_id: str | None = upstream_request_id
        """The upstream's own id of the request, when it gave one."""

    def __str__(self) -> str:
        """Code, reason and message on one line."""
        return f"{self.code or self.variant} ({self.reason}): {self.message}"

    def __repr__(self) -> str:
        """The class and its payload."""
        return f"{type(self).__name__}({self.payload()!r})"

    def __eq__(self, other: object) -> bool:
        """Equal by value: same class, same facts."""
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        """By reason and message, which equal errors share."""
        return hash((type(self), self.reason, self.message))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the facts, never a traceback or a socket."""
        return _rebuild, (type(self), self.reason, self.message, dict(vars(self)))

    def payload(self) -> dict[str, object]:
        """
        The data of an `error` event, usable as an orchestrator's error frame as it is; absent values are left out.

        Spec: ADP-05, WA-INT-3008
        """
        facts: dict[str, object] = {
            "code": self.code and self.code.value,
            "reason": self.reason,
            "message": self.message,
            "retriable": self.retriable,
        }
        optional = {
            "retry_after_ms": self.retry_after_ms,
            "outcome": self.outcome and self.outcome.value,
            "http_status": self.http_status,
            "upstream_request_id": self.upstream_request_id,
            "attempts": [attempt.as_dict() for attempt in self.attempts] or None,
        }
        return facts | {name: value for name, value in optional.items() if value is not None}

    @staticmethod
    def from_payload(payload: Mapping[str, Any]) -> WorkerError:
        """
        The error that an `error` event describes: the other way round of `payload`.

        A reason that this version does not know keeps its name and its code. It is a plain `WorkerError`, whichever
        class wrote the payload: the reason tells them apart.

        Example:
            >>> error = WorkerError("truncated", "the stream stopped without an end")
            >>> WorkerError.from_payload(error.payload()) == error
            True
        """
        outcome = payload.get("outcome")
        code = ErrorKind.__members__.get(payload.get("code") or "")
        error = WorkerError(
            payload.get("reason", "internal"),
            payload.get("message", ""),
            retriable=payload.get("retriable"),
            retry_after_ms=payload.get("retry_after_ms"),
            outcome=Outcome(outcome) if outcome else None,
            http_status=payload.get("http_status"),
            attempts=[Attempt.from_dict(line) for line in payload.get("attempts", ())],
            upstream_request_id=payload.get("upstream_request_id"),
        )
        streaming = reason_row(error.reason, streaming=True)
        if code is not None:
            error.code = code
            error.variant = streaming.variant if code is streaming.code else error.variant
        return error


class InvalidTask(WorkerError, ValueError):
    """
    A field of a task is wrong. Raised before any network use; the message names the field and what it takes.

    Spec: ADP-13
    """

    def __init__(self, field: str, expected: str) -> None:
        """
        Refuse a task because of *field*.

        Args:
            field: The field's name, with a path for a nested one (`messages[2].role`).
            expected: What would be accepted, and what was wrong; never the value of a prompt.
        """
        super().__init__("invalid_task", f"{field}: {expected}")
        self.field: str = field
        """The name of the field that is wrong."""


class TaskCancelled(WorkerError):
    """
    The task was cancelled before it started. Not a failure of anybody.

    Spec: OQ-01
    """

    def __init__(self, message: str = "the task was cancelled before it started", **facts: Unpack[ErrorFacts]) -> None:
        """Build it; *facts* are those of `WorkerError`."""
        super().__init__("cancelled", message, **facts)


def _rebuild(kind: type[WorkerError], reason: str, message: str, facts: dict[str, object]) -> WorkerError:
    error: WorkerError = kind.__new__(kind, reason, message)
    Exception.__init__(error, reason, message)
    vars(error).update(facts)
    return error
