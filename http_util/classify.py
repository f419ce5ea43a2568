"""
What a status means: one table from status code to reason and outcome, and the headers that say when to come back.

Pure: the time is an argument. The body is kept for whoever knows the API's error object; this module does not read it.

Spec: HTU-07, HTU-06, ERR-03, ERR-05, ERR-06
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from adapter_api.outcome import Outcome
from http_util.errors import StatusFailure
from http_util.redact import safe_identifier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from http_util.secret import Secret

_REJECTED: Final = Outcome.REJECTED
_UNKNOWN: Final = Outcome.UNKNOWN

STATUS_TABLE: Final[Mapping[int, tuple[str, Outcome]]] = {
    400: ("malformed_request", _REJECTED),
    401: ("invalid_api_key", _REJECTED),
    403: ("permission_denied", _REJECTED),
    404: ("not_found", _REJECTED),
    408: ("request_timeout", _REJECTED),
    # A conflict may be with our own earlier attempt, so it proves nothing about what was done.
    409: ("conflict", _UNKNOWN),
    410: ("deleted", _REJECTED),
    422: ("malformed_request", _REJECTED),
    425: ("too_early", _REJECTED),
    429: ("rate_limited", _REJECTED),
    500: ("server_error", _UNKNOWN),
    501: ("server_error", _UNKNOWN),
    502: ("bad_gateway", _UNKNOWN),
    503: ("service_unavailable", _REJECTED),
    504: ("gateway_timeout", _UNKNOWN),
    # 520 to 527 and 530: a content delivery network speaks about the server behind it.
    520: ("bad_gateway", _UNKNOWN),
    521: ("bad_gateway", _UNKNOWN),
    522: ("gateway_timeout", _UNKNOWN),
    523: ("bad_gateway", _UNKNOWN),
    524: ("gateway_timeout", _UNKNOWN),
    525: ("bad_gateway", _UNKNOWN),
    526: ("bad_gateway", _UNKNOWN),
    527: ("bad_gateway", _UNKNOWN),
    529: ("overloaded", _REJECTED),
    530: ("bad_gateway", _UNKNOWN),
}
"""Reason and outcome by status. Statuses not listed follow their class, see `reason_for_status`."""

_REQUEST_ID_HEADERS: Final = ("x-request-id", "request-id", "apim-request-id", "x-ms-request-id", "x-litellm-call-id")
_MILLISECOND_HEADERS: Final = ("retry-after-ms", "x-ms-retry-after-ms")


def reason_for_status(status: int) -> tuple[str, Outcome]:
    """
    Return the reason and the outcome of a status that is not a success.

    Total: 3xx is a redirect, another 4xx a malformed request, another 5xx a server error, and everything else (a
    success where none was expected, or a number that is no status) breaks the protocol.

    Spec: ERR-03, ERR-06
    """
    known = STATUS_TABLE.get(status)
    if known is not None:
        return known
    match status // 100:
        case 3:
            return "redirect", _REJECTED
        case 4:
            return "malformed_request", _REJECTED
        case 5:
            return "server_error", _UNKNOWN
        case _:
            return "protocol", _UNKNOWN


def classify_status(
    status: int,
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    body: bytes,
    now_epoch: float,
    secrets: Iterable[Secret] = (),
) -> StatusFailure:
    """
    Return the failure that an answer with an error status stands for.

    Args:
        status: The status code.
        headers: The answer's headers, names in any case.
        body: The answer's body or its beginning; it is kept as an excerpt and not interpreted.
        now_epoch: The current time in seconds since the epoch, to turn a Retry-After date into seconds.
        secrets: The credentials of the call, which the upstream may repeat.

    Returns:
        A failure with reason, outcome, ``retry_after`` (seconds), ``should_retry`` and the upstream's request id.
        It is not raised.
    """
    lowered = lower_headers(headers)
    reason, outcome = reason_for_status(status)
    return StatusFailure(
        f"upstream answered {status}{_phrase(status)}",
        reason=reason,
        outcome=outcome,
        http_status=status,
        retry_after=retry_after_seconds(lowered, now_epoch),
        should_retry=should_retry(lowered),
        upstream_request_id=upstream_request_id(lowered, secrets),
        body=body,
    )


def lower_headers(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers with lower-case names; of a repeated header the first value counts."""
    lowered: dict[str, str] = {}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        lowered.setdefault(name.lower(), value)
    return lowered


def received_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """
    Return an answer's headers as text, with lower-case names; of a repeated header the first value counts.

    Values are ASCII by the standard, UTF-8 from some servers, and Latin-1 when they are neither.
    """
    headers: dict[str, str] = {}
    for name, value in raw:
        key = name.lower().decode("latin-1")
        if key not in headers:
            headers[key] = value.decode() if value.isascii() else _text(value)
    return headers


def _text(value: bytes) -> str:
    """Return a header's value, whichever of the two encodings it has."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def retry_after_seconds(headers: Mapping[str, str], now_epoch: float) -> float | None:
    """
    Return how long the upstream asks to wait, in seconds and not negative, or None.

    A header that counts milliseconds wins over ``retry-after``, which holds seconds or an HTTP date; a date that has
    passed means zero. What cannot be understood counts as absent.

    Args:
        headers: Lower-case names.
        now_epoch: The current time in seconds since the epoch.

    Spec: HTU-06, RTY-05
    """
    for name in _MILLISECOND_HEADERS:
        milliseconds = _duration(headers.get(name))
        if milliseconds is not None:
            return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _duration(value)
    if seconds is not None or value is None:
        return seconds
    return _seconds_until(value, now_epoch)


def _duration(text: str | None) -> float | None:
    """Return a plain decimal number, zero or more, or None."""
    # float() also takes "nan", "1e9", "1_0" and full-width digits; a header holds plain decimals
    if text is None or not text.strip().replace(".", "", 1).isdigit() or not text.isascii():
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def _seconds_until(text: str, now_epoch: float) -> float | None:
    """Return the seconds from *now_epoch* to an HTTP date, zero when it has passed, None when it is no date."""
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - now_epoch)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """Return what ``x-should-retry`` says, None when it is absent or says neither true nor false."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def upstream_request_id(headers: Mapping[str, str], secrets: Iterable[Secret] = ()) -> str | None:
    """Return the id that the upstream gave to the request, from the first header that has one, without *secrets*."""
    for name in _REQUEST_ID_HEADERS:
        if told := headers.get(name):
            return safe_identifier(told, [secret.reveal() for secret in secrets])
    return None


def _phrase(status: int) -> str:
    """Return the standard phrase behind a status, or nothing; the upstream's own phrase is never shown."""
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""
