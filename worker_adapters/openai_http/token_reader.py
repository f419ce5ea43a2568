"""
Chunks in, token events out: the pure heart of a stream.

A reader remembers what a stream has told so far (index, usage, finish reason, model) and decides what may be said of
its end. It has no clock and no socket: times are arguments, and whoever reads the bytes tells it when they ended.

Spec: ADP-20, ADP-22, ADP-23, ADP-24, OC-ADAPT-OAI-6011, WA-INT-3001
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from adapter_api import TokenEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapter_api import Channel
    from http_util.sse import Frame
    from worker_adapters.openai_http.chunks import Usage

Evidence = Literal["finish_reason", "done", "response.completed", "response.incomplete", "cancelled"]
"""What proves that a stream ended: nothing else makes an `end`."""

_MOST_TOKENS: Final = 2**53
"""The largest count that every reader of JSON takes for what it is."""

DONE: Final = b"[DONE]"
"""The data of the event that closes a chat or completions stream."""

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder of chunks raises for data that is not the JSON it expects."""


class UpstreamError(Exception):
    """The upstream put an error into its stream, in whatever form; `payload` is the decoded form."""

    def __init__(self, payload: object) -> None:
        """Carry *payload*, which is not in the message: it may quote a prompt."""
        super().__init__("the upstream reported an error inside its stream")
        self.payload = payload


class UnreadableChunk(Exception):
    """The data of an event is not what the API describes. Says what is wrong, without the data."""


class TokenReader(ABC):
    """
    Reads one stream. Feed it the data of each event, then ask what is known.

    `read` raises `UpstreamError` or `UnreadableChunk`; the stream is then over.
    """

    __slots__ = (
        "_surplus",
        "evidence",
        "finish_reason",
        "index",
        "is_complete",
        "model",
        "started",
        "system_fingerprint",
        "usage",
    )

    def __init__(self) -> None:
        """Start before the first chunk."""
        self.started = False
        """Whether a valid chunk has come."""
        self.index = 0
        """How many tokens have come: the next one's index."""
        self.finish_reason: str | None = None
        self.evidence: Evidence | None = None
        """The proof that the stream has ended; None as long as there is none."""
        self.is_complete = False
        """Whether nothing that could still come matters."""
        self.model: str | None = None
        """The model snapshot as the upstream names it."""
        self.system_fingerprint: str | None = None
        self.usage: Usage | None = None
        """The last usage that counted anything."""
        self._surplus = 0

    @property
    def surplus(self) -> int:
        """Increments that came after the finish reason, and were not given out."""
        return self._surplus

    def take(self, frames: Sequence[Frame], into: list[TokenEvent]) -> None:
        """Take in all the events of one read, one after the other; as `read`."""
        for frame in frames:
            if isinstance(frame, bytes):
                self.read("message", frame, into)
            else:
                self.read(frame.event, frame.data, into)

    @abstractmethod
    def read(self, event: str, data: bytes, into: list[TokenEvent]) -> None:
        """
        Take in one event.

        Args:
            event: Its type, `message` when it named none.
            data: Its data.
            into: Where the tokens that it brought are appended.

        Raises:
            UpstreamError: It is an error.
            UnreadableChunk: It is not what the API describes.
        """

    def _token(self, text: str, into: list[TokenEvent], channel: Channel = "text", **extra: Any) -> None:
        """Append a token; one non-empty increment is one token."""
        if self.finish_reason is not None:
            self._surplus += 1
            return
        data: dict[str, Any] = {"t": text, "i": self.index}
        if channel != "text":
            data["channel"] = channel
            data.update(extra)
        into.append(TokenEvent("token", data))
        self.index += 1

    def _count(self, usage: Usage | None) -> None:
        """Keep *usage* unless it counts nothing (some servers put zeros on every chunk), or what no stream can hold."""
        if usage is None or not (usage.completion_tokens or usage.output_tokens or usage.total_tokens):
            return
        if all(count is None or 0 <= count <= _MOST_TOKENS for count in msgspec.structs.astuple(usage)):
            self.usage = usage

    def _finish(self, reason: str, evidence: Evidence) -> None:
        """Note the first finish reason; later ones change nothing."""
        if self.finish_reason is None:
            self.finish_reason = reason
            self.evidence = evidence
