"""What comes on an HTTP/2 connection: answers, windows, resets, farewells, and what breaks one stream only."""

from __future__ import annotations

import pytest
from hyperframe.frame import (
    AltSvcFrame,
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from http_util.engine.http2_frames import ConnectionFault, ErrorCode
from http_util.engine.http2_state import MAX_CONTINUATIONS, MAX_INTERIM_HEADS
from tests.unit.http_util.engine.http2_doubles import (
    END_HEADERS,
    END_STREAM,
    HEAD_REQUEST,
    OK,
    PADDED,
    PRIORITY,
    PROTOCOL,
    RESET,
    STREAMED,
    TOO_LARGE,
    UNPROCESSED,
    Recorder,
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
)

LENGTH_5 = [OK, (b"content-length", b"5")]


@pytest.mark.requirement("HTU-02")
def test_an_answer_is_a_head_pieces_and_an_end() -> None:
    """In their order, and then the stream is gone."""
    state, peer = connected()
    stream_id, receiver = asked(state)
    state.receive(peer.headers(stream_id) + data(stream_id, b"a") + data(stream_id, b"b"), 0.0)
    state.receive(data(stream_id, b"c", end=True), 0.0)
    head = ("head", 200, [(b"content-type", b"text/event-stream")])
    assert receiver.calls == [head, ("data", b"a"), ("data", b"b"), ("data", b"c"), ("end",)]
    assert (state.open_streams, sent(state)) == (0, [])


@pytest.mark.requirement("HTU-02")
def test_answers_on_many_streams_may_be_interleaved() -> None:
    """Each receiver gets its own."""
    state, peer = connected()
    streams = [asked(state) for _ in range(5)]
    state.receive(b"".join(peer.headers(stream_id) for stream_id, _ in reversed(streams)), 0.0)
    for number in range(3):
        state.receive(b"".join(data(stream_id, b"%d-%d " % (stream_id, number)) for stream_id, _ in streams), 0.0)
    state.receive(b"".join(data(stream_id, end=True) for stream_id, _ in streams), 0.0)
    for stream_id, receiver in streams:
        assert receiver.body == b"".join(b"%d-%d " % (stream_id, number) for number in range(3))
        assert receiver.names == ["head", "data", "data", "data", "end"]


def test_an_answer_may_end_with_its_head_or_with_trailers() -> None:
    """Trailers are checked and dropped; an empty last frame is no piece."""
    state, peer = connected()
    (one, head_only), (two, trailed), (three, emptied) = asked(state), asked(state), asked(state)
    state.receive(peer.headers(one, end=True) + peer.headers(two) + peer.headers(three), 0.0)
    state.receive(peer.headers(two, [(b"x-checksum", b"1")], end=True) + data(three, end=True), 0.0)
    assert [receiver.names for receiver in (head_only, trailed, emptied)] == [["head", "end"]] * 3


def test_interim_heads_are_skipped_up_to_a_number() -> None:
    """One more resets the stream."""
    state, peer = connected()
    (one, patient), (two, flooded) = asked(state), asked(state)
    state.receive(peer.headers(one, [(b":status", b"103")]) * MAX_INTERIM_HEADS + peer.headers(one), 0.0)
    state.receive(peer.headers(two, [(b":status", b"103")]) * (MAX_INTERIM_HEADS + 1), 0.0)
    assert (patient.names, flooded.calls) == (["head"], [PROTOCOL])
    (reset,) = sent(state)
    assert (reset.stream_id, reset.error_code) == (two, ErrorCode.ENHANCE_YOUR_CALM)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="nothing"),
        pytest.param([(b"a", b"b")], id="no status"),
        pytest.param([(b":status", b"2oo")], id="no number"),
        pytest.param([(b":status", b"101")], id="a switch of protocols"),
        pytest.param([OK, (b":path", b"/")], id="a pseudo-header field too many"),
        pytest.param([OK, (b"Upper", b"x")], id="upper case"),
        pytest.param([OK, (b"transfer-encoding", b"chunked")], id="of HTTP/1.1"),
        pytest.param([OK, (b"a", b"b\r\nc: d")], id="a line break"),
        pytest.param([OK, (b"content-length", b"five")], id="a length that is none"),
        pytest.param([OK, (b"content-length", b"5"), (b"content-length", b"6")], id="two lengths"),
    ],
)
def test_a_malformed_head_resets_its_stream_and_no_other(fields: list[tuple[bytes, bytes]]) -> None:
    """8.1.1; the next answer on the connection is good, so header compression is in step."""
    state, peer = connected()
    (one, receiver), (two, other) = asked(state), asked(state)
    state.receive(peer.headers(one, fields) + data(one, b"x") + peer.headers(two, STREAMED), 0.0)
    assert receiver.calls == [PROTOCOL]
    assert receiver.fault is not None
    assert receiver.fault.error_code is None
    (reset,) = sent(state)
    assert (reset.stream_id, reset.error_code) == (one, ErrorCode.PROTOCOL_ERROR)
    assert other.names == ["head"]


