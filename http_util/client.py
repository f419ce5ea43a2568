"""
Clients: httpx's public classes, built so that nothing happens that the config does not say.

No environment, no redirects, no cookies, no compression asked for, no credentials, TLS verified, every request
checked by the egress policy, proxies only from the config. A client is for one event loop (or for threads) and may be
shared by any number of concurrent calls; who built it closes it.

Spec: HTU-1001, HTU-12, HTU-EXP-1101, HTU-EXP-1105, HTU-PERF-1301, HTU-SEC-1401, SEC-11, SEC-12
"""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any

import httpx

from http_util.engine import async_transport, sync_transport
from http_util.third_party_logs import quiet_third_party_logs
from http_util.tls import build_ssl_context

if TYPE_CHECKING:
    import ssl

    from http_util.config import HttpConfig
    from http_util.egress import EgressPolicy


def build_async_client(config: HttpConfig, *, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """
    Return a client for asyncio; the caller closes it with ``aclose()``.

    Args:
        config: The settings.
        transport: Use this one in place of the engine, as tests do. The egress policy still stands in front of it.

    Raises:
        ValueError: ``ca_file`` cannot be used.
    """
    quiet_third_party_logs()
    policy = config.egress_policy
    if transport is not None:
        return httpx.AsyncClient(transport=AsyncEgressGuard(transport, policy), **_client_settings(config))
    context = _ssl_context(config)
    through = AsyncEgressGuard(async_transport(config, context), policy)
    mounts: dict[str, httpx.AsyncBaseTransport] = {}
    if config.no_proxy:
        direct = AsyncEgressGuard(async_transport(config, context, direct=True), policy)
        mounts = dict.fromkeys(_patterns(config.no_proxy), direct)
    return httpx.AsyncClient(transport=through, mounts=mounts, **_client_settings(config))


def build_client(config: HttpConfig, *, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """
    Return a client for threads; the caller closes it with ``close()``.

    Args:
        config: The settings.
        transport: Use this one in place of the engine, as tests do. The egress policy still stands in front of it.

    Raises:
        ValueError: ``ca_file`` cannot be used.
    """
    quiet_third_party_logs()
    policy = config.egress_policy
    if transport is not None:
        return httpx.Client(transport=EgressGuard(transport, policy), **_client_settings(config))
    context = _ssl_context(config)
    through = EgressGuard(sync_transport(config, context), policy)
    mounts: dict[str, httpx.BaseTransport] = {}
    if config.no_proxy:
        direct = EgressGuard(sync_transport(config, context, direct=True), policy)
        mounts = dict.fromkeys(_patterns(config.no_proxy), direct)
    return httpx.Client(transport=through, mounts=mounts, **_client_settings(config))


def _ssl_context(config: HttpConfig) -> ssl.SSLContext:
    """Return the TLS settings of *config*."""
    return build_ssl_context(
        ca_file=config.ca_file,
        http2=config.http2,
        insecure_skip_verify_for_tests_only=config.insecure_skip_verify_for_tests_only,
    )


def _client_settings(config: HttpConfig) -> dict[str, Any]:
    """Return what both colours have in common."""
    return {
        "headers": {"accept-encoding": "identity", "user-agent": config.user_agent},
        "cookies": _NoCookies(),
        "timeout": httpx.Timeout(
            connect=config.connect_timeout,
            read=config.first_byte_timeout,
            write=config.write_timeout,
            pool=config.pool_timeout,
        ),
        "follow_redirects": False,
        "trust_env": False,
    }


def _patterns(hosts: tuple[str, ...]) -> list[str]:
    """Return httpx's mount patterns for hosts that are called directly."""
    return [f"all://{f'[{host}]' if ':' in host else host}" for host in hosts]


class _NoCookies(CookieJar):
    """A jar that takes no cookie and gives none."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Leave the answer's cookies where they are."""

    def set_cookie(self, cookie: Any) -> None:
        """Drop the cookie."""


class AsyncEgressGuard(httpx.AsyncBaseTransport):
    """
    A transport that asks the egress policy before it hands a request on.

    Spec: SEC-11
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, policy: EgressPolicy) -> None:
        """Stand in front of *transport*, which is closed together with the guard."""
        self._transport = transport
        self._policy = policy

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send the request if it may leave.

        Raises:
            PolicyFailure: *egress_denied*, before a name is resolved.
        """
        self._policy.check(request.url.scheme, request.url.host, request.url.port)
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close what is behind the guard."""
        await self._transport.aclose()


class EgressGuard(httpx.BaseTransport):
    """
    A transport that asks the egress policy before it hands a request on.

    Spec: SEC-11
    """

    def __init__(self, transport: httpx.BaseTransport, policy: EgressPolicy) -> None:
        """Stand in front of *transport*, which is closed together with the guard."""
        self._transport = transport
        self._policy = policy

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send the request if it may leave.

        Raises:
            PolicyFailure: *egress_denied*, before a name is resolved.
        """
        self._policy.check(request.url.scheme, request.url.host, request.url.port)
        return self._transport.handle_request(request)

    def close(self) -> None:
        """Close what is behind the guard."""
        self._transport.close()
