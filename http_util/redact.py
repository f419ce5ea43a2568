"""
Redaction: the only way text from outside may reach a log, an error message or a terminal.

Three layers, applied together by `safe_message`:

1. Secrets that the caller knows (the configured key) are replaced wherever they stand, also percent-encoded.
2. Shapes that look like credentials are replaced: bearer tokens, ``sk-...`` keys, JWTs, sensitive JSON members,
   query parameters and header lines, the userinfo of a URL.
3. Control, bidirectional and other invisible characters are escaped, so that a message cannot repaint a terminal
   or forge a second log line; then the text is cut to its limit.

Everything here is pure. All patterns are linear in the length of the text.

There is one mask, for headers and for free text alike, and no fingerprint behind it: whoever holds a candidate could
confirm it by those characters, and tell from two logs that a key is the same. Who has to tell keys apart without seeing
them uses the audit trail, whose ids mean nothing outside of it.

Spec: CF-16, HTU-1004, HTU-11, HTU-ERR-4001, SEC-07, SEC-08, SEC-16
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote, quote_plus

MASK: Final = "****"
"""What stands in the place of a removed secret."""

MESSAGE_LIMIT: Final = 512
"""Longest upstream text in one of our messages, in characters, after redaction and escaping."""

IDENTIFIER_LIMIT: Final = 128
"""Characters of an identifier from outside."""

_NO_IDENTIFIER: Final = re.compile(r"[^!-~]")

UNDECODABLE: Final = "<undecodable>"
"""What stands in the place of a header value that is not text."""

# Nothing behind this point can reach a 512-character message, and redaction should not cost more than its use.
_SCAN_LIMIT: Final = 65_536

# The end of a cut text may hold the beginning of a secret; shorter beginnings tell an attacker nothing.
_SHORTEST_FRAGMENT: Final = 6

# Replacing shorter values would only garble the text.
_SHORTEST_SECRET: Final = 4

# What stood in a header may come back in lower case. Shorter keys, such as EMPTY for a server that wants any, are words
# then, and a sentence would lose them.
_SHORTEST_LOWERED: Final = 12

_SENSITIVE_HEADERS: Final = frozenset(
    {
        "api-key",
        "authorization",
        "cookie",
        "ocp-apim-subscription-key",
        "openai-organization",
        "openai-project",
        "proxy-authorization",
        "set-cookie",
        "x-amz-security-token",
        "x-api-key",
        "x-auth-token",
        "x-goog-api-key",
    },
)

_SENSITIVE_NAME: Final = (
    r"(?:[a-z0-9]+[-_])*?(?:api[-_]?key|apikey|authorization|access[-_]?token|refresh[-_]?token|auth[-_]?token"
    r"|id[-_]?token|session[-_]?token|client[-_]?secret|private[-_]?key|subscription[-_]?key|secret[-_]?key"
    r"|proxy[-_]?auth"
    r"|password|passwd|secret|credentials?|token|signature|sig|cookie)"
)
_SENSITIVE_NAME_RE: Final = re.compile(_SENSITIVE_NAME, re.IGNORECASE)

_TEXT_RULES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    # user:password@ in a URL
    (re.compile(r"(://)[^/?#\s@\"']{1,1024}@"), rf"\1{MASK}@"),
    # "api_key": "..." in JSON, also with single quotes and with escaped quotes
    (
        re.compile(
            rf"(?P<head>(?P<q>\\?[\"'])(?:x-)?{_SENSITIVE_NAME}(?P=q)\s{{0,8}}:\s{{0,8}}(?P=q))"
            r"(?:\\[^\"']|\\\\|[^\"'\\])*",
            re.IGNORECASE,
        ),
        rf"\g<head>{MASK}",
    ),
    # ?api_key=... and form bodies
    (re.compile(rf"([?&;\s]{_SENSITIVE_NAME}=)[^&\s#\"'<>;]+", re.IGNORECASE), rf"\1{MASK}"),
    # ?key=..., known from one vendor's URLs
    (re.compile(r"([?&]key=)[^&\s#\"'<>;]+", re.IGNORECASE), rf"\1{MASK}"),
    # a header line
    (
        re.compile(
            r"\b((?:authorization|proxy-authorization|x-api-key|api-key|x-auth-token|x-goog-api-key|cookie|set-cookie"
            r"|openai-organization|openai-project|ocp-apim-subscription-key)[\"']?\s{0,4}:\s{0,4})[^\r\n]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    # an authorization value without its header's name
    (re.compile(r"\b(bearer)(\s{1,4})[A-Za-z0-9._~+/=*\-]{6,}", re.IGNORECASE), rf"\1\2{MASK}"),
    (re.compile(r"\b(basic)(\s{1,4})[A-Za-z0-9+/=_\-]{12,}", re.IGNORECASE), rf"\1\2{MASK}"),
    # key shapes of the well-known services
    (
        re.compile(
            r"\b(?:sk|ek|pk|rk|sess|org|proj|gsk|hf|ghp|gho|ghs|glpat|xai|nvapi|pplx|r8|xox[abprs])[-_][A-Za-z0-9_*.\-]{6,}",
        ),
        MASK,
    ),
    (re.compile(r"\b(?:AKIA|ASIA|AIza)[A-Za-z0-9_\-]{10,}"), MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_\-]{6,}\.[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)?"), MASK),
)


# A model's name, a finish reason, most ids: in such a text no rule finds anything but those for the shapes of keys,
# which come last, because every other one looks for a separator. Texts like these are looked at with every call.
_WORD: Final = re.compile(r"[A-Za-z0-9_.\-]*")
_WORD_RULES: Final = _TEXT_RULES[-3:]


def redact_text(text: str, *, secrets: Iterable[str] = ()) -> str:
    """
    Return *text* without anything that is, or looks like, a credential.

    Args:
        text: Any text; its length decides the cost.
        secrets: Known secret values. Each is removed verbatim and percent-encoded, whatever it looks like, and
            so is its beginning when the text ends in the middle of it. Values under 4 characters are ignored,
            because removing them would only garble the text.

    Spec: HTU-1004, HTU-11
    """
    for secret in sorted((s for s in secrets if len(s) >= _SHORTEST_SECRET), key=len, reverse=True):
        for form in _forms(secret) if len(text) >= len(secret) else ():
            text = text.replace(form, MASK)
        text = _without_cut_secret(text, secret)
    for pattern, replacement in _WORD_RULES if _WORD.fullmatch(text) else _TEXT_RULES:
        text = pattern.sub(replacement, text)
    return text


def _forms(secret: str) -> set[str]:
    """Return every way in which *secret* may stand in a text; none is shorter than the secret itself."""
    cases = {secret, secret.lower()} if len(secret) >= _SHORTEST_LOWERED else {secret}
    if _WORD.fullmatch(secret):
        return cases
    return {*cases, quote(secret, safe=""), quote_plus(secret), secret.replace("/", "\\/")}


def without_encoded(text: str, secrets: Iterable[str]) -> str:
    """
    Return *text* without *secrets* in which any characters are percent-encoded, as a query may have them.

    >>> without_encoded("key=%73k-%61bcdefgh", ["sk-abcdefgh"])
    'key=****'

    Spec: SEC-16
    """
    for secret in secrets if "%" in text else ():
        if len(secret) >= _SHORTEST_CREDENTIAL:
            text = _encoded(secret).sub(MASK, text)
    return text


def _encoded(secret: str) -> re.Pattern[str]:
    """Return the pattern of a text whose bytes are written as they are, or as their percent code."""
    signs = ((re.escape(sign), "".join(f"%{byte:02x}" for byte in sign.encode())) for sign in secret)
    return re.compile("".join(f"(?:{plain}|(?i:{code}))" for plain, code in signs))


def _without_cut_secret(text: str, secret: str) -> str:
    """Return *text* without a beginning of *secret* at its very end."""
    if secret[:_SHORTEST_FRAGMENT] not in text:
        return text
    for length in range(min(len(secret), len(text)), _SHORTEST_FRAGMENT - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + MASK
    return text


def credentials_in(fields: Iterable[tuple[str, str]]) -> list[str]:
    """
    Return what is secret in headers or parameters: each word of a value whose name says that it holds a credential.

    Shorter words than eight characters are none; taking them out would garble what is said about a call.

    >>> credentials_in([("authorization", "Bearer abcdefgh"), ("x-tenant", "t"), ("subscription-key", "ijklmnop")])
    ['abcdefgh', 'ijklmnop']

    Spec: SEC-16
    """
    words = [word for name, value in fields if is_sensitive_name(name) for word in value.split()]
    return [word for word in words if len(word) >= _SHORTEST_CREDENTIAL and word.isascii() and word.isprintable()]


_SHORTEST_CREDENTIAL: Final = 8


def is_sensitive_header(name: str) -> bool:
    """Tell whether the value of the header called *name* must never be shown."""
    return _is_known_sensitive(name) if len(name) <= _LONGEST_KNOWN_NAME else _is_sensitive(name)


def _is_sensitive(name: str) -> bool:
    lowered = name.lower()
    return lowered in _SENSITIVE_HEADERS or _SENSITIVE_NAME_RE.fullmatch(lowered) is not None


# the same few names are asked for with every call; a long one is nobody's but an attacker's
_LONGEST_KNOWN_NAME: Final = 64
_is_known_sensitive = lru_cache(maxsize=512)(_is_sensitive)


def is_sensitive_name(name: str) -> bool:
    """Tell whether a member, parameter or field called *name* usually holds a secret."""
    return is_sensitive_header(name)


def redact_headers(
    headers: Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]],
    *,
    secrets: Iterable[str] = (),
) -> dict[str, str]:
    """
    Return headers that may be logged: lower-case names, sensitive values masked, the rest redacted as text.

    Repeated headers are joined by ``", "``. A value that is not ASCII text becomes `UNDECODABLE`.

    Spec: SEC-07, SEC-08
    """
    pairs: Iterable[tuple[str | bytes, str | bytes]] = headers.items() if isinstance(headers, Mapping) else headers
    known = tuple(secrets)
    shown: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name = _header_text(raw_name).lower()
        value = (
            MASK if is_sensitive_header(name) else escape_controls(redact_text(_header_text(raw_value), secrets=known))
        )
        shown[name] = f"{shown[name]}, {value}" if name in shown else value
    return shown


def _header_text(raw: str | bytes) -> str:
    """Return the header part as text, or `UNDECODABLE`."""
    if isinstance(raw, str):
        return raw
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        return UNDECODABLE


_CUT_PASSWORD: Final = re.compile(r":(?!\d*$)[^@\]]*$")
"""A colon in an authority behind which no port stands."""


def redact_url(url: str, *, secrets: Iterable[str] = ()) -> str:
    """
    Return a URL that may be logged: userinfo and fragment removed, sensitive query values masked.

    The text need not be a valid URL; what cannot be understood is still redacted as text.

    Spec: HTU-11
    """
    bare = url.split("#", 1)[0]
    scheme, separator, rest = bare.partition("://")
    if separator:
        authority_end = min((i for i in (rest.find(c) for c in "/?") if i >= 0), default=len(rest))
        if _CUT_PASSWORD.search(rest[:authority_end]):
            # a password with a slash or a question mark in it, which should have been encoded
            authority_end = max(authority_end, rest.rfind("@") + 1)
        authority = rest[:authority_end].rpartition("@")[2]
        bare = f"{scheme}://{authority}{rest[authority_end:]}"
    path, question, query = bare.partition("?")
    if question:
        query = "&".join(_redacted_pair(pair) for pair in query.split("&"))
    return escape_controls(redact_text(f"{path}{question}{query}", secrets=secrets))


def _redacted_pair(pair: str) -> str:
    """Return ``name=value`` with the value masked when the name is sensitive."""
    name, equals, _ = pair.partition("=")
    return f"{name}{equals}{MASK}" if equals and (is_sensitive_name(name) or name.lower() == "key") else pair


def redact_value(value: object, *, secrets: Iterable[str] = (), depth: int = 6) -> object:
    """
    Return a copy of a JSON-like value that may be logged.

    Members with a sensitive name are masked whatever they hold; strings are redacted; bytes become their length;
    other objects become their redacted ``repr``. Below *depth* levels everything becomes ``"..."``.

    Spec: HTU-11, LOG-05
    """
    known = tuple(secrets)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact_text(value, secrets=known)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if depth <= 0:
        return "..."
    if isinstance(value, Mapping):
        return {
            str(name): MASK
            if is_sensitive_name(str(name)) and item is not None
            else redact_value(item, secrets=known, depth=depth - 1)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(item, secrets=known, depth=depth - 1) for item in value]
    return redact_text(repr(value), secrets=known)


def escape_controls(text: str) -> str:
    """
    Return *text* with control, format (bidirectional, zero-width), surrogate and line-separator characters escaped.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_harmless(char) else _escaped(char) for char in text)


