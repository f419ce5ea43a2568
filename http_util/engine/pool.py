"""
The pool: waits for connections, has them dialled, and sends requests over them.

What it does is decided in `http_util.engine.places`; here are the tasks and timers that carry it out. A dial is a task
of the pool and not of the request that wanted it: a request that is cancelled while it connects takes nothing from the
others that wait for the same connection, and a dial that nobody waits for any more is called off.

Spec: HTU-01, HTU-18, HTU-PERF-1301
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import httpx

from http_util.engine import BODY_EXTENSION, RESENT
from http_util.engine.errors import Disconnected, Displaced, Elsewhere, Unprocessed
from http_util.engine.http1 import Http1Connection
from http_util.engine.http2 import Http2Connection
from http_util.engine.places import Places, Ticket
from http_util.engine.request import EngineRequest
from http_util.engine.request_body import is_repeatable
from http_util.urls import Origin, normal_host

if TYPE_CHECKING:
    import httpcore

    from http_util.config import HttpConfig
    from http_util.engine.answer import Answer
    from http_util.engine.arrival import Arrived
    from http_util.engine.connect import Connector
    from http_util.engine.connection import Connection, Timeouts

_MOVES: Final = 3
"""
How often one request moves to another connection because the upstream guarantees that it did not process it. Every
server with a limit of requests for a connection says so now and then; one that says so again and again is overloaded,
and that is the caller's to know.
"""

_SURPLUS_GRACE: Final = 0.5
"""
Seconds that an unused connection is kept beyond `max_idle_connections`. Under load all are unused for a moment, and
closing them in that moment would mean a handshake for each next request.
"""

_LOOKS: Final = 4
"""Turns of the event loop that a connection is given to read what lies in its socket before it is used."""

_READ_BYTES: Final = 256 * 1024
"""
Size of the buffer that all reads of a pool share: as much as asyncio reads at once from a socket, and decrypts at once.
A buffer of our own also spares an allocation of that size for every read, which some allocators map and unmap.
"""

_NO_PLACE: Final = "no connection had room within the pool timeout"

_PORTS: Final = {"http": 80, "https": 443}


class Pool:
    """The connections of one transport, for one event loop. A pool of `httpcore` to who takes it for one."""

    def __init__(self, config: HttpConfig, connector: Connector) -> None:
        """
        Make an empty pool.

        Args:
            config: Limits and timers.
            connector: Makes its connections.
        """
        self._config = config
        self._connector = connector
        self._origins: dict[tuple[bytes, bytes, int | None], Origin] = {}
        self._waiters: dict[Ticket[Connection], asyncio.Future[None]] = {}
        self._dials: dict[Origin, list[asyncio.Task[Arrived]]] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._begin()

    def _begin(self) -> None:
        """Set up an empty table."""
        self._places: Places[Connection] = Places(
            max_connections=self._config.max_connections, http2=self._config.http2
        )
        self._waiters.clear()
        self._dials.clear()
        self._sweep_timer = None
        self._all_closed: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        """The table."""
        return f"<Pool {self._places!r}>"

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send *request*, as `send`, for httpx's own transport class."""
        import httpcore

        answer, extensions = await self.send(EngineRequest.of_httpcore(request))
        return httpcore.Response(answer.status, headers=answer.headers, content=answer, extensions=extensions)

    async def send(self, request: EngineRequest) -> tuple[Answer, dict[str, Any]]:
        """
        Send *request*; return its answer when the head is there, and the extensions of the response to be made of it.

        Raises:
            httpx.TransportError: As httpx documents for each phase.
            PolicyFailure: The address of the host is not one that may be called.
            Elsewhere: The pool is that of another event loop, which is not closed.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._move_to(loop)
        origin = self._origin(request.scheme, request.host, request.port)
        timeouts: Timeouts = request.extensions.get("timeout", {})
        for _ in range(_MOVES):
            connection = await self._connection(origin, timeouts)
            try:
                answer = await connection.send(request, timeouts)
            except Displaced:
                continue
            except Unprocessed:
                if not is_repeatable(request.stream):
                    raise
                if (trace := request.extensions.get("trace")) is not None:
                    await trace(RESENT, {})
                continue
            return answer, _extensions(connection, answer)
        connection = await self._connection(origin, timeouts)
        answer = await connection.send(request, timeouts)
        return answer, _extensions(connection, answer)

    async def aclose(self) -> None:
        """Close every connection; what is in flight fails."""
        if self._loop is None or self._loop is not asyncio.get_running_loop():
            return
        self._stop_sweeping()
        dials = [dial for dials in self._dials.values() for dial in dials]
        for dial in dials:
            dial.cancel()
        for ticket in list(self._waiters):
            self._places.drop(ticket)
            self._settle(ticket, httpx.ConnectError("the client was closed"))
        if dials:
            # one may have succeeded in this moment
            await asyncio.wait(dials)
        while connections := self._places.connections:
            if self._all_closed is None or self._all_closed.done():
                # somebody else may be closing the same ones: both wait for it
                self._all_closed = self._loop.create_future()
            for connection in connections:
                if connection.in_flight:
                    connection.abort(Disconnected("the client was closed"))
                else:
                    connection.close()
            await self._all_closed

    # connections for requests

    async def _connection(self, origin: Origin, timeouts: Timeouts) -> Connection:
        """Return a connection with a place reserved for one request."""
        looks = 0
        while (connection := self._places.take(origin)) is not None:
            is_alone = connection.in_flight == 1
            if (looks >= _LOOKS and not is_alone) or not connection.has_news():
                return connection
            # it may have been closed by the upstream; let the event loop read it before it is trusted
            connection.release()
            looks += 1
            if is_alone and looks % _LOOKS == 0:
                connection.close()
            await asyncio.sleep(0)  # noqa: TID251 - not a pause: one turn for the sockets
        return await self._wait(origin, timeouts)

    async def _wait(self, origin: Origin, timeouts: Timeouts) -> Connection:
        """Wait for a connection with room, behind those who came before."""
        loop = cast("asyncio.AbstractEventLoop", self._loop)
        ticket = self._places.queue(origin, connect_timeout=timeouts.get("connect"))
        waiter = self._waiters[ticket] = loop.create_future()
        pool_timeout = timeouts.get("pool")
        timer = None
        if pool_timeout is not None:
            timer = loop.call_later(pool_timeout, self._late, ticket, pool_timeout)
        try:
            self._act()
            await waiter
        except BaseException:
            self._give_up(ticket)
            raise
        finally:
            del self._waiters[ticket]
            if timer is not None:
                timer.cancel()
        if ticket.failure is not None:
            raise ticket.failure
        return cast("Connection", ticket.connection)

    def _late(self, ticket: Ticket[Connection], pool_timeout: float) -> None:
        """End a wait for a place. Who waits for a dial waits for its connect timeout, and not for a place."""
        if ticket.is_settled or ticket not in self._waiters:
            return
        if self._places.will_be_dialled(ticket):
            cast("asyncio.AbstractEventLoop", self._loop).call_later(pool_timeout, self._late, ticket, pool_timeout)
            return
        self._places.drop(ticket)
        self._settle(ticket, httpx.PoolTimeout(_NO_PLACE))

    def _give_up(self, ticket: Ticket[Connection]) -> None:
        """The request is cancelled: its place goes to the next one, and a dial for it alone is called off."""
        if ticket.connection is not None:
            ticket.connection.release()
        elif ticket.failure is None:
            for _ in range(self._places.drop(ticket)):
                self._dials[ticket.origin][-1].cancel()

    def _settle(self, ticket: Ticket[Connection], failure: Exception | None = None) -> None:
        """Let the request go on that holds *ticket*."""
        if failure is not None:
            ticket.failure = failure
        if not self._waiters[ticket].done():
            self._waiters[ticket].set_result(None)

    # dialling

    def _act(self) -> None:
        """Carry out what the table wants now."""
        for origin, connect_timeout in self._places.dials():
            connecting = self._connector.connect(origin, partial(self._protocol, origin), timeout=connect_timeout)
            dial = asyncio.ensure_future(connecting)
            self._dials.setdefault(origin, []).append(dial)
            # a callback, because a task that is cancelled before its first step does not run at all
            dial.add_done_callback(partial(self._dialled, origin))
        if (spare := self._places.spare()) is not None:
            spare.close()

    def _dialled(self, origin: Origin, dial: asyncio.Task[Arrived]) -> None:
        """Put a new connection to use, or tell those who wait for it why there is none."""
        self._dials[origin].remove(dial)
        if dial.cancelled():
            self._serve(self._places.undialled(origin, None))
        elif (error := dial.exception()) is None:
            self._serve(self._places.dialled(origin, cast("Connection", dial.result())))
        elif isinstance(error, Exception):
            self._serve(self._places.undialled(origin, error))
        else:  # pragma: no cover - the event loop is being torn down
            raise error
        self._act()
        self._look_at_unused(origin)

    def _protocol(self, origin: Origin, alpn: str | None) -> Http1Connection | Http2Connection:
        """Return the protocol for what the handshake agreed on."""
        if alpn == "h2":
            return Http2Connection(
                origin,
                self,
                buffer=self._buffer,
                max_header_bytes=_MAX_ANSWER_HEADER_BYTES,
                ping_interval=self._config.http2_ping_interval,
                ping_timeout=self._config.http2_ping_timeout,
            )
        return Http1Connection(
            origin,
            self,
            buffer=self._buffer,
            max_header_bytes=_MAX_ANSWER_HEADER_BYTES,
            forwarding=self._connector.forwards(origin),
        )

    # what connections tell

    def changed(self, connection: Connection) -> None:
        """Let those go on for whom there is room now."""
        self._serve(self._places.changed(connection))
        self._act()
        if (connection.room or connection.is_barred) and not connection.in_flight:
            self._look_at_unused(connection.origin)

    def lost(self, connection: Connection) -> None:
        """Forget a closed connection; others may be dialled in its place."""
        self._places.lost(connection)
        self._act()
        if self._all_closed is not None and not self._all_closed.done():
            self._all_closed.set_result(None)

    def _serve(self, tickets: list[Ticket[Connection]]) -> None:
        """Let the holders of *tickets* go on."""
        for ticket in tickets:
            self._settle(ticket)

    # unused connections

    def _look_at_unused(self, origin: Origin) -> None:
        """Plan to close what may turn out to be unused for too long, or to be one too many."""
        if self._places.is_crowded(origin, self._config.max_idle_connections):
            self._sweep_in(_SURPLUS_GRACE)
        elif self._sweep_timer is None:
            self._sweep_in(self._config.keepalive_expiry)

    def _sweep_in(self, seconds: float) -> None:
        """See to it that a sweep comes in *seconds* at the latest."""
        loop = cast("asyncio.AbstractEventLoop", self._loop)
        due = loop.time() + seconds
        if self._sweep_timer is None or self._sweep_timer.when() > due:
            self._stop_sweeping()
            self._sweep_timer = loop.call_at(due, self._sweep)

    def _sweep(self) -> None:
        """Close what nobody uses, and look again when the next one may be due."""
        self._sweep_timer = None
        now = cast("asyncio.AbstractEventLoop", self._loop).time()
        old = self._places.unused(
            since=now - self._config.keepalive_expiry,
            limit=self._config.max_idle_connections,
            limit_since=now - _SURPLUS_GRACE,
        )
        for connection in old:
            connection.close()
        for origin in {connection.origin for connection in self._places.connections if not connection.in_flight}:
            self._look_at_unused(origin)

    def _stop_sweeping(self) -> None:
        """Take the timer away."""
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None

    # where it runs

    def _origin(self, raw_scheme: bytes, raw_host: bytes, port: int | None) -> Origin:
        """
        Return where the parts of a URL lead.

        Raises:
            httpx.UnsupportedProtocol: Nowhere that HTTP can go.
        """
        key = (raw_scheme, raw_host, port)
        origin = self._origins.get(key)
        if origin is None:
            scheme = raw_scheme.decode("ascii")
            if scheme not in _PORTS or not raw_host:
                raise httpx.UnsupportedProtocol("a request needs a URL with http:// or https:// and a host")
            host = normal_host(raw_host.decode("ascii").strip("[]"), field="host")
            origin = self._origins[key] = Origin(scheme, host, _PORTS[scheme] if port is None else port)
        return origin

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """
        Begin anew in another event loop, when the one before is closed and its connections with it.

        Raises:
            Elsewhere: That one still runs.
        """
        if self._loop is not None and not self._loop.is_closed():
            raise Elsewhere("a client belongs to one event loop, and this one was used in another that is not closed")
        self._loop = loop
        self._begin()


_MAX_ANSWER_HEADER_BYTES: Final = 64 * 1024


def _extensions(connection: Connection, answer: Answer) -> dict[str, Any]:
    """Return what a response says beside its head and its body."""
    return {"http_version": connection.http_version, BODY_EXTENSION: answer}
