"""
The transport that speaks HTTP, in both colours. The HTTP library is loaded, and its engine built, on the first call.

Spec: CLI-03, CLI-04, CLI-12, CLI-15
"""

from __future__ import annotations

import threading
from random import Random
from typing import TYPE_CHECKING

from adapter_api.outcome import Outcome
from http_util.errors import PolicyFailure
from http_util.resilience import NOTHING, Resilience
from http_util.websocket import needs_websockets
from openai_client.errors import InvalidConfiguration
from openai_client.transport import closed_error

if TYPE_CHECKING:
    import httpx

    from http_util._async.exchange import AsyncExchange
    from http_util._sync.exchange import Exchange
    from http_util.call import HttpCall, HttpReply
    from http_util.clock import Clock, SyncClock
    from http_util.config import HttpConfig
    from http_util.websocket.sockets import AsyncSockets, Sockets
    from openai_client.transport import AsyncByteSource, AsyncEventSource, ByteSource, EventSource


class HttpTransport:
    """
    The transport that speaks HTTP, for threads. The HTTP library is loaded, and its engine built, on the first call.

    Spec: CLI-03, CLI-15
    """

    def __init__(
        self,
        http: HttpConfig,
        *,
        clock: SyncClock,
        http_client: httpx.Client | None = None,
        rng: Random | None = None,
        resilience: Resilience | None = None,
    ) -> None:
        """
        Prepare a transport.

        Args:
            http: Timers, TLS, proxy, pool and limits.
            clock: Source of all times and pauses.
            http_client: Used instead of one built here, and left open when the transport is closed. The egress policy
                and the limits of *http* stand in front of it.
            rng: Source of the retries' jitter.
            resilience: What stands around every call; None: nothing.

        Raises:
            InvalidConfiguration: *http* has `egress_public_only`, which cannot be kept with *http_client*.
        """
        self.resilience = resilience or NOTHING
        """What stands around every call."""
        _check_client(http, http_client)
        self._http = self.resilience.reaching(http)
        self._clock = clock
        self._http_client = http_client
        self._rng = rng or Random()
        self._transport: httpx.BaseTransport | None = None
        self._exchange: Exchange | None = None
        self._sockets: Sockets | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def __repr__(self) -> str:
        """Return where it calls, and whether it still does."""
        return f"HttpTransport({self._http.base_url!r}, closed={self._is_closed})"

    def prepare(self) -> None:
        """
        Load the HTTP library and build the engine, if that was not done yet.

        Raises:
            InvalidState: The transport is closed.
        """
        self._ready()

    def send(self, call: HttpCall) -> HttpReply:
        """
        Make the call and return the whole answer.

        Raises:
            HttpFailure: It failed.
            InvalidState: The transport is closed.
        """
        return self._ready().send(call)

    def open(self, call: HttpCall) -> EventSource:
        """
        Make the call and return its answer as open events, which the caller closes.

        Raises:
            HttpFailure: It failed, or the answer is no event stream.
            InvalidState: The transport is closed.
        """
        return self._ready().open(call)

    def download(self, call: HttpCall) -> ByteSource:
        """
        Make the call and return its answer as open bytes of any number, which the caller closes.

        Raises:
            HttpFailure: It failed.
            InvalidState: The transport is closed.
        """
        return self._ready().download(call)

    def close(self) -> None:
        """Close all connections and sessions. Safe to call twice."""
        with self._lock:
            transport, sockets, self._is_closed = self._transport, self._sockets, True
        if sockets is not None:
            sockets.close_all()
        if transport is not None:
            transport.close()

    def sockets(self) -> Sockets:
        """
        Return the WebSocket sessions of the transport, which closes them with itself.

        Raises:
            PolicyFailure: *configuration*: the package for them is not installed, or an HTTP client was brought along.
            InvalidState: The transport is closed.

        Spec: RT-01, RT-03
        """
        with self._lock:
            if self._is_closed:
                raise closed_error()
            if self._sockets is None:
                _check_no_client(self._http_client)
                with needs_websockets():
                    from http_util.websocket.sockets import Sockets
                self._sockets = Sockets(self._http)
            return self._sockets

    def _ready(self) -> Exchange:
        """Return the exchange, made on first use."""
        with self._lock:
            if self._is_closed:
                raise closed_error()
            if self._exchange is None:
                from http_util._sync.exchange import Exchange
                from http_util.client import ClientTransport, build_transport

                given = None if self._http_client is None else ClientTransport(self._http_client)
                self._transport = build_transport(self._http, transport=given)
                self._exchange = Exchange(
                    self._transport,
                    clock=self._clock,
                    rng=self._rng,
                    max_response_bytes=self._http.max_response_bytes,
                    max_event_bytes=self._http.max_event_bytes,
                    resilience=self.resilience,
                )
            return self._exchange


