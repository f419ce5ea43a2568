"""Before the first byte of a request: names, sockets, TLS and proxies. Whatever fails here was not sent."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import struct
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import trustme

from openai_client import errors
from tests.faults.case import (
    H1,
    INTERNAL,
    LATER,
    NEVER,
    NOT_SENT,
    RAISED,
    UNAVAILABLE,
    UNKNOWN,
    Case,
    Failure,
)
from tests.faults.upstreams import Named, Nowhere, Socket, Stage, simulated

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from tests.faults.upstreams import Upstream

NO_CONNECTION: Final = Failure(UNAVAILABLE, "connection_failed", NOT_SENT, LATER)
NO_SUCH_NAME: Final = Failure(UNAVAILABLE, "dns_failed", NOT_SENT, NEVER)
NOT_TRUSTED: Final = Failure(UNAVAILABLE, "tls_failed", NOT_SENT, NEVER)
TOO_SLOW: Final = Failure(UNAVAILABLE, "connect_timeout", NOT_SENT, LATER)
FORBIDDEN: Final = Failure(INTERNAL, "egress_denied", NOT_SENT, NEVER)
BROKEN: Final = Failure(UNAVAILABLE, "reset", UNKNOWN, LATER)

LOOPBACK: Final = {"egress_networks": ("127.0.0.0/8",)}
SHORT: Final = 0.2
"""Seconds of a timer that a case waits for."""

_LEAVES: Final = {
    NO_CONNECTION: errors.ConnectionFailed,
    NO_SUCH_NAME: errors.DnsResolutionFailed,
    NOT_TRUSTED: errors.SslError,
    TOO_SLOW: errors.Timeout,
    FORBIDDEN: errors.InvalidConfiguration,
    BROKEN: errors.ConnectionFailed,
}


def row(group: str, name: str, upstream: Upstream, failure: Failure, **more: Any) -> Case:
    """A case that never gets a request out; a connection that fails for the moment is tried four times."""
    attempts = 4 if failure in (NO_CONNECTION, TOO_SLOW) else 1
    given = {"posts": 0, "attempts": attempts, "leaf": _LEAVES[failure], "within": 0.3, **more}
    return Case(name=name, group=group, upstream=upstream, sequence=RAISED, failure=failure, **given)


def slow(group: str, name: str, upstream: Upstream, **more: Any) -> Case:
    """A case in which connecting takes longer than it may; it is tried once, so that the timer is seen."""
    timer = {"connect_timeout": SHORT}
    settings = {**timer, "retry": None}
    given = {"attempts": 1, "settings": settings, "client": timer, "after": SHORT, "within": SHORT, **more}
    return row(group, name, upstream, TOO_SLOW, **given)


# sockets that do not behave


async def hang_up(reader: StreamReader, writer: StreamWriter) -> None:
    """Close at once."""
    writer.close()


async def hang_up_after_hello(reader: StreamReader, writer: StreamWriter) -> None:
    """Read the beginning of the handshake, and close."""
    await reader.read(16)
    writer.close()


async def reset(reader: StreamReader, writer: StreamWriter) -> None:
    """Read a little, and reset."""
    await reader.read(16)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def say_nothing(reader: StreamReader, writer: StreamWriter) -> None:
    """Read until the other side has gone."""
    while await reader.read(65_536):
        pass


async def speak_plainly(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer a handshake as a plain HTTP server does."""
    await reader.read(16)
    writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    writer.close()


