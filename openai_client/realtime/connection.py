"""
Open realtime sessions, in both colours: the thin part that waits.

A session is opened when the block is entered and closed when it is left. What its events mean to a message is decided
in `messages`; what its end means, in `http_util.websocket.endings`. It is never opened a second time by itself: what a
session knew is lost with it, and only the caller can tell it again.

Spec: RT-01, RT-02, RT-04
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, TypeVar

from http_util.errors import HttpFailure
from http_util.frames import without_frames
from openai_client._generated.commands.realtime import AsyncRealtimeCommands, RealtimeCommands
from openai_client._generated.commands.realtime_translation import (
    AsyncRealtimeTranslationCommands,
    RealtimeTranslationCommands,
)
from openai_client._generated.models.realtime.client_events import RealtimeClientEvent
from openai_client._generated.models.realtime.server_events import RealtimeServerEvent
from openai_client._generated.models.realtime.translations import (
    RealtimeTranslationClientEvent,
    RealtimeTranslationServerEvent,
)
from openai_client.error_mapping import from_failure
from openai_client.errors import InvalidState, OpenAIError, StreamInterrupted
from openai_client.realtime.messages import Codec, check_goodbye, check_wait, message_problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from pydantic import BaseModel

    from http_util.secret import Secret
    from http_util.websocket.connection import AsyncWebSocket
    from http_util.websocket.endings import Ending
    from http_util.websocket.sockets import AsyncSockets, Sockets, WebSocket
    from openai_client.binding import AsyncCaller, SyncCaller
    from openai_client.realtime.opening import SessionRequest

E = TypeVar("E")

_NORMAL: Final = 1000


class _Facts:
    """What is known of a session whatever its colour."""

    _socket: WebSocket | AsyncWebSocket | None
    _secrets: tuple[Secret, ...]

    @property
    def upstream_request_id(self) -> str | None:
        """The id that the server gave the handshake; None when it gave none, and before the session is open."""
        return None if self._socket is None else self._socket.upstream_request_id

    @property
    def close_code(self) -> int | None:
        """The code that the session ended with; None while it is open, as far as was noticed."""
        ending = self._ending
        return None if ending is None else ending.code

    @property
    def close_reason(self) -> str | None:
        """What was said with it, without credentials; None while the session is open."""
        ending = self._ending
        return None if ending is None else ending.reason

    @property
    def _ending(self) -> Ending | None:
        return None if self._socket is None else self._socket.ending

    def _error(self, failure: HttpFailure) -> OpenAIError:
        """Return the leaf of the tree; that of a session that broke off holds the code."""
        error = from_failure(failure, self._secrets)
        if isinstance(error, StreamInterrupted) and self.close_code is not None:
            return StreamInterrupted(
                error.message,
                reason=error.reason,
                outcome=error.outcome,
                upstream_request_id=self.upstream_request_id,
                code=str(self.close_code),
            )
        return error


class Connection(_Facts, AbstractContextManager["Connection[E]"], Generic[E]):
    """
    A session for blocking code. Iterating yields the server's events until the session has ended.

    One thread may read while others send.

    Spec: RT-01, RT-02, RT-04
    """

    _codec: ClassVar[Codec[Any]]

    def __init__(self, client: SyncCaller, request: SessionRequest) -> None:
        """Prepare a session of *client*; nothing is sent yet."""
        self._client = client
        self._request = request
        self._sockets: Sockets | None = None
        self._socket: WebSocket | None = None
        self._secrets = ()
        self._max_sent_bytes = 0

    def open(self) -> Self:
        """
        Open the session, outside of a block. Who calls this closes it.

        Raises:
            OpenAIError: There is no session; the leaf says why.
        """
        if self._socket is not None:
            raise _opened_twice()
        self._sockets, self._socket, self._secrets, self._max_sent_bytes = self._client.open_socket(self._request)
        return self

    def __enter__(self) -> Self:
        """Open the session; errors as `open`."""
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close; at once when the block was interrupted."""
        if value is not None and not isinstance(value, Exception) and self._sockets is not None:
            self._sockets.abort(self._opened())
        else:
            self.close()

    def send(self, event: BaseModel | Mapping[str, Any]) -> None:
        """
        Send an event; wait while the server does not take it.

        Args:
            event: One of the client's events, or its fields with `type`.

        Raises:
            ValidationError: It is none, or a field is not accepted; nothing was sent.
            StreamInterrupted: The session ended, and not normally.
            InvalidState: It has ended normally, or is not open.
            Timeout: *write_timeout*: the server takes nothing; the session is over.
        """
        self._opened()
        try:
            self.send_raw(self._codec.write(event, self._max_sent_bytes))
        except OpenAIError:
            # the frame may be shown in a traceback
            del event
            raise

    def send_raw(self, message: str | bytes) -> None:
        """Send a message as it is, for what the typed events do not know; errors as `send`."""
        socket = self._opened()
        problem = message_problem(message)
        if problem is not None:
            # the frame may be shown in a traceback
            del message
            raise problem
        try:
            socket.send(message)
        except HttpFailure as failure:
            error, cause = self._error(failure), without_frames(failure)
        else:
            return
        # the frame may be shown in a traceback
        del message
        raise error from cause

    def recv(self, *, timeout: float | None = None) -> E:
        """
        Return the server's next event.

        Args:
            timeout: Seconds to wait; None: the session's `idle_timeout`.

        Raises:
            InvalidState: The session has ended normally, is not open, or another thread is reading.
            StreamInterrupted: It ended, and not normally; `code` is the code it ended with.
            DeserializationError: The event cannot be read; the next one can.
            Timeout: *idle_timeout*: nothing came in time. The session goes on.
        """
        event: E = self._codec.read(self.recv_bytes(timeout=timeout))
        return event

    def recv_bytes(self, *, timeout: float | None = None) -> bytes:
        """Return the server's next message as it came; arguments and errors as `recv`."""
        message = self._receive(timeout)
        if message is None:
            raise _is_over(self._ending)
        return message

    def __iter__(self) -> Self:
        """Return the session itself."""
        return self

    def __next__(self) -> E:
        """Return the next event until the session has ended normally; otherwise as `recv`."""
        message = self._receive(None)
        if message is None:
            raise StopIteration
        event: E = self._codec.read(message)
        return event

    def close(self, code: int = _NORMAL, reason: str = "") -> None:
        """
        Say goodbye and close, within the session's `close_timeout`. Safe to call twice.

        Args:
            code: 1000, or 3000 to 4999.
            reason: At most 123 bytes.

        Raises:
            InvalidFieldValue: An argument is not accepted.
        """
        check_goodbye(code, reason)
        if self._sockets is not None and self._socket is not None:
            self._sockets.close(self._socket, code, reason)

    def _receive(self, timeout: float | None) -> bytes | None:
        socket = self._opened()
        check_wait(timeout)
        try:
            return socket.receive(timeout=self._request.limits.idle_timeout if timeout is None else timeout)
        except HttpFailure as failure:
            raise self._error(failure) from without_frames(failure)

    def _opened(self) -> WebSocket:
        if self._socket is None:
            raise _not_open()
        return self._socket


