"""What a client does before it sends: it loads the library on nobody's time, and packs a body once."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from http_util.client import build_async_client, build_client
from http_util.compression import RequestCompression
from http_util.retry import BILLING_SAFE
from http_util.testing import Answer, FakeClock, FakeSyncClock, ScriptedUpstream
from openai_client import AsyncClient, AsyncHttpTransport, CallOptions, Client, ClientConfig, HttpTransport
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest
from tests.unit.openai_client.conftest import BASE_URL, Pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_util.call import HttpCall, HttpReply

MODEL = b'{"id": "m", "object": "model", "created": 1, "owned_by": "o"}'
CHAT = b'{"id": "c", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}'
CONFIG = ClientConfig(base_url=BASE_URL, api_key=None)
LOADING = 5.0
"""Seconds the library takes to load here: longer than the whole call may take."""
OPTIONS = CallOptions(timeout=1.0)


@pytest.mark.requirement("CLI-11", "CLI-15")
def test_what_is_loaded_with_the_first_call_is_not_its_time() -> None:
    """The library is loaded before the timeout begins to run."""
    clock = FakeSyncClock()
    left: list[float] = []
    started = clock.monotonic()

    class SlowToLoad(HttpTransport):
        def _ready(self) -> Any:
            if self._exchange is None:
                clock.sleep(LOADING)
            return super()._ready()

        def send(self, call: HttpCall) -> HttpReply:
            reply = super().send(call)
            left.append(call.deadline.remaining(clock.monotonic()))
            return reply

    http_client = build_client(CONFIG.http, transport=ScriptedUpstream(Answer.json(MODEL)))
    transport = SlowToLoad(CONFIG.http, clock=clock, http_client=http_client)
    with Client(CONFIG, transport=transport, clock=clock) as client:
        assert client.models.retrieve("m", options=OPTIONS).id == "m"
    assert clock.monotonic() - started == LOADING
    assert left == [1.0]


@pytest.mark.requirement("CLI-11", "CLI-15")
async def test_what_is_loaded_with_the_first_call_is_not_its_time_async() -> None:
    """The same, for tasks."""
    clock = FakeClock()
    left: list[float] = []
    started = clock.monotonic()

    class SlowToLoad(AsyncHttpTransport):
        def _ready(self) -> Any:
            if self._exchange is None:
                clock.advance(LOADING)
            return super()._ready()

        async def send(self, call: HttpCall) -> HttpReply:
            reply = await super().send(call)
            left.append(call.deadline.remaining(clock.monotonic()))
            return reply

    http_client = build_async_client(CONFIG.http, transport=ScriptedUpstream(Answer.json(MODEL)))
    transport = SlowToLoad(CONFIG.http, clock=clock, http_client=http_client)
    async with AsyncClient(CONFIG, transport=transport, clock=clock) as client:
        assert (await client.models.retrieve("m", options=OPTIONS)).id == "m"
    assert clock.monotonic() - started == LOADING
    assert left == [1.0]


@pytest.mark.requirement("CMP-01")
async def test_a_client_that_is_told_to_packs_its_bodies(pair: Callable[..., Pair]) -> None:
    """Once for all attempts; the upstream unpacks what would have been sent."""
    body = CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content="tide " * 500)])
    made = pair(Answer.json(b"{}", status=503), Answer.json(CHAT), retry=BILLING_SAFE, compression=RequestCompression())
    await made.call(lambda client: client.chat.completions.create(body))
    first, second = made.requests
    assert first.content == second.content
    assert first.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(first.content))["messages"][0]["content"] == "tide " * 500
    plain = pair(Answer.json(CHAT))
    await plain.call(lambda client: client.chat.completions.create(body))
    assert "content-encoding" not in plain.requests[0].headers
