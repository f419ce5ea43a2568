"""Exceptions of the engine, told apart by cause chain and phase."""

from __future__ import annotations

import socket
import ssl
import traceback

import httpcore
import httpx
import pytest

from adapter_api.outcome import Outcome
from http_util.engine.errors import Disconnected, Unprocessed, Unwritable
from http_util.errors import HttpFailure, PolicyFailure, ProtocolFailure, TimeoutFailure, TransportFailure
from http_util.transport_errors import TRANSPORT_ERRORS, Phase, classify_transport_error, safe_cause

SENDING, HEAD, STREAMING = Phase.SENDING, Phase.HEAD_RECEIVED, Phase.STREAMING
NOT_SENT, UNKNOWN, PARTIAL = Outcome.NOT_SENT, Outcome.UNKNOWN, Outcome.PARTIAL


def because(error: Exception, *causes: BaseException) -> Exception:
    """Return *error* at the end of a chain of causes, as the engine's layers build it."""
    current: BaseException = error
    for cause in causes:
        current.__cause__ = cause
        current = cause
    return error


def certificate_error() -> ssl.SSLCertVerificationError:
    """Return what Python raises for a certificate it does not trust."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


ROWS: list[tuple[Exception, Phase, type[HttpFailure], str, Outcome]] = [
    (httpx.ConnectTimeout(""), SENDING, TimeoutFailure, "connect_timeout", NOT_SENT),
    (httpx.PoolTimeout(""), SENDING, TimeoutFailure, "pool_timeout", NOT_SENT),
    (httpx.WriteTimeout(""), SENDING, TimeoutFailure, "write_timeout", UNKNOWN),
    (httpx.ReadTimeout(""), SENDING, TimeoutFailure, "first_byte_timeout", UNKNOWN),
    (httpx.ReadTimeout(""), HEAD, TimeoutFailure, "idle_timeout", UNKNOWN),
    (httpx.ReadTimeout(""), STREAMING, TimeoutFailure, "idle_timeout", PARTIAL),
    (httpx.ConnectError("refused"), SENDING, TransportFailure, "connection_failed", NOT_SENT),
    (httpx.ProxyError("403"), SENDING, TransportFailure, "connection_failed", NOT_SENT),
    (
        because(httpx.ConnectError(""), socket.gaierror(socket.EAI_AGAIN, "later")),
        SENDING,
        TransportFailure,
        "connection_failed",
        NOT_SENT,
    ),
    (
        because(httpx.ConnectError(""), socket.gaierror(socket.EAI_NONAME, "no")),
        SENDING,
        TransportFailure,
        "dns_failed",
        NOT_SENT,
    ),
    (because(httpx.ConnectError(""), certificate_error()), SENDING, TransportFailure, "tls_failed", NOT_SENT),
    (
        because(httpx.ConnectError(""), ssl.SSLError(1, "WRONG_VERSION_NUMBER")),
        SENDING,
        TransportFailure,
        "tls_failed",
        NOT_SENT,
    ),
    (
        because(httpx.ConnectError(""), ssl.SSLEOFError(8, "EOF")),
        SENDING,
        TransportFailure,
        "connection_failed",
        NOT_SENT,
    ),
    (
        because(httpx.ConnectError(""), ExceptionGroup("", [socket.gaierror(socket.EAI_NONAME, "x")])),
        SENDING,
        TransportFailure,
        "dns_failed",
        NOT_SENT,
    ),
    (httpx.ReadError(""), SENDING, TransportFailure, "reset", UNKNOWN),
    (httpx.WriteError(""), SENDING, TransportFailure, "reset", UNKNOWN),
    (httpx.ReadError(""), STREAMING, TransportFailure, "reset", PARTIAL),
    (
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        SENDING,
        TransportFailure,
        "reset",
        UNKNOWN,
    ),
    (
        httpx.RemoteProtocolError(
            "peer closed connection without sending complete message body (incomplete chunked read)"
        ),
        STREAMING,
        TransportFailure,
        "reset",
        PARTIAL,
    ),
    (httpx.RemoteProtocolError("illegal status line"), SENDING, ProtocolFailure, "protocol", UNKNOWN),
    (Unprocessed("refused"), SENDING, TransportFailure, "reset", NOT_SENT),
    (Unprocessed("refused"), STREAMING, TransportFailure, "reset", PARTIAL),
    (Disconnected("cut"), SENDING, TransportFailure, "reset", UNKNOWN),
    (Disconnected("cut"), STREAMING, TransportFailure, "reset", PARTIAL),
    (Unwritable("a line break"), SENDING, ProtocolFailure, "protocol", NOT_SENT),
    (
        httpx.LocalProtocolError("Illegal header value b'Bearer sk-secret'"),
        SENDING,
        ProtocolFailure,
        "protocol",
        NOT_SENT,
    ),
    (httpx.LocalProtocolError("state"), STREAMING, ProtocolFailure, "protocol", PARTIAL),
    (httpx.DecodingError("bad gzip"), HEAD, ProtocolFailure, "decode", UNKNOWN),
    (httpx.UnsupportedProtocol("ftp"), SENDING, PolicyFailure, "invalid_base_url", NOT_SENT),
    (httpx.InvalidURL("bad"), SENDING, PolicyFailure, "invalid_base_url", NOT_SENT),
    (httpx.StreamClosed(), HEAD, ProtocolFailure, "protocol", UNKNOWN),
    (ConnectionResetError(104, "reset"), HEAD, TransportFailure, "reset", UNKNOWN),
    (TimeoutError(), HEAD, TimeoutFailure, "idle_timeout", UNKNOWN),
]


@pytest.mark.requirement("HTU-14")
@pytest.mark.parametrize(
    ("error", "phase", "kind", "reason", "outcome"),
    ROWS,
    ids=[f"{type(row[0]).__name__}-{row[1].value}-{row[3]}-{n}" for n, row in enumerate(ROWS)],
)
def test_each_exception_becomes_the_failure_of_its_cause_and_phase(
    error: Exception, phase: Phase, kind: type[HttpFailure], reason: str, outcome: Outcome
) -> None:
    """Class, reason and outcome follow from the exception, what caused it, and how far the call had come."""
    assert isinstance(error, TRANSPORT_ERRORS)
    failure = classify_transport_error(error, phase)
    assert (type(failure), failure.reason, failure.outcome) == (kind, reason, outcome)


def test_the_status_is_noted_when_the_head_had_arrived() -> None:
    """A retry policy tells "no byte" from "an answer had begun" by it."""
    assert classify_transport_error(httpx.ReadError(""), HEAD, http_status=200).http_status == 200


def test_a_failure_that_is_one_already_stays_what_it_is() -> None:
    """The egress guard raises from inside the engine."""
    failure = PolicyFailure("no", reason="egress_denied", outcome=NOT_SENT)
    assert classify_transport_error(failure, SENDING) is failure


def test_a_chain_that_bites_its_tail_comes_to_an_end() -> None:
    """Exceptions raised again by hand may lead back to themselves."""
    first, second = httpx.ConnectError("a"), OSError(111, "Connection refused")
    first.__cause__, second.__cause__ = second, first
    assert str(classify_transport_error(first, SENDING)) == "no connection to the upstream: Connection refused"


@pytest.mark.requirement("HTU-ERR-4001")
def test_no_header_value_reaches_the_message_or_the_traceback() -> None:
    """h11 quotes the illegal value, which is the key; neither our message nor the printed chain does."""
    cause = httpcore.LocalProtocolError("Illegal header value b'Bearer hunter2hunter2'")
    error = because(httpx.LocalProtocolError(str(cause)), cause)
    with pytest.raises(HttpFailure) as caught:
        raise classify_transport_error(error, SENDING) from safe_cause(error)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_harmless_cause_is_kept() -> None:
    """A traceback shows what the engine said when that cannot hold a secret."""
    error = httpx.ReadError("connection reset")
    assert safe_cause(error) is error