@pytest.mark.parametrize("fields", [[OK], [(b"Upper", b"x")], [(b"a", b" b")], [(b"connection", b"close")]])
def test_malformed_trailers_fault_the_answer(fields: list[tuple[bytes, bytes]]) -> None:
    """Though they would have been dropped."""
    state, peer = connected()
    stream_id, receiver = answering(state, peer)
    state.receive(peer.headers(stream_id, fields, end=True), 0.0)
    assert receiver.calls == [PROTOCOL]


# content-length


@pytest.mark.parametrize("cut", range(6))
def test_an_answer_as_long_as_it_says_is_complete(cut: int) -> None:
    """However its content is spread over frames."""
    state, peer = connected()
    stream_id, receiver = asked(state)
    state.receive(peer.headers(stream_id, LENGTH_5), 0.0)
    state.receive(data(stream_id, b"hello"[:cut]) + data(stream_id, b"hello"[cut:], end=True), 0.0)
    assert (receiver.body, receiver.names[-1]) == (b"hello", "end")


@pytest.mark.parametrize(
    ("pieces", "end"),
    [
        pytest.param([b"hell"], "data", id="one short"),
        pytest.param([], "data", id="nothing"),
        pytest.param([b"hello", b"!"], "data", id="one too long"),
        pytest.param([b"hello!"], "data", id="one too long at once"),
        pytest.param([b"hell"], "trailers", id="one short before trailers"),
        pytest.param([], "head", id="a head that ends"),
    ],
)
def test_an_answer_of_another_length_is_a_fault(pieces: list[bytes], end: str) -> None:
    """8.1.1; nothing beyond the length is handed out."""
    state, peer = connected()
    stream_id, receiver = asked(state)
    state.receive(peer.headers(stream_id, LENGTH_5, end=end == "head"), 0.0)
    state.receive(b"".join(data(stream_id, piece) for piece in pieces), 0.0)
    if end != "head" and not receiver.is_over:
        end_of = data(stream_id, end=True) if end == "data" else peer.headers(stream_id, [(b"a", b"b")], end=True)
        state.receive(end_of, 0.0)
    assert receiver.calls[-1] == PROTOCOL
    assert b"hello".startswith(receiver.body)
    assert "end" not in receiver.names


@pytest.mark.parametrize(
    ("request_fields", "status"), [(HEAD_REQUEST, b"200"), (None, b"204"), (None, b"304"), (HEAD_REQUEST, b"404")]
)
def test_some_answers_name_a_length_and_have_no_content(
    request_fields: list[tuple[bytes, bytes]] | None, status: bytes
) -> None:
    """Those to HEAD, 204 and 304; content in them is a fault."""
    state, peer = connected()
    fields = [(b":status", status), (b"content-length", b"5")]
    for end in (True, False):
        arguments = {} if request_fields is None else {"fields": request_fields}
        (one, good), (two, bad) = asked(state, **arguments), asked(state, **arguments)
        state.receive(peer.headers(one, fields, end=end) + (b"" if end else data(one, end=True)), 0.0)
        assert good.names == ["head", "end"]
        state.receive(peer.headers(two, fields) + data(two, b"x", end=end), 0.0)
        assert (bad.names, bad.calls[-1]) == (["head", "fault"], PROTOCOL)


# requests that are not complete when their answer is


def test_who_has_the_whole_answer_sends_no_more_of_the_request() -> None:
    """8.1: the stream is reset without an error, and the answer is good."""
    state, peer = connected()
    stream_id, receiver = sending(state)
    state.receive(peer.headers(stream_id, [(b":status", b"413")]) + data(stream_id, b"too much", end=True), 0.0)
    state.receive(rst_stream(stream_id, ErrorCode.NO_ERROR), 0.0)
    assert receiver.names == ["head", "data", "end"]
    (reset,) = sent(state)
    assert (reset.stream_id, reset.error_code) == (stream_id, ErrorCode.NO_ERROR)
    assert (state.open_streams, state.send_room(stream_id)) == (0, 0)


