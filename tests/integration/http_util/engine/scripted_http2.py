"""
An HTTP/2 server that obeys its script, also where the protocol forbids it: it knows frames, not rules.

Left alone it is a good server: it sends SETTINGS, acknowledges, answers PING, gives credit for what it reads and runs
one script for each request. Any of that can be turned off, and a script can send whatever it likes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Final

import hpack
from hyperframe import frame as frames

from tests.integration.http_util.engine.listening import HUNG_UP, listening

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    Script = Callable[["Stream"], Awaitable[None]]
    Greeting = Callable[["Http2Connection"], Awaitable[None]]

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW: Final = 65_535
FRAME: Final = 16_384

NO_ERROR: Final = 0x0
PROTOCOL_ERROR: Final = 0x1
INTERNAL_ERROR: Final = 0x2
REFUSED_STREAM: Final = 0x7
CANCEL: Final = 0x8
ENHANCE_YOUR_CALM: Final = 0xB

MAX_CONCURRENT_STREAMS: Final = frames.SettingsFrame.MAX_CONCURRENT_STREAMS
INITIAL_WINDOW_SIZE: Final = frames.SettingsFrame.INITIAL_WINDOW_SIZE


class Stream:
    """One request as the server sees it, and the means to answer it."""

    def __init__(self, connection: Http2Connection, number: int, headers: list[tuple[str, str]]) -> None:
        self.connection = connection
        self.number = number
        self.headers = dict(headers)
        self.body = bytearray()
        self.ended = asyncio.Event()
        """The client has ended its side."""
        self.gone = asyncio.Event()
        """The stream was reset by the client, or its connection is gone."""
        self.reset_code: int | None = None
        self.window = connection.initial_window
        """What the client lets us send."""

    @property
    def path(self) -> str:
        """The path that is asked for."""
        return self.headers[":path"]

    def head(self, status: int = 200, *headers: tuple[str, str], end: bool = False) -> None:
        """Send the head of the answer."""
        self.connection.send_headers(self.number, [(":status", str(status)), *headers], end=end)

    def data(self, data: bytes, *, end: bool = False) -> None:
        """Send DATA, whether the client's windows allow it or not."""
        frame = frames.DataFrame(self.number, data, flags=["END_STREAM"] if end else [])
        self.window -= len(data)
        self.connection.window -= len(data)
        self.connection.send(frame)

    async def pour(self, data: bytes, *, end: bool = True) -> None:
        """Send *data* as the client's windows allow."""
        at = 0
        while at < len(data):
            room = min(len(data) - at, self.window, self.connection.window, FRAME)
            if room <= 0:
                await self.connection.credit()
                continue
            self.data(data[at : at + room], end=end and at + room == len(data))
            at += room
            await self.connection.drain()

    def trailers(self, *headers: tuple[str, str]) -> None:
        """Send trailers, which end the answer."""
        self.connection.send_headers(self.number, list(headers), end=True)

    def reset(self, code: int = CANCEL) -> None:
        """Send RST_STREAM."""
        self.connection.send(frames.RstStreamFrame(self.number, error_code=code))

    def answer(self, body: bytes = b"ok", status: int = 200) -> None:
        """Send a whole answer."""
        self.head(status)
        self.data(body, end=True)


