"""
The unit of an ordered token stream.

    started (token | metrics)* (end | error)

`TokenEvent.data` is the wire payload, a mapping that goes into a JSON frame unchanged. Payloads, by kind:

    started  engine_version; model, correlation_id, seed, sampler_profile_version, tokens_in, queue_position,
             predicted_start_ms when known
    token    t: text, i: index; channel when it is not `text`: reasoning, refusal, or tool_call with
             tool_call {index, id, name} as they arrive
    metrics  latency_first_token_ms, latency_decode_ms, tokens_out, ... (additive)
    end      tokens_out, decode_ms, decode_time_ms, finish_reason, evidence, usage {prompt_tokens, completion_tokens,
             total_tokens, source}; model, engine_version, system_fingerprint, attempts, http_version (`HTTP/1.1` or
             `HTTP/2`, of the answer)
    error    code, reason, message, retriable; retry_after_ms, outcome, attempts

Spec: ADAPT-3001, ADP-05
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Kind = Literal["started", "token", "metrics", "end", "error"]
"""The kinds of event; there are no others."""

Channel = Literal["text", "reasoning", "refusal", "tool_call"]
"""What a token belongs to. `text` is the default and is left out on the wire."""


class TokenEvent(msgspec.Struct, frozen=True, gc=False):
    """
    One event of a stream: immutable, and made in a tenth of a microsecond.

    Example:
        >>> event = token("Hi", 0)
        >>> event.kind, event.text, event.index, event.data
        ('token', 'Hi', 0, {'t': 'Hi', 'i': 0})
    """

    kind: Kind
    """Which of the five."""
    data: Mapping[str, Any]
    """The wire payload. Treat it as read-only: it is not copied."""

    # a payload may be any mapping, and none has a hash
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Kind and index; no content, which may be private."""
        return f"TokenEvent({self.kind!r}, i={self.index})" if self.kind == "token" else f"TokenEvent({self.kind!r})"

    @property
    def text(self) -> str:
        """A token's text; empty for the other kinds."""
        text: str = self.data.get("t", "")
        return text

    @property
    def index(self) -> int:
        """A token's index, from 0; -1 for the other kinds."""
        index: int = self.data.get("i", -1)
        return index

    @property
    def channel(self) -> Channel:
        """A token's channel; `text` for the other kinds."""
        channel: Channel = self.data.get("channel", "text")
        return channel

    @property
    def is_terminal(self) -> bool:
        """Whether the stream is over with this event: an `end` or an `error`."""
        return self.kind in ("end", "error")


def token(text: str, index: int) -> TokenEvent:
    """A token of the text channel."""
    return TokenEvent("token", {"t": text, "i": index})
