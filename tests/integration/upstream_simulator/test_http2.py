"""The same server over HTTP/2 and TLS, frame by frame."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import h2.errors
import h2.events
import h2.exceptions
import pytest

import upstream_simulator
from tests.lateness import in_time, late_only_once

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.integration, pytest.mark.requirement("SIM-10")]
Client = Any


def body_of(events: list[h2.events.Event]) -> bytes:
    """Join the data of all events."""
    return b"".join(event.data for event in events if isinstance(event, h2.events.DataReceived))


def only(kind: type[Any], events: list[Any]) -> Any:
    """Give the one event of a kind."""
    (found,) = [event for event in events if isinstance(event, kind)]
    return found


def test_a_stream_comes_in_data_frames_one_a_token(h2_client: Callable[..., Client], simulator: Any) -> None:
    """ALPN chooses h2; status, events and the end of the stream arrive; the log says h2."""
    client = h2_client()
    client.ask()
    events = client.until(h2.events.StreamEnded)
    assert dict(only(h2.events.ResponseReceived, events).headers)[":status"] == "200"
    assert body_of(events).endswith(b"data: [DONE]\n\n")
    assert sum(isinstance(event, h2.events.DataReceived) for event in events) >= 8
    (exchange,) = simulator.log(settle=1)
    assert (exchange.protocol, exchange.left, exchange.tokens) == ("h2", "completed", 6)


@late_only_once
def test_a_reset_stream_stops_within_100_ms_and_spares_its_neighbour(
    h2_client: Callable[..., Client], simulator: Any
) -> None:
    """RST_STREAM ends one generation; the other stream of the connection goes on."""
    client = h2_client()
    ends, stays = client.ask("tokens_per_second=100;tokens=10000"), client.ask("tokens_per_second=100;tokens=30")
    client.until(h2.events.DataReceived)
    client.h2.reset_stream(ends, error_code=h2.errors.ErrorCodes.CANCEL)
    client.flush()
    left_at = time.monotonic()
    events = client.until(h2.events.StreamEnded)
    assert only(h2.events.StreamEnded, events).stream_id == stays
    gone, done = simulator.log(settle=2)
    assert (gone.left, done.left) == ("reset", "completed")
    in_time(gone.ended_at - left_at, 0.1, "noticing it")
    assert done.tokens == 30


def test_a_closed_connection_stops_all_its_streams(h2_client: Callable[..., Client], simulator: Any) -> None:
    """FIN ends every generation of the connection."""
    client = h2_client()
    client.ask("stall=30")
    client.ask("tokens_per_second=20;tokens=1000")
    client.until(h2.events.DataReceived)
    client.sock.close()
    assert {exchange.left for exchange in simulator.log(settle=2)} <= {"disconnected", "reset"}
    assert all(exchange.ended_at is not None for exchange in simulator.log())


def test_a_small_window_holds_the_generation_back(h2_client: Callable[..., Client], simulator: Any) -> None:
    """No byte beyond the client's window is sent, and what waits is sent once it opens."""
    client = h2_client(window=500)
    stream_id = client.ask("tokens=50")
    held = client.until(h2.events.DataReceived, acknowledge=False)
    while len(body_of(held)) < 500:
        held += client.read()
    (exchange,) = simulator.log(settle=0.05)
    assert (len(body_of(held)), exchange.left) == (500, "open")
    assert exchange.tokens <= 3
    client.h2.increment_flow_control_window(100_000, stream_id)
    client.flush()
    rest = client.until(h2.events.StreamEnded)
    assert (body_of(held) + body_of(rest)).endswith(b"data: [DONE]\n\n")


@pytest.mark.requirement("SIM-06", "TST-10")
def test_a_stream_is_refused(h2_client: Callable[..., Client], simulator: Any) -> None:
    """REFUSED_STREAM comes before any header, and the connection stays usable."""
    client = h2_client()
    client.ask("refuse_stream")
    reset = only(h2.events.StreamReset, client.until(h2.events.StreamReset))
    assert reset.error_code == h2.errors.ErrorCodes.REFUSED_STREAM
    client.ask()
    client.until(h2.events.StreamEnded)
    assert [exchange.left for exchange in simulator.log(settle=1)] == ["cut", "completed"]


