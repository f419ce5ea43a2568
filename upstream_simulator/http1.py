"""
HTTP/1.1: h11 reads the requests, the answers are written byte by byte as the steps want them.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import h11

from upstream_simulator.realtime import RealtimeConnection
from upstream_simulator.received import Received

if TYPE_CHECKING:
    from upstream_simulator.player import Player
    from upstream_simulator.server import Server
    from upstream_simulator.steps import Break, Finish, Head, Send

_NO_LINGER: Final = struct.pack("ii", 1, 0)
_PATIENCE: Final = 5.0
_TICK: Final = 0.001
_MAX_BODY: Final = 128 << 20
_MAX_PIPELINED: Final = 1 << 20
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


def abort_with_reset(transport: asyncio.Transport, patience: float = _PATIENCE) -> None:
    """
    Close a connection so that the peer sees a TCP reset, not an end.

    Args:
        transport: The connection. What was written to it before is delivered first.
        patience: Seconds to wait for that; the kernel throws away what it still holds when it resets.
    """
    raw = transport.get_extra_info("socket")
    if transport.is_closing() or raw is None:
        return
    (held,) = struct.unpack("i", fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, bytes(4)))
    if held and patience > 0:
        asyncio.get_running_loop().call_later(_TICK, abort_with_reset, transport, patience - _TICK)
        return
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


class Http1Connection(asyncio.Protocol):
    """
    One connection; one request at a time, in order.

    Spec: SIM-04, SIM-06
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._number = 0
        self._player: Player | None = None
        self._reader = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._pipelined = bytearray()
        self._framing = "chunked"
        self._keeps_alive = True
        self._is_full = False
        self._is_over = False

    @property
    def is_full(self) -> bool:
        """
        The socket takes no more for now.
        """
        return self._is_full

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Take up a connection.
        """
        # The loop hands stream protocols a Transport; its annotation says less.
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        # Pause as soon as a byte has to wait: what is counted as sent has then left the process.
        transport.set_write_buffer_limits(high=1, low=0)
        self._number = self._server.connected(self, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """
        Note how the client left.
        """
        self._leave("reset" if isinstance(exc, ConnectionError) else "disconnected")
        self._server.disconnected(self)
        self._transport = None

    def eof_received(self) -> bool:
        """
        Stop: a client that sends FIN has gone.
        """
        self._leave("disconnected")
        return False

    def pause_writing(self) -> None:
        """
        Hold the reply: the client reads slower than it is told.
        """
        self._is_full = True

    def resume_writing(self) -> None:
        """
        Go on with the reply.
        """
        self._is_full = False
        if self._player is not None:
            # Not from within the transport's own write: it does not expect to be closed there.
            asyncio.get_running_loop().call_soon(self._player.resume)

    def data_received(self, data: bytes) -> None:
        """
        Read a piece of a request, or keep it for after the reply at hand.
        """
        if self._is_over:
            return
        if self._player is not None:
            self._pipelined += data
            if len(self._pipelined) > _MAX_PIPELINED:
                self._abort()
            return
        self._feed(data)

    def head(self, step: Head) -> None:
        """
        Write the status line and the headers.
        """
        self._framing = "none" if step.status in _BODILESS else step.framing
        headers = list(step.headers)
        if self._framing == "chunked":
            headers.append(("transfer-encoding", "chunked"))
        if not self._keeps_alive or self._framing == "close":
            self._keeps_alive = False
            headers.append(("connection", "close"))
        phrase = HTTPStatus(step.status).phrase if step.status in HTTPStatus._value2member_map_ else "Unknown"
        lines = [f"HTTP/1.1 {step.status} {phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
        self._write("\r\n".join(lines).encode("utf-8", "surrogateescape"))

    def send(self, step: Send) -> None:
        """
        Write a piece of the body, framed.
        """
        data, withheld = step.data, step.withheld
        if self._framing == "none":
            return
        if self._framing == "chunked" and (data or withheld):
            data = b"%x\r\n%b%b" % (len(data) + withheld, data, b"" if withheld else b"\r\n")
        if data:
            self._write(data)

    def finish(self, step: Finish) -> None:
        """
        End the body, and go on to the next request or close.
        """
        end = b"0\r\n\r\n" if self._framing == "chunked" else b""
        if end or step.leftover:
            self._write(end + step.leftover)
        self._player = None
        if step.hangs_up or not self._keeps_alive:
            self._close()
            return
        pending, self._pipelined = bytes(self._pipelined), bytearray()
        self._feed(pending)

    def break_off(self, step: Break) -> None:
        """
        End the connection. The player has waited until the socket took what came before, so a reset overtakes no byte.
        """
        self._player = None
        self._is_over = True
        if step.how in {"close", "goaway"}:
            self._close()
        elif self._transport is not None:
            abort_with_reset(self._transport)

    def _feed(self, data: bytes) -> None:
        try:
            if data:
                self._reader.receive_data(data)
            self._read_events()
        except h11.RemoteProtocolError as exc:
            self._refuse(exc.error_status_hint)

    def _read_events(self) -> None:
        while self._player is None:
            event = self._reader.next_event()
            if isinstance(event, h11.Request):
                self._request = event
                if self._reader.they_are_waiting_for_100_continue:
                    self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > _MAX_BODY:
                    self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                    return
            elif isinstance(event, h11.EndOfMessage):
                self._handle()
            else:
                return

    def _handle(self) -> None:
        """
        Hand a complete request to the server; h11 starts afresh, since the answer does not go through it.
        """
        request, body = self._request, bytes(self._body)
        assert request is not None  # noqa: S101 - h11 ends no message that it has not begun
        self._pipelined += self._reader.trailing_data[0]
        self._reader = h11.Connection(h11.SERVER)
        self._request, self._body = None, bytearray()
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
        connection = dict(headers).get("connection", "").lower()
        self._keeps_alive = request.http_version == b"1.1" and "close" not in connection
        received = Received(
            connection=self._number,
            protocol="http/1.1",
            method=request.method.decode("ascii"),
            target=request.target.decode("latin-1"),
            headers=headers,
            body=body,
        )
        if self._server.opens_session(received):
            self._become_session(received)
            return
        self._player = player = self._server.handle(self, received)
        player.start()

    def _become_session(self, received: Received) -> None:
        """
        Hand the connection over; what was sent behind the handshake goes along.
        """
        transport = self._transport
        if transport is None:
            return
        session = RealtimeConnection(received, self._server.options, lambda: self._server.disconnected(self))
        self._is_over = True
        transport.set_protocol(session)
        session.connection_made(transport)
        session.data_received(bytes(self._pipelined))

    def _refuse(self, status: int) -> None:
        self._write(b"HTTP/1.1 %d Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % status)
        self._close()

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _close(self) -> None:
        self._is_over = True
        if self._transport is not None:
            self._transport.close()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _leave(self, how: str) -> None:
        if self._player is not None:
            self._player.stop(how)
            self._player = None
