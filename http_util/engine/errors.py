"""
What the engine raises beyond httpx's own exceptions, each a subclass of the httpx exception that callers know.

    httpx.TransportError
    +-- httpx.ConnectError
    |   +-- Unreachable             no connection could be made; says where to, at which step, and why
    +-- httpx.LocalProtocolError
    |   +-- Unwritable              the request cannot be written as HTTP
    |   +-- Curtailed               its body turned out to be of another length when a part of it was sent
    +-- httpx.RemoteProtocolError   the answer breaks the protocol
        +-- Disconnected            the peer went away, or reset the stream, before the answer was complete
        +-- Unprocessed             the same, and HTTP/2 guarantees that the request was not processed
            +-- Displaced           nothing of the request was written
    httpx.StreamError
    +-- Elsewhere                   it belongs to another event loop, or to the process that this one was forked from

Spec: ERR-09
"""

from __future__ import annotations

import ssl

import httpx


class Unreachable(httpx.ConnectError):
    """No connection could be made. The text names the host, the step and the system's reason, and no secret."""


class Disconnected(httpx.RemoteProtocolError):
    """The connection closed, or the stream was reset, before the answer was complete. Nobody knows what was done."""


class Unprocessed(httpx.RemoteProtocolError):
    """The upstream guarantees that it did not process the request (RFC 9113, 8.7): it may be sent again."""


class Displaced(Unprocessed):
    """The place for the request was gone before anything of it was written."""


class Unwritable(httpx.LocalProtocolError):
    """The request cannot be written as HTTP. Nothing was sent."""


class Curtailed(httpx.LocalProtocolError):
    """The body of a request turned out to be of another length than was announced, when a part of it was sent."""


class Elsewhere(httpx.StreamError):
    """A client or an answer belongs to an event loop, and to a process; this is another one. The text says which."""


def connection_ended(error: Exception | None, *, is_new: bool) -> httpx.TransportError:
    """
    Return the failure of an answer whose connection is gone.

    In TLS 1.3 a client's handshake is over before the upstream has looked at its certificate. The refusal comes as the
    end of the connection, behind a request that nobody read.

    Args:
        error: What the transport said, None when it said nothing.
        is_new: Whether nothing ever came over the connection.
    """
    failure: httpx.TransportError = Disconnected("the connection closed before the answer was complete")
    if is_new and isinstance(error, ssl.SSLError) and "CERTIFICATE" in (error.reason or ""):
        failure = httpx.ConnectError("the upstream refuses the TLS connection for want of a certificate of ours")
    failure.__cause__ = error
    return failure
