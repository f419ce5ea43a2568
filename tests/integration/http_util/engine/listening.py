"""Listening on loopback inside the test's own loop, so that nothing outlives the test and nothing fails unseen."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.integration.http_util.engine.real_servers import Papers

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HUNG_UP = (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)
"""What a handler sees when the client goes away."""


class Scripted(Protocol):
    """A server whose behaviour is a script."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""


def server_context(papers: Papers, *alpn: str) -> ssl.SSLContext:
    """Return TLS settings of a server that offers the protocols in *alpn*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers.certificate, papers.key)
    context.set_alpn_protocols(list(alpn))
    return context


@contextlib.asynccontextmanager
async def listening(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """
    Serve every connection with *handler* and yield the base URL.

    At the end the connections are cut and the handlers cancelled. A handler that failed for another reason than the
    client's leaving fails the test.
    """
    handling: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []
    failures: list[Exception] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await handler(reader, writer)
        except HUNG_UP:
            pass
        except Exception as error:  # noqa: BLE001 - handed to the test below
            failures.append(error)
        finally:
            writer.close()

    def start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(handle(reader, writer))
        handling.add(task)
        task.add_done_callback(handling.discard)

    server = await asyncio.start_server(start, "127.0.0.1", 0, ssl=context, backlog=1024)
    scheme = "http" if context is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in handling:
            task.cancel()
        for writer in writers:
            # Python 3.11: a transport that was closed with bytes still to be written trips over its own end
            with contextlib.suppress(AttributeError):
                writer.transport.abort()
        await asyncio.wait_for(asyncio.gather(*handling, return_exceptions=True), 5)
        # the transports close their sockets in callbacks of the next turns
        for _ in range(3):
            await asyncio.sleep(0)
    if failures:
        raise ExceptionGroup("the scripted server failed", failures)
