"""What we send on an HTTP/2 connection: the beginning, requests in the peer's windows, grants, resets, farewells."""

from __future__ import annotations

import hpack
import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from http_util.engine.http2_frames import MAX_STREAM_ID, PREFACE, ConnectionFault, ErrorCode
from http_util.engine.http2_requests import CONNECTION_WINDOW, STREAM_WINDOW
from http_util.engine.http2_state import Http2State
from tests.unit.http_util.engine.http2_doubles import (
    GET,
    POST,
    PROTOCOL,
    RESET,
    UNPROCESSED,
    Recorder,
    answering,
    asked,
    connected,
    data,
    frames,
    goaway,
    ping,
    raw,
    sending,
    sent,
    settings,
    window_update,
)


@pytest.mark.requirement("HTU-02")
def test_a_connection_begins_with_the_preface_our_settings_and_a_wide_window() -> None:
    """In this order, once."""
    state = Http2State(max_header_bytes=1000, stream_window=2000, connection_window=70_000)
    state.start()
    output = state.take_output()
    assert output.startswith(PREFACE)
    ours, update = frames(output)
    assert isinstance(ours, SettingsFrame)
    assert ours.settings == {2: 0, 4: 2000, 6: 1000}
    assert isinstance(update, WindowUpdateFrame)
    assert (update.stream_id, update.window_increment) == (0, 70_000 - 65_535)
    assert state.take_output() == b""


def test_a_window_that_is_the_protocols_own_is_not_widened() -> None:
    """Widening by nothing would be an error."""
    state = Http2State(connection_window=65_535)
    state.start()
    assert [type(frame) for frame in sent(state)] == [SettingsFrame]


@pytest.mark.parametrize(
    ("name", "value"),
    [("stream_window", 0), ("stream_window", 2**31), ("connection_window", 65_534), ("connection_window", 2**31)],
)
def test_a_window_out_of_range_is_refused_by_name(name: str, value: int) -> None:
    """With what would be taken."""
    with pytest.raises(ValueError, match=f"{name} must be .*, not {value}"):
        Http2State(**{name: value})


def test_before_the_peers_settings_there_is_room_for_one_stream() -> None:
    """It could be that the peer takes no more."""
    state = Http2State()
    state.start()
    assert (state.peer_max_streams, state.can_open, state.has_peer_settings) == (1, True, False)
    state.open_stream(GET, Recorder(), end_stream=True)
    assert not state.can_open
    with pytest.raises(RuntimeError, match="can_open"):
        state.open_stream(GET, Recorder(), end_stream=True)


@pytest.mark.parametrize(
    ("said", "allowed"), [({}, 50), ({"max_concurrent_streams": 7}, 7), ({"max_concurrent_streams": 1000}, 50)]
)
def test_the_peer_says_how_many_streams_it_takes_up_to_our_own_bound(said: dict[str, int], allowed: int) -> None:
    """Our own bound stands also when it says nothing."""
    state, _ = connected(settings(**said), max_streams=50)
    assert (state.peer_max_streams, state.has_peer_settings) == (allowed, True)
    for _ in range(allowed):
        assert state.can_open
        asked(state)
    assert not state.can_open
    assert state.open_streams == allowed


def test_later_settings_that_do_not_speak_of_streams_leave_their_number() -> None:
    """And one below what is open closes nothing."""
    state, _ = connected(settings(max_concurrent_streams=3))
    streams = [asked(state) for _ in range(3)]
    state.receive(settings(initial_window_size=1), 0.0)
    assert state.peer_max_streams == 3
    state.receive(settings(max_concurrent_streams=1), 0.0)
    assert (state.open_streams, state.can_open) == (3, False)
    for stream_id, receiver in streams[:2]:
        state.reset(stream_id)
        assert not state.can_open
        assert receiver.calls == []
    state.reset(streams[2][0])
    assert state.can_open
    state.receive(settings(max_concurrent_streams=0), 0.0)
    assert not state.can_open


