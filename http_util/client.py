"""
Clients: httpx's public classes, built so that nothing happens that the config does not say.

No environment, no redirects, no cookies, no compression asked for, no credentials, TLS verified, every request
checked by the egress policy, proxies only from the config. A client is for one event loop (or for threads) and may be
shared by any number of concurrent calls; who built it closes it.

Spec: HTU-1001, HTU-12, HTU-EXP-1101, HTU-EXP-1105, HTU-PERF-1301, HTU-SEC-1401, SEC-11, SEC-12, SEC-14
"""

from __future__ import annotations

from functools import lru_cache
from http.cookiejar import CookieJar
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import httpx

from adapter_api.outcome import Outcome
from http_util.body_stream import BodyStream
from http_util.engine import async_transport, sync_transport
from http_util.errors import PolicyFailure
from http_util.third_party_logs import quiet_third_party_logs
from http_util.tls import build_ssl_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Coroutine

    from http_util.body_log import BodyLog
    from http_util.config import HttpConfig


def build_async_transport(
    config: HttpConfig, *, transport: httpx.AsyncBaseTransport | None = None, body_log: BodyLog | None = None
) -> httpx.AsyncBaseTransport:
    """
    Return a transport for asyncio, which the caller closes with ``aclose()``.

    It is what `build_async_client` stands on, for those who have no use for the rest of a client.

    Args:
        config: The settings.
        transport: Use this one in place of the engine, as tests do, and as `AsyncClientTransport` for who brings a
            client. The rules for requests still stand in front of it.
        body_log: Which bodies are logged; None: those that the settings say. Where none is, nothing looks at them.

    Raises:
        ValueError: ``ca_file`` cannot be used.
    """
    quiet_third_party_logs()
    rules = RequestRules(config)
    behind = transport or async_transport(config, _ssl_context(config))
    log = body_log or config.body_log
    if log.is_on:
        from http_util.body_log_transport import AsyncBodyLogTransport

        behind = AsyncBodyLogTransport(behind, log, config.secrets)
    return AsyncGuard(behind, rules)


def build_transport(
    config: HttpConfig, *, transport: httpx.BaseTransport | None = None, body_log: BodyLog | None = None
) -> httpx.BaseTransport:
    """
    Return a transport for threads, which the caller closes with ``close()``; otherwise as `build_async_transport`.

    Args:
        config: The settings.
        transport: Use this one in place of the engine, as tests do, and as `ClientTransport` for who brings a client.
            The rules for requests still stand in front of it.
        body_log: Which bodies are logged; None: those that the settings say. Where none is, nothing looks at them.

    Raises:
        ValueError: ``ca_file`` cannot be used.
    """
    quiet_third_party_logs()
    rules = RequestRules(config)
    behind = transport or sync_transport(config, _ssl_context(config))
    log = body_log or config.body_log
    if log.is_on:
        from http_util.body_log_transport import BodyLogTransport

        behind = BodyLogTransport(behind, log, config.secrets)
    return Guard(behind, rules)


