"""What a result remembers of the answer it came in, and that nothing else sees it."""

from __future__ import annotations

import asyncio
import copy
import pickle
import struct
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from http_util.testing import Answer, FakeClock, Pause
from openai_client import (
    AsyncBatchingClient,
    AsyncSingleFlightClient,
    CachingClient,
    InvalidFieldValue,
    MemoryStore,
    SingleFlightClient,
    metadata_of,
)
from openai_client.base_model import ResponseModel
from openai_client.types import CreateEmbeddingResponse, Model
from tests.unit.openai_client.conftest import Pair

if TYPE_CHECKING:
    from collections.abc import Callable

    MakePair = Callable[..., Pair]

HEADERS = {
    "x-request-id": "req-9",
    "openai-version": "2020-10-01",
    "openai-processing-ms": "12",
    "openai-poll-after-ms": "1500",
    "x-ratelimit-limit-tokens": "1000",
    "x-ratelimit-remaining-tokens": "900",
    "x-ratelimit-reset-tokens": "6m0s",
}
MODEL = b'{"id": "m", "object": "model", "created": 1, "owned_by": "o"}'


@pytest.mark.requirement("CLI-16", "FWD-05")
async def test_a_model_that_a_call_returned_has_its_metadata(pair: MakePair) -> None:
    """Status, ids, limits, times and attempts, and the official name for the id."""
    slow = Answer(
        before_head=(Pause(2.0),), headers={**HEADERS, "content-type": "application/json"}, body=(Pause(1.0), MODEL)
    )
    made = pair(slow)
    result = await made.call(lambda client: client.models.retrieve("m"))
    metadata = metadata_of(result)
    assert (metadata.status, metadata.http_version) == (200, "HTTP/1.1")
    assert metadata.upstream_request_id == result._request_id == "req-9"
    assert (metadata.api_version, metadata.processing_ms, metadata.poll_after) == ("2020-10-01", 12, 1.5)
    assert (metadata.rate_limits.limit_tokens, metadata.rate_limits.remaining_tokens) == (1000, 900)
    assert metadata.rate_limits.reset_tokens == "6m0s"
    assert (metadata.head_seconds, metadata.seconds) == (2.0, 3.0)
    assert [attempt.http_status for attempt in metadata.attempts] == [200]


@pytest.mark.requirement("CLI-16")
async def test_the_time_to_the_head_holds_failed_attempts_and_pauses(pair: MakePair) -> None:
    """It is what the caller waited for."""
    busy = Answer.json(b"{}", status=503, headers={"retry-after": "4"})
    made = pair(replace(busy, before_head=(Pause(1.0),)), replace(Answer.json(MODEL), before_head=(Pause(2.0),)))
    result = await made.call(lambda client: client.with_options(retry="billing_safe").models.retrieve("m"))
    metadata = metadata_of(result)
    assert metadata.head_seconds == metadata.seconds == 1.0 + 4.0 + 2.0
    assert len(metadata.attempts) == 2


@pytest.mark.requirement("CLI-16", "FWD-01")
async def test_what_a_model_remembers_is_no_part_of_it(pair: MakePair) -> None:
    """Equality, repr, dumps, fields, copies and pickles are those of the model."""
    made = pair(Answer.json(MODEL, headers=HEADERS))
    result = await made.call(lambda client: client.models.retrieve("m"))
    same = Model.from_wire(MODEL)
    assert result == same
    assert same == result
    assert (repr(result), result.model_dump(), result.wire_bytes()) == (
        repr(same),
        same.model_dump(),
        same.wire_bytes(),
    )
    assert vars(result) == vars(same)
    assert result.__getstate__() == same.__getstate__()
    for twin in (copy.copy(result), copy.deepcopy(result), result.model_copy(), pickle.loads(pickle.dumps(result))):
        assert twin == result
        assert twin._request_id is None
        with pytest.raises(InvalidFieldValue, match="result: this Model carries no metadata"):
            metadata_of(twin)


@pytest.mark.requirement("CLI-16")
async def test_only_the_result_itself_remembers(pair: MakePair) -> None:
    """Its parts do not, whatever fields an upstream invents."""
    made = pair(Answer.json(b'{"object": "list", "data": [{"id": "m", "_heard": [1], "metadata": {"status": 7}}]}'))
    models = await made.call(lambda client: client.models.list())
    assert metadata_of(models).status == 200
    assert models.data[0]._request_id is None
    with pytest.raises(InvalidFieldValue):
        metadata_of(models.data[0])
    for other in (None, "text", b"bytes", 7):
        with pytest.raises(InvalidFieldValue, match="call_with_metadata"):
            metadata_of(other)


