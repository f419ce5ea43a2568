"""
HTTP/1.1 on an asyncio transport: one request at a time, and the socket closed when its answer is not wanted.

    free ---send---> busy ---answer complete, request sent, keep-alive---> free
                      |----answer complete otherwise---------------------> closed
                      |----reader leaves, peer breaks the protocol-------> closed
    free ---any byte from the peer: nobody asked for it------------------> closed

Nothing here waits while it cleans up, so a cancellation that strikes at any `await` finds a connection that is either
in one of these states or closed.

Spec: HTU-1001, HTU-14, HTU-PERF-1301
"""

from __future__ import annotations

import asyncio
import math
import os
import select
import ssl
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final, cast

import httpx

from http_util.engine.answer import Answer
from http_util.engine.errors import connection_ended
from http_util.engine.http1_answer import AnswerReader
from http_util.engine.http1_request import request_head
from http_util.engine.request_body import Framing
from http_util.engine.writing import takes_writes

if TYPE_CHECKING:
    from http_util.engine.connection import Owner, Timeouts
    from http_util.engine.proxies import Forwarding
    from http_util.engine.request import EngineRequest
    from http_util.urls import Origin

_PAUSE_AT: Final = 64 * 1024
"""Unread bytes of an answer at which the socket is not read any more. A read brings at most 256 KiB beyond it."""

_GATHER_MISSING: Final = 16 * 1024
"""Bytes of an answer that are worth a moment's wait when more than these are still to come."""

_GATHER_BELOW: Final = 64 * 1024
"""Bytes that a read brings which is not small."""

_GATHER_SECONDS: Final = 0.001
"""For how long the socket gathers what follows a small read."""

_REST_BYTES: Final = 64 * 1024
"""Bytes that are read at once from a socket that broke."""


