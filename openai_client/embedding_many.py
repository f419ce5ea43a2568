"""
Embeddings of many inputs: as few requests as the API's limits allow, in order, with what failed told. Pure: a plan.

Spec: BAT-01, CLI-21
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from openai_client._generated.models.embeddings import CreateEmbeddingRequest
from openai_client.embedding_answers import MOST_INPUTS, in_order, may_be_one_inputs_fault
from openai_client.embedding_arrays import vector
from openai_client.errors import InvalidFieldValue, OpenAIError
from openai_client.plans.descriptor import steps_endpoint
from openai_client.plans.steps import Together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Unpack

    from openai_client.calling import CallKeywords
    from openai_client.operation import Operation
    from openai_client.plans.steps import Steps

MOST_TOKENS: Final = 250_000
"""Estimated tokens of one request; the API takes 300,000."""

# three bytes a token is few for prose and about right for code and for scripts outside of ASCII
_BYTES_A_TOKEN: Final = 3


class FailedInputs(NamedTuple):
    """Inputs that have no embedding, and why."""

    indices: tuple[int, ...]
    """Where they stand among the inputs."""
    error: OpenAIError
    """What their request failed with; for those that were not sent any more, what stopped the others."""


@dataclass(frozen=True, slots=True)
class ManyEmbeddings:
    """
    The embeddings of many inputs.

    Spec: CLI-21
    """

    vectors: tuple[memoryview[float] | None, ...] = field(repr=False)
    """For each input an array as `openai_client.vectors` gives them, in order; None where it failed."""
    failures: tuple[FailedInputs, ...]
    """What failed; empty when everything is there."""
    requests: int
    """How many were made."""
    prompt_tokens: int
    """What the upstream counted, of the requests that succeeded."""
    total_tokens: int
    """What the upstream counted, of the requests that succeeded."""

    def all_vectors(self) -> list[memoryview[float]]:
        """
        Return the arrays, if there is one for every input.

        Raises:
            OpenAIError: The first failure.
        """
        for failure in self.failures:
            raise failure.error
        return [one for one in self.vectors if one is not None]


def embed_many(
    inputs: Sequence[str] | Sequence[Sequence[int]],
    *,
    model: str,
    dimensions: int | None = None,
    user: str | None = None,
    max_batch_size: int = MOST_INPUTS,
    max_batch_tokens: int = MOST_TOKENS,
    max_concurrency: int = 1,
    on_batch: Callable[[int, int], object] | None = None,
    **call: Unpack[CallKeywords],
) -> Steps[ManyEmbeddings]:
    """
    Embed many inputs in as few requests as their number and estimated size allow.

    A request that is refused for what may be one input's fault is asked again in halves, until that input is alone with
    its error. Any other failure ends the sending; what was embedded before is returned with it.

    Args:
        inputs: Texts, or lists of token numbers; at least one.
        model: Which model embeds.
        dimensions: Of the vectors, where the model can choose.
        user: Sent with every request.
        max_batch_size: Inputs in one request, 1 to 2048.
        max_batch_tokens: Tokens in one request, 1 or more: three bytes of text count as one.
        max_concurrency: Requests under way at once, on an event loop; 1 or more.
        on_batch: Called with the number of inputs that are settled and of all, after each round of requests.
        call: What belongs to each request.

    Raises:
        InvalidFieldValue: An argument makes no sense.

    Spec: CLI-21
    """
    _check(inputs, max_batch_size, max_batch_tokens, max_concurrency)

    def asked(part: _Part) -> Operation[Any]:
        from openai_client._generated.operations.embeddings import create_embedding

        fields: dict[str, Any] = {"dimensions": dimensions, "user": user}
        given = {name: value for name, value in fields.items() if value is not None}
        chosen: Any = [inputs[index] for index in part]
        body = CreateEmbeddingRequest(model=model, input=chosen, encoding_format="base64", **given)
        return create_embedding(body, **call)

    made = _Made(len(inputs))
    waiting = list(_packed(inputs, max_batch_size, max_batch_tokens))
    while waiting:
        round_, waiting = waiting[:max_concurrency], waiting[max_concurrency:]
        seen = yield Together([asked(part) for part in round_], max_concurrency, keeps_errors=True)
        again: list[_Part] = []
        for part, answer in zip(round_, seen.result, strict=True):
            again += made.take(part, answer)
        if made.is_stopped:
            made.give_up([*again, *waiting])
            break
        waiting = again + waiting
        if on_batch is not None:
            on_batch(made.settled, len(inputs))
    return made.result()


_Part = tuple[int, ...]


def _packed(inputs: Sequence[Any], most: int, most_tokens: int) -> Iterator[_Part]:
    """Yield the indices of the inputs of each request, in order."""
    part: list[int] = []
    tokens = 0
    for index, item in enumerate(inputs):
        size = tokens_of(item)
        if part and (len(part) == most or tokens + size > most_tokens):
            yield tuple(part)
            part, tokens = [], 0
        part.append(index)
        tokens += size
    yield tuple(part)


def tokens_of(item: str | Sequence[int]) -> int:
    """Return how many tokens an input has, rather too many than too few where it is text."""
    return len(item) if not isinstance(item, str) else len(item.encode("utf-8", "replace")) // _BYTES_A_TOKEN + 1


class _Made:
    """What came so far."""

    def __init__(self, number: int) -> None:
        self.is_stopped = False
        self._vectors: list[memoryview[float] | None] = [None] * number
        self._failures: list[FailedInputs] = []
        self._stopped_by: OpenAIError | None = None
        self._requests = self._prompt_tokens = self._total_tokens = 0

    @property
    def settled(self) -> int:
        """How many inputs have an embedding or an error."""
        failed = sum(len(failure.indices) for failure in self._failures)
        return failed + sum(one is not None for one in self._vectors)

    def take(self, part: _Part, answer: Any) -> list[_Part]:
        """Take what came for a request; return what is to be asked again."""
        self._requests += 1
        try:
            if isinstance(answer, OpenAIError):
                raise answer
            self._keep(part, answer)
        except OpenAIError as error:
            if not may_be_one_inputs_fault(error):
                self.is_stopped, self._stopped_by = True, error
            elif len(part) > 1:
                middle = len(part) // 2
                return [part[:middle], part[middle:]]
            self._failures.append(FailedInputs(part, error))
        return []

    def _keep(self, part: _Part, answer: Any) -> None:
        found = [vector(item.embedding) for item in in_order(answer.data, len(part))]
        for index, one in zip(part, found, strict=True):
            self._vectors[index] = one
        if answer.usage is not None:
            self._prompt_tokens += answer.usage.prompt_tokens or 0
            self._total_tokens += answer.usage.total_tokens or 0

    def give_up(self, parts: list[_Part]) -> None:
        """Note that some inputs are not sent any more."""
        left = tuple(index for part in parts for index in part)
        if left and self._stopped_by is not None:
            self._failures.append(FailedInputs(left, self._stopped_by))

    def result(self) -> ManyEmbeddings:
        """Return what came of it all."""
        return ManyEmbeddings(
            vectors=tuple(self._vectors),
            failures=tuple(self._failures),
            requests=self._requests,
            prompt_tokens=self._prompt_tokens,
            total_tokens=self._total_tokens,
        )


def _check(inputs: object, size: int, tokens: int, at_once: int) -> None:
    if isinstance(inputs, str) or not inputs:
        raise InvalidFieldValue("inputs: must be a list of texts or of lists of tokens, not empty", param="inputs")
    for name, value, most in (
        ("max_batch_size", size, MOST_INPUTS),
        ("max_batch_tokens", tokens, None),
        ("max_concurrency", at_once, None),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (most is not None and value > most):
            bound = "1 or more" if most is None else f"1 to {most}"
            raise InvalidFieldValue(f"{name}: must be {bound}, not {value!r}", param=name)


class EmbeddingMany:
    """What `client.embeddings` has besides its operations."""

    create_many = steps_endpoint(embed_many)
