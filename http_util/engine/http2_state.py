"""
One HTTP/2 connection, seen from the client, without a socket (RFC 9113; sections in brackets).

Bytes that came go into `Http2State.receive`, which calls the receivers of the streams that they belong to. What is to
be sent gathers in the output until somebody takes it. What a stream may do stands in `http_util.engine.http2_streams`.

- The connection's window is given back as bytes come, a stream's window as its reader takes them. So a stream that
  nobody reads holds up no other, and holds no more memory than its window.
- A stream that is over is forgotten. Late frames of it are counted against what we allowed it, and dropped; late header
  blocks are read all the same, because the table of header compression is shared by all streams.
- Whatever breaks one answer resets one stream (5.4.2); whatever leaves us unsure of the connection ends it (5.4.1).
- Nothing here grows by what a peer does: blocks, lists, interim heads and waiting answers have bounds, idle frames a
  rate (`http_util.engine.http2_floods`).

Nearly all frames of a busy connection are DATA without flags, on a stream that waits for them. They take a short way
through `_read_frames`; every other frame goes to a method of its own.

Pure: the time is an argument.

Spec: HTU-02, HTU-14
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from http_util.engine.faults import FaultKind, StreamFault
from http_util.engine.http2_floods import BLOCK_BYTES_COUNTING_ONE, STREAMS_COUNTING_ONE
from http_util.engine.http2_frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    GOAWAY_HEAD,
    HEAD,
    HEAD_BYTES,
    MAX_FRAME_BYTES,
    MAX_STREAM_ID,
    PRIORITY,
    WORD,
    ConnectionFault,
    ErrorCode,
    FrameBuffer,
    FrameType,
    check_size,
    code_name,
    frame,
    goaway,
    unpadded,
    window_update,
)
from http_util.engine.http2_headers import MalformedFields, read_fields
from http_util.engine.http2_hpack import CompressionFault, HeaderDecoder
from http_util.engine.http2_requests import CONNECTION_WINDOW, MAX_STREAMS, PING, STREAM_WINDOW, Requests
from http_util.engine.http2_settings import MAX_WINDOW, Setting, read_settings
from http_util.engine.http2_streams import Happening, Refusal, State, StreamReceiver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from http_util.engine.http2_headers import Fields
    from http_util.engine.http2_hpack import Field
    from http_util.engine.http2_streams import Stream

__all__ = ["ConnectionFault", "ErrorCode", "FaultKind", "Http2State", "StreamFault", "StreamReceiver"]

MAX_INTERIM_HEADS: Final = 16
"""Most heads with a status 1xx before the final one. One or two are usual."""

MAX_CONTINUATIONS: Final = 32
"""Most CONTINUATION frames of one block. Frames are filled before a block is continued, so 64 KiB take three."""

_PRIORITY_BYTES: Final = 5
_LARGEST_HEAD: Final = MAX_FRAME_BYTES << 8 | 0xFF

_REFUSALS: Final = {
    Refusal.MALFORMED: (ErrorCode.PROTOCOL_ERROR, "the answer's frames are out of order (8.1)"),
    Refusal.OVER: (ErrorCode.STREAM_CLOSED, "the upstream goes on with an answer that it had ended (5.1)"),
}


class _OpenBlock:
    """A header block whose last frame did not come yet (4.3)."""

    __slots__ = ("data", "ends_stream", "frames", "stream_id")

    def __init__(self, stream_id: int, data: bytes, *, ends_stream: bool) -> None:
        self.stream_id = stream_id
        self.data = bytearray(data)
        self.ends_stream = ends_stream
        self.frames = 0


class Http2State(Requests):
    """
    The state of one connection. It belongs to one thread.

    What we send stands in `http_util.engine.http2_requests`, what comes stands here.

    Spec: HTU-02
    """

    def __init__(
        self,
        *,
        max_header_bytes: int = 64 * 1024,
        stream_window: int = STREAM_WINDOW,
        connection_window: int = CONNECTION_WINDOW,
        max_streams: int = MAX_STREAMS,
    ) -> None:
        """
        Make the state of a connection that was just opened; `start` comes next.

        Args:
            max_header_bytes: Largest head of an answer, as HTTP/2 counts it: 32 bytes more than each name and value.
            stream_window: Most bytes of an answer that come before its reader takes them, 1 to 2^31 - 1.
            connection_window: Most bytes of all answers that are under way, 65,535 to 2^31 - 1.
            max_streams: Most streams at once, whatever the peer allows.

        Raises:
            ValueError: A window is out of its range.
        """
        super().__init__(
            max_header_bytes=max_header_bytes,
            stream_window=stream_window,
            connection_window=connection_window,
            max_streams=max_streams,
        )
        self._connection_room = connection_window
        self._decoder = HeaderDecoder(max_list_bytes=max_header_bytes)
        self._buffer = FrameBuffer()
        self._block: _OpenBlock | None = None
        self._now = 0.0

    # what comes

    def receive(self, data: bytes, now: float) -> None:
        """
        Take in one read, cut anywhere. Receivers are called from inside. After the connection is over, a no-op.

        Args:
            data: What came.
            now: Monotonic seconds, for the guard against floods.

        Raises:
            ConnectionFault: The connection is over. All streams were told, and the output holds the GOAWAY.
        """
        if self._is_over:
            return
        self._now = now
        try:
            self._read_frames(self._buffer.joined(data))
            if self._connection_room * 2 <= self._connection_window:
                self._give_back()
        except ConnectionFault as fault:
            self._end(fault.message, FaultKind.PROTOCOL)
            self._output.append(goaway(fault.error_code))
            raise

    def _read_frames(self, data: bytes) -> None:
        """Take the frames of *data* one after the other, and keep what is left of it."""
        streams, read_head = self._streams, HEAD.unpack_from
        start, end, received = 0, len(data), 0
        while end - start >= HEAD_BYTES:
            word, flags, stream_id = read_head(data, start)
            if word > _LARGEST_HEAD:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, self._said_of_large_frame(data, word >> 8))
            size = word >> 8
            stop = start + HEAD_BYTES + size
            if stop > end:
                break
            # the short way: DATA without flags on a stream that waits for it
            stream = None if flags or word & 0xFF else streams.get(stream_id)
            if (
                stream is not None
                and stream.takes_data
                and stream.due is None
                and 0 < size <= stream.receive_room
                and self._block is None
            ):
                stream.receive_room -= size
                received += size
                stream.receiver.on_data(data[start + HEAD_BYTES : stop])
            else:
                # the first bit of the id means nothing (4.1)
                self._take_frame(word & 0xFF, flags, stream_id & MAX_STREAM_ID, data[start + HEAD_BYTES : stop])
            start = stop
        self._connection_room -= received
        if start < end:
            self._buffer.keep(data[start:])

    def _said_of_large_frame(self, data: bytes, size: int) -> str:
        """Return what is wrong with a frame that is too large; often it is none."""
        if not self.has_peer_settings and data.startswith(b"HTTP/1"):
            return "the upstream answers in HTTP/1 where HTTP/2 was agreed"
        return f"the upstream sent a frame of {size} bytes; {MAX_FRAME_BYTES} are allowed (4.2)"

    def _take_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        """Take one frame that is not the usual one."""
        if self._is_over:
            # a receiver gave up the connection while it was being told of the frames before
            return
        block = self._block
        if block is not None and (kind != FrameType.CONTINUATION or stream_id != block.stream_id):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame came into the middle of a header block (6.10)")
        if not self.has_peer_settings and (kind != FrameType.SETTINGS or flags & ACK):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the upstream did not begin with its settings (3.4)")
        handler = self._HANDLERS.get(kind)
        if handler is None:
            # extensions that nobody asked for are ignored (4.1)
            self._floods.count(self._now)
        else:
            handler(self, flags, stream_id, payload)

    def _give_back(self) -> None:
        """Give the connection's window back, of which half or more is used (6.9.1)."""
        if self._connection_room < 0:
            said = "the upstream sent more than the connection takes (6.9)"
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, said)
        self._output.append(window_update(0, self._connection_window - self._connection_room))
        self._connection_room = self._connection_window

    # frames of streams

    def _known(self, stream_id: int) -> Stream | None:
        """Return the stream of a frame, None when it is over. One that never was ends the connection (5.1)."""
        stream = self._streams.get(stream_id)
        if stream is None and (stream_id >= self._next_id or stream_id % 2 == 0):
            said = "the upstream sent a frame on a stream that nobody opened, or on none where it needs one (5.1, 6)"
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, said)
        return stream

    def _on_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        """DATA (6.1): content, or the end of it. Padding counts in the windows and is given back at once."""
        size = len(payload)
        self._connection_room -= size
        data = unpadded(flags, payload)
        stream = self._known(stream_id)
        if stream is None:
            self._drop_late_data(size)
            return
        if size > stream.receive_room:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the upstream sent more than a stream takes (6.9)")
        stream.receive_room -= size
        ends = bool(flags & END_STREAM)
        if not self._moved(stream, Happening.DATA_END if ends else Happening.DATA):
            return
        if not data and not ends:
            self._floods.count(self._now)
        if stream.due is not None:
            stream.due -= len(data)
            if stream.due < 0:
                self._break(
                    stream, ErrorCode.PROTOCOL_ERROR, "the answer is longer than it says, or should be empty (8.1.1)"
                )
                return
        self.grant(stream_id, size - len(data))
        if data:
            stream.receiver.on_data(data)
        if ends and self._streams.get(stream_id) is stream:
            self._finish(stream)

    def _drop_late_data(self, size: int) -> None:
        """Count the content of a stream that is over against what such streams may still bring (5.1)."""
        self._late_room -= size
        if self._late_room < 0:
            raise ConnectionFault(ErrorCode.STREAM_CLOSED, "the upstream sent content on a stream that is over (5.1)")
        if not size:
            self._floods.count(self._now)

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        """HEADERS (6.2): a header block, or the beginning of one."""
        self._known(stream_id)
        block = unpadded(flags, payload)
        if flags & PRIORITY:
            if len(block) < _PRIORITY_BYTES:
                raise ConnectionFault(
                    ErrorCode.FRAME_SIZE_ERROR, "the upstream sent a HEADERS frame that is cut off (6.2)"
                )
            block = block[_PRIORITY_BYTES:]
        ends_stream = bool(flags & END_STREAM)
        if flags & END_HEADERS:
            self._take_block(stream_id, block, ends_stream=ends_stream)
        else:
            self._block = _OpenBlock(stream_id, block, ends_stream=ends_stream)

    def _on_continuation(self, flags: int, _stream_id: int, payload: bytes) -> None:
        """CONTINUATION (6.10): more of a header block. It cannot be skipped, so one that is too large is the end."""
        block = self._block
        if block is None:
            raise ConnectionFault(
                ErrorCode.PROTOCOL_ERROR, "the upstream continued a header block that was over (6.10)"
            )
        block.data += payload
        block.frames += 1
        if len(block.data) > self._max_header_bytes or block.frames > MAX_CONTINUATIONS:
            said = f"the answer's head is larger than {self._max_header_bytes} bytes, or comes in too many pieces"
            stream = self._streams.get(block.stream_id)
            if stream is not None and self._forget(stream):
                stream.receiver.on_fault(StreamFault(FaultKind.TOO_LARGE, said))
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, said)
        if flags & END_HEADERS:
            self._block = None
            self._take_block(block.stream_id, bytes(block.data), ends_stream=block.ends_stream)

    def _take_block(self, stream_id: int, block: bytes, *, ends_stream: bool) -> None:
        """Take a whole header block. It is decoded also when nobody wants it, to stay in step (4.3)."""
        try:
            fields = self._decoder.decode(block)
        except CompressionFault as fault:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, f"{fault} (4.3)") from None
        stream = self._streams.get(stream_id)
        if stream is None:
            self._floods.count(self._now, 1 + len(block) // BLOCK_BYTES_COUNTING_ONE)
        elif fields is None:
            said = f"the answer's head is larger than {self._max_header_bytes} bytes"
            self._break(stream, ErrorCode.ENHANCE_YOUR_CALM, said, FaultKind.TOO_LARGE)
        else:
            self._take_fields(stream, fields, ends_stream=ends_stream)

    def _take_fields(self, stream: Stream, raw_fields: list[Field], *, ends_stream: bool) -> None:
        """Take an interim head, the final head, or trailers, which are checked and dropped (8.1)."""
        try:
            fields = read_fields(raw_fields)
        except MalformedFields as fault:
            self._break(stream, ErrorCode.PROTOCOL_ERROR, str(fault))
            return
        if not self._moved(stream, _what_came(fields, ends_stream=ends_stream)):
            return
        if fields.is_interim:
            self._count_interim(stream)
            return
        if fields.status is not None:
            stream.due = fields.content_due(answers_head=stream.answers_head)
            stream.receiver.on_head(fields.status, fields.fields)
        if ends_stream and self._streams.get(stream.stream_id) is stream:
            self._finish(stream)

    def _count_interim(self, stream: Stream) -> None:
        """Skip an interim head, up to a number."""
        self._floods.count(self._now)
        stream.interim_count += 1
        if stream.interim_count > MAX_INTERIM_HEADS:
            said = f"the upstream sent more than {MAX_INTERIM_HEADS} interim heads (8.1)"
            self._break(stream, ErrorCode.ENHANCE_YOUR_CALM, said)

    def _on_rst_stream(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """RST_STREAM (6.4): the answer is over, and perhaps the request was not even looked at (8.7)."""
        check_size(FrameType.RST_STREAM, payload, WORD.size)
        stream = self._known(stream_id)
        if stream is None:
            self._floods.count(self._now)
            return
        error_code = WORD.unpack(payload)[0]
        was_refused = error_code == ErrorCode.REFUSED_STREAM and stream.is_untouched
        stream.move(Happening.RESET)
        self._forget(stream)
        kind = FaultKind.UNPROCESSED if was_refused else FaultKind.RESET
        said = f"the upstream reset the stream with {code_name(error_code)}"
        stream.receiver.on_fault(StreamFault(kind, said, error_code))

    def _on_priority(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """PRIORITY (6.3): of no use any more, allowed on any stream."""
        if stream_id == 0:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the upstream sent a PRIORITY frame of no stream (6.3)")
        check_size(FrameType.PRIORITY, payload, _PRIORITY_BYTES)
        self._floods.count(self._now)

    def _on_window_update(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """WINDOW_UPDATE (6.9): the peer takes more, on a stream or on all of them together."""
        check_size(FrameType.WINDOW_UPDATE, payload, WORD.size)
        self._floods.count(self._now)
        size = WORD.unpack(payload)[0] & MAX_STREAM_ID
        if stream_id == 0:
            self._widen_connection(size)
            return
        stream = self._known(stream_id)
        if stream is None or not self._moved(stream, Happening.WINDOW_UPDATE):
            return
        if not size:
            self._break(stream, ErrorCode.PROTOCOL_ERROR, "the upstream widened a stream's window by nothing (6.9)")
        elif stream.send_room + size > MAX_WINDOW:
            self._break(stream, ErrorCode.FLOW_CONTROL_ERROR, "the upstream made a stream's window too large (6.9.1)")
        else:
            was_full = stream.send_room <= 0
            stream.send_room += size
            if was_full:
                self._tell_of_room([stream])

    def _widen_connection(self, size: int) -> None:
        """Take more for all streams together."""
        if not size:
            said = "the upstream widened the connection's window by nothing (6.9)"
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, said)
        if self._send_room + size > MAX_WINDOW:
            said = "the upstream made the connection's window too large (6.9.1)"
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, said)
        was_full = self._send_room <= 0
        self._send_room += size
        if was_full:
            self._tell_of_room(list(self._sending.values()))

    def _tell_of_room(self, streams: list[Stream]) -> None:
        """Tell those of *streams* that may send again."""
        for stream in streams:
            if self.send_room(stream.stream_id):
                stream.receiver.on_room()

    # frames of the connection

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        """SETTINGS (6.5): what the peer wants to be kept to, or that it has seen ours."""
        _check_connection(FrameType.SETTINGS, stream_id)
        if flags & ACK:
            check_size(FrameType.SETTINGS, payload, 0)
            self._floods.count(self._now)
            return
        if self.has_peer_settings:
            self._floods.count(self._now, 1 + len(self._streams) // STREAMS_COUNTING_ONE)
        settings = read_settings(payload)
        self._acknowledge(frame(FrameType.SETTINGS, ACK, 0))
        if not self.has_peer_settings or Setting.MAX_CONCURRENT_STREAMS in settings:
            allowed = settings.get(Setting.MAX_CONCURRENT_STREAMS, self._max_streams)
            self.peer_max_streams = min(allowed, self._max_streams)
            self.has_allowed_streams |= self.peer_max_streams > 0
        self.has_peer_settings = True
        self._max_sent_frame = settings.get(Setting.MAX_FRAME_SIZE, self._max_sent_frame)
        self._move_windows(settings.get(Setting.INITIAL_WINDOW_SIZE, self._initial_send_room))

    def _move_windows(self, initial_send_room: int) -> None:
        """Widen or narrow the window of each stream by what the peer's initial window has changed (6.9.2)."""
        change = initial_send_room - self._initial_send_room
        self._initial_send_room = initial_send_room
        if not change:
            return
        full = [stream for stream in self._sending.values() if stream.send_room <= 0]
        for stream in self._streams.values():
            stream.send_room += change
            if stream.send_room > MAX_WINDOW:
                said = "the upstream's settings make a stream's window too large (6.9.2)"
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, said)
        self._tell_of_room(full)

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        """PING (6.7): a sign of life is asked for, or given."""
        _check_connection(FrameType.PING, stream_id)
        check_size(FrameType.PING, payload, PING.size)
        number = PING.unpack(payload)[0]
        if not flags & ACK:
            self._floods.count(self._now)
            self._acknowledge(frame(FrameType.PING, ACK, 0, payload))
        elif self._pings_answered < number <= self._pings_sent:
            # pings are answered in their order, so the earlier ones are too
            self._pings_answered = number
        else:
            self._floods.count(self._now)

    def _on_goaway(self, _flags: int, stream_id: int, payload: bytes) -> None:
        """GOAWAY (6.8): no new streams; those above the last one it names were not processed, the others go on."""
        _check_connection(FrameType.GOAWAY, stream_id)
        if len(payload) < GOAWAY_HEAD.size:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "the upstream sent a GOAWAY frame that is cut off (6.8)")
        self._floods.count(self._now)
        last_id, error_code = GOAWAY_HEAD.unpack_from(payload)
        last_id &= MAX_STREAM_ID
        # a later one may name a lower id; a higher one takes nothing back, for whoever was above has been told
        self._got_goaway = True
        said = f"the upstream went away ({code_name(error_code)}) before it began with the stream"
        for stream in [s for s in self._streams.values() if s.stream_id > last_id]:
            if self._forget(stream):
                self._expect_late_frames(stream)
                kind = FaultKind.UNPROCESSED if stream.is_untouched else FaultKind.RESET
                stream.receiver.on_fault(StreamFault(kind, said, error_code))

    def _on_push_promise(self, _flags: int, _stream_id: int, _payload: bytes) -> None:
        """PUSH_PROMISE (6.6): our settings say that there are none."""
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the upstream pushed, which our settings rule out (6.6, 8.4)")

    _HANDLERS: ClassVar[Mapping[int, Callable[[Http2State, int, int, bytes], None]]] = {
        FrameType.DATA: _on_data,
        FrameType.HEADERS: _on_headers,
        FrameType.PRIORITY: _on_priority,
        FrameType.RST_STREAM: _on_rst_stream,
        FrameType.SETTINGS: _on_settings,
        FrameType.PUSH_PROMISE: _on_push_promise,
        FrameType.PING: _on_ping,
        FrameType.GOAWAY: _on_goaway,
        FrameType.WINDOW_UPDATE: _on_window_update,
        FrameType.CONTINUATION: _on_continuation,
    }

    # how streams end

    def _moved(self, stream: Stream, happening: Happening) -> bool:
        """Move a stream by the table; one that cannot is broken, and False returned."""
        refusal = stream.move(happening)
        if refusal is None:
            return True
        error_code, said = _REFUSALS[refusal]
        self._break(stream, error_code, said)
        return False

    def _finish(self, stream: Stream) -> None:
        """End a stream whose answer is complete, and with it what is unsent of its request (8.1)."""
        if stream.due:
            self._break(stream, ErrorCode.PROTOCOL_ERROR, "the answer is shorter than it says (8.1.1)")
            return
        if stream.state is State.CLOSED:
            self._forget(stream)
        stream.receiver.on_end()
        # still there: the request was not complete, or the receiver has completed it just now
        if self._streams.get(stream.stream_id) is stream:
            self._cut(stream, ErrorCode.NO_ERROR)


def _what_came(fields: Fields, *, ends_stream: bool) -> Happening:
    """Return what a header block means to its stream."""
    if fields.status is None:
        return Happening.TRAILERS_END if ends_stream else Happening.TRAILERS
    if fields.is_interim:
        return Happening.INTERIM_END if ends_stream else Happening.INTERIM
    return Happening.HEAD_END if ends_stream else Happening.HEAD


def _check_connection(kind: FrameType, stream_id: int) -> None:
    """Check that a frame of the connection names no stream (6.5, 6.7, 6.8)."""
    if stream_id:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"the upstream sent a {kind.name} frame of a stream (6)")
