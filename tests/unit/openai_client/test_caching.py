"""Answers kept and given again: what is kept, for whom, and what comes of a store that fails, in both colours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from http_util.deadline import Deadline
from http_util.testing import FakeClock, FakeSyncClock
from openai_client import CallOptions, errors
from openai_client._generated.operations.chat import create_chat_completion
from openai_client._generated.operations.embeddings import create_embedding
from openai_client._generated.operations.models import delete_model, list_models, retrieve_model
from openai_client.answer_cache import AnswerCache, CacheFailed, CacheRecord, CacheStats
from openai_client.caching import AsyncCachingClient, CachingClient
from openai_client.memory_store import MemoryStore
from openai_client.raw import raw_operation
from openai_client.shareable import MAY_BE_SHARED
from openai_client.single_flight import AsyncSingleFlightClient, SingleFlightClient
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest, CreateEmbeddingRequest
from tests.unit.openai_client.scripted_clients import AsyncScriptedClient, ScriptedClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai_client.operation import Operation

LIST = list_models()
BODY = b'{"data": [{"id": "m", "new": 1}]}'
EMBED = create_embedding(CreateEmbeddingRequest(model="m", input="a"))
CHAT = create_chat_completion(
    CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content="Hello")])
)


class Listener:
    """A hook that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_cache_hit(self, record: CacheRecord) -> None:
        self.told.append(("hit", record.operation_id))

    def on_cache_miss(self, record: CacheRecord) -> None:
        self.told.append(("miss", record.operation_id))

    def on_cache_failed(self, record: CacheFailed) -> None:
        self.told.append(("failed", record.action, record.problem))


class AsyncStore:
    """The store in memory, awaited."""

    def __init__(self, clock: FakeClock) -> None:
        self._store = MemoryStore(clock=clock)

    async def get(self, key: str) -> bytes | None:
        return self._store.get(key)

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        self._store.set(key, value, ttl)


class Cached:
    """A caching client of one colour over a scripted one; `call` works the same in both."""

    def __init__(self, colour: str, *answers: bytes | Exception, store: Any = None, **settings: Any) -> None:
        self.answers = list(answers)
        self.hook = Listener()
        self.clock: Any = FakeClock() if colour != "sync" else FakeSyncClock()
        settings = {"tenant": "acme", "ttl": 60.0, "hooks": (self.hook,), "clock": self.clock} | settings
        self.behind: Any
        self.client: Any
        if colour == "sync":
            self.behind = ScriptedClient(lambda *_: self._next())
            self.client = CachingClient(self.behind, store or MemoryStore(clock=self.clock), **settings)
        else:
            self.behind = AsyncScriptedClient()
            stores: dict[str, Any] = {"async": AsyncStore, "async over a plain store": lambda c: MemoryStore(clock=c)}
            self.client = AsyncCachingClient(self.behind, store or stores[colour](self.clock), **settings)

    def _next(self) -> bytes:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def requests(self) -> int:
        """How many calls reached the client behind."""
        return len(self.behind.asked)

    async def call(self, operation: Operation[Any] = LIST, options: CallOptions | None = None) -> Any:
        """Make a call; what reaches the client behind gets the next answer."""
        if isinstance(self.client, CachingClient):
            return self.client.execute(operation, options)
        before = self.requests
        call = asyncio.ensure_future(self.client.execute(operation, options))
        await self.clock.settle()
        if self.requests > before:
            answer = self.answers.pop(0)
            asked = self.behind.asked[-1]
            asked.fail(answer) if isinstance(answer, Exception) else asked.serve(answer)
        return await call


@pytest.fixture(params=["sync", "async", "async over a plain store"])
def cached(request: pytest.FixtureRequest) -> Callable[..., Cached]:
    """Make a caching client of one colour; every test that takes it runs in all."""
    return lambda *answers, **settings: Cached(request.param, *answers, **settings)


@pytest.mark.requirement("CCH-01")
async def test_an_answer_is_given_again_while_it_is_young(cached: Callable[..., Cached]) -> None:
    """Whole, unknown fields included, and as an object of the caller's own."""
    made = cached(BODY, BODY)
    first = await made.call()
    first.data[0].id = "changed"
    made.clock.advance(59.9)
    second = await made.call()
    assert (second.data[0].id, second.data[0].new, made.requests) == ("m", 1, 1)
    made.clock.advance(0.1)
    await made.call()
    assert made.requests == 2
    assert made.client.stats == CacheStats(hits=1, misses=2, failures=0)
    assert made.hook.told == [("miss", "listModels"), ("hit", "listModels"), ("miss", "listModels")]


@pytest.mark.requirement("CCH-01")
async def test_embeddings_are_kept_by_default_and_generations_when_they_are_named(
    cached: Callable[..., Cached],
) -> None:
    """The first are a function of their body, the second somebody's wish."""
    made = cached(b'{"data": []}')
    for _ in range(2):
        await made.call(EMBED)
    assert made.requests == 1
    named = cached(b'{"id": "c", "choices": []}', operations=MAY_BE_SHARED)
    for _ in range(2):
        await named.call(CHAT)
    assert named.requests == 1