class AsyncHttpTransport:
    """
    The transport that speaks HTTP, for one event loop. The HTTP library is loaded, its engine built, on the first call.

    Spec: CLI-03, CLI-15
    """

    def __init__(
        self,
        http: HttpConfig,
        *,
        clock: Clock,
        http_client: httpx.AsyncClient | None = None,
        rng: Random | None = None,
        resilience: Resilience | None = None,
    ) -> None:
        """
        Prepare a transport.

        Args:
            http: Timers, TLS, proxy, pool and limits.
            clock: Source of all times and pauses.
            http_client: Used instead of one built here, and left open when the transport is closed. The egress policy
                and the limits of *http* stand in front of it.
            rng: Source of the retries' jitter.
            resilience: What stands around every call; None: nothing.

        Raises:
            InvalidConfiguration: *http* has `egress_public_only`, which cannot be kept with *http_client*.
        """
        self.resilience = resilience or NOTHING
        """What stands around every call."""
        _check_client(http, http_client)
        self._http = self.resilience.reaching(http)
        self._clock = clock
        self._http_client = http_client
        self._rng = rng or Random()
        self._transport: httpx.AsyncBaseTransport | None = None
        self._exchange: AsyncExchange | None = None
        self._sockets: AsyncSockets | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        """Return where it calls, and whether it still does."""
        return f"AsyncHttpTransport({self._http.base_url!r}, closed={self._is_closed})"

    def prepare(self) -> None:
        """
        Load the HTTP library and build the engine, if that was not done yet.

        Raises:
            InvalidState: The transport is closed.
        """
        self._ready()

    async def send(self, call: HttpCall) -> HttpReply:
        """
        Make the call and return the whole answer.

        Raises:
            HttpFailure: It failed.
            InvalidState: The transport is closed.
        """
        return await self._ready().send(call)

    async def open(self, call: HttpCall) -> AsyncEventSource:
        """
        Make the call and return its answer as open events, which the caller closes.

        Raises:
            HttpFailure: It failed, or the answer is no event stream.
            InvalidState: The transport is closed.
        """
        return await self._ready().open(call)

    async def download(self, call: HttpCall) -> AsyncByteSource:
        """
        Make the call and return its answer as open bytes of any number, which the caller closes.

        Raises:
            HttpFailure: It failed.
            InvalidState: The transport is closed.
        """
        return await self._ready().download(call)

    async def aclose(self) -> None:
        """Close all connections and sessions. Safe to call twice."""
        transport, self._is_closed = self._transport, True
        if self._sockets is not None:
            await self._sockets.aclose()
        if transport is not None:
            await transport.aclose()

    def sockets(self) -> AsyncSockets:
        """
        Return the WebSocket sessions of the transport; as `HttpTransport.sockets`.

        Spec: RT-01, RT-03
        """
        if self._is_closed:
            raise closed_error()
        if self._sockets is None:
            _check_no_client(self._http_client)
            with needs_websockets():
                from http_util.websocket.sockets import AsyncSockets
            self._sockets = AsyncSockets(self._http, self._clock)
        return self._sockets

    def _ready(self) -> AsyncExchange:
        """Return the exchange, made on first use."""
        if self._is_closed:
            raise closed_error()
        if self._exchange is None:
            from http_util._async.exchange import AsyncExchange
            from http_util.client import AsyncClientTransport, build_async_transport

            given = None if self._http_client is None else AsyncClientTransport(self._http_client)
            self._transport = build_async_transport(self._http, transport=given)
            self._exchange = AsyncExchange(
                self._transport,
                clock=self._clock,
                rng=self._rng,
                max_response_bytes=self._http.max_response_bytes,
                max_event_bytes=self._http.max_event_bytes,
                resilience=self.resilience,
            )
        return self._exchange


def _check_client(http: HttpConfig, http_client: object | None) -> None:
    """Refuse a rule that nobody would keep: a client that is brought resolves names by itself."""
    if http.egress_public_only and http_client is not None:
        raise InvalidConfiguration(
            "http.egress_public_only: cannot be kept with an http_client, which resolves names by itself; leave one out"
        )


def _check_no_client(http_client: object | None) -> None:
    """Refuse to go around an HTTP client that was brought along, whose own rules sessions cannot keep."""
    if http_client is not None:
        raise PolicyFailure(
            "http_client: opens no realtime sessions; leave it out for a client that does",
            reason="configuration",
            outcome=Outcome.NOT_SENT,
        )
