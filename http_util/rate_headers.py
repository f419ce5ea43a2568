"""
What an upstream says about its limits in the head of an answer. Pure.

``x-ratelimit-limit-requests`` says how many requests a window holds, ``-remaining-`` how many are left of them,
``-reset-`` when all are back; the same three say it of tokens. A value that is no count, or no duration, counts as not
said: headers come from outside, and a limiter must not stop because of one.

Spec: RL-05
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Self

from http_util.classify import retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_RESET: Final = 366 * 86_400.0
"""Seconds; a longer duration is taken for a mistake."""

_MOST_DIGITS: Final = 18

_DURATION: Final = re.compile(
    r"(?:(?P<d>[0-9]+)d)?(?:(?P<h>[0-9]+)h)?(?:(?P<m>[0-9]+)m)?(?:(?P<s>[0-9]+(?:\.[0-9]+)?)s)?"
    r"(?:(?P<ms>[0-9]+(?:\.[0-9]+)?)ms)?",
)
_SECONDS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PLAIN: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is said of requests, or of tokens. A field is None when nothing is said, or nothing that makes sense."""

    limit: int | None = None
    """How many a window holds."""
    remaining: int | None = None
    """How many of them are left."""
    reset: float | None = None
    """Seconds until all of them are back."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing is said."""
        return self.limit is None and self.remaining is None and self.reset is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateHeaders:
    """
    What one answer says about the limits.

    Example:
        >>> told = RateHeaders.of({"x-ratelimit-limit-requests": "60", "x-ratelimit-reset-requests": "6m0s"})
        >>> told.requests if told else None
        Allowance(limit=60, remaining=None, reset=360.0)

    Spec: RL-05
    """

    requests: Allowance = field(default=Allowance())
    tokens: Allowance = field(default=Allowance())

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self | None:
        """
        Return what *headers* say; None when they say nothing about limits.

        Args:
            headers: By lower-case name.
        """
        told = cls(requests=_allowance(headers, "requests"), tokens=_allowance(headers, "tokens"))
        return None if told.requests.is_silent and told.tokens.is_silent else told


def _allowance(headers: Mapping[str, str], unit: str) -> Allowance:
    return Allowance(
        limit=whole_number(headers.get(f"x-ratelimit-limit-{unit}")),
        remaining=whole_number(headers.get(f"x-ratelimit-remaining-{unit}")),
        reset=duration_seconds(headers.get(f"x-ratelimit-reset-{unit}")),
    )


def whole_number(text: str | None) -> int | None:
    """Return a count, zero or more; None when *text* is absent or no plain whole number of at most 18 digits."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def duration_seconds(text: str | None) -> float | None:
    """
    Return a duration in seconds; None when *text* is absent or no duration.

    Days, hours, minutes, seconds and milliseconds may follow one another in this order, each at most once; seconds and
    milliseconds may have a fraction. A plain number counts seconds, as some compatible servers write it.

    Example:
        >>> [duration_seconds(text) for text in ("1s", "6m0s", "20ms", "1d2h3m4.5s", "60", "-1s", "soon")]
        [1.0, 360.0, 0.02, 93784.5, 60.0, None, None]

    Spec: RL-05
    """
    text = (text or "").strip()
    if not text:
        return None
    if _PLAIN.fullmatch(text):
        seconds = float(text)
    elif found := _DURATION.fullmatch(text):
        seconds = sum(float(number) * _SECONDS[unit] for unit, number in found.groupdict().items() if number)
    else:
        return None
    return seconds if seconds <= LONGEST_RESET else None


def asked_pause(headers: Mapping[str, str], told: RateHeaders | None) -> float | None:
    """
    Return for how many seconds an upstream that refuses wants no other request; None when it does not say.

    That is what ``retry-after`` says. A date in it is compared with the answer's own ``date``, so that a clock which is
    wrong does no harm. Without it, the reset of what is used up counts.

    Args:
        headers: Of the refusal, by lower-case name.
        told: What they say about limits.
    """
    asked = retry_after_seconds(headers, _told_at(headers))
    if asked is not None or told is None:
        return asked
    resets = [said.reset for said in (told.requests, told.tokens) if said.remaining == 0 and said.reset is not None]
    return max(resets, default=None)


def _told_at(headers: Mapping[str, str]) -> float:
    """Return the moment at which an answer was written, in seconds since the epoch; never, if it does not say."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return math.inf