@pytest.mark.requirement("SIM-06", "TST-10")
@pytest.mark.parametrize(
    ("wish", "code"), [("", "INTERNAL_ERROR"), (";h2_error=ENHANCE_YOUR_CALM", "ENHANCE_YOUR_CALM")]
)
def test_a_stream_is_reset_at_a_byte(h2_client: Callable[..., Client], wish: str, code: str) -> None:
    """RST_STREAM with the chosen error comes after exactly the bytes before the cut."""
    client = h2_client()
    client.ask(f"cut=700{wish}")
    events = client.until(h2.events.StreamReset)
    assert len(body_of(events)) == 700
    assert only(h2.events.StreamReset, events).error_code == h2.errors.ErrorCodes[code]


@pytest.mark.requirement("SIM-06", "TST-10")
def test_goaway_below_a_stream_says_that_it_was_not_processed(h2_client: Callable[..., Client]) -> None:
    """GOAWAY names the stream before, then the connection ends."""
    client = h2_client()
    client.ask()
    client.until(h2.events.StreamEnded)
    stream_id = client.ask("goaway=below;h2_error=NO_ERROR")
    goaway = only(h2.events.ConnectionTerminated, client.until(h2.events.ConnectionTerminated))
    assert (goaway.last_stream_id, goaway.error_code) == (stream_id - 2, h2.errors.ErrorCodes.NO_ERROR)
    assert client.sock.recv(65536) == b""


@pytest.mark.requirement("SIM-06", "TST-10")
def test_goaway_that_allows_a_stream_lets_it_end(h2_client: Callable[..., Client]) -> None:
    """The answer is complete, GOAWAY comes with it, the connection ends."""
    client = h2_client()
    stream_id = client.ask("goaway=allowed")
    events = client.until(h2.events.ConnectionTerminated)
    assert body_of(events).endswith(b"data: [DONE]\n\n")
    assert only(h2.events.ConnectionTerminated, events).last_stream_id == stream_id


@pytest.mark.requirement("SIM-06", "TST-10")
@pytest.mark.parametrize("how", ["close", "goaway"])
def test_a_connection_is_cut_under_a_stream(h2_client: Callable[..., Client], how: str) -> None:
    """The bytes before the cut come, then the end of the connection, with or without GOAWAY."""
    client = h2_client()
    client.ask(f"cut_after_tokens=2;cut_by={how}")
    events = client.rest()
    assert body_of(events).count(b"data: ") == 3
    assert any(isinstance(event, h2.events.ConnectionTerminated) for event in events) is (how == "goaway")


def test_http1_is_spoken_over_tls_too(simulator: Any) -> None:
    """A client that offers no h2 gets HTTP/1.1 on the same port, and a TCP reset is a TCP reset."""
    place = urlsplit(simulator.tls_base_url)
    context = ssl.create_default_context(cafile=simulator.ca_file)
    raw = socket.create_connection((place.hostname, place.port), timeout=5)
    with context.wrap_socket(raw, server_hostname="localhost") as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        data = b""
        while piece := sock.recv(65536):
            data += piece
    assert data.endswith(b'{"status":"ok"}')


def test_a_reset_connection_is_logged_as_reset(h2_client: Callable[..., Client], simulator: Any) -> None:
    """RST on the TCP connection below is no orderly end."""
    client = h2_client()
    client.ask("stall=30;stall_at=body")
    client.until(h2.events.ResponseReceived)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sock.close()
    (exchange,) = simulator.log(settle=2)
    assert exchange.left == "reset"


def test_what_is_no_http2_ends_the_connection(simulator: Any) -> None:
    """Bytes that break the protocol get a GOAWAY and the end."""
    place = urlsplit(simulator.tls_base_url)
    context = ssl.create_default_context(cafile=simulator.ca_file)
    context.set_alpn_protocols(["h2"])
    raw = socket.create_connection((place.hostname, place.port), timeout=5)
    with context.wrap_socket(raw, server_hostname="localhost") as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x05\x00\x00\x00\x00\x00\x00hello")
        data = b""
        while piece := sock.recv(65536):
            data += piece
    assert data[3] == 4