def _is_harmless(char: str) -> bool:
    """Tell whether *char* only draws itself."""
    return char == " " or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp", "Cn"}


_ASTRAL: Final = 0x10000


def _escaped(char: str) -> str:
    """Return the backslash form of one character."""
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char) or (
        f"\\u{ord(char):04x}" if ord(char) < _ASTRAL else f"\\U{ord(char):08x}"
    )


def safe_message(text: str, secrets: Iterable[str] = (), *, limit: int = MESSAGE_LIMIT) -> str:
    """
    Return text from outside in a form that may stand in an error message: redacted, escaped and short.

    Args:
        text: Anything, of any length; only its beginning is looked at.
        secrets: Known secret values, see `redact_text`.
        limit: Longest result in characters, at least 1. A cut result ends in an ellipsis.

    Spec: HTU-ERR-4001, ERR-07
    """
    shown = escape_controls(redact_text(text[:_SCAN_LIMIT], secrets=secrets))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def safe_identifier(text: str, secrets: Iterable[str] = ()) -> str:
    """
    Return the name that somebody outside gave to something, in a form that may stand in a log.

    No name needs more than 128 printable ASCII characters without a space. What is something else becomes question
    marks, so that whoever chooses the name cannot write sentences, or a prompt, into it.

    Args:
        text: Anything, of any length.
        secrets: Known secret values, see `redact_text`.

    Example:
        >>> safe_identifier("req-7"), safe_identifier("you said: hi")
        ('req-7', 'you?said:?hi')

    Spec: HTU-1004, HTU-ERR-4001
    """
    shown = safe_message(text, secrets, limit=IDENTIFIER_LIMIT)
    cut = shown.removesuffix("…")
    return _NO_IDENTIFIER.sub("?", cut) + shown[len(cut) :]
