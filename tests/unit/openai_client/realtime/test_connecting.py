"""What is asked for before a session is opened, what stands in front of a client, and transports without sessions."""

from __future__ import annotations

from typing import Any, cast

import pytest

from http_util.client import build_async_client, build_client
from http_util.clock import SystemClock, SystemSyncClock
from openai_client import (
    AsyncClient,
    AsyncHttpTransport,
    AsyncSingleFlightClient,
    Client,
    ClientConfig,
    HttpTransport,
    InvalidConfiguration,
    SingleFlightClient,
)
from openai_client.errors import InvalidFieldValue
from openai_client.realtime import AsyncRealtimeConnection, RealtimeConnection, TranslationConnection
from openai_client.types import RealtimeClientEventResponseCreate

LOCAL: dict[str, Any] = {"base_url": "http://localhost:1/v1", "api_key": None}


@pytest.mark.requirement("RT-01")
def test_connecting_sends_nothing_and_checks_what_it_is_given() -> None:
    """A model or a call, not both, not an empty one; an argument that nobody knows."""
    with Client(**LOCAL) as client:
        assert isinstance(client.realtime.connect(model="m"), RealtimeConnection)
        assert isinstance(client.realtime.connect(), RealtimeConnection)
        assert isinstance(client.realtime.translations.connect(model="m"), TranslationConnection)
        for arguments in (
            {"model": "m", "call_id": "c"},
            {"model": " "},
            {"call_id": ""},
            {"model": "m", "x": 1},
            {"model": 7},
            {"call_id": b"c"},
            {"model": "m", "limits": {"max_queued": 1}},
        ):
            with pytest.raises(InvalidFieldValue):
                cast("Any", client.realtime.connect)(**arguments)
        with pytest.raises(InvalidFieldValue):
            client.realtime.translations.connect(model="")


@pytest.mark.requirement("RT-01")
def test_every_client_event_is_a_method_that_builds_it() -> None:
    """The way to it is its type; the class gives the function that builds the value."""
    from openai_client._generated.commands.realtime import RealtimeResponseCommands

    event = RealtimeResponseCommands.create.build(response={"instructions": "be brief"})
    assert event == RealtimeClientEventResponseCreate(response={"instructions": "be brief"})  # type: ignore[arg-type] - a mapping will do
    with Client(**LOCAL) as client:
        connection = client.realtime.connect(model="m")
        assert connection.response.create.__doc__ == "Return the event `response.create`."
        assert connection.conversation.item is connection.conversation.item


class Deaf:
    """A transport of somebody's own, which only sends."""

    def prepare(self) -> None:
        """Nothing to do."""


@pytest.mark.requirement("RT-01", "CLI-04")
async def test_a_transport_that_was_brought_along_is_not_gone_around() -> None:
    """One without sessions opens none, and neither does one over somebody's HTTP client."""
    config = ClientConfig(**LOCAL)
    with build_client(config.http) as http_client:
        mine = HttpTransport(config.http, clock=SystemSyncClock(), http_client=http_client)
        for transport, text in ((cast("Any", Deaf()), "Deaf opens no realtime sessions"), (mine, "http_client")):
            with pytest.raises(InvalidConfiguration, match=text):
                Client(config, transport=transport).realtime.connect(model="m").open()
    async with build_async_client(config.http) as async_client:
        other = AsyncHttpTransport(config.http, clock=SystemClock(), http_client=async_client)
        for transport, text in ((cast("Any", Deaf()), "Deaf opens no realtime sessions"), (other, "http_client")):
            with pytest.raises(InvalidConfiguration, match=text):
                await AsyncClient(config, transport=transport).realtime.connect(model="m").open()


@pytest.mark.requirement("RT-01")
async def test_what_stands_in_front_of_a_client_opens_its_sessions() -> None:
    """The refusal below comes from the client at the end of the row."""
    egress = {"http": {"egress": ["localhost:1"]}, "realtime_base_url": "wss://elsewhere.example/x"}
    with Client(**LOCAL, **egress) as client, pytest.raises(InvalidConfiguration, match="egress"):
        SingleFlightClient(client).realtime.connect(model="m").open()
    async with AsyncClient(**LOCAL, **egress) as client:
        connection = AsyncSingleFlightClient(client).realtime.connect(model="m")
        assert isinstance(connection, AsyncRealtimeConnection)
        with pytest.raises(InvalidConfiguration, match="egress"):
            await connection.open()


@pytest.mark.requirement("RT-03", "CLI-01")
def test_the_names_of_sessions_are_loaded_when_they_are_used() -> None:
    """A name that is none is an attribute error like any other."""
    import openai_client.realtime as package

    assert all(getattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = package.nothing
