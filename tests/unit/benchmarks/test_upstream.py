from __future__ import annotations

import json
import struct

import pytest
from hpack import Encoder

from benchmarks.answers import MIDDLE, STAMP, Ask, paced_parts, token_event
from benchmarks.board import Board
from benchmarks.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    frame,
    window_update,
)
from benchmarks.upstream.desk import STALL, Desk
from benchmarks.upstream.http1 import Http1
from benchmarks.upstream.http2 import Http2


class Loop:
    """An event loop that runs when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self._ready = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback, *args) -> None:
        self._ready.append((callback, args))

    def call_at(self, when, callback) -> None:
        """Nothing is due."""

    def run_turns(self, count: int = 5) -> None:
        for _ in range(count):
            ready, self._ready = self._ready, []
            for callback, args in ready:
                callback(*args)


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.sent = []

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def writelines(self, pieces: list[bytes]) -> None:
        self.sent += pieces

    def close(self) -> None:
        self.sent.append(b"closed")

    def take(self) -> bytes:
        sent, self.sent = b"".join(self.sent), []
        return sent


class Outlet:
    """Keeps what a stream would send."""

    def __init__(self) -> None:
        self.writes = []
        self.is_over = False

    def write(self, events, *, is_last: bool = False) -> None:
        self.writes.append(len(events))
        self.is_over = is_last


@pytest.fixture
def board(tmp_path):
    """An empty board."""
    Board.make(tmp_path / "board")
    with Board(tmp_path / "board") as made:
        yield made


@pytest.fixture
def loop():
    """A loop that runs when it is told to."""
    return Loop()


@pytest.fixture
def desk(board, loop):
    """A desk without streams."""
    return Desk(board, loop)


def test_a_round_waits_until_every_stream_has_been_taken(desk, board, loop):
    """So every token is a read of its own, whatever the client's speed."""
    one, two = Outlet(), Outlet()
    desk.begin(Ask(slot=0, tokens=2, gate=2), one)
    desk.begin(Ask(slot=1, tokens=2, gate=2), two)
    loop.run_turns()
    assert (board.arrived, one.writes) == (2, [])
    board.go = True
    loop.run_turns()
    assert (one.writes, two.writes, board.rounds, board.go) == ([2], [2], 1, 0)  # role and token
    board.taken[0] = 1
    loop.run_turns()
    assert (one.writes, two.writes) == ([2], [2])
    board.taken[1] = 1
    loop.run_turns()
    assert (one.writes, two.writes, board.rounds) == ([2, 1], [2, 1], 2)


def test_what_ends_an_answer_comes_when_its_last_token_has_been_taken(desk, board, loop):
    """Finish reason, usage and [DONE] in one write; then the upstream has forgotten the stream."""
    outlet = Outlet()
    desk.begin(Ask(slot=0, tokens=1), outlet)
    loop.run_turns()
    assert (outlet.writes, board.open_streams) == ([2], 1)
    board.taken[0] = 1
    loop.run_turns()
    assert (outlet.writes, outlet.is_over, board.open_streams) == ([2, 3], True, 0)


def test_a_client_that_holds_tokens_back_gets_the_next_round_after_a_while(desk, board, loop):
    """And it is counted."""
    outlet = Outlet()
    desk.begin(Ask(slot=0, tokens=3), outlet)
    loop.now += STALL / 2
    loop.run_turns()
    assert (len(outlet.writes), board.stalls) == (1, 0)
    loop.now += STALL
    loop.run_turns(1)
    assert (len(outlet.writes), board.stalls) == (2, 1)


def test_a_stream_that_is_cut_holds_up_no_other(desk, board, loop):
    """It is noted by its serial."""
    one, two = Outlet(), Outlet()
    desk.begin(Ask(slot=0, serial=7, tokens=3), one)
    desk.begin(Ask(slot=1, serial=8, tokens=3), two)
    loop.run_turns()
    board.taken[1] = 1
    desk.cut(one)
    loop.run_turns()
    assert (len(two.writes), board.cut[0], board.cuts, board.open_streams) == (2, 7, 1, 1)


