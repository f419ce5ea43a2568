"""Both ends of a connection that is being made: the side under test, the servers it meets, and the names they go by."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from adapter_api.outcome import Outcome
from http_util.config import HttpConfig
from http_util.engine.connect import Connector
from http_util.engine.errors import Unreachable
from http_util.tls import build_ssl_context
from http_util.transport_errors import Phase, classify_transport_error
from http_util.urls import Origin, origin_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Generator
    from pathlib import Path

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]

HELLO = b"hello, right behind the handshake"
NAME = "api.example"
LOOPBACK = ("127.0.0.0/8", "::1/128")
SOON = 10.0
"""Seconds for what happens at once, on a machine that is busy with something else."""


class Recorder(asyncio.Protocol):
    """The protocol that a connection arrives at; notes what happens to it."""

    def __init__(self, alpn: str | None) -> None:
        self.alpn = alpn
        self.received = b""
        self.ended = False
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        assert self.transport is None
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        self.received += data

    def eof_received(self) -> None:
        self.ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)

    def say(self, data: bytes) -> None:
        """Write."""
        assert self.transport is not None
        self.transport.write(data)

    def socket(self) -> Any:
        """Return the socket under all layers."""
        assert self.transport is not None
        return self.transport.get_extra_info("socket")

    async def close(self) -> None:
        """Close at once and see it happen."""
        assert self.transport is not None
        self.transport.abort()
        await asyncio.wait_for(self.lost, SOON)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true, for a bounded time."""
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def listening(
    handle: Handler,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[int]:
    """Serve *handle* on loopback, yield the port, and see every connection out."""
    tasks: set[asyncio.Task[None]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, EOFError):
                await handle(reader, writer)
        finally:
            writer.transport.abort()

    # no coroutine function: asyncio's streams would log the cancellation of theirs
    def start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(guarded(reader, writer)))

    server = await asyncio.start_server(start, host, port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            assert ended is None or isinstance(ended, asyncio.CancelledError)


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak first, then send back what comes."""
    writer.write(HELLO)
    while data := await reader.read(65_536):
        writer.write(data)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Listen."""
    await reader.read(-1)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read a little and close."""
    await reader.read(10)


def shaking(context: ssl.SSLContext) -> Handler:
    """Return a handler that shakes hands by itself: asyncio's servers close without the alert that says why."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        done = False
        while not done:
            if not (data := await reader.read(65_536)):
                return
            incoming.write(data)
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                done = True
            writer.write(outgoing.read())
            await writer.drain()
        await reader.read(-1)

    return handle


@contextlib.contextmanager
def full(host: str, port: int = 0) -> Generator[int]:
    """Listen on *host* with a backlog that is full: whoever connects hangs."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket(family))
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def other_loopback() -> str:
    """Return a second address of this machine, of the other family where there is one."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return "127.0.0.2"
    return "::1"


OTHER = other_loopback()


class Authority:
    """A certificate authority and what it issues."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.file))
        self.folder = folder

    def server(self, *names: str, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
        """Return the TLS settings of a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*(names or (NAME, "127.0.0.1", "localhost"))).configure_cert(context)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def client_file(self) -> Path:
        """Return a file with a client certificate and its key."""
        path = self.folder / "client.pem"
        self.ca.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(str(path))
        return path


def config(origin: Origin, authority: Authority | None = None, **settings: Any) -> HttpConfig:
    """Return settings for *origin*, which may lie on loopback under any name."""
    return HttpConfig(
        base_url=str(origin),
        ca_file=None if authority is None else authority.file,
        plain_http_hosts=(NAME,),
        **{"egress_networks": LOOPBACK, **settings},
    )


@cache
def _context(ca_file: Path | None, client_cert_file: Path | None, http2: bool) -> ssl.SSLContext:
    """Make TLS settings once: reading all the authorities takes longer than most tests."""
    return build_ssl_context(ca_file=ca_file, client_cert_file=client_cert_file, http2=http2)


def connector(settings: HttpConfig) -> Connector:
    """Return the connector with these settings."""
    return Connector(settings, _context(settings.ca_file, settings.client_cert_file, settings.http2))


async def connected(settings: HttpConfig, url: str | None = None, timeout: float | None = SOON) -> Recorder:  # noqa: ASYNC109
    """Connect to base_url, or to *url*."""
    protocol = await connector(settings).connect(origin_of(url or settings.base_url), Recorder, timeout=timeout)
    assert isinstance(protocol, Recorder)
    return protocol


async def failure(settings: HttpConfig, kind: type[Exception], reason: str, **how: Any) -> str:
    """Return the text of the failure to connect, which is of *kind* and classified as *reason*."""
    with pytest.raises(kind) as caught:
        await connected(settings, **how)
    assert type(caught.value) in (kind, Unreachable)
    found = classify_transport_error(caught.value, Phase.SENDING)
    assert (found.reason, found.outcome) == (reason, Outcome.NOT_SENT)
    return f"{caught.value} | {found.message}"


class Resolver:
    """In place of the system's: names by table, and a note of what was asked."""

    def __init__(self) -> None:
        self.addresses: dict[str, list[str]] = {NAME: ["127.0.0.1"]}
        self.error: BaseException | None = None
        self.asked: list[str] = []

    async def getaddrinfo(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        """Answer like the system's, one turn of the loop later."""
        self.asked.append(host)
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in self.addresses[host]
        ]
