"""
How a stream looks: text for people, one event a line for programs.

The text of the answer goes to standard output, everything else to standard error. On a terminal control characters are
shown instead of obeyed; elsewhere the text is passed on as it is.

Spec: HST-14
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any, Final, Protocol

from adapter_host.commands.exit_codes import say
from http_util.redact import escape_controls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapter_api import TokenEvent, WorkerError

_DIM: Final = "\x1b[2m"
_PLAIN: Final = "\x1b[0m"

_ANSWER: Final = ("text", None)

_OBEYED: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal would obey, or draw in another order; tab and line feed are wanted."""


class Output(Protocol):
    """Shows one stream."""

    def batch(self, events: Sequence[TokenEvent]) -> None:
        """Show events as they come."""

    def end(self, summary: str) -> None:
        """Close a stream that ended."""

    def failure(self, error: WorkerError) -> None:
        """Show a task that failed; *error* was raised, or came as the last event."""


class TextOutput:
    """For people."""

    def __init__(self) -> None:
        """Look whether a terminal is there."""
        self._on_terminal = sys.stdout.isatty()
        self._dims = sys.stderr.isatty()
        self._open_line = False
        self._shown: tuple[str, object] = _ANSWER
        """Channel, and index of the tool call, of what stands on the open line."""

    def batch(self, events: Sequence[TokenEvent]) -> None:
        """Write the text of the answer; reasoning and tool calls go beside it, and so does the mark of a refusal."""
        for event in events:
            if event.kind != "token":
                continue
            if event.channel in ("text", "refusal"):
                self._write(event)
            else:
                self._aside(event)
        sys.stdout.flush()

    def end(self, summary: str) -> None:
        """Write the summary on a line of its own."""
        self._close_line()
        sys.stderr.write(self._dim(summary) + "\n")

    def failure(self, error: WorkerError) -> None:
        """Say what went wrong, and what may help."""
        self._close_line()
        say(described(error))

    def _write(self, event: TokenEvent) -> None:
        text = event.text
        if self._turn_to((event.channel, None)) and event.channel == "refusal":
            sys.stderr.write(self._dim("[refusal]") + "\n")
            sys.stderr.flush()
        sys.stdout.write(_OBEYED.sub(lambda one: escape_controls(one.group()), text) if self._on_terminal else text)
        self._open_line = not text.endswith("\n") if text else self._open_line

    def _aside(self, event: TokenEvent) -> None:
        call = event.data.get("tool_call") or {}
        if self._turn_to((event.channel, call.get("index"))):
            name = call.get("name")
            sys.stderr.write(self._dim(f"[{event.channel}{f' {name}' if name else ''}] "))
        sys.stderr.write(self._dim(_OBEYED.sub("", event.text)))
        sys.stderr.flush()
        self._open_line = True

    def _turn_to(self, shown: tuple[str, object]) -> bool:
        """Whether *shown* is another channel or tool call than before; the line of the one before is then ended."""
        if self._shown == shown:
            return False
        self._close_line()
        self._shown = shown
        return True

    def _close_line(self) -> None:
        """End the line that is being written, where it is being written."""
        if self._open_line:
            stream = sys.stdout if self._shown[0] in ("text", "refusal") else sys.stderr
            stream.write("\n")
            stream.flush()
            self._open_line = False

    def _dim(self, text: str) -> str:
        safe = _OBEYED.sub("", text)
        return f"{_DIM}{safe}{_PLAIN}" if self._dims else safe


class JsonOutput:
    """For programs: every event is a line `{"kind": ..., "data": ...}`."""

    def __init__(self) -> None:
        """Nothing was shown yet."""
        self._has_failed = False

    def batch(self, events: Sequence[TokenEvent]) -> None:
        """Write the events."""
        for event in events:
            self._has_failed = event.kind == "error"
            _line({"kind": event.kind, "data": dict(event.data)})
        sys.stdout.flush()

    def end(self, summary: str) -> None:
        """Do nothing: the `end` event has said it all."""

    def failure(self, error: WorkerError) -> None:
        """Write a failure before the stream as the `error` event that it would have been."""
        if not self._has_failed:
            _line({"kind": "error", "data": error.payload()})
            sys.stdout.flush()


def _line(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=True, separators=(",", ":"), default=str) + "\n")


def described(error: WorkerError) -> str:
    """
    A failure on one line: what, how often tried, what the upstream may have done, when to try again.

    Example:
        >>> from adapter_api import WorkerError
        >>> described(WorkerError("rate_limited", "the upstream answered 429", retry_after_ms=1500))
        'ADMISSION_REJECT (rate_limited): the upstream answered 429; try again after 1.5 s'
    """
    parts = [str(error)]
    if error.attempts:
        parts.append(f"{len(error.attempts)} attempt{'s' if len(error.attempts) > 1 else ''}")
    if error.outcome is not None:
        parts.append(f"outcome {error.outcome}")
    if error.retry_after_ms is not None:
        parts.append(f"try again after {error.retry_after_ms / 1000:g} s")
    return "; ".join(parts)


def summary(data: Any, *, first_token: float | None, seconds: float) -> str:
    """
    The line under an answer: tokens, time to first token, pace, evidence, attempts; HTTP's version where it is told.

    Args:
        data: Payload of the `end` event.
        first_token: Seconds from submit to the first token; None when there was none.
        seconds: Seconds from submit to the end.

    Example:
        >>> summary(
        ...     {"tokens_out": 21, "finish_reason": "stop", "evidence": "done", "http_version": "HTTP/2"},
        ...     first_token=0.1,
        ...     seconds=1.1,
        ... )
        '21 tokens, first after 100 ms, 20.0 tokens/s, stop (evidence: done), 1 attempt, HTTP/2'
    """
    tokens = int(data.get("tokens_out") or 0)
    parts = [f"{tokens} token{'' if tokens == 1 else 's'}"]
    if first_token is not None:
        parts.append(f"first after {first_token * 1000:.0f} ms")
        if tokens > 1 and seconds > first_token:
            parts.append(f"{(tokens - 1) / (seconds - first_token):.1f} tokens/s")
    parts.append(f"{data.get('finish_reason')} (evidence: {data.get('evidence')})")
    attempts = len(data.get("attempts") or ()) or 1
    parts.append(f"{attempts} attempt{'' if attempts == 1 else 's'}")
    if data.get("http_version"):
        parts.append(str(data["http_version"]))
    return ", ".join(parts)
