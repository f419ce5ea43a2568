"""
A simulator inside the caller's own event loop, for tests that want no process.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from upstream_simulator.options import Options
from upstream_simulator.server import Server
from upstream_simulator.tls import make_identity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from upstream_simulator.exchange_log import Exchange
    from upstream_simulator.faults import Wish


class LocalSimulator:
    """
    A running server, seen from the same loop. `serve` makes it and stops it.

    Spec: SIM-11
    """

    def __init__(self, server: Server, ca_file: Path | None) -> None:
        self._server = server
        self.ca_file = None if ca_file is None else str(ca_file)
        self.base_url = base_url("http", server.options.host, server.port)
        self.tls_base_url = None if server.tls_port is None else base_url("https", server.options.host, server.tls_port)

    def __repr__(self) -> str:
        return f"<LocalSimulator {self.base_url}>"

    @property
    def open_connections(self) -> int:
        """
        Connections open now.
        """
        return self._server.seen().open_connections

    def log(self, since: int = 0) -> list[Exchange]:
        """
        Give the exchanges seen so far, those with a number above *since*; they are live, not copies.
        """
        return self._server.log.since(since)

    async def settled(self) -> list[Exchange]:
        """
        Wait until no exchange is going on, and give the log.
        """
        done = asyncio.Event()
        self._server.log.when_settled(done.set)
        await done.wait()
        return self.log()

    def script(self, *wishes: Wish, always: Wish = None) -> int:
        """
        Queue faults for the next requests; see `Script.add`.

        Raises:
            InvalidFault: A wish is not understood.
        """
        return self._server.script.add(wishes, always)

    def reset(self) -> None:
        """
        Forget the script and the log.
        """
        self._server.reset()


@asynccontextmanager
async def serve(**options: Any) -> AsyncIterator[LocalSimulator]:
    """
    Run a simulator in the running event loop.

    Args:
        options: Fields of `Options`.

    Yields:
        The running simulator; it is stopped when the block is left.

    Raises:
        InvalidOption: An option is out of range.
        MissingExtra: A TLS port is asked for and trustme is not installed.

    Spec: SIM-11
    """
    chosen = Options(**options)
    identity = None if chosen.tls_port is None else make_identity(chosen.ca_file, http2=chosen.http2)
    server = Server(chosen)
    await server.start(None if identity is None else identity.context)
    try:
        yield LocalSimulator(server, None if identity is None else identity.ca_file)
    finally:
        await server.stop()
        if identity is not None:
            identity.discard()


def base_url(scheme: str, host: str, port: int) -> str:
    """
    Make the base URL that clients are given.
    """
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}/v1"
