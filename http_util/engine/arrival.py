"""
Who stands at the end of a connection until the protocol that will run on it is there.

`Tunnelling` talks to a proxy; `Arrival` waits for the TLS handshake, has the protocol chosen by what was agreed on in
it, and hands the connection over. Neither loses a byte: what comes right behind the proxy's answer stays in the socket,
and what comes right behind the handshake is passed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, cast

from http_util.engine.proxies import HEAD_LIMIT, ProxyRefusal

if TYPE_CHECKING:
    from http_util.engine.proxies import Dialog

# over TLS: more than a proxy may say
_ALL: Final = 2 * HEAD_LIMIT


class Arrived(Protocol):
    """A protocol of asyncio's, with `data_received` also where it is a buffered one."""

    def connection_made(self, transport: asyncio.BaseTransport, /) -> None:
        """Begin."""

    def data_received(self, data: bytes, /) -> None:
        """Take in what came."""

    def eof_received(self) -> bool | None:
        """Nothing more comes."""

    def connection_lost(self, exc: Exception | None, /) -> None:
        """It is over."""


Arrive = Callable[[str | None], Arrived]
"""
Makes the protocol that runs on a connection, given what ALPN chose: ``h2``, ``http/1.1`` or, without TLS or a choice,
None. Called once the connection stands. The connection may still be given up after that; then the protocol hears of it
through ``connection_lost`` like of any other end.
"""


class Arrival(asyncio.Protocol):
    """
    Hands a connection to the protocol that is to run on it.

    It does so inside `connection_made`, before any byte can come, where the loop calls that at the end of the
    handshake. After ``loop.start_tls`` it is called by hand, one turn later; what has come by then is passed on first.
    """

    def __init__(self, arrive: Arrive) -> None:
        """Wait for the connection on which *arrive*'s protocol will run."""
        self._arrive = arrive
        self._transport: asyncio.Transport | None = None
        self._protocol: Arrived | None = None
        self._failure: BaseException | None = None
        self._early: list[bytes] = []
        self._has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Choose the protocol and hand over."""
        # asyncio's TLS transport over a tunnel is a Transport in all but its type
        self._transport = cast("asyncio.Transport", transport)
        if self._failure is not None:
            return
        tls = transport.get_extra_info("ssl_object")
        try:
            protocol = self._arrive(None if tls is None else tls.selected_alpn_protocol())
            transport.set_protocol(cast("asyncio.BaseProtocol", protocol))
            self._protocol = protocol
            protocol.connection_made(transport)
            for data in self._early:
                protocol.data_received(data)
            if self._has_ended:
                protocol.eof_received()
        except Exception as error:  # noqa: BLE001 - the event loop would only log it; `taken` raises it
            self._failure = error

    def data_received(self, data: bytes) -> None:
        """Keep what comes between the handshake and the hand-over."""
        self._early.append(data)

    def eof_received(self) -> None:
        """Keep that nothing more will come."""
        self._has_ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on what the loop had planned to say before the protocol was there."""
        if self._protocol is not None:
            self._protocol.connection_lost(exc)
        elif self._failure is None:
            self._failure = exc or ConnectionResetError("the connection closed as soon as it stood")

    def taken(self) -> Arrived:
        """
        Return the protocol, once the connection stands.

        Raises:
            OSError: The connection was lost before it could be handed over.
        """
        if self._failure is not None:
            raise self._failure
        return cast("Arrived", self._protocol)

    def abort(self) -> None:
        """Close the connection at once, if there is one."""
        if self._transport is not None:
            self._transport.abort()


class Tunnelling(asyncio.BufferedProtocol):
    """
    Talks to a proxy until the tunnel stands, then stops reading.

    A buffered protocol, because that one says how much is read: from a socket never more than the dialog certainly has
    to take. Over TLS everything is read that is there, since asyncio drops what a proxy said before it closed when it
    does not fit into one buffer. Only targets with TLS are reached that way, and there the client speaks first: more
    than an answer is a fault.
    """

    def __init__(self, dialog: Dialog) -> None:
        """Lead *dialog* as soon as the connection to the proxy stands."""
        self._dialog = dialog
        self._buffer = memoryview(b"")
        self._transport: asyncio.Transport | None = None
        self._is_tls = False
        self._outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def stands(self) -> None:
        """
        Wait until the tunnel stands.

        Raises:
            ProxyRefusal: There will be none.
        """
        await self._outcome

    def abort(self) -> None:
        """Close the connection at once, if there is one."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say the first word."""
        self._transport = cast("asyncio.Transport", transport)
        self._is_tls = transport.get_extra_info("ssl_object") is not None
        self._transport.write(self._dialog.opening())

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the dialog knows better
        """Return room for what may be read next."""
        self._buffer = memoryview(bytearray(_ALL if self._is_tls else self._dialog.wants))
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Let the dialog judge what came, and answer."""
        transport = cast("asyncio.Transport", self._transport)
        try:
            self._converse(bytes(self._buffer[:nbytes]), transport)
        except ProxyRefusal as error:
            self._fail(error)
            transport.abort()

    def _converse(self, received: bytes, transport: asyncio.Transport) -> None:
        """Hand over what came in the pieces that the dialog wants."""
        while received and (wants := self._dialog.wants):
            answer = self._dialog.received(received[:wants])
            received = received[wants:]
            if answer:
                transport.write(answer)
        if received:
            raise ProxyRefusal("the proxy sent more than an answer, before anything was said to the target")
        if not self._dialog.wants:
            transport.pause_reading()
            if not self._outcome.done():
                self._outcome.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so if the tunnel did not stand yet."""
        refusal = ProxyRefusal("the proxy closed the connection before the tunnel stood")
        refusal.__cause__ = exc
        self._fail(refusal)

    def _fail(self, error: ProxyRefusal) -> None:
        """Let `stands` raise *error*, if somebody waits there."""
        if not self._outcome.done():
            self._outcome.set_exception(error)
            # when nobody waits any more, nobody needs to be told that nobody asked
            self._outcome.exception()
