"""
Why an answer ended, in the words of the API.

Spec: PRV-04, PRV-08
"""

from __future__ import annotations

from typing import Final

from adapter_api.outcome import Outcome
from openai_client.errors import StreamInterrupted

CHAT_REASONS: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
"""The enumeration of chat completions."""

COMPLETION_REASONS: Final = frozenset({"stop", "length", "content_filter"})
"""The enumeration of completions: nothing can be called from there."""

_IN_OUR_WORDS: Final = {
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "max_length": "length",
    "max_output_tokens": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "content_filtered": "content_filter",
    "recitation": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
}
_FAILURES: Final = frozenset({"abort", "aborted", "canceled", "cancelled", "error"})


def normal_finish_reason(given: str | None, *, known: frozenset[str], default: str = "stop") -> str:
    """
    Return the member of *known* that *given* stands for; *default* for none and for words that nobody knows.

    Args:
        given: What the upstream said.
        known: The enumeration to map to.
        default: What an answer ended by that does not say why.

    Raises:
        StreamInterrupted: The upstream says that it did not finish the answer.

    Example:
        >>> normal_finish_reason("MAX_TOKENS", known=CHAT_REASONS), normal_finish_reason(None, known=CHAT_REASONS)
        ('length', 'stop')
    """
    word = (given or default).strip().lower()
    if word in _FAILURES:
        raise StreamInterrupted("the upstream says that it did not finish the answer", outcome=Outcome.PARTIAL)
    word = _IN_OUR_WORDS.get(word, word)
    return word if word in known else default
