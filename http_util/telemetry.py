"""
What the room tells those who watch it: frozen records, handed to hooks. No metrics are made here.

A hook is any object with some of the methods of `Hooks`; missing ones are not called. Hooks run in the calling task, so
they must be quick; one that raises is logged by its class name and otherwise ignored, because watching must not break
what is watched. No record holds a header, a body or a URL with a query.

Spec: HTU-15, HTU-16, RTY-02, RTY-03, LOG-06, REL-05, REL-06
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from http_util.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapter_api.outcome import Attempt
    from http_util.errors import HttpFailure
    from http_util.retry import Retry, Stop


ABORT: Final = "abort"
"""Answer of an ``on_retry`` hook: no other attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRecord:
    """A retry that is about to happen."""

    attempt: int
    """Number of the attempt that failed, from 1."""
    failure: HttpFailure
    """What happened; its message is redacted, its body is not and must not be logged."""
    next_delay: float
    """Seconds until the next attempt, if no hook changes it."""
    policy: str
    """Name of the retry policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExhaustedRecord:
    """A call that is given up."""

    failure: HttpFailure
    """The last real failure; it is raised to the caller."""
    attempts: int
    """How many attempts were made."""
    stop: Stop
    """Why there is no other."""
    policy: str
    """Name of the retry policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt that ended, well or not, when its head arrived or it failed."""

    method: str
    """HTTP method."""
    attempt: Attempt
    """The line of the ledger."""
    http_version: str | None
    """``HTTP/1.1`` or ``HTTP/2``; None when no answer came."""


class Hooks(Protocol):
    """Everything a hook may listen to. Implement what you need."""

    def on_attempt(self, record: AttemptRecord) -> None:
        """Note that an attempt ended."""

    def on_retry(self, record: RetryRecord) -> Retry | Literal["abort"] | None:
        """
        Note that a retry is about to happen, and answer.

        Returns:
            `Retry` with another pause, `ABORT`, or None for the policy's own pause. The deadline holds in any case.
        """

    def on_exhausted(self, record: ExhaustedRecord) -> None:
        """Note, once per call, that it is given up."""


def notify(hooks: Iterable[object], method: str, record: object) -> list[Any]:
    """
    Call *method* of every hook that has it and return what they answered, None answers left out.

    A hook that raises is logged and skipped. Cancellation passes through.
    """
    answers = []
    for hook in hooks:
        call = getattr(hook, method, None)
        if call is None:
            continue
        try:
            answer = call(record)
        # A hook is foreign code: whatever it raises must not touch the call it watches.
        except Exception as error:  # noqa: BLE001
            get_logger("http_util").warning(
                "hook_failed", hook=type(hook).__qualname__, method=method, error=type(error).__qualname__
            )
            continue
        if answer is not None:
            answers.append(answer)
    return answers