def test_a_request_without_a_body_is_one_frame() -> None:
    """Its fields arrive."""
    state, _ = connected()
    stream_id = state.open_stream(GET, Recorder(), end_stream=True)
    (head,) = sent(state)
    assert isinstance(head, HeadersFrame)
    assert (head.stream_id, stream_id) == (1, 1)
    assert {"END_STREAM", "END_HEADERS"} == set(head.flags)
    assert [tuple(field) for field in hpack.Decoder().decode(head.data, raw=True)] == GET


def test_streams_have_odd_ids_that_rise() -> None:
    """5.1.1."""
    state, _ = connected()
    assert [asked(state)[0] for _ in range(4)] == [1, 3, 5, 7]


def test_a_large_head_is_continued() -> None:
    """By what the peer takes in a frame."""
    state, _ = connected()
    state.open_stream([*GET, (b"x-large", b"x" * 40_000)], Recorder(), end_stream=True)
    first, *others = sent(state)
    assert isinstance(first, HeadersFrame)
    assert [type(frame) for frame in others] == [ContinuationFrame] * 2


def test_a_field_that_cannot_be_sent_leaves_everything_as_it_was() -> None:
    """No stream, no frame, and the next request goes well."""
    state, _ = connected()
    with pytest.raises(ValueError, match="line break"):
        state.open_stream([*GET, (b"authorization", b"Bearer hunter2\r\n")], Recorder(), end_stream=True)
    assert (state.open_streams, state.take_output()) == (0, b"")
    assert state.open_stream(GET, Recorder(), end_stream=True) == 1
    (head,) = sent(state)
    assert len(hpack.Decoder().decode(head.data)) == len(GET)


# bodies, and the peer's windows


def test_a_body_follows_its_head_in_the_same_output() -> None:
    """The last frame ends the request."""
    state, _ = connected()
    stream_id = state.open_stream(POST, Recorder(), end_stream=False)
    state.send_data(stream_id, b"{}", end_stream=True)
    head, body = sent(state)
    assert "END_STREAM" not in head.flags
    assert isinstance(body, DataFrame)
    assert (body.data, set(body.flags)) == (b"{}", {"END_STREAM"})


@pytest.mark.parametrize(
    ("size", "sizes"),
    [(16_384, [16_384]), (16_385, [16_384, 1]), (32_768, [16_384, 16_384]), (40_000, [16_384, 16_384, 7232])],
)
@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_a_body_is_split_by_what_the_peer_takes_in_a_frame(size: int, sizes: list[int], kind: type) -> None:
    """Only the last frame ends the request, and nothing is lost or moved."""
    state, _ = connected()
    stream_id, _ = sending(state)
    body = bytes(number % 251 for number in range(size))
    state.send_data(stream_id, kind(body), end_stream=True)
    found = sent(state)
    assert [len(frame.data) for frame in found] == sizes
    assert b"".join(frame.data for frame in found) == body
    assert ["END_STREAM" in frame.flags for frame in found] == [False] * (len(sizes) - 1) + [True]


def test_larger_frames_are_sent_when_the_peer_takes_them() -> None:
    """MAX_FRAME_SIZE holds at once."""
    state, _ = connected(settings(max_frame_size=20_000, initial_window_size=100_000))
    stream_id, _ = sending(state)
    state.send_data(stream_id, bytes(50_000), end_stream=False)
    assert [len(frame.data) for frame in sent(state)] == [20_000, 20_000, 10_000]


def test_an_empty_piece_is_sent_only_as_the_end() -> None:
    """An empty frame would say nothing."""
    state, _ = connected()
    stream_id, _ = sending(state)
    state.send_data(stream_id, b"", end_stream=False)
    assert sent(state) == []
    state.send_data(stream_id, b"", end_stream=True)
    (end,) = sent(state)
    assert (end.data, set(end.flags)) == (b"", {"END_STREAM"})


def test_a_request_that_is_complete_takes_nothing_more() -> None:
    """That would be our mistake."""
    state, _ = connected()
    stream_id, _ = asked(state)
    assert state.send_room(stream_id) == 0
    with pytest.raises(RuntimeError, match="complete"):
        state.send_data(stream_id, b"", end_stream=True)


