"""
The `human` field of the log: one plain sentence about what happens to a task. Pure.

Present tense, about 100 characters, no ids but the pool's, no content of the task.

Spec: AH-2002
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapter_api import TaskRequest, WorkerError


def submitting(task: TaskRequest, engine: str | None, pool_id: str) -> str:
    """
    A task is handed to a pool, whose engine may not be known yet.

    Example:
        >>> from adapter_api.testing import make_task
        >>> submitting(make_task(), "openai", "chat")
        'Hands an interactive completion of at most 64 tokens to the openai engine of pool chat.'
    """
    kind = f"{task.priority} {task.workload}"
    article = "an" if kind[0] in "aeiou" else "a"
    return f"Hands {article} {kind} of at most {task.max_tokens} tokens to {_whom(engine, pool_id)}."


def starting(engine: str | None, pool_id: str, seconds: float) -> str:
    """The first event is there."""
    whom = _whom(engine, pool_id)
    return f"{whom[0].upper()}{whom[1:]} starts to answer after {_time(seconds)}."


def ending(tokens: int, finish_reason: str, seconds: float) -> str:
    """
    The stream is over as it should be.

    Example:
        >>> ending(1, "stop", 0.0123)
        'The answer is complete after 12 ms: 1 token, finish reason stop.'
    """
    return f"The answer is complete after {_time(seconds)}: {_tokens(tokens)}, finish reason {finish_reason}."


def cancelling(engine: str | None, pool_id: str) -> str:
    """Somebody cancels the task."""
    return f"Tells {_whom(engine, pool_id)} to stop; nothing more is delivered."


def cancelled(tokens: int) -> str:
    """A cancelled task is over."""
    return f"The task ends cancelled after {_tokens(tokens)}."


def dropped(tokens: int) -> str:
    """The consumer left."""
    return f"The consumer leaves the stream after {_tokens(tokens)}; the engine is told to stop."


def failing(error: WorkerError, pool_id: str, tokens: int) -> str:
    """
    The task fails.

    Example:
        >>> from adapter_api import WorkerError
        >>> failing(WorkerError("rate_limited", "429", retry_after_ms=1500), "chat", 0)
        'The task fails in pool chat before its first token: rate limited. It may be tried again after 1.5 s.'
    """
    when = f"after {_tokens(tokens)}" if tokens else "before its first token"
    advice = ""
    if error.retry_after_ms is not None:
        advice = f" It may be tried again after {_time(error.retry_after_ms / 1000)}."
    elif error.retriable:
        advice = " It may be tried again."
    return f"The task fails in pool {pool_id} {when}: {error.reason.replace('_', ' ')}.{advice}"


def _whom(engine: str | None, pool_id: str) -> str:
    return f"pool {pool_id}" if engine is None else f"the {engine} engine of pool {pool_id}"


def _tokens(count: int) -> str:
    return f"{count} token" if count == 1 else f"{count} tokens"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
