"""
The engine: the one seam between this package and whatever moves the bytes.

Everything above asks `async_transport` or `sync_transport` for an `httpx` transport and knows nothing else. Another
engine goes in here, and must provide:

- an `httpx.AsyncHTTPTransport` (and `httpx.HTTPTransport`) subclass that calls ``super().handle_async_request``, so
that
  tests which patch these classes still catch every request;
- the four timeouts of ``request.extensions["timeout"]`` (connect, pool, write, read) with httpx's exceptions;
- no redirect, cookie, environment variable, retry or decompression of its own;
- HTTP/2 by ALPN where the config offers it, HTTP/1.1 otherwise;
- ``response.aclose()`` before the end, or a cancelled request, ends the work upstream: the connection closes (HTTP/1.1)
  or the stream is reset (HTTP/2), without harm to other requests;
- at most ``max_connections`` requests in flight; a cancelled waiter leaves its place to the next one;
- bytes left over behind an answer never reach another request.

The engine today is httpcore 1.0 with the repairs of `http_util.engine_connections`. Through a proxy it speaks
HTTP/1.1 only, because the repairs do not reach into proxy tunnels.

Spec: HTU-01, HTU-02, HTU-1001, HTU-EXP-1101
"""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

import anyio
import httpx

from http_util.engine_connections import AsyncPool, Pool

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from http_util.config import HttpConfig

_NO_PLACE: Final = "no free connection within pool_timeout"


def async_transport(
    config: HttpConfig, ssl_context: ssl.SSLContext, *, direct: bool = False
) -> httpx.AsyncHTTPTransport:
    """
    Return an open transport for asyncio; whoever asked closes it.

    Args:
        config: Limits, HTTP version, proxy.
        ssl_context: From `http_util.tls`.
        direct: Leave the proxy out.
    """
    return _AsyncEngine(config, ssl_context, direct=direct)


def sync_transport(config: HttpConfig, ssl_context: ssl.SSLContext, *, direct: bool = False) -> httpx.HTTPTransport:
    """
    Return an open transport for threads; whoever asked closes it.

    Args:
        config: Limits, HTTP version, proxy.
        ssl_context: From `http_util.tls`.
        direct: Leave the proxy out.
    """
    return _Engine(config, ssl_context, direct=direct)


def _transport_settings(config: HttpConfig, ssl_context: ssl.SSLContext, proxy: httpx.Proxy | None) -> dict[str, Any]:
    """Return the arguments of httpx's transports."""
    # Places are counted in front of the pool: a waiter cancelled inside it would keep its place for good.
    limits = httpx.Limits(
        max_connections=None,
        max_keepalive_connections=config.max_idle_connections,
        keepalive_expiry=config.keepalive_expiry,
    )
    return {
        "verify": ssl_context,
        "trust_env": False,
        "http2": config.http2 and proxy is None,
        "limits": limits,
        "proxy": proxy,
        "retries": 0,
        "socket_options": socket_options(config.tcp_keepalive),
    }


def _pool_settings(config: HttpConfig, ssl_context: ssl.SSLContext) -> dict[str, Any]:
    """Return the arguments of our pools."""
    return {
        "ssl_context": ssl_context,
        "max_connections": None,
        "keepalive_expiry": config.keepalive_expiry,
        "http2": config.http2,
        "socket_options": socket_options(config.tcp_keepalive),
    }