@pytest.mark.requirement("CLI-16")
async def test_pages_and_streams_are_asked_in_the_same_way(pair: MakePair) -> None:
    """`metadata_of` takes whatever has metadata."""
    made = pair(Answer.json(b'{"data": []}', headers=HEADERS))
    page = await made.call(lambda client: client.files.list())
    assert metadata_of(page) is page.metadata
    assert page.metadata.seconds == 0.0


@pytest.mark.requirement("CLI-16")
async def test_bytes_and_pages_are_called_with_their_metadata(pair: MakePair) -> None:
    """Arguments by keyword and the fields of a body included; one request each."""
    made = pair(
        Answer(body=(b"\x00\x01",), headers=HEADERS), Answer.json(b'{"data": []}'), Answer.json(b'{"data": []}')
    )
    content = await made.call(lambda client: client.call_with_metadata(client.files.content, file_id="f"))
    assert (content.result, content.metadata.upstream_request_id) == (b"\x00\x01", "req-9")
    page = await made.call(lambda client: client.call_with_metadata(client.files.list, limit=3))
    assert (page.metadata, len(page.result)) == (page.result.metadata, 0)
    made_of = await made.call(
        lambda client: client.call_with_metadata(
            client.embeddings.create, model="m", input="x", extra_headers={"x-a": "b"}
        )
    )
    assert isinstance(made_of.result, CreateEmbeddingResponse)
    assert made.requests[2].headers["x-a"] == "b"
    assert len(made.requests) == 3


@pytest.mark.requirement("CLI-16")
async def test_a_method_that_can_stream_is_called_with_metadata_unless_it_streams(pair: MakePair) -> None:
    """And nothing is sent for one that does."""
    made = pair(Answer.json(b'{"id": "c", "choices": []}', headers=HEADERS))
    messages = [{"role": "user", "content": "x"}]
    answer = await made.call(
        lambda client: client.call_with_metadata(client.chat.completions.create, model="m", messages=messages)
    )
    assert (answer.result.id, answer.metadata.upstream_request_id) == ("c", "req-9")
    for method, more in (("create", {"stream": True}), ("stream", {})):
        with pytest.raises(InvalidFieldValue):
            await made.call(
                lambda client, method=method, more=more: client.call_with_metadata(
                    getattr(client.chat.completions, method), model="m", messages=messages, **more
                )
            )
    with pytest.raises(InvalidFieldValue, match="method: must be a method of a family"):
        await made.call(lambda client: client.call_with_metadata(len, "x"))
    assert len(made.requests) == 1


@pytest.mark.requirement("CLI-16", "BAT-01", "CCH-01")
async def test_middleware_hands_the_metadata_on(pair: MakePair) -> None:
    """An answer that came over the wire has them; one out of a store has none."""
    made = pair(Answer.json(MODEL, headers=HEADERS), Answer.json(MODEL, headers=HEADERS))
    kind = AsyncSingleFlightClient if made.colour == "async" else SingleFlightClient
    single = kind(made.client)
    result = single.models.retrieve("m")
    assert metadata_of(await result if made.colour == "async" else result).upstream_request_id == "req-9"
    if made.colour == "sync":
        caching = CachingClient(made.client, MemoryStore(), tenant="t")
        assert caching.models.retrieve("m")._request_id == "req-9"
        assert caching.models.retrieve("m")._request_id is None


@pytest.mark.requirement("CLI-16", "BAT-01")
async def test_everybody_who_shares_an_answer_has_its_metadata() -> None:
    """Equal calls that became one request, and inputs that became one batch."""
    made = Pair("async", Answer.json(MODEL, headers=HEADERS))
    single: Any = AsyncSingleFlightClient(made.client)
    models = await asyncio.gather(single.models.retrieve("m"), single.models.retrieve("m"))
    assert [model._request_id for model in models] == ["req-9", "req-9"]
    assert models[0] is not models[1]
    answer = b'{"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [2.0]}], "model": "m"}'
    made = Pair("async", Answer.json(answer, headers=HEADERS))
    batching: Any = AsyncBatchingClient(made.client, clock=FakeClock(auto=True))
    embed = batching.embeddings.create
    both = asyncio.gather(embed(model="m", input="x"), embed(model="m", input="y"))
    clock: Any = batching.clock
    await clock.settle()
    clock.advance(1.0)
    assert [answer._request_id for answer in await both] == ["req-9", "req-9"]
    assert len(made.requests) == 1


@pytest.mark.requirement("CLI-16")
def test_a_model_that_remembers_nothing_is_no_larger_than_one_slot() -> None:
    """Nested models, of which an answer may have thousands, pay eight bytes and no time."""

    class Plain(BaseModel):
        x: int | None = None

    class Received(ResponseModel):
        x: int | None = None

    assert "_heard" not in Received.model_fields
    assert "_heard" not in Received.__private_attributes__
    assert sys.getsizeof(Received()) - sys.getsizeof(Plain()) == struct.calcsize("P")
