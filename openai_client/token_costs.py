"""
What a call costs in tokens: guessed before it is sent, read from its answer afterwards. Pure.

A guess is enough, because a limiter corrects it: four bytes of a JSON body count as one token, and to them comes what
the caller allows for the answer.

Spec: RL-02
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai_client.operation import Call

BYTES_PER_TOKEN: Final = 4
"""Bytes of a body that count as a token."""

_BOUNDS: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens")
"""Fields by which a caller bounds the answer; the first that is set counts."""


class _Usage(msgspec.Struct, gc=False):
    """The count of any family."""

    total_tokens: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Answer(msgspec.Struct, gc=False):
    """An answer, as far as it counts."""

    usage: _Usage | None = None


_decode: Final = msgspec.json.Decoder(_Answer).decode


def estimated_tokens(operation: Call, content: bytes | None) -> int:
    """Return what *operation*, written as *content*, will cost, roughly; 0 for a call without a body."""
    if not content:
        return 0
    allowed = next((count for name in _BOUNDS if (count := _field(operation, name))), 0)
    return len(content) // BYTES_PER_TOKEN + allowed


def counted_tokens(body: bytes) -> int | None:
    """Return what an answer says that the call has cost; None when it says nothing."""
    try:
        usage = _decode(body).usage
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return None if usage is None else tokens_of(msgspec.structs.asdict(usage))


def tokens_of(usage: Mapping[str, Any]) -> int | None:
    """
    Return the sum that a usage object names or adds up to; None when it counts nothing.

    Example:
        >>> tokens_of({"prompt_tokens": 3, "completion_tokens": 4}), tokens_of({"total_tokens": 9}), tokens_of({})
        (7, 9, None)
    """
    total = usage.get("total_tokens")
    if isinstance(total, int) and total > 0:
        return total
    names = ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens")
    counts = [count for name in names if isinstance(count := usage.get(name), int) and count > 0]
    return sum(counts) if counts else None


def _field(operation: Call, name: str) -> int:
    """Return a whole number that the body or `extra_body` sets, 0 when neither does."""
    given = operation.options.extra_body.get(name, getattr(operation.body, name, None))
    return given if isinstance(given, int) and given > 0 else 0
