"""
How a result remembers the answer that it came in, without being another result for it.

A class that has the slot `_heard` can remember; `openai_client.metadata` makes metadata of what it remembers.

Spec: CLI-16
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from http_util.call import ReplyHead

T = TypeVar("T")


class Heard(NamedTuple):
    """What was heard besides a result."""

    head: ReplyHead
    """The head of the answer."""
    seconds: float
    """From the call to its whole answer."""


def remember(result: T, heard: Heard | None) -> T:
    """Have *result* remember what was heard besides it, if it can, and return it."""
    if hasattr(type(result), "_heard"):
        # models have no attributes but their fields
        object.__setattr__(result, "_heard", heard)
    return result


def heard_with(result: object) -> Heard | None:
    """Return what *result* remembers; None when it remembers nothing."""
    heard = getattr(result, "_heard", None)
    # an upstream may have a field of that name
    return heard if isinstance(heard, Heard) else None
