"""
The sessions of one client, in both colours.

Blocking sessions are those of the event loop, in a thread of its own that all sessions of a client share: the same
engine, a ping is answered while nobody reads, and a timer ends a wait at its moment. The thread starts with the first
session and ends with `close`.

Spec: RT-01, RT-02
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx

from adapter_api.outcome import Outcome
from http_util.clock import SystemClock
from http_util.engine.connect import Connector
from http_util.engine.thread import EngineThread
from http_util.errors import Interrupted
from http_util.tls import build_ssl_context
from http_util.websocket.connection import AsyncWebSocket
from http_util.websocket.endings import NORMAL

if TYPE_CHECKING:
    import ssl
    from collections.abc import Coroutine

    from http_util.clock import Clock
    from http_util.config import HttpConfig
    from http_util.websocket.endings import Ending
    from http_util.websocket.opening import SocketOpening

T = TypeVar("T")

_GOING_AWAY: Final = 1001


class AsyncSockets:
    """The open sessions of one client, on one event loop."""

    def __init__(self, config: HttpConfig, clock: Clock) -> None:
        """
        Prepare for sessions; no socket is opened.

        Args:
            config: TLS settings of all sessions.
            clock: Tells the time.

        Raises:
            ValueError: ``ca_file`` cannot be used.
        """
        self._ssl_context = _ssl_context(config)
        self._clock = clock
        self._open: set[AsyncWebSocket] = set()

    async def open(self, opening: SocketOpening) -> AsyncWebSocket:
        """Open a session, which is given back to `close`; raises `HttpFailure`."""
        socket = await AsyncWebSocket.open(opening, Connector(opening.http, self._ssl_context), self._clock)
        self._open.add(socket)
        return socket

    async def close(self, socket: AsyncWebSocket, code: int = NORMAL, reason: str = "") -> None:
        """Close a session in good manners. Safe to call twice."""
        try:
            await socket.close(code, reason)
        finally:
            self._open.discard(socket)

    def abort(self, socket: AsyncWebSocket) -> None:
        """Close a session at once."""
        socket.abort()
        self._open.discard(socket)

    async def aclose(self) -> None:
        """Close every session that is still open."""
        await asyncio.gather(*(self.close(socket, _GOING_AWAY) for socket in self._open))


class WebSocket:
    """An open session for blocking code. One thread may read while others send."""

    def __init__(self, thread: EngineThread, socket: AsyncWebSocket) -> None:
        """Make a session that runs in *thread* look like one of the calling thread's."""
        self._thread = thread
        self.asynchronous: Final = socket
        """The session as the event loop has it."""

    @property
    def ending(self) -> Ending | None:
        """How the session ended, as far as that was noticed; None while it is open."""
        return self.asynchronous.ending

    @property
    def upstream_request_id(self) -> str | None:
        """The id that the upstream gave the handshake."""
        return self.asynchronous.upstream_request_id

    def receive(self, *, timeout: float | None = None) -> bytes | None:
        """Return the next message; arguments and errors as `AsyncWebSocket.receive`."""
        return _run(self._thread, self.asynchronous.receive(timeout=timeout))

    def send(self, message: str | bytes) -> None:
        """Send one message; arguments and errors as `AsyncWebSocket.send`."""
        _run(self._thread, self.asynchronous.send(message))


class Sockets:
    """The open sessions of one client, for threads."""

    def __init__(self, config: HttpConfig) -> None:
        """Prepare for sessions; neither a socket is opened nor a thread started."""
        self._config = config
        self._lock = threading.Lock()
        self._room: tuple[EngineThread, AsyncSockets] | None = None

    def open(self, opening: SocketOpening) -> WebSocket:
        """Open a session, which is given back to `close`; raises `HttpFailure`."""
        thread, sockets = self._started()
        return WebSocket(thread, _run(thread, sockets.open(opening)))

    def close(self, socket: WebSocket, code: int = NORMAL, reason: str = "") -> None:
        """Close a session in good manners. Safe to call twice, and after the client was closed."""
        room = self._room
        if room is not None:
            with suppress(Interrupted):
                _run(room[0], room[1].close(socket.asynchronous, code, reason))

    def abort(self, socket: WebSocket) -> None:
        """Close a session at once."""
        room = self._room
        if room is not None:
            room[0].tell(lambda: room[1].abort(socket.asynchronous))

    def close_all(self) -> None:
        """Close every session that is still open and end the thread. Safe to call twice."""
        with self._lock:
            room, self._room = self._room, None
        if room is not None and room[0].process == os.getpid():
            room[0].call(room[1].aclose())
            room[0].stop()

    def _started(self) -> tuple[EngineThread, AsyncSockets]:
        """Return the thread of this process and the sessions in it."""
        with self._lock:
            if self._room is None or self._room[0].process != os.getpid():
                self._room = EngineThread(), AsyncSockets(self._config, SystemClock())
            return self._room


def _run(thread: EngineThread, work: Coroutine[Any, Any, T]) -> T:
    """
    Wait for *work* in the thread.

    Raises:
        Interrupted: *closed*: the client was closed meanwhile.
    """
    try:
        return thread.call(work)
    except httpx.StreamClosed:
        raise Interrupted("the client was closed", reason="closed", outcome=Outcome.PARTIAL) from None


def _ssl_context(config: HttpConfig) -> ssl.SSLContext:
    """Return the TLS settings of *config*, for HTTP/1.1: a WebSocket begins as a request of that version."""
    return build_ssl_context(
        ca_file=config.ca_file,
        client_cert_file=config.client_cert_file,
        client_key_file=config.client_key_file,
        client_key_password=config.client_key_password,
        http2=False,
        insecure_skip_verify_for_tests_only=config.insecure_skip_verify_for_tests_only,
    )
