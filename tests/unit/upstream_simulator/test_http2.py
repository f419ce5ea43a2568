from __future__ import annotations

from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from upstream_simulator.http2 import Http2Connection
from upstream_simulator.options import Options
from upstream_simulator.server import Server
from upstream_simulator.steps import Break

REQUEST = [(":method", "GET"), (":path", "/v1/models"), (":scheme", "https"), (":authority", "x")]


class Wire:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.data = b""
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.data += data

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True


@pytest.fixture
async def peers(monkeypatch: pytest.MonkeyPatch) -> tuple[Server, Http2Connection, Wire, Any]:
    """A server, its side of a connection, the wire, and a client's state machine."""
    monkeypatch.setattr("upstream_simulator.http2.asyncio.Transport", Wire)
    server, wire = Server(Options()), Wire()
    connection = Http2Connection(server)
    connection.connection_made(wire)  # type: ignore[arg-type]  # a transport as far as it is used
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    client.initiate_connection()
    return server, connection, wire, client


def ask(client: Any, connection: Http2Connection, wish: str) -> int:
    """Send a request; the number of its stream."""
    stream_id = client.get_next_available_stream_id()
    client.send_headers(stream_id, [*REQUEST, ("x-simulate", wish)], end_stream=True)
    connection.data_received(client.data_to_send())
    return int(stream_id)


def told(client: Any, wire: Wire) -> list[h2.events.Event]:
    """What the client has been told since the last time."""
    data, wire.data = wire.data, b""
    return list(client.receive_data(data))


@pytest.mark.requirement("SIM-06", "SIM-10", "TST-10")
async def test_a_goaway_keeps_its_promise(peers: tuple[Server, Http2Connection, Wire, Any]) -> None:
    """What runs above the last stream that it names is stopped, what comes above it is not even logged."""
    server, connection, wire, client = peers
    first = ask(client, connection, "stall=30")
    below = ask(client, connection, "stall=30")
    above = ask(client, connection, "stall=30")
    connection.break_off(connection._wires[below], Break("goaway", "NO_ERROR"))
    assert [exchange.left for exchange in server.log.since(0)] == ["open", "open", "cut"]
    assert (first, above) == (1, 5)
    assert set(connection._wires) == {first}
    late = ask(client, connection, "stall=30")
    assert late == 7
    assert len(server.log.since(0)) == 3
    assert not wire.is_closed
    gone = [event for event in told(client, wire) if isinstance(event, h2.events.ConnectionTerminated)]
    assert [event.last_stream_id for event in gone] == [first]
