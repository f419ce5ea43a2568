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

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from providers.border import guarded, refuse_stream
    from providers.configuration import ProviderConfig, make_provider, open_provider
    from providers.conformance import check_provider
    from providers.errors import ProviderError, StreamRefused, provider_error
    from providers.fake_provider import FakeProvider
    from providers.normalisation import (
        Origin,
        normal_chat_completion,
        normal_completion,
        normal_embeddings,
        normal_models,
    )
    from providers.openai_provider import OpenAIProvider
    from providers.provider import PROVIDER_API_VERSION, Provider
    from providers.results import ChatCompletionResult, CompletionResult, EmbeddingResult

_HOME_OF: Final = {
    "guarded": "border",
    "refuse_stream": "border",
    "ProviderConfig": "configuration",
    "make_provider": "configuration",
    "open_provider": "configuration",
    "check_provider": "conformance",
    "ProviderError": "errors",
    "StreamRefused": "errors",
    "provider_error": "errors",
    "FakeProvider": "fake_provider",
    "Origin": "normalisation",
    "normal_chat_completion": "normalisation",
    "normal_completion": "normalisation",
    "normal_embeddings": "normalisation",
    "normal_models": "normalisation",
    "OpenAIProvider": "openai_provider",
    "PROVIDER_API_VERSION": "provider",
    "Provider": "provider",
    "ChatCompletionResult": "results",
    "CompletionResult": "results",
    "EmbeddingResult": "results",
}

__all__ = [
    "PROVIDER_API_VERSION",
    "ChatCompletionResult",
    "CompletionResult",
    "EmbeddingResult",
    "FakeProvider",
    "OpenAIProvider",
    "Origin",
    "Provider",
    "ProviderConfig",
    "ProviderError",
    "StreamRefused",
    "check_provider",
    "guarded",
    "make_provider",
    "normal_chat_completion",
    "normal_completion",
    "normal_embeddings",
    "normal_models",
    "open_provider",
    "provider_error",
    "refuse_stream",
]


def __getattr__(name: str) -> Any:
    """Load the module that *name* lives in, and keep what was found."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return list(__all__)