def build_async_client(config: HttpConfig, *, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """
    Return a client for asyncio; the caller closes it with ``aclose()``.

    Args:
        config: The settings.
        transport: Use this one in place of the engine, as tests do. The rules for requests still stand in front of it.

    Raises:
        ValueError: ``ca_file`` cannot be used.
    """
    return httpx.AsyncClient(transport=build_async_transport(config, transport=transport), **_client_settings(config))


def build_client(config: HttpConfig, *, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """
    Return a client for threads; the caller closes it with ``close()``.

    Args:
        config: The settings.
        transport: Use this one in place of the engine, as tests do. The rules for requests still stand in front of it.

    Raises:
        ValueError: ``ca_file`` cannot be used.
    """
    return httpx.Client(transport=build_transport(config, transport=transport), **_client_settings(config))


def _ssl_context(config: HttpConfig) -> ssl.SSLContext:
    """Return the TLS settings of *config*."""
    return build_ssl_context(
        ca_file=config.ca_file,
        client_cert_file=config.client_cert_file,
        client_key_file=config.client_key_file,
        client_key_password=config.client_key_password,
        http2=config.http2,
        insecure_skip_verify_for_tests_only=config.insecure_skip_verify_for_tests_only,
    )


def _client_settings(config: HttpConfig) -> dict[str, Any]:
    """Return what both colours have in common."""
    return {
        "headers": _default_headers(config),
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


def _default_headers(config: HttpConfig) -> dict[str, str]:
    """Return what every request says, unless it says otherwise itself."""
    return {"accept": "*/*", "accept-encoding": "identity", "user-agent": config.user_agent}


class _NoCookies(CookieJar):
    """A jar that takes no cookie and gives none."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Leave the answer's cookies where they are."""

    def set_cookie(self, cookie: Any) -> None:
        """Drop the cookie."""


class RequestRules:
    """What every request must keep to before it leaves; pure."""

    __slots__ = ("_check_host", "_max_body_bytes", "_max_header_bytes", "headers")

    def __init__(self, config: HttpConfig) -> None:
        """Take the rules of *config*."""
        self.headers = {name.encode(): value.encode() for name, value in _default_headers(config).items()}
        """What every request says that does not say otherwise itself; names in lower case."""
        # a host that may be called may be called again; one that may not is looked at each time
        self._check_host = lru_cache(maxsize=_MOST_HOSTS)(config.egress_policy.check)
        self._max_body_bytes = config.max_body_bytes
        self._max_header_bytes = config.max_header_bytes

    def apply(self, request: httpx.Request) -> None:
        """
        Let *request* pass, with the headers that it lacks, or refuse it.

        A body of unknown length passes, and one that is read while it is sent: neither is held in memory.

        Raises:
            PolicyFailure: *egress_denied* or *malformed_request*; nothing was sent and nothing was resolved.

        Spec: SEC-11, HTU-17
        """
        self._check_host(request.url.scheme, request.url.host, request.url.port)
        header_bytes, body_bytes = self._completed(request)
        if header_bytes > self._max_header_bytes:
            raise _too_large("headers", header_bytes, "max_header_bytes", self._max_header_bytes)
        if body_bytes > self._max_body_bytes and not isinstance(request.stream, BodyStream):
            raise _too_large("body", body_bytes, "max_body_bytes", self._max_body_bytes)

    def _completed(self, request: httpx.Request) -> tuple[int, int]:
        """
        Give *request* the headers that it lacks; return the size of all of them, and what they say about the body.

        Nothing is raised here: the headers hold credentials, and a frame may be shown in a traceback.
        """
        fields = request.headers.raw
        given = {name.lower(): value for name, value in fields}
        missing = [pair for pair in self.headers.items() if pair[0] not in given]
        if missing:
            fields += missing
            request.headers = httpx.Headers(fields)
        size = sum(map(len, chain.from_iterable(fields))) + _SEPARATORS * len(fields)
        length = given.get(b"content-length", b"0")
        # what is no number is for the engine to refuse
        return size, int(length[:_LENGTH_DIGITS]) if length.isdigit() else 0


# as many as any program calls in turn
_MOST_HOSTS: Final = 64

# an exabyte has no more; the rest of a longer number changes nothing
_LENGTH_DIGITS: Final = 19

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
    A transport that checks and completes every request before it hands it on.

    Spec: SEC-11, HTU-17
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, rules: RequestRules) -> None:
        """Stand in front of *transport*, which is closed together with the guard."""
        self.headers = tuple(rules.headers.items())
        """What the guard adds to a request that lacks it. Who writes it at once saves making the headers anew."""
        self._transport = transport
        self._rules = rules

    # The request is checked at once, and what is awaited is the engine itself: one coroutine less for each request.
    def handle_async_request(self, request: httpx.Request) -> Coroutine[Any, Any, httpx.Response]:
        """
        Send the request if it may leave.

        Raises:
            PolicyFailure: The request breaks a rule; nothing was resolved.
        """
        self._rules.apply(request)
        return self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close what is behind the guard."""
        await self._transport.aclose()


class Guard(httpx.BaseTransport):
    """
    A transport that checks and completes every request before it hands it on.

    Spec: SEC-11, HTU-17
    """

    def __init__(self, transport: httpx.BaseTransport, rules: RequestRules) -> None:
        """Stand in front of *transport*, which is closed together with the guard."""
        self.headers = tuple(rules.headers.items())
        """What the guard adds to a request that lacks it. Who writes it at once saves making the headers anew."""
        self._transport = transport
        self._rules = rules

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send the request if it may leave.

        Raises:
            PolicyFailure: The request breaks a rule; nothing was resolved.
        """
        self._rules.apply(request)
        return self._transport.handle_request(request)

    def close(self) -> None:
        """Close what is behind the guard."""
        self._transport.close()


class AsyncClientTransport(httpx.AsyncBaseTransport):
    """
    A client as a transport, for who brings one: what its owner has set up on it happens. Its owner closes it.

    It keeps to no rule by itself. Hand it to the functions above, and the egress policy and the limits for requests
    stand in front of it; what its own hooks then make of a request is their owner's business.

    Spec: CLI-04, SEC-11
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Send through *client*."""
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; redirects are not followed."""
        return await self._client.send(request, stream=True, follow_redirects=False)


class ClientTransport(httpx.BaseTransport):
    """
    A client as a transport, for who brings one: what its owner has set up on it happens. Its owner closes it.

    It keeps to no rule by itself. Hand it to the functions above, and the egress policy and the limits for requests
    stand in front of it; what its own hooks then make of a request is their owner's business.

    Spec: CLI-04, SEC-11
    """

    def __init__(self, client: httpx.Client) -> None:
        """Send through *client*."""
        self._client = client

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; redirects are not followed."""
        return self._client.send(request, stream=True, follow_redirects=False)
