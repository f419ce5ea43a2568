"""A client of each colour over a scripted upstream, and shorthands for what it answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from http_util.client import build_async_client, build_client
from http_util.resilience import Resilience
from http_util.testing import FakeClock, FakeSyncClock, FixedRandom, ScriptedUpstream
from openai_client import AsyncClient, AsyncHttpTransport, Client, ClientConfig, HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

BASE_URL = "http://localhost:8000/v1"
KEY = "local-test-key"


class Pair:
    """The same settings and the same script for both colours; `run` makes an operation in one of them."""

    def __init__(
        self,
        colour: str,
        *answers: Any,
        hooks: tuple[object, ...] = (),
        resilience: Resilience | None = None,
        **settings: Any,
    ) -> None:
        self.colour = colour
        self.config = ClientConfig(**({"base_url": BASE_URL, "api_key": KEY} | settings))
        self.clock = FakeClock(auto=True)
        self.sync_clock = FakeSyncClock()
        self.upstream = ScriptedUpstream(*answers, clock=self.clock, sync_clock=self.sync_clock)
        rng = FixedRandom(1.0)
        resilience = resilience or Resilience(hooks=hooks)
        others = () if resilience.failover is None else resilience.failover.endpoints
        http = self.config.http.reaching(endpoint.base_url for endpoint in others)
        if colour == "async":
            http_client = build_async_client(http, transport=self.upstream)
            transport = AsyncHttpTransport(
                self.config.http, clock=self.clock, http_client=http_client, rng=rng, resilience=resilience
            )
            self.client: Any = AsyncClient(self.config, transport=transport, clock=self.clock)
        else:
            sync_http_client = build_client(http, transport=self.upstream)
            sync_transport = HttpTransport(
                self.config.http, clock=self.sync_clock, http_client=sync_http_client, rng=rng, resilience=resilience
            )
            self.client = Client(self.config, transport=sync_transport, clock=self.sync_clock)

    @property
    def requests(self) -> list[Any]:
        """What was sent."""
        return self.upstream.requests

    @property
    def sleeps(self) -> list[float]:
        """Pauses that were made, in seconds."""
        return self.clock.sleeps if self.colour == "async" else self.sync_clock.sleeps

    async def call(self, make: Callable[[Any], Any]) -> Any:
        """Make a call with the client, and wait for it when it has to be awaited."""
        made = make(self.client)
        return await made if self.colour == "async" else made

    async def stream(self, make: Callable[[Any], Any]) -> tuple[list[Any], Any]:
        """Open a stream, read it to its end, and return the chunks and the stream's metadata."""
        chunks: list[Any] = []
        await self.collect(make, chunks)
        return chunks, self.metadata

    async def collect(self, make: Callable[[Any], Any], chunks: list[Any]) -> None:
        """Open a stream and read it into *chunks*, which is filled also when the stream fails."""
        if self.colour == "async":
            async with make(self.client) as stream:
                self.metadata = stream.metadata
                async for chunk in stream:
                    chunks.append(chunk)  # noqa: PERF401 - what came before a failure is wanted
            return
        with make(self.client) as stream:
            self.metadata = stream.metadata
            for chunk in stream:
                chunks.append(chunk)  # noqa: PERF402 - what came before a failure is wanted


@pytest.fixture(params=["sync", "async"])
def pair(request: pytest.FixtureRequest) -> Callable[..., Pair]:
    """Make a client of one colour over a script; every test that takes it runs in both."""

    def make(*answers: Any, **options: Any) -> Pair:
        return Pair(request.param, *answers, **options)

    return make


def data(value: object) -> bytes:
    """Return the data of one event."""
    return json.dumps(value, separators=(",", ":")).encode()


def chat_chunk(text: str | None = None, *, finish: str | None = None, index: int = 0, **fields: Any) -> bytes:
    """Return a chat chunk as the data of one event."""
    delta = {} if text is None else {"content": text}
    return data({"id": "c", "choices": [{"index": index, "delta": delta, "finish_reason": finish}], **fields})
