"""
Fuzz what a server may send on an HTTP/2 connection.

    python tests/fuzz/http2_frames.py tests/fuzz/corpus/http2_frames

needs atheris (`pip install atheris`), which is no dependency. ``test_http2_frames.py`` replays the corpus in every run
of the tests, with the same checks. What atheris finds goes into the corpus as a small file.

A file is one conversation. Its first byte says how the reads are cut, its second what the client does, the rest is what
the server sends: raw bytes, or a row of frames (type, flags, stream, two bytes of length, payload), so that a change of
one byte need not break all frames behind it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hyperframe.frame import DataFrame, GoAwayFrame, PingFrame, SettingsFrame, WindowUpdateFrame

from http_util.engine.http2_frames import HEAD_BYTES, MAX_FRAME_BYTES, ConnectionFault
from http_util.engine.http2_state import Http2State
from tests.unit.http_util.engine.http2_doubles import GET, HEAD_REQUEST, POST, Recorder, frames, raw, settings

STREAM_WINDOW: Final = 20_000
CONNECTION_WINDOW: Final = 70_000
MAX_HEADER_BYTES: Final = 4096
MOST_BYTES: Final = 64 * 1024
"""
Longer conversations show nothing new. They are shorter than the connection's window: whoever sends more than that is
found at the end of a read, so that cuts would matter.
"""
MOST_READS: Final = 500
"""Long conversations are not cut into single bytes."""

LAST_STREAM: Final = 7
"""The last of the streams that are open from the beginning."""

IS_RAW, BEGINS_WELL, READS, RESETS, ANSWERS_BACK, PINGS = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
"""What the bits of the second byte mean."""


class Conversation:
    """A client with four streams, and checks that must hold whatever a server sends."""

    def __init__(self, choices: int) -> None:
        """Open the streams: three requests, and one with a body that is not sent yet."""
        self.reads = bool(choices & READS)
        self.resets = bool(choices & RESETS)
        self.answers_back = bool(choices & ANSWERS_BACK)
        self.state = Http2State(
            max_header_bytes=MAX_HEADER_BYTES, stream_window=STREAM_WINDOW, connection_window=CONNECTION_WINDOW
        )
        self.state.start()
        self.state.peer_max_streams = 10
        self.receivers: dict[int, Recorder] = {}
        self.taken: dict[int, int] = {}
        self.cancelled: set[int] = set()
        self.fault: ConnectionFault | None = None
        for fields, is_complete in ((GET, True), (HEAD_REQUEST, True), (POST, False), (GET, True)):
            self._open(fields, is_complete=is_complete)
        if choices & PINGS:
            self.state.ping()
        self.state.take_output()
        if choices & BEGINS_WELL:
            self.feed(settings())

    def _open(self, fields: list[tuple[bytes, bytes]], *, is_complete: bool) -> None:
        receiver = Recorder(react=lambda call: self._react(receiver, call))
        stream_id = self.state.open_stream(fields, receiver, end_stream=is_complete)
        self.receivers[stream_id] = receiver
        self.taken[stream_id] = 0

    def _react(self, receiver: Recorder, call: str) -> None:
        """Do from inside of a call what a client may do there."""
        stream_id = next(number for number, found in self.receivers.items() if found is receiver)
        if self.reads and call == "data":
            size = len(receiver.body)
            self.state.grant(stream_id, size - self.taken[stream_id])
            self.taken[stream_id] = size
        if self.resets and len(receiver.calls) == 2 and not receiver.is_over:
            self.cancelled.add(stream_id)
            self.state.reset(stream_id)
        if self.answers_back and call in {"head", "room"}:
            room = min(100, self.state.send_room(stream_id))
            self.state.send_data(stream_id, bytes(room), end_stream=False) if room else None
        if self.answers_back and call == "end" and self.state.can_open and len(self.receivers) < 10:
            self._open(GET, is_complete=True)

    def feed(self, data: bytes) -> None:
        """Take one read, and check everything."""
        waiting = len(self.state.take_output())
        assert waiting == 0
        before = len(self.receivers) + len(self.cancelled)
        try:
            self.state.receive(data, now=0.0)
        except ConnectionFault as fault:
            self.fault = fault
        self._check_output(data, before)
        self._check_streams()

    def _check_output(self, data: bytes, before: int) -> None:
        """What we say can be read, is no more than an answer to what came, and ends with the farewell after a fault."""
        found = frames(self.state.take_output())
        if self.fault is not None:
            assert [type(frame) for frame in found] in ([GoAwayFrame], [])
            assert all(frame.error_code == self.fault.error_code for frame in found)
        answers = [frame for frame in found if isinstance(frame, PingFrame | SettingsFrame)]
        assert len(answers) <= len(data) / HEAD_BYTES + 1
        updates = [frame for frame in found if isinstance(frame, WindowUpdateFrame)]
        assert all(0 < frame.window_increment <= CONNECTION_WINDOW for frame in updates)
        assert all(len(frame.data) <= 100 for frame in found if isinstance(frame, DataFrame))
        assert len(found) - len(answers) <= 8 * (len(data) / HEAD_BYTES + before + 1)

    def _check_streams(self) -> None:
        """Windows are kept, calls come in their order, and nothing gathers."""
        state = self.state
        assert state.open_streams <= len(self.receivers)
        assert len(state._buffer._kept) < HEAD_BYTES + MAX_FRAME_BYTES
        assert state._late_room >= 0 or self.fault is not None
        assert set(state._sending) <= set(state._streams)
        for stream_id, stream in state._streams.items():
            assert not self.receivers[stream_id].is_over
            assert stream_id not in self.cancelled
            assert stream.receive_room >= 0
            assert stream.taken >= 0
            assert stream.receive_room + stream.taken <= STREAM_WINDOW
        for stream_id, receiver in self.receivers.items():
            names = [name for name in receiver.names if name != "room"]
            assert names == [*names[:1], *["data"] * (len(names) - 2), *names[1:][-1:]], names
            assert names[:1] in ([], ["head"], ["fault"])
            assert all(call[1] for call in receiver.calls if call[0] == "data")
            assert len(receiver.body) - self.taken[stream_id] <= STREAM_WINDOW
        if self.fault is not None:
            assert state.open_streams == 0

    def finish(self) -> list[list[tuple[object, ...]]]:
        """Close, and return what all receivers were told; each of them knows that it is over."""
        self.state.lost("over")
        for stream_id, receiver in self.receivers.items():
            assert receiver.is_over or stream_id in self.cancelled
            if receiver.fault is not None and stream_id > LAST_STREAM:
                # whether a request that was opened in between had left when all ended depends on the reads
                receiver.calls[-1] = ("fault",)
        return [receiver.calls for receiver in self.receivers.values()]


def from_server(choices: int, program: bytes) -> bytes:
    """Return what the server sends."""
    if choices & IS_RAW:
        return program[:MOST_BYTES]
    sent = b""
    while len(program) >= 5 and len(sent) < MOST_BYTES:
        kind, flags, stream_id, size = program[0], program[1], program[2], int.from_bytes(program[3:5], "big")
        sent += raw(kind, flags, stream_id, program[5 : 5 + size])
        program = program[5 + size :]
    return sent


def check(conversation: bytes) -> None:
    """Play one file, in one read and cut to pieces; both must tell the receivers the same."""
    if len(conversation) < 2:
        return
    cut, choices = conversation[0], conversation[1]
    sent = from_server(choices, conversation[2:])
    whole, cut_up = (played(choices, sent, size) for size in (len(sent) or 1, max(1, cut, len(sent) // MOST_READS)))
    assert whole == cut_up


def played(choices: int, sent: bytes, size: int) -> tuple[str | None, list[list[tuple[object, ...]]]]:
    """Play a conversation in reads of *size* bytes; return how it broke, and what the receivers were told."""
    client = Conversation(choices)
    for start in range(0, len(sent), size):
        client.feed(sent[start : start + size])
    return client.fault and client.fault.message, client.finish()


def main() -> None:  # pragma: no cover - runs by hand, under atheris
    """Fuzz until somebody stops it."""
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
