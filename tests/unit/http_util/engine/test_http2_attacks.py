"""
What a peer may not do on an HTTP/2 connection ends it, in a typed error and at bounded memory.
"""

from __future__ import annotations

import tracemalloc

import hpack
import pytest
from hyperframe.frame import GoAwayFrame

from http_util.engine.http2_floods import BURST, MAX_EXPLAINED
from http_util.engine.http2_frames import ConnectionFault, ErrorCode
from http_util.engine.http2_requests import MAX_WAITING_ACKS
from http_util.engine.http2_state import MAX_CONTINUATIONS, Http2State
from tests.unit.http_util.engine.http2_doubles import (
    ACK,
    END_HEADERS,
    OK,
    PADDED,
    PRIORITY,
    PROTOCOL,
    RESET,
    STREAMED,
    TOO_LARGE,
    Peer,
    answering,
    asked,
    connected,
    data,
    goaway,
    ping,
    raw,
    rst_stream,
    sending,
    sent,
    settings,
    window_update,
    word,
)


def ended_by(state: Http2State, wrong: bytes, now: float = 0.0) -> ErrorCode:
    """Feed what is wrong; check how a connection ends, and return the code."""
    with pytest.raises(ConnectionFault) as caught:
        state.receive(wrong, now)
    (end,) = sent(state)
    assert isinstance(end, GoAwayFrame)
    assert (end.last_stream_id, end.error_code) == (0, caught.value.error_code)
    assert (state.open_streams, state.can_open, state.is_going_away) == (0, False, True)
    state.receive(settings() + data(1, b"x"), now)
    assert sent(state) == []
    return caught.value.error_code


