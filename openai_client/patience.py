"""
How long a caller waits for what somebody else's request brings, and what becomes of its failure. Pure.

Spec: BAT-01
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

from http_util.deadline import Deadline
from openai_client.errors import OpenAIError

if TYPE_CHECKING:
    from openai_client.config import ClientConfig
    from openai_client.operation import CallOptions


class Patience(NamedTuple):
    """When one caller began to wait, and until when it waits."""

    began: float
    """Monotonic seconds."""
    deadline: Deadline
    """The moment by which its call ends."""

    @classmethod
    def of(cls, options: CallOptions, config: ClientConfig, now: float) -> Patience:
        """
        Return the patience of a call, as the client itself would have it.

        Args:
            options: Of the call.
            config: Of its client.
            now: The monotonic time at which the call begins.
        """
        own = Deadline(now + (options.timeout or config.timeout))
        return cls(now, own if options.deadline is None else min(own, options.deadline))

    def left(self, now: float) -> float:
        """Return the seconds that are left, zero when there are none."""
        return self.deadline.remaining(now)

    def asks_again(self, error: Exception, now: float) -> bool:
        """
        Tell whether a shared request ended by a deadline that was not this caller's, and asking again is worth it.

        Example:
            >>> from openai_client.errors import Timeout
            >>> patience = Patience(began=0.0, deadline=Deadline(10.0))
            >>> [patience.asks_again(Timeout("", reason="deadline"), now) for now in (4.0, 6.0)]
            [True, False]
        """
        is_deadline = isinstance(error, OpenAIError) and error.reason == "deadline"
        return is_deadline and self.left(now) > now - self.began


def own_error(error: Exception) -> Exception:
    """
    Return an error for one of several callers: each gets an object of its own, because raising writes into it.

    A foreign error may not be copyable, and is returned as it is.
    """
    if not isinstance(error, OpenAIError):
        return error
    own = copy.copy(error)
    own.__cause__ = error
    return own
