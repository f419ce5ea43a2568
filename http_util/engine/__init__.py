"""
The engine: what moves the bytes, behind httpx's transport interface. The one place that chooses it.

    transport, thread        the seams: httpx's classes for asyncio and for threads
      pool, places           who gets which connection; what waits, and what decides
        connect              names, addresses, proxies, TLS: from an origin to a protocol
        http1, http2         a connection: sockets and timers
          http1_answer, http2_state      what the bytes mean; pure
            answer           one answer as it arrives, for its one reader

Whatever is asked of it, an engine must provide:

- an `httpx.AsyncHTTPTransport` (and `httpx.HTTPTransport`) subclass that does not go around a method of that class
  which somebody has replaced, so that tests which patch it still catch every request;
- the four timeouts of ``request.extensions["timeout"]`` (connect, pool, write, read) with httpx's exceptions;
- no redirect, cookie, environment variable or decompression of its own, and no request sent twice, but for those of
  which HTTP/2 guarantees that they were not processed;
- HTTP/2 by ALPN where the config offers it, HTTP/1.1 otherwise;
- ``response.aclose()`` before the end, or a cancelled request, ends the work upstream: the connection closes (HTTP/1.1)
  or the stream is reset (HTTP/2), without harm to other requests;
- at most ``max_connections`` connections; a cancelled waiter leaves its place to the next one;
- bytes left over behind an answer never reach another request.

docs/engine.md tells how it works and why it is as it is.

Spec: HTU-01, HTU-02, HTU-1001, HTU-EXP-1101
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ssl

    import httpx

    from http_util.config import HttpConfig

__all__ = ["BODY_EXTENSION", "RESENT", "async_transport", "sync_transport"]

BODY_EXTENSION: Final = "http_util.body"
"""
Where a response of this engine carries its body as it is: ``take``, ``news`` and ``aclose`` (for threads ``close``),
without what httpx puts around it.
"""


RESENT: Final = "http_util.request.resent"
"""What ``request.extensions["trace"]`` hears before a request is sent once more, because HTTP/2 allows it."""


def async_transport(config: HttpConfig, ssl_context: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
    """
    Return an open transport for asyncio; whoever asked closes it. No socket is opened before the first request.

    Args:
        config: Limits, timers, HTTP version, proxy, and which engine.
        ssl_context: From `http_util.tls`.
    """
    from http_util.engine.connect import Connector
    from http_util.engine.pool import Pool
    from http_util.engine.transport import EngineTransport, stock_transport

    if config.engine == "httpx":
        return stock_transport(config, ssl_context)
    return EngineTransport(Pool(config, Connector(config, ssl_context)))


def sync_transport(config: HttpConfig, ssl_context: ssl.SSLContext) -> httpx.HTTPTransport:
    """
    Return an open transport for threads; whoever asked closes it. No socket is opened before the first request.

    Args:
        config: Limits, timers, HTTP version, proxy, and which engine.
        ssl_context: From `http_util.tls`.
    """
    from http_util.engine.connect import Connector
    from http_util.engine.pool import Pool
    from http_util.engine.thread import BlockingPool, BlockingTransport
    from http_util.engine.transport import stock_blocking_transport

    if config.engine == "httpx":
        return stock_blocking_transport(config, ssl_context)
    connector = Connector(config, ssl_context)
    return BlockingTransport(BlockingPool(lambda: Pool(config, connector)))
