"""
The rules of the interface as checks that any provider can be put through, with no test framework.

Spec: PRV-10, PRV-11
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Final

from adapter_api.conformance import ConformanceFailure
from openai_client.types import (
    ChatCompletionRequestUserMessage,
    CreateChatCompletionRequest,
    CreateCompletionRequest,
    CreateEmbeddingRequest,
)
from providers.errors import ProviderError, StreamRefused
from providers.finish_reasons import CHAT_REASONS, COMPLETION_REASONS
from providers.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from providers.results import ChatCompletionResult, CompletionResult

    Call = Callable[[], Awaitable[object]]

_METHODS: Final = ("list_models", "create_embeddings", "create_completion", "create_chat_completion")
_REQUEST_ID: Final = "conformance-1"
_MILLISECONDS: Final = 100_000_000_000


class _Broken(Exception):
    """A rule was seen broken."""


async def check_provider(
    make_provider: Callable[[], Provider],
    *,
    model: str,
    embedding_model: str | None = None,
    make_failing: Callable[[], Provider] | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109 - bounds each check, not this call
    only: Sequence[str] = (),
) -> tuple[str, ...]:
    """
    Put a provider through every check, and return the names of those that it passed.

    Args:
        make_provider: Makes a fresh provider for each check, which closes it if it can be closed.
        model: A model that it generates with.
        embedding_model: One that it embeds with; by default *model*.
        make_failing: Makes one whose upstream cannot answer. Without it `fails_as_one_class` is left out.
        timeout: Most seconds for one check; a check that takes longer has failed.
        only: Names of the checks to run; empty means all of `CHECKS`.

    Raises:
        ConformanceFailure: At least one check failed; it tells which, and what was seen.

    Example:
        >>> from openai_client import BadGateway
        >>> from providers import FakeProvider
        >>> failing = lambda: FakeProvider(failure=BadGateway("no engine"))
        >>> passed = asyncio.run(check_provider(FakeProvider, model="fake-model", make_failing=failing))
        >>> passed == tuple(CHECKS)
        True

    Spec: PRV-10, PRV-11
    """
    failures: list[tuple[str, str]] = []
    passed: list[str] = []
    for name in only or CHECKS:
        make = make_failing if name == "fails_as_one_class" else make_provider
        if make is None:
            continue
        seen = await _run(CHECKS[name], make, _Requests(model, embedding_model or model), timeout)
        if seen is None:
            passed.append(name)
        else:
            failures.append((name, seen))
    if failures:
        raise ConformanceFailure(failures)
    return tuple(passed)


class _Requests:
    """One request for each method."""

    def __init__(self, model: str, embedding_model: str) -> None:
        self.embeddings = CreateEmbeddingRequest(model=embedding_model, input=["the sea", "the sky", "the sea"])
        self._model = model

    def completion(self, **fields: Any) -> CreateCompletionRequest:
        return CreateCompletionRequest(model=self._model, prompt="Tell me of the sea.", max_tokens=4, **fields)

    def chat(self, **fields: Any) -> CreateChatCompletionRequest:
        message = ChatCompletionRequestUserMessage(content="Tell me of the sea.")
        return CreateChatCompletionRequest(model=self._model, messages=[message], max_tokens=4, **fields)

    def generate(self, provider: Provider, **fields: Any) -> dict[str, Call]:
        """Return every call that generates, not yet made."""
        return {
            "create_completion": lambda: provider.create_completion(self.completion(**fields), request_id=_REQUEST_ID),
            "create_chat_completion": lambda: provider.create_chat_completion(
                self.chat(**fields), request_id=_REQUEST_ID
            ),
        }


async def _run(
    check: Callable[[Provider, _Requests], Awaitable[None]],
    make: Callable[[], Provider],
    requests: _Requests,
    seconds: float,
) -> str | None:
    """Run one check on a fresh provider; None when it passed, else what was seen."""
    try:
        async with asyncio.timeout(seconds):
            provider = make()
            try:
                await check(provider, requests)
            finally:
                close = getattr(provider, "aclose", None)
                if close is not None:
                    await close()
    except _Broken as broken:
        return str(broken)
    except TimeoutError:
        return f"took longer than {seconds} s"
    # A provider is foreign code: whatever it raises here is a finding, not a crash of the checks.
    except Exception as exc:  # noqa: BLE001
        return f"raised {type(exc).__name__}: {exc}"
    return None


def _require(holds: object, seen: str) -> None:
    if not holds:
        raise _Broken(seen)


async def _has_the_shape(provider: Provider, _: _Requests) -> None:
    """Four coroutines, each with the keyword `request_id`."""
    _require(isinstance(provider, Provider), f"{type(provider).__name__} lacks methods of Provider")
    for name in _METHODS:
        method = getattr(provider, name)
        _require(inspect.iscoroutinefunction(method), f"{name} is not a coroutine function")
        _require("request_id" in inspect.signature(method).parameters, f"{name} takes no request_id")


async def _lists_models(provider: Provider, _: _Requests) -> None:
    """A list of models with every field of the schema."""
    listing = await provider.list_models(request_id=_REQUEST_ID)
    _require(listing.object == "list", f"object is {listing.object!r}, expected 'list'")
    for model in listing.data:
        _require(model.object == "model", f"the object of {model.id!r} is {model.object!r}, expected 'model'")
        _require(model.created is not None and model.owned_by, f"{model.id!r} lacks created or owned_by")
        _require({"object", "created", "owned_by"} <= model.model_fields_set, f"fields of {model.id!r} are not written")


async def _embeds_in_order(provider: Provider, requests: _Requests) -> None:
    """One vector for each input, in order; equal inputs have equal ones."""
    answer = await provider.create_embeddings(requests.embeddings, request_id=_REQUEST_ID)
    _require(answer.object == "list", f"object is {answer.object!r}, expected 'list'")
    order = [item.index for item in answer.data]
    _require(order == [0, 1, 2], f"three inputs gave the indices {order}")
    _require({item.object for item in answer.data} == {"embedding"}, "an item is no 'embedding'")
    _require(answer.data[0].embedding == answer.data[2].embedding, "equal inputs have different vectors")
    _require(isinstance(answer.usage_reported, bool), "usage_reported is no bool")
    _require(answer.usage.prompt_tokens is not None and answer.usage.total_tokens is not None, "usage has gaps")
    zeros = answer.usage.prompt_tokens or answer.usage.total_tokens
    _require(zeros or not answer.usage_reported, "usage of 0 tokens counts as reported")


async def _completes(provider: Provider, requests: _Requests) -> None:
    """A completion with every field of the schema."""
    answer = await provider.create_completion(requests.completion(), request_id=_REQUEST_ID)
    _check_generated(answer, "text_completion", COMPLETION_REASONS)
    _require(answer.choices[0].text, "the text is empty")


async def _chats(provider: Provider, requests: _Requests) -> None:
    """A chat completion with every field of the schema, said by the assistant."""
    answer = await provider.create_chat_completion(requests.chat(), request_id=_REQUEST_ID)
    _check_generated(answer, "chat.completion", CHAT_REASONS)
    message = answer.choices[0].message
    _require(message.role == "assistant", f"the role is {message.role!r}, expected 'assistant'")
    _require(isinstance(message.content, str), "the content is no text")


def _check_generated(answer: ChatCompletionResult | CompletionResult, kind: str, reasons: frozenset[str]) -> None:
    """Check what both kinds of generated answer have."""
    _require(answer.object == kind, f"object is {answer.object!r}, expected {kind!r}")
    _require(isinstance(answer.id, str) and answer.id, "the answer has no id")
    _require(isinstance(answer.model, str) and answer.model, "the answer names no model")
    _require(0 < answer.created < _MILLISECONDS, f"created is {answer.created!r}, expected seconds since the epoch")
    _require([choice.index for choice in answer.choices] == [0], "one choice was asked for")
    given = answer.choices[0].finish_reason
    _require(given in reasons, f"finish_reason is {given!r}, expected one of {', '.join(sorted(reasons))}")
    counts = (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens)
    _require(None not in counts, "usage has gaps")
    _require(isinstance(answer.usage_reported, bool), "usage_reported is no bool")
    _require(any(counts) or not answer.usage_reported, "usage of 0 tokens counts as reported")
    _require(type(answer).from_wire(answer.wire_bytes()) == answer, "the answer is another one after JSON")


async def _refuses_streams(provider: Provider, requests: _Requests) -> None:
    """`stream=true` is the caller's mistake, and the error names the field."""
    for name, call in requests.generate(provider, stream=True).items():
        refusal = await _failure_of(call)
        _require(isinstance(refusal, StreamRefused), f"{name} with stream=True gave {type(refusal).__name__}")


