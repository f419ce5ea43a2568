"""
What is said to a SOCKS5 proxy, and what its answers mean (RFC 1928, RFC 1929). Pure.

The target's name goes to the proxy as it is, and the proxy resolves it; ``socks5://`` and ``socks5h://`` mean the same
here. A name that is resolved on this side would tell the local resolver what the proxy is there to hide.

======== ========================================== ==================================================
state    what the proxy sends                       what follows
======== ========================================== ==================================================
METHOD   version, chosen method                     PASSWORD with credentials, else REPLY
PASSWORD version, status                            REPLY
REPLY    version, reply code                        BOUND
BOUND    reserved, kind, first byte of an address   REST
REST     the rest of the address, port              STANDS
======== ========================================== ==================================================

Spec: SEC-12, SEC-16
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from http_util.engine.proxies import ProxyRefusal
from http_util.urls import literal_address

if TYPE_CHECKING:
    from http_util.secret import Secret

_VERSION: Final = 5
_PASSWORD_VERSION: Final = 1
_CONNECT: Final = 1

_WITHOUT_CREDENTIALS: Final = 0
_WITH_PASSWORD: Final = 2
_NO_METHOD: Final = 0xFF

_IPV4: Final = 1
_NAME: Final = 3
_IPV6: Final = 4

_PORT_BYTES: Final = 2

_REPLIES: Final = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "time to live expired",
    7: "command not supported",
    8: "kind of address not supported",
}


class State(Enum):
    """What comes next from the proxy."""

    METHOD = "method"
    PASSWORD = "password"  # noqa: S105 - the name of a state
    REPLY = "reply"
    BOUND = "bound"
    REST = "rest"
    STANDS = "stands"


class Socks5Dialog:
    r"""
    The dialog with a SOCKS5 proxy, see `http_util.engine.proxies.Dialog`.

    >>> dialog = Socks5Dialog("api.example", 443)
    >>> dialog.opening(), dialog.wants
    (b'\x05\x01\x00', 2)
    >>> dialog.received(b"\x05\x00")
    b'\x05\x01\x00\x03\x0bapi.example\x01\xbb'
    """

    def __init__(self, host: str, port: int, *, credentials: Secret | None = None) -> None:
        """
        Prepare to ask for a tunnel.

        Args:
            host: Name or address of the target, without brackets.
            port: Its port.
            credentials: ``user:password``, each of 1 to 255 characters, or None.
        """
        self._host = host
        self._port = port
        self._credentials = credentials
        self._buffer = bytearray()
        self._needs = 2
        self.state = State.METHOD

    @property
    def wants(self) -> int:
        """How many bytes the next message still lacks; 0 once the tunnel stands."""
        return self._needs - len(self._buffer)

    def opening(self) -> bytes:
        """Return the methods on offer."""
        methods = [_WITHOUT_CREDENTIALS] if self._credentials is None else [_WITHOUT_CREDENTIALS, _WITH_PASSWORD]
        return bytes([_VERSION, len(methods), *methods])

    def received(self, data: bytes) -> bytes:
        """
        Take at most `wants` bytes, and return what to send.

        Raises:
            ProxyRefusal: The proxy refuses, or does not speak SOCKS5.
        """
        self._buffer += data
        if len(self._buffer) < self._needs:
            return b""
        message = bytes(self._buffer)
        self._buffer.clear()
        match self.state:
            case State.METHOD:
                return self._on_method(*message)
            case State.PASSWORD:
                return self._on_password(*message)
            case State.REPLY:
                return self._on_reply(*message)
            case State.BOUND:
                return self._on_bound(*message)
            case _:
                return self._next(State.STANDS, 0)

    def _next(self, state: State, needs: int, send: bytes = b"") -> bytes:
        """Go on to *state*, in which *needs* bytes come."""
        self.state = state
        self._needs = needs
        return send

    def _on_method(self, version: int, method: int) -> bytes:
        """Take the method that the proxy chose."""
        if version != _VERSION:
            raise ProxyRefusal("the proxy does not answer in SOCKS5")
        if method == _WITHOUT_CREDENTIALS:
            return self._next(State.REPLY, 2, self._request())
        if method == _WITH_PASSWORD and self._credentials is not None:
            return self._next(State.PASSWORD, 2, _password_message(self._credentials))
        if self._credentials is None:
            raise ProxyRefusal("the SOCKS5 proxy asks for credentials; set proxy_auth")
        raise ProxyRefusal("the SOCKS5 proxy takes neither a password nor a call without one")

    def _on_password(self, version: int, status: int) -> bytes:
        """Take the proxy's word about the password."""
        if version != _PASSWORD_VERSION or status != 0:
            raise ProxyRefusal("the SOCKS5 proxy does not accept proxy_auth")
        return self._next(State.REPLY, 2, self._request())

    def _on_reply(self, version: int, code: int) -> bytes:
        """Take the proxy's word about the target; a refusal need not be followed by an address."""
        if version != _VERSION:
            raise ProxyRefusal("the proxy does not answer in SOCKS5")
        if code != 0:
            raise ProxyRefusal(f"the SOCKS5 proxy refused the tunnel: {_REPLIES.get(code, f'reply code {code}')}")
        return self._next(State.BOUND, 3)

    def _on_bound(self, _reserved: int, kind: int, first: int) -> bytes:
        """Take the beginning of the address that the proxy calls from; nobody needs it, but it must be read."""
        rest = {_IPV4: 3, _IPV6: 15, _NAME: first}.get(kind)
        if rest is None:
            raise ProxyRefusal("the SOCKS5 proxy answers with a kind of address that there is not")
        return self._next(State.REST, rest + _PORT_BYTES)

    def _request(self) -> bytes:
        """Return the request for a tunnel to the target."""
        address = literal_address(self._host)
        if address is None:
            name = self._host.encode("ascii")
            where = bytes([_NAME, len(name)]) + name
        else:
            where = bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed  # noqa: PLR2004 - of IPv4
        return bytes([_VERSION, _CONNECT, 0]) + where + self._port.to_bytes(_PORT_BYTES, "big")


def _password_message(credentials: Secret) -> bytes:
    """Return the message with user and password (RFC 1929)."""
    user, _, password = credentials.reveal().encode("ascii").partition(b":")
    return bytes([_PASSWORD_VERSION, len(user)]) + user + bytes([len(password)]) + password