class Http2Connection:
    """One connection that a client opened."""

    def __init__(
        self, server: Http2Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.number = number
        self.reader = reader
        self.writer = writer
        self.streams: dict[int, Stream] = {}
        self.seen: Counter[str] = Counter()
        """How many frames of each kind came; acknowledgements of SETTINGS and PING count as ``SETTINGS ACK``."""
        self.settings: dict[int, int] = {}
        """What the client has set."""
        self.window = WINDOW
        """What the client lets us send on all streams together."""
        self.goaway_code: int | None = None
        """The code of the client's GOAWAY."""
        self.gone = asyncio.Event()
        self._encoder = hpack.Encoder()
        self._decoder = hpack.Decoder()
        self._credit = asyncio.Event()
        self._block = b""
        self._scripts: set[asyncio.Task[None]] = set()
        self.failures: list[BaseException] = []

    @property
    def initial_window(self) -> int:
        """What a new stream may send."""
        return self.settings.get(INITIAL_WINDOW_SIZE, WINDOW)

    @property
    def open(self) -> list[Stream]:
        """The streams that the client has not reset, whether they are answered or not."""
        return [stream for stream in self.streams.values() if not stream.gone.is_set()]

    # sending

    def send(self, *frames_: frames.Frame) -> None:
        """Send frames as they are."""
        self.raw(b"".join(frame.serialize() for frame in frames_))

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        if not self.writer.is_closing():
            self.writer.write(data)

    async def drain(self) -> None:
        """Wait while the client does not take what was sent; raises `ConnectionError` when it has gone."""
        await self.writer.drain()
        # a transport that is not full does not wait, and the client could never answer
        await asyncio.sleep(0)

    async def credit(self) -> None:
        """Wait until the client has opened a window."""
        self._credit.clear()
        await self._credit.wait()

    def block(self, headers: list[tuple[str, str]]) -> bytes:
        """Compress headers, in the connection's compression state."""
        return self._encoder.encode(headers)

    def send_headers(self, number: int, headers: list[tuple[str, str]], *, end: bool = False) -> None:
        """Send a HEADERS frame, followed by CONTINUATION as far as it takes."""
        block = self.block(headers)
        pieces = [block[at : at + FRAME] for at in range(0, len(block), FRAME)] or [b""]
        flags = ["END_STREAM"] if end else []
        sent: list[frames.Frame] = [frames.HeadersFrame(number, pieces[0], flags=flags)]
        sent += [frames.ContinuationFrame(number, piece) for piece in pieces[1:]]
        sent[-1].flags.add("END_HEADERS")
        self.send(*sent)

    def set(self, settings: Mapping[int, int]) -> None:
        """Send SETTINGS."""
        self.send(frames.SettingsFrame(settings=dict(settings)))

    def goaway(self, last: int, code: int = NO_ERROR) -> None:
        """Send GOAWAY; streams above *last* were not processed."""
        self.send(frames.GoAwayFrame(last_stream_id=last, error_code=code))

    def give(self, size: int, number: int = 0) -> None:
        """Open the client's window: of the connection, or of one stream."""
        self.send(frames.WindowUpdateFrame(number, window_increment=size))

    def close(self) -> None:
        """Close the connection."""
        self.writer.close()

    # receiving

    async def serve(self) -> None:
        """Read frames until the client has gone."""
        try:
            assert await self.reader.readexactly(len(PREFACE)) == PREFACE
            await self.server.greeting(self)
            while True:
                self._receive(await self._frame())
        finally:
            self.gone.set()
            for stream in self.streams.values():
                stream.gone.set()
            for script in self._scripts:
                script.cancel()
            await asyncio.gather(*self._scripts, return_exceptions=True)
            self.server.failures += [error for error in self.failures if not isinstance(error, HUNG_UP)]

    async def _frame(self) -> frames.Frame:
        """Read one frame."""
        frame, length = frames.Frame.parse_frame_header(memoryview(await self.reader.readexactly(9)))
        frame.parse_body(memoryview(await self.reader.readexactly(length)))
        return frame

    def _receive(self, frame: frames.Frame) -> None:
        """Do what a frame asks for."""
        name = type(frame).__name__.removesuffix("Frame").upper()
        is_answer = isinstance(frame, frames.SettingsFrame | frames.PingFrame) and "ACK" in frame.flags
        self.seen[f"{name} ACK" if is_answer else name] += 1
        match frame:
            case frames.SettingsFrame() if not is_answer:
                self._receive_settings(frame)
            case frames.PingFrame() if not is_answer and self.server.answers_pings:
                self.send(frames.PingFrame(opaque_data=frame.opaque_data, flags=["ACK"]))
            case frames.HeadersFrame() | frames.ContinuationFrame():
                self._receive_headers(frame)
            case frames.DataFrame():
                self._receive_data(frame)
            case frames.RstStreamFrame():
                self.streams[frame.stream_id].reset_code = frame.error_code
                self.streams[frame.stream_id].gone.set()
                self._credit.set()
            case frames.WindowUpdateFrame():
                holder = self.streams[frame.stream_id] if frame.stream_id else self
                holder.window += frame.window_increment
                self._credit.set()
            case frames.GoAwayFrame():
                self.goaway_code = frame.error_code
            case _:
                pass

    def _receive_settings(self, frame: frames.SettingsFrame) -> None:
        """Remember what the client sets, and acknowledge."""
        before = self.initial_window
        self.settings.update(frame.settings)
        for stream in self.streams.values():
            stream.window += self.initial_window - before
        self._credit.set()
        if self.server.acknowledges:
            self.send(frames.SettingsFrame(flags=["ACK"]))

    def _receive_headers(self, frame: frames.HeadersFrame | frames.ContinuationFrame) -> None:
        """Collect a header block; a complete one is a request, whose script starts."""
        self._block += frame.data
        ends = "END_STREAM" in frame.flags
        if "END_HEADERS" in frame.flags:
            headers = [(str(name), str(value)) for name, value in self._decoder.decode(self._block)]
            self._block = b""
            self.streams[frame.stream_id] = stream = Stream(self, frame.stream_id, headers)
            self._start(self.server.script(stream))
        if ends:
            self.streams[frame.stream_id].ended.set()

    def _receive_data(self, frame: frames.DataFrame) -> None:
        """Collect a body, and let the client send more."""
        stream = self.streams[frame.stream_id]
        stream.body += frame.data
        if "END_STREAM" in frame.flags:
            stream.ended.set()
        if self.server.gives_credit and frame.flow_controlled_length:
            self.give(frame.flow_controlled_length)
            if not stream.ended.is_set():
                self.give(frame.flow_controlled_length, frame.stream_id)

    def _start(self, script: Awaitable[None]) -> None:
        """Run the script of one request."""
        task = asyncio.ensure_future(script)
        self._scripts.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        """Keep what went wrong in a script."""
        self._scripts.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(error)


async def greet(connection: Http2Connection) -> None:
    """Begin as a good server does."""
    connection.set({MAX_CONCURRENT_STREAMS: 100})


def greeting(settings: Mapping[int, int]) -> Greeting:
    """Return the greeting that sends *settings*."""

    async def send(connection: Http2Connection) -> None:
        connection.set(settings)

    return send


class Http2Server:
    """
    Runs one script for every request.

    Args:
        script: Answers a request; `paths` by default.
        greeting: What the server sends first.
        answers_pings: Whether PING is answered.
        gives_credit: Whether the client may send more when its DATA was read.
        acknowledges: Whether SETTINGS are acknowledged.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        greeting: Greeting = greet,
        answers_pings: bool = True,
        gives_credit: bool = True,
        acknowledges: bool = True,
    ) -> None:
        self.script = script or paths
        self.greeting = greeting
        self.answers_pings = answers_pings
        self.gives_credit = gives_credit
        self.acknowledges = acknowledges
        self.connections: list[Http2Connection] = []
        self.failures: list[BaseException] = []

    @contextlib.asynccontextmanager
    async def at(self, context: ssl.SSLContext) -> AsyncIterator[str]:
        """Listen; yields the base URL."""
        async with listening(self, context) as url:
            yield url
        if self.failures:
            raise BaseExceptionGroup("a script failed", self.failures)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        connection = Http2Connection(self, len(self.connections), reader, writer)
        self.connections.append(connection)
        await connection.serve()

    @property
    def streams(self) -> list[Stream]:
        """The requests of all connections, in the order of their connections."""
        return [stream for connection in self.connections for stream in connection.streams.values()]

    @property
    def open(self) -> int:
        """How many connections are open."""
        return sum(1 for connection in self.connections if not connection.gone.is_set())


async def paths(stream: Stream) -> None:
    """Answer by path: ``/ok``, ``/stream`` (until it is reset), ``/silent`` (never), ``/size/N``, ``/echo``."""
    match stream.path.split("/"):
        case ["", "ok"]:
            stream.answer()
        case ["", "silent"]:
            pass
        case ["", "stream"]:
            await tick(stream)
        case ["", "size", size]:
            stream.head()
            await stream.pour(bytes(int(size)))
        case ["", "echo"]:
            await stream.ended.wait()
            stream.head()
            await stream.pour(bytes(stream.body))
        case _:
            stream.answer(b"no such path", 404)


async def tick(stream: Stream, pause: float = 0.001) -> None:
    """Send tokens until the client resets the stream, as far as it lets us."""
    stream.head()
    while not stream.gone.is_set():
        if min(stream.window, stream.connection.window) > WINDOW // 8:
            stream.data(b"data: tick\n\n")
        await asyncio.sleep(pause)
