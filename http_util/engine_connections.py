"""
Repairs to the connections of httpcore 1.0, by subclass, for what its users cannot repair from outside.

1. *HTTP/2: closing an answer early resets its stream.* httpcore forgets the stream locally; the upstream goes on
generating
   for nobody, and after a hundred such closes the connection takes no more requests.
2. *HTTP/2: a connection begins in one piece.* A first request cancelled in the middle of it would leave the places for
   streams miscounted for all the others.
3. *HTTP/2: a write is never cut in two.* A task cancelled in the middle of a write would spoil the TLS stream for all
the
   other requests on the same connection.
4. *HTTP/1.1: bytes behind an answer close the connection.* Kept, they would be read as the answer to the next request.
5. *Connecting and TLS handshakes that are cancelled close their sockets.* Elsewhere the garbage collector does.
6. *A connection fails when connecting fails*, not when a request is cancelled that waits for another to connect; and
   once it has failed, which makes its pool forget it, nobody connects it again.
7. *Pools: the limit of idle connections counts idle connections*, not all of them.

The names with an underscore are httpcore's own; the tests of this module are what notices when a release changes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import anyio
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import httpcore
from anyio.abc import SocketStream
from httpcore._async.http2 import AsyncHTTP2Connection
from httpcore._async.http11 import AsyncHTTP11Connection
from httpcore._backends.anyio import AnyIOBackend, AnyIOStream
from httpcore._exceptions import map_exceptions
from httpcore._sync.http2 import HTTP2Connection
from httpcore._sync.http11 import HTTP11Connection
from httpcore._synchronization import AsyncSemaphore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A reset is a courtesy to the upstream: it must not hold up whoever closes the answer.
_RESET_TIMEOUT: Final = 1.0
_RESET_REQUEST: Final[Any] = SimpleNamespace(extensions={"timeout": {"write": _RESET_TIMEOUT}})

# Seconds for each address but the last: a host with an address that the network does not carry is still reached.
_NEXT_ADDRESS_AFTER: Final = 1.0

_NETWORK_TROUBLE: Final = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


def abandon_stream(state: h2.connection.H2Connection, stream_id: int, undelivered: Iterable[h2.events.Event]) -> None:
    """
    Write into *state* what the peer must be told about a stream that nobody reads any more.

    Data that came and was not handed out is acknowledged, so that the connection's window does not shrink for good,
    even when the peer has ended the stream meanwhile. A stream that is still open is reset.
    """
    try:
        for event in undelivered:
            if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                state.acknowledge_received_data(event.flow_controlled_length, stream_id)
        stream = state.streams.get(stream_id)
        if stream is not None and not stream.closed:
            state.reset_stream(stream_id, error_code=h2.errors.ErrorCodes.CANCEL)
    except h2.exceptions.ProtocolError:
        # the connection itself is over, and with it the stream
        return


class _AsyncHTTP2(AsyncHTTP2Connection):
    """An HTTP/2 connection that begins in one piece, resets abandoned streams and completes its writes."""

    _flush: asyncio.Future[None] | None = None

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Begin the connection if that is to be done, out of reach of the first request's cancellation; then send."""
        if not self._sent_connection_init:
            with anyio.CancelScope(shield=True):
                await self._begin(request)
        return await super().handle_async_request(request)

    async def _begin(self, request: httpcore.Request) -> None:
        """Send the preface, and count one place for a stream until the upstream says how many it takes."""
        async with self._init_lock:
            if self._sent_connection_init:
                return
            try:
                await self._send_connection_init(request)
            except BaseException:
                await self.aclose()
                raise
            places = self._h2_state.local_settings.max_concurrent_streams
            self._max_streams = 1
            self._max_streams_semaphore = AsyncSemaphore(places)
            for _ in range(places - self._max_streams):
                await self._max_streams_semaphore.acquire()
            self._sent_connection_init = True

    async def _response_closed(self, stream_id: int) -> None:
        """Reset the stream if it is still open, then forget it."""
        try:
            abandon_stream(self._h2_state, stream_id, self._events.get(stream_id, ()))
            with contextlib.suppress(*_NETWORK_TROUBLE):
                await self._write_outgoing_data(_RESET_REQUEST)
        finally:
            await super()._response_closed(stream_id=stream_id)

    async def _write_outgoing_data(self, request: httpcore.Request) -> None:
        """
        Write what there is to write, in a task of its own: whoever asked may be cancelled, the write goes on.

        All who ask meanwhile share the one write. Queued one behind the other, they would hold up the reading.
        """
        # Two rounds at most: the write under way may have taken its bytes before ours were there.
        for _ in range(2):
            if self._flush is None:
                # nearly every read ends here with nothing to say; a task for that would double the cost of a token
                if not self._h2_state._data_to_send:  # noqa: SLF001 - there is no public way to look without taking
                    return
                self._flush = asyncio.ensure_future(self._write_once(request))
                self._flush.add_done_callback(_note_result)
            await asyncio.shield(self._flush)

    async def _write_once(self, request: httpcore.Request) -> None:
        """Write what there is now."""
        try:
            await super()._write_outgoing_data(request)
        finally:
            # at once, not by a callback of the task: whoever comes next must not wait for a write that is over
            self._flush = None


