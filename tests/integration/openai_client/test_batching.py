"""Batches and shared requests over real sockets."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from openai_client import errors
from openai_client.batching import AsyncBatchingClient, BatchingClient
from openai_client.embedding_batch import BatchPolicy
from openai_client.single_flight import AsyncSingleFlightClient, SingleFlightClient
from openai_client.types import CreateEmbeddingRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.openai_client.conftest import Caller
    from upstream_simulator import Simulator

pytestmark = pytest.mark.integration

TEXTS = ["the tide", "comes in", "and", "goes out again"]
POLICY = BatchPolicy(max_batch_size=4, max_wait_ms=5000.0)


def request_for(*texts: str) -> CreateEmbeddingRequest:
    """Return a request for embeddings."""
    return CreateEmbeddingRequest(model="m", input=list(texts))


def posts(simulator: Simulator) -> list[Any]:
    """Return the inputs of the requests that the upstream saw."""
    return [json.loads(line.body)["input"] for line in simulator.log(settle=1.0) if line.method == "POST"]


def batching(caller: Caller, policy: BatchPolicy = POLICY) -> Any:
    """Return a batching client of the caller's colour."""
    return (AsyncBatchingClient if caller.is_async else BatchingClient)(caller.client, policy)


async def all_at_once(caller: Caller, calls: list[Callable[[], Any]]) -> list[Any]:
    """Make calls as tasks or as threads; return results and errors in order."""
    if caller.is_async:
        return await asyncio.gather(*(call() for call in calls), return_exceptions=True)

    def caught(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except errors.OpenAIError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as threads:
        return await asyncio.to_thread(lambda: list(threads.map(caught, calls)))


@pytest.mark.requirement("BAT-01")
async def test_callers_share_a_request_and_get_what_they_would_have_got_alone(
    caller: Caller, simulator: Simulator
) -> None:
    """The same vectors; the shares of the usage add up to the whole."""
    alone = [await caller.call(lambda client, text=text: client.embeddings.create(request_for(text))) for text in TEXTS]
    simulator.reset()
    client = batching(caller)
    together = await all_at_once(caller, [lambda t=text: client.embeddings.create(request_for(t)) for text in TEXTS])
    assert [answer.data[0].embedding for answer in together] == [answer.data[0].embedding for answer in alone]
    assert sum(answer.usage.total_tokens for answer in together) == sum(answer.usage.total_tokens for answer in alone)
    (inputs,) = posts(simulator)
    assert sorted(inputs) == sorted(TEXTS)


@pytest.mark.requirement("BAT-01")
async def test_the_wait_for_others_is_short(caller: Caller, simulator: Simulator) -> None:
    """A caller alone is served when it is over."""
    client = batching(caller, BatchPolicy(max_wait_ms=5.0))
    (answer,) = await all_at_once(caller, [lambda: client.embeddings.create(request_for("a", "b"))])
    assert [item.index for item in answer.data] == [0, 1]
    assert posts(simulator) == [["a", "b"]]


@pytest.mark.requirement("BAT-01", "ERR-10")
async def test_a_refusal_is_halved_down_to_who_is_at_fault(caller: Caller, simulator: Simulator) -> None:
    """The upstream refuses the batch and the half of the one at fault: five requests, one error."""
    client = batching(caller)
    simulator.script("status=400", None, "status=400", "status=400")
    ends = await all_at_once(caller, [lambda t=text: client.embeddings.create(request_for(t)) for text in TEXTS])
    failed = [end for end in ends if isinstance(end, errors.OpenAIError)]
    assert [type(error) for error in failed] == [errors.MalformedRequest]
    assert [len(inputs) for inputs in posts(simulator)] == [4, 2, 2, 1, 1]


@pytest.mark.requirement("BAT-01", "ERR-11")
@pytest.mark.parametrize("colour", ["async"])  # a thread cannot be cancelled
async def test_when_the_last_caller_leaves_the_upstream_is_told(caller: Caller, simulator: Simulator) -> None:
    """One that leaves before it changes nothing."""
    client = batching(caller)
    simulator.script("stall=30")
    calls = [asyncio.ensure_future(client.embeddings.create(request_for(text))) for text in TEXTS]
    while not simulator.log():
        await asyncio.sleep(0.01)
    for call in calls[:3]:
        call.cancel()
    await asyncio.gather(*calls[:3], return_exceptions=True)
    (line,) = simulator.log()
    assert line.left == "open"
    calls[3].cancel()
    await asyncio.gather(calls[3], return_exceptions=True)
    (line,) = simulator.log(settle=2.0)
    assert line.left in {"disconnected", "reset"}


@pytest.mark.requirement("BAT-01")
async def test_equal_calls_at_the_same_time_are_one_request(caller: Caller, simulator: Simulator) -> None:
    """Tasks or threads, each with a result of its own."""
    simulator.script("path=/v1/models;stall=0.3")
    client: Any = (AsyncSingleFlightClient if caller.is_async else SingleFlightClient)(caller.client)
    answers = await all_at_once(caller, [client.models.list] * 8)
    assert {answer.data[0].id for answer in answers} == {"simulated-small"}
    assert len({id(answer) for answer in answers}) == 8
    assert len(simulator.log(settle=1.0)) == 1
