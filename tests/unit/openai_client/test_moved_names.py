"""Names that the official SDK has and this client has not are told with what stands in their place."""

from __future__ import annotations

import copy
import pickle
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from http_util.testing import Answer
from openai_client import AsyncClient, Client, InvalidConfiguration, OpenAIError
from openai_client.errors import NotFound
from openai_client.moved_names import PointsOn
from openai_client.types import Model
from tests.unit.openai_client.conftest import Pair

if TYPE_CHECKING:
    from collections.abc import Callable

    MakePair = Callable[..., Pair]

KEY = "sk-0123456789abcdef"
CLIENTS = (Client(api_key=KEY), AsyncClient(api_key=KEY))
FILES = b'{"data": [{"id": "f-1"}], "has_more": false}'


@pytest.mark.requirement("CLI-MIG-01")
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("copy", "with_options"),
        ("post", r"client\.request\("),
        ("get", r"client\.request\("),
        ("with_streaming_response", r"client\.files\.download"),
        ("with_raw_response", "metadata_of"),
    ],
)
def test_a_client_points_on(client: Any, name: str, told: str) -> None:
    """And still has no such attribute, for whoever asks whether it has."""
    assert not hasattr(client, name)
    with pytest.raises(AttributeError, match=rf"Client' object has no attribute '{name}'; .*{told}") as caught:
        getattr(client, name)
    assert (caught.value.name, caught.value.obj) == (name, client)


@pytest.mark.requirement("CLI-MIG-01")
def test_an_async_client_is_closed_by_its_own_name() -> None:
    """A blocking one has `close`."""
    with pytest.raises(AttributeError, match=r"await client\.aclose\(\)"):
        _ = CLIENTS[1].close  # type: ignore[attr-defined] # what is shown here
    assert callable(CLIENTS[0].close)


@pytest.mark.requirement("CLI-MIG-01")
@pytest.mark.parametrize("client", CLIENTS)
def test_resources_point_on(client: Any) -> None:
    """Also from the methods with the heads of their answers, which have no `parse`."""
    with pytest.raises(AttributeError, match=r"client\.files\.download"):
        _ = client.audio.speech.with_streaming_response
    with pytest.raises(AttributeError, match=r"metadata_of\(answer\)"):
        _ = client.chat.completions.with_raw_response.parse
    with pytest.raises(AttributeError, match=r"^'\w+' object has no attribute 'nothing'$"):
        _ = client.models.nothing


@pytest.mark.requirement("CLI-MIG-01", "CLI-18")
async def test_pages_models_and_streams_point_on(pair: MakePair) -> None:
    """What a call returned."""
    made = pair(Answer.json(FILES), Answer.events(b'{"choices": []}'))
    page = await made.call(lambda client: client.files.list())
    for name, told in (("has_next_page", "has_next"), ("get_next_page", r"next_page\(\)"), ("iter_pages", r"auto\(\)")):
        with pytest.raises(AttributeError, match=told):
            getattr(page, name)
    for name, told in (("to_dict", r"model_dump\("), ("to_json", r"wire_bytes\(\)")):
        with pytest.raises(AttributeError, match=told):
            getattr(page.data[0], name)
    stream = made.client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "Hi"}])
    for name, told in (("get_final_completion", r"collect\(\)"), ("text_stream", r"text_deltas\(\)")):
        with pytest.raises(AttributeError, match=told):
            getattr(stream, name)


@pytest.mark.requirement("CLI-MIG-01", "FWD-01")
def test_a_field_that_an_upstream_calls_so_is_a_field() -> None:
    """Vendors name theirs as they like."""
    model: Any = Model.from_wire(b'{"id": "m", "to_dict": 7}')
    assert model.to_dict == 7
    with pytest.raises(AttributeError, match=r"no attribute 'to_json'; wire_bytes"):
        _ = model.to_json
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        _ = model.nothing


@pytest.mark.requirement("CLI-MIG-01", "ERR-07")
def test_errors_point_on() -> None:
    """And copy and pickle as before."""
    error: Any = NotFound("no", http_status=404)
    for name, told in (("status_code", "http_status"), ("request_id", "upstream_request_id"), ("body", "param, code")):
        with pytest.raises(AttributeError, match=told):
            getattr(error, name)
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        _ = error.nothing
    assert pickle.loads(pickle.dumps(error)) == copy.copy(error) == error
    assert isinstance(error, OpenAIError)


async def test_a_page_that_is_iterated_as_a_stream_says_how_it_is() -> None:
    """A `for` over its items, or all items."""
    made = Pair("async", Answer.json(FILES))
    page = await made.call(lambda client: client.files.list())
    with pytest.raises(TypeError, match=r"iterated with `for`.* `async for item in page\.auto\(\)`"):
        async for _ in page:
            pass
    assert [file.id for file in page] == ["f-1"]


def test_what_goes_wrong_in_a_property_is_told_as_it_is() -> None:
    """The attribute that is missing is another one."""

    class Holder(PointsOn):
        _moved = MappingProxyType({"old": "new"})

        @property
        def broken(self) -> object:
            return {}.nothing  # type: ignore[attr-defined] # the fault

    with pytest.raises(AttributeError, match=r"'dict' object has no attribute 'nothing'"):
        _ = Holder().broken


@pytest.mark.requirement("CLI-04", "CLI-MIG-01")
@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"base_ur": "x"}, r"base_ur \(did you mean 'base_url'\?\); known are admin_api_key, "),
        ({"transprt": 1}, r"transprt \(did you mean 'transport'\?\); known are .*, clock, .*, middleware, .*, rng, "),
        ({"http_client": 1}, r"http_client \(give transport=HttpTransport\("),
        ({"websocket_base_url": "x"}, r"websocket_base_url \(it is realtime_base_url\)"),
        ({"azure_endpoint": "x"}, r"azure_endpoint \(use Client\(\*\*azure\("),
        ({"proxy": "x"}, r"proxy \(give it as http=\{'proxy': \.\.\.\}\)"),
        ({"zzz": 1}, r"unknown settings: zzz; known are"),
    ],
)
def test_an_unknown_setting_is_told_with_the_one_that_is_meant(kind: Any, settings: dict[str, Any], told: str) -> None:
    """By its own name, by that of the official SDK, or as one of the connection."""
    with pytest.raises(InvalidConfiguration, match=told) as caught:
        kind(api_key=KEY, **settings)
    assert len(caught.value.message) < 512
    assert KEY not in caught.value.message


@pytest.mark.requirement("CLI-04")
def test_settings_of_a_client_that_shares_connections_are_told_without_what_they_are() -> None:
    """A transport cannot be replaced."""
    with pytest.raises(InvalidConfiguration, match="unknown settings: transport; known are") as caught:
        CLIENTS[0].with_options(transport=1)  # type: ignore[call-arg] # what is shown here
    assert "middleware" not in caught.value.message
