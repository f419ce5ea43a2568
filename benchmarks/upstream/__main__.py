"""
The upstream as a process: `python -m benchmarks.upstream FOLDER`. Prints where it listens, ends with its stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import ssl
import sys
from functools import partial
from pathlib import Path
from typing import Any

import trustme

from benchmarks.board import Board
from benchmarks.cores import pin, raise_descriptor_limit
from benchmarks.upstream.desk import Desk
from benchmarks.upstream.http1 import Http1
from benchmarks.upstream.http2 import Http2

BACKLOG = 4096


class ByAlpn(asyncio.Protocol):
    """Hands a TLS connection to the protocol that the handshake agreed on."""

    def __init__(self, desk: Desk, max_streams: int) -> None:
        """Wait for the handshake."""
        self._desk = desk
        self._max_streams = max_streams

    def connection_made(self, transport: Any) -> None:
        """Put the right protocol in our place."""
        agreed = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        protocol = Http2(self._desk, self._max_streams) if agreed == "h2" else Http1(self._desk)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)


def server_context(folder: Path) -> ssl.SSLContext:
    """The TLS settings of a certificate for this machine; its authority is written to *folder*."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA).configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def serve(folder: Path, max_streams: int) -> None:
    """Listen on two ports until stdin ends."""
    loop = asyncio.get_running_loop()
    # never closed: connections that are lost while this process ends still note it
    desk = Desk(Board(folder / "board"), loop)
    clear = await loop.create_server(partial(Http1, desk), "127.0.0.1", 0, backlog=BACKLOG)
    secure = await loop.create_server(
        partial(ByAlpn, desk, max_streams), "127.0.0.1", 0, ssl=server_context(folder), backlog=BACKLOG
    )
    port, tls_port = (server.sockets[0].getsockname()[1] for server in (clear, secure))
    print(
        json.dumps(
            {
                "http": f"http://127.0.0.1:{port}/v1",
                "https": f"https://127.0.0.1:{tls_port}/v1",
                "ca_file": str(folder / "ca.pem"),
            }
        ),
        flush=True,
    )
    over = asyncio.Event()
    loop.add_reader(sys.stdin, over.set)
    await over.wait()
    loop.remove_reader(sys.stdin)
    clear.close()
    secure.close()
    desk.close()


def main() -> None:
    """Pin this process to the last core, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds the board; gets the authority's certificate")
    parser.add_argument("--max-streams", type=int, default=4096, help="streams on one HTTP/2 connection")
    options = parser.parse_args()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # clients that leave in the middle are its daily bread
    pin(-1)
    raise_descriptor_limit()
    asyncio.run(serve(options.folder, options.max_streams))


if __name__ == "__main__":
    main()
