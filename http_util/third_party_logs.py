"""
What the libraries under us write to their own loggers, made safe.

httpx logs every URL with its query at INFO; httpcore logs headers at DEBUG; hpack logs the header block of every
request at DEBUG, and masks only some of it. And all of them repeat what an upstream says, who may have repeated a key.
Filters on these loggers redact the first two, of whose lines nothing that an upstream words stays, and drop the debug
records of the third. No level, handler or root logger is touched, so whoever wants these logs still gets them.

Spec: SEC-15, SEC-07
"""

from __future__ import annotations

import logging
import re
from typing import Final

from http_util.redact import MASK, is_sensitive_header, redact_text

REDACTED_LOGGERS: Final = (
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "httpx",
)
"""Loggers whose records are rewritten. A filter does not reach the loggers below it, so each is named."""

DROPPED_LOGGERS: Final = ("hpack.hpack", "hpack.table")
"""Loggers whose debug records are dropped: they print header blocks, encoded, in which a key can be read."""

# (b'name', b'value'), as httpcore prints headers
_PAIR: Final = re.compile(r"(\(b?(['\"])(?P<name>[A-Za-z0-9-]{1,64})\2, b?)(['\"])(?:\\.|(?!\4).)*\4", re.DOTALL)

# h11 quotes the whole value, which is usually the key with a line break in it
_ILLEGAL: Final = re.compile(r"(Illegal header (?:value|name)).*", re.DOTALL)

# what an upstream answered: protocol and status stay, the reason phrase and the headers are its own words
_ANSWERED: Final = re.compile(r"(return_value=\((?:b'HTTP/[0-9.]{1,4}', )?[0-9]{3}),.*", re.DOTALL)
_STATUS_LINE: Final = re.compile(r'("HTTP/[0-9.]{1,4} [0-9]{3}) [^"]*"')

# the text of an error quotes what could not be read
_RAISED: Final = re.compile(r"(exception=[A-Za-z_]{1,64})\(.*", re.DOTALL)

# the query of a URL is dropped as a whole: it is not ours to know what is a secret in it
_QUERY: Final = re.compile(r"(https?://[^\s?\"']{1,4096})\?[^\s\"']*")


class RedactingFilter(logging.Filter):
    """Lets every record pass, with its text redacted and its arguments gone."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite *record* in place."""
        record.msg = redact_log_text(record.getMessage())
        record.args = ()
        record.exc_info = None
        return True


class DebugDroppingFilter(logging.Filter):
    """Lets nothing pass below INFO."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop what is for debugging the library itself."""
        return record.levelno >= logging.INFO


def redact_log_text(text: str) -> str:
    """Return a line of one of `REDACTED_LOGGERS` without credentials, queries, and what an upstream worded."""
    text = _PAIR.sub(lambda m: f"{m[1]}{m[4]}{MASK}{m[4]}" if is_sensitive_header(m["name"]) else m[0], text)
    text = _STATUS_LINE.sub(r'\1"', _QUERY.sub(rf"\1?{MASK}", text))
    text = _RAISED.sub(r"\1", _ANSWERED.sub(r"\1, ...)", text))
    return redact_text(_ILLEGAL.sub(rf"\1 {MASK}", text))


def quiet_third_party_logs() -> None:
    """
    Put the filters on their loggers. Safe to call any number of times; called whenever a client is built.

    Spec: SEC-15
    """
    for names, kind in ((REDACTED_LOGGERS, RedactingFilter), (DROPPED_LOGGERS, DebugDroppingFilter)):
        for name in names:
            logger = logging.getLogger(name)
            if not any(isinstance(f, kind) for f in logger.filters):
                logger.addFilter(kind())
