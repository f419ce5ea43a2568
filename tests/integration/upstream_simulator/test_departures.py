"""How the simulator notices that a client has gone, and stops."""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.lateness import in_time, late_only_once
from upstream_simulator import serve

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.integration
ENDLESS = b'{"model":"m","stream":true,"max_tokens":1000000,"messages":[{"role":"user","content":"hello"}]}'


def request(wish: str) -> bytes:
    """Write down a request for a stream that would go on for long."""
    lines = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-simulate: {wish}\r\ncontent-length: {len(ENDLESS)}"
    return f"{lines}\r\n\r\n".encode() + ENDLESS


@pytest.mark.requirement("SIM-08")
@pytest.mark.parametrize("how", ["disconnected", "reset"])
@late_only_once
def test_a_client_that_leaves_stops_the_generation_within_100_ms(
    simulator: Any, connect: Callable[[], socket.socket], how: str
) -> None:
    """The log names how the client left, when, and at which token; nothing is generated afterwards."""
    sock = connect()
    sock.sendall(request("tokens_per_second=200"))
    while sock.recv(65536).count(b'"content":" ') == 0:
        pass
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        sock.shutdown(socket.SHUT_WR)
    left_at = time.monotonic()
    sock.close()
    (exchange,) = simulator.log(settle=2)
    assert exchange.left == how
    in_time(exchange.ended_at - left_at, 0.1, "noticing it")
    assert 1 <= exchange.tokens < 100
    assert exchange.first_token_at < exchange.ended_at


@pytest.mark.requirement("SIM-08")
@pytest.mark.parametrize("wish", ["stall=30", "stall=30;stall_at=body", "stall=30;stall_at=1", "linger=30;tokens=1"])
@late_only_once
def test_a_client_that_leaves_during_silence_is_noticed(
    simulator: Any, connect: Callable[[], socket.socket], arrived: Callable[[], Any], wish: str
) -> None:
    """A stall before the head, before the body, in the stream or after it does not hide a departure."""
    sock = connect()
    sock.sendall(request(wish))
    assert arrived().left == "open"
    left_at = time.monotonic()
    sock.close()
    (exchange,) = simulator.log(settle=2)
    assert exchange.left in {"disconnected", "reset"}
    in_time(exchange.ended_at - left_at, 0.1, "noticing it")


@pytest.mark.requirement("SIM-08")
def test_a_client_that_does_not_read_holds_the_generation_back(
    simulator: Any, connect: Callable[[], socket.socket], arrived: Callable[[], Any]
) -> None:
    """The engine generates no more than the connection takes: backpressure reaches it."""
    sock = connect()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.sendall(request("tokens=1000000"))
    before, after = -1, 0
    while before != after:
        simulator.log(settle=0.2)
        before, after = after, arrived().tokens
    assert 0 < after < 200_000


@pytest.mark.requirement("SIM-08")
def test_the_log_shows_the_request_but_no_credential(simulator: Any, ask: Any) -> None:
    """Method, path, protocol, headers, body and its digest are there; a key is there only as a fingerprint."""
    ask(path="/v1/chat/completions?trace=1", authorization="Bearer sk-secret-1234", x_custom="kept")
    (exchange,) = simulator.log(settle=1)
    headers = dict(exchange.headers)
    assert (exchange.method, exchange.path, exchange.protocol) == ("POST", "/v1/chat/completions?trace=1", "http/1.1")
    assert exchange.has_authorization
    assert headers["x-custom"] == "kept"
    assert headers["authorization"].startswith("sha256:")
    assert "sk-secret-1234" not in repr(exchange)
    assert '"max_tokens": 6' in exchange.body
    assert len(exchange.body) == exchange.body_bytes
    assert (exchange.left, exchange.tokens, exchange.status) == ("completed", 6, 200)
    assert exchange.received_at <= exchange.head_at <= exchange.first_token_at <= exchange.ended_at


@pytest.mark.requirement("SIM-08")
def test_the_log_gives_only_what_is_new_when_asked_so(simulator: Any, ask: Any) -> None:
    """Since leaves out exchanges up to a number; reset forgets them all."""
    ask()
    ask()
    first, second = simulator.log(settle=1)
    assert [exchange.number for exchange in simulator.log(since=first.number)] == [second.number]
    simulator.reset()
    assert simulator.log() == []


@pytest.mark.requirement("SIM-08")
def test_open_connections_are_counted_without_our_own(simulator: Any, connect: Callable[[], socket.socket]) -> None:
    """A connection that is held counts, one that is closed does not, and control requests never do."""
    before = simulator.seen()
    sock = connect()
    sock.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
    sock.recv(65536)
    held = simulator.seen()
    sock.close()
    deadline = time.monotonic() + 5
    while simulator.seen().open_connections != before.open_connections:
        assert time.monotonic() < deadline, "the closed connection still counts"
    assert held.open_connections == before.open_connections + 1
    assert held.accepted_connections == before.accepted_connections + 1


@pytest.mark.requirement("SIM-11")
async def test_a_simulator_runs_inside_a_loop_too() -> None:
    """serve() gives the same server without a process, and its log without a socket."""
    async with serve(tokens=3) as local, httpx.AsyncClient(base_url=local.base_url, trust_env=False) as client:
        assert local.script("status=503", None) == 2
        refused = await client.post("/chat/completions", json={})
        served = await client.post("/chat/completions", json={"model": "m", "messages": [{"role": "user"}]})
        exchanges = await local.settled()
        local.reset()
        assert (refused.status_code, served.status_code) == (503, 200)
        assert [exchange.status for exchange in exchanges] == [503, 200]
        assert local.open_connections == 1
        assert local.log() == []
        assert local.base_url in repr(local)


@pytest.mark.requirement("SIM-08", "SIM-11")
async def test_settled_waits_for_the_last_exchange() -> None:
    """Who asks for the settled log gets it when the client has gone, not before."""
    async with (
        serve(tokens_per_second=50) as local,
        httpx.AsyncClient(base_url=local.base_url, trust_env=False) as client,
    ):
        body = {"model": "m", "stream": True, "max_tokens": 1000, "messages": [{"role": "user", "content": "x"}]}
        async with client.stream("POST", "/chat/completions", json=body) as response:
            await anext(response.aiter_raw())
            assert [exchange.left for exchange in local.log()] == ["open"]
        (exchange,) = await local.settled()
        assert exchange.left in {"disconnected", "reset"}
        assert exchange.tokens < 100
