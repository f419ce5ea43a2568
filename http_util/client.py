"""
Clients: httpx's public classes, built so that nothing happens that the config does not say.

No environment, no redirects, no cookies, no compression asked for, no credentials, TLS verified, every request
checked by the egress policy, proxies only from the config. A client is for one event loop (or for threads) and may be
shared by any number of concurrent calls; who built it closes it.

Spec: HTU-1001, HTU-12, HTU-EXP-1101, HTU-EXP-1105, HTU-PERF-1301, HTU-SEC-1401, SEC-11, SEC-12
"""

from __future__ import annotations

from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any, Final, Self

import httpx

from adapter_api.outcome import Outcome
from http_util.engine import async_transport, sync_transport
from http_util.errors import PolicyFailure
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
        transport: Use this one in place of the engine, as tests do. The rules for requests still stand in front of it.

    Raises:
        ValueError: ``ca_file`` cannot be used.
    """
    quiet_third_party_logs()
    rules = RequestRules.of(config)
    if transport is not None:
        return httpx.AsyncClient(transport=AsyncGuard(transport, rules), **_client_settings(config))
    context = _ssl_context(config)
    through = AsyncGuard(async_transport(config, context), rules)
    mounts: dict[str, httpx.AsyncBaseTransport] = {}
    if config.no_proxy:
        direct = AsyncGuard(async_transport(config, context, direct=True), rules)
        mounts = dict.fromkeys(_patterns(config.no_proxy), direct)
    return httpx.AsyncClient(transport=through, mounts=mounts, **_client_settings(config))


def build_client(config: HttpConfig, *, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """
    Return a client for threads; the caller closes it with ``close()``.

    Args:
        config: The settings.
        transport: Use this one in place of the engine, as tests do. The rules for requests still stand in front of it.

    Raises:
        ValueError: ``ca_file`` cannot be used.
    """
    quiet_third_party_logs()
    rules = RequestRules.of(config)
    if transport is not None:
        return httpx.Client(transport=Guard(transport, rules), **_client_settings(config))
    context = _ssl_context(config)
    through = Guard(sync_transport(config, context), rules)
    mounts: dict[str, httpx.BaseTransport] = {}
    if config.no_proxy:
        direct = Guard(sync_transport(config, context, direct=True), rules)
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


@dataclass(frozen=True, slots=True)
class RequestRules:
    """What every request must keep to before it leaves; pure."""

    egress: EgressPolicy
    """Where requests may go."""
    max_body_bytes: int
    """Largest body in bytes."""
    max_header_bytes: int
    """Largest headers in bytes, separators included."""

    @classmethod
    def of(cls, config: HttpConfig) -> Self:
        """Return the rules of *config*."""
        return cls(config.egress_policy, config.max_body_bytes, config.max_header_bytes)

    def check(self, request: httpx.Request) -> None:
        """
        Let *request* pass or refuse it.

        A body of unknown length passes: whoever streams one bounds it.

        Raises:
            PolicyFailure: *egress_denied* or *malformed_request*; nothing was sent and nothing was resolved.

        Spec: SEC-11, HTU-17
        """
        self.egress.check(request.url.scheme, request.url.host, request.url.port)
        headers = sum(len(name) + len(value) + _SEPARATORS for name, value in request.headers.raw)
        if headers > self.max_header_bytes:
            raise _too_large("headers", headers, "max_header_bytes", self.max_header_bytes)
        body = int(request.headers.get("content-length", 0))
        if body > self.max_body_bytes:
            raise _too_large("body", body, "max_body_bytes", self.max_body_bytes)


# colon, space, CR and LF of a header line
_SEPARATORS: Final = 4


def _too_large(what: str, size: int, limit: str, most: int) -> PolicyFailure:
    """Return the failure of a request that is too large."""
    return PolicyFailure(
        f"the request's {what} has {size} bytes, {limit} is {most}",
        reason="malformed_request",
        outcome=Outcome.NOT_SENT,
    )


class AsyncGuard(httpx.AsyncBaseTransport):
    """
    A transport that checks every request before it hands it on.

    Spec: SEC-11, HTU-17
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, rules: RequestRules) -> None:
        """Stand in front of *transport*, which is closed together with the guard."""
        self._transport = transport
        self._rules = rules

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send the request if it may leave.

        Raises:
            PolicyFailure: The request breaks a rule; nothing was resolved.
        """
        self._rules.check(request)
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close what is behind the guard."""
        await self._transport.aclose()


class Guard(httpx.BaseTransport):
    """
    A transport that checks every request before it hands it on.

    Spec: SEC-11, HTU-17
    """

    def __init__(self, transport: httpx.BaseTransport, rules: RequestRules) -> None:
        """Stand in front of *transport*, which is closed together with the guard."""
        self._transport = transport
        self._rules = rules

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send the request if it may leave.

        Raises:
            PolicyFailure: The request breaks a rule; nothing was resolved.
        """
        self._rules.check(request)
        return self._transport.handle_request(request)

    def close(self) -> None:
        """Close what is behind the guard."""
        self._transport.close()
