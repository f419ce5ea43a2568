"""
Taking out of a message what it repeats of a private text: an upstream may quote the prompt in its error.

Spec: HTU-1004, SEC-16, ADP-50
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOW: Final = 12
"""Characters in a row that count as a quotation; shorter runs occur by chance."""

MASK: Final = "****"


def without_quotes(message: str, private: Iterable[str]) -> str:
    """
    Return *message* with every run of `WINDOW` or more characters that stands in one of the *private* texts masked.

    A private text that is shorter than that is masked where it stands as a whole, from 6 characters on.

    Example:
        >>> without_quotes("bad input: 'lies under the oak'", ["Say: the treasure lies under the oak tree"])
        "bad input: '****'"
    """
    for text in private:
        if len(text) >= WINDOW:
            message = _without_runs(message, text)
        elif len(text) >= WINDOW // 2:
            message = message.replace(text, MASK)
    return message


def _without_runs(message: str, text: str) -> str:
    kept: list[str] = []
    start = 0
    while start < len(message):
        end = start + WINDOW
        if end > len(message) or message[start:end] not in text:
            kept.append(message[start])
            start += 1
            continue
        while end < len(message) and message[start : end + 1] in text:
            end += 1
        kept.append(MASK)
        start = end
    return "".join(kept)