class Http1Connection(asyncio.BufferedProtocol):
    """One connection for one request at a time."""

    shares = False
    is_barred = False
    """One request is always allowed."""
    http_version = b"HTTP/1.1"

    def __init__(
        self,
        origin: Origin,
        owner: Owner,
        *,
        buffer: memoryview,
        max_header_bytes: int,
        forwarding: Forwarding | None = None,
    ) -> None:
        """
        Make the protocol of a connection that is not there yet.

        Args:
            origin: Where it goes.
            owner: Told of its changes.
            buffer: Where reads go. Nothing stays in it, so that all connections of a loop may share one.
            max_header_bytes: Bound of an answer's head.
            forwarding: How a plain request is written for a proxy that forwards it.
        """
        self.origin = origin
        self.idle_since = math.inf
        self._owner = owner
        self._buffer = buffer
        self._max_header_bytes = max_header_bytes
        self._forwarding = forwarding
        self._loop = asyncio.get_running_loop()
        self._transport = cast("asyncio.Transport", None)
        self._poll: select.poll | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._is_open = False
        self._is_busy = False
        self._is_new = True
        self._reader: AnswerReader | None = None
        self._answer: Answer | None = None
        self._is_sent = True
        self._can_write = True
        self._is_paused = False
        # set while the socket gathers
        self._gathering: asyncio.TimerHandle | None = None

    # what the pool sees

    @property
    def room(self) -> int:
        """One, when it is free."""
        return 1 if self._is_open and not self._is_busy else 0

    @property
    def promise(self) -> int:
        """As `room`."""
        return self.room

    @property
    def in_flight(self) -> int:
        """One, when it is taken."""
        return 1 if self._is_busy else 0

    def reserve(self) -> None:
        """Take the place."""
        self._is_busy = True

    def release(self) -> None:
        """Give the place back."""
        self._set_free()

    def has_news(self) -> bool:
        """Whether something lies in the socket that was not read yet: on a free connection, most often its end."""
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(self._poll.poll(0))

    def close(self) -> None:
        """Close in good manners."""
        self._retire()
        self._transport.close()

    def abort(self, failure: Exception) -> None:
        """Close at once."""
        self._retire()
        self._transport.abort()
        if self._answer is not None:
            self._answer.fail(failure)

    async def send(self, request: EngineRequest, timeouts: Timeouts) -> Answer:
        """
        Send *request*, and return its answer when the head is there.

        A frame may be shown in a traceback with its locals. So nothing here that waits or raises holds the head, in
        which the credentials are, and what failed to write one takes its own frames with it.
        """
        self._answer = answer = Answer(self._loop, self, read_timeout=timeouts.get("read"))
        try:
            framing = Framing.of(request)
            if (trace := request.extensions.get("trace")) is not None:
                await trace("http11.send_request_headers.started", {})
            head = self._head(request)
        except BaseException as error:
            self._answer = None
            self.release()
            error.__traceback__ = None
            raise
        try:
            self._reader = AnswerReader(
                answer, is_head_request=request.method == b"HEAD", max_header_bytes=self._max_header_bytes
            )
            self._is_sent = framing.is_short
            self._transport.write(head + framing.whole)
            del head
            if not framing.is_short:
                await self._send_body(framing, answer, timeouts.get("write"))
            await answer.head(timeouts.get("head", timeouts.get("read")))
        except BaseException:
            answer.leave()
            raise
        return answer

    def _head(self, request: EngineRequest) -> bytes:
        """Return the head of *request*."""
        if self._forwarding is None:
            return request_head(request.method, request.target, request.headers)
        headers = [*request.headers, *self._forwarding.headers]
        return request_head(request.method, self._forwarding.target(self.origin, request.target), headers)

    async def _send_body(self, framing: Framing, answer: Answer, write_timeout: float | None) -> None:
        """Send a body of any size at the peer's pace; stop when the answer makes the rest useless."""
        async with aclosing(framing.frames(answer)) as frames:
            async for piece in frames:
                while not (answer.ends_sending or (self._can_write and takes_writes(self._transport))):
                    await answer.change(write_timeout, httpx.WriteTimeout)
                if self._is_open and self.has_news():
                    # an early answer is read before more is written: to a connection that was closed behind it, a write
                    # would be the end of both; the first turn finds it in the socket, the second one has read it
                    await asyncio.sleep(0)  # noqa: TID251 - not a pause: one turn for the sockets
                    await asyncio.sleep(0)  # noqa: TID251 - as above
                if answer.ends_sending:
                    return
                self._transport.write(piece)
        self._is_sent = not answer.ends_sending

    # what the answer's reader does

    def taken(self, size: int) -> None:  # noqa: ARG002 - one answer at a time: whatever was taken, all is read
        """Read the socket again."""
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    def abandon(self) -> asyncio.Future[None]:
        """Close the socket: that is how HTTP/1.1 says stop."""
        self._reader = self._answer = None
        self._retire()
        self._transport.abort()
        return self._lost

    # what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, free."""
        self._transport = cast("asyncio.Transport", transport)
        self._is_open = True
        self.idle_since = self._loop.time()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - it is as large as a read can be
        """Return where the next read goes."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take in one read."""
        self.data_received(self._buffer[:nbytes])

    def data_received(self, data: bytes | memoryview) -> None:
        """Take in what was read."""
        reader = self._reader
        if reader is None:
            # an answer to nothing must never become the answer to the next request
            self.close()
            return
        reader.feed(data)
        if reader.is_over:
            self._finish(reader)
        elif self._answer is not None and self._answer.untold > _PAUSE_AT and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        elif len(data) < _GATHER_BELOW and reader.missing > _GATHER_MISSING and self._gathering is None:
            self._gather()

    def _gather(self) -> None:
        """
        Leave the socket alone for a moment: a large answer of known size comes in small parts.

        A wake-up for each part costs many times what reading it does. The reader has got what was read already, so its
        timers see everything, if a moment later; and no token waits, for a stream's size is not known.
        """
        self._transport.pause_reading()
        self._gathering = self._loop.call_later(_GATHER_SECONDS, self._end_gathering)

    def _end_gathering(self) -> None:
        """Read what has come."""
        self._gathering = None
        if not (self._is_paused or self._transport.is_closing()):
            self._transport.resume_reading()

    def eof_received(self) -> None:
        """The peer sends no more: an answer without a length is complete, any other is cut."""
        self._retire()
        # without a goodbye the end of the connection, which follows, may know the reason
        if (reader := self._reader) is not None and self._was_said_goodbye():
            reader.eof()
            self._finish(reader)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._is_open = False
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        if exc is not None and not self._is_sent:
            self._read_rest()
        if self._answer is not None:
            self._answer.fail(connection_ended(exc, is_new=self._is_new and not self._answer.status))
            self._reader = self._answer = None
        if not self._lost.done():
            self._lost.set_result(None)
        self._owner.lost(self)

    def _read_rest(self) -> None:
        """
        Take in what lies in a socket that broke while the request was being sent: most often why it is not wanted.

        Over TLS it is not to be had any more; there `_send_body` has looked for it before each write.
        """
        if self._transport.get_extra_info("ssl_object") is not None:
            return
        # nothing more, an error, or a socket that is closed already: what was there is read
        with suppress(OSError, ValueError):
            socket = self._transport.get_extra_info("socket").fileno()
            while self._reader is not None and (data := os.read(socket, _REST_BYTES)):
                self.data_received(data)

    def pause_writing(self) -> None:
        """The socket takes no more for now."""
        self._can_write = False

    def resume_writing(self) -> None:
        """The socket takes more."""
        self._can_write = True
        if self._answer is not None:
            self._answer.on_room()

    def _finish(self, reader: AnswerReader) -> None:
        """The answer is over: keep the connection for the next request, or close it."""
        self._reader = self._answer = None
        self._is_new = False
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        if reader.can_reuse and self._is_sent and self._is_open and not self._transport.is_closing():
            self._set_free()
        elif reader.is_complete:
            self.close()
        else:
            self._retire()
            self._transport.abort()

    def _was_said_goodbye(self) -> bool:
        """Tell whether the end of the bytes is the peer's word: over TLS it must have said so inside of it."""
        tls = self._transport.get_extra_info("ssl_object")
        if tls is None:
            return True
        try:
            return not tls.read(1)
        except ssl.SSLError as error:
            return isinstance(error, ssl.SSLZeroReturnError)

    def _retire(self) -> None:
        """Take no further request."""
        if self._is_open:
            self._is_open = False
            self._owner.changed(self)

    def _set_free(self) -> None:
        """Wait for the next request."""
        self._is_busy = False
        self.idle_since = self._loop.time()
        self._owner.changed(self)
