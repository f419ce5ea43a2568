"""What an upstream does, as values: the simulator with faults, exact bytes or frames, a port where nobody listens."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol
from unittest import mock

from tests.faults.case import H1, H2
from tests.integration.http_util.engine.connect import peers
from tests.integration.http_util.engine.listening import listening, server_context
from tests.integration.http_util.engine.refusing import unused_port
from tests.integration.http_util.engine.scripted_http1 import Http1Server
from tests.integration.http_util.engine.scripted_http2 import Http2Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import trustme

    from tests.integration.http_util.engine.listening import Handler
    from tests.integration.http_util.engine.real_servers import Papers
    from tests.integration.http_util.engine.scripted_http1 import Script as Http1Script
    from tests.integration.http_util.engine.scripted_http2 import Script as Http2Script
    from upstream_simulator import Exchange, Simulator

    Wish = str | Mapping[str, object] | None

NAME: Final = "api.example"
"""A host that only a patched resolver knows."""


@dataclass(frozen=True)
class Stage:
    """What all cases of a run share."""

    simulator: Simulator
    second: Simulator
    """Another one, for those who have two endpoints."""
    authority: trustme.CA
    papers: Papers
    """A certificate of that authority for this machine, as files."""
    ca_file: Path
    """All the authorities: of the papers, and of the simulators."""

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that work for a case."""
        return (self.simulator.pid, self.second.pid)

    def context(self, protocol: str) -> ssl.SSLContext:
        """TLS settings of a server that speaks one protocol."""
        return server_context(self.papers, protocol)


@dataclass(frozen=True, kw_only=True)
class Place:
    """An upstream that runs."""

    settings: Mapping[str, Any]
    """What who calls it must know: `base_url`, and whom to trust."""
    posts: Callable[[], int]
    """Requests that came, those that were refused included."""
    is_open: Callable[[], bool]
    """Whether a connection is still open on its side, or an exchange goes on."""
    spoken: Callable[[], set[str]] = set
    """The protocols in which requests had come when `is_open` was last asked, where that is known."""
    log: Callable[[], list[Exchange]] = list
    """What the simulator saw."""
    elsewhere: str = ""
    """Base URL of another endpoint, where there is one."""


class Upstream(Protocol):
    """Something that can be called, and misbehaves in its own way."""

    def open(self, stage: Stage, protocol: str) -> AbstractAsyncContextManager[Place]:
        """Run it for one case."""


@dataclass(frozen=True)
class Simulated:
    """The simulator, over either protocol; `simulated` makes it."""

    wishes: tuple[Wish, ...]
    always: Wish
    second: bool

    @contextlib.asynccontextmanager
    async def open(self, stage: Stage, protocol: str) -> AsyncIterator[Place]:
        """Forget the case before, and script this one."""
        simulator = stage.second if self.second else stage.simulator
        simulator.reset()
        simulator.script(*self.wishes, always=self.always)

        spoken: set[str] = set()

        def posts() -> int:
            return sum(exchange.method == "POST" for exchange in simulator.log())

        def is_open() -> bool:
            seen = simulator.seen()
            spoken.update(exchange.protocol for exchange in seen.exchanges)
            return seen.open_connections > 0 or any(exchange.left == "open" for exchange in seen.exchanges)

        settings: dict[str, Any] = {"base_url": simulator.base_url}
        if protocol == H2:
            settings = {"base_url": simulator.tls_base_url, "ca_file": stage.ca_file}
        yield Place(settings=settings, posts=posts, is_open=is_open, spoken=lambda: spoken, log=simulator.log)


def simulated(*wishes: Wish, always: Wish = None, second: bool = False) -> Simulated:
    """Have the simulator, or the second one, do *wishes*, one a request, and *always* for all others."""
    return Simulated(wishes, always, second)


@dataclass(frozen=True)
class Http1:
    """Exact bytes over HTTP/1.1: a script for each connection, in the clear unless `tls`."""

    make: Callable[[], Http1Script]
    """Makes the script anew for each play, because scripts remember."""
    tls: bool = False

    @contextlib.asynccontextmanager
    async def open(self, stage: Stage, protocol: str) -> AsyncIterator[Place]:
        """Listen."""
        assert protocol == H1, "exact bytes are for HTTP/1.1"
        server = Http1Server(self.make())
        async with server.at(stage.context(H1) if self.tls else None) as url:
            yield Place(
                settings={"base_url": f"{url}/v1", "ca_file": stage.ca_file if self.tls else None},
                posts=lambda: server.requests,
                is_open=lambda: server.open > 0,
            )