@pytest.mark.requirement("CCH-01")
@pytest.mark.parametrize(
    "operation", [delete_model("m"), CHAT, EMBED.with_options(CallOptions(headers={"x-api-key": "k"}))]
)
async def test_mutations_generations_and_foreign_credentials_are_never_kept(
    cached: Callable[..., Cached], operation: Operation[Any]
) -> None:
    """They are handed on unchanged, and the store is not asked."""
    body = b'{"id": "m", "object": "model", "deleted": true, "choices": [], "data": []}'
    made = cached(body, body)
    for _ in range(2):
        await made.call(operation)
    assert made.requests == 2
    assert made.hook.told == []


@pytest.mark.requirement("CCH-01")
def test_streams_are_never_kept() -> None:
    """They go straight to the client behind."""
    made = Cached("sync")
    stream = made.client.open_stream(CHAT)
    assert stream[0] == "open_stream"
    assert made.hook.told == []


@pytest.mark.requirement("CCH-01")
async def test_tenants_do_not_see_each_others_answers(cached: Callable[..., Cached]) -> None:
    """Over one store."""
    acme = cached(BODY)
    other = cached(b'{"data": []}', store=acme.client._store, tenant="other")
    await acme.call()
    assert (await other.call()).data == []
    assert (await acme.call()).data[0].id == "m"
    assert acme.requests == other.requests == 1


@pytest.mark.requirement("CCH-01", "CLI-12")
def test_a_tenant_must_be_named() -> None:
    """There is no default that two tenants could share by accident."""
    for wrong, text in (({"tenant": ""}, "tenant"), ({"ttl": 0.0}, "ttl"), ({"operations": ["deleteModel"]}, "delete")):
        with pytest.raises(errors.InvalidConfiguration, match=text):
            Cached("sync", **wrong)
    with pytest.raises(errors.InvalidConfiguration, match="store_timeout"):
        Cached("async", store_timeout=0.0)


@pytest.mark.requirement("CCH-01")
async def test_errors_and_answers_that_cannot_be_read_are_not_kept(cached: Callable[..., Cached]) -> None:
    """The next call asks again."""
    made = cached(errors.InternalServerError("no", http_status=500), b"<html>", BODY)
    with pytest.raises(errors.InternalServerError):
        await made.call()
    with pytest.raises(ValueError, match="JSON"):
        await made.call()
    assert (await made.call()).data[0].id == "m"
    assert made.requests == 3


class Broken:
    """A store that is away, for reading, keeping or both."""

    def __init__(self, *actions: str) -> None:
        self._actions = actions
        self.kept: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        if "get" in self._actions:
            raise ConnectionError("redis://:hunter2@cache:6379 is away")
        return self.kept.get(key)

    def set(self, key: str, value: bytes, ttl: float) -> None:
        if "set" in self._actions:
            raise ConnectionError("redis://:hunter2@cache:6379 is away")
        self.kept[key] = value


class AsyncBroken(Broken):
    """The same, awaited."""

    async def get(self, key: str) -> bytes | None:  # type: ignore[override]
        return super().get(key)

    async def set(self, key: str, value: bytes, ttl: float) -> None:  # type: ignore[override]
        super().set(key, value, ttl)


@pytest.mark.requirement("CCH-01", "REL-05")
@pytest.mark.parametrize("actions", [("get",), ("set",), ("get", "set")])
@pytest.mark.parametrize("colour", ["sync", "async", "async over a plain store"])
async def test_a_store_that_fails_breaks_no_call(colour: str, actions: tuple[str, ...]) -> None:
    """The hooks are told, without the store's password."""
    store = AsyncBroken(*actions) if colour == "async" else Broken(*actions)
    made = Cached(colour, BODY, store=store)
    assert (await made.call()).data[0].id == "m"
    failed = [told for told in made.hook.told if told[0] == "failed"]
    assert [told[1] for told in failed] == list(actions)
    assert all("ConnectionError" in told[2] and "hunter2" not in told[2] for told in failed)
    assert made.client.stats.failures == len(actions)


@pytest.mark.requirement("CCH-01", "SEC-16")
@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_what_was_kept_and_cannot_be_read_is_asked_for_again(colour: str) -> None:
    """And is told without being shown."""
    store = AsyncBroken() if colour == "async" else Broken()
    made = Cached(colour, BODY, BODY, store=store)
    await made.call()
    store.kept = dict.fromkeys(store.kept, b'{"data": "a prompt"}')
    assert (await made.call()).data[0].id == "m"
    assert made.hook.told[1:] == [("failed", "parse", "ValidationError"), ("miss", "listModels")]
    assert made.requests == 2


