"""
From what an upstream answered to what the API promises. Pure: time and ids are arguments.

One function per method of `Provider`. None of them changes its argument; fields that nobody knows stay as they are.

Spec: PRV-04, PRV-05, PRV-08
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from adapter_api.outcome import Outcome
from openai_client.errors import UnexpectedResponse
from openai_client.types import (
    CompletionUsage,
    CreateChatCompletionResponseChoice,
    CreateCompletionResponseChoice,
    CreateEmbeddingResponseUsage,
)
from providers.finish_reasons import CHAT_REASONS, COMPLETION_REASONS, normal_finish_reason
from providers.results import ChatCompletionResult, CompletionResult, EmbeddingResult

if TYPE_CHECKING:
    from uuid import UUID

    from pydantic import BaseModel

    from openai_client.types import (
        ChatCompletionResponseMessage,
        CreateChatCompletionResponse,
        CreateCompletionResponse,
        CreateEmbeddingResponse,
        ListModelsResponse,
        Model,
    )

CHAT_PREFIX: Final = "chatcmpl-"
"""Ids of chat completions begin so."""

COMPLETION_PREFIX: Final = "cmpl-"
"""Ids of completions begin so."""

_IN_SECONDS: Final = 100_000_000_000
"""A time above this (the year 5138 in seconds) was given in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an answer comes from: what stands in for what the upstream leaves out."""

    model: str
    """The model that was asked for."""
    now: float
    """Seconds since the epoch when the answer was there."""
    unique: UUID
    """Makes the id of an answer that has none."""


def normal_models(answer: ListModelsResponse) -> ListModelsResponse:
    """
    Return the list with every field that the schema requires.

    `created` 0 and `owned_by` `unknown` mean that the upstream does not say.
    """
    return answer.model_copy(update={"object": "list", "data": [_normal_model(model) for model in answer.data]})


def normal_embeddings(answer: CreateEmbeddingResponse, origin: Origin) -> EmbeddingResult:
    """Return the embeddings in the order of the inputs; vectors stay in the encoding that they came in."""
    numbered = [
        item.model_copy(update={"object": "embedding", "index": place if item.index is None else item.index})
        for place, item in enumerate(answer.data)
    ]
    counts = answer.usage or CreateEmbeddingResponseUsage()
    prompt = counts.prompt_tokens if counts.prompt_tokens is not None else counts.total_tokens
    total = counts.total_tokens if counts.total_tokens is not None else prompt
    fields = _given(answer) | {
        "object": "list",
        "data": sorted(numbered, key=lambda item: item.index or 0),
        "model": answer.model or origin.model,
        "usage": counts.model_copy(update={"prompt_tokens": prompt or 0, "total_tokens": total or 0}),
        "usage_reported": prompt is not None,
    }
    return EmbeddingResult.model_validate(fields)


def normal_completion(answer: CreateCompletionResponse, origin: Origin) -> CompletionResult:
    """
    Return the completion with every field that the schema requires.

    Raises:
        UnexpectedResponse: It has no choice.
        StreamInterrupted: The upstream says that it did not finish.
    """
    fields = _generated(answer, origin, prefix=COMPLETION_PREFIX) | {
        "object": "text_completion",
        "choices": [_normal_choice(choice, place) for place, choice in enumerate(answer.choices)],
    }
    return CompletionResult.model_validate(fields)


def normal_chat_completion(answer: CreateChatCompletionResponse, origin: Origin) -> ChatCompletionResult:
    """
    Return the chat completion with every field that the schema requires.

    Raises:
        UnexpectedResponse: It has no choice.
        StreamInterrupted: The upstream says that it did not finish.
    """
    fields = _generated(answer, origin, prefix=CHAT_PREFIX) | {
        "object": "chat.completion",
        "choices": [_normal_chat_choice(choice, place) for place, choice in enumerate(answer.choices)],
    }
    return ChatCompletionResult.model_validate(fields)


def _generated(
    answer: CreateChatCompletionResponse | CreateCompletionResponse, origin: Origin, *, prefix: str
) -> dict[str, Any]:
    """Return what both kinds of generated answer have in common."""
    if not answer.choices:
        raise UnexpectedResponse("the answer has no choices", outcome=Outcome.UNKNOWN)
    usage, is_reported = _normal_usage(answer.usage or CompletionUsage())
    return _given(answer) | {
        "id": answer.id or f"{prefix}{origin.unique.hex}",
        "created": _seconds(answer.created) or int(origin.now),
        "model": answer.model or origin.model,
        "usage": usage,
        "usage_reported": is_reported,
    }


def _normal_model(model: Model) -> Model:
    missing = {"object": "model", "created": _seconds(model.created), "owned_by": model.owned_by or "unknown"}
    return model.model_copy(update=missing)


def _normal_choice(choice: CreateCompletionResponseChoice, place: int) -> CreateCompletionResponseChoice:
    reason = normal_finish_reason(choice.finish_reason, known=COMPLETION_REASONS)
    return choice.model_copy(update=_of_every_choice(choice, place, reason))


def _normal_chat_choice(choice: CreateChatCompletionResponseChoice, place: int) -> CreateChatCompletionResponseChoice:
    default = "tool_calls" if choice.message.tool_calls else "stop"
    reason = normal_finish_reason(choice.finish_reason, known=CHAT_REASONS, default=default)
    message = _normal_message(choice.message)
    return choice.model_copy(update=_of_every_choice(choice, place, reason) | {"message": message})


def _of_every_choice(
    choice: CreateChatCompletionResponseChoice | CreateCompletionResponseChoice, place: int, reason: str
) -> dict[str, object]:
    """Return the fields that both kinds of choice have; the upstream's own word is kept when it was another one."""
    fields: dict[str, object] = {
        "finish_reason": reason,
        "index": place if choice.index is None else choice.index,
        "logprobs": choice.logprobs,
    }
    if choice.finish_reason not in {None, reason}:
        fields["upstream_finish_reason"] = choice.finish_reason
    return fields


def _normal_message(message: ChatCompletionResponseMessage) -> ChatCompletionResponseMessage:
    """Return the message as the assistant's; one that says nothing and calls nothing says the empty text."""
    says_otherwise = message.refusal or message.tool_calls or message.function_call or message.audio
    content = "" if message.content is None and not says_otherwise else message.content
    return message.model_copy(update={"role": "assistant", "content": content, "refusal": message.refusal})


def _normal_usage(usage: CompletionUsage) -> tuple[CompletionUsage, bool]:
    """Return whole usage, and whether all of it is the upstream's: given, or the difference of what is."""
    prompt, made, total = usage.prompt_tokens, usage.completion_tokens, usage.total_tokens
    if total is not None:
        prompt = total - made if prompt is None and made is not None else prompt
        made = total - prompt if made is None and prompt is not None else made
    whole = {
        "prompt_tokens": prompt or 0,
        "completion_tokens": made or 0,
        "total_tokens": (prompt or 0) + (made or 0) if total is None else total,
    }
    return usage.model_copy(update=whole), prompt is not None and made is not None


def _seconds(created: int | None) -> int:
    """Return a time in seconds since the epoch, 0 when there is none."""
    if created is None or created < 0:
        return 0
    return created // 1000 if created > _IN_SECONDS else created


def _given(answer: BaseModel) -> dict[str, Any]:
    """Return the fields that the upstream sent, unknown ones included."""
    return {name: value for name, value in answer if name in answer.model_fields_set}
