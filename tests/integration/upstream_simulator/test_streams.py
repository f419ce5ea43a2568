"""What a client gets from an undisturbed simulator over bare HTTP/1.1."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.lateness import in_time, late_only_once

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

pytestmark = pytest.mark.integration
Ask = Any
HELLO = [{"role": "user", "content": "hello"}]


@pytest.mark.requirement("SIM-02", "SIM-04")
def test_the_same_request_gives_the_same_bytes_and_another_seed_other_text(ask: Ask) -> None:
    """Nothing but the request decides what the body says."""
    first, again = ask(), ask()
    other = ask(body={"model": "m", "stream": True, "max_tokens": 6, "seed": 7, "messages": HELLO})
    assert first.framed == again.framed
    assert first.text != other.text
    assert first.text


@pytest.mark.requirement("SIM-04")
def test_a_streamed_and_a_plain_answer_say_the_same(ask: Ask) -> None:
    """Streaming changes the form, not the text, the reason or the usage."""
    request = {"model": "m", "max_tokens": 6, "messages": HELLO}
    plain = json.loads(ask(body=request).body)
    streamed = ask(body={**request, "stream": True, "stream_options": {"include_usage": True}})
    assert plain["choices"][0]["message"]["content"] == streamed.text
    assert plain["choices"][0]["finish_reason"] == streamed.chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert plain["usage"] == streamed.chunks[-1]["usage"]
    assert plain["usage"]["completion_tokens"] == 6
    assert streamed.events[-1] == "[DONE]"
    assert streamed.is_complete


@pytest.mark.requirement("SIM-04")
def test_every_choice_is_streamed_to_its_own_end(ask: Ask) -> None:
    """n=3 interleaves three texts, each with its own finish_reason."""
    chunks = ask(body={"model": "m", "stream": True, "max_tokens": 4, "n": 3, "messages": HELLO}).chunks
    texts = dict.fromkeys(range(3), "")
    for chunk in chunks:
        choice = chunk["choices"][0]
        texts[choice["index"]] += choice["delta"].get("content") or ""
    assert len(set(texts.values())) == 3
    assert sum(chunk["choices"][0]["finish_reason"] == "length" for chunk in chunks) == 3


@pytest.mark.requirement("SIM-04")
@pytest.mark.parametrize("path", ["/v1/completions", "/v1/responses"])
def test_the_other_streams_end_with_their_own_evidence(ask: Ask, path: str) -> None:
    """Completions end with a reason and [DONE], responses with a final event that holds the whole text."""
    heard = ask(body={"model": "m", "stream": True, "prompt": "x", "input": "x", "max_tokens": 5}, path=path)
    if path == "/v1/completions":
        assert heard.events[-1] == "[DONE]"
        assert heard.chunks[-1]["choices"][0]["finish_reason"] == "length"
    else:
        deltas = [chunk["delta"] for chunk in heard.chunks if chunk["type"] == "response.output_text.delta"]
        assert heard.chunks[-1]["type"] == "response.completed"
        assert heard.chunks[-1]["response"]["output"][0]["content"][0]["text"] == "".join(deltas)
        assert [chunk["sequence_number"] for chunk in heard.chunks] == list(range(len(heard.chunks)))


@pytest.mark.requirement("SIM-03")
@late_only_once
def test_a_paced_stream_keeps_its_pace(ask: Ask) -> None:
    """Ten tokens at 100 a second take a tenth of a second, each in a read of its own."""
    heard = ask("tokens_per_second=100;tokens=10")
    assert heard.seconds >= 0.09
    in_time(heard.seconds, 0.5, "a tenth of a second")
    assert len(heard.reads) >= 10


@pytest.mark.requirement("SIM-04")
def test_one_connection_serves_one_request_after_the_other(
    connect: Callable[[], socket.socket], simulator: Any
) -> None:
    """Keep-alive and pipelined requests are answered in order over the same connection."""
    sock = connect()
    get = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
    sock.sendall(get + get + get.replace(b"host: x", b"host: x\r\nconnection: close"))
    data = b""
    while piece := sock.recv(65536):
        data += piece
    assert data.count(b'{"status":"ok"}') == 3
    connections = [exchange.connection for exchange in simulator.log()]
    assert all(one == other for one, other in pairwise(connections))


@pytest.mark.requirement("SIM-04")
@pytest.mark.parametrize(
    ("target", "expected"),
    [("/v1/models", "simulated-small"), ("/v1/models/simulated-large", "simulated-large"), ("/version", "1.0.0")],
)
def test_lookups_are_answered(connect: Callable[[], socket.socket], target: str, expected: str) -> None:
    """The list of models, one model and the version are there."""
    sock = connect()
    sock.sendall(f"GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    data = b""
    while piece := sock.recv(65536):
        data += piece
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert expected.encode() in data


@pytest.mark.requirement("SIM-04")
@pytest.mark.parametrize(
    "request_bytes",
    [b"NONSENSE\r\n\r\n", b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", b"GET /\r\n\r\n"],
)
def test_what_is_no_request_is_refused(connect: Callable[[], socket.socket], request_bytes: bytes) -> None:
    """Bytes that are not HTTP get a 400 and the end of the connection."""
    sock = connect()
    sock.sendall(request_bytes)
    assert sock.recv(65536).startswith(b"HTTP/1.1 400 ")
    assert sock.recv(65536) == b""


@pytest.mark.requirement("SIM-04")
def test_a_client_may_ask_before_it_sends_its_body(connect: Callable[[], socket.socket]) -> None:
    """Expect: 100-continue is answered before the body comes."""
    sock = connect()
    sock.sendall(b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 25\r\n\r\n")
    assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    sock.sendall(b'{"model":"m","input":"x"}')
    assert sock.recv(65536).startswith(b"HTTP/1.1 200 OK")
