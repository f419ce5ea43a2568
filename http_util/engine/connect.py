"""
Everything from an origin to a protocol that runs on a connection to it.

In this order, and within one timeout: resolve the name, ask the egress policy about every address, connect to the first
that answers, have a proxy build a tunnel, shake hands over TLS, make the protocol that was agreed on. With a proxy, the
name and the addresses are the proxy's own, and the target's name is the proxy's business.

| fails | raised | chain of causes |
|---|---|---|
| the timeout passes | `httpx.ConnectTimeout`, the text says at which step | |
| resolving | `httpx.ConnectError` | `socket.gaierror` |
| an address that may not be called | `http_util.errors.PolicyFailure`, *egress_denied* | |
| connecting | `httpx.ConnectError` | `OSError` with the reason of the system |
| the proxy refuses, or goes away meanwhile | `httpx.ProxyError` | `http_util.engine.proxies.ProxyRefusal` |
| TLS | `httpx.ConnectError` | `ssl.SSLError`; `ssl.SSLEOFError` when the peer went away |

Spec: HTU-01, HTU-1001, SEC-09, SEC-11, SEC-12
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from asyncio import sslproto
from typing import TYPE_CHECKING, Any, Final, TypedDict

import httpx

from http_util.egress import EgressPolicy
from http_util.engine.arrival import Arrival, Arrive, Tunnelling
from http_util.engine.errors import Unreachable
from http_util.engine.proxies import ConnectDialog, Forwarding, ProxyRefusal
from http_util.engine.sockets import first_connected, resolve, socket_options
from http_util.engine.socks5 import Socks5Dialog
from http_util.tls import build_ssl_context
from http_util.urls import HostPatterns, proxy_origin

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from http_util.config import HttpConfig
    from http_util.engine.arrival import Arrived
    from http_util.engine.proxies import Dialog
    from http_util.secret import Secret
    from http_util.urls import Origin


class _Timers(TypedDict):
    """asyncio's own timers of a TLS connection."""

    ssl_handshake_timeout: float
    ssl_shutdown_timeout: float


# The handshake is bounded by the timeout of the whole, which is a day at most. A peer that does not answer the goodbye
# does not keep its socket for asyncio's 30 s.
_TIMERS: Final = _Timers(ssl_handshake_timeout=90_000.0, ssl_shutdown_timeout=1.0)


