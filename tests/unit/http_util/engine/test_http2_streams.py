"""
The states of a stream: every cell of the table, and every cell again on a real connection.

The expectations are written from RFC 9113, 5.1 and 8.1, not from the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from http_util.engine.http2_frames import ConnectionFault, ErrorCode
from http_util.engine.http2_streams import TRANSITIONS, Happening, Refusal, State, Stream
from tests.unit.http_util.engine.http2_doubles import (
    OK,
    POST,
    PROTOCOL,
    RESET,
    Peer,
    Recorder,
    connected,
    data,
    raw,
    rst_stream,
    sent,
    window_update,
)

if TYPE_CHECKING:
    from http_util.engine.http2_state import Http2State

UNDER_WAY = [State.ASKING, State.TALKING, State.WAITING, State.READING]
SENDS = [
    Happening.SEND_HEAD,
    Happening.SEND_HEAD_END,
    Happening.SEND_DATA,
    Happening.SEND_DATA_END,
    Happening.SEND_RESET,
]
COMES = [happening for happening in Happening if happening not in SENDS]
ALLOWED = {
    # what we do
    (State.IDLE, Happening.SEND_HEAD): State.ASKING,
    (State.IDLE, Happening.SEND_HEAD_END): State.WAITING,
    (State.ASKING, Happening.SEND_DATA): State.ASKING,
    (State.ASKING, Happening.SEND_DATA_END): State.WAITING,
    (State.TALKING, Happening.SEND_DATA): State.TALKING,
    (State.TALKING, Happening.SEND_DATA_END): State.READING,
    (State.ANSWERED, Happening.SEND_DATA): State.ANSWERED,
    (State.ANSWERED, Happening.SEND_DATA_END): State.CLOSED,
    (State.ANSWERED, Happening.SEND_RESET): State.CLOSED,
    # an answer: interim heads, one head, data, trailers
    (State.ASKING, Happening.INTERIM): State.ASKING,
    (State.WAITING, Happening.INTERIM): State.WAITING,
    (State.ASKING, Happening.HEAD): State.TALKING,
    (State.WAITING, Happening.HEAD): State.READING,
    (State.ASKING, Happening.HEAD_END): State.ANSWERED,
    (State.WAITING, Happening.HEAD_END): State.CLOSED,
    (State.TALKING, Happening.DATA): State.TALKING,
    (State.READING, Happening.DATA): State.READING,
    (State.TALKING, Happening.DATA_END): State.ANSWERED,
    (State.READING, Happening.DATA_END): State.CLOSED,
    (State.TALKING, Happening.TRAILERS_END): State.ANSWERED,
    (State.READING, Happening.TRAILERS_END): State.CLOSED,
    # allowed in any state
    (State.IDLE, Happening.PRIORITY): State.IDLE,
    (State.ANSWERED, Happening.RESET): State.CLOSED,
    (State.ANSWERED, Happening.WINDOW_UPDATE): State.ANSWERED,
    (State.ANSWERED, Happening.PRIORITY): State.ANSWERED,
}
for _state in UNDER_WAY:
    ALLOWED[_state, Happening.WINDOW_UPDATE] = ALLOWED[_state, Happening.PRIORITY] = _state
    ALLOWED[_state, Happening.RESET] = ALLOWED[_state, Happening.SEND_RESET] = State.CLOSED
# late frames are dropped (5.1, closed)
for _happening in COMES:
    ALLOWED[State.CLOSED, _happening] = State.CLOSED


def expected(state: State, happening: Happening) -> State | Refusal:
    """What RFC 9113 says."""
    if (state, happening) in ALLOWED:
        return ALLOWED[state, happening]
    if happening in SENDS:
        return Refusal.MISUSE
    if state is State.IDLE:
        return Refusal.UNUSED
    return Refusal.OVER if state is State.ANSWERED else Refusal.MALFORMED


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("happening", Happening)
def test_every_cell_of_the_table_says_what_the_standard_says(state: State, happening: Happening) -> None:
    """The next state, or why not; and a stream goes there, or stays."""
    assert TRANSITIONS[state][happening] == expected(state, happening)
    stream = Stream(1, Recorder(), send_room=1, receive_room=1, answers_head=False)
    stream.state = state
    target = expected(state, happening)
    if isinstance(target, Refusal):
        assert stream.move(happening) is target
        assert stream.state is state
    else:
        assert stream.move(happening) is None
        assert stream.state is target
        assert stream.takes_data is (target in {State.TALKING, State.READING})


def test_the_table_has_a_cell_for_everything() -> None:
    """Seven states, sixteen happenings."""
    assert [len(row) for row in TRANSITIONS.values()] == [16] * 7
    assert list(TRANSITIONS) == list(State)


@pytest.mark.parametrize("state", State)
def test_what_a_state_means_for_the_request(state: State) -> None:
    """Whether the peer has shown that it began."""
    stream = Stream(1, Recorder(), send_room=1, receive_room=1, answers_head=False)
    stream.state = state
    assert stream.is_untouched is (state in {State.ASKING, State.WAITING})
    stream.interim_count = 1
    assert not stream.is_untouched


def test_a_stream_shows_its_state_and_its_windows() -> None:
    """For whoever debugs."""
    stream = Stream(7, Recorder(), send_room=10, receive_room=20, answers_head=False)
    assert repr(stream) == "Stream(7, idle, room to send 10, to get 20)"


# the same on a connection


def in_state(state: State) -> tuple[Http2State, Peer, int, Recorder]:
    """A connection with a stream in *state*; ANSWERED lasts for one call only, so it is tested elsewhere."""
    connection, peer = connected()
    receiver = Recorder()
    if state is State.IDLE:
        return connection, peer, 1, receiver
    is_complete = state in {State.WAITING, State.READING, State.CLOSED}
    stream_id = connection.open_stream(POST, receiver, end_stream=is_complete)
    if state in {State.TALKING, State.READING}:
        connection.receive(peer.headers(stream_id), 0.0)
    if state is State.CLOSED:
        connection.reset(stream_id)
    connection.take_output()
    receiver.calls.clear()
    return connection, peer, stream_id, receiver


def frame_of(happening: Happening, peer: Peer, stream_id: int) -> bytes:
    """The frame that makes it happen."""
    interim, trailers = [(b":status", b"103")], [(b"x-checksum", b"1")]
    return {
        Happening.INTERIM: lambda: peer.headers(stream_id, interim),
        Happening.INTERIM_END: lambda: peer.headers(stream_id, interim, end=True),
        Happening.HEAD: lambda: peer.headers(stream_id, [OK]),
        Happening.HEAD_END: lambda: peer.headers(stream_id, [OK], end=True),
        Happening.TRAILERS: lambda: peer.headers(stream_id, trailers),
        Happening.TRAILERS_END: lambda: peer.headers(stream_id, trailers, end=True),
        Happening.DATA: lambda: data(stream_id, b"piece"),
        Happening.DATA_END: lambda: data(stream_id, b"piece", end=True),
        Happening.RESET: lambda: rst_stream(stream_id, ErrorCode.INTERNAL_ERROR),
        Happening.WINDOW_UPDATE: lambda: window_update(stream_id, 1),
        Happening.PRIORITY: lambda: raw(2, 0, stream_id, bytes(5)),
    }[happening]()


def calls_of(happening: Happening) -> list[str]:
    """What a receiver is told when it may happen."""
    return {
        Happening.HEAD: ["head"],
        Happening.HEAD_END: ["head", "end"],
        Happening.TRAILERS_END: ["end"],
        Happening.DATA: ["data"],
        Happening.DATA_END: ["data", "end"],
        Happening.RESET: ["fault"],
    }.get(happening, [])


@pytest.mark.parametrize("state", [state for state in State if state is not State.ANSWERED])
@pytest.mark.parametrize("happening", COMES)
def test_every_frame_in_every_state_does_on_a_connection_what_the_table_says(
    state: State, happening: Happening
) -> None:
    """The receiver, the stream and what is sent."""
    connection, peer, stream_id, receiver = in_state(state)
    target = expected(state, happening)
    frame = frame_of(happening, peer, stream_id)
    if target is Refusal.UNUSED:
        with pytest.raises(ConnectionFault) as caught:
            connection.receive(frame, 0.0)
        assert caught.value.error_code == ErrorCode.PROTOCOL_ERROR
        return
    connection.receive(frame, 0.0)
    if state in {State.IDLE, State.CLOSED}:
        assert receiver.calls == []
        assert sent(connection) == []
    elif target is Refusal.MALFORMED:
        assert receiver.calls == [PROTOCOL]
        (reset,) = sent(connection)
        assert (reset.stream_id, reset.error_code) == (stream_id, ErrorCode.PROTOCOL_ERROR)
        assert connection.open_streams == 0
    else:
        assert receiver.names == calls_of(happening)
        # a request that is not complete when its answer is, is not completed (8.1)
        resets = [(frame.stream_id, frame.error_code) for frame in sent(connection)]
        assert resets == ([(stream_id, ErrorCode.NO_ERROR)] if target is State.ANSWERED else [])
        is_open = target not in {State.CLOSED, State.ANSWERED}
        assert connection.open_streams == is_open
        if is_open:
            assert connection._streams[stream_id].state is target
        if happening is Happening.RESET:
            assert receiver.calls == [RESET]
