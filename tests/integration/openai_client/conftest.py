"""An upstream of its own process, and clients of both colours for it over both protocols."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

import upstream_simulator
from openai_client import AsyncClient, Client
from tests.measuring import unmeasured_children

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from upstream_simulator import Simulator

KEY = "sk-integration-0123456789"


@pytest.fixture(scope="session")
def keyed_simulator() -> Iterator[Simulator]:
    """One upstream for the whole run, with a key: HTTP/1.1 in the clear, HTTP/2 over TLS."""
    with unmeasured_children():
        simulator = upstream_simulator.start(tls_port=0, api_key=KEY)
    with simulator:
        yield simulator


@pytest.fixture
def simulator(keyed_simulator: Simulator) -> Simulator:
    """The upstream with a clean memory."""
    keyed_simulator.reset()
    return keyed_simulator


class Caller:
    """One client; `call` and `stream` work the same in both colours."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @property
    def is_async(self) -> bool:
        """The colour of the client."""
        return isinstance(self.client, AsyncClient)

    async def call(self, make: Callable[[Any], Any]) -> Any:
        """Make a call, and wait for it when it has to be awaited."""
        made = make(self.client)
        return await made if self.is_async else made

    async def stream(self, make: Callable[[Any], Any], chunks: list[Any] | None = None) -> tuple[list[Any], Any]:
        """Read a stream to its end; give the chunks and the metadata."""
        chunks = [] if chunks is None else chunks
        if self.is_async:
            async with make(self.client) as stream:
                async for chunk in stream:
                    chunks.append(chunk)
                return chunks, stream.metadata
        with make(self.client) as stream:
            for chunk in stream:
                chunks.append(chunk)
            return chunks, stream.metadata


@pytest.fixture(params=["http/1.1", "h2"])
def protocol(request: pytest.FixtureRequest) -> str:
    """Both protocols, one after the other."""
    return str(request.param)


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    """Both colours, one after the other."""
    return str(request.param)


@pytest.fixture
async def callers(simulator: Simulator, protocol: str, colour: str) -> AsyncIterator[Callable[..., Caller]]:
    """Make clients with settings of their own; all are closed at the end."""
    async with AsyncExitStack() as stack:

        def make(**settings: Any) -> Caller:
            where: dict[str, Any] = {"base_url": simulator.base_url}
            if protocol == "h2":
                where = {"base_url": simulator.tls_base_url, "http": {"ca_file": simulator.ca_file}}
            given = {"api_key": KEY, **where, **settings}
            if colour == "async":
                client = AsyncClient(**given)
                stack.push_async_callback(client.aclose)
                return Caller(client)
            sync_client = Client(**given)
            stack.callback(sync_client.close)
            return Caller(sync_client)

        yield make


@pytest.fixture
def caller(callers: Callable[..., Caller]) -> Caller:
    """A client with default settings."""
    return callers()
