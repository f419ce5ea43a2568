from __future__ import annotations

import inspect
import traceback
from typing import Any

import pytest
from pydantic import BaseModel

from openai_client._generated.operations.chat import ChatCompletions as Completions
from openai_client.binding import (
    AsyncResource,
    SyncResource,
    download_endpoint,
    endpoint,
    page_endpoint,
    stream_endpoint,
)
from openai_client.errors import InvalidFieldValue, MissingRequiredField, SerializationError
from openai_client.operation import (
    CLIENT_DEFAULTS,
    CallOptions,
    Operation,
    PageOperation,
    StreamOperation,
    as_text,
    path,
)
from openai_client.raw_calls import RawCalls


def retrieve(name: str, *, options: CallOptions = CLIENT_DEFAULTS) -> Operation[str]:
    """Return one thing."""
    return Operation(operation_id="one", method="GET", path=path("/{name}", name=name), parse=as_text, options=options)


def follow(name: str) -> StreamOperation[str]:
    """Stream one thing."""
    return StreamOperation(operation_id="flow", method="POST", path=path("/{name}", name=name), parse_event=as_text)


def listing() -> PageOperation[str]:
    """List things."""
    return PageOperation(operation_id="all", method="GET", path="/", parse=lambda data: [data])


class _Things:
    fetch = download_endpoint(retrieve)
    retrieve = endpoint(retrieve)
    follow = stream_endpoint(follow)
    list = page_endpoint(listing)


class Things(_Things, SyncResource):
    """Things, blocking."""


class AsyncThings(_Things, AsyncResource):
    """Things, awaited."""


class Recorder:
    """A client that answers with what it was asked to do."""

    def execute(self, *asked: Any) -> Any:
        """Return what was asked."""
        return ("execute", *asked)

    def open_stream(self, *asked: Any) -> Any:
        """Return what was asked."""
        return ("open_stream", *asked)

    def open_download(self, *asked: Any) -> Any:
        """Return what was asked."""
        return ("open_download", *asked)

    def fetch_page(self, *asked: Any) -> Any:
        """Return what was asked."""
        return ("fetch_page", *asked)

    def __repr__(self) -> str:
        return "Recorder()"


class FailingClient(Recorder):
    """A client whose calls fail."""

    def execute(self, *asked: Any) -> Any:
        """Fail."""
        raise ConnectionError

    open_stream = execute


class AsyncRecorder(Recorder):
    """The same for an event loop."""

    async def execute(self, *asked: Any) -> Any:
        """Return what was asked."""
        return ("execute", *asked)


@pytest.mark.requirement("CLI-03")
@pytest.mark.parametrize("resource", [Things(Recorder()), AsyncThings(Recorder())])
def test_each_descriptor_asks_its_client_for_its_own_kind_of_call(resource: Any) -> None:
    """Documents are executed, streams and downloads opened, pages fetched, each with the operation's options."""
    options = CallOptions(timeout=1.0)
    assert resource.retrieve("a", options=options) == ("execute", retrieve("a", options=options), options)
    assert resource.follow("a") == ("open_stream", follow("a"), CLIENT_DEFAULTS)
    assert resource.fetch("a") == ("open_download", retrieve("a"), CLIENT_DEFAULTS)
    kind, operation, _ = resource.list()
    assert (kind, operation.operation_id) == ("fetch_page", "all")


@pytest.mark.requirement("CLI-03")
async def test_on_an_event_loop_the_result_is_awaited() -> None:
    """A wrong argument still fails at the call, before anything is awaited."""
    things = AsyncThings(AsyncRecorder())
    assert (await things.retrieve("a"))[0] == "execute"
    with pytest.raises(InvalidFieldValue, match=r"^name: must be"):
        things.retrieve("")


def test_a_bound_method_keeps_name_signature_and_docstring() -> None:
    """Help and completion show the operation's own."""
    bound = Things(Recorder()).retrieve
    assert (bound.__name__, bound.__doc__) == ("retrieve", "Return one thing.")
    assert list(inspect.signature(bound).parameters) == ["name", "options"]


def test_on_the_class_the_descriptor_gives_the_function_that_makes_the_value() -> None:
    """A test or a batch can have the operation without a client."""
    assert Things.retrieve.build is retrieve
    assert Things.follow.build("a") == follow("a")
    assert Things.list.__doc__ == "List things."


def test_a_resource_shows_its_client() -> None:
    """And nothing else."""
    assert repr(Things(Recorder())) == "Things(Recorder())"
    assert repr(AsyncThings(Recorder())) == "AsyncThings(Recorder())"


@pytest.mark.requirement("SEC-01")
@pytest.mark.parametrize(
    "wrong", [{"messages": "PROMPT"}, {"nothing": 1}, {"timeout": -1}, {"extra_body": {"model": 1}}]
)
def test_no_frame_of_a_refused_call_shows_a_prompt(wrong: dict[str, Any]) -> None:
    """Nor does that of a call that fails later: what was given is dropped before the call is made."""
    resource = Completions(FailingClient())
    for given in (wrong, {}, {"stream": True}):
        fields: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "PROMPT"}], **given}
        with pytest.raises((InvalidFieldValue, ConnectionError)) as caught:
            resource.create(**fields)
        frames = [frame for frame, _ in traceback.walk_tb(caught.tb) if "openai_client" in frame.f_globals["__name__"]]
        ours = [frame for frame in frames if not frame.f_globals["__name__"].startswith("tests.")]
        assert ours
        assert "PROMPT" not in repr([frame.f_locals for frame in ours])


@pytest.mark.parametrize(("args", "kwargs"), [((None,), {}), ((), {"body": None})])
def test_none_is_no_body(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """A request without one would be sent for nothing."""
    with pytest.raises(MissingRequiredField, match="messages: must be given"):
        Completions(Recorder()).create(*args, **kwargs)


class Failing(RawCalls):
    """The raw calls of a client whose calls fail."""

    def with_metadata(self, *asked: Any) -> Any:
        """Fail."""
        raise ConnectionError

    open_stream = with_metadata


class Answered(BaseModel):
    """What a model shall answer with."""

    word: str


@pytest.mark.requirement("SEC-01", "CLI-19")
@pytest.mark.parametrize("body", [{"prompt": "PROMPT"}, {"prompt": {"PROMPT"}}])
@pytest.mark.parametrize("kind", ["request", "request_stream", "parse"])
def test_no_frame_of_a_raw_or_a_parsed_call_shows_a_prompt(body: dict[str, Any], kind: str) -> None:
    """Neither when it fails nor when it cannot be made."""
    calls = {
        "request": lambda: Failing().request("POST", "/x", body=body),
        "request_stream": lambda: Failing().request_stream("POST", "/x", body=body),
        "parse": lambda: Completions(FailingClient()).parse(
            model="m", messages=[{"role": "user", "content": body["prompt"]}], response_format=Answered
        ),
    }
    with pytest.raises((InvalidFieldValue, SerializationError, ConnectionError)) as caught:
        calls[kind]()
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb)]
    ours = [frame for frame in frames if frame.f_globals["__name__"].startswith("openai_client")]
    assert ours
    assert "PROMPT" not in repr([frame.f_locals for frame in ours])
