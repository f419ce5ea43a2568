"""Our side of HTTP/2 against another library's server, in memory: what both say, the other one understands."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from http_util.engine.http2_frames import ConnectionFault, ErrorCode
from http_util.engine.http2_state import Http2State
from tests.unit.http_util.engine.http2_doubles import GET, HEAD_REQUEST, POST, RESET, UNPROCESSED, Recorder

Setting = h2.settings.SettingCodes


class Server:
    """A server that answers when it is told to; bodies go as far as our windows let them."""

    def __init__(self, **initial: int) -> None:
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
        if initial:
            self.h2.local_settings = h2.settings.Settings(
                client=False, initial_values={Setting[name.upper()]: value for name, value in initial.items()}
            )
        self.h2.initiate_connection()
        self.bodies: dict[int, bytes] = {}
        self.heads: dict[int, list[tuple[bytes, bytes]]] = {}
        self.complete: set[int] = set()
        self.resets: dict[int, int] = {}
        self.seen: list[type] = []
        self._unsent: dict[int, tuple[bytes, int | None]] = {}

    def answer(self, stream_id: int, body: bytes, *, padding: int | None = None) -> None:
        """Send an answer as the windows allow."""
        self.h2.send_headers(stream_id, [(b":status", b"200"), (b"x-stream", b"%d" % stream_id)])
        self._unsent[stream_id] = body, padding
        self.push()

    def push(self) -> None:
        """Send what waits for a window."""
        for stream_id in list(self._unsent):
            while stream_id in self._unsent and self._push_piece(stream_id):
                pass

    def _push_piece(self, stream_id: int) -> bool:
        """Send as much as one frame and the windows take; False when that is nothing."""
        body, padding = self._unsent[stream_id]
        room = min(self.h2.local_flow_control_window(stream_id), self.h2.max_outbound_frame_size)
        room -= 0 if padding is None else padding + 1
        if room < 0 or (body and not room):
            return False
        piece, rest = body[:room], body[room:]
        self.h2.send_data(stream_id, piece, end_stream=not rest, pad_length=padding)
        self._unsent[stream_id] = rest, padding
        if not rest:
            del self._unsent[stream_id]
        return True

    def take(self, data: bytes) -> None:
        """Read what we sent."""
        for event in self.h2.receive_data(data):
            self.seen.append(type(event))
            match event:
                case h2.events.RequestReceived():
                    self.heads[event.stream_id] = [tuple(field) for field in event.headers]
                    self.bodies[event.stream_id] = b""
                case h2.events.DataReceived():
                    self.bodies[event.stream_id] += event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded():
                    self.complete.add(event.stream_id)
                case h2.events.StreamReset():
                    self.resets[event.stream_id] = event.error_code
                    self._unsent.pop(event.stream_id, None)
        self.push()


class Reader(Recorder):
    """A receiver that does not note when there is room: these tests ask."""

    def on_room(self) -> None:
        """Not noted."""


class Talk:
    """A connection of ours and a server, with bytes between them."""

    def __init__(self, *, initial: dict[str, int] | None = None, **arguments: int) -> None:
        self.server = Server(**(initial or {}))
        self.state = Http2State(**arguments)
        self.unsent: dict[int, bytes] = {}
        self.receivers: dict[int, Reader] = {}
        self.taken: dict[int, int] = {}
        self.reads = True
        self.state.start()
        self.settle()

    def ask(self, fields: list[tuple[bytes, bytes]] = GET, body: bytes | None = None) -> int:
        """Send a request."""
        receiver = Reader()
        stream_id = self.state.open_stream(fields, receiver, end_stream=body is None)
        self.receivers[stream_id] = receiver
        self.taken[stream_id] = 0
        if body is not None:
            self.unsent[stream_id] = body
        return stream_id

    def settle(self) -> None:
        """Carry bytes to and fro until nobody has anything to say."""
        while True:
            self._send_bodies()
            ours = self.state.take_output()
            if ours:
                self.server.take(ours)
            theirs = self.server.h2.data_to_send()
            if theirs:
                self.state.receive(theirs, 0.0)
                self._read_bodies()
            if not ours and not theirs:
                return

    def _send_bodies(self) -> None:
        """Send of the requests' bodies what the windows allow."""
        for stream_id, body in list(self.unsent.items()):
            room = self.state.send_room(stream_id)
            self.state.send_data(stream_id, body[:room], end_stream=len(body) <= room)
            self.unsent[stream_id] = body[room:]
            if len(body) <= room:
                del self.unsent[stream_id]

    def _read_bodies(self) -> None:
        """Take what came, as readers would."""
        for stream_id, receiver in self.receivers.items() if self.reads else ():
            size = len(receiver.body)
            self.state.grant(stream_id, size - self.taken[stream_id])
            self.taken[stream_id] = size