async def _fails_as_one_class(provider: Provider, requests: _Requests) -> None:
    """Nothing but `ProviderError`, with nothing of the upstream in it or behind it."""
    calls: dict[str, Call] = {
        "list_models": lambda: provider.list_models(request_id=_REQUEST_ID),
        "create_embeddings": lambda: provider.create_embeddings(requests.embeddings, request_id=_REQUEST_ID),
        **requests.generate(provider),
    }
    for name, call in calls.items():
        failure = await _failure_of(call)
        if type(failure) is not ProviderError:
            raise _Broken(f"{name} failed with {type(failure).__name__}, expected ProviderError")
        _require(str(failure) == str(ProviderError(failure.reason)), f"{name}: the message is not ours")
        _require(failure.request_id == _REQUEST_ID, f"{name}: request_id is {failure.request_id!r}")
        _require(failure.__cause__ is None and failure.__context__ is None, f"{name}: the error shows its cause")


async def _failure_of(call: Call) -> Exception | None:
    """Return what *call* raises, None when it gives an answer."""
    try:
        await call()
    # the class is what is checked
    except Exception as exc:  # noqa: BLE001
        return exc
    return None


CHECKS: Final[dict[str, Callable[[Provider, _Requests], Awaitable[None]]]] = {
    "has_the_shape": _has_the_shape,
    "lists_models": _lists_models,
    "embeds_in_order": _embeds_in_order,
    "completes": _completes,
    "chats": _chats,
    "refuses_streams": _refuses_streams,
    "fails_as_one_class": _fails_as_one_class,
}
"""Name and check, in the order in which they run."""
