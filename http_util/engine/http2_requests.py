"""
The open streams of one HTTP/2 connection, and all that we send on it (RFC 9113; sections in brackets). Pure.

Spec: HTU-02, HTU-14
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from http_util.engine.faults import FaultKind, StreamFault
from http_util.engine.http2_floods import (
    BYTES_EXPLAINING_ONE,
    FRAME_EXPLAINS,
    REQUEST_EXPLAINS,
    RESET_EXPLAINS,
    FloodGuard,
)
from http_util.engine.http2_frames import (
    END_STREAM,
    HEAD,
    MAX_FRAME_BYTES,
    MAX_STREAM_ID,
    PREFACE,
    ConnectionFault,
    ErrorCode,
    FrameType,
    frame,
    goaway,
    header_frames,
    rst_stream,
    window_update,
)
from http_util.engine.http2_hpack import HeaderEncoder
from http_util.engine.http2_settings import INITIAL_WINDOW, MAX_WINDOW, Setting, settings_frame
from http_util.engine.http2_streams import Happening, State, Stream

if TYPE_CHECKING:
    from http_util.engine.http2_hpack import Field
    from http_util.engine.http2_streams import StreamReceiver

STREAM_WINDOW: Final = 256 * 1024
"""Default of what a stream's answer may hold unread, in bytes."""

CONNECTION_WINDOW: Final = 16 * 1024 * 1024
"""Default of what may be under way at once, in bytes. A gigabit over 100 ms is 12 MiB; none of it is held here."""

MAX_STREAMS: Final = 1000
"""Default of the most streams at once, whatever the peer allows."""

MAX_WAITING_ACKS: Final = 1000
"""Most answers to pings and settings that wait to be taken with the output, some 17 KB."""

PING: Final = struct.Struct(">Q")
"""What our pings carry: their number."""