def _note_result(write: asyncio.Future[None]) -> None:
    """Take the result of a write, for when nobody waits for it; the connection has remembered its failure."""
    if not write.cancelled():
        write.exception()


class _AsyncHTTP11(AsyncHTTP11Connection):
    """An HTTP/1.1 connection that is not reused when bytes are left over."""

    async def _response_closed(self) -> None:
        """Close the connection when more than the answer has come, else keep it."""
        if self._h11_state.trailing_data[0]:
            await self.aclose()
        else:
            await super()._response_closed()


class _Network(AnyIOBackend):
    """httpcore's network for asyncio, whose sockets are closed wherever connecting is cancelled."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        # the signature is httpcore's
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """
        Connect to the first address of *host* that answers.

        Raises:
            httpcore.ConnectTimeout: None did within *timeout* seconds.
            httpcore.ConnectError: None could be reached, or the name has none.
        """
        with map_exceptions({TimeoutError: httpcore.ConnectTimeout, OSError: httpcore.ConnectError}):
            with anyio.fail_after(timeout):
                sock = await _connected_socket(host, port, tuple(socket_options or ()))
                return _TcpStream(await SocketStream.from_socket(sock))


async def _connected_socket(host: str, port: int, options: tuple[Any, ...]) -> socket.socket:
    """Try the addresses of *host* in turn; none but the last may take long."""
    loop = asyncio.get_running_loop()
    *others, last = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for address in others:
        with contextlib.suppress(OSError, TimeoutError), anyio.fail_after(_NEXT_ADDRESS_AFTER):
            return await _connect(loop, address, options)
    return await _connect(loop, last, options)


async def _connect(loop: asyncio.AbstractEventLoop, address: Any, options: tuple[Any, ...]) -> socket.socket:
    """A connected socket; closed again whatever stops the connecting."""
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        for option in options:
            sock.setsockopt(*option)
        await loop.sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


class _TcpStream(AnyIOStream):
    """A connected stream, before TLS."""

    async def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """Shake hands as httpcore does; close the socket when that is cancelled."""
        try:
            return await super().start_tls(*args, **kwargs)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.aclose()
            raise


class _AsyncConnection(httpcore.AsyncHTTPConnection):
    """Connects as httpcore does, then speaks through the classes above."""

    has_failed = False
    """Whether connecting failed, or was cancelled. The pool then forgets this object."""

    async def _connect(self, request: httpcore.Request) -> httpcore.AsyncNetworkStream:
        """Connect, unless that has failed already: nobody would ever close what a forgotten object connected."""
        if self.has_failed:
            raise httpcore.ConnectionNotAvailable
        try:
            return await super()._connect(request)
        except BaseException:
            self.has_failed = True
            raise

    @property
    def _connect_failed(self) -> bool:
        """What the pool asks."""
        return self.has_failed

    @_connect_failed.setter
    def _connect_failed(self, failed: bool) -> None:
        """Leave it: httpcore sets it also when a request was cancelled that only waited for another one to connect."""

    @property
    def _connection(self) -> Any:
        """The protocol's connection, None until connected."""
        return self.__dict__.get("_connection")

    @_connection.setter
    def _connection(self, made: Any) -> None:
        """Take the connection that httpcore made, which is unused, as ours."""
        kinds = {AsyncHTTP2Connection: _AsyncHTTP2, AsyncHTTP11Connection: _AsyncHTTP11}
        self.__dict__["_connection"] = _as_ours(made, kinds)


