"""Kept answers over real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from openai_client import errors
from openai_client.caching import AsyncCachingClient, CachingClient
from openai_client.memory_store import MemoryStore
from openai_client.types import CreateEmbeddingRequest
from tests.integration.openai_client.conftest import KEY

if TYPE_CHECKING:
    from tests.integration.openai_client.conftest import Caller
    from upstream_simulator import Simulator

pytestmark = pytest.mark.integration

BODY = CreateEmbeddingRequest(model="m", input=["the tide comes in", "and goes out"])


def caching(caller: Caller, store: MemoryStore, tenant: str = "acme") -> Any:
    """Return a caching client of the caller's colour."""
    kind: Any = AsyncCachingClient if caller.is_async else CachingClient
    return kind(caller.client, store, tenant=tenant)


async def asked(caller: Caller, call: Any) -> Any:
    """Wait for a call when it has to be awaited."""
    return await call if caller.is_async else call


@pytest.mark.requirement("CCH-01")
async def test_what_was_asked_once_is_not_asked_again(caller: Caller, simulator: Simulator) -> None:
    """A list and embeddings, equal to what came over the wire; another tenant asks for itself."""
    store = MemoryStore()
    plain = await caller.call(lambda client: client.embeddings.create(BODY))
    for tenant in ("acme", "acme", "other"):
        client = caching(caller, store, tenant)
        models = await asked(caller, client.models.list())
        assert [model.id for model in models.data] == ["simulated-small", "simulated-large"]
        assert await asked(caller, client.embeddings.create(BODY)) == plain
    paths = [line.path for line in simulator.log(settle=1.0)]
    assert paths.count("/v1/models") == 2
    # one of them to compare with
    assert paths.count("/v1/embeddings") == 3


@pytest.mark.requirement("CCH-01", "SEC-16")
async def test_a_refusal_is_not_kept_and_no_key_is_in_the_store(caller: Caller, simulator: Simulator) -> None:
    """The next call asks again, and what is kept is the answer alone."""
    store = MemoryStore()
    client = caching(caller, store)
    simulator.script("path=/v1/models;status=503")
    with pytest.raises(errors.Overloaded):
        await asked(caller, client.models.list())
    assert len(store) == 0
    assert (await asked(caller, client.models.list())).data
    assert len(store) == 1
    assert KEY not in repr(store._entries)
