"""Whatever an upstream writes into its events or its answers: only our own errors leave the client."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest
from pydantic import BaseModel, ValidationError

from http_util.call import ReplyHead
from http_util.sse import ServerSentEvent
from openai_client import (
    OpenAIError,
    ParsedChatAccumulator,
    ParsedResponseAccumulator,
    parsed_chat,
    parsed_response,
    raw_stream_operation,
)
from openai_client.collecting import accumulator_for
from openai_client.pagination import Page
from openai_client.stream_reading import StreamReader
from openai_client.text_deltas import text_in
from openai_client.types import BetaResponse, CreateChatCompletionResponse, Response
from tests.contract.operations.asking import model_of, smallest
from tests.contract.operations.conftest import scripted
from tests.contract.operations.facts import facts
from tests.contract.operations.spoiling import spoilt
from tests.contract.operations.test_answers import OF_KIND, answers
from tests.contract.operations.test_streams import STREAMED, asking_for_stream, events, is_mark, is_named, whole_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openai_client.operation import StreamOperation
    from openai_client.streaming import Accumulator

HEAD: Final = ReplyHead(status=200, headers={}, http_version="HTTP/1.1", attempts=(), upstream_request_id=None)


class Tower(BaseModel):
    """What is asked for."""

    town: str
    height: float | None


LIKE_ANOTHER: Final = {"getResponse", "beta_getResponse", "createThreadAndRun", "submitToolOuputsToRun"}
"""What has the events and the accumulator of another operation."""

MORE: Final[dict[str, Any]] = {
    "createChatCompletion": ParsedChatAccumulator,
    "createResponse": ParsedResponseAccumulator,
}


MOST_STREAMS: Final = 600
"""Of one operation, about; there are thousands of places in the events of a response."""


def wrong_streams(operation_id: str) -> Iterator[list[Any]]:
    """Every event of a stream with one thing wrong, among some that are as they should be."""
    fact, rng = facts()[operation_id], Random(operation_id)
    right = [event for event in events(operation_id) if not is_mark(fact, event)]
    # each event comes twice, with the step that it has and with another; each place is spoilt twice, a name is added
    most = max(1, MOST_STREAMS // (6 * len(right)))
    for event in right:
        for wrong in spoilt(event, rng, most):
            yield [*rng.sample(right, min(2, len(right))), wrong, event]
        kind = "event" if is_named(fact) else "type"
        if isinstance(event.get(kind), str):
            # a step of tomorrow, of which nothing is described
            named = event | {kind: f"{event[kind].rpartition('.')[0]}.soon"}
            yield from ([wrong, event] for wrong in spoilt(named, rng, most))


def framed(operation: StreamOperation[Any], event: Any) -> ServerSentEvent:
    """The event as it is read off the wire."""
    if operation.named_events and isinstance(event, dict):
        name = event.get("event")
        # a name is text always
        told = name if isinstance(name, str) and name.isascii() else "message"
        return ServerSentEvent(event=told, data=written(event.get("data")))
    return ServerSentEvent(data=written(event))


def written(value: Any) -> bytes:
    """JSON, with what is no Unicode as its escape."""
    return json.dumps(value).encode()


def read(operation: StreamOperation[Any], stream: list[Any], wholes: list[Accumulator[Any, Any]]) -> None:
    """Read a stream in every way at once."""
    reader = StreamReader(operation, HEAD)
    reader.feed(framed(operation, event) for event in stream)
    try:
        while (chunk := reader.take()) is not None:
            repr(chunk)
            text_in(chunk)
            for whole in wholes:
                whole.add(chunk)
    except OpenAIError:
        pass
    for whole in wholes:
        look(whole)


LOOKS: Final = ("text", "output", "audio", "transcript", "partial_images", "latest", "output_text", "parsed")


def look(whole: Accumulator[Any, Any]) -> None:
    """Ask an accumulator, and what it makes, for all that they have."""
    whole.missing()
    for thing in (whole, getattr(whole, "events", None), ours(whole.partial)):
        for name in LOOKS:
            # a default for what is not there would hide what a property raises
            if hasattr(type(thing), name):
                ours(partial(getattr, thing, name))


def ours(act: Callable[[], Any]) -> Any:
    """Return what comes of *act*, None when that is an error of ours."""
    try:
        return act()
    except OpenAIError:
        return None


@pytest.mark.slow
@pytest.mark.unmeasured
@pytest.mark.requirement("ERR-01", "CLI-10")
@pytest.mark.parametrize("operation_id", [name for name in STREAMED if name not in LIKE_ANOTHER])
def test_no_event_raises_an_error_that_is_not_ours(operation_id: str) -> None:
    """Read one by one, as text, and collected; typed, and as a raw call."""
    asked = asking_for_stream(operation_id)
    operation = scripted("sync").stream_operation(
        whole_fields(asked), model_of(asked.fact, asked.content_type) if asked.fact.bodies else None
    )
    raw = replace(raw_stream_operation("POST", "/any"), named_events=operation.named_events)
    for stream in wrong_streams(operation_id):
        for reads in (operation, raw):
            wholes: list[Accumulator[Any, Any]] = [accumulator_for(operation)]
            if operation_id in MORE:
                wholes.append(MORE[operation_id](Tower))
            try:
                read(reads, stream, wholes)
            except Exception as error:
                raise AssertionError(f"{type(error).__name__} for {stream}, read as {reads.operation_id}") from error


@pytest.mark.requirement("ERR-01", "CLI-09")
@pytest.mark.parametrize("operation", OF_KIND["json"])
async def test_no_answer_raises_an_error_that_is_not_ours(operation: str) -> None:
    """Understood or refused, shown, and asked for the page behind it."""
    fact, rng, caller = facts()[operation], Random(operation), scripted("sync")
    for wrong in spoilt(answers(operation)[0], rng, 4):
        caller.answers(written(wrong), status=fact.status)
        try:
            answer = await caller.call(smallest(fact))
        except OpenAIError:
            continue
        repr(answer)
        if isinstance(answer, Page):
            ours(answer.next_page)


@pytest.mark.slow
@pytest.mark.unmeasured
@pytest.mark.requirement("ERR-01", "CLI-14")
@pytest.mark.parametrize(
    ("operation", "model", "parsed"),
    [
        ("createResponse", Response, parsed_response),
        ("beta_createResponse", BetaResponse, lambda response, _: response.output_text),
        ("createChatCompletion", CreateChatCompletionResponse, parsed_chat),
    ],
)
def test_what_is_asked_for_as_a_model_raises_no_error_that_is_not_ours(operation: str, model: Any, parsed: Any) -> None:
    """Whatever is wrong in the answer, its text can be asked for, and how it came out."""
    rng = Random(operation)
    for wrong in (wrong for answer in answers(operation) for wrong in spoilt(answer, rng, 12)):
        try:
            whole = model.from_wire(written(wrong))
        except ValidationError:
            continue
        made = parsed(whole, Tower)
        for name in ("output_text", "parsed", "output_parsed"):
            if hasattr(type(made), name):
                ours(partial(getattr, made, name))
