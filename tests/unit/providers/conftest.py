"""Requests, scripted answers, and a provider over them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from http_util.client import build_async_client
from http_util.testing import Answer, FakeClock, ScriptedUpstream
from openai_client import AsyncClient, AsyncHttpTransport, ClientConfig
from openai_client.types import (
    ChatCompletionRequestUserMessage,
    CreateChatCompletionRequest,
    CreateCompletionRequest,
    CreateEmbeddingRequest,
)
from providers import OpenAIProvider, ProviderConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

UNIQUE = UUID(int=7)

CHAT = CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content="a secret prompt")])
COMPLETION = CreateCompletionRequest(model="m", prompt="a secret prompt")
EMBEDDINGS = CreateEmbeddingRequest(model="m", input=["a secret prompt"])

CALLS = {
    "list_models": lambda provider, **options: provider.list_models(**options),
    "create_embeddings": lambda provider, **options: provider.create_embeddings(EMBEDDINGS, **options),
    "create_completion": lambda provider, **options: provider.create_completion(COMPLETION, **options),
    "create_chat_completion": lambda provider, **options: provider.create_chat_completion(CHAT, **options),
}
"""Each method of the interface, called."""

ANSWERS: dict[str, dict[str, Any]] = {
    "list_models": {"data": [{"id": "m"}]},
    "create_embeddings": {"data": [{"embedding": [0.5]}]},
    "create_completion": {"choices": [{"text": "Hi"}]},
    "create_chat_completion": {"choices": [{"message": {"content": "Hi"}}]},
}
"""The least that an upstream can answer to each."""


def as_json(value: object, **options: Any) -> Answer:
    """Return a scripted JSON answer."""
    return Answer.json(json.dumps(value).encode(), **options)


class Setup:
    """An OpenAI provider over a script, and everything around it."""

    def __init__(self, *answers: Answer, config: ProviderConfig | None = None, **settings: Any) -> None:
        self.clock = FakeClock(auto=True)
        self.upstream = ScriptedUpstream(*answers, clock=self.clock)
        client_config = ClientConfig(**({"base_url": "http://localhost:8000/v1", "api_key": "local-key"} | settings))
        http_client = build_async_client(client_config.http, transport=self.upstream)
        self.transport = AsyncHttpTransport(client_config.http, clock=self.clock, http_client=http_client)
        self.client = AsyncClient(client_config, transport=self.transport, clock=self.clock)
        self.provider = OpenAIProvider(self.client, config, clock=self.clock, new_id=lambda: UNIQUE)

    async def aclose(self) -> None:
        """Close what was opened."""
        await self.client.aclose()
        await self.transport.aclose()


@pytest.fixture
async def setup() -> AsyncIterator[Callable[..., Setup]]:
    """Make providers over scripts."""
    made: list[Setup] = []

    def make(*answers: Answer, **options: Any) -> Setup:
        made.append(Setup(*answers, **options))
        return made[-1]

    yield make
    for one in made:
        await one.aclose()
