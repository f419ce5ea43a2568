"""
The provider for the OpenAI API, and for every server that speaks it.

Spec: PRV-01, PRV-03, PRV-04, PRV-06, PRV-07, PRV-09, PRV-13
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from adapter_api.correlation import CORRELATION_HEADER
from http_util.clock import SystemClock
from openai_client import AsyncClient, CallOptions
from providers.border import guarded, refuse_stream
from providers.configuration import ProviderConfig
from providers.normalisation import Origin, normal_chat_completion, normal_completion, normal_embeddings, normal_models

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from http_util.clock import Clock
    from openai_client import AsyncTransport
    from openai_client.types import (
        CreateChatCompletionRequest,
        CreateCompletionRequest,
        CreateEmbeddingRequest,
        ListModelsResponse,
    )
    from providers.results import ChatCompletionResult, CompletionResult, EmbeddingResult

T = TypeVar("T")


class OpenAIProvider:
    """
    `Provider` over `openai_client.AsyncClient`: requests go out as they are, answers come back normalised.

    Example:
        >>> import asyncio
        >>> from openai_client import AsyncClient
        >>> async def main() -> None:
        ...     async with AsyncClient(base_url="http://localhost:8000/v1", api_key=None) as client:
        ...         print(OpenAIProvider(client))
        >>> asyncio.run(main())
        OpenAIProvider('http://localhost:8000/v1')

    Spec: PRV-01
    """

    def __init__(
        self,
        client: AsyncClient,
        config: ProviderConfig | None = None,
        *,
        clock: Clock | None = None,
        new_id: Callable[[], UUID] = uuid4,
    ) -> None:
        """
        Make a provider.

        Args:
            client: Makes the calls; its owner closes it. Its retry policy, if it has one, is in force.
            config: Where `request_timeout_s` comes from; `settings` are not used.
            clock: Says when an answer was made that does not say so itself.
            new_id: Makes ids for answers that have none.
        """
        self._client = client
        self._timeout = (config or ProviderConfig()).request_timeout_s
        self._clock = clock or SystemClock()
        self._new_id = new_id
        self._owns_client = False

    @classmethod
    def from_config(cls, config: ProviderConfig, *, transport: AsyncTransport | None = None) -> OpenAIProvider:
        """
        Return a provider with a client of its own, to be closed by `aclose`.

        Args:
            config: Its `settings` are those of `openai_client.ClientConfig`.
            transport: The client's.

        Raises:
            ConfigurationError: A setting is wrong.
        """
        provider = cls(AsyncClient(transport=transport, **config.settings), config)
        provider._owns_client = True
        return provider

    def __repr__(self) -> str:
        """Return where the provider asks."""
        return f"{type(self).__name__}({self._client.config.base_url!r})"

    async def aclose(self) -> None:
        """Close the client, if it is the provider's own. Safe to call twice."""
        if self._owns_client:
            await self._client.aclose()

    async def list_models(self, *, request_id: str | None = None) -> ListModelsResponse:
        """Return GET /models. Arguments and errors as `Provider.list_models`."""

        async def call() -> ListModelsResponse:
            return normal_models(await self._client.models.list(options=self._options(request_id)))

        return await self._guarded(call(), "list_models", request_id)

    async def create_embeddings(
        self, request: CreateEmbeddingRequest, *, request_id: str | None = None
    ) -> EmbeddingResult:
        """Return POST /embeddings. Arguments and errors as `Provider.create_embeddings`."""

        async def call() -> EmbeddingResult:
            answer = await self._client.embeddings.create(request, options=self._options(request_id))
            return normal_embeddings(answer, self._origin(request.model))

        return await self._guarded(call(), "create_embeddings", request_id)

    async def create_completion(
        self, request: CreateCompletionRequest, *, request_id: str | None = None
    ) -> CompletionResult:
        """Return POST /completions. Arguments and errors as `Provider.create_completion`."""
        refuse_stream(request, request_id=request_id)

        async def call() -> CompletionResult:
            answer = await self._client.completions.create(request, options=self._options(request_id))
            return normal_completion(answer, self._origin(request.model))

        return await self._guarded(call(), "create_completion", request_id)

    async def create_chat_completion(
        self, request: CreateChatCompletionRequest, *, request_id: str | None = None
    ) -> ChatCompletionResult:
        """Return POST /chat/completions. Arguments and errors as `Provider.create_chat_completion`."""
        refuse_stream(request, request_id=request_id)

        async def call() -> ChatCompletionResult:
            answer = await self._client.chat.completions.create(request, options=self._options(request_id))
            return normal_chat_completion(answer, self._origin(request.model))

        return await self._guarded(call(), "create_chat_completion", request_id)

    def _options(self, request_id: str | None) -> CallOptions:
        headers = {} if request_id is None else {CORRELATION_HEADER: request_id}
        return CallOptions(timeout=self._timeout, headers=headers)

    def _origin(self, model: str) -> Origin:
        return Origin(model=model, now=self._clock.time(), unique=self._new_id())

    async def _guarded(self, call: Awaitable[T], operation: str, request_id: str | None) -> T:
        return await guarded(call, provider="openai", operation=operation, request_id=request_id)