class Connector:
    """
    Connects to origins with the settings of one client. It keeps nothing but the settings.

    Spec: HTU-1001, SEC-11, SEC-12
    """

    def __init__(self, config: HttpConfig, ssl_context: ssl.SSLContext) -> None:
        """
        Take the settings.

        Args:
            config: Proxy, egress, TCP keep-alive.
            ssl_context: For the targets, from `http_util.tls`.

        Raises:
            ValueError: ``ca_file`` cannot be used for the TLS connection to the proxy.
        """
        self._ssl_context = ssl_context
        self._policy = config.egress_policy
        self._socket_options = socket_options(config.tcp_keepalive)
        self._proxy = None if config.proxy is None else _Proxy(config, proxy_origin(config.proxy))
        self._no_proxy = HostPatterns.parse(config.no_proxy, field="no_proxy")

    def forwards(self, origin: Origin) -> Forwarding | None:
        """Return how requests are written when a proxy sends them on itself, None when they need not care."""
        proxy = self._proxy_for(origin)
        if proxy is None or proxy.is_socks or origin.scheme != "http":
            return None
        return proxy.forwarding

    async def connect(
        self,
        origin: Origin,
        arrive: Arrive,
        *,
        timeout: float | None,  # noqa: ASYNC109 - httpx's way
        always_tunnels: bool = False,
    ) -> Arrived:
        """
        Return the protocol that runs on a new connection to *origin*; its ``connection_made`` has been called.

        Whoever cancels this leaves no socket behind.

        Args:
            origin: Where to.
            arrive: Makes the protocol when the connection stands.
            timeout: Seconds for all of it, None for no bound.
            always_tunnels: Whether a proxy has to build a tunnel also to a target without TLS, for what is no request.

        Raises:
            httpx.ConnectTimeout: It took too long.
            httpx.ConnectError: The name, the connection or TLS failed; the chain of causes tells which.
            httpx.ProxyError: The proxy does not build the tunnel.
            PolicyFailure: *egress_denied*: the name leads to an address that may not be called.
        """
        way = _Way(origin, arrive, self._socket_options)
        scope = asyncio.timeout(timeout)
        try:
            async with scope:
                return await self._go(way, origin, always_tunnels=always_tunnels)
        except OSError as error:
            if scope.expired():
                text = f"no connection to {origin} within {timeout:g} s; at that time: {way.step}"
                raise httpx.ConnectTimeout(text) from error
            text = f"no connection to {origin}: {way.step}: {error.strerror or type(error).__name__}"
            if isinstance(error, ProxyRefusal):
                raise httpx.ProxyError(text) from error
            raise Unreachable(text) from error

    async def _go(self, way: _Way, origin: Origin, *, always_tunnels: bool) -> Arrived:
        """Go the direct way or the one through the proxy."""
        target_tls = self._ssl_context if origin.scheme == "https" else None
        proxy = self._proxy_for(origin)
        if proxy is None:
            sock = await way.reach(origin.host, origin.port, self._policy)
            return await way.arrive_over(sock, target_tls, origin.host)
        sock = await way.reach(proxy.origin.host, proxy.origin.port, proxy.policy, role="the proxy ")
        if not always_tunnels and self.forwards(origin) is not None:
            return await way.arrive_over(sock, proxy.ssl_context, proxy.origin.host)
        return await way.arrive_through(sock, proxy, target_tls)

    def _proxy_for(self, origin: Origin) -> _Proxy | None:
        """Return the proxy on the way to *origin*, if there is one."""
        return None if self._no_proxy.match(origin.host) else self._proxy


class _Proxy:
    """The proxy of the settings."""

    def __init__(self, config: HttpConfig, origin: Origin) -> None:
        """Take what concerns it; its host counts as configured, its addresses must keep to the rules."""
        self.origin = origin
        self.is_socks = origin.scheme.startswith("socks")
        self.policy = EgressPolicy.for_origin(origin, networks=config.egress_networks)
        self.forwarding = Forwarding.of(config.proxy_auth)
        # HTTP/1.1 only, and no client certificate: that one is for the targets
        self.ssl_context = _context_for_proxy(config) if origin.scheme == "https" else None
        self._credentials: Secret | None = config.proxy_auth
        self._user_agent = config.user_agent

    def dialog(self, target: Origin) -> Dialog:
        """Return the dialog that builds a tunnel to *target*."""
        if self.is_socks:
            return Socks5Dialog(target.host, target.port, credentials=self._credentials)
        return ConnectDialog(target.host, target.port, user_agent=self._user_agent, credentials=self._credentials)


def _context_for_proxy(config: HttpConfig) -> ssl.SSLContext:
    """Return the TLS settings of the connection to the proxy itself."""
    return build_ssl_context(
        ca_file=config.ca_file,
        http2=False,
        insecure_skip_verify_for_tests_only=config.insecure_skip_verify_for_tests_only,
    )