@dataclass(frozen=True)
class Http2:
    """Exact frames over HTTP/2: a script for each request."""

    script: Http2Script
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of `scripted_http2.Http2Server`."""

    @contextlib.asynccontextmanager
    async def open(self, stage: Stage, protocol: str) -> AsyncIterator[Place]:
        """Listen."""
        assert protocol == H2, "exact frames are for HTTP/2"
        server = Http2Server(self.script, **self.options)
        async with server.at(stage.context(H2)) as url:
            yield Place(
                settings={"base_url": f"{url}/v1", "ca_file": stage.ca_file},
                posts=lambda: len(server.streams),
                is_open=lambda: server.open > 0,
            )


@dataclass(frozen=True)
class Socket:
    """Something that listens and speaks no HTTP, or not yet: a handler for each connection."""

    handler: Handler
    context: Callable[[Stage, str], ssl.SSLContext | None] = lambda _stage, _protocol: None
    """The server's side of TLS; None leaves the bytes to the handler."""
    scheme: str = "https"
    """What the caller takes it for."""
    alerts: bool = False
    """Say in an alert why a handshake fails, as most servers do; asyncio's just close. The handler is not reached."""

    @contextlib.asynccontextmanager
    async def open(self, stage: Stage, protocol: str) -> AsyncIterator[Place]:
        """Listen."""
        context = self.context(stage, protocol)
        handler = shaking(context) if context is not None and self.alerts else self.handler
        running = 0

        async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal running
            running += 1
            try:
                await handler(reader, writer)
            finally:
                running -= 1

        async with listening(counted, None if self.alerts else context) as url:
            base_url = f"{self.scheme}://{url.partition('://')[2]}/v1"
            trust = {} if self.scheme == "http" else {"ca_file": stage.ca_file, "http2": protocol == H2}
            yield Place(settings={"base_url": base_url, **trust}, posts=lambda: 0, is_open=lambda: running > 0)


def shaking(context: ssl.SSLContext) -> Handler:
    """Return a handler that shakes hands by itself, and says in an alert why that fails."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        while data := await reader.read(65_536):
            incoming.write(data)
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                writer.write(outgoing.read())
                break
            writer.write(outgoing.read())
        while await reader.read(65_536):
            pass

    return handle


@dataclass(frozen=True)
class Nowhere:
    """A port at which nobody listens, or with *full* a queue in which nobody is ever served."""

    full: bool = False

    @contextlib.asynccontextmanager
    async def open(self, stage: Stage, protocol: str) -> AsyncIterator[Place]:
        """Find the port."""
        scheme = "https" if protocol == H2 else "http"
        with peers.full("127.0.0.1") if self.full else contextlib.nullcontext(unused_port()) as port:
            yield Place(
                settings={"base_url": f"{scheme}://127.0.0.1:{port}/v1"}, posts=lambda: 0, is_open=lambda: False
            )


@dataclass(frozen=True)
class Named:
    """
    A host with a name, and a resolver that answers for it: with addresses, with an error, or never (None).

    Behind the addresses stands *behind*, at the port it listens on.
    """

    resolves_to: tuple[str, ...] | socket.gaierror | OSError | None
    behind: Upstream = field(default_factory=Nowhere)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the adapter, such as `egress_networks`."""

    @contextlib.asynccontextmanager
    async def open(self, stage: Stage, protocol: str) -> AsyncIterator[Place]:
        """Put the resolver in the place of every event loop's own."""
        async with self.behind.open(stage, protocol) as place:
            url = str(place.settings["base_url"]).replace("127.0.0.1", NAME)
            given = {"plain_http_hosts": (NAME,), **place.settings, **self.settings, "base_url": url}
            with mock.patch.object(asyncio.BaseEventLoop, "getaddrinfo", self._resolver()):
                yield Place(settings=given, posts=place.posts, is_open=place.is_open, log=place.log)

    def _resolver(self) -> Callable[..., Any]:
        found = self.resolves_to

        async def getaddrinfo(_loop: object, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
            assert host == NAME, f"asked for {host}"
            await asyncio.sleep(0)
            if isinstance(found, OSError):
                raise found
            if found is None:
                await asyncio.Event().wait()
            families = [(socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in found or ()]
            return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in families]

        return getaddrinfo


@dataclass(frozen=True)
class Beside:
    """An upstream, and another one to go to when it fails."""

    first: Upstream
    second: Upstream

    @contextlib.asynccontextmanager
    async def open(self, stage: Stage, protocol: str) -> AsyncIterator[Place]:
        """Run both."""
        async with self.first.open(stage, protocol) as one, self.second.open(stage, protocol) as two:
            yield Place(
                settings={**one.settings, "ca_file": stage.ca_file},
                posts=lambda: one.posts() + two.posts(),
                is_open=lambda: one.is_open() or two.is_open(),
                spoken=lambda: one.spoken() | two.spoken(),
                log=two.log,
                elsewhere=str(two.settings["base_url"]),
            )
