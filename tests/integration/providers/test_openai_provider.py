"""The OpenAI provider over real sockets, swapped in by configuration."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

import upstream_simulator
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest
from providers import FakeProvider, OpenAIProvider, ProviderConfig, ProviderError, check_provider, open_provider
from providers.conformance import CHECKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upstream_simulator import Simulator

pytestmark = pytest.mark.integration

KEY = "sk-integration-0123456789"
BODY = CreateChatCompletionRequest(
    model="m", messages=[ChatCompletionRequestUserMessage(content="Hello")], max_tokens=5
)


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    """One upstream for all tests of the module."""
    with upstream_simulator.start(api_key=KEY) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    """The upstream with a clean memory."""
    running.reset()
    return running


def config_for(simulator: Simulator, name: str = "openai", seconds: float = 10.0, **settings: Any) -> ProviderConfig:
    """What an operator writes; only the name and the settings are the provider's."""
    if name == "fake":
        return ProviderConfig(provider="fake", request_timeout_s=seconds)
    given = {"base_url": simulator.base_url, "api_key": KEY, **settings}
    return ProviderConfig(provider=name, request_timeout_s=seconds, settings=given)


@pytest.mark.requirement("PRV-11", "PRV-12", "PRV-10")
async def test_the_openai_provider_passes_the_suite_of_the_fake_one(simulator: Simulator) -> None:
    """Also with an upstream that refuses the key."""
    wrong = config_for(simulator, api_key="sk-wrong-0123456789")
    passed = await check_provider(
        lambda: OpenAIProvider.from_config(config_for(simulator)),
        model="m",
        make_failing=lambda: OpenAIProvider.from_config(wrong),
    )
    assert passed == tuple(CHECKS)
    assert await check_provider(FakeProvider, model="m") == tuple(CHECKS)[:-1]


@pytest.mark.requirement("PRV-11", "PRV-02", "PRV-08")
@pytest.mark.parametrize("name", ["openai", "fake"])
async def test_the_same_code_asks_whichever_provider_is_configured(simulator: Simulator, name: str) -> None:
    """Only the configuration says which."""
    async with open_provider(config_for(simulator, name)) as provider:
        assert (await provider.list_models()).data
        answer = await provider.create_chat_completion(BODY)
    assert answer.id.startswith("chatcmpl-")
    assert answer.usage_reported
    assert answer.usage.total_tokens


@pytest.mark.requirement("PRV-07", "CF-33")
async def test_the_correlation_id_reaches_the_upstream(simulator: Simulator) -> None:
    """In the header that all floors use."""
    async with open_provider(config_for(simulator)) as provider:
        await provider.create_chat_completion(BODY, request_id="r-77")
    (exchange,) = simulator.log(settle=1.0)
    assert dict(exchange.headers)["x-correlation-id"] == "r-77"


@pytest.mark.requirement("PRV-03", "PRV-06", "PRV-07")
async def test_a_silent_upstream_ends_a_call_at_the_configured_timeout(simulator: Simulator) -> None:
    """Others are answered meanwhile."""
    simulator.script("stall=20")
    async with open_provider(config_for(simulator, seconds=0.4)) as provider:
        began = time.monotonic()
        stalled = asyncio.create_task(provider.create_chat_completion(BODY))
        assert (await provider.list_models()).data
        with pytest.raises(ProviderError) as caught:
            await stalled
    assert 0.3 < time.monotonic() - began < 2.0
    assert (caught.value.http_status, caught.value.outcome) == (502, "UNKNOWN")


@pytest.mark.requirement("PRV-06", "ERR-22")
@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ("status=401;echo_key", "invalid_api_key"),
        ("status=429;error_message=tell-all", "rate_limited"),
        ("status=500;error_message=tell-all", "server_error"),
        ("status=502;error_form=html", "bad_gateway"),
        ("instead=html", "content_type"),
        ("drop=reset", "reset"),
        ("cut=20", "reset"),
    ],
)
async def test_faults_of_the_upstream_are_one_error_that_tells_nothing(
    simulator: Simulator, wish: str, reason: str
) -> None:
    """Statuses, wrong bodies, broken connections; each asked once."""
    simulator.script(wish)
    async with open_provider(config_for(simulator)) as provider:
        with pytest.raises(ProviderError) as caught:
            await provider.create_chat_completion(BODY, request_id="r-1")
    error = caught.value
    assert (type(error), error.http_status, error.reason, error.request_id) == (ProviderError, 502, reason, "r-1")
    assert error.__context__ is None
    assert "tell-all" not in str(error)
    assert KEY not in str(error)
    assert len(simulator.log(settle=1.0)) == 1


@pytest.mark.requirement("PRV-06")
async def test_an_upstream_that_is_not_there_is_the_same_error(simulator: Simulator) -> None:
    """Nothing was sent, and the error says so."""
    async with open_provider(config_for(simulator, base_url="http://127.0.0.1:1/v1")) as provider:
        with pytest.raises(ProviderError) as caught:
            await provider.list_models()
    assert (caught.value.reason, caught.value.outcome) == ("connection_failed", "NOT_SENT")
    assert caught.value.is_retryable


@pytest.mark.requirement("PRV-05", "CF-24")
async def test_usage_that_the_upstream_leaves_out_is_said_to_be_missing(simulator: Simulator) -> None:
    """The zeros do not pass for counts."""
    body = '{"choices":[{"message":{"content":"Hi"}}]}'
    simulator.script({"body": body, "content_type": "application/json"})
    async with open_provider(config_for(simulator)) as provider:
        answer = await provider.create_chat_completion(BODY)
    assert (answer.usage.total_tokens, answer.usage_reported) == (0, False)