async def babble(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer a handshake with what is no TLS record."""
    await reader.read(16)
    writer.write(b"\x00\xff" * 512)
    writer.close()


async def serve_nothing(reader: StreamReader, writer: StreamWriter) -> None:
    """Shake hands, as the loop does it, and wait; a client that does not like the certificate leaves."""
    await say_nothing(reader, writer)


# certificates that nobody should accept


@cache
def _other_authority() -> trustme.CA:
    return trustme.CA()


def _context(issued: trustme.LeafCert, protocol: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    context.set_alpn_protocols([protocol])
    return context


def for_another_name(stage: Stage, protocol: str) -> ssl.SSLContext:
    """A good certificate, for somebody else."""
    return _context(stage.authority.issue_cert("other.example"), protocol)


def by_a_stranger(stage: Stage, protocol: str) -> ssl.SSLContext:
    """The right name, by an authority that nobody trusts."""
    return _context(_other_authority().issue_cert("127.0.0.1"), protocol)


def expired(stage: Stage, protocol: str) -> ssl.SSLContext:
    """The right name, an hour too late."""
    now = dt.datetime.now(dt.UTC)
    hour = dt.timedelta(hours=1)
    return _context(stage.authority.issue_cert("127.0.0.1", not_before=now - 2 * hour, not_after=now - hour), protocol)


def not_yet_valid(stage: Stage, protocol: str) -> ssl.SSLContext:
    """The right name, a day too early."""
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    return _context(stage.authority.issue_cert("127.0.0.1", not_before=now + day, not_after=now + 2 * day), protocol)


def of_old(stage: Stage, protocol: str) -> ssl.SSLContext:
    """A good certificate, and TLS 1.1 at most."""
    context = stage.context(protocol)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        # deprecated, and that is the point
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def wants_certificate(stage: Stage, protocol: str) -> ssl.SSLContext:
    """A good certificate, and none of ours: the handshake of TLS 1.2 ends with an alert."""
    context = stage.context(protocol)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _tls(name: str, context: Any, **more: Any) -> Case:
    return row("tls", name, Socket(serve_nothing, context, alerts=True), NOT_TRUSTED, **more)


def _dns(name: str, found: Any, failure: Failure, **more: Any) -> Case:
    return row("dns", name, Named(found), failure, **more)


SOCKETS: Final = (
    row("connect", "nobody-listens", Nowhere(), NO_CONNECTION),
    slow("connect", "queue-full", Nowhere(full=True)),
    row("connect", "closed-at-once", Socket(hang_up, scheme="http"), BROKEN, protocols=(H1,)),
    row("connect", "reset-under-the-request", Socket(reset, scheme="http"), BROKEN, protocols=(H1,)),
    row(
        "connect",
        "all-addresses-dead",
        Named(("127.0.0.1", "127.0.0.2"), settings=LOOPBACK),
        NO_CONNECTION,
        client=LOOPBACK,
    ),
    Case(
        name="second-address-lives",
        group="connect",
        upstream=Named(("127.0.0.9", "127.0.0.1"), simulated(), LOOPBACK),
        sequence="started token*8 end",
        protocols=(H1,),
    ),
)

NAMES: Final = (
    _dns("no-such-name", socket.gaierror(socket.EAI_NONAME, "Name or service not known"), NO_SUCH_NAME),
    _dns("no-address", socket.gaierror(socket.EAI_NODATA, "No address associated with hostname"), NO_SUCH_NAME),
    _dns("resolver-fails", socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), NO_SUCH_NAME),
    _dns("resolver-busy", socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), NO_CONNECTION),
    _dns("empty-answer", (), NO_SUCH_NAME),
    _dns("resolver-broken", OSError(5, "Input/output error"), NO_CONNECTION),
    slow("dns", "resolver-silent", Named(None)),
    _dns("metadata-address", ("169.254.169.254",), FORBIDDEN),
    _dns("rebound-to-loopback", ("127.0.0.1",), FORBIDDEN),
    _dns("one-address-of-two-outside", ("127.0.0.1", "10.1.2.3"), FORBIDDEN, settings=LOOPBACK, client=LOOPBACK),
)

TLS: Final = (
    _tls("wrong-name", for_another_name),
    _tls("stranger", by_a_stranger),
    _tls("expired", expired),
    _tls("not-yet-valid", not_yet_valid),
    _tls("old-version", of_old),
    _tls("wants-a-certificate", wants_certificate),
    row("tls", "cut-after-hello", Socket(hang_up_after_hello), NO_CONNECTION),
    row("tls", "reset-after-hello", Socket(reset), NO_CONNECTION),
    row("tls", "closed-before-hello", Socket(hang_up), NO_CONNECTION),
    slow("tls", "handshake-stalls", Socket(say_nothing)),
    row("tls", "plain-server", Socket(speak_plainly), NOT_TRUSTED),
    row("tls", "babble", Socket(babble), NOT_TRUSTED),
)

CASES: Final = (*SOCKETS, *NAMES, *TLS)
