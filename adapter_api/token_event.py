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
             total_tokens, source}; model, engine_version, system_fingerprint, attempts
    error    code, reason, message, retriable; retry_after_ms, outcome, attempts

Spec: ADAPT-3001, ADP-05
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["started", "token", "metrics", "end", "error"]
"""The kinds of event; there are no others."""

Channel = Literal["text", "reasoning", "refusal", "tool_call"]
"""What a token belongs to. `text` is the default and is left out on the wire."""


class TokenEvent:
    """
    One event of a stream: immutable, and made in a fraction of a microsecond.

    Example:
        >>> event = token("Hi", 0)
        >>> event.kind, event.text, event.index, event.data
        ('token', 'Hi', 0, {'t': 'Hi', 'i': 0})
    """

    __slots__ = ("data", "kind")

    kind: Kind
    """Which of the five."""
    data: Mapping[str, Any]
    """The wire payload. Treat it as read-only: it is not copied."""

    def __init__(self, kind: Kind, data: Mapping[str, Any]) -> None:
        """Make the event of *kind* that carries *data*."""
        _set_kind(self, kind)
        _set_data(self, data)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse: an event is handed to several readers."""
        raise AttributeError(f"a TokenEvent is immutable; {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        """Refuse, as `__setattr__` does."""
        raise AttributeError(f"a TokenEvent is immutable; {name!r} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        """Equal by value."""
        return isinstance(other, TokenEvent) and other.kind == self.kind and other.data == self.data

    # Python's own way to say unhashable; the type of `object.__hash__` has no room for it.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Kind and index; no content, which may be private."""
        return f"TokenEvent({self.kind!r}, i={self.index})" if self.kind == "token" else f"TokenEvent({self.kind!r})"

    def __reduce__(self) -> tuple[type[TokenEvent], tuple[str, Mapping[str, Any]]]:
        """Pickle by value."""
        return TokenEvent, (self.kind, self.data)

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


# Frozen, yet four times cheaper to make than a frozen dataclass: the slots' own setters pass by `__setattr__`.
_set_kind = vars(TokenEvent)["kind"].__set__
_set_data = vars(TokenEvent)["data"].__set__


def token(text: str, index: int) -> TokenEvent:
    """A token of the text channel."""
    return TokenEvent("token", {"t": text, "i": index})