WRONG_FRAMES = {
    # stream ids
    "DATA on no stream": (data(0, b"x"), ErrorCode.PROTOCOL_ERROR),
    "HEADERS on no stream": (raw(1, END_HEADERS, 0, b"\x88"), ErrorCode.PROTOCOL_ERROR),
    "PRIORITY on no stream": (raw(2, 0, 0, bytes(5)), ErrorCode.PROTOCOL_ERROR),
    "RST_STREAM on no stream": (rst_stream(0, 0), ErrorCode.PROTOCOL_ERROR),
    "SETTINGS on a stream": (raw(4, 0, 1), ErrorCode.PROTOCOL_ERROR),
    "an acknowledgement on a stream": (raw(4, ACK, 1), ErrorCode.PROTOCOL_ERROR),
    "PING on a stream": (raw(6, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    "GOAWAY on a stream": (raw(7, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    "DATA on a stream to come": (data(99, b"x"), ErrorCode.PROTOCOL_ERROR),
    "HEADERS on a stream to come": (raw(1, END_HEADERS, 99, b"\x88"), ErrorCode.PROTOCOL_ERROR),
    "RST_STREAM on a stream to come": (rst_stream(99, 0), ErrorCode.PROTOCOL_ERROR),
    "WINDOW_UPDATE on a stream to come": (window_update(99, 1), ErrorCode.PROTOCOL_ERROR),
    "DATA on a stream of the peer": (data(2, b"x"), ErrorCode.PROTOCOL_ERROR),
    "HEADERS on a stream of the peer": (raw(1, END_HEADERS, 2, b"\x88"), ErrorCode.PROTOCOL_ERROR),
    # sizes
    "PRIORITY too short": (raw(2, 0, 1, bytes(4)), ErrorCode.FRAME_SIZE_ERROR),
    "PRIORITY too long": (raw(2, 0, 1, bytes(6)), ErrorCode.FRAME_SIZE_ERROR),
    "RST_STREAM too short": (raw(3, 0, 1, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
    "RST_STREAM too long": (raw(3, 0, 1, bytes(5)), ErrorCode.FRAME_SIZE_ERROR),
    "SETTINGS cut off": (raw(4, 0, 0, bytes(5)), ErrorCode.FRAME_SIZE_ERROR),
    "an acknowledgement that says something": (raw(4, ACK, 0, bytes(6)), ErrorCode.FRAME_SIZE_ERROR),
    "PING too short": (ping(bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
    "PING too long": (ping(bytes(9)), ErrorCode.FRAME_SIZE_ERROR),
    "GOAWAY cut off": (raw(7, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
    "WINDOW_UPDATE too short": (raw(8, 0, 0, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
    "WINDOW_UPDATE too long": (raw(8, 0, 1, bytes(5)), ErrorCode.FRAME_SIZE_ERROR),
    "HEADERS cut off in its priority": (raw(1, END_HEADERS | PRIORITY, 1, bytes(4)), ErrorCode.FRAME_SIZE_ERROR),
    "a frame that is too large": (data(1, bytes(16_385)), ErrorCode.FRAME_SIZE_ERROR),
    "only the head of it": (raw(0, 0, 1)[:1] + b"\x40\x01" + raw(0, 0, 1)[3:], ErrorCode.FRAME_SIZE_ERROR),
    "one of an unknown type": (raw(99, 0, 0, bytes(16_385)), ErrorCode.FRAME_SIZE_ERROR),
    # padding
    "DATA with more padding than payload": (raw(0, PADDED, 1, b"\x04abc"), ErrorCode.PROTOCOL_ERROR),
    "DATA without the size of its padding": (raw(0, PADDED, 1), ErrorCode.PROTOCOL_ERROR),
    "HEADERS with more padding than payload": (raw(1, PADDED | END_HEADERS, 1, b"\x02\x88"), ErrorCode.PROTOCOL_ERROR),
    # header blocks
    "CONTINUATION of nothing": (raw(9, END_HEADERS, 1), ErrorCode.PROTOCOL_ERROR),
    "a frame inside a block": (raw(1, 0, 1, b"\x88") + ping(), ErrorCode.PROTOCOL_ERROR),
    "DATA inside a block": (raw(1, 0, 1, b"\x88") + data(1, b"x"), ErrorCode.PROTOCOL_ERROR),
    "an unknown frame inside a block": (raw(1, 0, 1, b"\x88") + raw(99, 0, 1), ErrorCode.PROTOCOL_ERROR),
    "another block inside a block": (raw(1, 0, 1, b"\x88") + raw(1, 0, 1), ErrorCode.PROTOCOL_ERROR),
    "CONTINUATION on another stream": (raw(1, 0, 1, b"\x88") + raw(9, END_HEADERS, 3), ErrorCode.PROTOCOL_ERROR),
    "a block that cannot be read": (raw(1, END_HEADERS, 1, b"\xbe"), ErrorCode.COMPRESSION_ERROR),
    "a block that is cut off": (raw(1, END_HEADERS, 1, b"\x40\x05a"), ErrorCode.COMPRESSION_ERROR),
    "a table that is too large": (raw(1, END_HEADERS, 1, bytes.fromhex("3fe21f88")), ErrorCode.COMPRESSION_ERROR),
    # pushes, settings, windows
    "PUSH_PROMISE": (raw(5, END_HEADERS, 1, word(2) + b"\x82"), ErrorCode.PROTOCOL_ERROR),
    "PUSH_PROMISE on no stream": (raw(5, END_HEADERS, 0, word(2)), ErrorCode.PROTOCOL_ERROR),
    "ENABLE_PUSH": (settings(enable_push=1), ErrorCode.PROTOCOL_ERROR),
    "MAX_FRAME_SIZE too small": (settings(max_frame_size=16_383), ErrorCode.PROTOCOL_ERROR),
    "MAX_FRAME_SIZE too large": (settings(max_frame_size=2**24), ErrorCode.PROTOCOL_ERROR),
    "INITIAL_WINDOW_SIZE too large": (settings(initial_window_size=2**31), ErrorCode.FLOW_CONTROL_ERROR),
    "a connection's window of nothing more": (window_update(0, 0), ErrorCode.PROTOCOL_ERROR),
    "a connection's window that is too large": (window_update(0, 2**31 - 65_535), ErrorCode.FLOW_CONTROL_ERROR),
    "a stream's window made too large by settings": (
        window_update(1, 2**31 - 65_536) + settings(initial_window_size=65_536),
        ErrorCode.FLOW_CONTROL_ERROR,
    ),
    "more settings than there are": (raw(4, 0, 0, bytes(33 * 6)), ErrorCode.ENHANCE_YOUR_CALM),
}


@pytest.mark.parametrize("name", WRONG_FRAMES)
def test_a_frame_that_leaves_the_connection_in_doubt_ends_it(name: str) -> None:
    """With the code of the standard; all streams hear of it once, and nothing is read any more."""
    wrong, error_code = WRONG_FRAMES[name]
    state, _ = connected()
    (_, first), (_, second) = asked(state), asked(state)
    assert ended_by(state, wrong) == error_code
    assert (first.calls, second.calls) == ([PROTOCOL], [PROTOCOL])
    assert first.fault is not None
    assert first.fault.message


def test_content_of_another_stream_inside_a_block_ends_the_connection_too() -> None:
    """The short way of content does not lead past the block."""
    state, peer = connected()
    (one, receiver), (two, _) = answering(state, peer), asked(state)
    assert ended_by(state, raw(1, 0, two, b"\x88") + data(one, b"x")) == ErrorCode.PROTOCOL_ERROR
    assert receiver.calls == [PROTOCOL]


@pytest.mark.parametrize(
    ("beginning", "error_code"),
    [
        pytest.param(ping(), ErrorCode.PROTOCOL_ERROR, id="another frame"),
        pytest.param(raw(4, ACK, 0), ErrorCode.PROTOCOL_ERROR, id="an acknowledgement"),
        pytest.param(window_update(0, 1), ErrorCode.PROTOCOL_ERROR, id="a window"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", ErrorCode.FRAME_SIZE_ERROR, id="HTTP/1.1"),
        pytest.param(b"220 mail.example.com ESMTP\r\n", ErrorCode.FRAME_SIZE_ERROR, id="another protocol"),
    ],
)
def test_a_peer_that_does_not_begin_with_its_settings_is_left(beginning: bytes, error_code: ErrorCode) -> None:
    """3.4; the message knows HTTP/1.1 when it sees it."""
    state = Http2State()
    state.start()
    state.take_output()
    with pytest.raises(ConnectionFault) as caught:
        state.receive(beginning, 0.0)
    assert caught.value.error_code == error_code
    assert ("HTTP/1 " in caught.value.message) is beginning.startswith(b"HTTP/1")


# floods: at the bound, and one above


FLOODS = {
    "PING": ping(),
    "answers to no ping": ping(ack=True),
    "acknowledgements of no settings": raw(4, ACK, 0),
    "PRIORITY": raw(2, 0, 7, bytes(5)),
    "unknown frames": raw(77, 0, 0, b"x" * 100),
    "empty DATA": data(1),
    "padding without content": data(1, padding=3),
    "WINDOW_UPDATE of a stream": window_update(1, 1),
    "WINDOW_UPDATE of the connection": window_update(0, 1),
    "resets of streams that are over": rst_stream(3, ErrorCode.CANCEL),
    "windows of streams that are over": window_update(3, 1),
    "empty late DATA": data(3),
    "late heads": raw(1, END_HEADERS, 3, b"\x88"),
    "GOAWAY": goaway(2**31 - 1),
}


def flooded() -> tuple[Http2State, Peer]:
    """A connection with an answer on stream 1, whose stream 3 is over, and which has nothing to explain a flood."""
    state, peer = connected()
    answering(state, peer)
    over, _ = asked(state)
    state.receive(rst_stream(over, ErrorCode.CANCEL), 0.0)
    state._floods._explained = 0
    return state, peer


@pytest.mark.parametrize("name", FLOODS)
def test_idle_frames_are_taken_at_a_rate_and_beyond_it_the_connection_ends(name: str) -> None:
    """A burst passes, in two reads or in one; one more does not, a second later it does."""
    frame = FLOODS[name]
    for is_late in (True, False):
        state, _ = flooded()
        state.receive(frame * (BURST // 2), 0.0)
        state.take_output()
        state.receive(frame * (BURST // 2), 0.0)
        state.take_output()
        if is_late:
            state.receive(frame, 1.0)
        else:
            assert ended_by(state, frame) == ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_takes_no_memory(name: str) -> None:
    """Ten thousand frames that something explains leave nothing behind but the answers, and these are taken."""
    state, _ = flooded()
    frames = FLOODS[name] * 500
    state._floods._explained = 10**9
    state.receive(frames, 0.0)
    state.take_output()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            state.receive(frames, 0.0)
            state.take_output()
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()


def test_settings_count_by_the_streams_that_they_may_touch() -> None:
    """A frame of six bytes that moves the windows of 800 streams counts as a hundred more."""
    state, _ = connected()
    for _ in range(800):
        asked(state)
    state._floods._explained = 0
    frames = settings(initial_window_size=1) + settings(initial_window_size=2)
    for _ in range(BURST // 202):
        state.receive(frames, 0.0)
    assert ended_by(state, frames) == ErrorCode.ENHANCE_YOUR_CALM


def test_a_late_head_counts_by_its_size() -> None:
    """It has to be decoded all the same."""
    state, _ = flooded()
    block = b"\x00\x01a\x7f" + b"\x81\x7c" + b"v" * 16_000
    head = raw(1, END_HEADERS, 3, block)
    each = 1 + len(block) // 512
    for _ in range(BURST // each):
        state.receive(head, 0.0)
    assert ended_by(state, head) == ErrorCode.ENHANCE_YOUR_CALM


def test_whoever_sends_pings_and_does_not_read_the_answers_is_left() -> None:
    """Also when a body of ours explains the pings: what waits in the output has a bound."""
    state, _ = connected()
    state._floods._explained = MAX_EXPLAINED
    state.receive(ping() * (MAX_WAITING_ACKS - 1) + settings(), 0.0)
    assert ended_by(state, ping()) == ErrorCode.ENHANCE_YOUR_CALM


def test_answers_that_are_taken_do_not_count_as_waiting() -> None:
    """The bound is on what waits."""
    state, _ = connected()
    state._floods._explained = MAX_EXPLAINED
    for _ in range(3):
        state.receive(ping() * MAX_WAITING_ACKS, 0.0)
        assert len(sent(state)) == MAX_WAITING_ACKS


def test_what_a_cancel_leaves_under_way_is_no_flood() -> None:
    """Ten thousand cancels at one moment, and after each a large head, data, trailers and more that was under way."""
    state, _ = connected()
    for _ in range(10_000):
        stream_id, receiver = asked(state)
        state.reset(stream_id)
        head = raw(1, END_HEADERS, stream_id, b"\x88" + (b"\x00\x01a\x7f\x01" + b"v" * 128) * 15)
        trailers = raw(1, END_HEADERS, stream_id, b"\x00\x01a\x01b")
        updates = window_update(stream_id, 1) + window_update(0, 1)
        state.receive(updates + head + data(stream_id, b"x" * 300) + trailers, 0.0)
        state.receive(data(stream_id, end=True) + rst_stream(stream_id, ErrorCode.CANCEL), 0.0)
        state.take_output()
        assert receiver.calls == []


def test_windows_that_answer_a_body_are_no_flood() -> None:
    """A hundred megabytes at one moment, given back in pieces of 4 KiB, for the stream and for the connection."""
    state, _ = connected(settings(initial_window_size=1 << 20))
    stream_id, _ = sending(state)
    state.receive(window_update(0, 1 << 20), 0.0)
    for _ in range(100):
        for _ in range(64):
            state.send_data(stream_id, bytes(16_384), end_stream=False)
        state.take_output()
        state.receive((window_update(0, 4096) + window_update(stream_id, 4096)) * 256, 0.0)
    assert state.send_room(stream_id) == 1 << 20


def test_a_peer_that_resets_everything_ends_no_more_than_we_open() -> None:
    """A rapid reset costs us what we asked for, and leaves nothing behind."""
    state, _ = connected()
    for _ in range(5000):
        stream_id, receiver = asked(state)
        state.receive(rst_stream(stream_id, ErrorCode.CANCEL), 0.0)
        assert receiver.calls == [RESET]
    assert (state.open_streams, state._late_room, state.take_output()) == (0, 0, b"")
    assert ended_by(state, rst_stream(1, ErrorCode.CANCEL) * (MAX_EXPLAINED + BURST + 1)) == ErrorCode.ENHANCE_YOUR_CALM


# content that nobody allowed


def test_content_on_a_stream_that_the_peer_has_ended_ends_the_connection() -> None:
    """5.1: it was not under way, for nothing was allowed any more."""
    for end in (data(1, b"x", end=True), rst_stream(1, ErrorCode.CANCEL)):
        state, peer = connected()
        answering(state, peer)
        state.receive(end, 0.0)
        assert ended_by(state, data(1, b"y")) == ErrorCode.STREAM_CLOSED


def test_late_content_is_bounded_by_the_windows_that_were_open() -> None:
    """To the last byte; one more was never allowed."""
    state, peer = connected(stream_window=1000)
    (one, _), (two, _) = answering(state, peer), answering(state, peer)
    state.receive(data(one, bytes(300)), 0.0)
    state.reset(one)
    state.reset(two)
    state.take_output()
    state.receive(data(one, bytes(700)) + data(two, bytes(1000)), 0.0)
    assert ended_by(state, data(two, b"x")) == ErrorCode.STREAM_CLOSED


def test_more_than_the_connections_window_in_one_read_ends_the_connection() -> None:
    """Whatever the streams' windows allow."""
    state, peer = connected(connection_window=65_535, stream_window=40_000)
    (one, _), (two, _) = answering(state, peer), answering(state, peer)
    half = data(one, bytes(16_000)) * 2 + data(one, bytes(768))
    rest = data(two, bytes(16_000)) * 2
    assert ended_by(state, half + rest + data(two, bytes(768))) == ErrorCode.FLOW_CONTROL_ERROR
    state, peer = connected(connection_window=65_535, stream_window=40_000)
    (one, _), (two, _) = answering(state, peer), answering(state, peer)
    state.receive(half + rest + data(two, bytes(767)), 0.0)


# header bombs


def test_a_flood_of_continuations_ends_the_connection() -> None:
    """Whether they are empty or full; the stream hears why."""
    for piece, count in ((b"", MAX_CONTINUATIONS + 1), (b"v" * 16_000, 5)):
        state, _ = connected()
        stream_id, receiver = asked(state)
        _, other = asked(state)
        wrong = raw(1, 0, stream_id, b"\x88") + raw(9, 0, stream_id, piece) * count
        assert ended_by(state, wrong) == ErrorCode.ENHANCE_YOUR_CALM
        assert (receiver.calls, other.calls) == ([TOO_LARGE], [PROTOCOL])


def test_a_flood_of_continuations_of_a_stream_that_is_over_ends_the_connection_too() -> None:
    """Nobody is told, but the block is bounded."""
    state, _ = connected()
    stream_id, receiver = asked(state)
    state.reset(stream_id)
    state.take_output()
    wrong = raw(1, 0, stream_id) + raw(9, 0, stream_id) * (MAX_CONTINUATIONS + 1)
    assert ended_by(state, wrong) == ErrorCode.ENHANCE_YOUR_CALM
    assert receiver.calls == []


@pytest.mark.parametrize("is_over", [True, False])
@pytest.mark.slow
def test_a_header_bomb_ends_in_a_typed_error_at_bounded_memory(is_over: bool) -> None:
    """Blocks of 16 KiB that mean 64 MiB each: the streams are reset, and nothing of it is kept."""
    state, _ = connected()
    fuse = b"\x88\x40\x01a" + b"\x7f\x81\x1d" + b"v" * 3840
    bomb = b"\x88" + b"\xbe" * 16_000
    stream_id, _ = asked(state)
    state.receive(raw(1, END_HEADERS, stream_id, fuse), 0.0)
    tracemalloc.start()
    try:
        for _ in range(5):
            target, receiver = asked(state)
            if is_over:
                state.reset(target)
            state.receive(raw(1, END_HEADERS, target, bomb), 0.0)
            assert receiver.calls == ([] if is_over else [TOO_LARGE])
        assert tracemalloc.get_traced_memory()[1] < 120_000
    finally:
        tracemalloc.stop()


def test_a_frame_that_never_ends_is_held_up_to_its_size_and_no_further() -> None:
    """Its bytes wait for the rest; there is no room for a second one."""
    state, peer = connected()
    stream_id, receiver = answering(state, peer)
    whole = data(stream_id, bytes(16_384))
    for start in range(0, len(whole) - 1, 1000):
        state.receive(whole[start : min(start + 1000, len(whole) - 1)], 0.0)
    assert (receiver.calls, len(state._buffer._kept)) == ([], len(whole) - 1)
    state.receive(whole[-1:], 0.0)
    assert (len(receiver.body), len(state._buffer._kept)) == (16_384, 0)


@pytest.mark.parametrize("size", [1, 10, 100])
def test_an_answer_in_tiny_frames_is_no_flood(size: int) -> None:
    """Content is progress, however small its pieces."""
    state, peer = connected()
    stream_id, receiver = answering(state, peer)
    for _ in range(20):
        state.receive(data(stream_id, bytes(size)) * 500, 0.0)
        state.grant(stream_id, size * 500)
    assert len(receiver.body) == size * 10_000


def test_messages_quote_nothing_of_the_upstreams() -> None:
    """They may be logged: numbers and names of the protocol only."""
    state, peer = connected()
    stream_id, receiver = asked(state)
    state.receive(peer.headers(stream_id, [*STREAMED, (b"x-Hunter2", b"hunter2\n")]), 0.0)
    assert receiver.fault is not None
    assert "unter2" not in receiver.fault.message
    asked(state)
    with pytest.raises(ConnectionFault) as caught:
        state.receive(raw(1, END_HEADERS, 3, hpack.Encoder().encode([OK], huffman=False) + b"\x40\x7fhunter2"), 0.0)
    assert "hunter2" not in caught.value.message
