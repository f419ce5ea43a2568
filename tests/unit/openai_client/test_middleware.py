"""What all middleware has in common, and what it costs who does not use it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from http_util.deadline import Deadline
from http_util.testing import FakeClock
from openai_client import AsyncClient, CallOptions, Client, errors
from openai_client._generated.operations.models import list_models
from openai_client.middleware import AsyncMiddleware, Middleware
from tests.measuring import unmeasured_environment
from tests.unit.openai_client.scripted_clients import CONFIG, AsyncScriptedClient, ScriptedClient

OPTIONAL = {
    "http_util.compression",
    "http_util.health_check",
    "openai_client.answer_cache",
    "openai_client.bare_transport",
    "openai_client.batching",
    "openai_client.caching",
    "openai_client.embedding_batch",
    "openai_client.health",
    "openai_client.health_results",
    "openai_client.memory_store",
    "openai_client.middleware",
    "openai_client.patience",
    "openai_client.shareable",
    "openai_client.single_flight",
    "openai_client.waiting",
}

CALLS = """
import asyncio
from http_util.client import build_async_client, build_client
from http_util.clock import SystemClock, SystemSyncClock
from http_util.testing import Answer, ScriptedUpstream
from openai_client import AsyncClient, AsyncHttpTransport, Client, ClientConfig, HttpTransport
from openai_client.types import CreateEmbeddingRequest

config = ClientConfig(base_url="http://localhost/v1", api_key=None)
body = CreateEmbeddingRequest(model="m", input="a")
answers = [Answer.json(b'{"data": []}') for _ in range(4)]

http = build_client(config.http, transport=ScriptedUpstream(*answers[:2]))
client = Client(config, transport=HttpTransport(config.http, clock=SystemSyncClock(), http_client=http))
client.models.list()
client.embeddings.create(body)

async def main():
    http = build_async_client(config.http, transport=ScriptedUpstream(*answers[2:]))
    client = AsyncClient(config, transport=AsyncHttpTransport(config.http, clock=SystemClock(), http_client=http))
    await client.models.list()
    await client.embeddings.create(body)

asyncio.run(main())
"""


def loaded_after(code: str) -> set[str]:
    """Return the names of the modules that a fresh interpreter has after *code*."""
    command = [sys.executable, "-c", f"{code}\nimport sys; print(' '.join(sorted(sys.modules)))"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=unmeasured_environment())
    return set(told.stdout.split())


class Plain(Middleware):
    """A middleware that hands everything on."""

    def execute(self, operation: Any, options: CallOptions | None = None) -> Any:
        """Hand the call on."""
        return self.client.execute(operation, options or operation.options)


class AsyncPlain(AsyncMiddleware):
    """A middleware that hands everything on."""

    async def execute(self, operation: Any, options: CallOptions | None = None) -> Any:
        """Hand the call on."""
        return await self.client.execute(operation, options or operation.options)


@pytest.mark.slow
@pytest.mark.requirement("BAT-01", "CCH-01", "CMP-01", "HC-01", "REL-01", "REL-03")
def test_who_uses_none_of_the_explicit_objects_loads_none_of_them() -> None:
    """Both colours are called in a fresh interpreter."""
    assert not loaded_after(CALLS) & OPTIONAL


@pytest.mark.slow
@pytest.mark.requirement("REL-03")
@pytest.mark.parametrize(
    ("module", "own"),
    [
        ("http_util.compression", set()),
        ("http_util.health_check", set()),
        ("openai_client.memory_store", set()),
        ("openai_client.caching", {"answer_cache", "middleware", "patience", "shareable"}),
        ("openai_client.single_flight", {"middleware", "patience", "shareable"}),
        ("openai_client.batching", {"embedding_batch", "middleware", "patience", "shareable"}),
        ("openai_client.health", {"bare_transport", "health_results"}),
    ],
)
def test_using_one_of_them_loads_no_other(module: str, own: set[str]) -> None:
    """Each brings what it stands on, and no HTTP library."""
    loaded = loaded_after(f"import {module}")
    allowed = {module, *(f"openai_client.{name}" for name in own)}
    if module == "openai_client.health":
        allowed.add("http_util.health_check")
    assert loaded & OPTIONAL == allowed
    assert not loaded & {"httpx", "h2", "httpcore", "tenacity"}


@pytest.mark.requirement("REL-01")
def test_a_middleware_has_the_families_of_a_client() -> None:
    """And the settings of the one at the end of the row."""
    behind = ScriptedClient(lambda *_: b'{"data": [{"id": "m"}]}')
    client = Plain(Plain(behind))
    assert [model.id for model in client.models.list().data] == ["m"]
    assert client.config is behind.config
    assert repr(client) == "Plain(Plain(ScriptedClient()))"


@pytest.mark.requirement("REL-01")
async def test_an_awaited_middleware_has_them_too() -> None:
    """In its own colour."""
    behind = AsyncScriptedClient()
    client = AsyncPlain(AsyncPlain(behind))
    call = asyncio.ensure_future(client.models.list())
    await FakeClock().settle()
    behind.asked[0].serve(b'{"data": [{"id": "m"}]}')
    assert [model.id for model in (await call).data] == ["m"]
    assert client.config is behind.config
    assert repr(client) == "AsyncPlain(AsyncPlain(AsyncScriptedClient()))"


@pytest.mark.requirement("CCH-01")
async def test_streams_and_pages_are_handed_on() -> None:
    """With the options of the call, or the operation's own."""
    operation, options = list_models(), CallOptions(timeout=1.0)
    client, awaited = Plain(ScriptedClient(lambda *_: b"")), AsyncPlain(AsyncScriptedClient())
    for given, used in ((None, operation.options), (options, options)):
        assert client.open_stream(operation, given) == ("open_stream", operation, used)
        assert client.fetch_page(operation, given) == ("fetch_page", operation, used)
        assert awaited.open_stream(operation, given) == ("open_stream", operation, used)
        assert client.open_download(operation, given) == ("open_download", operation, used)
        assert awaited.open_download(operation, given) == ("open_download", operation, used)
        assert await awaited.fetch_page(operation, given) == ("fetch_page", operation, used)


def test_the_clients_themselves_fit_in_a_row() -> None:
    """What is promised of the doubles holds for the real ones."""
    with Client(CONFIG) as client:
        assert Plain(client).config is CONFIG
    assert AsyncPlain(AsyncClient(CONFIG)).config is CONFIG


def test_a_middleware_must_say_what_a_call_is() -> None:
    """The base classes are not middlewares themselves."""
    for kind, behind in ((Middleware, ScriptedClient(lambda *_: b"")), (AsyncMiddleware, AsyncScriptedClient)):
        with pytest.raises(TypeError, match="abstract"):
            kind(behind)


@pytest.mark.requirement("BAT-01", "REL-08")
async def test_a_wait_for_somebody_elses_request_ends_by_the_callers_deadline() -> None:
    """As an error of the client's own tree; the clock is given and nothing is left on it."""
    clock = FakeClock()
    client = AsyncPlain(AsyncScriptedClient(), clock=clock)
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    wait = asyncio.ensure_future(client._within(Deadline(2.0), never))
    await clock.run_for(1.99)
    assert not wait.done()
    await clock.run_for(0.05)
    with pytest.raises(errors.Timeout) as caught:
        await wait
    assert (caught.value.reason, caught.value.source) == ("deadline", errors.ErrorSource.DEADLINE)
    assert clock.next_due() is None