class Requests:
    """The sending half of `http_util.engine.http2_state.Http2State`, which is its only use."""

    def __init__(self, *, max_header_bytes: int, stream_window: int, connection_window: int, max_streams: int) -> None:
        """Begin with nothing sent; see `Http2State`."""
        if not 1 <= stream_window <= MAX_WINDOW:
            raise ValueError(f"stream_window must be 1 to {MAX_WINDOW}, not {stream_window!r}")
        if not INITIAL_WINDOW <= connection_window <= MAX_WINDOW:
            raise ValueError(f"connection_window must be {INITIAL_WINDOW} to {MAX_WINDOW}, not {connection_window!r}")
        self.has_peer_settings = False
        """Whether the peer's first settings have come."""
        self.peer_max_streams = 1
        """Most streams at once: 1 before the peer's settings, then what it says, and never above *max_streams*."""
        self.has_allowed_streams = False
        """Whether the peer's settings have ever allowed a stream."""
        self._max_header_bytes = max_header_bytes
        self._stream_window = stream_window
        self._connection_window = connection_window
        self._max_streams = max_streams
        self._streams: dict[int, Stream] = {}
        # those of them whose request is incomplete
        self._sending: dict[int, Stream] = {}
        self._next_id = 1
        # the last stream whose head was taken with the output
        self._left_id = -1
        self._got_goaway = self._said_goaway = self._is_over = False
        self._send_room = self._initial_send_room = INITIAL_WINDOW
        self._max_sent_frame = MAX_FRAME_BYTES
        # bytes that streams which are over may still bring, because they were allowed to when we reset them
        self._late_room = 0
        self._pings_sent = self._pings_answered = 0
        self._encoder = HeaderEncoder()
        self._floods = FloodGuard()
        self._output: list[bytes | memoryview] = []
        self._acks = 0

    # what the connection may do

    @property
    def open_streams(self) -> int:
        """Streams that count against `peer_max_streams`."""
        return len(self._streams)

    @property
    def can_open(self) -> bool:
        """Whether one more stream may be opened now."""
        return len(self._streams) < self.peer_max_streams and not self.is_going_away

    @property
    def is_going_away(self) -> bool:
        """Whether no stream will be opened any more: a GOAWAY came or went, the ids are used up, or it is all over."""
        return self._got_goaway or self._said_goaway or self._is_over or self._next_id > MAX_STREAM_ID

    @property
    def pings_unanswered(self) -> int:
        """Pings of ours that the peer has not answered."""
        return self._pings_sent - self._pings_answered

    # what we send

    def start(self) -> None:
        """Say who we are (3.4): no pushes, our windows, and how large a head may be."""
        settings = {
            Setting.ENABLE_PUSH: 0,
            Setting.INITIAL_WINDOW_SIZE: self._stream_window,
            Setting.MAX_HEADER_LIST_SIZE: self._max_header_bytes,
        }
        self._output += [PREFACE, settings_frame(settings)]
        if self._connection_window > INITIAL_WINDOW:
            self._output.append(window_update(0, self._connection_window - INITIAL_WINDOW))
        self._floods.explain(1)

    def take_output(self) -> bytes:
        """Return what is to be sent now, in whole frames, often nothing. It counts as sent from here on."""
        if not self._output:
            return b""
        output = b"".join(self._output)
        self._output.clear()
        self._acks = 0
        self._left_id = self._next_id - 2
        return output

    def open_stream(self, headers: list[Field], receiver: StreamReceiver, *, end_stream: bool) -> int:
        """
        Send the head of a request and return the id of its stream.

        Args:
            headers: Pseudo-header fields first. Connection-specific fields are left out, names put in lower case.
            receiver: Who gets the answer.
            end_stream: Whether the request has no body.

        Raises:
            RuntimeError: `can_open` is False.
            ValueError: A field cannot be sent; nothing happened.
        """
        if not self.can_open:
            raise RuntimeError("the connection takes no stream now; ask can_open first")
        block = self._encoder.encode(headers)
        stream = Stream(
            self._next_id,
            receiver,
            send_room=self._initial_send_room,
            receive_room=self._stream_window,
            answers_head=(b":method", b"HEAD") in headers,
        )
        self._next_id += 2
        stream.move(Happening.SEND_HEAD_END if end_stream else Happening.SEND_HEAD)
        self._streams[stream.stream_id] = stream
        if not end_stream:
            self._sending[stream.stream_id] = stream
        self._output.append(header_frames(stream.stream_id, block, self._max_sent_frame, end_stream=end_stream))
        self._floods.explain(REQUEST_EXPLAINS)
        return stream.stream_id

    def send_room(self, stream_id: int) -> int:
        """Return how many bytes of the request's body may be sent now; 0 when no more of it is wanted."""
        stream = self._sending.get(stream_id)
        return 0 if stream is None else max(0, min(stream.send_room, self._send_room))

    def send_data(self, stream_id: int, data: bytes | memoryview, *, end_stream: bool) -> None:
        """
        Send a piece of the request's body. No-op for streams that are gone.

        Args:
            stream_id: Whose.
            data: At most `send_room` bytes, possibly none. They must not change until the output is taken.
            end_stream: Whether nothing follows.

        Raises:
            ValueError: There is no room for *data*.
            RuntimeError: The request was complete.
        """
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        if stream_id not in self._sending:
            raise RuntimeError(f"the request of stream {stream_id} is complete; nothing may follow")
        size = len(data)
        if size > self.send_room(stream_id):
            raise ValueError(f"there is no room for {size} bytes on stream {stream_id}; ask send_room first")
        stream.move(Happening.SEND_DATA_END if end_stream else Happening.SEND_DATA)
        stream.send_room -= size
        self._send_room -= size
        self._floods.explain(FRAME_EXPLAINS + size // BYTES_EXPLAINING_ONE)
        while size > self._max_sent_frame:
            self._send_data_frame(stream_id, data[: self._max_sent_frame], 0)
            data = data[self._max_sent_frame :]
            size -= self._max_sent_frame
        if size or end_stream:
            self._send_data_frame(stream_id, data, END_STREAM if end_stream else 0)
        if end_stream:
            del self._sending[stream_id]

    def _send_data_frame(self, stream_id: int, data: bytes | memoryview, flags: int) -> None:
        """Put one frame into the output; its payload is not copied before the output is taken."""
        self._output.append(HEAD.pack(len(data) << 8 | FrameType.DATA, flags, stream_id))
        self._output.append(data)

    def grant(self, stream_id: int, size: int) -> None:
        """
        Note that the reader of an answer took *size* bytes; the peer is told when half of the window is taken.

        No-op for streams that are gone.

        Raises:
            ValueError: More was taken than came.
        """
        stream = self._streams.get(stream_id)
        if stream is None or not stream.takes_data:
            return
        stream.taken += size
        if stream.receive_room + stream.taken > self._stream_window:
            raise ValueError(f"more was taken from stream {stream_id} than came")
        if stream.taken * 2 >= self._stream_window:
            self._output.append(window_update(stream_id, stream.taken))
            stream.receive_room += stream.taken
            stream.taken = 0

    def reset(self, stream_id: int, error_code: int = ErrorCode.CANCEL) -> None:
        """End a stream at once; its receiver is not called any more. No-op for streams that are gone."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._cut(stream, error_code)

    def ping(self) -> None:
        """Ask the peer for a sign of life; `pings_unanswered` tells whether it came."""
        if self._is_over:
            return
        self._pings_sent += 1
        self._output.append(frame(FrameType.PING, 0, 0, PING.pack(self._pings_sent)))

    def close(self, error_code: int = ErrorCode.NO_ERROR) -> None:
        """Say that we go away. Open streams go on until the socket is closed."""
        if not self._is_over:
            self._said_goaway = True
            self._output.append(goaway(error_code))

    def lost(self, message: str) -> None:
        """Tell all streams that the socket is gone. *message* goes into their faults."""
        self._end(message)

    def _end(self, message: str, kind: FaultKind = FaultKind.RESET) -> None:
        """
        End everything, with *kind* for those whose request was sent.

        What nobody took of the output is dropped with it, so a request in it was surely not processed.
        """
        self._is_over = True
        self._output.clear()
        for stream in list(self._streams.values()):
            if self._forget(stream):
                known = kind if stream.stream_id <= self._left_id else FaultKind.UNPROCESSED
                stream.receiver.on_fault(StreamFault(known, message))

    def _acknowledge(self, answer: bytes) -> None:
        """Answer a ping or settings; whoever asks and does not read the answers is left."""
        self._acks += 1
        if self._acks > MAX_WAITING_ACKS:
            said = "the upstream sends pings or settings and does not read the answers (10.5)"
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, said)
        self._output.append(answer)

    def _break(self, stream: Stream, error_code: ErrorCode, said: str, kind: FaultKind = FaultKind.PROTOCOL) -> None:
        """End a stream whose answer cannot be used (5.4.2)."""
        self._cut(stream, error_code)
        stream.receiver.on_fault(StreamFault(kind, said))

    def _cut(self, stream: Stream, error_code: int) -> None:
        """Reset a stream, unless both sides had ended it (5.1)."""
        self._forget(stream)
        if stream.state is not State.CLOSED:
            stream.move(Happening.SEND_RESET)
            self._expect_late_frames(stream)
            self._output.append(rst_stream(stream.stream_id, error_code))

    def _expect_late_frames(self, stream: Stream) -> None:
        """Allow what the peer may have sent on a stream before it knew that we are through with it."""
        self._late_room += stream.receive_room
        self._floods.explain(RESET_EXPLAINS)

    def _forget(self, stream: Stream) -> bool:
        """Take a stream out of the lists; False when it was not there any more."""
        self._sending.pop(stream.stream_id, None)
        return self._streams.pop(stream.stream_id, None) is not None

    def __repr__(self) -> str:
        """Show how busy the connection is, and whether it goes on."""
        going = "over" if self._is_over else "going away" if self.is_going_away else "open"
        return f"{type(self).__name__}({going}, {len(self._streams)} of {self.peer_max_streams} streams)"
