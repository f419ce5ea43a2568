"""The official SDK with its own settings, over its httpx engine or its aiohttp engine."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from openai import AsyncOpenAI, DefaultAioHttpClient, DefaultAsyncHttpxClient

from benchmarks.answers import API_KEY, MODEL, Ask

if TYPE_CHECKING:
    from benchmarks.clients import Target
    from benchmarks.readings import Reading


class OpenAISdk:
    """A client over one `AsyncOpenAI`."""

    def __init__(self, client: AsyncOpenAI) -> None:
        """Read through *client*, which is closed with this one."""
        self._client = client

    async def read(self, ask: Ask, reading: Reading) -> None:
        """See `Client`."""
        stream = await self._client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": ask.prompt}],
            stream=True,
            stream_options={"include_usage": True},
            max_tokens=ask.tokens,
        )
        async with stream:
            async for chunk in stream:
                for choice in chunk.choices:
                    if choice.delta.content:
                        reading.take(choice.delta.content)
                    if choice.finish_reason:
                        reading.finish_reason = choice.finish_reason
                if (usage := chunk.usage) is not None:
                    reading.usage = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)

    async def aclose(self) -> None:
        """See `Client`."""
        await self._client.close()


def connect(target: Target, engine: str) -> OpenAISdk:
    """A client; its limits and timeouts are the SDK's own."""
    settings: dict[str, Any] = {}
    if target.is_tls:
        settings["verify"] = ssl.create_default_context(cafile=target.ca_file)
    if engine == "aiohttp":
        transport = DefaultAioHttpClient(**settings)
    else:
        transport = DefaultAsyncHttpxClient(http2=target.is_http2, **settings)
    return OpenAISdk(AsyncOpenAI(base_url=target.base_url, api_key=API_KEY, max_retries=0, http_client=transport))
