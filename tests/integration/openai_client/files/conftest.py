"""A file server of its own process, over TLS with HTTP/2 and HTTP/1.1, and clients for it."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from openai_client import AsyncClient, Client
from tests.integration.http_util.engine.real_servers import Papers, RealServer, running
from tests.integration.openai_client.conftest import Caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def file_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One server for the whole run."""
    folder = tmp_path_factory.mktemp("files")
    papers = Papers.write(trustme.CA(), folder)

    def command(port: int) -> list[str | Path]:
        return [
            *(sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), "--loop", "asyncio"),
            *("--ssl-certificate", papers.certificate, "--ssl-keyfile", papers.key, "--working-dir", HERE),
            *("--workers-kill-timeout", "2", "--log-level", "warning", "file_app:application"),
        ]

    with running(command, folder) as port:
        yield RealServer("granian", port, papers.ca_file)


@pytest.fixture
def plain_file_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a server without TLS."""

    def command(port: int) -> list[str | Path]:
        return [
            *(sys.executable, "-m", "granian", "--interface", "asgi", "--port", str(port), "--loop", "asyncio"),
            *("--working-dir", HERE, "--workers-kill-timeout", "2", "--log-level", "warning", "file_app:application"),
        ]

    with running(command, tmp_path_factory.mktemp("plain")) as port:
        yield f"http://127.0.0.1:{port}/v1"


@pytest.fixture
def settings(file_server: RealServer, protocol: str) -> dict[str, Any]:
    """What a client of the file server is made with."""
    http = {"ca_file": str(file_server.ca_file), "http2": protocol == "h2"}
    return {"base_url": f"{file_server.url}/v1", "api_key": None, "http": http}


@pytest.fixture
async def caller(settings: dict[str, Any], colour: str) -> AsyncIterator[Caller]:
    """A client of one colour over one protocol; the server has forgotten everything."""
    async with AsyncExitStack() as stack:
        if colour == "async":
            made: Any = await stack.enter_async_context(AsyncClient(**settings))
        else:
            made = stack.enter_context(Client(**settings))
        caller = Caller(made)
        await caller.call(lambda client: client.request("POST", "/forget"))
        yield caller


@pytest.fixture
def seen(caller: Caller) -> Callable[[str], Any]:
    """Ask the server what it has seen."""

    async def ask(what: str) -> Any:
        import json

        answer = await caller.call(lambda client: client.request("GET", "/seen"))
        return json.loads(answer.result).get(what, [])

    return ask
