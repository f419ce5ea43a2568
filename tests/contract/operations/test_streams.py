"""Every event that the description allows is understood, by `stream=True` and by the streaming method."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.contract.operations.asking import STREAM_FIELDS, Asked, covering, model_of, smallest, streamed
from tests.contract.operations.callers import document_of, surprises
from tests.contract.operations.checking import check_request
from tests.contract.operations.facts import EVENTS, NAMED_EVENTS, Fact, facts, properties_of
from tests.contract.operations.names import STREAMING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.operations.callers import ScriptedCaller

DONE: Final = b"data: [DONE]\n\n"
STREAMED: Final = [name for name, fact in facts().items() if fact.event is not None]
LAST: Final = {"response.completed", "response.failed", "response.incomplete"}
"""Events after which nothing follows: each of them has a stream of its own here."""


@cache
def events(operation_id: str) -> tuple[Any, ...]:
    """Events that hold, together, everything that the description allows."""
    schema = facts()[operation_id].event
    assert schema is not None
    made = covering(json.dumps(schema))
    # some of those with a name are described with more than what a stream has room for
    return tuple(
        {key: event[key] for key in ("event", "data")} if is_named(facts()[operation_id]) else event for event in made
    )


def is_named(fact: Fact) -> bool:
    """Tell whether the kind of an event stands outside of its data."""
    assert fact.event is not None
    return fact.event["$ref"].rpartition("/")[2] in NAMED_EVENTS


def framed(fact: Fact, event: Any) -> bytes:
    """The event as it is sent."""
    if not is_named(fact):
        return b"data: %b\n\n" % json.dumps(event).encode()
    data = event["data"] if event["event"] == "done" else json.dumps(event["data"])
    return f"event: {event['event']}\ndata: {data}\n\n".encode()


def is_error(fact: Fact, event: Any) -> bool:
    """Tell whether the event reports that the stream has failed: it is raised and not handed out."""
    return event.get("event" if is_named(fact) else "type") == "error"


def is_mark(fact: Fact, event: Any) -> bool:
    """Tell whether the event is the closing mark."""
    return is_named(fact) and event["event"] == "done"


def asking_for_stream(operation_id: str) -> Asked:
    """The smallest call that streams."""
    fact = facts()[operation_id]
    asked = replace(smallest(fact), streams=True)
    return asked if fact.bodies else replace(asked, query={**asked.query, "stream": True})


def runs(fact: Fact) -> Iterator[list[Any]]:
    """The events in streams: all that others may follow in one, each of the last ones and the errors alone."""
    every = [event for event in events(fact.operation_id) if not is_mark(fact, event)]
    alone = [event for event in every if is_error(fact, event) or event.get("type") in LAST]
    yield [event for event in every if event not in alone]
    yield from ([event] for event in alone)


def test_every_operation_that_takes_stream_streams() -> None:
    """The description has the field, or the events, and the client the method."""
    takes = {
        name
        for name, fact in facts().items()
        if any(item.name == "stream" for item in fact.of("query"))
        or any("stream" in properties_of(schema) for schema in fact.bodies.values())
    }
    assert takes | STREAM_FIELDS.keys() == set(STREAMED) == set(STREAMING)


@pytest.mark.requirement("CLI-10", "FWD-01", "TYP-04", "TYP-12")
@pytest.mark.parametrize("operation", STREAMED)
async def test_every_event_is_understood_and_written_back_whole(operation: str, caller: ScriptedCaller) -> None:
    """Each kind has a model of its own; what follows an event's end or an error is another matter."""
    fact, asked = facts()[operation], asking_for_stream(operation)
    for run in runs(fact):
        caller.answers(b"".join(framed(fact, event) for event in run) + DONE, kind=EVENTS)
        found, error = await caller.streamed(whole_fields(asked), way_of(asked))
        assert [document_of(event) for event in found] == [event for event in run if not is_error(fact, event)]
        assert [surprise for event in found for surprise in surprises(event)] == []
        assert (error is not None) is any(reports_failure(fact, event) for event in run)


def way_of(asked: Asked) -> Any:
    """None for keywords, or the model where no keyword asks for a stream."""
    return model_of(asked.fact, asked.content_type) if asked.fact.operation_id in STREAM_FIELDS else None


def reports_failure(fact: Fact, event: Any) -> bool:
    """Tell whether an event says that there will be no answer."""
    return is_error(fact, event) or (event.get("type") in LAST and event["response"].get("error") is not None)


@pytest.mark.requirement("CLI-10")
@pytest.mark.parametrize("operation", STREAMED)
async def test_a_stream_is_asked_for_by_a_keyword_or_by_its_method(operation: str, caller: ScriptedCaller) -> None:
    """Both make the same request, which accepts events and says so in its body or its query."""
    fact, asked = facts()[operation], asking_for_stream(operation)
    caller.answers(DONE, kind=EVENTS)
    ways = [model_of(fact, asked.content_type) if fact.bodies else dict]
    for model in [*([None] if operation not in STREAM_FIELDS else []), *ways]:
        await caller.streamed(whole_fields(asked), model)
        assert caller.request.headers["accept"] == EVENTS
        check_request(caller.request, replace(asked, body=streamed(fact, asked.body)) if fact.bodies else asked)


def whole_fields(asked: Asked) -> Asked:
    """The same call without the field that asks for the stream, which the method gives."""
    query = {name: value for name, value in asked.query.items() if name != "stream"}
    return replace(asked, query=query)