def test_more_than_there_is_room_for_is_refused() -> None:
    """And nothing of it is sent; exactly as much is."""
    state, _ = connected(settings(initial_window_size=10))
    stream_id, _ = sending(state)
    with pytest.raises(ValueError, match="send_room"):
        state.send_data(stream_id, bytes(11), end_stream=True)
    assert sent(state) == []
    state.send_data(stream_id, bytes(10), end_stream=True)
    assert len(sent(state)) == 1


def test_the_room_is_the_smaller_of_the_streams_and_the_connections_window() -> None:
    """Streams share the connection's."""
    state, _ = connected(settings(initial_window_size=60_000))
    (first, _), (second, _) = sending(state), sending(state)
    state.send_data(first, bytes(60_000), end_stream=False)
    assert (state.send_room(first), state.send_room(second)) == (0, 5535)
    state.receive(window_update(0, 100_000), 0.0)
    assert (state.send_room(first), state.send_room(second)) == (0, 60_000)
    state.receive(window_update(first, 7), 0.0)
    assert state.send_room(first) == 7
    assert state.send_room(99) == 0


def test_a_sender_hears_when_there_is_room_where_there_was_none() -> None:
    """Once, and only if it waits for something; the stream's window first, then the connection's."""
    state, _ = connected(settings(initial_window_size=65_535))
    (full, at_full), (_, beside), (_, complete) = sending(state), sending(state), asked(state)
    state.send_data(full, bytes(65_535), end_stream=False)
    state.receive(window_update(full, 5), 0.0)
    assert (at_full.calls, beside.calls) == ([], [])
    state.receive(window_update(0, 5), 0.0)
    state.receive(window_update(0, 5), 0.0)
    assert (at_full.names, beside.names, complete.names) == (["room"], ["room"], [])
    state.send_data(full, bytes(5), end_stream=False)
    state.receive(window_update(full, 1), 0.0)
    state.receive(window_update(full, 1), 0.0)
    assert at_full.names == ["room", "room"]


def test_a_sender_that_resets_another_in_its_call_is_the_last_to_hear() -> None:
    """The other is gone."""
    state, _ = connected()
    victim = 0
    first, at_first = sending(state, react=lambda _: state.reset(victim))
    victim, at_victim = sending(state)
    state.send_data(first, bytes(65_535), end_stream=False)
    state.receive(window_update(first, 9) + window_update(0, 9), 0.0)
    assert (at_first.names, at_victim.names) == (["room"], [])


def test_another_initial_window_moves_the_windows_of_all_streams_also_below_zero() -> None:
    """6.9.2; whoever has room again hears of it."""
    state, _ = connected(settings(initial_window_size=1000))
    stream_id, receiver = sending(state)
    state.send_data(stream_id, bytes(800), end_stream=False)
    state.receive(settings(initial_window_size=500), 0.0)
    assert state.send_room(stream_id) == 0
    state.receive(window_update(stream_id, 300), 0.0)
    assert (state.send_room(stream_id), receiver.names) == (0, [])
    state.receive(window_update(stream_id, 1), 0.0)
    assert (state.send_room(stream_id), receiver.names) == (1, ["room"])
    state.receive(settings(initial_window_size=400) + settings(initial_window_size=600), 0.0)
    assert (state.send_room(stream_id), receiver.names) == (101, ["room", "room"])
    assert state.send_room(sending(state)[0]) == 600


def test_what_is_sent_on_a_stream_that_is_gone_goes_nowhere() -> None:
    """Whoever sends may not have heard yet."""
    state, _ = connected()
    stream_id, _ = sending(state)
    state.reset(stream_id)
    state.take_output()
    state.send_data(stream_id, bytes(10), end_stream=True)
    state.grant(stream_id, 10)
    state.reset(stream_id)
    assert (sent(state), state.send_room(stream_id)) == ([], 0)


# our windows


