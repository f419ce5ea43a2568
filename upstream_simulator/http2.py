"""
HTTP/2: h2 keeps the protocol, each stream is a wire of its own.
"""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from hyperframe.frame import GoAwayFrame

from upstream_simulator.received import Received
from upstream_simulator.steps import Break, Finish, Head, Send

if TYPE_CHECKING:
    from upstream_simulator.player import Player
    from upstream_simulator.server import Server

_MAX_BODY: Final = 128 << 20
_MAX_STREAMS: Final = 1000
_FRAME_HEAD: Final = struct.Struct(">IBI")
"""Length and type (DATA is 0), flags, stream."""
# Names that HTTP/2 forbids, because it has its own framing.
_CONNECTION_HEADERS: Final = frozenset({"connection", "transfer-encoding", "keep-alive", "upgrade"})


class _StreamWire:
    """
    One stream: bytes that the client's window does not take wait here.
    """

    def __init__(self, connection: Http2Connection, stream_id: int) -> None:
        self._connection = connection
        self.stream_id = stream_id
        self.request: list[tuple[str, str]] = []
        self.body = bytearray()
        self.player: Player | None = None
        self._pending = bytearray()
        self._ends = False
        self._finish: Finish | None = None

    @property
    def is_full(self) -> bool:
        return bool(self._pending) or self._connection.is_full

    def head(self, step: Head) -> None:
        headers = [(":status", str(step.status))]
        headers += [(name, value) for name, value in step.headers if name not in _CONNECTION_HEADERS]
        self._connection.h2.send_headers(self.stream_id, headers)
        self._connection.flush()

    def send(self, step: Send) -> None:
        if not self._pending and len(step.data) <= self._connection.room(self.stream_id):
            self._connection.write_data(self.stream_id, step.data)
        else:
            self._pending += step.data
            self.drain()

    def finish(self, step: Finish) -> None:
        self._finish = step
        self._ends = True
        self.drain()

    def break_off(self, step: Break) -> None:
        self.player = None
        self._connection.break_off(self, step)

    def drain(self) -> None:
        """
        Send what the windows allow, and the end of the stream behind the last byte.
        """
        connection = self._connection
        while self._pending and not connection.is_full and (room := connection.room(self.stream_id)) > 0:
            connection.write_data(self.stream_id, bytes(self._pending[:room]))
            del self._pending[:room]
        if self._ends and not self._pending:
            connection.h2.end_stream(self.stream_id)
            connection.flush()
            connection.ended(self, self._finish or Finish())


