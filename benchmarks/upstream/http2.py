"""
HTTP/2 as far as a benchmark needs it: many streams, both windows, RST_STREAM, PING; frames written by hand.

Only request headers go through a library (hpack), once per request. An answer's headers are constant bytes.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from hpack import Decoder

from benchmarks.answers import MIDDLE_SIZE, asked
from benchmarks.frames import (
    ACK,
    CONTINUATION,
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    HEAD_SIZE,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    LARGEST_FRAME,
    MAX_CONCURRENT_STREAMS,
    PADDED,
    PING,
    PREFACE,
    PRIORITIZED,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    literal,
    window_update,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.upstream.desk import Desk

OUR_WINDOW: Final = 1 << 20
"""Octets of a request that a client may send before we say more; requests are small."""


STATUS_200: Final = b"\x88"
STATUS_404: Final = b"\x8d"
HEAD: Final = STATUS_200 + b"".join(
    literal(name, value)
    for name, value in (
        (b"date", b"Mon, 02 Nov 2026 10:00:00 GMT"),
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        (b"server", b"benchmark"),
        (b"openai-processing-ms", b"12"),
        (b"openai-version", b"2020-10-01"),
        (b"x-request-id", b"req_4b1d7dd04c7d4e0d9f3e6a1f2c5b8a90"),
    )
)


class Answer:
    """One streamed answer: an HTTP/2 stream."""

    __slots__ = ("_has_head", "_is_last", "_waiting", "body", "connection", "headers", "stream_id", "window")

    def __init__(self, connection: Http2, stream_id: int, window: int) -> None:
        """Before the request is whole."""
        self.connection = connection
        self.stream_id = stream_id
        self.window = window
        """Octets that the client takes of this stream now."""
        self.headers = bytearray()
        self.body = bytearray()
        self._has_head = False
        self._is_last = False
        self._waiting: deque[bytes] = deque()

    def write(self, events: Sequence[bytes], *, is_last: bool = False) -> None:
        """Send *events*, each as a frame, as far as the windows admit; the rest follows when they are wider."""
        frames = []
        if not self._has_head:
            self._has_head = True
            frames.append(frame(HEADERS, END_HEADERS, self.stream_id, HEAD))
        self._waiting += events
        self._is_last = is_last
        self._send(frames)

    def paced(self, before: bytes, after: bytes) -> Callable[[bytes], None]:
        """See `Outlet`."""
        connection, waiting = self.connection, self._waiting
        size = len(before) + MIDDLE_SIZE + len(after)
        framed = frame(DATA, 0, self.stream_id, before.ljust(size))[: HEAD_SIZE + len(before)]

        def write(middle: bytes) -> None:
            if waiting or size > self.window or size > connection.window:
                self.write([before + middle + after])
                return
            self.window -= size
            connection.window -= size
            connection.out.append(framed + middle + after)
            connection.flush_soon()

        return write

    def send_waiting(self) -> None:
        """Send what the windows did not admit before, as far as they do now."""
        if self._waiting:
            self._send([])

    def _send(self, frames: list[bytes]) -> None:
        """Send *frames*, and behind them what waits and is admitted, as one piece."""
        connection, waiting = self.connection, self._waiting
        while waiting and (room := min(self.window, connection.window, LARGEST_FRAME)) > 0:
            event = waiting.popleft()
            if len(event) > room:
                waiting.appendleft(event[room:])
                event = event[:room]
            self.window -= len(event)
            connection.window -= len(event)
            frames.append(frame(DATA, 0, self.stream_id, event))
        if self._is_last and not waiting:
            frames.append(frame(DATA, END_STREAM, self.stream_id))
            connection.streams.pop(self.stream_id, None)
        if frames:
            connection.out.append(b"".join(frames))
            connection.flush_soon()


class Http2(asyncio.Protocol):
    """One connection."""

    transport: Any

    def __init__(self, desk: Desk, max_streams: int) -> None:
        """Wait for the preface."""
        self.window = DEFAULT_WINDOW
        """Octets that the client takes on this connection now."""
        self.out: list[bytes] = []
        self.streams: dict[int, Answer] = {}
        self._desk = desk
        self._max_streams = max_streams
        self._received = bytearray()
        self._has_preface = False
        self._decoder = Decoder()
        self._stream_window = DEFAULT_WINDOW
        self._given = 0
        self._flushing = False
        self._handlers = {
            DATA: self._on_data,
            HEADERS: self._on_headers,
            CONTINUATION: self._on_continuation,
            RST_STREAM: self._on_reset,
            SETTINGS: self._on_settings,
            PING: self._on_ping,
            WINDOW_UPDATE: self._on_window,
        }

    def connection_made(self, transport: Any) -> None:
        """Say our settings."""
        self.transport = transport
        self._desk.board.connections += 1
        settings = struct.pack(">HLHL", MAX_CONCURRENT_STREAMS, self._max_streams, INITIAL_WINDOW_SIZE, OUR_WINDOW)
        transport.write(frame(SETTINGS, 0, 0, settings))

    def connection_lost(self, _exc: Exception | None) -> None:
        """Stop all answers that were being told."""
        self._desk.board.connections -= 1
        for answer in list(self.streams.values()):
            self._desk.cut(answer)

    def data_received(self, data: bytes) -> None:
        """Take in whole frames."""
        received = self._received
        received += data
        at = 0
        if not self._has_preface:
            if len(received) < len(PREFACE):
                return
            if not received.startswith(PREFACE):
                self.transport.close()
                return
            self._has_preface, at = True, len(PREFACE)
        while len(received) >= at + HEAD_SIZE:
            high, low, kind, flags, stream_id = struct.unpack_from(">BHBBL", received, at)
            end = at + HEAD_SIZE + (high << 16 | low)
            if len(received) < end:
                break
            handler = self._handlers.get(kind)
            if handler is not None:
                handler(flags, stream_id & 0x7FFFFFFF, bytes(received[at + HEAD_SIZE : end]))
            at = end
        del received[:at]

    def flush_soon(self) -> None:
        """Send what has been written, once all that is due in this turn of the loop has been."""
        if not self._flushing:
            self._flushing = True
            self._desk.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self.out:
            # each piece becomes a TLS record of its own, all together one write to the socket
            self.transport.writelines(self.out)
            self.out.clear()

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        payload = _unpadded(flags, payload)
        if flags & PRIORITIZED:
            payload = payload[5:]
        answer = self.streams[stream_id] = Answer(self, stream_id, self._stream_window)
        answer.headers += payload
        self._take_headers(flags, answer)

    def _on_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        answer = self.streams[stream_id]
        answer.headers += payload
        self._take_headers(flags, answer)

    def _take_headers(self, flags: int, answer: Answer) -> None:
        if flags & END_HEADERS:
            # the decoder remembers every block, so none may be passed over
            self._decoder.decode(bytes(answer.headers))
        if flags & END_STREAM:
            self._begin(answer)

    def _on_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._given += len(payload)
        if self._given > DEFAULT_WINDOW // 2:
            self.out.append(window_update(0, self._given))
            self._given = 0
            self.flush_soon()
        answer = self.streams.get(stream_id)
        if answer is None:
            return
        answer.body += _unpadded(flags, payload)
        if flags & END_STREAM:
            self._begin(answer)

    def _begin(self, answer: Answer) -> None:
        ask = asked(bytes(answer.body))
        if ask is not None:
            self._desk.begin(ask, answer)
            return
        del self.streams[answer.stream_id]
        self.out.append(frame(HEADERS, END_HEADERS | END_STREAM, answer.stream_id, STATUS_404))
        self.flush_soon()

    def _on_reset(self, _flags: int, stream_id: int, _payload: bytes) -> None:
        answer = self.streams.pop(stream_id, None)
        if answer is not None:
            self._desk.cut(answer)

    def _on_settings(self, flags: int, _stream_id: int, payload: bytes) -> None:
        if flags & ACK:
            return
        for name, value in struct.iter_unpack(">HL", payload):
            if name == INITIAL_WINDOW_SIZE:
                for answer in self.streams.values():
                    answer.window += value - self._stream_window
                self._stream_window = value
        self.out.append(frame(SETTINGS, ACK, 0))
        self._send_waiting()

    def _on_ping(self, flags: int, _stream_id: int, payload: bytes) -> None:
        if not flags & ACK:
            self.out.append(frame(PING, ACK, 0, payload))
            self.flush_soon()

    def _on_window(self, _flags: int, stream_id: int, payload: bytes) -> None:
        more = int.from_bytes(payload, "big") & 0x7FFFFFFF
        if stream_id == 0:
            self.window += more
            self._send_waiting()
            return
        answer = self.streams.get(stream_id)
        if answer is not None:
            answer.window += more
            answer.send_waiting()

    def _send_waiting(self) -> None:
        for answer in list(self.streams.values()):
            answer.send_waiting()
        self.flush_soon()


def _unpadded(flags: int, payload: bytes) -> bytes:
    """*payload* without its padding."""
    return payload[1 : len(payload) - payload[0]] if flags & PADDED else payload