def test_a_streams_window_is_given_back_when_half_of_it_is_taken() -> None:
    """In one frame, and not before."""
    state, peer = connected(stream_window=1000)
    stream_id, _ = answering(state, peer)
    state.receive(data(stream_id, bytes(1000)), 0.0)
    state.grant(stream_id, 499)
    assert sent(state) == []
    state.grant(stream_id, 1)
    (update,) = sent(state)
    assert (update.stream_id, update.window_increment) == (stream_id, 500)
    state.receive(data(stream_id, bytes(500)), 0.0)
    state.grant(stream_id, 1000)
    assert [update.window_increment for update in sent(state)] == [1000]


def test_more_cannot_be_taken_than_came() -> None:
    """That would be our mistake, and would take the bound from what a stream may hold."""
    state, peer = connected(stream_window=1000)
    stream_id, _ = answering(state, peer)
    state.receive(data(stream_id, bytes(10)), 0.0)
    state.grant(stream_id, 10)
    with pytest.raises(ValueError, match="more was taken"):
        state.grant(stream_id, 1)


@pytest.mark.parametrize("is_complete", [True, False])
def test_no_window_is_given_back_for_an_answer_that_is_complete(is_complete: bool) -> None:
    """Nothing follows; whether its reader takes the last piece at once or later, and also when the request goes on."""
    state, peer = connected(stream_window=10)
    react = lambda name: state.grant(1, 9) if name == "data" else None  # noqa: E731 - a line
    stream_id, _ = (asked if is_complete else sending)(state, react=react)
    state.receive(peer.headers(stream_id) + data(stream_id, bytes(10), end=True), 0.0)
    state.grant(stream_id, 1)
    assert [type(frame) for frame in sent(state)] == ([] if is_complete else [RstStreamFrame])


# how we end things


def test_a_reset_says_cancel_unless_told_otherwise_and_ends_the_calls() -> None:
    """What still comes is dropped."""
    state, peer = connected()
    for arguments, error_code in (((), ErrorCode.CANCEL), ((ErrorCode.INTERNAL_ERROR,), ErrorCode.INTERNAL_ERROR)):
        stream_id, receiver = answering(state, peer)
        state.reset(stream_id, *arguments)
        (reset,) = sent(state)
        assert isinstance(reset, RstStreamFrame)
        assert (reset.stream_id, reset.error_code) == (stream_id, error_code)
        state.receive(data(stream_id, b"late", end=True), 0.0)
        assert (receiver.calls, state.open_streams) == ([], 0)


def test_pings_are_counted_until_they_are_answered() -> None:
    """An answer counts for the earlier ones too; one that nobody asked for does not count."""
    state, _ = connected()
    for _ in range(3):
        state.ping()
    first, second, third = sent(state)
    assert isinstance(first, PingFrame)
    assert len({first.opaque_data, second.opaque_data, third.opaque_data}) == 3
    assert state.pings_unanswered == 3
    state.receive(ping(b"\xff" * 8, ack=True) + ping(bytes(8), ack=True), 0.0)
    assert state.pings_unanswered == 3
    state.receive(ping(second.opaque_data, ack=True), 0.0)
    assert state.pings_unanswered == 1
    state.receive(ping(first.opaque_data, ack=True), 0.0)
    assert state.pings_unanswered == 1
    state.receive(ping(third.opaque_data, ack=True), 0.0)
    assert state.pings_unanswered == 0


def test_after_our_farewell_open_streams_go_on_and_no_new_ones_begin() -> None:
    """Until the socket is closed."""
    state, peer = connected()
    stream_id, receiver = answering(state, peer)
    state.close()
    (end,) = sent(state)
    assert isinstance(end, GoAwayFrame)
    assert (end.last_stream_id, end.error_code) == (0, 0)
    assert (state.is_going_away, state.can_open) == (True, False)
    state.receive(data(stream_id, b"rest", end=True), 0.0)
    assert receiver.names == ["data", "end"]


def test_when_the_socket_is_gone_all_streams_hear_of_it_once() -> None:
    """With the message; and nothing can be done any more."""
    state, peer = connected()
    (_, first), (_, second) = answering(state, peer), sending(state)
    state.lost("the socket broke")
    state.lost("again")
    assert (first.calls, second.calls) == ([RESET], [RESET])
    assert first.fault is not None
    assert (first.fault.message, first.fault.error_code) == ("the socket broke", None)
    state.receive(b"whatever", 0.0)
    state.ping()
    state.close()
    assert (state.take_output(), state.pings_unanswered, state.open_streams) == (b"", 0, 0)
    assert (state.is_going_away, state.can_open) == (True, False)


