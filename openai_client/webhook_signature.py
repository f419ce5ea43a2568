"""
Whether a webhook was called by who knows the secret, by the Standard Webhooks scheme. Pure: the time is an argument.

Three headers come with the body: `webhook-id`, `webhook-timestamp` (seconds since the epoch) and `webhook-signature`, a
list such as `v1,c2lnbmF0dXJl v1,YW5vdGhlcg==`. Each `v1` entry is the HMAC-SHA256 of `id.timestamp.body` in base64;
there are several while a secret is being replaced, and one that fits is enough. A delivery whose time is too far from
now is refused, so that one that was overheard cannot be sent again later.

Spec: WHK-01, WHK-02
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from openai_client.errors import InvalidConfiguration, InvalidFieldValue

if TYPE_CHECKING:
    from http_util.secret import Secret

TOLERANCE: Final = 300.0
"""Seconds that a delivery's time may be away from now, either way, unless another bound is given."""

WebhookHeaders: TypeAlias = "Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]"
"""Headers of a request as web frameworks have them: a mapping, or pairs of text or of bytes. Names in any case."""

_ID: Final = "webhook-id"
_TIMESTAMP: Final = "webhook-timestamp"
_SIGNATURE: Final = "webhook-signature"
_NEEDED: Final = (_ID, _TIMESTAMP, _SIGNATURE)

_ENCODED_SECRET: Final = "whsec_"  # noqa: S105 - what such secrets begin with
_VERSION: Final = "v1,"
# seconds since the epoch have ten digits until the year 2286
_LONGEST_TIMESTAMP: Final = 12
# nobody replaces more secrets at once
_MOST_SIGNATURES: Final = 16


class InvalidWebhookSignature(InvalidFieldValue):
    """The delivery is not from who knows the secret, or is too old or too new; `param` names the header at fault."""

    def payload(self) -> dict[str, Any]:
        """The error as JSON holds it, as the leaf of the tree that it is a kind of."""
        return super().payload() | {"error": InvalidFieldValue.__name__}


def check_signature(
    payload: str | bytes, headers: WebhookHeaders, *, secret: Secret, now: float, tolerance: float = TOLERANCE
) -> None:
    """
    Make sure that *payload* was signed with *secret*, not long ago.

    Args:
        payload: The body exactly as it came; JSON that was read and written again has another signature.
        headers: Of the request.
        secret: `whsec_` and the key in base64, or the key itself.
        now: Seconds since the epoch.
        tolerance: Seconds that the delivery's time may be away from *now*, either way; at least 0.

    Raises:
        InvalidWebhookSignature: A header is missing or malformed, the time is too far away, or no signature fits.
        InvalidConfiguration: The secret is not base64 behind `whsec_`. It is not shown.
        InvalidFieldValue: An argument is not of its kind; `param` names it.

    Spec: WHK-01, WHK-02
    """
    _check_kinds(payload, headers, tolerance)
    said = _needed(headers)
    _check_age(said[_TIMESTAMP], now, tolerance)
    body = payload.encode("utf-8", "surrogatepass") if isinstance(payload, str) else payload
    signed = f"{said[_ID]}.{said[_TIMESTAMP]}.".encode("utf-8", "surrogatepass") + body
    fits = _fits(signed, said[_SIGNATURE], secret)
    # the frame may be shown in a traceback, and the body is somebody's
    del payload, body, signed, headers
    if fits is None:
        raise InvalidConfiguration("webhook_secret: must be base64 behind 'whsec_' (value not shown)")
    if not fits:
        raise InvalidWebhookSignature(f"{_SIGNATURE}: no signature fits the body and the secret", param=_SIGNATURE)


def _check_kinds(payload: object, headers: object, tolerance: object) -> None:
    """Refuse what no framework hands over as a body or as headers, without a word of it."""
    if not isinstance(payload, str | bytes):
        said = f"payload: must be the body as it came, str or bytes, not {type(payload).__name__}"
        raise InvalidFieldValue(said, param="payload")
    if isinstance(headers, str | bytes) or not isinstance(headers, Iterable):
        said = f"headers: must be a mapping or pairs of names and values, not {type(headers).__name__}"
        raise InvalidFieldValue(said, param="headers")
    if not isinstance(tolerance, int | float) or not tolerance >= 0:
        raise InvalidFieldValue(f"tolerance: must be seconds, at least 0, not {tolerance!r}", param="tolerance")


def _needed(headers: WebhookHeaders) -> dict[str, str]:
    """
    Return the three headers.

    Raises:
        InvalidWebhookSignature: One is not there, or is there twice and not the same.
    """
    found: dict[str, str] = {}
    for pair in headers.items() if isinstance(headers, Mapping) else headers:
        name, value = _pair(pair)
        if name in _NEEDED and found.setdefault(name, value) != value:
            raise InvalidWebhookSignature(f"{name}: is there twice, with two values", param=name)
    for name in _NEEDED:
        if not found.get(name):
            raise InvalidWebhookSignature(f"{name}: the header is missing", param=name)
    return found


def _pair(pair: Any) -> tuple[str, str]:
    """Return a header as text, its name in lower case."""
    if isinstance(pair, list | tuple) and len(pair) == 2:  # noqa: PLR2004 - what a pair is
        name, value = (part.decode("latin-1") if isinstance(part, bytes) else part for part in pair)
        if isinstance(name, str) and isinstance(value, str):
            return name.lower(), value.strip()
        if isinstance(name, str) and name.lower() not in _NEEDED:
            # frameworks have lists and more in headers that are nothing to us
            return name.lower(), ""
    raise InvalidFieldValue(
        "headers: must be a mapping of text to text, or pairs of text or of bytes (values not shown)", param="headers"
    )


def _check_age(timestamp: str, now: float, tolerance: float) -> None:
    """
    Refuse a delivery from another time.

    Raises:
        InvalidWebhookSignature: It is too old, too new, or says no time.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _LONGEST_TIMESTAMP):
        raise InvalidWebhookSignature(f"{_TIMESTAMP}: must be seconds since the epoch", param=_TIMESTAMP)
    age = now - int(timestamp)
    # a clock that tells no number is no reason to take everything
    if not abs(age) <= tolerance:
        word = "old" if age > 0 else "new"
        raise InvalidWebhookSignature(
            f"{_TIMESTAMP}: the delivery is too {word}: {abs(age):.0f} s away, {tolerance:g} s are accepted",
            param=_TIMESTAMP,
        )


def _fits(signed: bytes, signatures: str, secret: Secret) -> bool | None:
    """Tell whether one of *signatures* is that of *signed*; None when the secret is none. Nothing is raised here."""
    key = _key(secret.reveal())
    if key is None:
        return None
    expected = b64encode(hmac.digest(key, signed, hashlib.sha256))
    fits = False
    for entry in signatures.split()[:_MOST_SIGNATURES]:
        if entry.startswith(_VERSION):
            # every entry is compared, so that the time taken tells nothing
            given = entry.removeprefix(_VERSION).encode("utf-8", "surrogatepass")
            fits |= hmac.compare_digest(expected, given)
    return fits


def _key(secret: str) -> bytes | None:
    """Return the key that *secret* stands for, None when it stands for none."""
    if not secret.startswith(_ENCODED_SECRET):
        return secret.encode()
    try:
        return b64decode(secret.removeprefix(_ENCODED_SECRET), validate=True) or None
    except binascii.Error:
        return None
