"""
A provider without an upstream: the same question has the same answer, every time and everywhere.

Spec: PRV-11
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from uuid import UUID

from openai_client.types import (
    CreateChatCompletionResponse,
    CreateCompletionResponse,
    CreateEmbeddingResponse,
    ListModelsResponse,
)
from providers.border import guarded, refuse_stream
from providers.normalisation import Origin, normal_chat_completion, normal_completion, normal_embeddings, normal_models

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai_client.types import CreateChatCompletionRequest, CreateCompletionRequest, CreateEmbeddingRequest
    from providers.configuration import ProviderConfig
    from providers.results import ChatCompletionResult, CompletionResult, EmbeddingResult

T = TypeVar("T")

CREATED: Final = 1_700_000_000
"""When everything was made that a `FakeProvider` makes: 2023-11-14 22:13:20 UTC."""

_DIMENSIONS: Final = 8


class Asked(NamedTuple):
    """One call that a `FakeProvider` got."""

    operation: str
    """Name of the method."""
    request: object
    """Its argument; None for `list_models`."""
    request_id: str | None
    """The correlation id that came with it."""


class FakeProvider:
    """
    `Provider` for tests: repeats what it is told, word by word up to `max_tokens`, and can be told to fail.

    Example:
        >>> import asyncio
        >>> from openai_client.types import CreateCompletionRequest
        >>> request = CreateCompletionRequest(model="fake-model", prompt="one two three", max_tokens=2)
        >>> answer = asyncio.run(FakeProvider().create_completion(request))
        >>> answer.choices[0].text, answer.choices[0].finish_reason, answer.usage.total_tokens
        ('one two', 'length', 5)

    Spec: PRV-11
    """

    def __init__(
        self, *, models: tuple[str, ...] = ("fake-model",), reports_usage: bool = True, failure: Exception | None = None
    ) -> None:
        """
        Make a provider.

        Args:
            models: What it lists; any name is answered.
            reports_usage: Whether answers come with usage.
            failure: Raised by every call, as if an upstream had caused it.
        """
        self.asked: list[Asked] = []
        """Every call, in order."""
        self._models = models
        self._reports_usage = reports_usage
        self._failure = failure

    @classmethod
    def from_config(cls, config: ProviderConfig) -> FakeProvider:
        """Return a provider; the settings of *config* are the arguments of the class."""
        return cls(**config.settings)

    async def list_models(self, *, request_id: str | None = None) -> ListModelsResponse:
        """List the names that the provider was made with."""
        data = [{"id": name, "created": CREATED, "owned_by": "nobody"} for name in self._models]
        return await self._answer(
            Asked("list_models", None, request_id),
            lambda: normal_models(ListModelsResponse.model_validate({"data": data})),
        )

    async def create_embeddings(
        self, request: CreateEmbeddingRequest, *, request_id: str | None = None
    ) -> EmbeddingResult:
        """Embed each input by its hash: equal inputs have equal vectors."""
        inputs = _inputs(request.input)
        data = [{"embedding": _vector(str(one), request.dimensions or _DIMENSIONS)} for one in inputs]
        words = sum(len(one.split()) if isinstance(one, str) else len(one) for one in inputs)
        fields = {"data": data} | self._usage(prompt_tokens=words, total_tokens=words)
        return await self._answer(
            Asked("create_embeddings", request, request_id),
            lambda: normal_embeddings(CreateEmbeddingResponse.model_validate(fields), self._origin(request.model)),
        )

    async def create_completion(
        self, request: CreateCompletionRequest, *, request_id: str | None = None
    ) -> CompletionResult:
        """Repeat the prompt."""
        refuse_stream(request, request_id=request_id)
        said, fields = self._generated(str(request.prompt or ""), request.max_tokens)
        choices = [{"text": said[0], "finish_reason": said[1]}] * (request.n or 1)
        return await self._answer(
            Asked("create_completion", request, request_id),
            lambda: normal_completion(
                CreateCompletionResponse.model_validate(fields | {"choices": choices}), self._origin(request.model)
            ),
        )

    async def create_chat_completion(
        self, request: CreateChatCompletionRequest, *, request_id: str | None = None
    ) -> ChatCompletionResult:
        """Repeat the last message."""
        refuse_stream(request, request_id=request_id)
        content = getattr(request.messages[-1], "content", None)
        texts = content if isinstance(content, str) else " ".join(getattr(part, "text", "") for part in content or ())
        said, fields = self._generated(texts, request.max_completion_tokens or request.max_tokens)
        choices = [{"message": {"content": said[0]}, "finish_reason": said[1]}] * (request.n or 1)
        return await self._answer(
            Asked("create_chat_completion", request, request_id),
            lambda: normal_chat_completion(
                CreateChatCompletionResponse.model_validate(fields | {"choices": choices}), self._origin(request.model)
            ),
        )

    async def _answer(self, asked: Asked, make: Callable[[], T]) -> T:
        """Record a call, and answer it or fail."""
        self.asked.append(asked)

        async def call() -> T:
            if self._failure is not None:
                raise self._failure
            return make()

        return await guarded(call(), provider="fake", operation=asked.operation, request_id=asked.request_id)

    def _generated(self, prompt: str, limit: int | None) -> tuple[tuple[str, str], dict[str, Any]]:
        """Return text and finish reason, and the fields beside the choices."""
        words = prompt.split()
        said = words if limit is None else words[:limit]
        usage = self._usage(prompt_tokens=len(words), completion_tokens=len(said), total_tokens=len(words) + len(said))
        return (" ".join(said), "stop" if said == words else "length"), usage

    def _usage(self, **counts: int) -> dict[str, Any]:
        return {"usage": counts} if self._reports_usage else {}

    def _origin(self, model: str) -> Origin:
        return Origin(model=model, now=CREATED, unique=UUID(int=len(self.asked)))


def _inputs(given: str | list[str] | list[int] | list[list[int]]) -> list[str | list[int]]:
    """Return the inputs one by one: a text or a list of token numbers each."""
    if isinstance(given, str):
        return [given]
    numbers = [one for one in given if isinstance(one, int)]
    return [numbers] if numbers else [one for one in given if not isinstance(one, int)]


def _vector(text: str, dimensions: int) -> list[float]:
    """Return numbers in [-1, 1] that follow from *text*."""
    digests = b"".join(sha256(f"{block}:{text}".encode()).digest() for block in range(dimensions // 32 + 1))
    return [byte / 127.5 - 1.0 for byte in digests[:dimensions]]
