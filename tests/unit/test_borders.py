"""No error of another library crosses a border: each package raises its own, whatever its transport raises."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from adapter_api import WorkerError
from adapter_api.testing import make_task
from adapter_host import AdapterHost
from http_util import (
    AsyncExchange,
    Exchange,
    HttpCall,
    HttpConfig,
    HttpFailure,
    build_async_client,
    build_async_transport,
    build_client,
    build_transport,
)
from http_util.engine import errors as engine_errors
from http_util.testing import Answer, FakeClock, FakeSyncClock, ScriptedUpstream, seeded_random
from openai_client import AsyncClient, AsyncHttpTransport, Client, ClientConfig, HttpTransport, OpenAIError
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest
from providers import OpenAIProvider, ProviderConfig, ProviderError
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

URL: Final = "http://127.0.0.1:8000/v1"
CALL: Final = HttpCall(method="POST", url=f"{URL}/chat/completions", content=b"{}")
BOUNDS: Final[dict[str, Any]] = {"max_response_bytes": 1 << 16, "max_event_bytes": 1 << 12}
CHUNK: Final = json.dumps({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]}).encode()
BODY: Final = CreateChatCompletionRequest(
    model="m", messages=[ChatCompletionRequestUserMessage(content="Tell me of the sea.")]
)
TASK: Final = make_task(max_tokens=8, deadline_ms=60_000, prompt="Tell me of the sea.")

SYSTEM: Final[tuple[Exception, ...]] = (
    OSError(5, "Input/output error"),
    ConnectionResetError(104, "Connection reset by peer"),
    BrokenPipeError(32, "Broken pipe"),
    TimeoutError("timed out"),
    socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    ssl.SSLError(1, "bad record mac"),
    ssl.SSLCertVerificationError(1, "certificate verify failed"),
)
"""What the system says."""

NOT_OF_A_TRANSPORT: Final = {"CookieConflict", "HTTPStatusError"}
"""httpx raises these when it is asked for a cookie, or told to raise for a status, and for nothing else."""


def foreign() -> Iterator[Exception]:
    """Yield one of every error of the HTTP library, of the engine and of the system."""
    for module in (httpx, engine_errors):
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, Exception) and name not in NOT_OF_A_TRANSPORT:
                takes_text = (
                    "message" in inspect.signature(kind).parameters or kind.__module__ == engine_errors.__name__
                )
                yield kind("it happened") if takes_text else kind()
    yield from SYSTEM


def in_the_head(error: Exception) -> Answer:
    """It is raised instead of an answer."""
    return Answer.failing(error)


def in_the_body(error: Exception) -> Answer:
    """It is raised behind the first event."""
    return Answer.events(CHUNK, error, done=False)


# each border: a call that is answered so, and read to its end


async def exchange(answer: Answer) -> None:
    """`http_util`, with asyncio."""
    transport = build_async_transport(HttpConfig(base_url=URL), transport=ScriptedUpstream(answer))
    stream = await AsyncExchange(transport, clock=FakeClock(), rng=seeded_random(), **BOUNDS).open(CALL)
    async with stream:
        async for _ in stream:
            pass


async def blocking_exchange(answer: Answer) -> None:
    """`http_util`, blocking."""
    transport = build_transport(HttpConfig(base_url=URL), transport=ScriptedUpstream(answer))
    with Exchange(transport, clock=FakeSyncClock(), rng=seeded_random(), **BOUNDS).open(CALL) as stream:
        for _ in stream:
            pass


async def client(answer: Answer) -> None:
    """`openai_client`, with asyncio."""
    config = ClientConfig(base_url=URL, api_key=None)
    http_client = build_async_client(config.http, transport=ScriptedUpstream(answer))
    transport = AsyncHttpTransport(config.http, clock=FakeClock(), http_client=http_client)
    async with (
        AsyncClient(config, transport=transport, clock=FakeClock()) as made,
        made.chat.completions.stream(BODY) as stream,
    ):
        async for _ in stream:
            pass


async def blocking_client(answer: Answer) -> None:
    """`openai_client`, blocking."""
    config = ClientConfig(base_url=URL, api_key=None)
    http_client = build_client(config.http, transport=ScriptedUpstream(answer))
    transport = HttpTransport(config.http, clock=FakeSyncClock(), http_client=http_client)
    with (
        Client(config, transport=transport, clock=FakeSyncClock()) as made,
        made.chat.completions.stream(BODY) as stream,
    ):
        for _ in stream:
            pass


def adapter_over(answer: Answer) -> OpenAIHttpAdapter:
    """An adapter of one attempt."""
    config = OpenAIHttpConfig(base_url=URL, model="m", retry=None)
    return OpenAIHttpAdapter(config, clock=FakeClock(), rng=seeded_random(), transport=ScriptedUpstream(answer))


async def adapter(answer: Answer) -> None:
    """`worker_adapters`: behind `started` an error is an event."""
    made = adapter_over(answer)
    try:
        stream = await made.submit(TASK)
        async for _ in stream:
            pass
        stream.raise_for_error()
    finally:
        await made.aclose()


async def host(answer: Answer) -> None:
    """`adapter_host`, with that adapter in a pool."""
    made = AdapterHost(clock=FakeClock())
    made.bind("pool", "replica", adapter_over(answer))
    try:
        stream = await made.submit("pool", TASK)
        async for _ in stream:
            pass
        stream.raise_for_error()
    finally:
        await made.aclose(grace=0.0)


async def provider(answer: Answer) -> None:
    """`providers`."""
    config = ClientConfig(base_url=URL, api_key=None)
    http_client = build_async_client(config.http, transport=ScriptedUpstream(answer))
    transport = AsyncHttpTransport(config.http, clock=FakeClock(), http_client=http_client)
    made = OpenAIProvider(AsyncClient(config, transport=transport, clock=FakeClock()), config=ProviderConfig())
    await made.create_chat_completion(BODY)


BORDERS: Final[dict[Callable[[Answer], Awaitable[None]], type[Exception]]] = {
    exchange: HttpFailure,
    blocking_exchange: HttpFailure,
    client: OpenAIError,
    blocking_client: OpenAIError,
    adapter: WorkerError,
    host: WorkerError,
    provider: ProviderError,
}
"""What each raises, and nothing else."""


async def crossing(border: Callable[[Answer], Awaitable[None]], answer: Answer) -> BaseException | None:
    """Return what comes over a border."""
    try:
        await border(answer)
    except Exception as error:  # noqa: BLE001 - which one it is is the question
        return error
    return None


def test_there_are_errors_to_be_kept_back() -> None:
    """Every one of the library's own list of exceptions among them."""
    kinds = {type(error) for error in foreign()}
    assert {kind.__name__ for kind in kinds} >= {
        "ConnectError",
        "ReadTimeout",
        "InvalidURL",
        "StreamClosed",
        "Unprocessed",
    }
    assert len(kinds) > 30


@pytest.mark.requirement("ADP-13", "ERR-11", "ERR-20", "ERR-22", "HTU-ERR-4001")
@pytest.mark.parametrize("place", [in_the_head, in_the_body], ids=lambda place: place.__name__)
@pytest.mark.parametrize("border", BORDERS, ids=lambda border: border.__name__)
async def test_no_foreign_error_crosses_a_border(
    border: Callable[[Answer], Awaitable[None]], place: Callable[[Exception], Answer]
) -> None:
    """In the place of an answer, or in the middle of one."""
    crossed = {type(error).__name__: await crossing(border, place(error)) for error in foreign()}
    assert {name: came for name, came in crossed.items() if not isinstance(came, BORDERS[border])} == {}


@pytest.mark.requirement("ERR-11")
@pytest.mark.parametrize("border", [exchange, client, adapter, host, provider], ids=lambda border: border.__name__)
async def test_being_cancelled_is_no_failure(border: Callable[[Answer], Awaitable[None]]) -> None:
    """`asyncio.CancelledError` goes through every border as it is."""
    with pytest.raises(asyncio.CancelledError):
        await border(Answer(before_head=(asyncio.CancelledError(),)))
