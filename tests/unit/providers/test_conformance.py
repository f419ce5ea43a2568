"""The checks find what is wrong, and both providers pass them."""

from __future__ import annotations

import asyncio

import pytest

from adapter_api.conformance import ConformanceFailure
from http_util.testing import Answer
from openai_client import BadGateway
from providers import FakeProvider, ProviderError, check_provider
from providers.conformance import CHECKS
from tests.unit.providers.conftest import ANSWERS, Setup, as_json

pytestmark = pytest.mark.requirement("PRV-10")


async def failures(make, *only: str, **options) -> dict[str, str]:
    """Which checks fail, and what was seen."""
    with pytest.raises(ConformanceFailure) as caught:
        await check_provider(make, model="m", only=only, **options)
    return dict(caught.value.failures)


@pytest.mark.requirement("PRV-11", "PRV-12")
@pytest.mark.parametrize("reports_usage", [True, False])
async def test_the_fake_provider_passes(reports_usage):
    """All checks; without a failing provider all but the one that needs it."""

    def make():
        return FakeProvider(reports_usage=reports_usage)

    def make_failing():
        return FakeProvider(failure=BadGateway("no engine"))

    assert await check_provider(make, model="m", make_failing=make_failing) == tuple(CHECKS)
    assert await check_provider(make, model="m") == tuple(CHECKS)[:-1]


@pytest.mark.requirement("PRV-11", "PRV-12")
@pytest.mark.parametrize("usage", [None, {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}])
async def test_the_openai_provider_passes(setup, usage):
    """Over an upstream that says the least that can be said."""
    vectors = [{"embedding": [1.0]}, {"embedding": [2.0]}, {"embedding": [1.0]}]
    answers = {
        **{method: as_json({**answer, "usage": usage}) for method, answer in ANSWERS.items()},
        "create_embeddings": as_json({"data": vectors, "usage": usage}),
    }
    script = {
        "lists_models": answers["list_models"],
        "embeds_in_order": answers["create_embeddings"],
        "completes": answers["create_completion"],
        "chats": answers["create_chat_completion"],
    }
    for check in CHECKS:
        made: Setup = setup(*[script[check]] if check in script else [Answer(status=503)] * 4)
        make = lambda provider=made.provider: provider  # noqa: E731 - one provider for each check
        assert await check_provider(make, model="m", make_failing=make, only=[check]) == (check,)


class Plain(FakeProvider):
    """One method is no coroutine."""

    list_models = staticmethod(print)


class Unnamed(FakeProvider):
    """One method does not take the correlation id."""

    async def list_models(self):
        """Take nothing."""


class Raw(FakeProvider):
    """Answers are changed after they were normalised."""

    def __init__(self, **fields):
        super().__init__()
        self.fields = fields

    async def create_chat_completion(self, request, *, request_id=None):
        answer = await super().create_chat_completion(request, request_id=request_id)
        return answer.model_copy(update=self.fields)


class Leaky(FakeProvider):
    """Errors say what the upstream said."""

    async def list_models(self, *, request_id=None):
        try:
            raise BadGateway("no engine")
        except BadGateway as error:
            raise ProviderError("bad_gateway", request_id=request_id) from error


class Hanging(FakeProvider):
    """Never answers, and notes that it was closed."""

    closed = 0

    async def list_models(self, *, request_id=None):
        await asyncio.Event().wait()

    async def aclose(self):
        type(self).closed += 1


@pytest.mark.parametrize(
    ("make", "check", "seen"),
    [
        (object, "has_the_shape", "object lacks methods"),
        (Plain, "has_the_shape", "list_models is not a coroutine function"),
        (Unnamed, "has_the_shape", "list_models takes no request_id"),
        (Unnamed, "lists_models", "raised TypeError"),
        (lambda: Raw(object="chat"), "chats", "object is 'chat'"),
        (lambda: Raw(id=""), "chats", "has no id"),
        (lambda: Raw(model=None), "chats", "names no model"),
        (lambda: Raw(created=1_700_000_000_000), "chats", "created is 1700000000000"),
        (lambda: Raw(choices=[]), "chats", "one choice"),
        (lambda: Raw(usage_reported=None), "chats", "usage_reported is no bool"),
    ],
)
async def test_what_is_wrong_with_an_answer_is_found(make, check, seen):
    """And told."""
    assert seen in (await failures(make, check))[check]


async def test_a_stream_that_is_not_refused_is_found(monkeypatch):
    """Answering whole what was asked as a stream is no answer."""
    monkeypatch.setattr("providers.fake_provider.refuse_stream", lambda *_, **__: None)
    assert (await failures(FakeProvider, "refuses_streams"))["refuses_streams"].endswith("gave NoneType")


@pytest.mark.parametrize(
    ("make", "seen"),
    [
        (FakeProvider, "list_models failed with NoneType"),
        (Leaky, "list_models: the error shows its cause"),
    ],
)
async def test_errors_that_leak_or_do_not_come_are_found(make, seen):
    """What is behind an error is shown by every traceback."""
    found = await failures(FakeProvider, "fails_as_one_class", make_failing=make)
    assert seen in found["fails_as_one_class"]


async def test_a_provider_that_hangs_is_found_and_closed():
    """No check waits forever."""
    assert "took longer" in (await failures(Hanging, "lists_models", timeout=0.01))["lists_models"]
    assert Hanging.closed == 1
