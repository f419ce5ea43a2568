"""The windows of an HTTP/2 connection against a model of them, whatever both sides do within the rules."""

from __future__ import annotations

import hypothesis.strategies as st
from hyperframe.frame import DataFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.unit.http_util.engine.http2_doubles import Recorder, connected, data, rst_stream, sending, sent
from tests.unit.http_util.engine.http2_doubles import settings as settings_frame
from tests.unit.http_util.engine.http2_doubles import window_update as window_update_frame

STREAM_WINDOW, CONNECTION_WINDOW = 50_000, 70_000
INITIAL = 65_535
STREAMS = st.integers(0, 3)
SIZES = st.one_of(st.integers(0, 300), st.integers(0, 40_000))


class Windows(RuleBasedStateMachine):
    """
    An honest server and our client, and for each window what both should think of it.

    The model counts as the standard does (6.9): what was allowed less what was sent. It learns of our window updates
    from the frames that we send, never from our state.
    """

    def __init__(self) -> None:
        super().__init__()
        self.state, self.peer = connected(stream_window=STREAM_WINDOW, connection_window=CONNECTION_WINDOW)
        self.streams: dict[int, Recorder] = {}
        self.initial = INITIAL
        # what we may send, what the server may send, what was read of it; stream 0 is the connection
        self.ours: dict[int, int] = {0: INITIAL}
        self.theirs: dict[int, int] = {0: CONNECTION_WINDOW}
        self.unread: dict[int, int] = {}
        for _ in range(4):
            self._open()

    def _open(self) -> None:
        stream_id, receiver = sending(self.state)
        self.streams[stream_id] = receiver
        self.ours[stream_id], self.theirs[stream_id], self.unread[stream_id] = self.initial, STREAM_WINDOW, 0
        self.state.receive(self.peer.headers(stream_id), 0.0)

    def _stream(self, number: int) -> int:
        return list(self.streams)[number]

    def _hear(self) -> None:
        """Let the server read what we sent."""
        for frame in sent(self.state):
            if isinstance(frame, WindowUpdateFrame):
                # a stream that was reset may be among them, for the frame was under way
                self.theirs[frame.stream_id] = self.theirs.get(frame.stream_id, 0) + frame.window_increment
            else:
                assert isinstance(frame, SettingsFrame | DataFrame | RstStreamFrame)

    @rule(number=STREAMS, size=SIZES)
    def we_send(self, number: int, size: int) -> None:
        """As much as there is room for."""
        stream_id = self._stream(number)
        size = min(size, self.state.send_room(stream_id))
        self.state.send_data(stream_id, bytes(size), end_stream=False)
        self.ours[0] -= size
        self.ours[stream_id] -= size
        assert sum(len(frame.data) for frame in sent(self.state) if isinstance(frame, DataFrame)) == size

    @rule(number=STREAMS, size=st.integers(1, 100_000))
    def the_server_widens_a_stream(self, number: int, size: int) -> None:
        """Whoever had no room and has some now is told."""
        self._widen(self._stream(number), size)

    @rule(size=st.integers(1, 100_000))
    def the_server_widens_the_connection(self, size: int) -> None:
        """The same for all."""
        self._widen(0, size)

    def _widen(self, stream_id: int, size: int) -> None:
        full = [number for number in self.streams if self._room(number) == 0]
        for receiver in self.streams.values():
            receiver.calls.clear()
        self.state.receive(window_update_frame(stream_id, size), 0.0)
        self.ours[stream_id] += size
        self._check_told(full)

    @rule(size=st.integers(0, 200_000))
    def the_server_changes_its_initial_window(self, size: int) -> None:
        """All streams move, the connection does not."""
        full = [number for number in self.streams if self._room(number) == 0]
        for receiver in self.streams.values():
            receiver.calls.clear()
        self.state.receive(settings_frame(initial_window_size=size), 0.0)
        for stream_id in self.streams:
            self.ours[stream_id] += size - self.initial
        self.initial = size
        self._check_told(full)

    def _check_told(self, full: list[int]) -> None:
        told = [number for number, receiver in self.streams.items() if receiver.names == ["room"]]
        assert told == [number for number in full if self._room(number) > 0]

    def _room(self, stream_id: int) -> int:
        return max(0, min(self.ours[0], self.ours[stream_id]))

    @rule(number=STREAMS, size=SIZES, padding=st.sampled_from([None, 0, 7, 255]))
    def the_server_sends(self, number: int, size: int, padding: int | None) -> None:
        """Within the windows that it knows of."""
        stream_id = self._stream(number)
        window = min(16_384, self.theirs[0], self.theirs[stream_id])
        overhead = 0 if padding is None or padding >= window else padding + 1
        size = min(size, window - overhead)
        receiver = self.streams[stream_id]
        receiver.calls.clear()
        self.state.receive(data(stream_id, bytes(size), padding=padding if overhead else None), 0.0)
        for each in (0, stream_id):
            self.theirs[each] -= size + overhead
        self.unread[stream_id] += size
        assert len(receiver.body) == size
        self._hear()

    @rule(number=STREAMS, size=SIZES)
    def a_reader_takes(self, number: int, size: int) -> None:
        """Some of what came."""
        stream_id = self._stream(number)
        size = min(size, self.unread[stream_id])
        self.state.grant(stream_id, size)
        self.unread[stream_id] -= size
        self._hear()

    @rule(number=STREAMS, ours=st.booleans(), late=SIZES)
    def a_stream_is_reset(self, number: int, ours: bool, late: int) -> None:
        """By us, and something was under way on it; or by the server. Another one takes its place."""
        stream_id = self._stream(number)
        if ours:
            self.state.reset(stream_id)
            late = min(late, 16_384, self.theirs[0], self.theirs[stream_id])
            self.state.receive(data(stream_id, bytes(late)), 0.0)
            self.theirs[0] -= late
        else:
            self.state.receive(rst_stream(stream_id, 8), 0.0)
        for windows in (self.ours, self.theirs, self.unread, self.streams):
            del windows[stream_id]
        self._hear()
        self._open()

    @precondition(lambda self: any(self.unread.values()))
    @rule()
    def all_readers_take_everything(self) -> None:
        """Then every window is at least half open: nobody waits for ever."""
        for stream_id, size in self.unread.items():
            self.state.grant(stream_id, size)
            self.unread[stream_id] = 0
        self._hear()
        assert all(self.theirs[stream_id] > STREAM_WINDOW // 2 for stream_id in self.streams)

    @invariant()
    def both_sides_agree(self) -> None:
        """On what we may send, and on what a stream may hold."""
        for stream_id in self.streams:
            assert self.state.send_room(stream_id) == self._room(stream_id)
            assert 0 <= self.unread[stream_id] <= STREAM_WINDOW - self.theirs[stream_id]
            assert self.state._streams[stream_id].receive_room == self.theirs[stream_id]
        assert self.theirs[0] > CONNECTION_WINDOW // 2


Windows.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestWindows = Windows.TestCase
"""As pytest finds it."""
