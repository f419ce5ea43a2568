"""
Provider interface, version 1: four questions, each answered whole, in the models of the API.

Spec: PRV-01, PRV-02, PRV-03, PRV-09
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

if TYPE_CHECKING:
    from openai_client.types import (
        CreateChatCompletionRequest,
        CreateCompletionRequest,
        CreateEmbeddingRequest,
        ListModelsResponse,
    )
    from providers.results import ChatCompletionResult, CompletionResult, EmbeddingResult

PROVIDER_API_VERSION: Final = "1.0"
"""`MAJOR.MINOR`. A minor adds optional fields of results only; other methods or arguments make another major."""


@runtime_checkable
class Provider(Protocol):
    """
    Answers from one upstream. Any number of tasks of one event loop may call at once.

    All methods are coroutines that do not block, and end within the timeout that their provider was configured with.
    Every failure is a `ProviderError`; cancelling the calling task stops the call and raises no such error. A request
    is never changed. `request_id` is the correlation id of the caller, sent upstream where there is a way to.

    Example:
        >>> from providers import FakeProvider
        >>> isinstance(FakeProvider(), Provider), isinstance(object(), Provider)
        (True, False)

    Spec: PRV-01
    """

    async def list_models(self, *, request_id: str | None = None) -> ListModelsResponse:
        """
        List the models that may be asked for, in the upstream's order.

        Raises:
            ProviderError: The models could not be had.
        """
        ...

    async def create_embeddings(
        self, request: CreateEmbeddingRequest, *, request_id: str | None = None
    ) -> EmbeddingResult:
        """
        Embed each input of *request*; the results have the order of the inputs.

        Raises:
            ProviderError: There is no answer.
        """
        ...

    async def create_completion(
        self, request: CreateCompletionRequest, *, request_id: str | None = None
    ) -> CompletionResult:
        """
        Continue a text. The older of the two ways to generate: a bare prompt, no roles, no tools.

        Raises:
            StreamRefused: `request.stream` is true.
            ProviderError: There is no answer, or none that can be used.
        """
        ...

    async def create_chat_completion(
        self, request: CreateChatCompletionRequest, *, request_id: str | None = None
    ) -> ChatCompletionResult:
        """
        Answer a conversation.

        Raises:
            StreamRefused: `request.stream` is true.
            ProviderError: There is no answer, or none that can be used.
        """
        ...
