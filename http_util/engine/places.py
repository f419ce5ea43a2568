"""
Who gets which connection: the decisions of the pool. Pure; `http_util.engine.pool` carries them out.

Requests for one origin are served in the order in which they came. A request takes a connection that has room, the most
recently used first, so that those not needed grow old and are closed. When there is none, it holds a `Ticket` and
connections are dialled for the tickets that none of those open or being dialled will serve:

    upstream speaks HTTP/1.1    one dial a ticket
    upstream speaks HTTP/2      one dial for as many as a connection is expected to carry
    not known yet               one dial for all: whoever answers tells
    upstream allows no request  none, once two connections in a row were told so: more would only be told the same

Never are more than `max_connections` open or being dialled; a connection unused by another origin is closed to make
place.

Spec: HTU-01, HTU-PERF-1301
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from http_util.engine.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from http_util.urls import Origin

EXPECTED_STREAMS: Final = 100
"""Requests that an HTTP/2 connection is expected to carry before it says (RFC 9113, 6.5.2 advises no fewer)."""

BARRED_IN_A_ROW: Final = 2
"""Connections that allow no request at all after which no other is dialled. One server of many costs one."""

C = TypeVar("C", bound=Connection)


class Ticket(Generic[C]):
    """A request that waits for a connection."""

    __slots__ = ("connect_timeout", "connection", "failure", "number", "origin")

    def __init__(self, origin: Origin, number: int, connect_timeout: float | None) -> None:
        """Wait for a connection to *origin*, which may be dialled for *connect_timeout* seconds."""
        self.origin = origin
        self.connect_timeout = connect_timeout
        self.number = number
        """Tickets are served in this order."""
        self.connection: C | None = None
        """What it was given, with a place reserved."""
        self.failure: Exception | None = None
        """Why no connection could be made for it."""

    @property
    def is_settled(self) -> bool:
        """Whether the wait is over."""
        return self.connection is not None or self.failure is not None


class Room(Generic[C]):
    """The connections to one origin, and who waits for them."""

    __slots__ = ("connections", "dialling", "free", "shares", "tickets")

    def __init__(self, *, shares: bool | None) -> None:
        """Begin empty; *shares* tells whether connections carry several requests, None when that is not known."""
        self.shares = shares
        self.connections: dict[C, None] = {}
        self.free: dict[C, None] = {}
        """Connections with room, the most recently used last."""
        self.dialling = 0
        self.tickets: dict[Ticket[C], None] = {}

    @property
    def is_barred(self) -> bool:
        """Whether the youngest connections are barred; a single one may be a server's among many that is leaving."""
        youngest = list(islice(reversed(self.connections), BARRED_IN_A_ROW))
        return len(youngest) == BARRED_IN_A_ROW and all(connection.is_barred for connection in youngest)

    def unused(self) -> Iterator[C]:
        """Yield the connections that carry nothing; barred ones are of use as long as somebody waits."""
        barred = () if self.tickets else (c for c in self.connections if c.is_barred)
        return (connection for connection in chain(self.free, barred) if not connection.in_flight)

    @property
    def lacking(self) -> int:
        """How many more connections the tickets need."""
        if self.is_barred:
            return 0
        per_dial = 1 if self.shares is False else EXPECTED_STREAMS
        promised = sum(connection.promise for connection in self.connections) + self.dialling * per_dial
        return max(0, -(-(len(self.tickets) - promised) // per_dial))


class Places(Generic[C]):
    """The table of one pool."""

    def __init__(self, *, max_connections: int, http2: bool) -> None:
        """Begin empty, with at most *max_connections* open at once; *http2* tells whether TLS may lead to HTTP/2."""
        self._max_connections = max_connections
        self._http2 = http2
        self._rooms: dict[Origin, Room[C]] = {}
        self._taken = 0
        self._numbers = 0
        self._hungry: dict[Origin, None] = {}

    def __repr__(self) -> str:
        """Counts by origin."""
        rooms = [
            f"{origin}: {len(room.connections)} open, {room.dialling} dialled, {len(room.tickets)} waiting"
            for origin, room in self._rooms.items()
        ]
        return f"<Places {self._taken} of {self._max_connections} ({'; '.join(rooms) or 'empty'})>"

    @property
    def connections(self) -> list[C]:
        """Every open connection."""
        return [connection for room in self._rooms.values() for connection in room.connections]

    def take(self, origin: Origin) -> C | None:
        """Return a connection with a place reserved, unless none has room or others came first."""
        room = self._rooms.get(origin)
        if room is None or room.tickets or not room.free:
            return None
        connection = next(reversed(room.free))
        self._reserve(room, connection)
        return connection

    def queue(self, origin: Origin, *, connect_timeout: float | None = None) -> Ticket[C]:
        """Return a ticket for the next connection that has room."""
        room = self._rooms.get(origin)
        if room is None:
            shares = None if self._http2 and origin.scheme == "https" else False
            room = self._rooms[origin] = Room(shares=shares)
        self._numbers += 1
        ticket = Ticket[C](origin, self._numbers, connect_timeout)
        room.tickets[ticket] = None
        self._hungry[origin] = None
        return ticket

    def drop(self, ticket: Ticket[C]) -> int:
        """
        Forget a ticket whose request was given up.

        Returns:
            How many of the dials under way to its origin serve nobody any more.
        """
        room = self._rooms[ticket.origin]
        room.tickets.pop(ticket, None)
        per_dial = 1 if room.shares is False else EXPECTED_STREAMS
        return max(0, room.dialling - -(-len(room.tickets) // per_dial))

    def will_be_dialled(self, ticket: Ticket[C]) -> bool:
        """Whether a dial under way is for this ticket."""
        room = self._rooms[ticket.origin]
        per_dial = 1 if room.shares is False else EXPECTED_STREAMS
        return list(room.tickets).index(ticket) < room.dialling * per_dial

    def dials(self) -> list[tuple[Origin, float | None]]:
        """
        Return the connections to make now, each as its origin and the seconds that it may take.

        They count as dialled from here; `dialled` or `undialled` must follow for each.
        """
        wanted: list[tuple[Origin, float | None]] = []
        if not self._hungry:
            return wanted
        for origin in sorted(self._hungry, key=self._first_number):
            room = self._rooms[origin]
            while room.lacking and self._taken < self._max_connections:
                room.dialling += 1
                self._taken += 1
                wanted.append((origin, next(iter(room.tickets)).connect_timeout))
            if not room.lacking:
                del self._hungry[origin]
        return wanted

    def spare(self) -> C | None:
        """Return an unused connection that has to go, because tickets for another origin find the table full."""
        if self._taken < self._max_connections:
            return None
        for hungry in self._hungry:
            for origin, room in self._rooms.items():
                if origin != hungry and not room.tickets and (unused := next(room.unused(), None)) is not None:
                    return unused
        return None

    def dialled(self, origin: Origin, connection: C) -> list[Ticket[C]]:
        """Put a new connection into the table; return the tickets that were given a place in it."""
        room = self._rooms[origin]
        room.dialling -= 1
        room.shares = connection.shares
        room.connections[connection] = None
        if room.tickets:
            self._hungry[origin] = None
        return self.changed(connection)

    def undialled(self, origin: Origin, failure: Exception | None) -> list[Ticket[C]]:
        """
        A dial has failed, or was called off when *failure* is None.

        Returns:
            The tickets that it was for, the oldest ones, which have failed with it.
        """
        room = self._rooms[origin]
        room.dialling -= 1
        self._taken -= 1
        if room.tickets:
            self._hungry[origin] = None
        if failure is None:
            return []
        failed = list(room.tickets)[: 1 if room.shares is False else EXPECTED_STREAMS]
        for ticket in failed:
            del room.tickets[ticket]
            ticket.failure = failure
        return failed

    def changed(self, connection: C) -> list[Ticket[C]]:
        """
        A connection has more room, or less, than before.

        Returns:
            The tickets that were given a place in it.
        """
        room = self._rooms.get(connection.origin)
        if room is None or connection not in room.connections:
            return []
        room.free.pop(connection, None)
        if connection.room:
            room.free[connection] = None
        served: list[Ticket[C]] = []
        while room.tickets and connection.room:
            ticket = next(iter(room.tickets))
            del room.tickets[ticket]
            ticket.connection = connection
            self._reserve(room, connection)
            served.append(ticket)
        if room.tickets and not connection.promise:
            self._hungry[connection.origin] = None
        return served

    def lost(self, connection: C) -> None:
        """Take a closed connection out of the table."""
        room = self._rooms.get(connection.origin)
        if room is None or connection not in room.connections:
            return
        del room.connections[connection]
        room.free.pop(connection, None)
        self._taken -= 1
        if room.tickets:
            self._hungry[connection.origin] = None

    def is_crowded(self, origin: Origin, limit: int) -> bool:
        """Tell whether more than *limit* connections to *origin* have room, so that some may be unused."""
        room = self._rooms.get(origin)
        return room is not None and len(room.free) > limit

    def unused(self, *, since: float, limit: int, limit_since: float) -> list[C]:
        """
        Return the connections to close because nobody uses them.

        Args:
            since: Those unused at least since this monotonic moment have had their time.
            limit: At most so many unused connections of one origin are kept,
            limit_since: counting those unused at least since this moment.
        """
        old: list[C] = []
        for room in self._rooms.values():
            idle = sorted(room.unused(), key=lambda c: c.idle_since)
            surplus = max(0, len(idle) - limit)
            old += [
                c
                for position, c in enumerate(idle)
                if c.idle_since <= since or (position < surplus and c.idle_since <= limit_since)
            ]
        return old

    def _reserve(self, room: Room[C], connection: C) -> None:
        connection.reserve()
        if not connection.room:
            room.free.pop(connection, None)

    def _first_number(self, origin: Origin) -> int:
        return min((ticket.number for ticket in self._rooms[origin].tickets), default=0)
