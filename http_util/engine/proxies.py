"""
What is said to an HTTP proxy, and what its answer means. Pure.

An ``https://`` target is reached through a tunnel: the proxy is told ``CONNECT host:port``, and once it has agreed,
everything else is between us and the target, HTTP/2 included. A request to an ``http://`` target is handed to the proxy
itself, with the whole URL in its first line.

A tunnel is built by a *dialog*: it says what to send first, how many bytes it can take next, and what to send in
return. It never takes a byte too many, so nothing that belongs to the tunnel can be lost in it. Credentials are in no
text and in no ``repr`` of this module.

Spec: SEC-12, SEC-16
"""

from __future__ import annotations

import errno
import re
from base64 import b64encode
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from http_util.secret import Secret
    from http_util.urls import Origin

HEAD_LIMIT: Final = 16 * 1024
"""Most bytes that a proxy may send before the tunnel stands, interim answers included."""

_END: Final = b"\r\n\r\n"
_START: Final = b"HTTP/1."
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class ProxyRefusal(OSError):
    """
    The proxy does not build the tunnel; `strerror` says why.

    An OSError, so that whoever looks for the reason of a failed connection finds it like any other.
    """

    def __init__(self, why: str) -> None:
        """Say why, in words that may be shown to anybody."""
        super().__init__(errno.ECONNREFUSED, why)


class Dialog(Protocol):
    """What is said until a tunnel stands."""

    @property
    def wants(self) -> int:
        """How many bytes it can take now at most; 0 once the tunnel stands."""

    def opening(self) -> bytes:
        """Return what to send first."""

    def received(self, data: bytes) -> bytes:
        """
        Take what the proxy sent, at most `wants` bytes.

        Returns:
            What to send in return; may be empty.

        Raises:
            ProxyRefusal: There will be no tunnel.
        """


class ConnectDialog:
    r"""
    The dialog with an HTTP proxy (RFC 9110, 9.3.6).

    >>> dialog = ConnectDialog("api.example", 443, user_agent="worker-adapters")
    >>> dialog.opening()
    b'CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\nUser-Agent: worker-adapters\r\n\r\n'
    """

    def __init__(self, host: str, port: int, *, user_agent: str, credentials: Secret | None = None) -> None:
        """
        Prepare to ask for a tunnel.

        Args:
            host: Name or address of the target, without brackets.
            port: Its port.
            user_agent: Who asks; some proxies refuse whoever does not say.
            credentials: ``user:password``, or None.
        """
        self._authority = f"{f'[{host}]' if ':' in host else host}:{port}"
        self._user_agent = user_agent
        self._credentials = credentials
        self._head = bytearray()
        self._taken = 0
        self._stands = False

    @property
    def wants(self) -> int:
        """As many bytes as certainly belong to the head: those that its end still lacks."""
        if self._stands:
            return 0
        return next(missing for missing in (1, 2, 3, 4) if self._head.endswith(_END[:-missing]))

    def opening(self) -> bytes:
        """Return the request."""
        lines = [
            f"CONNECT {self._authority} HTTP/1.1",
            f"Host: {self._authority}",
            f"User-Agent: {self._user_agent}",
        ]
        if self._credentials is not None:
            lines.append(f"Proxy-Authorization: {_basic(self._credentials)}")
        return "\r\n".join(lines).encode("ascii") + _END

    def received(self, data: bytes) -> bytes:
        """
        Take a piece of the answer; there is never anything to send in return.

        Raises:
            ProxyRefusal: The proxy does not speak HTTP, says too much, or its status is no success.
        """
        self._head += data
        self._taken += len(data)
        # a proxy may repeat what it was told, and the frame of a refusal may be shown in a traceback
        del data
        if not _START.startswith(self._head[: len(_START)]):
            raise ProxyRefusal("the proxy does not answer in HTTP/1")
        if self._taken > HEAD_LIMIT:
            raise ProxyRefusal(f"the proxy's answer to CONNECT has a head of more than {HEAD_LIMIT} bytes")
        if self._head.endswith(_END):
            self._judge()
        return b""

    def _judge(self) -> None:
        """Look at a complete head."""
        status = _status(self._head)
        if status is None:
            raise ProxyRefusal("the proxy's answer to CONNECT has no valid status line")
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            raise ProxyRefusal(self._refused(status))
        # an interim answer says nothing; a success has no body, whatever its headers say
        self._stands = status >= HTTPStatus.OK
        self._head.clear()

    def _refused(self, status: int) -> str:
        """Return the sentence for a status that is no success."""
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            what = "asks for credentials; set proxy_auth" if self._credentials is None else "does not accept proxy_auth"
            return f"the proxy {what} (status 407)"
        try:
            phrase = f" {HTTPStatus(status).phrase}"
        except ValueError:
            phrase = ""
        return f"the proxy refused the tunnel (status {status}{phrase})"


def _status(head: bytearray) -> int | None:
    """Return the status of a complete head, None when its first line is none."""
    line = _STATUS_LINE.match(head)
    return None if line is None else int(line[1])


@dataclass(frozen=True, slots=True)
class Forwarding:
    """How a request to an ``http://`` target is written when a proxy sends it on."""

    headers: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    """What the proxy is told beside: its credentials, if it wants any."""

    @classmethod
    def of(cls, credentials: Secret | None) -> Forwarding:
        """Return the forwarding through a proxy that takes these credentials, ``user:password`` or none."""
        if credentials is None:
            return cls()
        return cls(((b"proxy-authorization", _basic(credentials).encode("ascii")),))

    def target(self, origin: Origin, target: bytes) -> bytes:
        """
        Return the absolute form of a target (RFC 9112, 3.2.2).

        >>> from http_util.urls import origin_of
        >>> Forwarding().target(origin_of("http://engine.example"), b"/v1/models?x=1")
        b'http://engine.example/v1/models?x=1'

        Args:
            origin: Where the request goes in the end.
            target: Path and query.
        """
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        port = "" if origin.port == _DEFAULT_PORTS.get(origin.scheme) else f":{origin.port}"
        return f"{origin.scheme}://{host}{port}".encode("ascii") + target


def _basic(credentials: Secret) -> str:
    """Return the value of a header with credentials (RFC 7617)."""
    return f"Basic {b64encode(credentials.reveal().encode()).decode('ascii')}"