def socket_options(tcp_keepalive: float | None) -> list[tuple[int, int, int]]:
    """
    Return the options of every socket: no delay for small writes, and probes after *tcp_keepalive* seconds of silence.

    Spec: HTU-01
    """
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    if tcp_keepalive is None:
        return options
    seconds = max(1, round(tcp_keepalive))
    options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
    # the first name is Linux's, the second is macOS's; both take seconds
    idle = next((getattr(socket, name) for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE") if hasattr(socket, name)), None)
    if idle is not None:
        options.append((socket.IPPROTO_TCP, idle, seconds))
    if hasattr(socket, "TCP_KEEPINTVL"):
        options.append((socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds))
    return options


def _proxy(config: HttpConfig, *, direct: bool) -> httpx.Proxy | None:
    """Return the configured proxy with its credentials."""
    if config.proxy is None or direct:
        return None
    if config.proxy_auth is None:
        return httpx.Proxy(config.proxy)
    user, _, password = config.proxy_auth.reveal().partition(":")
    return httpx.Proxy(config.proxy, auth=(user, password))


class _AsyncEngine(httpx.AsyncHTTPTransport):
    """httpx's own transport over our pool, with places counted in front of it."""

    def __init__(self, config: HttpConfig, ssl_context: ssl.SSLContext, *, direct: bool) -> None:
        """Build the pool; no socket is opened."""
        proxy = _proxy(config, direct=direct)
        super().__init__(**_transport_settings(config, ssl_context, proxy))
        if proxy is None:
            self._pool = AsyncPool(idle_limit=config.max_idle_connections, **_pool_settings(config, ssl_context))
        self._places = asyncio.Semaphore(config.max_connections)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send one request and return the head of its answer.

        Raises:
            httpx.PoolTimeout: No place became free in time.
        """
        await self._take_place(request)
        try:
            response = await _isolated(super().handle_async_request(request))
        except BaseException:
            self._places.release()
            raise
        if response.is_closed:
            self._places.release()
        else:
            response.stream = _AsyncPlacedStream(response.stream, self._places.release)
        return response

    async def _take_place(self, request: httpx.Request) -> None:
        """Wait for a place within the request's pool timeout."""
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("pool")):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout(_NO_PLACE, request=request) from None


async def _isolated(sending: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
    """
    Send in a task of its own, inside a cancel scope.

    httpcore shields its clean-up by anyio's scopes, which hold against the cancellation of a scope and not against
    that of a task: cancelled as a task, it forgets half-made connections and miscounts the streams of shared ones.
    """
    scope = anyio.CancelScope()

    async def send() -> httpx.Response | None:
        with scope:
            return await sending
        return None

    task = asyncio.ensure_future(send())
    try:
        response = await asyncio.shield(task)
    except asyncio.CancelledError:
        scope.cancel()
        await asyncio.wait((task,))
        # what arrived at the same moment is nobody's; a failure is the cancelled caller's no more
        if task.exception() is None and (late := task.result()) is not None:
            await late.aclose()
        raise
    if response is None:  # pragma: no cover - only this function cancels the scope
        raise asyncio.CancelledError
    return response


class _AsyncPlacedStream(httpx.AsyncByteStream):
    """The body of an answer, which gives its place back when it is closed."""

    def __init__(self, stream: Any, release: Callable[[], object]) -> None:
        """Wrap *stream*."""
        self._stream = stream
        self._release: Callable[[], object] | None = release

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Hand out the body itself, without a step in between."""
        iterator: AsyncIterator[bytes] = self._stream.__aiter__()
        return iterator

    async def aclose(self) -> None:
        """Close the body, then give the place back, once."""
        try:
            await self._stream.aclose()
        finally:
            release, self._release = self._release, None
            if release is not None:
                release()


class _Engine(httpx.HTTPTransport):
    """httpx's own transport over our pool, with places counted in front of it."""

    def __init__(self, config: HttpConfig, ssl_context: ssl.SSLContext, *, direct: bool) -> None:
        """Build the pool; no socket is opened."""
        proxy = _proxy(config, direct=direct)
        super().__init__(**_transport_settings(config, ssl_context, proxy))
        if proxy is None:
            self._pool = Pool(idle_limit=config.max_idle_connections, **_pool_settings(config, ssl_context))
        self._places = threading.Semaphore(config.max_connections)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send one request and return the head of its answer.

        Raises:
            httpx.PoolTimeout: No place became free in time.
        """
        if not self._places.acquire(timeout=request.extensions.get("timeout", {}).get("pool")):
            raise httpx.PoolTimeout(_NO_PLACE, request=request)
        try:
            response = super().handle_request(request)
        except BaseException:
            self._places.release()
            raise
        if response.is_closed:
            self._places.release()
        else:
            response.stream = _PlacedStream(response.stream, self._places.release)
        return response


class _PlacedStream(httpx.SyncByteStream):
    """The body of an answer, which gives its place back when it is closed."""

    def __init__(self, stream: Any, release: Callable[[], object]) -> None:
        """Wrap *stream*."""
        self._stream = stream
        self._release: Callable[[], object] | None = release

    def __iter__(self) -> Iterator[bytes]:
        """Hand out the body itself, without a step in between."""
        iterator: Iterator[bytes] = iter(self._stream)
        return iterator

    def close(self) -> None:
        """Close the body, then give the place back, once."""
        try:
            self._stream.close()
        finally:
            release, self._release = self._release, None
            if release is not None:
                release()