def test_a_receiver_may_complete_the_request_when_the_answer_ends() -> None:
    """Then there is nothing to be reset."""
    state, peer = connected()
    react = lambda name: state.send_data(1, b"rest", end_stream=True) if name == "end" else None  # noqa: E731 - a line
    stream_id, receiver = sending(state, react=react)
    state.receive(peer.headers(stream_id, end=True), 0.0)
    (body,) = sent(state)
    assert isinstance(body, DataFrame)
    assert (receiver.names, state.open_streams) == (["head", "end"], 0)


def test_an_answer_may_begin_before_the_request_is_complete() -> None:
    """Both go on."""
    state, peer = connected()
    stream_id, receiver = sending(state)
    state.receive(peer.headers(stream_id) + data(stream_id, b"a"), 0.0)
    state.send_data(stream_id, b"rest", end_stream=True)
    state.receive(data(stream_id, b"b", end=True), 0.0)
    assert (receiver.body, receiver.names[-1]) == (b"ab", "end")
    assert [type(frame) for frame in sent(state)] == [DataFrame]


def test_a_reset_without_an_error_before_the_end_is_a_reset() -> None:
    """The answer is not complete."""
    state, peer = connected()
    stream_id, receiver = answering(state, peer)
    state.receive(rst_stream(stream_id, ErrorCode.NO_ERROR), 0.0)
    assert receiver.calls == [RESET]


# receivers that act while they are being told


@pytest.mark.parametrize("when", ["head", "data"])
@pytest.mark.parametrize("end", [True, False])
def test_a_receiver_that_resets_its_stream_hears_nothing_more(when: str, end: bool) -> None:
    """Whatever comes in the same read; an answer that had just ended needs no reset."""
    state, peer = connected()
    stream_id, receiver = asked(state, react=lambda name: state.reset(1) if name == when else None)
    state.receive(peer.headers(stream_id, end=end and when == "head"), 0.0)
    state.receive(data(stream_id, b"x", end=end) if when == "data" else b"", 0.0)
    state.receive(b"" if end else data(stream_id, b"late"), 0.0)
    assert receiver.names[-1] == when
    assert [type(frame) for frame in sent(state)] == ([] if end else [RstStreamFrame])


def test_a_receiver_may_open_the_next_stream_when_its_answer_ends() -> None:
    """Also when the peer allows one at a time."""
    state, peer = connected(settings(max_concurrent_streams=1))
    opened: list[tuple[int, Recorder]] = []
    stream_id, receiver = asked(state, react=lambda name: opened.append(asked(state)) if name == "end" else None)
    state.receive(peer.headers(stream_id, end=True), 0.0)
    assert receiver.names == ["head", "end"]
    state.receive(peer.headers(opened[0][0], end=True), 0.0)
    assert opened[0][1].names == ["head", "end"]


def test_nothing_is_read_after_a_receiver_gave_the_connection_up() -> None:
    """What follows in the same read is of no interest."""
    state, peer = connected()
    stream_id, receiver = asked(state, react=lambda name: state.lost("given up") if name == "data" else None)
    state.receive(peer.headers(stream_id) + data(stream_id, b"a") + data(stream_id, b"b") + ping(b"bad"), 0.0)
    assert receiver.names == ["head", "data", "fault"]


# resets and farewells


@pytest.mark.parametrize(
    ("error_code", "fault"),
    [
        (ErrorCode.REFUSED_STREAM, UNPROCESSED),
        (ErrorCode.CANCEL, RESET),
        (ErrorCode.INTERNAL_ERROR, RESET),
        (4711, RESET),
    ],
)
def test_a_refused_stream_was_surely_not_processed_another_one_perhaps(error_code: int, fault: object) -> None:
    """8.7; the fault has the peer's code, and its name where there is one."""
    state, _ = connected()
    stream_id, receiver = asked(state)
    state.receive(rst_stream(stream_id, error_code), 0.0)
    assert receiver.calls == [fault]
    assert receiver.fault is not None
    assert receiver.fault.error_code == error_code
    assert (error_code.name if isinstance(error_code, ErrorCode) else "4711") in receiver.fault.message
    assert (sent(state), state.open_streams) == ([], 0)