@pytest.mark.requirement("CCH-01")
async def test_a_store_that_hangs_is_not_waited_for_long() -> None:
    """A quarter of a second for reading, and the same for keeping; then the call goes on without it."""

    class Hanging:
        async def get(self, key: str) -> bytes | None:
            return await asyncio.get_running_loop().create_future()

        async def set(self, key: str, value: bytes, ttl: float) -> None:
            await asyncio.get_running_loop().create_future()

    made = Cached("async", store=Hanging())
    call = asyncio.ensure_future(made.client.execute(LIST))
    await made.clock.run_for(0.24)
    assert made.requests == 0
    await made.clock.run_for(0.03)
    assert made.requests == 1
    made.behind.asked[0].serve(BODY)
    await made.clock.run_for(0.27)
    assert call.done()
    assert (await call).data[0].id == "m"
    assert [told[1] for told in made.hook.told if told[0] == "failed"] == ["get", "set"]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert made.clock.next_due() is None


@pytest.mark.requirement("CCH-01", "CLI-11")
async def test_the_time_that_the_store_took_is_part_of_the_calls_own() -> None:
    """One deadline covers both."""

    class Slow(AsyncStore):
        async def get(self, key: str) -> bytes | None:
            await made.clock.sleep(0.2)
            return None

    made = Cached("async", store=Slow(FakeClock()))
    call = asyncio.ensure_future(made.client.execute(LIST, CallOptions(timeout=1.0)))
    await made.clock.run_for(0.2)
    assert made.behind.asked[0].options.deadline == Deadline(1.0)
    made.behind.asked[0].serve(BODY)
    await call


@pytest.mark.requirement("CCH-01", "CLI-11")
def test_so_it_is_for_threads() -> None:
    """Blocking code cannot leave a store early, but its call has what is left."""

    class Slow(MemoryStore):
        def get(self, key: str) -> bytes | None:
            made.clock.advance(0.2)
            return super().get(key)

    made = Cached("sync", BODY, store=Slow())
    made.client.execute(LIST, CallOptions(timeout=1.0))
    assert made.behind.asked[0][1].deadline == Deadline(1.0)


@pytest.mark.requirement("CCH-01", "CLI-11")
async def test_a_store_is_never_waited_for_beyond_the_calls_deadline() -> None:
    """Then the client behind is asked, which says that the time is up."""

    class Hanging(AsyncStore):
        async def get(self, key: str) -> bytes | None:
            return await asyncio.get_running_loop().create_future()

    made = Cached("async", store=Hanging(FakeClock()))
    call = asyncio.ensure_future(made.client.execute(LIST, CallOptions(timeout=0.1)))
    await made.clock.run_for(0.12)
    assert made.requests == 1
    made.behind.asked[0].serve(BODY)
    await call


@pytest.mark.requirement("CCH-01")
async def test_an_empty_answer_is_an_answer(cached: Callable[..., Cached]) -> None:
    """It is kept like any other."""
    made = cached(b"")
    operation = raw_operation("GET", "/empty")
    assert [await made.call(operation) for _ in range(2)] == [b"", b""]
    assert made.requests == 1


@pytest.mark.requirement("CCH-01", "ERR-11")
async def test_a_call_that_is_cancelled_at_the_store_is_cancelled() -> None:
    """It is not taken for a failure of the store."""

    class Hanging(AsyncStore):
        async def get(self, key: str) -> bytes | None:
            return await asyncio.get_running_loop().create_future()

    made = Cached("async", store=Hanging(FakeClock()))
    call = asyncio.ensure_future(made.client.execute(LIST))
    await made.clock.settle()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (made.requests, made.hook.told) == (0, [])


@pytest.mark.requirement("CCH-01", "BAT-01")
async def test_a_crowd_that_misses_asks_once_with_a_single_flight_behind() -> None:
    """Two explicit objects, one in front of the other."""
    clock, behind = FakeClock(), AsyncScriptedClient()
    store = MemoryStore(clock=clock)
    client = AsyncCachingClient(AsyncSingleFlightClient(behind, clock=clock), store, tenant="acme", clock=clock)
    calls = [asyncio.ensure_future(client.models.list()) for _ in range(5)]
    await clock.settle()
    assert len(behind.asked) == 1
    behind.asked[0].serve(BODY)
    assert [result.data[0].id for result in await asyncio.gather(*calls)] == ["m"] * 5
    assert (await client.models.list()).data[0].new == 1
    assert len(behind.asked) == 1


def test_the_same_row_works_for_threads() -> None:
    """In the other order, too."""
    behind = ScriptedClient(lambda *_: BODY)
    client = SingleFlightClient(CachingClient(behind, MemoryStore(), tenant="acme"))
    assert [client.models.list().data[0].id for _ in range(3)] == ["m"] * 3
    assert len(behind.asked) == 1


@pytest.mark.requirement("CCH-01", "REL-06")
def test_the_key_that_hooks_are_told_holds_no_secret_and_no_prompt() -> None:
    """It is a hash, and the same as the store's."""
    told: list[CacheRecord] = []

    class Hook:
        def on_cache_miss(self, record: CacheRecord) -> None:
            told.append(record)

    cache = AnswerCache("acme", 60.0, (), [Hook()])
    behind = ScriptedClient(lambda *_: b"")
    key = cache.key(retrieve_model("secret-model"), behind.config)
    assert key is not None
    assert len(key) == 64
    cache.read(retrieve_model("secret-model"), key, None)
    assert told == [CacheRecord(operation_id="retrieveModel", key=key)]