def test_a_request_that_nobody_took_from_the_output_was_surely_not_processed() -> None:
    """The output is dropped with it, so that it stays so."""
    state, _ = connected()
    _, gone = asked(state)
    kept = Recorder()
    state.open_stream(GET, kept, end_stream=True)
    state.lost("the socket broke")
    assert (gone.calls, kept.calls, state.take_output()) == ([RESET], [UNPROCESSED], b"")


def test_the_same_holds_when_the_peer_breaks_the_connection() -> None:
    """Only the farewell is left to be sent."""
    state, _ = connected()
    _, gone = asked(state)
    kept = Recorder()
    state.open_stream(GET, kept, end_stream=True)
    with pytest.raises(ConnectionFault):
        state.receive(ping(b"short"), 0.0)
    assert (gone.calls, kept.calls) == ([PROTOCOL], [UNPROCESSED])
    assert [type(frame) for frame in sent(state)] == [GoAwayFrame]


def test_a_receiver_that_resets_others_while_everything_ends_spares_them_the_call() -> None:
    """After a reset of ours, nothing comes."""
    state, _ = connected()
    others: list[int] = []
    _, first = asked(state, react=lambda _: [state.reset(other) for other in others])
    other, second = asked(state)
    others.append(other)
    state.lost("the socket broke")
    assert (first.calls, second.calls) == ([RESET], [])


def test_a_receiver_that_resets_others_when_the_peer_goes_away_spares_them_the_call() -> None:
    """The same."""
    state, _ = connected()
    others: list[int] = []
    _, first = asked(state, react=lambda _: [state.reset(other) for other in others])
    other, second = asked(state)
    others.append(other)
    state.receive(goaway(0), 0.0)
    assert (first.calls, second.calls) == ([UNPROCESSED], [])


def test_a_connection_whose_ids_are_used_up_goes_away() -> None:
    """5.1.1: another one has to be opened."""
    state, _ = connected()
    state._next_id = MAX_STREAM_ID
    assert (state.can_open, state.is_going_away) == (True, False)
    assert asked(state)[0] == MAX_STREAM_ID
    assert (state.can_open, state.is_going_away) == (False, True)


def test_a_connection_shows_how_busy_it_is() -> None:
    """For whoever debugs."""
    state, _ = connected(settings(max_concurrent_streams=5))
    asked(state)
    assert repr(state) == "Http2State(open, 1 of 5 streams)"
    state.close()
    assert repr(state) == "Http2State(going away, 1 of 5 streams)"
    state.lost("")
    assert repr(state) == "Http2State(over, 0 of 5 streams)"


def test_the_defaults_bound_what_a_stream_and_a_connection_may_hold() -> None:
    """As the documents say."""
    assert (STREAM_WINDOW, CONNECTION_WINDOW) == (256 * 1024, 16 * 1024 * 1024)


def test_settings_of_the_peer_do_not_reach_header_compression() -> None:
    """We keep no table, so any size of it is right: the first block says so."""
    state, _ = connected(settings(header_table_size=0))
    state.open_stream(GET, Recorder(), end_stream=True)
    state.receive(settings(header_table_size=65_536) + settings(header_table_size=0), 0.0)
    state.open_stream(GET, Recorder(), end_stream=True)
    decoder = hpack.Decoder()
    decoder.max_allowed_table_size = 0
    blocks = [frame.data for frame in sent(state) if isinstance(frame, HeadersFrame)]
    assert [[tuple(field) for field in decoder.decode(block, raw=True)] for block in blocks] == [GET, GET]


def test_an_acknowledgement_of_our_settings_is_expected() -> None:
    """It brings nothing about, and an answer to it neither."""
    state = Http2State()
    state.start()
    state.receive(settings() + raw(4, 1, 0), 0.0)
    assert [type(frame) for frame in sent(state)] == [SettingsFrame, WindowUpdateFrame, SettingsFrame]