@pytest.mark.parametrize("status", [b"200", b"103"])
def test_a_stream_that_was_begun_with_cannot_be_refused(status: bytes) -> None:
    """Whoever answers has processed something, whatever it says later."""
    state, peer = connected()
    (one, refused), (two, left) = asked(state), asked(state)
    head = [(b":status", status)]
    state.receive(peer.headers(one, head) + peer.headers(two, head), 0.0)
    state.receive(rst_stream(one, ErrorCode.REFUSED_STREAM) + goaway(0), 0.0)
    assert (refused.calls[-1], left.calls[-1]) == (RESET, RESET)


def test_a_farewell_tells_which_streams_were_not_processed() -> None:
    """The others go on to their end, and no new ones begin."""
    state, peer = connected()
    streams = [asked(state) for _ in range(4)]
    state.receive(peer.headers(1) + goaway(3, ErrorCode.ENHANCE_YOUR_CALM, b"debug: hunter2"), 0.0)
    assert [receiver.names for _, receiver in streams] == [["head"], [], ["fault"], ["fault"]]
    fault = streams[2][1].fault
    assert fault is not None
    assert (fault.kind, fault.error_code) == (UNPROCESSED[1], ErrorCode.ENHANCE_YOUR_CALM)
    assert "ENHANCE_YOUR_CALM" in fault.message
    assert "hunter2" not in fault.message
    assert (state.open_streams, state.can_open, state.is_going_away) == (2, False, True)
    state.receive(data(1, b"x", end=True) + peer.headers(3, end=True), 0.0)
    assert [receiver.names[-1] for _, receiver in streams[:2]] == ["end", "end"]


def test_a_second_farewell_may_lower_the_last_stream_and_not_raise_it() -> None:
    """The first one often names all streams there could be."""
    state, _ = connected()
    streams = [asked(state) for _ in range(3)]
    for last_id, faulted in ((2**31 - 1, 0), (3, 1), (5, 1), (1, 2), (2**31 - 1, 2)):
        state.receive(goaway(last_id), 0.0)
        assert [receiver.calls for _, receiver in streams] == [[]] * (3 - faulted) + [[UNPROCESSED]] * faulted
    state.lost("closed")
    assert streams[0][1].calls == [RESET]


def test_late_frames_of_streams_that_a_farewell_gave_up_do_no_harm() -> None:
    """A peer that says so and answers all the same is odd, but its other streams are good."""
    state, peer = connected()
    (one, good), (two, given_up) = asked(state), asked(state)
    state.receive(goaway(one) + peer.headers(two) + data(two, b"late") + peer.headers(one, end=True), 0.0)
    assert (given_up.calls, good.names) == ([UNPROCESSED], ["head", "end"])


def test_the_last_stream_of_a_farewell_has_31_bits() -> None:
    """The first bit means nothing (6.8)."""
    state, _ = connected()
    (_, below), (_, above) = asked(state), asked(state)
    state.receive(goaway(1 | 1 << 31), 0.0)
    assert (below.calls, above.calls) == ([], [UNPROCESSED])


# our windows


def test_the_connections_window_is_given_back_as_bytes_come() -> None:
    """Though nobody reads them; so a stream that is not read holds up no other."""
    state, peer = connected(connection_window=100_000, stream_window=60_000)
    (lazy, _), (busy, receiver) = answering(state, peer), answering(state, peer)
    state.receive(data(lazy, bytes(16_000)) * 3, 0.0)
    assert sent(state) == []
    for _ in range(20):
        state.receive(data(busy, bytes(10_000)), 0.0)
        state.grant(busy, 10_000)
    given = {0: 0, busy: 0}
    for update in sent(state):
        given[update.stream_id] += update.window_increment
    assert 200_000 <= given[0] <= 248_000
    assert given[busy] >= 170_000
    assert len(receiver.body) == 200_000


def test_a_window_is_given_back_once_a_read_and_not_once_a_frame() -> None:
    """Half of it or more, in one frame."""
    state, peer = connected(connection_window=65_535)
    stream_id, _ = answering(state, peer)
    state.receive(data(stream_id, bytes(8000)) * 8, 0.0)
    (update,) = sent(state)
    assert isinstance(update, WindowUpdateFrame)
    assert (update.stream_id, update.window_increment) == (0, 64_000)


def test_padding_is_counted_and_given_back_at_once() -> None:
    """Nobody else can: no reader ever sees it. The byte that tells its size belongs to it."""
    state, peer = connected(stream_window=1000)
    stream_id, receiver = answering(state, peer)
    state.receive(data(stream_id, b"abc", padding=255) + data(stream_id, padding=0), 0.0)
    assert receiver.calls == [("data", b"abc")]
    state.grant(stream_id, 3)
    assert state._streams[stream_id].taken == 260
    assert state._connection_window - state._connection_room == 260
    state.receive(data(stream_id, b"d", end=True, padding=200), 0.0)
    assert (receiver.body, receiver.names[-1]) == (b"abcd", "end")


