"""Servers, real and scripted, and clients of the engine for them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
import trustme

from http_util.config import HttpConfig
from http_util.engine import async_transport, sync_transport
from http_util.tls import build_ssl_context
from tests.integration.http_util.engine import real_servers
from tests.integration.http_util.engine.listening import server_context
from tests.integration.http_util.engine.real_servers import NGINX, NODE, Papers
from tests.integration.http_util.engine.refusing import unused_port

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from tests.integration.http_util.engine.real_servers import RealServer

    Clients = Callable[..., httpx.AsyncClient]
    BlockingClients = Callable[..., httpx.Client]

REAL: Final = ("hypercorn", "granian", *(("nginx",) if NGINX else ()), *(("node",) if NODE else ()))
"""The real servers of this machine; the first two are always there."""


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """One certificate for all servers of a run."""
    return Papers.write(trustme.CA(), tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="session")
def h2(papers: Papers) -> ssl.SSLContext:
    """TLS of a server that speaks HTTP/2 only."""
    return server_context(papers, "h2")


@pytest.fixture(scope="session")
def h1(papers: Papers) -> ssl.SSLContext:
    """TLS of a server that speaks HTTP/1.1 only."""
    return server_context(papers, "http/1.1")


@pytest.fixture(scope="session")
def trust(papers: Papers) -> Callable[[bool], ssl.SSLContext]:
    """Give a client's TLS settings, made once: reading all the authorities takes longer than most tests."""
    made = {http2: build_ssl_context(ca_file=papers.ca_file, http2=http2) for http2 in (False, True)}
    return made.__getitem__


def client_settings(config: HttpConfig) -> dict[str, Any]:
    """Return what `http_util.client` gives to every client of *config*."""
    timeout = httpx.Timeout(
        connect=config.connect_timeout,
        read=config.first_byte_timeout,
        write=config.write_timeout,
        pool=config.pool_timeout,
    )
    return {"timeout": timeout, "trust_env": False, "base_url": config.base_url}


@pytest.fixture
def client(trust: Callable[[bool], ssl.SSLContext]) -> Clients:
    """Make a client on the engine for a URL: `client(url, pool_timeout=1)`."""

    def make(url: str, **settings: Any) -> httpx.AsyncClient:
        config = HttpConfig(base_url=url, **settings)
        return httpx.AsyncClient(transport=async_transport(config, trust(config.http2)), **client_settings(config))

    return make


@pytest.fixture
def blocking_client(trust: Callable[[bool], ssl.SSLContext]) -> BlockingClients:
    """Make a blocking client on the engine for a URL."""

    def make(url: str, **settings: Any) -> httpx.Client:
        config = HttpConfig(base_url=url, **settings)
        return httpx.Client(transport=sync_transport(config, trust(config.http2)), **client_settings(config))

    return make


@pytest.fixture(scope="session")
def start(papers: Papers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RealServer]]:
    """Start a real server by name, once for the whole run: `start("granian")`, `start("nginx", limit=100)`."""
    started: dict[tuple[str, int | None], RealServer] = {}
    with contextlib.ExitStack() as stack:

        def get(name: str, limit: int | None = None) -> RealServer:
            if (name, limit) not in started:
                behind = {"behind": get("hypercorn")} if name == "nginx" else {}
                limits = {} if limit is None else {"limit": limit}
                run = getattr(real_servers, name)
                folder = tmp_path_factory.mktemp(name)
                started[name, limit] = stack.enter_context(run(papers, folder, **behind, **limits))
            return started[name, limit]

        yield get


@pytest.fixture(params=REAL)
def server(request: pytest.FixtureRequest, start: Callable[..., RealServer]) -> RealServer:
    """Every real server, one after the other."""
    return start(request.param)


@pytest.fixture(params=[False, True], ids=["http/1.1", "h2"])
def http2(request: pytest.FixtureRequest) -> bool:
    """Both protocols: the client offers HTTP/2 or does not."""
    return bool(request.param)


@pytest.fixture
def refused() -> Callable[[], str]:
    """Give a URL where nobody listens."""
    return lambda: f"http://127.0.0.1:{unused_port()}"
