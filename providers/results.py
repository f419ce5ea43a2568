"""
What providers return: the answers of the API, in which what the schema requires is there.

A result *is* the client's model of the answer, with narrower types and one field more.

Spec: PRV-02, PRV-04, PRV-05
"""

from __future__ import annotations

from openai_client.types import (
    CompletionUsage,
    CreateChatCompletionResponse,
    CreateCompletionResponse,
    CreateEmbeddingResponse,
    CreateEmbeddingResponseUsage,
)


class ChatCompletionResult(CreateChatCompletionResponse):
    """A whole answer to a conversation, as `providers.normalisation.normal_chat_completion` makes it."""

    id: str
    created: int
    """Seconds since the epoch."""
    model: str
    usage: CompletionUsage
    usage_reported: bool
    """Whether every count in `usage` is the upstream's. False: counts that it did not give are 0."""


class CompletionResult(CreateCompletionResponse):
    """A whole completion, as `providers.normalisation.normal_completion` makes it."""

    id: str
    created: int
    """Seconds since the epoch."""
    model: str
    usage: CompletionUsage
    usage_reported: bool
    """Whether every count in `usage` is the upstream's. False: counts that it did not give are 0."""


class EmbeddingResult(CreateEmbeddingResponse):
    """Embeddings in the order of the inputs, as `providers.normalisation.normal_embeddings` makes them."""

    model: str
    usage: CreateEmbeddingResponseUsage
    usage_reported: bool
    """Whether every count in `usage` is the upstream's. False: counts that it did not give are 0."""
