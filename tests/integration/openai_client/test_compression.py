"""Packed request bodies over real sockets."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from http_util import RetryPolicy
from http_util.clock import SystemClock, SystemSyncClock
from http_util.compression import RequestCompression
from openai_client import AsyncHttpTransport, HttpTransport
from openai_client._generated.operations.embeddings import create_embedding
from openai_client.request_writing import write_call
from openai_client.types import CreateEmbeddingRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.openai_client.conftest import Caller
    from upstream_simulator import Simulator

pytestmark = pytest.mark.integration

OPERATION = create_embedding(CreateEmbeddingRequest(model="m", input="the tide comes in and goes out, " * 500))
EAGER = RetryPolicy(name="eager", base=0.001, cap=0.01)


async def send(caller: Caller, compression: RequestCompression) -> Any:
    """Send the operation packed, over a transport of the caller's colour."""
    config = caller.client.config
    clock = SystemSyncClock()
    call = compression.compress(write_call(OPERATION, config, clock.monotonic()).http)
    if caller.is_async:
        transport = AsyncHttpTransport(config.http, clock=SystemClock())
        try:
            return await transport.send(call)
        finally:
            await transport.aclose()
    sync_transport = HttpTransport(config.http, clock=clock)
    try:
        return sync_transport.send(call)
    finally:
        sync_transport.close()


@pytest.mark.requirement("CMP-01")
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_retry_sends_the_same_packed_bytes(
    callers: Callable[..., Caller], simulator: Simulator, encoding: Any
) -> None:
    """The upstream sees two requests with the same small body and its encoding; unpacked it is what was written."""
    simulator.script("status=503", {"body": {"object": "list", "data": []}})
    compression = RequestCompression(encoding=encoding)
    reply = await send(callers(retry=EAGER), compression)
    assert [line.http_status for line in reply.head.attempts] == [503, 200]
    first, second = simulator.log(settle=1.0)
    plain = OPERATION.body_bytes()
    assert plain is not None
    packed = compression.pack({}, plain)
    assert packed is not None
    assert first.body_sha256 == second.body_sha256 == hashlib.sha256(packed.content).hexdigest()
    assert first.body_bytes == len(packed.content) < len(plain) / 10
    assert dict(first.headers)["content-encoding"] == encoding
    assert dict(second.headers).get("content-length", str(second.body_bytes)) == str(second.body_bytes)


@pytest.mark.requirement("CMP-01")
async def test_a_small_body_travels_as_it_is(caller: Caller, simulator: Simulator) -> None:
    """Below the threshold nothing is said of an encoding."""
    await send(caller, RequestCompression(min_bytes=1_000_000))
    (line,) = simulator.log(settle=1.0)
    assert "content-encoding" not in dict(line.headers)
    assert line.body.startswith('{"input":"the tide')
