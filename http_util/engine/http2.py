"""
HTTP/2 on an asyncio transport: many requests at once, each ended by itself.

What the frames mean is decided in `http_util.engine.http2_state`; here are the socket, the timers and the waiting. A
stream that nobody reads any more is reset with the next write, and that is all: its neighbours do not notice, and no
task waits for anything while it cleans up.

A peer that is silent for `ping_interval` seconds is asked for a sign of life. If none comes within `ping_timeout`, the
connection is dead, and whoever waits on it learns so then, and not when its own patience ends.

Spec: HTU-1001, HTU-02, HTU-14, HTU-PERF-1301
"""

from __future__ import annotations

import asyncio
import math
import re
import select
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, cast

import httpx

from http_util.engine.answer import Answer
from http_util.engine.errors import Disconnected, Displaced, Unprocessed, Unwritable, connection_ended
from http_util.engine.http1_request import is_token
from http_util.engine.http2_state import ConnectionFault, Http2State
from http_util.engine.request_body import Framing
from http_util.engine.writing import takes_writes

if TYPE_CHECKING:
    from http_util.engine.connection import Owner, Timeouts
    from http_util.engine.request import EngineRequest
    from http_util.urls import Origin

MAX_STREAMS: Final = 256
"""Most requests on one connection, whatever the peer allows: beyond, a second connection shares the work better."""

_MOST_UNSENT_BYTES: Final = 1024 * 1024
"""Most bytes that wait for a socket which takes none: answers to a peer's pings and settings, and pieces of bodies."""

