"""What the tests of HTTP/2 share: a receiver that notes what it is told, a peer that writes frames, also wrong ones."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import hpack
from hyperframe.frame import Frame

from http_util.engine.http2_frames import PREFACE, FrameType
from http_util.engine.http2_state import FaultKind, Http2State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from http_util.engine.http2_state import StreamFault

GET: Final = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"upstream"), (b":path", b"/v1/models")]
POST: Final = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"upstream"), (b":path", b"/v1/chat")]
HEAD_REQUEST: Final = [(b":method", b"HEAD"), *GET[1:]]
OK: Final = (b":status", b"200")
STREAMED: Final = [OK, (b"content-type", b"text/event-stream")]

END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20


class Recorder:
    """Notes what it is told; *react* is called with the name of each call and may use the connection."""

    def __init__(self, react: Callable[[str], object] | None = None) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.fault: StreamFault | None = None
        self._react = react

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._note("head", status, headers)

    def on_data(self, piece: bytes) -> None:
        assert type(piece) is bytes
        self._note("data", piece)

    def on_end(self) -> None:
        self._note("end")

    def on_fault(self, fault: StreamFault) -> None:
        self.fault = fault
        self._note("fault", fault.kind)

    def on_room(self) -> None:
        self._note("room")

    def _note(self, *call: object) -> None:
        self.calls.append(call)
        if self._react is not None:
            self._react(str(call[0]))

    @property
    def names(self) -> list[object]:
        """The calls without their arguments."""
        return [name for name, *_ in self.calls]

    @property
    def body(self) -> bytes:
        """All pieces."""
        return b"".join(call[1] for call in self.calls if call[0] == "data")

    @property
    def is_over(self) -> bool:
        """Whether nothing may follow."""
        return bool(self.calls) and self.calls[-1][0] in {"end", "fault"}


def raw(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """One frame, right or wrong."""
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream_id) + payload


def word(number: int) -> bytes:
    """Four bytes."""
    return struct.pack(">I", number)


def settings(**values: int) -> bytes:
    """SETTINGS by the names that the protocol uses, in lower case."""
    numbers = {"header_table_size": 1, "enable_push": 2, "max_concurrent_streams": 3}
    numbers |= {"initial_window_size": 4, "max_frame_size": 5, "max_header_list_size": 6}
    payload = b"".join(struct.pack(">HI", numbers[name], value) for name, value in values.items())
    return raw(FrameType.SETTINGS, 0, 0, payload)


def data(stream_id: int, content: bytes = b"", *, end: bool = False, padding: int | None = None) -> bytes:
    """DATA, padded when asked to."""
    flags = END_STREAM if end else 0
    if padding is not None:
        flags, content = flags | PADDED, bytes([padding]) + content + bytes(padding)
    return raw(FrameType.DATA, flags, stream_id, content)


def window_update(stream_id: int, size: int) -> bytes:
    """WINDOW_UPDATE."""
    return raw(FrameType.WINDOW_UPDATE, 0, stream_id, word(size))


def rst_stream(stream_id: int, error_code: int) -> bytes:
    """RST_STREAM."""
    return raw(FrameType.RST_STREAM, 0, stream_id, word(error_code))


def goaway(last_id: int, error_code: int = 0, debug: bytes = b"") -> bytes:
    """GOAWAY."""
    return raw(FrameType.GOAWAY, 0, 0, word(last_id) + word(error_code) + debug)


def ping(payload: bytes = b"12345678", *, ack: bool = False) -> bytes:
    """PING."""
    return raw(FrameType.PING, ACK if ack else 0, 0, payload)


class Peer:
    """A server's side of one connection: it keeps the table of header compression, and says whatever it is told to."""

    def __init__(self) -> None:
        self.encoder = hpack.Encoder()

    def block(self, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
        """A header block."""
        return self.encoder.encode(fields)

    def headers(self, stream_id: int, fields: Sequence[tuple[bytes, bytes]] = STREAMED, *, end: bool = False) -> bytes:
        """HEADERS in one frame."""
        flags = END_HEADERS | (END_STREAM if end else 0)
        return raw(FrameType.HEADERS, flags, stream_id, self.block(fields))

    def split_headers(self, stream_id: int, fields: Sequence[tuple[bytes, bytes]], size: int) -> bytes:
        """HEADERS and CONTINUATION, *size* bytes each."""
        block = self.block(fields)
        pieces = [block[start : start + size] for start in range(0, len(block), size)]
        frames = [
            raw(FrameType.CONTINUATION if i else FrameType.HEADERS, 0, stream_id, p) for i, p in enumerate(pieces)
        ]
        frames[-1] = frames[-1][:4] + bytes([END_HEADERS]) + frames[-1][5:]
        return b"".join(frames)


def connected(peer_settings: bytes | None = None, **arguments: int) -> tuple[Http2State, Peer]:
    """A connection on which both have said their settings, and nothing is left in the output."""
    state = Http2State(**arguments)
    state.start()
    state.receive(settings() if peer_settings is None else peer_settings, now=0.0)
    state.receive(raw(FrameType.SETTINGS, ACK, 0), now=0.0)
    state.take_output()
    return state, Peer()


def asked(state: Http2State, fields: list[tuple[bytes, bytes]] = GET, **arguments: object) -> tuple[int, Recorder]:
    """A stream whose request is complete and sent."""
    receiver = Recorder(**arguments)
    stream_id = state.open_stream(fields, receiver, end_stream=True)
    state.take_output()
    return stream_id, receiver


def answering(state: Http2State, peer: Peer, **arguments: object) -> tuple[int, Recorder]:
    """A stream whose answer has begun; what its receiver noted of that is gone."""
    stream_id, receiver = asked(state, **arguments)
    state.receive(peer.headers(stream_id), now=0.0)
    receiver.calls.clear()
    return stream_id, receiver


def sending(state: Http2State, **arguments: object) -> tuple[int, Recorder]:
    """A stream whose request has a body that is not sent yet."""
    receiver = Recorder(**arguments)
    stream_id = state.open_stream(POST, receiver, end_stream=False)
    state.take_output()
    return stream_id, receiver


def frames(output: bytes) -> list[Frame]:
    """What we sent, as hyperframe reads it."""
    output = output.removeprefix(PREFACE)
    found = []
    while output:
        frame, size = Frame.parse_frame_header(memoryview(output)[:9], strict=True)
        frame.parse_body(memoryview(output)[9 : 9 + size])
        found.append(frame)
        output = output[9 + size :]
    return found


def sent(state: Http2State) -> list[Frame]:
    """What we sent since the last time."""
    return frames(state.take_output())


UNPROCESSED, RESET = ("fault", FaultKind.UNPROCESSED), ("fault", FaultKind.RESET)
PROTOCOL, TOO_LARGE = ("fault", FaultKind.PROTOCOL), ("fault", FaultKind.TOO_LARGE)
