"""
One session on an event loop: the thin part that waits, over the WebSocket library's own connection.

The way to the upstream is the engine's (`http_util.engine.connect`), so resolved addresses, TLS, proxies and the
connect timer are those of every other call. What arrives is kept in a bounded queue; when it is full, the socket is not
read, and the upstream has to wait. What is sent waits until the socket's buffer has room.

Spec: RT-01, RT-02
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self, cast

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import ConcurrencyError, ConnectionClosed, WebSocketException
from websockets.uri import parse_uri

from adapter_api.outcome import Outcome
from http_util.classify import received_headers, upstream_request_id
from http_util.errors import DeadlineExceeded, HttpFailure, PolicyFailure, TimeoutFailure
from http_util.frames import without_frames
from http_util.transport_errors import TRANSPORT_ERRORS, Phase, classify_transport_error, safe_cause
from http_util.websocket.endings import NORMAL, Ending, ending_of, handshake_failure, interruption, is_over

if TYPE_CHECKING:
    from http_util.clock import Clock
    from http_util.engine.arrival import Arrived
    from http_util.engine.connect import Connector
    from http_util.websocket.opening import SocketOpening

# The library writes headers and messages to its logger: keys and prompts. What it has to say is in our errors.
_SILENT: Final = logging.Logger(__name__, level=logging.CRITICAL + 1)  # noqa: LOG001 - nobody shall find it by name

# bytes that wait to be taken by the socket before a sender waits too
_WRITE_BUFFER: Final = 64 * 1024


# seconds that a peer may keep the connection after the last word was said; as for a stream that is complete
_LINGER: Final = 0.25


class _Connection(ClientConnection):
    """
    The library's connection, which does not wait for the peer to hang up when the last word was said.

    The library leaves that to the next ping: until then a reader would not learn that the session has ended.
    """

    _hanging_up: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Take in what came, and hang up soon after a goodbye, or what the protocol does not allow."""
        super().data_received(data)
        has_ended = self.protocol.close_rcvd is not None or self.protocol.parser_exc is not None
        if has_ended and self._hanging_up is None:
            self._hanging_up = self.loop.call_later(_LINGER, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits."""
        if self._hanging_up is not None:
            self._hanging_up.cancel()
        super().connection_lost(exc)


class AsyncWebSocket:
    """
    An open session. One task may read while any number of tasks send.

    Spec: RT-01, RT-02
    """

    def __init__(self, connection: ClientConnection, opening: SocketOpening) -> None:
        """Take over a connection whose handshake is done; see `open`."""
        self._connection = connection
        self._opening = opening
        self._is_ours = False
        self.ending: Ending | None = None
        """How the session ended, as far as that was noticed; None while it is open."""

    def __repr__(self) -> str:
        """Where to, and whether it is over."""
        return f"<AsyncWebSocket {self._opening!r}, ended={self.ending is not None}>"

    @classmethod
    async def open(cls, opening: SocketOpening, connector: Connector, clock: Clock) -> Self:
        """
        Open a session. Whoever cancels this leaves no socket behind.

        Args:
            opening: What to open.
            connector: Leads to the upstream.
            clock: Tells the time, for dates in a refusal.

        Raises:
            HttpFailure: There is no session: the upstream was not reached, or did not agree.
        """
        opening.check()
        scope = asyncio.timeout(opening.timeout)
        try:
            async with scope:
                connection = await _reached(opening, connector)
                await _agreed(connection, opening, clock)
        except TimeoutError:
            raise DeadlineExceeded(
                f"the call's timeout of {opening.timeout:g} s passed", reason="deadline", outcome=Outcome.UNKNOWN
            ) from None
        connection.start_keepalive()
        return cls(connection, opening)

    @property
    def upstream_request_id(self) -> str | None:
        """The id that the upstream gave the handshake."""
        response = self._connection.response
        if response is None:
            return None
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.raw_items()]
        return upstream_request_id(received_headers(raw), self._opening.secrets)

    async def receive(self, *, timeout: float | None = None) -> bytes | None:  # noqa: ASYNC109 - a timer that has a name
        """
        Return the next message, text as UTF-8; None when the session has ended normally.

        A timeout or a cancellation loses no message.

        Args:
            timeout: Seconds to wait; None: for ever.

        Raises:
            TimeoutFailure: *idle_timeout*. The session goes on.
            TransportFailure: The session ended, and not normally.
            PolicyFailure: Another task is reading.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._connection.recv(decode=False)
        except TimeoutError:
            raise TimeoutFailure(
                f"no message within {timeout:g} s", reason="idle_timeout", outcome=Outcome.PARTIAL
            ) from None
        except ConcurrencyError:
            raise PolicyFailure(
                "another task is reading from the session", reason="too_early", outcome=Outcome.NOT_SENT
            ) from None
        except ConnectionClosed as closed:
            ending, cause = self._ended(closed), without_frames(closed)
        if ending.is_normal:
            return None
        raise interruption(ending) from cause

    async def send(self, message: str | bytes) -> None:
        """
        Send one message, text for a str; wait while the socket's buffer is full.

        Raises:
            TimeoutFailure: *write_timeout*: the upstream does not take it. The session is over.
            TransportFailure: The session ended, and not normally.
            Interrupted: It has ended normally.
        """
        scope = asyncio.timeout(self._opening.http.write_timeout)
        try:
            async with scope:
                await self._connection.send(message)
        except TimeoutError:
            self._connection.transport.abort()
            await self._connection.wait_closed()
            raise TimeoutFailure(
                "the upstream did not take the message within write_timeout",
                reason="write_timeout",
                outcome=Outcome.PARTIAL,
            ) from None
        except ConnectionClosed as closed:
            ending, cause = self._ended(closed), without_frames(closed)
        else:
            return
        # the frame may be shown in a traceback
        del message
        raise (is_over(ending) if ending.is_normal else interruption(ending)) from cause

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """
        Say goodbye, wait for the answer at most `close_timeout` seconds, close. Safe to call twice.

        What was not read is dropped. Whoever cancels this closes the connection at once.
        """
        self._is_ours = True
        reading = asyncio.ensure_future(self._drop_messages())
        try:
            async with asyncio.timeout(self._opening.close_timeout):
                await self._connection.close(code, reason)
        except TimeoutError:
            pass
        finally:
            reading.cancel()
            self.abort()
        await self._connection.wait_closed()
        await asyncio.wait((reading,))
        self._ended(self._connection.protocol.close_exc)

    def abort(self) -> None:
        """Close the connection at once, without a goodbye."""
        self._is_ours = True
        self._connection.transport.abort()

    async def _drop_messages(self) -> None:
        """Make way for the upstream's goodbye, which may stand behind messages that nobody reads."""
        with suppress(WebSocketException):
            while True:
                await self._connection.recv(decode=False)

    def _ended(self, closed: ConnectionClosed) -> Ending:
        """Take note of how the session ended."""
        if self.ending is None:
            self.ending = ending_of(closed, is_ours=self._is_ours, secrets=self._opening.secrets)
        return self.ending


async def _reached(opening: SocketOpening, connector: Connector) -> ClientConnection:
    """Return a connection to the upstream that has said nothing yet."""

    def arrive(_alpn: str | None) -> Arrived:
        protocol = ClientProtocol(parse_uri(opening.url), max_size=opening.max_message_bytes, logger=_SILENT)
        return _Connection(
            protocol,
            ping_interval=opening.ping_interval,
            ping_timeout=opening.ping_timeout,
            close_timeout=opening.close_timeout,
            max_queue=opening.max_queued,
            write_limit=_WRITE_BUFFER,
        )

    try:
        arrived = await connector.connect(
            opening.origin, arrive, timeout=opening.http.connect_timeout, always_tunnels=True
        )
    except TRANSPORT_ERRORS as error:
        raise classify_transport_error(error, Phase.SENDING) from safe_cause(error)
    return cast("ClientConnection", arrived)


async def _agreed(connection: ClientConnection, opening: SocketOpening, clock: Clock) -> None:
    """Shake hands; whatever goes wrong closes the connection."""
    failure: HttpFailure
    scope = asyncio.timeout(opening.http.first_byte_timeout)
    try:
        async with scope:
            await connection.handshake(opening.headers, opening.http.user_agent)
    except BaseException as error:
        connection.transport.abort()
        if isinstance(error, TimeoutError) and scope.expired():
            failure = TimeoutFailure(
                "no answer to the handshake within first_byte_timeout",
                reason="first_byte_timeout",
                outcome=Outcome.UNKNOWN,
            )
        elif isinstance(error, WebSocketException | OSError):
            failure = handshake_failure(error, clock.time(), opening.secrets)
        else:
            raise
    else:
        return
    raise failure