def test_http2_can_be_left_out() -> None:
    """With http2=False the TLS port offers HTTP/1.1 alone."""
    with upstream_simulator.start(tls_port=0, http2=False) as simulator:
        place = urlsplit(str(simulator.tls_base_url))
        context = ssl.create_default_context(cafile=simulator.ca_file)
        context.set_alpn_protocols(["h2", "http/1.1"])
        raw = socket.create_connection((place.hostname, place.port), timeout=5)
        with context.wrap_socket(raw, server_hostname="localhost") as sock:
            assert sock.selected_alpn_protocol() == "http/1.1"


def test_a_connection_is_closed_unannounced(h2_client: Callable[..., Client]) -> None:
    """hangs_up ends the connection behind the answer, without GOAWAY."""
    client = h2_client()
    client.ask("hangs_up")
    events = client.rest()
    assert any(isinstance(event, h2.events.StreamEnded) for event in events)
    assert not any(isinstance(event, h2.events.ConnectionTerminated) for event in events)


def test_a_header_that_http2_forbids_is_sent_all_the_same(simulator: Any, h2_client: Callable[..., Client]) -> None:
    """The simulator writes what the fault says, whatever h2 thinks of it."""
    simulator.script({"headers": {"x-bad": "a\r\nb"}})
    client = h2_client()
    client.ask()
    with pytest.raises(h2.exceptions.ProtocolError, match=r"x-bad|Illegal"):
        client.until(h2.events.StreamEnded)


def test_a_client_that_says_goaway_has_left(h2_client: Callable[..., Client], simulator: Any) -> None:
    """Its streams stop, and the connection ends."""
    client = h2_client()
    client.ask("stall=30;stall_at=body")
    client.until(h2.events.ResponseReceived)
    client.h2.close_connection()
    client.flush()
    while client.sock.recv(65536):
        pass
    (exchange,) = simulator.log(settle=2)
    assert exchange.left == "disconnected"


def test_a_client_that_does_not_read_gets_everything_in_the_end(
    h2_client: Callable[..., Client], simulator: Any, arrived: Callable[[], Any]
) -> None:
    """With windows wide open the socket itself holds the reply back, and lets it go on."""
    client = h2_client(window=2**31 - 1)
    client.h2.increment_flow_control_window(2**30)
    client.flush()
    client.ask("huge=30000000;tokens=1000")
    before, after = -1, 0
    while before != after:
        simulator.log(settle=0.2)
        before, after = after, arrived().tokens
    assert after < 1000
    size, ended = 0, False
    while not ended:
        for event in client.read():
            size += len(event.data) if isinstance(event, h2.events.DataReceived) else 0
            ended = ended or isinstance(event, h2.events.StreamEnded)
    assert size > 30_000_000
    (exchange,) = simulator.log(settle=1)
    assert (exchange.left, exchange.tokens) == ("completed", 1000)


def test_a_request_may_name_its_host_in_a_header(h2_client: Callable[..., Client], simulator: Any) -> None:
    """A request without :authority and without a body is answered."""
    client = h2_client()
    headers = [(":method", "GET"), (":path", "/health"), (":scheme", "https"), ("host", "named")]
    client.h2.send_headers(1, headers, end_stream=True)
    client.flush()
    assert body_of(client.until(h2.events.StreamEnded)) == b'{"status":"ok"}'
    (exchange,) = simulator.log(settle=1)
    assert dict(exchange.headers)["host"] == "named"


def test_a_request_that_is_reset_before_it_is_complete_is_forgotten(
    h2_client: Callable[..., Client], simulator: Any
) -> None:
    """Nothing is logged, and the connection goes on."""
    client = h2_client()
    stream_id = client.h2.get_next_available_stream_id()
    client.h2.send_headers(stream_id, [(":method", "POST"), (":path", "/x"), (":scheme", "https"), (":authority", "x")])
    client.h2.reset_stream(stream_id)
    client.ask()
    client.until(h2.events.StreamEnded)
    assert [exchange.path for exchange in simulator.log(settle=1)] == ["/v1/chat/completions"]
