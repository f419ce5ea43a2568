from __future__ import annotations

import asyncio
import json
import traceback

import pytest
import structlog

from http_util.testing import Answer, Stall
from providers import OpenAIProvider, ProviderConfig, ProviderError, StreamRefused
from tests.unit.providers.conftest import ANSWERS, CALLS, CHAT, COMPLETION, EMBEDDINGS, UNIQUE, as_json

every_method = pytest.mark.parametrize("method", CALLS)


@pytest.mark.requirement("PRV-02")
@pytest.mark.parametrize(
    ("method", "request_", "path"),
    [
        ("create_embeddings", EMBEDDINGS, "/embeddings"),
        ("create_completion", COMPLETION, "/completions"),
        ("create_chat_completion", CHAT, "/chat/completions"),
    ],
)
async def test_a_request_goes_out_as_it_is(setup, method, request_, path):
    """Nothing is added, nothing is filled in."""
    made = setup(as_json(ANSWERS[method]))
    await CALLS[method](made.provider)
    (sent,) = made.upstream.requests
    assert (sent.method, sent.url) == ("POST", f"http://localhost:8000/v1{path}")
    assert json.loads(sent.content) == json.loads(request_.wire_bytes())


@pytest.mark.requirement("PRV-04", "PRV-05")
async def test_answers_come_back_normalised(setup):
    """With the clock and the ids of the provider."""
    made = setup(*(as_json(ANSWERS[method]) for method in CALLS))
    made.clock.advance(10.0)
    models, embeddings, completion, chat = [await call(made.provider) for call in CALLS.values()]
    assert models.data[0].owned_by == "unknown"
    assert (embeddings.model, embeddings.usage_reported) == ("m", False)
    assert (completion.id, completion.created) == (f"cmpl-{UNIQUE.hex}", 1_700_000_010)
    assert (chat.id, chat.created, chat.model) == (f"chatcmpl-{UNIQUE.hex}", 1_700_000_010, "m")


@every_method
@pytest.mark.requirement("PRV-07", "CF-33")
async def test_the_correlation_id_goes_upstream(setup, method):
    """As the header that all floors use; without an id there is none."""
    made = setup(as_json(ANSWERS[method]), as_json(ANSWERS[method]))
    await CALLS[method](made.provider, request_id="r-1")
    await CALLS[method](made.provider)
    with_id, without = made.upstream.requests
    assert with_id.headers["x-correlation-id"] == "r-1"
    assert "x-correlation-id" not in without.headers


@every_method
@pytest.mark.requirement("PRV-03", "PRV-07", "PRV-06")
async def test_the_configured_timeout_ends_a_call(setup, method):
    """One bound for the whole call, whatever the client's own is."""
    config = ProviderConfig(request_timeout_s=3.0)
    made = setup(Answer(before_head=(Stall(),)), config=config, timeout=50.0)
    task = asyncio.create_task(CALLS[method](made.provider, request_id="r-1"))
    await made.clock.run_for(2.9)
    assert not task.done()
    await made.clock.run_for(0.2)
    with pytest.raises(ProviderError) as caught:
        await task
    assert (caught.value.reason, caught.value.request_id) == ("deadline", "r-1")


@every_method
@pytest.mark.requirement("PRV-06", "ERR-22")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (as_json({"error": {"message": "tell all: a secret prompt"}}, status=401), "invalid_api_key"),
        (as_json({"error": {"message": "tell all"}}, status=429, headers={"retry-after": "2"}), "rate_limited"),
        (as_json({"error": {"message": "tell all"}}, status=500), "server_error"),
        (as_json({"tell": "all"}), "decode"),
        (Answer.failing(RuntimeError("tell all")), "internal"),
    ],
)
async def test_every_failure_is_one_error_that_tells_nothing(setup, method, answer, reason):
    """Statuses, broken answers and bugs; one request each."""
    made = setup(answer)
    with structlog.testing.capture_logs() as lines, pytest.raises(ProviderError) as caught:
        await CALLS[method](made.provider)
    error = caught.value
    assert (type(error), error.http_status, error.reason) == (ProviderError, 502, reason)
    shown = "".join(traceback.format_exception(error)) + repr(error)
    assert "tell all" not in shown
    assert "secret" not in shown
    assert [(line["provider"], line["operation"]) for line in lines] == [("openai", method)]
    assert len(made.upstream.requests) == 1


@every_method
@pytest.mark.requirement("PRV-03")
async def test_cancelling_the_caller_stops_the_call(setup, method):
    """No error of the provider takes its place."""
    made = setup(Answer(before_head=(Stall(),)))
    task = asyncio.create_task(CALLS[method](made.provider))
    await made.clock.settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert made.upstream.cancelled_before_head == 1


@pytest.mark.requirement("PRV-09", "CF-23")
async def test_a_stream_is_refused_before_anything_is_sent(setup):
    """The field is named."""
    made = setup()
    for method, request in (("create_completion", COMPLETION), ("create_chat_completion", CHAT)):
        streamed = request.model_copy(update={"stream": True})
        with pytest.raises(StreamRefused, match="stream") as caught:
            await getattr(made.provider, method)(streamed, request_id="r-1")
        assert caught.value.request_id == "r-1"
    assert made.upstream.requests == []


async def test_an_id_that_no_header_can_carry_sends_nothing(setup):
    """An id from outside cannot write a header of its own."""
    made = setup()
    with pytest.raises(ProviderError) as caught:
        await made.provider.list_models(request_id="r-1\r\nx-evil: 1")
    assert caught.value.reason == "configuration"
    assert made.upstream.requests == []


async def test_only_a_client_of_its_own_is_closed(setup):
    """The other one belongs to somebody; closing twice is harmless."""
    made = setup(as_json(ANSWERS["list_models"]))
    await made.provider.aclose()
    await made.provider.list_models()
    settings = {"base_url": "http://localhost:8000/v1", "api_key": None}
    owner = OpenAIProvider.from_config(ProviderConfig(settings=settings), transport=made.transport)
    await owner.aclose()
    await owner.aclose()
    with pytest.raises(ProviderError) as caught:
        await owner.list_models()
    assert caught.value.reason == "closed"


@pytest.mark.requirement("PRV-03")
async def test_many_calls_go_on_at_once(setup):
    """A call that waits holds up no other."""
    made = setup(Answer(before_head=(Stall(),)), as_json(ANSWERS["list_models"]))
    waiting = asyncio.create_task(made.provider.create_chat_completion(CHAT))
    await made.clock.settle()
    assert (await made.provider.list_models()).data[0].id == "m"
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
