from __future__ import annotations

import inspect
import pydoc
import subprocess
import sys
from types import MethodType
from typing import TYPE_CHECKING, Any

import pytest

from openai_client import AsyncClient, Client, ClientConfig
from openai_client._generated.commands.realtime import AsyncRealtimeSessionCommands, RealtimeSessionCommands
from openai_client._generated.families import FAMILIES
from openai_client._generated.fields.chat import CreateChatCompletionWholeFields
from openai_client._generated.operations.vector_stores import AsyncVectorStores, VectorStores
from openai_client.binding import AsyncResource, SyncResource
from openai_client.calling import CallKeywords
from openai_client.config import ClientSettings
from openai_client.signatures import LEFT_OUT, signature_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = (Client(api_key="sk-0123456789abcdef"), AsyncClient(api_key="sk-0123456789abcdef"))


def methods(resource: Any) -> Iterator[Any]:
    """Every method that is made of an operation or of a plan, of *resource* and what is in it."""
    for name in dir(type(resource)):
        found = None if name.startswith("_") else getattr(resource, name)
        if isinstance(found, SyncResource | AsyncResource):
            yield from methods(found)
        elif isinstance(found, MethodType) and hasattr(found, "build"):
            yield found


@pytest.mark.requirement("CLI-03")
def test_a_signature_shows_the_fields_and_what_every_call_takes() -> None:
    """What is needed comes first, and has no default; nothing is quoted, and nothing is an operation."""
    signature = inspect.signature(CLIENTS[0].chat.completions.create)
    names = list(signature.parameters)
    assert names[:2] == ["messages", "model"]
    assert set(names) == set(CreateChatCompletionWholeFields.__annotations__)
    assert set(names[-7:]) == set(CallKeywords.__annotations__)
    assert {item.kind for item in signature.parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert str(signature.parameters["temperature"]) == "temperature: float | None = ..."
    assert signature.parameters["temperature"].default is LEFT_OUT
    assert str(signature.parameters["stream"].annotation) == "bool | None"
    said = "CreateChatCompletionResponse | Stream[CreateChatCompletionStreamResponse]"
    assert str(signature).endswith(f") -> {said}")


@pytest.mark.parametrize(
    ("way", "returns"),
    [
        ("models.retrieve", ("Model", "Coroutine[Any, Any, Model]")),
        ("files.list", ("Page[OpenAIFile]", "Coroutine[Any, Any, AsyncPage[OpenAIFile]]")),
        ("files.download", ("Download", "AsyncDownload")),
        ("audio.speech.stream", ("Stream[{}]", "AsyncStream[{}]")),
        ("videos.poll", ("VideoResource", "Coroutine[Any, Any, VideoResource]")),
        ("images.generate", ("ImagesResponse | Stream[{}]", "Coroutine[Any, Any, ImagesResponse | AsyncStream[{}]]")),
    ],
)
def test_a_method_gives_what_its_colour_gives(way: str, returns: tuple[str, str]) -> None:
    """The same method of both clients."""
    events = {"audio.speech.stream": "CreateSpeechResponseStreamEvent", "images.generate": "ImageGenStreamEvent"}
    for client, expected in zip(CLIENTS, returns, strict=True):
        method: Any = client
        for name in way.split("."):
            method = getattr(method, name)
        assert inspect.signature(method).return_annotation == expected.format(events.get(way, ""))


@pytest.mark.requirement("CLI-03")
@pytest.mark.parametrize(
    ("way", "first", "own", "returns"),
    [
        ("chat.completions.parse", "response_format", "temperature", "ParsedChatCompletion[M]"),
        ("responses.parse", "text_format", "instructions", "ParsedResponse[M]"),
        ("uploads.upload_file_chunked", "file", "part_size", "Upload"),
    ],
)
def test_a_method_that_is_written_by_hand_shows_its_fields(way: str, first: str, own: str, returns: str) -> None:
    """Of two signatures the one with the fields."""
    for client, expected in zip(CLIENTS, (returns, f"Coroutine[Any, Any, {returns}]"), strict=True):
        method: Any = client
        for name in way.split("."):
            method = getattr(method, name)
        signature = inspect.signature(method)
        names = list(signature.parameters)
        assert names[0] == first
        assert own in names
        assert set(names[-7:]) == set(CallKeywords.__annotations__)
        assert {item.kind for item in signature.parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
        assert signature.return_annotation == expected
        assert method.__doc__


@pytest.mark.requirement("CLI-03", "RT-01")
def test_sessions_and_their_commands_show_what_they_take() -> None:
    """They are no calls, and what is sent in one takes only its own fields."""
    for client, colour in zip(CLIENTS, ("", "Async"), strict=True):
        signature = inspect.signature(client.realtime.connect)
        assert list(signature.parameters)[:3] == ["model", "call_id", "limits"]
        assert "extra_headers" in signature.parameters
        assert signature.return_annotation == f"{colour}RealtimeConnection"
        assert next(iter(inspect.signature(client.realtime.translations.connect).parameters)) == "model"
    shown = inspect.signature(RealtimeSessionCommands.update)
    assert list(shown.parameters)[:2] == ["self", "session"]
    assert "timeout" not in shown.parameters
    assert shown.return_annotation == "None"
    assert inspect.signature(AsyncRealtimeSessionCommands.update).return_annotation == "Coroutine[Any, Any, None]"


@pytest.mark.requirement("CLI-03", "CLI-04")
@pytest.mark.parametrize("made", [Client, AsyncClient, ClientConfig, CLIENTS[0].with_options])
def test_what_takes_settings_shows_them(made: Any) -> None:
    """One by one, with their types; a client's own arguments before them."""
    signature = inspect.signature(made)
    assert signature.parameters.keys() >= ClientSettings.__annotations__.keys()
    assert str(signature.parameters["base_url"]) == "base_url: str = ..."
    names = list(signature.parameters)
    assert names[0] == ("config" if inspect.isclass(made) and made is not ClientConfig else "api_key")


def test_parameters_of_the_path_come_first_and_keep_their_kind() -> None:
    """One stands by position, as in a call, the rest of them by name."""
    parameters = inspect.signature(CLIENTS[0].vector_stores.files.retrieve).parameters
    assert list(parameters)[:2] == ["file_id", "vector_store_id"]
    kinds = [item.kind for item in list(parameters.values())[:2]]
    assert kinds == [inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY]
    assert str(parameters["file_id"]) == "file_id: str"


@pytest.mark.parametrize("client", CLIENTS)
def test_no_method_hides_what_it_takes(client: Any) -> None:
    """All of them, those that wait included."""
    found = [method for family in FAMILIES for method in methods(getattr(client, family))]
    assert len(found) > 300
    for method in found:
        signature = inspect.signature(method)
        kinds = {item.kind for item in signature.parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds, method
        assert "Operation[" not in str(signature), method
        assert "Steps[" not in str(signature), method


def test_a_method_knows_what_it_is_called() -> None:
    """Help, completion and a traceback name the class that has it."""
    for kind, client in zip((VectorStores, AsyncVectorStores), CLIENTS, strict=True):
        method: Any = client.vector_stores.update
        assert (method.__name__, method.__qualname__) == ("update", f"{kind.__name__}.update")
        assert method.__module__ == kind.__module__
        assert method.__self__ is client.vector_stores
        assert method == client.vector_stores.update
        assert repr(method).startswith(f"<bound method {kind.__name__}.update of ")
        assert method.__doc__.startswith("Change the name")
        assert "`UpdateVectorStoreRequest`, as the last positional argument" in method.__doc__


def test_help_shows_a_method_and_a_class() -> None:
    """Of a class too, where nobody has made a client yet."""
    shown = pydoc.plain(pydoc.render_doc(CLIENTS[0].vector_stores.update))
    assert "update(vector_store_id: str, *, name: str | None = ...," in shown
    assert ") -> VectorStoreObject" in shown
    shown = pydoc.plain(pydoc.render_doc(AsyncVectorStores))
    assert "update(self, /, vector_store_id: str, *, name: str | None = ...," in shown
    assert "-> Coroutine[Any, Any, VectorStoreObject]" in shown


def test_where_the_source_cannot_be_read_the_fields_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution may have none."""
    shown = VectorStores.update._shown  # type: ignore[attr-defined] # of the function that a class has
    monkeypatch.setattr("openai_client.signatures._written", lambda *_: {}["nothing"])
    said = str(signature_of(shown))
    assert said == "(self, /, vector_store_id: str, **fields: Unpack[UpdateVectorStoreFields]) -> VectorStoreObject"


def test_nobody_pays_for_a_signature_that_was_not_asked_for() -> None:
    """A call loads nothing that only describes it."""
    code = (
        "import sys, openai_client; client = openai_client.Client(api_key='sk-0123456789abcdef');"
        "client.chat.completions.create; sys.exit('openai_client.signatures' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