class AsyncConnection(_Facts, AbstractAsyncContextManager["AsyncConnection[E]"], Generic[E]):
    """
    A session on an event loop. Iterating yields the server's events until the session has ended.

    One task may read while others send.

    Spec: RT-01, RT-02, RT-04
    """

    _codec: ClassVar[Codec[Any]]

    def __init__(self, client: AsyncCaller, request: SessionRequest) -> None:
        """Prepare a session of *client*; nothing is sent yet."""
        self._client = client
        self._request = request
        self._sockets: AsyncSockets | None = None
        self._socket: AsyncWebSocket | None = None
        self._secrets = ()
        self._max_sent_bytes = 0

    async def open(self) -> Self:
        """Open the session, outside of a block. Who calls this closes it. Errors as `Connection.open`."""
        if self._socket is not None:
            raise _opened_twice()
        self._sockets, self._socket, self._secrets, self._max_sent_bytes = await self._client.open_socket(self._request)
        return self

    async def __aenter__(self) -> Self:
        """Open the session; errors as `open`."""
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close; at once when the task was cancelled."""
        if value is not None and not isinstance(value, Exception) and self._sockets is not None:
            self._sockets.abort(self._opened())
        else:
            await self.close()

    async def send(self, event: BaseModel | Mapping[str, Any]) -> None:
        """Send an event; wait while the server does not take it. Arguments and errors as `Connection.send`."""
        self._opened()
        try:
            await self.send_raw(self._codec.write(event, self._max_sent_bytes))
        except OpenAIError:
            # the frame may be shown in a traceback
            del event
            raise

    async def send_raw(self, message: str | bytes) -> None:
        """Send a message as it is, for what the typed events do not know; errors as `send`."""
        socket = self._opened()
        problem = message_problem(message)
        if problem is not None:
            # the frame may be shown in a traceback
            del message
            raise problem
        try:
            await socket.send(message)
        except HttpFailure as failure:
            error, cause = self._error(failure), without_frames(failure)
        else:
            return
        # the frame may be shown in a traceback
        del message
        raise error from cause

    async def recv(self, *, timeout: float | None = None) -> E:  # noqa: ASYNC109 - it leaves the session open
        """Return the server's next event. Arguments and errors as `Connection.recv`; may be cancelled."""
        event: E = self._codec.read(await self.recv_bytes(timeout=timeout))
        return event

    async def recv_bytes(self, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as above
        """Return the server's next message as it came; arguments and errors as `recv`."""
        message = await self._receive(timeout)
        if message is None:
            raise _is_over(self._ending)
        return message

    def __aiter__(self) -> Self:
        """Return the session itself."""
        return self

    async def __anext__(self) -> E:
        """Return the next event until the session has ended normally; otherwise as `recv`."""
        message = await self._receive(None)
        if message is None:
            raise StopAsyncIteration
        event: E = self._codec.read(message)
        return event

    async def close(self, code: int = _NORMAL, reason: str = "") -> None:
        """Say goodbye and close; arguments and errors as `Connection.close`."""
        check_goodbye(code, reason)
        if self._sockets is not None and self._socket is not None:
            await self._sockets.close(self._socket, code, reason)

    async def _receive(self, timeout: float | None) -> bytes | None:  # noqa: ASYNC109 - as above
        socket = self._opened()
        check_wait(timeout)
        try:
            return await socket.receive(timeout=self._request.limits.idle_timeout if timeout is None else timeout)
        except HttpFailure as failure:
            raise self._error(failure) from without_frames(failure)

    def _opened(self) -> AsyncWebSocket:
        if self._socket is None:
            raise _not_open()
        return self._socket


_REALTIME: Final = Codec[RealtimeServerEvent](RealtimeClientEvent, RealtimeServerEvent)
_TRANSLATION: Final = Codec[RealtimeTranslationServerEvent](
    RealtimeTranslationClientEvent, RealtimeTranslationServerEvent
)


class RealtimeConnection(Connection[RealtimeServerEvent], RealtimeCommands):
    """A conversation or a transcription, for blocking code."""

    _codec = _REALTIME


class AsyncRealtimeConnection(AsyncConnection[RealtimeServerEvent], AsyncRealtimeCommands):
    """A conversation or a transcription, on an event loop."""

    _codec = _REALTIME


class TranslationConnection(Connection[RealtimeTranslationServerEvent], RealtimeTranslationCommands):
    """A translation, for blocking code."""

    _codec = _TRANSLATION


class AsyncTranslationConnection(AsyncConnection[RealtimeTranslationServerEvent], AsyncRealtimeTranslationCommands):
    """A translation, on an event loop."""

    _codec = _TRANSLATION


def _opened_twice() -> InvalidState:
    return InvalidState("a session can be opened once; connect again for another one")


def _not_open() -> InvalidState:
    return InvalidState("the session is not open: use it in a with block, or call open()")


def _is_over(ending: Ending | None) -> InvalidState:
    said = "it was closed" if ending is None else ending.sentence
    return InvalidState(f"the session is over: {said}", reason="closed")
