"""
The rules of keeping answers: under which key, for how long, what is made of what a store gives, and who is told. Pure.

The key is a hash of the request without credentials but with the tenant (`shareable.share_key`), so tenants never see
each other's answers. The values are the answers' bodies, in the clear: a store is to be guarded as they are.

Spec: CCH-01
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, TypeVar

from http_util.redact import safe_message
from http_util.telemetry import notify
from openai_client.errors import InvalidConfiguration
from openai_client.shareable import checked_operations, share_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from openai_client.config import ClientConfig
    from openai_client.operation import Operation

T = TypeVar("T")

DEFAULT_TTL: Final = 300.0
"""Seconds for which an answer is kept, if not told otherwise."""

Action: TypeAlias = Literal["get", "set", "parse"]
"""What a store was wanted for when it failed; `parse`: what it gave could not be read."""


class CacheStore(Protocol):
    """Where answers are kept; whatever it raises counts as a failure of the store."""

    def get(self, key: str) -> bytes | None:
        """Return what was kept under *key*, None when there is nothing or it is too old."""

    def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep *value* under *key* for *ttl* seconds."""


class AsyncCacheStore(Protocol):
    """The same, awaited."""

    async def get(self, key: str) -> bytes | None:
        """Return what was kept under *key*, None when there is nothing or it is too old."""

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep *value* under *key* for *ttl* seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRecord:
    """What hooks get in ``on_cache_hit`` and ``on_cache_miss``."""

    operation_id: str
    """The operation."""
    key: str
    """The key of the call; no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheFailed:
    """What hooks get in ``on_cache_failed``. The call goes on."""

    operation_id: str
    """The operation."""
    key: str
    """The key of the call; no secret."""
    action: Action
    """What failed: reading, keeping, or understanding what had been kept."""
    problem: str
    """What the store raised, redacted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """Numbers about one caching client."""

    hits: int
    """Calls answered from the store."""
    misses: int
    """Calls for which the upstream was asked."""
    failures: int
    """Times that the store failed."""


class AnswerCache:
    """
    Which answers are kept, for whom and how long, what comes of what a store gave, and who is told.

    Its counts may fall behind by one where threads share it.

    Spec: CCH-01
    """

    def __init__(self, tenant: str, ttl: float, operations: Iterable[str], hooks: Sequence[object]) -> None:
        """
        Set the rules.

        Args:
            tenant: Those who may share answers; part of every key. Not empty.
            ttl: Seconds for which an answer is kept, above zero.
            operations: Ids of the POSTs whose answers are kept.
            hooks: Objects with some of ``on_cache_hit``, ``on_cache_miss`` and ``on_cache_failed``.

        Raises:
            InvalidConfiguration: An argument cannot be used.
        """
        if not tenant:
            raise InvalidConfiguration("tenant: must name those who may share answers; it is part of every key")
        if not ttl > 0:
            raise InvalidConfiguration(f"ttl: must be above zero seconds, not {ttl!r}")
        self.ttl = ttl
        """Seconds for which an answer is kept."""
        self._tenant = tenant
        self._operations = checked_operations(operations)
        self._hooks = hooks
        self._hits = self._misses = self._failures = 0

    @property
    def stats(self) -> CacheStats:
        """The numbers."""
        return CacheStats(hits=self._hits, misses=self._misses, failures=self._failures)

    def key(self, operation: Operation[Any], config: ClientConfig) -> str | None:
        """Return the key of a call; None when its answer must not be kept."""
        return share_key(operation, config, self._operations, tenant=self._tenant)

    def read(self, operation: Operation[T], key: str, body: bytes | None) -> tuple[T] | None:
        """
        Return the result in what the store gave, in a tuple; None when there is none to be had.

        Args:
            operation: The call.
            key: Its key.
            body: What the store gave; None for nothing.
        """
        if body is not None:
            try:
                result = operation.parse(body)
            # what is in the store may be anything
            except Exception as error:  # noqa: BLE001
                self.failed(operation, key, "parse", error)
            else:
                self._hits += 1
                notify(self._hooks, "on_cache_hit", CacheRecord(operation_id=operation.operation_id, key=key))
                return (result,)
        self._misses += 1
        notify(self._hooks, "on_cache_miss", CacheRecord(operation_id=operation.operation_id, key=key))
        return None

    def failed(self, operation: Operation[Any], key: str, action: Action, error: Exception) -> None:
        """Note that the store failed, and tell so."""
        self._failures += 1
        problem = type(error).__qualname__
        # the text of a parser's error may quote the answer
        if action != "parse":
            problem = safe_message(f"{problem}: {error}")
        record = CacheFailed(operation_id=operation.operation_id, key=key, action=action, problem=problem)
        notify(self._hooks, "on_cache_failed", record)