@pytest.mark.parametrize("padding", [None, 0, 10])
def test_an_answer_may_fill_the_window_to_the_last_byte(padding: int | None) -> None:
    """One more ends the connection."""
    for more in (0, 1):
        state, peer = connected(stream_window=100)
        stream_id, receiver = answering(state, peer)
        overhead = 0 if padding is None else padding + 1
        frame = data(stream_id, bytes(100 - overhead + more), padding=padding)
        if more:
            with pytest.raises(ConnectionFault, match="than a stream takes") as caught:
                state.receive(frame, 0.0)
            assert caught.value.error_code == ErrorCode.FLOW_CONTROL_ERROR
            assert receiver.calls == [PROTOCOL]
        else:
            state.receive(frame, 0.0)
            assert receiver.names == ["data"]


def test_late_content_counts_for_the_connection_and_is_given_back() -> None:
    """Else each cancelled stream would make the connection a little narrower for ever."""
    state, peer = connected(connection_window=65_535, stream_window=50_000)
    given = 0
    for _ in range(20):
        stream_id, receiver = answering(state, peer)
        state.reset(stream_id)
        state.receive(data(stream_id, bytes(10_000)) * 5, 0.0)
        given += sum(frame.window_increment for frame in sent(state) if isinstance(frame, WindowUpdateFrame))
        assert receiver.calls == []
    assert 20 * 50_000 - 32_768 <= given <= 20 * 50_000


def test_late_heads_keep_header_compression_in_step() -> None:
    """They are decoded and dropped: what they put into the table is used by the next answer."""
    state, peer = connected()
    stream_id, receiver = asked(state)
    state.reset(stream_id)
    fields = [OK, (b"x-table", b"entry")]
    state.receive(peer.headers(stream_id, fields), 0.0)
    next_id, next_receiver = asked(state)
    frame = peer.headers(next_id, fields)
    assert len(frame) < 15
    state.receive(frame, 0.0)
    assert (receiver.calls, next_receiver.calls) == ([], [("head", 200, [(b"x-table", b"entry")])])


# blocks of header fields


def test_a_head_may_come_in_pieces_and_with_padding_and_priority() -> None:
    """None of which reaches the receiver."""
    state, peer = connected()
    (one, pieces), (two, padded) = asked(state), asked(state)
    state.receive(peer.split_headers(one, STREAMED, 3), 0.0)
    payload = b"\x04" + b"\x80\x00\x00\x01\xff" + peer.block(STREAMED) + bytes(4)
    state.receive(raw(1, END_HEADERS | END_STREAM | PADDED | PRIORITY, two, payload), 0.0)
    assert (pieces.names, padded.names) == (["head"], ["head", "end"])
    assert pieces.calls[0] == padded.calls[0]


def test_trailers_may_come_in_pieces() -> None:
    """The flag that ends the stream stands on the first of them."""
    state, peer = connected()
    stream_id, receiver = answering(state, peer)
    first = raw(1, END_STREAM, stream_id, b"")
    state.receive(first + raw(9, 0, stream_id, b"") + raw(9, END_HEADERS, stream_id, peer.block([(b"a", b"b")])), 0.0)
    assert receiver.names == ["end"]


def test_a_head_that_is_too_large_resets_its_stream_and_the_connection_goes_on() -> None:
    """As long as it can be read."""
    state, peer = connected(max_header_bytes=1500)
    (one, receiver), (two, other) = asked(state), asked(state)
    fields = [OK, *((b"x-%d" % number, b"v" * 40) for number in range(20)), (b"x-last", b"w")]
    state.receive(peer.headers(one, fields), 0.0)
    assert receiver.calls == [TOO_LARGE]
    (reset,) = sent(state)
    assert (reset.stream_id, reset.error_code) == (one, ErrorCode.ENHANCE_YOUR_CALM)
    state.receive(peer.headers(two, [OK, (b"x-last", b"w")], end=True), 0.0)
    assert other.calls == [("head", 200, [(b"x-last", b"w")]), ("end",)]


