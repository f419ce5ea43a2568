"""
What the two clients do for realtime sessions: open one, with the client's own credentials, rules and transport.

Loads nothing before it is called.

Spec: RT-01, RT-03, CLI-15
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from http_util.errors import HttpFailure
from http_util.frames import without_frames
from openai_client.error_mapping import from_failure
from openai_client.errors import InvalidConfiguration
from openai_client.transport import closed_error

if TYPE_CHECKING:
    from http_util.clock import Clock, SyncClock
    from http_util.secret import Secret
    from http_util.websocket.connection import AsyncWebSocket
    from http_util.websocket.sockets import AsyncSockets, Sockets, WebSocket
    from openai_client.config import ClientConfig
    from openai_client.realtime.opening import SessionRequest
    from openai_client.transport import AsyncTransport, Transport


class OpenSocket(NamedTuple):
    """An open session of a blocking client."""

    room: Sockets
    """Closes it."""
    socket: WebSocket
    secrets: tuple[Secret, ...]
    """The credentials to be removed from whatever is said about it."""
    max_sent_bytes: int
    """The largest message that may be sent."""


class AsyncOpenSocket(NamedTuple):
    """An open session of an asynchronous client."""

    room: AsyncSockets
    """Closes it."""
    socket: AsyncWebSocket
    secrets: tuple[Secret, ...]
    """The credentials to be removed from whatever is said about it."""
    max_sent_bytes: int
    """The largest message that may be sent."""


class OpensSockets:
    """
    The blocking client's part.

    Spec: RT-01
    """

    config: ClientConfig
    _transport: Transport
    _clock: SyncClock
    _is_closed: bool

    def open_socket(self, request: SessionRequest) -> OpenSocket:
        """
        Open a session for `client.realtime`, which closes it.

        Raises:
            OpenAIError: There is no session.
        """
        from openai_client.realtime.opening import write_opening

        if self._is_closed:
            raise closed_error()
        now, secrets = self._clock.monotonic(), self.config.http.secrets
        try:
            sockets: Sockets = _sockets_of(self._transport)
            opening = write_opening(request, self.config, self.config.auth.authorize(), now)
            secrets = opening.secrets
            return OpenSocket(sockets, sockets.open(opening), secrets, opening.http.max_body_bytes)
        except HttpFailure as failure:
            raise from_failure(failure, secrets) from without_frames(failure)


class AsyncOpensSockets:
    """
    The asynchronous client's part.

    Spec: RT-01
    """

    config: ClientConfig
    _transport: AsyncTransport
    _clock: Clock
    _is_closed: bool

    async def open_socket(self, request: SessionRequest) -> AsyncOpenSocket:
        """Open a session for `client.realtime`; as `OpensSockets.open_socket`."""
        from openai_client.realtime.opening import write_opening

        if self._is_closed:
            raise closed_error()
        now, secrets = self._clock.monotonic(), self.config.http.secrets
        try:
            sockets: AsyncSockets = _sockets_of(self._transport)
            opening = write_opening(request, self.config, await self.config.auth.authorize_async(), now)
            secrets = opening.secrets
            return AsyncOpenSocket(sockets, await sockets.open(opening), secrets, opening.http.max_body_bytes)
        except HttpFailure as failure:
            raise from_failure(failure, secrets) from without_frames(failure)


def _sockets_of(transport: object) -> Any:
    """
    Return the sessions of a client's transport.

    Raises:
        InvalidConfiguration: It is one that was brought along and has none.
    """
    sockets = getattr(transport, "sockets", None)
    if sockets is None:
        raise InvalidConfiguration(
            f"transport: {type(transport).__name__} opens no realtime sessions; let the client make its own"
        )
    return sockets()