_NOT_SENT_OVER_HTTP2: Final = frozenset(
    {b"connection", b"host", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)


class _Stream:
    """One stream, as its answer's reader sees it."""

    __slots__ = ("connection", "stream_id")

    def __init__(self, connection: Http2Connection) -> None:
        self.connection = connection
        self.stream_id = 0

    def taken(self, size: int) -> None:
        """Let the peer send as much more."""
        self.connection.grant(self.stream_id, size)

    def abandon(self) -> None:
        """Tell the peer to stop."""
        self.connection.reset(self.stream_id)


class Http2Connection(asyncio.BufferedProtocol):
    """One connection for many requests."""

    shares = True
    http_version = b"HTTP/2"

    def __init__(
        self,
        origin: Origin,
        owner: Owner,
        *,
        buffer: memoryview,
        max_header_bytes: int,
        ping_interval: float | None,
        ping_timeout: float,
    ) -> None:
        """
        Make the protocol of a connection that is not there yet.

        Args:
            origin: Where it goes.
            owner: Told of its changes.
            buffer: Where reads go. Nothing stays in it, so that all connections of a loop may share one.
            max_header_bytes: Bound of an answer's head.
            ping_interval: Seconds of silence before the peer is asked for a sign of life; None for never.
            ping_timeout: Seconds that the sign may take.
        """
        self.origin = origin
        self.idle_since = math.inf
        self._owner = owner
        self._buffer = buffer
        self._loop = asyncio.get_running_loop()
        self._state = Http2State(max_header_bytes=max_header_bytes, max_streams=MAX_STREAMS)
        self._transport = cast("asyncio.Transport", None)
        self._poll: select.poll | None = None
        self._is_open = False
        self._reserved = 0
        self._ending: httpx.TransportError | None = None
        self._streams_before = 0
        self._signs = (0, False, False)
        self._can_write = True
        self._senders: set[Answer] = set()
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._heard_at = self._asked_at = 0.0
        self._heartbeat: asyncio.TimerHandle | None = None

    # what the pool sees

    @property
    def room(self) -> int:
        """As many as the peer allows at once, less those in flight."""
        if not (self._is_open and self._state.can_open):
            return 0
        return max(0, self._state.peer_max_streams - self.in_flight)

    @property
    def promise(self) -> int:
        """As `room`, and before the peer has said how many it takes, as many as we would give it."""
        if self._is_open and not (self._state.is_going_away or self._state.has_peer_settings):
            return max(0, MAX_STREAMS - self.in_flight)
        return self.room

    @property
    def is_barred(self) -> bool:
        """Whether all that its settings have ever allowed is no stream at all."""
        state = self._state
        return self._is_open and state.has_peer_settings and not (state.has_allowed_streams or state.is_going_away)

    @property
    def in_flight(self) -> int:
        """Streams that are open, and places that are reserved."""
        return self._state.open_streams + self._reserved

    def reserve(self) -> None:
        """Keep a place."""
        self._reserved += 1

    def release(self) -> None:
        """Give a place back; somebody may be waiting for it."""
        self._reserved -= 1
        self._owner.changed(self)

    def has_news(self) -> bool:
        """Whether something lies in the socket that was not read yet."""
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(self._poll.poll(0))

    def close(self) -> None:
        """Say goodbye and close."""
        if self._is_open:
            self._is_open = False
            self._state.close()
            self._flush()
            self._owner.changed(self)
        self._transport.close()

    def abort(self, failure: Exception) -> None:
        """Close at once."""
        self._is_open = False
        self._state.lost(str(failure))
        self._transport.abort()

    async def send(self, request: EngineRequest, timeouts: Timeouts) -> Answer:
        """
        Send *request*, and return its answer when the head is there.

        A frame may be shown in a traceback with its locals: the fields, in which the credentials are, are held in none.
        """
        stream = _Stream(self)
        answer = Answer(self._loop, stream, read_timeout=timeouts.get("read"))
        try:
            framing = Framing.of(request)
            has_body = bool(framing.whole) or not framing.is_short
            self._check_place(Displaced)
            if (trace := request.extensions.get("trace")) is not None:
                await trace("http2.send_request_headers.started", {})
                # whoever listens may have taken its time
                self._check_place(Unprocessed)
            stream.stream_id = self._state.open_stream(request_fields(request), answer, end_stream=not has_body)
        except BaseException as error:
            self.release()
            # takes the frames with it in which the fields were being written
            error.__traceback__ = None
            raise
        self._reserved -= 1
        self._streams_before += 1
        try:
            if has_body:
                await self._send_body(framing, stream.stream_id, answer, timeouts.get("write"))
            self._flush()
            await answer.head(timeouts.get("head", timeouts.get("read")))
        except Disconnected:
            # the state machine knows only that it is over
            if self._ending is not None:
                raise self._ending from self._ending.__cause__
            raise
        except BaseException:
            answer.leave()
            raise
        return answer

    def _check_place(self, otherwise: type[Unprocessed]) -> None:
        """Check that the place that was reserved is still one: the peer may have left, or allow fewer than before."""
        if not (self._is_open and self._state.can_open):
            raise otherwise("the HTTP/2 connection took no request any more when this one came to it")

    async def _send_body(self, framing: Framing, stream_id: int, answer: Answer, write_timeout: float | None) -> None:
        """Send a body at the pace of the peer's windows; stop when the answer is over before the request is."""
        whole = framing.whole
        if whole and self._can_write and len(whole) <= self._state.send_room(stream_id):
            self._state.send_data(stream_id, whole, end_stream=True)
            return
        async with aclosing(framing.pieces(answer)) as pieces:
            async for piece in pieces:
                await self._send_piece(memoryview(piece), stream_id, answer, write_timeout)
        if not answer.ends_sending:
            self._state.send_data(stream_id, b"", end_stream=True)

    async def _send_piece(self, piece: memoryview, stream_id: int, answer: Answer, write_timeout: float | None) -> None:
        """Send one piece, in as many parts as the windows make of it."""
        while piece and not answer.ends_sending:
            room = self._state.send_room(stream_id) if self._can_write else 0
            if room > 0:
                self._state.send_data(stream_id, piece[:room], end_stream=False)
                piece = piece[room:]
                self._flush()
                continue
            self._flush()
            self._senders.add(answer)
            try:
                await answer.change(write_timeout, httpx.WriteTimeout)
            finally:
                self._senders.discard(answer)

    # what the answers' readers do

    def grant(self, stream_id: int, size: int) -> None:
        """A reader took *size* bytes."""
        self._state.grant(stream_id, size)
        self._flush()

    def reset(self, stream_id: int) -> None:
        """A reader left."""
        if stream_id:
            self._state.reset(stream_id)
            self._flush()
            if not self._state.has_peer_settings:
                # it has not even said hello; another connection may
                self._is_open = False
                self._transport.abort()
            self._note_change()

    # what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with our settings; the peer's are on their way."""
        self._transport = cast("asyncio.Transport", transport)
        self._is_open = True
        self.idle_since = self._heard_at = self._loop.time()
        self._state.start()
        self._flush()
        if self._ping_interval is not None:
            self._heartbeat = self._loop.call_at(self._heard_at + self._ping_interval, self._beat)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - it is as large as a read can be
        """Return where the next read goes."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take in one read."""
        self.data_received(bytes(self._buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Take in what was read."""
        self._heard_at = self._loop.time()
        try:
            self._state.receive(data, self._heard_at)
        except ConnectionFault:
            # the streams were told why; what is left is the goodbye
            self._is_open = False
            self._flush()
            self._transport.abort()
        self._flush()
        self._note_change()

    def eof_received(self) -> None:
        """The peer sends no more; the end of the connection follows, and may know the reason."""
        self._is_open = False
        self._note_change()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._is_open = False
        self._ending = connection_ended(exc, is_new=not self._state.has_peer_settings)
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        self._state.lost("the HTTP/2 connection closed before the answer was complete")
        self._owner.lost(self)

    def pause_writing(self) -> None:
        """The socket takes no more for now."""
        self._can_write = False

    def resume_writing(self) -> None:
        """The socket takes more."""
        self._can_write = True
        for answer in list(self._senders):
            answer.on_room()

    def _flush(self) -> None:
        """Write what the state machine has to say."""
        output = self._state.take_output()
        if not output or not takes_writes(self._transport):
            return
        self._transport.write(output)
        if not self._can_write and self._transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            # a peer that asks and asks and does not read our answers
            self.abort(Disconnected("the upstream does not read what is sent to it"))

    def _note_change(self) -> None:
        """Tell the pool when there is more room or less, and leave a connection that is going away when it is empty."""
        state = self._state
        before, self._streams_before = self._streams_before, state.open_streams
        signs = (state.peer_max_streams, state.is_going_away, self._is_open)
        if self._streams_before == before and signs == self._signs:
            return
        self._signs = signs
        if not self.in_flight:
            self.idle_since = self._loop.time()
            if state.is_going_away and self._is_open:
                self.close()
                return
        self._owner.changed(self)

    def _beat(self) -> None:
        """Ask a silent peer for a sign of life; give up on one that was asked in vain."""
        interval, now = cast("float", self._ping_interval), self._loop.time()
        if self._heard_at < self._asked_at:
            if now >= self._asked_at + self._ping_timeout:
                self.abort(Disconnected("the upstream did not answer an HTTP/2 ping in time"))
                return
            due = self._asked_at + self._ping_timeout
        elif now >= self._heard_at + interval:
            self._asked_at = now
            self._state.ping()
            self._flush()
            due = now + self._ping_timeout
        else:
            due = self._heard_at + interval
        self._heartbeat = self._loop.call_at(due, self._beat)


def request_fields(request: EngineRequest) -> list[tuple[bytes, bytes]]:
    """
    Return the pseudo fields and the fields of *request*, as HTTP/2 writes them.

    Raises:
        Unwritable: A name or a value holds what it may not hold.
    """
    fields = [
        (b":method", request.method),
        (b":scheme", request.scheme),
        (b":authority", b""),
        (b":path", request.target),
    ]
    for name, value in request.headers:
        lower = name.lower()
        if lower == b"host":
            fields[2] = (b":authority", value)
        elif not is_token(lower):
            raise Unwritable("a header's name is not one that HTTP allows")
        elif lower not in _NOT_SENT_OVER_HTTP2:
            fields.append((lower, value.strip()))
    if _FORBIDDEN.search(b"\x01".join([value for _, value in fields])):
        raise Unwritable("a header's value holds a line break or a NUL")
    return fields


_FORBIDDEN: Final = re.compile(rb"[\r\n\0]")