def body_of(size: int, seed: int = 0) -> bytes:
    """Bytes in which a piece that is lost or moved shows."""
    return bytes((number * 7 + number // 251 + seed) % 256 for number in range(size))


@pytest.fixture
def talk() -> Talk:
    """Both sides with their defaults."""
    return Talk()


@pytest.mark.requirement("HTU-02")
@pytest.mark.slow
def test_many_requests_with_and_without_bodies_are_served_on_one_connection(talk: Talk) -> None:
    """Heads and bodies arrive both ways, byte for byte."""
    bodies = {}
    for number in range(60):
        body = body_of(number * 1500, number) if number % 2 else None
        bodies[talk.ask(POST if number % 2 else GET, body)] = body
        talk.settle()
    for stream_id in bodies:
        talk.server.answer(stream_id, body_of(stream_id * 700, stream_id))
    talk.settle()
    for stream_id, body in bodies.items():
        assert talk.server.heads[stream_id] == (GET if body is None else POST)
        assert talk.server.bodies[stream_id] == (body or b"")
        receiver = talk.receivers[stream_id]
        assert receiver.calls[0] == ("head", 200, [(b"x-stream", b"%d" % stream_id)])
        assert (receiver.body, receiver.names[-1]) == (body_of(stream_id * 700, stream_id), "end")
    assert talk.state.open_streams == 0
    assert h2.events.SettingsAcknowledged in talk.server.seen


@pytest.mark.parametrize("padding", [None, 0, 3, 255])
@pytest.mark.slow
def test_large_bodies_pass_small_windows_both_ways_at_once(padding: int | None) -> None:
    """Ten streams of 40 KB, through windows of 2 KB and with padding of any size."""
    talk = Talk(initial={"initial_window_size": 2000}, stream_window=2000)
    ids = [talk.ask(POST, body_of(40_000, number)) for number in range(10)]
    talk.settle()
    for number, stream_id in enumerate(ids):
        talk.server.answer(stream_id, body_of(40_000, number), padding=padding)
    talk.settle()
    for number, stream_id in enumerate(ids):
        assert talk.server.bodies[stream_id] == body_of(40_000, number)
        assert talk.receivers[stream_id].body == body_of(40_000, number)
        assert talk.receivers[stream_id].names[-1] == "end"


@pytest.mark.slow
def test_a_stream_that_nobody_reads_stops_at_its_window_and_its_neighbours_go_on() -> None:
    """And goes on where it stopped when somebody does."""
    talk = Talk(stream_window=5000, connection_window=65_535)
    lazy, busy = talk.ask(), talk.ask()
    talk.settle()
    talk.reads = False
    talk.server.answer(lazy, body_of(100_000))
    talk.settle()
    assert len(talk.receivers[lazy].body) == 5000
    talk.server.answer(busy, body_of(1_000_000))
    taken = 0
    while not talk.receivers[busy].is_over:
        talk.settle()
        talk.state.grant(busy, len(talk.receivers[busy].body) - taken)
        taken = len(talk.receivers[busy].body)
    assert talk.receivers[busy].body == body_of(1_000_000)
    assert len(talk.receivers[lazy].body) == 5000
    talk.reads = True
    talk.taken[busy] = taken
    talk.state.grant(lazy, 5000)
    talk.taken[lazy] = 5000
    talk.settle()
    assert talk.receivers[lazy].body == body_of(100_000)


def test_settings_that_change_on_the_way_are_kept(talk: Talk) -> None:
    """Smaller and larger windows and frames, another table of header compression, fewer streams."""
    one = talk.ask(POST, body_of(300_000))
    talk.server.h2.update_settings({Setting.INITIAL_WINDOW_SIZE: 100, Setting.HEADER_TABLE_SIZE: 0})
    talk.settle()
    talk.server.h2.update_settings({Setting.INITIAL_WINDOW_SIZE: 50_000})
    talk.settle()
    assert talk.server.bodies[one] == body_of(300_000)
    talk.server.h2.update_settings({Setting.MAX_FRAME_SIZE: 30_000})
    talk.settle()
    two = talk.ask(POST, body_of(90_000))
    talk.settle()
    talk.server.h2.update_settings({Setting.MAX_CONCURRENT_STREAMS: 2, Setting.HEADER_TABLE_SIZE: 8192})
    talk.settle()
    assert (talk.state.peer_max_streams, talk.state.can_open) == (2, False)
    assert talk.server.bodies[two] == body_of(90_000)
    assert talk.server.complete == {one, two}


def test_interim_heads_trailers_and_answers_without_content_are_understood(talk: Talk) -> None:
    """As another library writes them."""
    early, trailed, head, empty = talk.ask(), talk.ask(), talk.ask(HEAD_REQUEST), talk.ask()
    talk.settle()
    server = talk.server.h2
    server.send_headers(early, [(b":status", b"103"), (b"link", b"</x>")])
    server.send_headers(early, [(b":status", b"200")], end_stream=True)
    server.send_headers(trailed, [(b":status", b"200")])
    server.send_data(trailed, b"content")
    server.send_headers(trailed, [(b"x-checksum", b"1")], end_stream=True)
    server.send_headers(head, [(b":status", b"200"), (b"content-length", b"700")], end_stream=True)
    server.send_headers(empty, [(b":status", b"204")], end_stream=True)
    talk.settle()
    assert [talk.receivers[s].names for s in (early, trailed, head, empty)] == [
        ["head", "end"],
        ["head", "data", "end"],
        ["head", "end"],
        ["head", "end"],
    ]


def test_resets_arrive_both_ways(talk: Talk) -> None:
    """With their codes, and the connection goes on."""
    ours, refused, broken, good = (talk.ask() for _ in range(4))
    talk.settle()
    talk.server.h2.send_headers(ours, [(b":status", b"200")])
    talk.settle()
    talk.state.reset(ours)
    talk.server.h2.reset_stream(refused, h2.errors.ErrorCodes.REFUSED_STREAM)
    talk.server.h2.reset_stream(broken, h2.errors.ErrorCodes.INTERNAL_ERROR)
    talk.settle()
    talk.server.answer(good, b"fine")
    talk.settle()
    assert talk.server.resets == {ours: ErrorCode.CANCEL}
    assert talk.receivers[ours].names == ["head"]
    assert (talk.receivers[refused].calls, talk.receivers[broken].calls) == ([UNPROCESSED], [RESET])
    assert talk.receivers[good].body == b"fine"


@pytest.mark.slow
def test_a_storm_of_cancels_leaves_a_connection_that_serves() -> None:
    """No window is lost on the way, though each answer was under way, and all together are twice the window."""
    talk = Talk(connection_window=1_000_000)
    for _ in range(1000):
        stream_id = talk.ask()
        del talk.receivers[stream_id]
        talk.server.take(talk.state.take_output())
        talk.server.answer(stream_id, bytes(2000))
        talk.state.reset(stream_id)
        talk.settle()
    stream_id = talk.ask()
    talk.settle()
    talk.server.answer(stream_id, body_of(2_000_000))
    talk.settle()
    assert talk.receivers[stream_id].body == body_of(2_000_000)
    assert talk.receivers[stream_id].names[-1] == "end"


def test_pings_are_answered_both_ways(talk: Talk) -> None:
    """And counted."""
    talk.state.ping()
    talk.server.h2.ping(b"12345678")
    assert talk.state.pings_unanswered == 1
    talk.settle()
    assert talk.state.pings_unanswered == 0
    assert h2.events.PingAckReceived in talk.server.seen


def test_farewells_arrive_both_ways(talk: Talk) -> None:
    """Streams below go on, those above were not processed."""
    one, two = talk.ask(), talk.ask()
    talk.settle()
    talk.server.answer(one, b"begun")
    talk.settle()
    talk.server.h2.close_connection(last_stream_id=one)
    data = talk.server.h2.data_to_send()
    talk.state.receive(data, 0.0)
    assert (talk.receivers[one].names[-1], talk.receivers[two].calls) == ("end", [UNPROCESSED])
    talk = Talk()
    talk.state.close(ErrorCode.NO_ERROR)
    talk.settle()
    assert h2.events.ConnectionTerminated in talk.server.seen


def test_an_answer_that_ends_before_the_request_stops_it(talk: Talk) -> None:
    """The server sees a reset without an error, and the answer is good."""
    stream_id = talk.ask(POST, body_of(1_000_000))
    talk.state.send_data(stream_id, talk.unsent[stream_id][:65_535], end_stream=False)
    talk.server.take(talk.state.take_output())
    talk.server.h2.send_headers(stream_id, [(b":status", b"413")])
    talk.server.h2.send_data(stream_id, b"too large", end_stream=True)
    del talk.unsent[stream_id]
    talk.settle()
    assert talk.receivers[stream_id].names == ["head", "data", "end"]
    assert talk.server.resets == {stream_id: ErrorCode.NO_ERROR}
    assert talk.state.open_streams == 0


def test_a_push_cannot_happen(talk: Talk) -> None:
    """The other library knows from our settings that it may not."""
    stream_id = talk.ask()
    talk.settle()
    with pytest.raises(h2.exceptions.ProtocolError):
        talk.server.h2.push_stream(stream_id, 2, GET)


def test_an_error_of_ours_is_understood_as_one(talk: Talk) -> None:
    """The server learns the code."""
    talk.ask()
    talk.settle()
    with pytest.raises(ConnectionFault):
        talk.state.receive(bytes.fromhex("000003060000000000616263"), 0.0)
    talk.server.take(talk.state.take_output())
    assert h2.events.ConnectionTerminated in talk.server.seen


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3000),  # bytes of the request's body, none for an odd number
            st.integers(0, 3000),  # bytes of the answer
            st.sampled_from([None, 0, 9, 255]),  # padding
            st.sampled_from(["answer", "we reset", "they reset", "early answer"]),
            st.booleans(),  # whether things settle in between
        ),
        max_size=8,
    ),
    st.sampled_from([30, 500, 2000, 65_535]),
    st.sampled_from([30, 500, 2000, 65_535]),
)
@pytest.mark.slow
def test_any_conversation_ends_well(
    plan: list[tuple[int, int, int | None, str, bool]], their_window: int, our_window: int
) -> None:
    """Whole answers arrive whole, whatever happens to their neighbours and however narrow the windows are."""
    talk = Talk(initial={"initial_window_size": their_window}, stream_window=our_window)
    whole = {}
    for asked, answered, padding, happens, settles in plan:
        stream_id = talk.ask(GET if asked % 2 else POST, None if asked % 2 else body_of(asked))
        if happens != "early answer":
            talk.settle()
        else:
            talk.server.take(talk.state.take_output())
        if happens == "they reset":
            talk.server.h2.reset_stream(stream_id)
            talk.unsent.pop(stream_id, None)
        else:
            # who pads so much that half a window has no room for it could wait for ever
            talk.server.answer(stream_id, body_of(answered), padding=padding if our_window >= 2000 else None)
            whole[stream_id] = body_of(answered)
        if happens == "we reset":
            talk.state.reset(stream_id)
            talk.unsent.pop(stream_id, None)
            del whole[stream_id]
        if settles:
            talk.settle()
    talk.settle()
    assert talk.state.open_streams == 0
    for stream_id, body in whole.items():
        assert talk.receivers[stream_id].body == body
        assert talk.receivers[stream_id].names[-1] == "end"
