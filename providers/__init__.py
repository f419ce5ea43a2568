"""
Provider interface v1: whole answers from any upstream, in the models of the API, with one class of error.

Example:
    >>> import asyncio
    >>> from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest
    >>> from providers import ProviderConfig, open_provider
    >>> async def ask(config: ProviderConfig, text: str) -> str | None:
    ...     message = ChatCompletionRequestUserMessage(content=text)
    ...     request = CreateChatCompletionRequest(model="fake-model", messages=[message])
    ...     async with open_provider(config) as provider:
    ...         answer = await provider.create_chat_completion(request, request_id="r-1")
    ...     return answer.choices[0].message.content
    >>> asyncio.run(ask(ProviderConfig(provider="fake"), "Hello"))
    'Hello'

Importing this package loads nothing: every name below loads its own module when it is first used.

Spec: PRV-01, PRV-13
"""

from __future__ import annotations

from http_util.lazy_names import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "border": ("guarded", "refuse_stream"),
        "configuration": ("ProviderConfig", "make_provider", "open_provider"),
        "conformance": ("check_provider",),
        "errors": ("ProviderError", "StreamRefused", "provider_error"),
        "fake_provider": ("FakeProvider",),
        "normalisation": (
            "Origin",
            "normal_chat_completion",
            "normal_completion",
            "normal_embeddings",
            "normal_models",
        ),
        "openai_provider": ("OpenAIProvider",),
        "provider": ("PROVIDER_API_VERSION", "Provider"),
        "results": ("ChatCompletionResult", "CompletionResult", "EmbeddingResult"),
    },
)