class Http2Connection(asyncio.Protocol):
    """
    One connection with all its streams.

    Spec: SIM-04, SIM-06
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._number = 0
        self._wires: dict[int, _StreamWire] = {}
        self._last_stream_id: int | None = None
        self.is_full = False
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding="utf-8",
                validate_inbound_headers=False,
                # A fault may want a header that is not allowed.
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Take up a connection and say the server's settings.
        """
        # As in HTTP/1.1: the annotation says less than the loop gives.
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._number = self._server.connected(self, transport)
        self.h2.local_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = _MAX_STREAMS
        self.h2.initiate_connection()
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """
        Note for every stream how the client left.
        """
        self._leave("reset" if isinstance(exc, ConnectionError) else "disconnected")
        self._server.disconnected(self)
        self._transport = None

    def eof_received(self) -> bool:
        """
        Stop all streams: a client that sends FIN has gone.
        """
        self._leave("disconnected")
        return False

    def pause_writing(self) -> None:
        """
        Hold all replies.
        """
        self.is_full = True

    def resume_writing(self) -> None:
        """
        Go on with all replies.
        """
        self.is_full = False
        # Not from within the transport's own write: it does not expect to be closed there.
        asyncio.get_running_loop().call_soon(self._resume)

    def data_received(self, data: bytes) -> None:
        """
        Read frames and act on them.
        """
        try:
            events = self.h2.receive_data(data)
            for event in events:
                # One read may bring a request and its reset, and more requests behind them: the stream is then closed,
                # or forgotten, before its first event is seen.
                with suppress(h2.exceptions.StreamClosedError, h2.exceptions.StreamIDTooLowError):
                    self._act(event)
        except h2.exceptions.ProtocolError:
            self.flush()
            self._close()
            return
        self.flush()

    def flush(self) -> None:
        """
        Hand to the socket what h2 has to say.
        """
        data = self.h2.data_to_send()
        if data and self._transport is not None:
            self._transport.write(data)

    def room(self, stream_id: int) -> int:
        """
        Give how many bytes the next DATA frame of a stream may hold.
        """
        return min(self.h2.local_flow_control_window(stream_id), self.h2.max_outbound_frame_size)

    def write_data(self, stream_id: int, data: bytes) -> None:
        """
        Write one DATA frame that there is room for.

        Past h2, whose own way costs three times as much and which has nothing to add here: it has no frame waiting, and
        the windows are its own.
        """
        if data and self._transport is not None:
            self.h2.streams[stream_id].outbound_flow_control_window -= len(data)
            self.h2.outbound_flow_control_window -= len(data)
            self._transport.write(_FRAME_HEAD.pack(len(data) << 8, 0, stream_id) + data)

    def ended(self, wire: _StreamWire, step: Finish) -> None:
        """
        Forget a stream that has ended in order.
        """
        self._wires.pop(wire.stream_id, None)
        if step.goaway:
            self._say_goaway(wire.stream_id, "NO_ERROR")
        if step.hangs_up:
            self.flush()
            self._close()
        self._close_if_left()

    def break_off(self, wire: _StreamWire, step: Break) -> None:
        """
        End a stream in disorder, or the whole connection with it.
        """
        self._wires.pop(wire.stream_id, None)
        if step.how == "goaway":
            self._say_goaway(max(0, wire.stream_id - 2), step.h2_error)
        elif step.how == "close":
            self.flush()
            self._close()
        else:
            name = "REFUSED_STREAM" if step.how == "refused" else step.h2_error
            self.h2.reset_stream(wire.stream_id, error_code=error_code(name))
            self.flush()
        self._close_if_left()

    def _act(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            if self._last_stream_id is not None and event.stream_id > self._last_stream_id:
                # sent before the client has seen our GOAWAY, which says that it is not processed
                return
            wire = self._wires[event.stream_id] = _StreamWire(self, event.stream_id)
            wire.request = [(str(name), str(value)) for name, value in event.headers]
        elif isinstance(event, h2.events.DataReceived):
            self._take_body(event)
        elif isinstance(event, h2.events.StreamEnded):
            self._handle(self._wires.get(event.stream_id))
        elif isinstance(event, h2.events.StreamReset):
            self._drop(event.stream_id)
        elif isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
            self._resume()
        elif isinstance(event, h2.events.ConnectionTerminated):
            # A client that says GOAWAY is closing; h2 lets no stream go on.
            self._leave("disconnected")
            self._close()

    def _take_body(self, event: h2.events.DataReceived) -> None:
        self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        wire = self._wires.get(event.stream_id)
        if wire is not None:
            wire.body += event.data
            if len(wire.body) > _MAX_BODY:
                self.break_off(wire, Break("reset", "CANCEL"))

    def _handle(self, wire: _StreamWire | None) -> None:
        if wire is None:
            return
        pseudo = {name: value for name, value in wire.request if name.startswith(":")}
        headers = [(name, value) for name, value in wire.request if not name.startswith(":")]
        if ":authority" in pseudo:
            headers.insert(0, ("host", pseudo[":authority"]))
        received = Received(
            connection=self._number,
            protocol="h2",
            method=pseudo[":method"],
            target=pseudo[":path"],
            headers=headers,
            body=bytes(wire.body),
        )
        wire.player = self._server.handle(wire, received)
        wire.body.clear()
        wire.player.start()

    def _drop(self, stream_id: int) -> None:
        wire = self._wires.pop(stream_id, None)
        if wire is not None and wire.player is not None:
            wire.player.stop("reset")
        self._close_if_left()

    def _resume(self) -> None:
        for wire in list(self._wires.values()):
            wire.drain()
            if wire.player is not None and not wire.is_full:
                wire.player.resume()

    def _say_goaway(self, last_stream_id: int, error: str) -> None:
        """
        Write a GOAWAY past h2, which would then let no other stream finish.

        Streams above the last one that it names are not processed, as it promises: those that run stop here.
        """
        self.flush()
        self._last_stream_id = last_stream_id
        for stream_id in [number for number in self._wires if number > last_stream_id]:
            player = self._wires.pop(stream_id).player
            if player is not None:
                player.stop("cut")
        frame = GoAwayFrame(0, last_stream_id=last_stream_id, error_code=error_code(error))
        if self._transport is not None:
            self._transport.write(frame.serialize())

    def _close_if_left(self) -> None:
        if self._last_stream_id is not None and not self._wires:
            self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _leave(self, how: str) -> None:
        wires, self._wires = self._wires, {}
        for wire in wires.values():
            if wire.player is not None:
                wire.player.stop(how)


def error_code(name: str) -> int:
    """
    Give the number of an HTTP/2 error code; INTERNAL_ERROR for a name that is none.
    """
    codes = h2.errors.ErrorCodes
    return int(codes[name] if name in codes.__members__ else codes.INTERNAL_ERROR)