class _Way:
    """One connection on its way."""

    def __init__(self, origin: Origin, arrive: Arrive, options: list[tuple[int, int, int]]) -> None:
        """Begin a way to *origin*."""
        self.step = "nothing done yet"
        self._origin = origin
        self._arrive = arrive
        self._options = options

    async def reach(self, host: str, port: int, policy: EgressPolicy, *, role: str = "") -> socket.socket:
        """
        Return a socket connected to *host*, whose *role* is said when that fails.

        Raises:
            PolicyFailure: One of its addresses may not be called.
        """
        self.step = f"resolving {role}{host}"
        addresses = await resolve(host, port)
        for address in addresses:
            policy.check_address(host, address)
        self.step = f"connecting to {role}{host} port {port}"
        return await first_connected(addresses, port, self._options)

    async def arrive_over(self, sock: socket.socket, tls: ssl.SSLContext | None, host: str) -> Arrived:
        """Shake hands, if there is something to shake, and return the protocol."""
        arrival = Arrival(self._arrive)
        try:
            await self._open(sock, arrival, tls, host)
            return arrival.taken()
        except BaseException:
            arrival.abort()
            raise

    async def arrive_through(self, sock: socket.socket, proxy: _Proxy, tls: ssl.SSLContext | None) -> Arrived:
        """Have a tunnel built, shake hands in it, and return the protocol."""
        tunnelling = Tunnelling(proxy.dialog(self._origin))
        try:
            transport = await self._open(sock, tunnelling, proxy.ssl_context, proxy.origin.host)
            self.step = f"asking {proxy.origin} for a tunnel"
            await tunnelling.stands()
            arrival = Arrival(self._arrive)
            if tls is None:
                arrival.connection_made(transport)
                transport.resume_reading()
            else:
                arrival.connection_made(await self._start_tls(transport, arrival, tls))
            return arrival.taken()
        except BaseException:
            tunnelling.abort()
            raise

    async def _open(
        self, sock: socket.socket, protocol: asyncio.BaseProtocol, tls: ssl.SSLContext | None, host: str
    ) -> asyncio.Transport:
        """Return a transport over *sock*, which it owns from now on, after the handshake with *host*."""
        loop = asyncio.get_running_loop()
        if tls is None:
            return (await loop.create_connection(lambda: protocol, sock=sock))[0]
        self.step = f"TLS handshake with {host}"
        with _cut_is_said():
            opened = await loop.create_connection(lambda: protocol, sock=sock, ssl=tls, server_hostname=host, **_TIMERS)
            return _shaken(opened[0])

    async def _start_tls(
        self, transport: asyncio.Transport, arrival: Arrival, tls: ssl.SSLContext
    ) -> asyncio.Transport:
        """Return a transport to the target inside the tunnel."""
        _let_it_be_closed(transport)
        self.step = f"TLS handshake with {self._origin.host}"
        with _cut_is_said():
            inside = await asyncio.get_running_loop().start_tls(
                transport, arrival, tls, server_hostname=self._origin.host, **_TIMERS
            )
            return _shaken(inside, around=transport)


def _shaken(transport: asyncio.Transport | None, around: asyncio.Transport | None = None) -> asyncio.Transport:
    """
    Return *transport* if its handshake is complete.

    Event loops return one too when the connection was closed in the middle of it without an error; such a transport has
    no TLS of its own, at most that of the one *around* it.

    Raises:
        ConnectionResetError: It is not.
    """
    tls = None if transport is None else transport.get_extra_info("ssl_object")
    if transport is None or tls is None or (around is not None and tls is around.get_extra_info("ssl_object")):
        raise ConnectionResetError
    return transport


@contextlib.contextmanager
def _cut_is_said() -> Iterator[None]:
    """Say of a connection that ends during the handshake that it did so then."""
    try:
        yield
    except ConnectionError as error:
        raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the peer closed the connection during the handshake") from error


def _let_it_be_closed(transport: asyncio.Transport) -> None:
    """
    Mend asyncio's TLS transport for TLS inside it.

    In Python 3.11 it cannot be closed under an error, which is what the TLS layer inside does when its handshake fails:
    instead of the error of the handshake there would be a TypeError.
    """
    if isinstance(transport, sslproto._SSLProtocolTransport):  # noqa: SLF001 - asyncio has no public name for it
        inner_end: Any = transport
        inner_end._force_close = lambda _error: transport.abort()  # noqa: SLF001 - what asyncio calls