def request(ask: Ask, stream_id: int) -> bytes:
    """An HTTP/2 request for *ask*."""
    headers = Encoder().encode([(":method", "POST"), (":scheme", "https"), (":path", "/v1/chat/completions")])
    body = json.dumps(ask.body()).encode()
    return frame(HEADERS, END_HEADERS, stream_id, headers) + frame(DATA, END_STREAM, stream_id, body)


def data_of(sent: bytes, stream_id: int) -> bytes:
    """The payloads of the DATA frames of one stream."""
    found = b""
    while sent:
        size, kind, stream = int.from_bytes(sent[:3], "big"), sent[3], int.from_bytes(sent[5:9], "big")
        if (kind, stream) == (DATA, stream_id):
            found += sent[9 : 9 + size]
        sent = sent[9 + size :]
    return found


@pytest.fixture
def http2(desk):
    """An open HTTP/2 connection and its transport."""
    protocol = Http2(desk, max_streams=100)
    transport = Transport()
    protocol.connection_made(transport)
    protocol.data_received(PREFACE + frame(SETTINGS, 0, 0))
    transport.take()
    return protocol, transport


@pytest.mark.parametrize("narrow", ["stream", "connection"])
def test_no_more_is_sent_than_the_windows_admit(http2, loop, narrow):
    """The rest follows when the client widens them, cut anywhere."""
    protocol, transport = http2
    if narrow == "stream":
        protocol.data_received(frame(SETTINGS, 0, 0, struct.pack(">HL", INITIAL_WINDOW_SIZE, 500)))
    else:
        protocol.window = 500
    protocol.data_received(request(Ask(slot=0, tokens=4, burst=8), 1))
    loop.run_turns()
    first = data_of(transport.take(), 1)
    assert len(first) == 500
    protocol.data_received(window_update(1 if narrow == "stream" else 0, 100_000))
    loop.run_turns()
    whole = first + data_of(transport.take(), 1)
    assert whole.endswith(b"data: [DONE]\n\n")
    assert whole.count(b"data: ") == 8  # role, four tokens, finish, usage, [DONE]


def test_paced_tokens_keep_to_the_windows_and_their_form(http2, loop):
    """The quick way writes what the other one does."""
    protocol, transport = http2
    protocol.data_received(request(Ask(slot=2, tokens=9, rate=50), 1))
    loop.run_turns()
    transport.take()
    (answer,) = protocol.streams.values()
    write = answer.paced(*paced_parts(2))
    answer.window = 500
    for index in range(2):
        write(MIDDLE % (index, 345))
        loop.run_turns()
    first = data_of(transport.take(), 1)
    assert len(first) == 500
    protocol.data_received(window_update(1, 1000))
    loop.run_turns()
    both = [token_event(STAMP.format(slot=2, index=index, micros=345)) for index in range(2)]
    assert first + data_of(transport.take(), 1) == b"".join(both)


def test_a_reset_is_noted_and_a_ping_is_answered(http2, loop, board):
    """At once."""
    protocol, transport = http2
    protocol.data_received(request(Ask(slot=5, serial=9, tokens=4), 1))
    loop.run_turns()
    transport.take()
    protocol.data_received(frame(RST_STREAM, 0, 1, bytes(4)) + frame(PING, 0, 0, b"12345678"))
    loop.run_turns()
    assert (board.cut[5], board.open_streams) == (9, 0)
    assert transport.take() == frame(PING, 1, 0, b"12345678")


def test_http1_answers_one_request_after_the_other_on_one_connection(desk, loop, board):
    """Requests may come in pieces; every event is a chunk of its own."""
    protocol, transport = Http1(desk), Transport()
    protocol.connection_made(transport)
    body = json.dumps(Ask(slot=0, tokens=2, burst=8).body()).encode()
    asking = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    for _ in range(2):
        protocol.data_received(asking[:30])
        protocol.data_received(asking[30:])
        loop.run_turns()
        sent = transport.take()
        assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
        assert sent.endswith(b"\r\n0\r\n\r\n")
        assert sent.count(b"data: ") == 6
    protocol.connection_lost(None)
    assert (board.connections, board.cuts) == (0, 0)