class AsyncPool(httpcore.AsyncConnectionPool):
    """A pool of repaired connections, for asyncio."""

    def __init__(self, *, idle_limit: int, **settings: Any) -> None:
        """Build an empty pool that keeps at most *idle_limit* unused connections; the rest are httpcore's arguments."""
        super().__init__(network_backend=_Network(), **settings)
        self.idle_limit = idle_limit

    def create_connection(self, origin: httpcore.Origin) -> httpcore.AsyncConnectionInterface:
        """Return a connection that is not open yet."""
        return _AsyncConnection(origin=origin, **_connection_settings(self))

    def _assign_requests_to_connections(self) -> list[httpcore.AsyncConnectionInterface]:
        """Assign as httpcore does, with a limit that holds for idle connections only."""
        self._max_keepalive_connections = _allowed_connections(self)
        return super()._assign_requests_to_connections()


class _HTTP2(HTTP2Connection):
    """An HTTP/2 connection that resets abandoned streams."""

    def _response_closed(self, stream_id: int) -> None:
        """Reset the stream if it is still open, then forget it."""
        try:
            abandon_stream(self._h2_state, stream_id, self._events.get(stream_id, ()))
            with contextlib.suppress(*_NETWORK_TROUBLE):
                self._write_outgoing_data(_RESET_REQUEST)
        finally:
            super()._response_closed(stream_id=stream_id)


class _HTTP11(HTTP11Connection):
    """An HTTP/1.1 connection that is not reused when bytes are left over."""

    def _response_closed(self) -> None:
        """Close the connection when more than the answer has come, else keep it."""
        if self._h11_state.trailing_data[0]:
            self.close()
        else:
            super()._response_closed()


class _Connection(httpcore.HTTPConnection):
    """Connects as httpcore does, then speaks through the classes above."""

    @property
    def _connection(self) -> Any:
        """The protocol's connection, None until connected."""
        return self.__dict__.get("_connection")

    @_connection.setter
    def _connection(self, made: Any) -> None:
        """Take the connection that httpcore made, which is unused, as ours."""
        kinds = {HTTP2Connection: _HTTP2, HTTP11Connection: _HTTP11}
        self.__dict__["_connection"] = _as_ours(made, kinds)


class Pool(httpcore.ConnectionPool):
    """A pool of repaired connections, for threads."""

    def __init__(self, *, idle_limit: int, **settings: Any) -> None:
        """Build an empty pool that keeps at most *idle_limit* unused connections; the rest are httpcore's arguments."""
        super().__init__(**settings)
        self.idle_limit = idle_limit

    def create_connection(self, origin: httpcore.Origin) -> httpcore.ConnectionInterface:
        """Return a connection that is not open yet."""
        return _Connection(origin=origin, **_connection_settings(self))

    def _assign_requests_to_connections(self) -> list[httpcore.ConnectionInterface]:
        """Assign as httpcore does, with a limit that holds for idle connections only."""
        self._max_keepalive_connections = _allowed_connections(self)
        return super()._assign_requests_to_connections()


def _as_ours(made: Any, kinds: Mapping[Any, Any]) -> Any:
    """Return the unused connection *made* as an instance of our class for its protocol."""
    kind = kinds.get(type(made))
    if kind is None:
        return made
    return kind(origin=made._origin, stream=made._network_stream, keepalive_expiry=made._keepalive_expiry)  # noqa: SLF001


def _connection_settings(pool: Any) -> dict[str, Any]:
    """Return what a pool hands to each of its connections."""
    names = ("ssl_context", "keepalive_expiry", "http1", "http2", "retries", "local_address", "network_backend")
    settings = {name: getattr(pool, f"_{name}") for name in names}
    return settings | {"socket_options": pool._socket_options}  # noqa: SLF001


def _allowed_connections(pool: AsyncPool | Pool) -> int:
    """Return how many connections a pool may keep: those in use and `idle_limit` more."""
    return pool.idle_limit + sum(not connection.is_idle() for connection in pool.connections)
