"""
The seam for asyncio: httpx's own transport class over our pool.

Tools that replace the method of `httpx.AsyncHTTPTransport`, as pytest-httpx does, catch every request: a method that
was replaced is called, and one that goes on to the original finds our pool in ``self._pool``, in the place of
httpcore's. As long as nobody has replaced it, requests go to the pool without httpcore's objects around them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import httpx

from http_util.engine.request import EngineRequest

if TYPE_CHECKING:
    import ssl

    from http_util.config import HttpConfig


_STOCK_METHOD: Final = httpx.AsyncHTTPTransport.handle_async_request


class EngineTransport(httpx.AsyncHTTPTransport):
    """An httpx transport over one of our pools."""

    # httpx's own constructor would build a pool of httpcore's, only to see it replaced
    def __init__(self, pool: Any) -> None:
        """Send over *pool*, which is closed together with the transport."""
        self._pool: Any = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send *request* and return the head of its answer, with the body still to be read.

        Raises:
            httpx.TransportError: As httpx documents for each phase.
            PolicyFailure: The address of the host is not one that may be called.
        """
        if httpx.AsyncHTTPTransport.handle_async_request is not _STOCK_METHOD:
            return await super().handle_async_request(request)
        wanted = EngineRequest.of_httpx(request)
        # its repr shows the URL, which may hold a key, and the frame may be shown
        del request
        answer, extensions = await self._pool.send(wanted)
        return httpx.Response(answer.status, headers=answer.headers, stream=answer, extensions=extensions)

    def __repr__(self) -> str:
        """The pool."""
        return f"<EngineTransport {self._pool!r}>"

    async def __aenter__(self) -> Self:
        """Return the transport; leaving the block closes it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.aclose()


def stock_transport(config: HttpConfig, ssl_context: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
    """Return httpx's own transport, as near to *config* as it comes."""
    return httpx.AsyncHTTPTransport(**_stock_settings(config, ssl_context))


def stock_blocking_transport(config: HttpConfig, ssl_context: ssl.SSLContext) -> httpx.HTTPTransport:
    """Return httpx's own transport for threads, as near to *config* as it comes."""
    return httpx.HTTPTransport(**_stock_settings(config, ssl_context))


def _stock_settings(config: HttpConfig, ssl_context: ssl.SSLContext) -> dict[str, Any]:
    """
    Return the arguments with which httpx's own transports come closest to *config*.

    HTTP/1.1 only: over HTTP/2 they do not tell the upstream when an answer is not wanted any more.
    """
    proxy = None
    if config.proxy is not None:
        auth = None
        if config.proxy_auth is not None:
            user, _, password = config.proxy_auth.reveal().partition(":")
            auth = (user, password)
        proxy = httpx.Proxy(config.proxy, auth=auth)
    return {
        "verify": ssl_context,
        "trust_env": False,
        "http2": False,
        "limits": httpx.Limits(
            max_connections=config.max_connections,
            max_keepalive_connections=config.max_idle_connections,
            keepalive_expiry=config.keepalive_expiry,
        ),
        "proxy": proxy,
        "retries": 0,
    }
