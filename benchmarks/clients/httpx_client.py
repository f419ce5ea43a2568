"""httpx as it comes, or over aiohttp's engine: raw bytes of the answer, decoded as the floor does it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx

from benchmarks.answers import API_KEY, Ask
from benchmarks.clients.chat_events import ChatEvents

if TYPE_CHECKING:
    from benchmarks.clients import Target
    from benchmarks.readings import Reading


class HttpxClient:
    """A client over one `httpx.AsyncClient`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Read through *client*, which is closed with this one."""
        self._client = client

    async def read(self, ask: Ask, reading: Reading) -> None:
        """See `Client`."""
        events = ChatEvents(reading)
        async with self._client.stream("POST", "/chat/completions", json=ask.body()) as response:
            response.raise_for_status()
            async for piece in response.aiter_raw():
                events.feed(piece)

    async def aclose(self) -> None:
        """See `Client`."""
        await self._client.aclose()


def connect(target: Target, engine: str) -> HttpxClient:
    """A client whose pool is large enough for every scenario."""
    limits = httpx.Limits(max_connections=10_000, max_keepalive_connections=10_000, keepalive_expiry=600)
    context = ssl.create_default_context(cafile=target.ca_file) if target.is_tls else ssl.create_default_context()
    if engine == "aiohttp":
        from httpx_aiohttp import AiohttpTransport

        transport = AiohttpTransport(verify=context, limits=limits)
    else:
        transport = httpx.AsyncHTTPTransport(verify=context, limits=limits, http2=target.is_http2)
    headers = {"authorization": f"Bearer {API_KEY}", "accept": "text/event-stream"}
    return HttpxClient(
        httpx.AsyncClient(transport=transport, base_url=target.base_url, headers=headers, timeout=120, trust_env=False)
    )
