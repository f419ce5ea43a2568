"""When an upstream says how long to wait: every form of Retry-After, and its own word on retries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from openai_client import errors
from tests.faults.case import H1, LATER, NEVER, RAISED, REJECT, REJECTED, UNAVAILABLE, UNKNOWN, Case, Failure
from tests.faults.upstreams import simulated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.faults.upstreams import Wish

RATE: Final = Failure(REJECT, "rate_limited", REJECTED, LATER)
AWAY: Final = Failure(UNAVAILABLE, "service_unavailable", REJECTED, LATER)
SERVER: Final = Failure(UNAVAILABLE, "server_error", UNKNOWN, LATER)


def kept(name: str, pause: float, headers: Mapping[str, str] | None = None, **wish: object) -> Case:
    """A pause that is kept to: a 429 that names it, and a good answer behind it."""
    return _then_good(name, {"status": 429, "headers": headers or {}, **wish}, after=pause, within=pause + 0.15)


def ignored(name: str, value: str, header: str = "retry-after") -> Case:
    """A value that means nothing: the policy's own pause, which is next to none here."""
    return _then_good(name, {"status": 503, "headers": {header: value}}, within=0.15)


def _then_good(name: str, wish: Wish, **more: Any) -> Case:
    upstream = simulated(wish)
    return Case(name=name, group="retry-after", upstream=upstream, sequence="started token*8 end", posts=2, **more)


def too_long(name: str, seconds: float, **wish: object) -> Case:
    """A pause that nobody keeps to: the task fails at once, and says when to come back."""
    facts = {"retry_after_ms": round(seconds * 1000)}
    return _failing(name, {"status": 429, **wish}, RATE, errors.TooManyRequests, facts=facts, within=0.15)


def _failing(name: str, always: Wish, failure: Failure, leaf: type[errors.OpenAIError], **more: Any) -> Case:
    upstream = simulated(always=always)
    return Case(name=name, group="retry-after", upstream=upstream, sequence=RAISED, failure=failure, leaf=leaf, **more)


FORMS: Final = (
    kept("zero", 0.0, retry_after=0),
    kept("seconds", 1.0, retry_after=1),
    kept("float", 0.2, retry_after="0.2"),
    kept("float-without-zero", 0.2, retry_after=".2"),
    replace(kept("padded", 0.2, {"retry-after": "  0.2  "}), protocols=(H1,)),  # HTTP/2 allows no such blanks
    kept("date-past", 0.0, retry_after_date=-3600),
    kept("date-epoch", 0.0, {"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}),
    kept("date-rfc-850", 0.0, {"retry-after": "Sunday, 06-Nov-94 08:49:37 GMT"}),
    kept("ms", 0.2, retry_after_ms=200),
    kept("ms-float", 0.2, retry_after_ms="200.5"),
    kept("ms-of-azure", 0.2, {"x-ms-retry-after-ms": "200"}),
    kept("ms-wins", 0.2, retry_after_ms=200, retry_after=30),
    kept("ms-nonsense-seconds-good", 0.2, retry_after_ms="soon", retry_after="0.2"),
    ignored("negative", "-5"),
    ignored("nan", "NaN"),
    ignored("infinity", "Infinity"),
    ignored("1e12", "1e12"),
    ignored("hexadecimal", "0x10"),
    ignored("two-values", "1, 2"),
    ignored("words", "after lunch"),
    ignored("empty", ""),
    ignored("full-width-digits", "\uff11"),
    ignored("no-date", "Xyz, 99 Foo 2026 99:99:99 GMT"),
    ignored("ms-nan", "nan", "retry-after-ms"),
    ignored("ms-negative", "-1", "retry-after-ms"),
    ignored("ms-1e12", "1e12", "retry-after-ms"),
)

TOO_LONG: Final = (
    too_long("beyond-the-ceiling", 3600, retry_after=3600),
    replace(too_long("beyond-the-deadline", 30, retry_after=30), leaf=None),  # a stream of the client has none
    too_long("ages", 1e12, retry_after="1000000000000"),
    too_long("ms-ages", 1e9, retry_after_ms="1000000000000"),
    _failing(
        "date-far-away",
        {"status": 429, "headers": {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}},
        RATE,
        errors.TooManyRequests,
        within=0.15,
    ),
)

OWN_WORD: Final = (
    _failing(
        "should-retry-500",
        {"status": 500, "headers": {"x-should-retry": "true"}},
        SERVER,
        errors.InternalServerError,
        posts=4,
    ),
    _failing(
        "should-not-retry-503",
        {"status": 503, "error_message": "no", "headers": {"x-should-retry": "false"}},
        AWAY._replace(retriable=NEVER),
        errors.ServiceUnavailable,
    ),
    _failing(
        "should-not-retry-429-with-pause",
        {"status": 429, "retry_after_ms": 10, "headers": {"x-should-retry": "FALSE"}},
        RATE._replace(retriable=NEVER),
        errors.TooManyRequests,
        facts={"retry_after_ms": 10},
    ),
    _failing(
        "should-retry-nonsense",
        {"status": 500, "headers": {"x-should-retry": "perhaps"}},
        SERVER,
        errors.InternalServerError,
    ),
    _then_good("should-retry-then-good", {"status": 502, "headers": {"x-should-retry": "true"}}),
    _failing(
        "no-retry-of-a-quota",
        {"status": 429, "error_code": "insufficient_quota", "retry_after_ms": 1},
        Failure(UNAVAILABLE, "quota_exceeded", REJECTED, NEVER),
        errors.QuotaExceeded,
    ),
)

CASES: Final = (*FORMS, *TOO_LONG, *OWN_WORD)