def test_a_head_in_as_many_pieces_as_are_allowed_is_read() -> None:
    """One more is one of the attacks."""
    state, peer = connected()
    stream_id, receiver = asked(state)
    block = peer.block(STREAMED)
    frames = raw(1, END_STREAM, stream_id, block) + raw(9, 0, stream_id) * (MAX_CONTINUATIONS - 1)
    state.receive(frames + raw(9, END_HEADERS, stream_id), 0.0)
    assert receiver.names == ["head", "end"]


# windows of the peer


@pytest.mark.parametrize(
    ("size", "error_code"), [(0, ErrorCode.PROTOCOL_ERROR), (2**31 - 1, ErrorCode.FLOW_CONTROL_ERROR)]
)
def test_a_wrong_window_of_a_stream_resets_it(size: int, error_code: ErrorCode) -> None:
    """6.9 and 6.9.1; the connection goes on."""
    state, peer = connected()
    (one, receiver), (two, other) = asked(state), asked(state)
    state.receive(window_update(one, size) + peer.headers(two, end=True), 0.0)
    assert (receiver.calls, other.names) == ([PROTOCOL], ["head", "end"])
    (reset,) = sent(state)
    assert (reset.stream_id, reset.error_code) == (one, error_code)


def test_a_window_may_be_as_large_as_a_window_can_be() -> None:
    """Of a stream and of the connection."""
    state, _ = connected()
    stream_id, receiver = sending(state)
    rest = 2**31 - 1 - 65_535
    state.receive(window_update(stream_id, rest) + window_update(0, rest), 0.0)
    assert (state.send_room(stream_id), receiver.calls) == (2**31 - 1, [])


# the rest


def test_pings_and_settings_are_answered_at_once() -> None:
    """With what they carry, and with nothing."""
    state, _ = connected()
    state.receive(ping(b"opaque!!") + settings(max_concurrent_streams=9), 0.0)
    answer, acknowledgement = sent(state)
    assert isinstance(answer, PingFrame)
    assert (answer.opaque_data, set(answer.flags)) == (b"opaque!!", {"ACK"})
    assert isinstance(acknowledgement, SettingsFrame)
    assert (acknowledgement.settings, set(acknowledgement.flags)) == ({}, {"ACK"})


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(raw(0x4D, 0xFF, 0, b"whatever"), id="unknown"),
        pytest.param(raw(0xFF, 0, 1), id="unknown, on a stream"),
        pytest.param(AltSvcFrame(stream_id=0, origin=b"upstream", field=b'h3=":443"').serialize(), id="ALTSVC"),
        pytest.param(PriorityFrame(stream_id=1, depends_on=0, stream_weight=1).serialize(), id="PRIORITY"),
        pytest.param(PriorityFrame(stream_id=4, depends_on=4).serialize(), id="PRIORITY of a stream of the peer"),
        pytest.param(PriorityFrame(stream_id=999, depends_on=1).serialize(), id="PRIORITY of a stream to come"),
    ],
)
def test_frames_that_mean_nothing_to_us_are_ignored(frame: bytes) -> None:
    """Unknown types (4.1, 5.5), and priorities (5.3.2) of any stream."""
    state, peer = connected()
    stream_id, receiver = asked(state)
    state.receive(peer.headers(stream_id) + frame + data(stream_id, b"x", end=True), 0.0)
    assert (receiver.names, sent(state)) == (["head", "data", "end"], [])


def test_bits_that_mean_nothing_are_ignored() -> None:
    """The first of the stream id, and flags that a type does not have (4.1)."""
    state, peer = connected()
    stream_id, receiver = asked(state)
    reserved = stream_id | 1 << 31
    state.receive(peer.headers(reserved) + raw(0, 0xF2, reserved, b"x") + raw(0, 0x03, reserved, b"y"), 0.0)
    assert (receiver.body, receiver.names[-1]) == (b"xy", "end")


def test_an_empty_read_is_nothing() -> None:
    """No call, no output."""
    state, peer = connected()
    _, receiver = answering(state, peer)
    state.receive(b"", 0.0)
    assert (receiver.calls, sent(state)) == ([], [])


def test_heads_of_another_library_are_taken() -> None:
    """A frame as hyperframe writes it."""
    state, peer = connected()
    stream_id, receiver = asked(state)
    frame = HeadersFrame(stream_id, data=peer.block(STREAMED), pad_length=7, depends_on=3, stream_weight=9)
    frame.flags |= {"END_HEADERS", "PADDED", "PRIORITY"}
    state.receive(frame.serialize(), 0.0)
    assert receiver.names == ["head"]
