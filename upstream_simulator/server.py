"""
The server in an event loop: its sockets, its connections, its control paths.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING, Final

import msgspec

from upstream_simulator.control import CONTROL_PREFIX, answer_control, plain_answer
from upstream_simulator.error_bodies import ApiError, write_error
from upstream_simulator.exchange_log import Exchange, ExchangeLog, Seen, carries_key, masked, shown_body
from upstream_simulator.faults import NO_FAULTS, Faults, InvalidFault, read_faults
from upstream_simulator.flavours import FLAVOURS
from upstream_simulator.http1 import Http1Connection
from upstream_simulator.player import Player, Wire
from upstream_simulator.realtime import is_session
from upstream_simulator.replies import Request, reply, sent_key
from upstream_simulator.script import Script

if TYPE_CHECKING:
    import ssl

    from upstream_simulator.options import Options
    from upstream_simulator.received import Received

WISH_HEADER: Final = "x-simulate"
"""Request header that carries the faults of one request; it goes before the script."""
_BACKLOG: Final = 1024


class Server:
    """
    One simulator inside the running event loop.

    Spec: SIM-01, SIM-04, SIM-08
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.log = ExchangeLog()
        self.script = Script()
        self.port = 0
        self.tls_port: int | None = None
        self._flavour = FLAVOURS[options.flavour]
        self._loop = asyncio.get_running_loop()
        self._listeners: list[asyncio.Server] = []
        self._open: dict[asyncio.Protocol, asyncio.Transport] = {}
        self._control: set[int] = set()
        self._controlled = 0
        self._numbers: dict[asyncio.Protocol, int] = {}
        self._accepted = 0
        self._requests = 0

    def __repr__(self) -> str:
        return f"<Server port={self.port} tls_port={self.tls_port} {self.log!r}>"

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """
        Open the sockets; `port` and `tls_port` are known afterwards.

        Args:
            context: For the TLS port; without it none is opened.

        Raises:
            OSError: A port is taken.
        """
        host = self.options.host
        plain = await self._loop.create_server(lambda: Http1Connection(self), host, self.options.port, backlog=_BACKLOG)
        self._listeners.append(plain)
        self.port = plain.sockets[0].getsockname()[1]
        if context is None:
            return
        secure = await self._loop.create_server(
            lambda: Negotiated(self), host, self.options.tls_port, ssl=context, backlog=_BACKLOG
        )
        self._listeners.append(secure)
        self.tls_port = secure.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """
        Close the sockets and break every connection.
        """
        for listener in self._listeners:
            listener.close()
        for transport in list(self._open.values()):
            transport.abort()
        # One turn of the loop, in which the connections learn of it.
        await asyncio.sleep(0)

    def connected(self, connection: asyncio.Protocol, transport: asyncio.Transport) -> int:
        """
        Count a new connection.

        Returns:
            Its number, from 1.
        """
        self._accepted += 1
        self._open[connection] = transport
        self._numbers[connection] = self._accepted
        return self._accepted

    def disconnected(self, connection: asyncio.Protocol) -> None:
        """
        Forget a connection.
        """
        self._open.pop(connection, None)
        self._control.discard(self._numbers.pop(connection, 0))

    def opens_session(self, received: Received) -> bool:
        """
        Tell whether a request becomes a realtime session; one that is refused, or wants a fault, is any other request.
        """
        headers = dict(received.headers)
        is_admitted = self.options.api_key is None or sent_key(headers) == self.options.api_key
        return is_session(received) and is_admitted and WISH_HEADER not in headers

    def handle(self, wire: Wire, received: Received) -> Player:
        """
        Decide the reply to a complete request.

        Args:
            wire: Where the reply goes.
            received: The request.

        Returns:
            The player of the reply, for the connection to start and to stop.
        """
        if received.path.startswith(CONTROL_PREFIX):
            self._controlled += received.connection not in self._control
            self._control.add(received.connection)
            return Player(answer_control(self, received), wire, self._loop)
        self._requests += 1
        named = dict(received.headers)
        try:
            faults = self._faults_of(received, named)
        except InvalidFault as exc:
            faults = NO_FAULTS
            steps = plain_answer(400, *write_error(ApiError(str(exc)), "openai"))
        else:
            request = Request(
                number=self._requests,
                method=received.method,
                path=received.path,
                headers=named,
                body=received.body,
                received_at=time.time(),
            )
            steps = reply(request, self.options, faults, self._flavour)
        player = Player(steps, wire, self._loop)
        exchange = self._exchange(received, faults)
        self.log.add(exchange)
        player.record(exchange, self.log)
        return player

    def seen(self, since: int = 0) -> Seen:
        """
        Give what was seen so far.

        Args:
            since: Leave out exchanges up to this number.
        """
        return Seen(
            exchanges=self.log.since(since),
            open_connections=sum(number not in self._control for number in self._numbers.values()),
            accepted_connections=self._accepted - self._controlled,
        )

    def reset(self) -> None:
        """
        Forget the script and the log.
        """
        self.script.clear()
        self.log.clear()

    def _faults_of(self, received: Received, headers: dict[str, str]) -> Faults:
        if WISH_HEADER in headers:
            return read_faults(headers[WISH_HEADER])
        return self.script.take(received.method, received.path)

    def _exchange(self, received: Received, faults: Faults) -> Exchange:
        return Exchange(
            number=self._requests,
            connection=received.connection,
            protocol=received.protocol,
            method=received.method,
            path=received.target,
            headers=masked(received.headers),
            has_authorization=carries_key(received.headers),
            body=shown_body(received.body),
            body_bytes=len(received.body),
            body_sha256=hashlib.sha256(received.body).hexdigest(),
            faults=msgspec.to_builtins(faults),
            received_at=self._loop.time(),
        )


class Negotiated(asyncio.Protocol):
    """
    A TLS connection until its first moment: then it becomes whatever ALPN has chosen.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Hand the connection over.
        """
        chosen = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        connection: asyncio.Protocol
        if chosen == "h2":
            # Only who speaks HTTP/2 pays for its import.
            from upstream_simulator.http2 import Http2Connection

            connection = Http2Connection(self._server)
        else:
            connection = Http1Connection(self._server)
        # As in HTTP/1.1: the annotation says less than the loop gives.
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        transport.set_protocol(connection)
        connection.connection_made(transport)
