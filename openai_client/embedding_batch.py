"""
Several calls for embeddings as one, and its answer in parts again. Pure.

Calls may share a request when they differ in nothing but their inputs: same model, form, options and kind of input
(texts, or lists of token numbers). What an upstream says against one input it says against the whole request; then the
batch is halved and asked again, until the caller at fault is alone with his error.

Spec: BAT-01
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from openai_client._generated.models.embeddings import (
    CreateEmbeddingRequest,
    CreateEmbeddingResponse,
    CreateEmbeddingResponseUsage,
)
from openai_client.embedding_answers import MOST_INPUTS, in_order
from openai_client.remembering import heard_with, remember
from openai_client.shareable import share_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from http_util.deadline import Deadline
    from openai_client.config import ClientConfig
    from openai_client.operation import Operation

_BATCHED: Final = frozenset({"createEmbedding"})


class Part(NamedTuple):
    """What one caller brings to a batch."""

    key: str
    """Parts of equal keys may share a request."""
    operation: Operation[Any]
    """The call as it was asked for."""
    inputs: list[str] | list[list[int]]
    """Its inputs, at least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPolicy:
    """
    How large a batch becomes, and how long it waits for more. Immutable.

    Example:
        >>> BatchPolicy(max_batch_size=5000)
        Traceback (most recent call last):
        ...
        ValueError: max_batch_size must be from 1 to 2048 inputs, not 5000
    """

    max_batch_size: int = 128
    """Inputs in one request; a call that brings more goes alone."""
    max_wait_ms: float = 5.0
    """Milliseconds from the first call of a batch until it is sent, if it was not full before; zero or more."""

    def __post_init__(self) -> None:
        """
        Refuse settings that make no sense.

        Raises:
            ValueError: A field is out of its range; the text names it.
        """
        if not 1 <= self.max_batch_size <= MOST_INPUTS:
            raise ValueError(f"max_batch_size must be from 1 to {MOST_INPUTS} inputs, not {self.max_batch_size!r}")
        if not self.max_wait_ms >= 0:
            raise ValueError(f"max_wait_ms must be zero or more milliseconds, not {self.max_wait_ms!r}")

    @property
    def max_wait(self) -> float:
        """The same in seconds."""
        return self.max_wait_ms / 1000


def part_of(operation: Operation[Any], config: ClientConfig, policy: BatchPolicy) -> Part | None:
    """Return what a call brings to a batch; None when it must go alone."""
    body = operation.body
    if not isinstance(body, CreateEmbeddingRequest):
        return None
    kind, inputs = _inputs(body)
    if len(inputs) >= policy.max_batch_size:
        return None
    alike = replace(operation, body=body.model_copy(update={"input": kind}))
    key = share_key(alike, config, _BATCHED)
    return None if key is None else Part(f"{key} {operation.options.retry!r}", operation, inputs)


def joined(parts: Sequence[Part], deadline: Deadline, now: float) -> Operation[Any]:
    """
    Return the one call for all *parts*.

    Args:
        parts: At least one. A single one goes out as it was asked for.
        deadline: When the call ends.
        now: The monotonic time.
    """
    first = parts[0].operation
    # `timeout` in place of the client's own, which counts from the moment at which the request is written
    options = replace(first.options, timeout=max(deadline.remaining(now), 0.001), deadline=deadline)
    if len(parts) == 1:
        return first.with_options(options)
    body = cast("CreateEmbeddingRequest", first.body)
    inputs = [item for part in parts for item in part.inputs]
    return replace(
        first,
        body=body.model_copy(update={"input": inputs}),
        parse=CreateEmbeddingResponse.from_wire,
        options=options,
    )


def parted(parts: Sequence[Part], answer: Any) -> list[Any]:
    """
    Return the results of all *parts* from the answer to their one call, in order.

    The usage is shared out by the size of the inputs, in whole tokens whose sum is right; of what else the upstream
    says about usage nobody could have a part, so it is left out.

    Raises:
        UnexpectedResponse: The answer does not have exactly one embedding for each input.
    """
    if len(parts) == 1:
        return [answer]
    sizes = [len(part.inputs) for part in parts]
    items = in_order(answer.data, sum(sizes))
    usages = _shared_usage(answer.usage, [_weight(part) for part in parts])
    results, begin = [], 0
    for part, size, usage in zip(parts, sizes, usages, strict=True):
        own = [item.model_copy(update={"index": n}) for n, item in enumerate(items[begin : begin + size])]
        result = answer.model_copy(update={"data": own, "usage": usage})
        begin += size
        parse = part.operation.parse
        # some other middleware may want to see bytes
        own_result = result if parse == CreateEmbeddingResponse.from_wire else parse(result.wire_bytes())
        results.append(remember(own_result, heard_with(answer)))
    return results


def _inputs(body: CreateEmbeddingRequest) -> tuple[str, list[str] | list[list[int]]]:
    """Return the kind of the inputs, and the inputs as a list."""
    given: Any = body.input
    if isinstance(given, str):
        return "text", [given]
    if isinstance(given[0], int):
        return "tokens", [given]
    return ("text" if isinstance(given[0], str) else "tokens"), given


def _weight(part: Part) -> int:
    """Return the size of a part: tokens where they are given, else bytes of text, which are in proportion to tokens."""
    return sum(len(item.encode("utf-8", "replace")) if isinstance(item, str) else len(item) for item in part.inputs)


def _shared_usage(
    usage: CreateEmbeddingResponseUsage | None, weights: Sequence[int]
) -> list[CreateEmbeddingResponseUsage | None]:
    if usage is None:
        return [None] * len(weights)
    prompt = _shares(usage.prompt_tokens, weights)
    total = _shares(usage.total_tokens, weights)
    return [
        CreateEmbeddingResponseUsage(prompt_tokens=one, total_tokens=other)
        for one, other in zip(prompt, total, strict=True)
    ]


def _shares(tokens: int | None, weights: Sequence[int]) -> list[int | None]:
    """Share whole tokens out in proportion to *weights*; what is left goes to those who lost most by the rounding."""
    if tokens is None:
        return [None] * len(weights)
    if not any(weights):
        weights = [1] * len(weights)
    whole = sum(weights)
    shares = [tokens * weight // whole for weight in weights]
    by_loss = sorted(range(len(weights)), key=lambda n: tokens * weights[n] % whole, reverse=True)
    for n in by_loss[: tokens - sum(shares)]:
        shares[n] += 1
    return list(shares)
