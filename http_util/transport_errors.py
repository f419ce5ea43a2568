"""
Exceptions of the HTTP engine -> failures, by class, by cause chain and by how far the call had come.

The engine says "connect error" for a name that does not exist, a certificate that is wrong and a port that is closed
alike; only the chain of causes tells them apart. And it says "read error" for a request that may or may not have been
processed; only the phase tells what the upstream may have done.

Spec: ERR-09, HTU-14
"""

from __future__ import annotations

import socket
import ssl
from enum import Enum
from typing import TYPE_CHECKING, Final

import httpx

from adapter_api.outcome import Outcome
from http_util.engine.errors import Curtailed, Disconnected, Elsewhere, Unprocessed, Unreachable
from http_util.errors import HttpFailure, PolicyFailure, ProtocolFailure, TimeoutFailure, TransportFailure
from http_util.frames import without_frames

if TYPE_CHECKING:
    from collections.abc import Iterator


class Phase(Enum):
    """How far a call had come when it failed."""

    SENDING = "sending"
    """From the first try to connect until the head of the answer arrives."""
    HEAD_RECEIVED = "head_received"
    """The status is known, nothing of the answer has been handed out."""
    STREAMING = "streaming"
    """A part of the answer has been handed out; the call can never be repeated."""


TRANSPORT_ERRORS: Final[tuple[type[Exception], ...]] = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    OSError,
)
"""What an engine may raise because of the network or the upstream. Anything else is a bug and must not be caught."""

# Longer chains than this do not occur; a cycle does, when exceptions are raised again by hand.
_CHAIN_LIMIT: Final = 32

_TEMPORARY_DNS: Final = frozenset({socket.EAI_AGAIN})

# A peer that goes away during the handshake may be restarting; everything else TLS complains about stays wrong.
_HANDSHAKE_CUT: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def classify_transport_error(error: Exception, phase: Phase, *, http_status: int | None = None) -> HttpFailure:
    """
    Return the failure that an exception of the engine stands for.

    Messages are our own sentences: the engine's may quote a header with a credential in it.

    Args:
        error: One of `TRANSPORT_ERRORS`.
        phase: How far the call had come.
        http_status: Status of the answer when its head had arrived. A retry policy needs it to tell "no byte came"
            from "an answer had begun".

    Returns:
        A failure, not raised. Raise it ``from`` `safe_cause`.

    Spec: ERR-09
    """
    made = _failure(error, phase)
    return made if http_status is None else made.replace(http_status=http_status)


def _failure(error: Exception, phase: Phase) -> HttpFailure:
    """Choose by the exception's class, the most specific first."""
    if isinstance(error, HttpFailure):
        return error
    match error:
        case httpx.ConnectTimeout():
            return _timeout("no connection within connect_timeout", "connect_timeout", Outcome.NOT_SENT)
        case httpx.PoolTimeout():
            return _timeout("no free connection within pool_timeout", "pool_timeout", Outcome.NOT_SENT)
        case httpx.WriteTimeout():
            return _timeout("the upstream did not take the request within write_timeout", "write_timeout", _sent(phase))
        case httpx.ReadTimeout() if phase is Phase.SENDING:
            return _timeout("no response head within first_byte_timeout", "first_byte_timeout", Outcome.UNKNOWN)
        case httpx.TimeoutException() | TimeoutError():
            return _timeout("no byte of the answer within idle_timeout", "idle_timeout", _sent(phase))
        case httpx.ConnectError() | httpx.ProxyError():
            return _connect_failure(error)
        case httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return PolicyFailure(
                "the URL cannot be used: http:// or https:// with a valid host is required",
                reason="invalid_base_url",
                outcome=Outcome.NOT_SENT,
            )
        case _:
            return _broken(error, phase)


def _broken(error: Exception, phase: Phase) -> HttpFailure:
    """Return the failure for a connection or a protocol that broke."""
    if isinstance(error, Unprocessed) and phase is Phase.SENDING:
        return _not_sent(_said(error, "the upstream closed the HTTP/2 stream without processing the request"), "reset")
    if isinstance(error, Elsewhere):
        outcome = Outcome.NOT_SENT if phase is Phase.SENDING else _sent(phase)
        # no `Interrupted`: nobody stopped it, and a task that ends so was not cancelled
        return PolicyFailure(str(error), reason="closed", outcome=outcome)
    if isinstance(error, Curtailed):
        # not `protocol`, which would speak against the upstream
        return PolicyFailure(str(error), reason="serialization", outcome=_sent(phase))
    if isinstance(error, httpx.LocalProtocolError):
        return _local_protocol_failure(phase)
    if isinstance(error, httpx.RemoteProtocolError) and _is_disconnect(error):
        message = _said(error, "the upstream closed the connection before its answer was complete")
        return TransportFailure(message, reason="reset", outcome=_sent(phase))
    if isinstance(error, httpx.DecodingError):
        return ProtocolFailure("the answer's content encoding is broken", reason="decode", outcome=_sent(phase))
    if isinstance(error, httpx.ProtocolError | httpx.StreamError):
        return ProtocolFailure(
            "the upstream's answer breaks the HTTP protocol", reason="protocol", outcome=_sent(phase)
        )
    return TransportFailure("the connection broke", reason="reset", outcome=_sent(phase))


