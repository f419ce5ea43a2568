"""
Answers kept for a while, and given again instead of asking: opt-in, over a store that is handed in.

Kept are whole answers with success of calls that change nothing: GETs, and the POSTs that are named. Never kept are
streams, mutations, calls with an idempotency key or a credential of their own, and answers that cannot be read.

A store may fail and a call does not: it is made as if nothing had been kept, and the hooks are told. What is kept, and
what is told, is decided in `answer_cache`.

Spec: CCH-01, REL-05, REL-08
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from http_util.deadline import Deadline
from openai_client.answer_cache import DEFAULT_TTL, AnswerCache
from openai_client.errors import InvalidConfiguration
from openai_client.middleware import AsyncMiddleware, Middleware
from openai_client.patience import Patience
from openai_client.shareable import SHARED_BY_DEFAULT, keeping_body, kept

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

    from http_util.clock import Clock, SyncClock
    from openai_client.answer_cache import AsyncCacheStore, CacheStats, CacheStore
    from openai_client.middleware import AsyncCallsNext, CallsNext
    from openai_client.operation import CallOptions, Operation

T = TypeVar("T")

STORE_TIMEOUT: Final = 0.25
"""Seconds that a store may take before a call goes on without it."""


class CachingClient(Middleware):
    """
    A `Client` that keeps answers. As safe for threads as its store.

    Example:
        >>> from http_util.client import build_client
        >>> from http_util.clock import SystemSyncClock
        >>> from http_util.testing import Answer, ScriptedUpstream
        >>> from openai_client import Client, ClientConfig, HttpTransport
        >>> from openai_client.memory_store import MemoryStore
        >>> config = ClientConfig(base_url="http://localhost:8000/v1", api_key=None)
        >>> upstream = ScriptedUpstream(Answer.json(b'{"object": "list", "data": [{"id": "m"}]}'))
        >>> http_client = build_client(config.http, transport=upstream)
        >>> transport = HttpTransport(config.http, clock=SystemSyncClock(), http_client=http_client)
        >>> client = CachingClient(Client(config, transport=transport), MemoryStore(), tenant="acme")
        >>> [client.models.list().data[0].id for _ in range(3)], len(upstream.requests)
        (['m', 'm', 'm'], 1)

    Spec: CCH-01
    """

    def __init__(
        self,
        client: CallsNext,
        store: CacheStore,
        *,
        tenant: str,
        ttl: float = DEFAULT_TTL,
        operations: Iterable[str] = SHARED_BY_DEFAULT,
        clock: SyncClock | None = None,
        hooks: Sequence[object] = (),
    ) -> None:
        """
        Stand in front of *client*.

        Args:
            client: Makes the calls; stays its owner's to close.
            store: Keeps the answers; stays its owner's too.
            tenant: Those who may share answers; part of every key. Not empty.
            ttl: Seconds for which an answer is kept, above zero.
            operations: Ids of the POSTs whose answers are kept, from `openai_client.shareable.MAY_BE_SHARED`.
            clock: Source of times, the same as the client's; by default the system's.
            hooks: Objects with some of ``on_cache_hit``, ``on_cache_miss`` (which take a `CacheRecord`) and
                ``on_cache_failed`` (a `CacheFailed`).

        Raises:
            InvalidConfiguration: An argument cannot be used.
        """
        super().__init__(client, clock=clock)
        self._store = store
        self._cache = AnswerCache(tenant, ttl, operations, hooks)

    @property
    def stats(self) -> CacheStats:
        """The numbers."""
        return self._cache.stats

    def execute(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """Make a call, or return the answer that was kept. Arguments and errors as `Client.execute`."""
        asked = operation.with_options(options)
        key = self._cache.key(asked, self.config)
        if key is None:
            return self.client.execute(asked, asked.options)
        patience = Patience.of(asked.options, self.config, self._clock.monotonic())
        found = self._cache.read(asked, key, self._get(asked, key))
        if found is not None:
            return found[0]
        limited = replace(asked.options, deadline=patience.deadline)
        answer = kept(asked, self.client.execute(keeping_body(asked), limited))
        self._set(asked, key, answer.body)
        return answer.result

    def _get(self, asked: Operation[Any], key: str) -> bytes | None:
        """Return what the store has, None also when it fails."""
        try:
            return self._store.get(key)
        # a store is foreign code, and a call does not depend on it
        except Exception as error:  # noqa: BLE001
            self._cache.failed(asked, key, "get", error)
            return None

    def _set(self, asked: Operation[Any], key: str, body: bytes) -> None:
        """Have the store keep an answer, if it can."""
        try:
            self._store.set(key, body, self._cache.ttl)
        # as above: the answer is there
        except Exception as error:  # noqa: BLE001
            self._cache.failed(asked, key, "set", error)


class AsyncCachingClient(AsyncMiddleware):
    """
    An `AsyncClient` that keeps answers. For one event loop.

    Spec: CCH-01
    """

    def __init__(
        self,
        client: AsyncCallsNext,
        store: AsyncCacheStore | CacheStore,
        *,
        tenant: str,
        ttl: float = DEFAULT_TTL,
        operations: Iterable[str] = SHARED_BY_DEFAULT,
        store_timeout: float = STORE_TIMEOUT,
        clock: Clock | None = None,
        hooks: Sequence[object] = (),
    ) -> None:
        """
        Stand in front of *client*; what is not said here is as for `CachingClient`.

        Args:
            client: Makes the calls; stays its owner's to close.
            store: Keeps the answers. Its methods are awaited, or do not block.
            tenant: Those who may share answers.
            ttl: Seconds for which an answer is kept.
            operations: Ids of the POSTs whose answers are kept.
            store_timeout: Seconds that the store may take, above zero; then the call goes on without it.
            clock: Source of times.
            hooks: Told of hits, misses and failures.

        Raises:
            InvalidConfiguration: An argument cannot be used.
        """
        super().__init__(client, clock=clock)
        if not store_timeout > 0:
            raise InvalidConfiguration(f"store_timeout: must be above zero seconds, not {store_timeout!r}")
        self._store = store
        self._store_timeout = store_timeout
        self._cache = AnswerCache(tenant, ttl, operations, hooks)

    @property
    def stats(self) -> CacheStats:
        """The numbers."""
        return self._cache.stats

    async def execute(self, operation: Operation[T], options: CallOptions | None = None) -> T:
        """Make a call, or return the answer that was kept. Arguments and errors as `AsyncClient.execute`."""
        asked = operation.with_options(options)
        key = self._cache.key(asked, self.config)
        if key is None:
            return await self.client.execute(asked, asked.options)
        patience = Patience.of(asked.options, self.config, self._clock.monotonic())
        found = self._cache.read(asked, key, await self._get(asked, key, patience))
        if found is not None:
            return found[0]
        limited = replace(asked.options, deadline=patience.deadline)
        answer = kept(asked, await self.client.execute(keeping_body(asked), limited))
        await self._set(asked, key, answer.body, patience)
        return answer.result

    async def _get(self, asked: Operation[Any], key: str, patience: Patience) -> bytes | None:
        """Return what the store has, None also when it fails or takes too long."""
        try:
            return cast("bytes | None", await self._done(self._store.get(key), patience))
        # a store is foreign code, and a call does not depend on it
        except Exception as error:  # noqa: BLE001
            self._cache.failed(asked, key, "get", error)
            return None

    async def _set(self, asked: Operation[Any], key: str, body: bytes, patience: Patience) -> None:
        """Have the store keep an answer, if it can in time."""
        try:
            await self._done(self._store.set(key, body, self._cache.ttl), patience)
        # as above: the answer is there
        except Exception as error:  # noqa: BLE001
            self._cache.failed(asked, key, "set", error)

    async def _done(self, answer: Awaitable[object] | object, patience: Patience) -> object:
        """Return what the store says, waiting for it if it has to be, but not long."""
        if not inspect.isawaitable(answer):
            return answer
        due = Deadline(self._clock.monotonic() + self._store_timeout)
        return await self._within(min(due, patience.deadline), answer)
