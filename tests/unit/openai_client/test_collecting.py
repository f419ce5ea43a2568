"""Streams as a whole: collected, or read as text, in both colours."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from typing import TYPE_CHECKING, Any

import pytest

from http_util.testing import Answer
from openai_client import (
    ApiVersionConfig,
    ChatAccumulator,
    InvalidFieldValue,
    InvalidState,
    StreamInterrupted,
    raw_stream_operation,
)
from openai_client._generated import operations
from openai_client.collecting import accumulator_for
from openai_client.operation import StreamOperation
from openai_client.streaming import Accumulator
from openai_client.text_deltas import text_in
from openai_client.types import CreateCompletionResponse, CreateResponse
from tests.unit.openai_client.conftest import chat_chunk, data
from tests.unit.openai_client.splitting import full

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.openai_client.conftest import Pair

    PairMaker = Callable[..., Pair]

WHOLE = (chat_chunk("Hel"), chat_chunk("lo"), chat_chunk("other", index=1), chat_chunk(finish="stop"))
WHOLE += (chat_chunk(finish="stop", index=1),)
FIELDS: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def chat(client: Any) -> Any:
    """Return a chat stream, not yet entered."""
    return client.chat.completions.stream(**FIELDS)


async def done(value: Any) -> Any:
    """Return what a call of either colour gives."""
    return await value if inspect.isawaitable(value) else value


async def texts(deltas: Any, found: list[str]) -> None:
    """Read pieces of text in either colour."""
    if hasattr(deltas, "__aiter__"):
        async for text in deltas:
            found.append(text)  # noqa: PERF401 - what came before a failure is wanted
        return
    for text in deltas:
        found.append(text)  # noqa: PERF402 - what came before a failure is wanted


@pytest.mark.requirement("CLI-10", "TYP-04")
async def test_a_stream_is_collected_in_one_call(pair: PairMaker) -> None:
    """Without a block: the call is made, the answer read to its end, the connection given back."""
    made = pair(Answer.events(*WHOLE))
    answer = await done(chat(made.client).collect())
    assert [choice.message.content for choice in answer.choices] == ["Hello", "other"]
    assert answer.object == "chat.completion"
    assert (made.upstream.finished, made.upstream.closed_early) == (1, 0)


@pytest.mark.requirement("CLI-10")
async def test_an_open_stream_is_collected_too(pair: PairMaker) -> None:
    """In a block, or opened by `stream=True`."""
    made = pair(*(Answer.events(*WHOLE),) * 2)
    opened = await done(made.client.chat.completions.create(**FIELDS, stream=True))
    assert (await done(opened.collect())).choices[0].message.content == "Hello"
    stream = chat(made.client)
    if made.colour == "async":
        async with stream:
            answer = await stream.collect()
    else:
        with stream:
            answer = stream.collect()
    assert answer.choices[0].message.content == "Hello"
    assert made.upstream.finished == 2


@pytest.mark.requirement("CLI-10", "ERR-01")
async def test_a_stream_whose_beginning_is_gone_is_not_collected_in_silence(pair: PairMaker) -> None:
    """The accumulator that saw it can go on."""
    made = pair(*(Answer.events(*WHOLE),) * 2)
    for into in (None, ChatAccumulator()):
        stream = await done(made.client.chat.completions.create(**FIELDS, stream=True))
        first = await anext(stream) if made.colour == "async" else next(stream)
        if into is None:
            with pytest.raises(InvalidState, match="the beginning of the stream was taken"):
                await done(stream.collect())
            continue
        into.add(first)
        assert (await done(stream.collect(into))).choices[0].message.content == "Hello"
    assert made.upstream.closed_early == 1


@pytest.mark.requirement("CLI-10", "ERR-01")
async def test_a_stream_that_breaks_leaves_what_came(pair: PairMaker) -> None:
    """In the accumulator that was given; and it is closed."""
    made = pair(Answer.events(chat_chunk("Hel"), done=False))
    whole = ChatAccumulator()
    with pytest.raises(StreamInterrupted):
        await done(chat(made.client).collect(whole))
    assert whole.partial().choices[0].message.content == "Hel"


@pytest.mark.requirement("CLI-10")
async def test_the_closing_mark_is_evidence_enough(pair: PairMaker) -> None:
    """A server may leave finish reasons out."""
    made = pair(Answer.events(chat_chunk("Hel"), chat_chunk("lo")))
    answer = await done(chat(made.client).collect())
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Hello", None)


@pytest.mark.requirement("CLI-10")
async def test_the_text_of_a_stream_is_read_piece_by_piece(pair: PairMaker) -> None:
    """Of the first choice; an accumulator sees the rest meanwhile."""
    made = pair(Answer.events(*WHOLE))
    stream, whole, found = await done(made.client.chat.completions.create(**FIELDS, stream=True)), ChatAccumulator(), []
    await texts(stream.text_deltas(into=whole), found)
    assert found == ["Hel", "lo"]
    assert whole.result().choices[1].message.content == "other"


@pytest.mark.requirement("CLI-10", "ERR-01")
async def test_the_text_of_a_stream_fails_as_the_stream_does(pair: PairMaker) -> None:
    """After what came; one that is not open says so."""
    made = pair(Answer.events(chat_chunk("Hel"), done=False))
    with pytest.raises(InvalidState, match="not open"):
        await texts(chat(made.client).text_deltas(), [])
    stream, found = await done(made.client.chat.completions.create(**FIELDS, stream=True)), []
    with pytest.raises(StreamInterrupted):
        await texts(stream.text_deltas(), found)
    assert found == ["Hel"]


def stream_operations() -> list[Any]:
    """Return every function that makes a streamed operation, from the generated modules."""
    names = [item.name for item in pkgutil.walk_packages(operations.__path__, f"{operations.__name__}.")]
    functions = [value for name in names for value in vars(importlib.import_module(name)).values()]
    made = {item for item in functions if str(_returned(item)).startswith("StreamOperation[")}
    return sorted(made, key=lambda item: item.__name__)


def _returned(function: object) -> object:
    return getattr(function, "__annotations__", {}).get("return")


STREAMED = [item for item in stream_operations() if not item.__name__.endswith("_with")]
PLACES = {"thread_id": "t", "run_id": "r", "response_id": "i"}


@pytest.mark.requirement("CLI-10")
@pytest.mark.parametrize("function", STREAMED, ids=lambda item: item.__name__)
def test_every_streamed_operation_has_an_accumulator_and_an_end(function: Any) -> None:
    """So the next one of the description cannot be forgotten."""
    parameters = inspect.signature(function).parameters
    given: dict[str, Any] = {name: PLACES[name] for name in parameters if name in PLACES}
    if "body" in parameters:
        given["body"] = CreateResponse()
    operation = function(**given)
    assert isinstance(operation, StreamOperation)
    assert isinstance(accumulator_for(operation), Accumulator)
    by_mark = operation.operation_id in {"createChatCompletion", "createCompletion"} or operation.named_events
    assert bool(operation.end.event_types or operation.end.enough) is not by_mark


def test_there_are_as_many_streamed_operations_as_are_known() -> None:
    """Chat, completions, responses twice and their betas, speech, transcription, two of images, three of runs."""
    assert len(STREAMED) == 13


@pytest.mark.requirement("CLI-10", "CLI-19", "ERR-01")
async def test_a_raw_stream_needs_an_accumulator(pair: PairMaker) -> None:
    """Nobody knows what it is."""
    with pytest.raises(InvalidFieldValue, match="into: must be given"):
        accumulator_for(raw_stream_operation("POST", "/x"))
    made = pair()
    with pytest.raises(InvalidFieldValue, match="into: must be given"):
        await done(made.client.request_stream("POST", "/x").collect())
    assert made.requests == []


NAMED = b"event: %b\ndata: %b\n\n"


@pytest.mark.requirement("CLI-10", "TYP-13")
async def test_a_run_is_collected_from_named_events(pair: PairMaker) -> None:
    """Their kind stands beside their data, and the closing mark has a name of its own."""
    run = full("RunObject")
    text = {"index": 0, "type": "text", "text": {"value": "Hi"}}
    events = [
        (b"thread.run.created", run | {"status": "queued"}),
        (b"thread.message.created", full("MessageObject") | {"id": "m", "content": []}),
        (b"thread.message.delta", {"id": "m", "object": "thread.message.delta", "delta": {"content": [text]}}),
        (b"thread.run.completed", run | {"status": "completed"}),
    ]
    body = [NAMED % (name, json.dumps(fields).encode()) for name, fields in events]
    answer = Answer(headers={"content-type": "text/event-stream"}, body=[*body, NAMED % (b"done", b"[DONE]")])
    made = pair(answer, answer, api_version=ApiVersionConfig(enable_beta=True))
    told = await done(made.client.beta.threads.runs.stream("t", assistant_id="a").collect())
    assert (told.run.status, told.messages[0].content[0].text.value) == ("completed", "Hi")
    stream = await done(made.client.beta.threads.runs.create("t", assistant_id="a", stream=True))
    found: list[str] = []
    await texts(stream.text_deltas(), found)
    assert found == ["Hi"]


@pytest.mark.requirement("CLI-10", "TYP-08", "TYP-10")
async def test_streams_of_media_end_by_their_events(pair: PairMaker) -> None:
    """Speech at once; images may be several, and then the body just ends."""
    speech = [{"type": "speech.audio.delta", "audio": "YQ=="}, {"type": "speech.audio.done"}]
    image = {"type": "image_generation.completed", "b64_json": "YQ=="}
    made = pair(
        Answer.events(*map(data, speech), done=False),
        Answer.events(data(image), data(image), done=False),
        Answer.events(data({**image, "type": "image_generation.partial_image"}), done=False),
    )
    assert await done(made.client.audio.speech.stream(model="m", voice="alloy", input="x").collect()) == b"a"
    images = await done(made.client.images.stream_generate(prompt="x").collect())
    assert len(images.data) == 2
    with pytest.raises(StreamInterrupted):
        await done(made.client.images.stream_generate(prompt="x").collect())


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({"choices": [{"index": 0, "text": "a"}]}, "a"),
        ({"choices": [{"text": "a"}, {"index": 1, "text": "b"}]}, "a"),
        ({"choices": []}, ""),
    ],
)
def test_the_text_of_a_legacy_chunk_is_that_of_its_first_choice(event: dict[str, Any], text: str) -> None:
    """A choice without an index is the first."""
    assert text_in(CreateCompletionResponse.model_validate(event)) == text