def _said(error: Exception, otherwise: str) -> str:
    """Return the sentence of our own engine, which quotes nobody, or *otherwise* for another one's error."""
    return str(error) if isinstance(error, Disconnected | Unprocessed | Unreachable) and str(error) else otherwise


def _sent(phase: Phase) -> Outcome:
    """Return what may have happened to a request of which at least a part was sent."""
    return Outcome.PARTIAL if phase is Phase.STREAMING else Outcome.UNKNOWN


def _timeout(message: str, reason: str, outcome: Outcome) -> TimeoutFailure:
    """Return the failure of one timer."""
    return TimeoutFailure(message, reason=reason, outcome=outcome)


def _connect_failure(error: Exception) -> TransportFailure:
    """Split "could not connect" into name, certificate and connection."""
    for cause in _chain(error):
        match cause:
            case socket.gaierror():
                return _dns_failure(error, cause)
            case ssl.SSLCertVerificationError():
                return _not_sent(
                    f"the upstream's certificate was not accepted: {_word(cause, 'verify_message')}", "tls_failed"
                )
            case ssl.SSLError() if not isinstance(cause, _HANDSHAKE_CUT):
                word = _word(cause, "reason")
                hint = "; does this port speak TLS?" if word == "WRONG_VERSION_NUMBER" else ""
                return _not_sent(f"TLS could not be agreed on: {word}{hint}", "tls_failed")
            case ssl.SSLError():
                return _not_sent("the upstream went away during the TLS handshake", "connection_failed")
            case _:
                continue
    detail = next((c.strerror for c in _chain(error) if isinstance(c, OSError) and c.strerror), None)
    text = _said(error, f"no connection to the upstream{f': {detail}' if detail else ''}")
    return _not_sent(text, "connection_failed")


def _word(error: ssl.SSLError, name: str) -> str:
    """Return what OpenSSL says about a failed handshake; errors made in Python lack these attributes."""
    return str(getattr(error, name, "") or "no reason given")


def _dns_failure(error: Exception, cause: socket.gaierror) -> TransportFailure:
    """Return the failure of a resolver: a hiccup counts as "no connection", a name that does not exist does not."""
    if cause.errno in _TEMPORARY_DNS:
        return _not_sent(_said(error, "the host name could not be resolved just now"), "connection_failed")
    text = f"the host name could not be resolved: {cause.strerror or 'unknown name'}"
    return _not_sent(_said(error, text), "dns_failed")


def _not_sent(message: str, reason: str) -> TransportFailure:
    """Return a failure from before anything was sent."""
    return TransportFailure(message, reason=reason, outcome=Outcome.NOT_SENT)


def _local_protocol_failure(phase: Phase) -> HttpFailure:
    """Return the failure of a request that our own side could not write."""
    if phase is Phase.SENDING:
        # for instance a header value with a line break; the engine's text would quote it
        return ProtocolFailure("the request cannot be written as HTTP", reason="protocol", outcome=Outcome.NOT_SENT)
    return ProtocolFailure("the HTTP connection is in an impossible state", reason="protocol", outcome=_sent(phase))


def _is_disconnect(error: Exception) -> bool:
    """Tell whether a remote protocol error only means that the connection or the stream ended too early."""
    if isinstance(error, Disconnected | Unprocessed):
        return True
    # the stock engine says it in words only
    text = str(error).lower()
    return any(sign in text for sign in ("disconnected", "closed connection", "incomplete", "without sending"))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and everything that led to it: causes, contexts and members of groups, each once."""
    queue: list[BaseException] = [error]
    seen: set[int] = set()
    while queue and len(seen) < _CHAIN_LIMIT:
        current = queue.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            queue.extend(current.exceptions)
        queue.extend(e for e in (current.__cause__, current.__context__) if e is not None)


def safe_cause(error: Exception) -> Exception | None:
    """
    Return *error* when its text may stand in a traceback, None when it may quote a request header.

    Use as ``raise classify_transport_error(error, phase) from safe_cause(error)``: ``from None`` hides the engine's
    exception from the printed traceback.

    Spec: SEC-16
    """
    return None if any(_quotes(cause) for cause in _chain(error)) else without_frames(error)


def _quotes(error: BaseException) -> bool:
    """Tell whether the text of *error* may quote a request, or an answer that repeats one; our engine's never do."""
    if isinstance(error, Curtailed | Disconnected | Unprocessed):
        return False
    return isinstance(error, _QUOTING_ERRORS) or type(error).__module__.startswith("httpcore")


_QUOTING_ERRORS: Final = (httpx.ProtocolError, httpx.InvalidURL, httpx.UnsupportedProtocol)
