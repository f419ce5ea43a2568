"""The hand-over of a connection to its protocol, and the talk with a proxy: callbacks in all orders that loops have."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from http_util.engine.arrival import Arrival, Tunnelling
from http_util.engine.proxies import ConnectDialog, ProxyRefusal


class Transport:
    """Notes what is done with it."""

    def __init__(self, alpn: str | None = None, *, is_tls: bool = False) -> None:
        self.tls = SimpleNamespace(selected_alpn_protocol=lambda: alpn) if is_tls else None
        self.calls: list[Any] = []
        self.protocol: Any = None

    def get_extra_info(self, name: str) -> Any:
        assert name == "ssl_object"
        return self.tls

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def abort(self) -> None:
        self.calls.append("abort")


class Notes(asyncio.Protocol):
    """Notes the callbacks that reach it."""

    def __init__(self, alpn: str | None = None) -> None:
        self.alpn = alpn
        self.calls: list[Any] = []

    def connection_made(self, transport: Any) -> None:
        assert transport.protocol is self
        self.calls.append("made")

    def data_received(self, data: bytes) -> None:
        self.calls.append(data)

    def eof_received(self) -> None:
        self.calls.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self.calls.append(exc)


@pytest.mark.parametrize(
    ("transport", "alpn"),
    [
        (Transport(), None),
        (Transport(is_tls=True), None),
        (Transport("h2", is_tls=True), "h2"),
        (Transport("http/1.1", is_tls=True), "http/1.1"),
    ],
)
def test_the_protocol_is_made_for_what_alpn_chose_and_is_in_place_when_it_hears_of_the_connection(
    transport: Transport, alpn: str | None
) -> None:
    """No byte can come in between."""
    arrival = Arrival(Notes)
    arrival.connection_made(transport)
    protocol = arrival.taken()
    assert (protocol.alpn, protocol.calls, transport.protocol) == (alpn, ["made"], protocol)


def test_what_came_before_the_hand_over_is_passed_on_in_its_order() -> None:
    """As after start_tls, where the loop says that the connection stands one turn late."""
    arrival = Arrival(Notes)
    arrival.data_received(b"first")
    arrival.data_received(b"second")
    arrival.eof_received()
    arrival.connection_made(Transport("h2", is_tls=True))
    assert arrival.taken().calls == ["made", b"first", b"second", "eof"]


def test_a_loss_that_the_loop_had_planned_for_the_stand_in_reaches_the_protocol() -> None:
    """asyncio's TLS names the receiver a turn before it calls it."""
    arrival = Arrival(Notes)
    arrival.connection_made(Transport())
    arrival.connection_lost(error := OSError())
    assert arrival.taken().calls == ["made", error]


@pytest.mark.parametrize("error", [None, ConnectionAbortedError()])
def test_a_connection_that_is_lost_before_the_hand_over_gets_no_protocol(error: Exception | None) -> None:
    """Whoever waits for it is told why."""
    arrival = Arrival(Notes)
    arrival.connection_lost(error)
    arrival.connection_made(transport := Transport())
    with pytest.raises(ConnectionResetError if error is None else ConnectionAbortedError):
        arrival.taken()
    assert transport.protocol is None


def test_a_fault_of_the_protocol_is_raised_where_somebody_waits() -> None:
    """The loop would log it and go on."""

    def broken(alpn: str | None) -> Notes:
        raise ZeroDivisionError

    arrival = Arrival(broken)
    arrival.connection_made(transport := Transport())
    with pytest.raises(ZeroDivisionError):
        arrival.taken()
    arrival.abort()
    assert transport.calls == ["abort"]


def test_nothing_is_aborted_that_never_stood() -> None:
    """Both stand-ins may be given up early."""
    Arrival(Notes).abort()


GOOD = b"HTTP/1.1 200 OK\r\n\r\n"


def tunnelling() -> Tunnelling:
    """A talk with an HTTP proxy."""
    return Tunnelling(ConnectDialog("a.example", 443, user_agent="tests"))


def feed(talk: Tunnelling, data: bytes) -> int:
    """Give what there is room for, as loops do, and return how much that was."""
    room = talk.get_buffer(-1)
    size = min(len(room), len(data))
    room[:size] = data[:size]
    talk.buffer_updated(size)
    return size


async def test_no_byte_behind_a_proxys_answer_is_read_from_a_socket() -> None:
    """There is never room for it, and reading stops when the tunnel stands."""
    talk, transport = tunnelling(), Transport()
    talk.connection_made(transport)
    assert transport.calls.pop().startswith(b"CONNECT a.example:443 ")
    left = GOOD + b"behind"
    while not transport.calls:
        left = left[feed(talk, left) :]
    assert (left, transport.calls) == (b"behind", ["pause"])
    await talk.stands()


async def test_over_tls_all_is_read_at_once_and_more_than_an_answer_is_a_fault() -> None:
    """What asyncio cannot hand over before the connection closes is lost, so nothing is left with it."""
    talk, transport = tunnelling(), Transport(is_tls=True)
    talk.connection_made(transport)
    assert feed(talk, GOOD) == len(GOOD)
    await talk.stands()
    talk, transport = tunnelling(), Transport(is_tls=True)
    talk.connection_made(transport)
    feed(talk, GOOD + b"behind")
    assert transport.calls[-1] == "abort"
    with pytest.raises(ProxyRefusal, match="the proxy sent more than an answer"):
        await talk.stands()


async def test_a_refusal_ends_the_connection_and_reaches_whoever_waits() -> None:
    """With the dialog's words."""
    talk, transport = tunnelling(), Transport()
    talk.connection_made(transport)
    feed(talk, b"SSH")
    assert transport.calls[-1] == "abort"
    talk.connection_lost(None)
    with pytest.raises(ProxyRefusal, match="does not answer in HTTP/1"):
        await talk.stands()


async def test_a_proxy_that_goes_away_is_a_refusal_with_its_cause() -> None:
    """Whoever does not wait any more is not told."""
    talk = tunnelling()
    talk.abort()
    talk.connection_made(transport := Transport())
    talk.connection_lost(error := ConnectionResetError())
    with pytest.raises(ProxyRefusal, match="closed the connection before the tunnel stood") as caught:
        await talk.stands()
    assert caught.value.__cause__ is error
    talk.abort()
    assert transport.calls[-1] == "abort"
