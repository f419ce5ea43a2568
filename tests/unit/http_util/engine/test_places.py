"""Who gets which connection: every decision of the pool, without a socket."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from http_util.engine.places import BARRED_IN_A_ROW, EXPECTED_STREAMS, Places, Ticket
from http_util.urls import Origin

PLAIN = Origin("http", "a.example", 80)
TLS = Origin("https", "b.example", 443)
OTHER = Origin("https", "c.example", 443)


class Line:
    """A connection without a wire."""

    http_version = b"HTTP/0"

    def __init__(self, origin: Origin, *, streams: int = 1, shares: bool = False, promised: int | None = None) -> None:
        self.origin = origin
        self.shares = shares
        self.idle_since = 0.0
        self.streams = streams
        self.promised = promised
        self.in_flight = 0
        self.is_lost = False

    @property
    def is_barred(self) -> bool:
        return not self.streams and not self.is_lost

    @property
    def room(self) -> int:
        return max(0, self.streams - self.in_flight)

    @property
    def promise(self) -> int:
        return self.room if self.promised is None else max(0, self.promised - self.in_flight)

    def reserve(self) -> None:
        assert self.room
        self.in_flight += 1

    def release(self) -> None:
        self.in_flight -= 1


def table(most: int = 10) -> Places[Line]:
    """Return an empty table for *most* connections."""
    return Places[Line](max_connections=most, http2=True)


def origins(places: Places[Line]) -> list[Origin]:
    """Return the origins to dial now."""
    return [origin for origin, _ in places.dials()]


def connected(places: Places[Line], *lines: Line) -> None:
    """Put *lines* into the table as if they had been dialled for requests that were given up."""
    tickets = [places.queue(line.origin) for line in lines]
    assert origins(places) == [line.origin for line in lines]
    for ticket in tickets:
        places.drop(ticket)
    for line in lines:
        assert places.dialled(line.origin, line) == []


def finish(places: Places[Line], line: Line) -> list[Ticket[Line]]:
    """End a request of *line*."""
    line.release()
    return places.changed(line)


def test_a_connection_with_room_is_taken_and_the_latest_one_first() -> None:
    """So that the others grow old and are closed."""
    places = table()
    first, second = Line(PLAIN), Line(PLAIN)
    connected(places, first, second)
    assert [places.take(PLAIN), places.take(PLAIN), places.take(PLAIN)] == [second, first, None]
    finish(places, second)
    finish(places, first)
    assert places.take(PLAIN) is first
    assert places.take(OTHER) is None


def test_one_dial_a_request_where_connections_are_not_shared() -> None:
    """And the one that is there counts for one."""
    places = table()
    tickets = [places.queue(PLAIN) for _ in range(3)]
    assert origins(places) == [PLAIN] * 3
    assert origins(places) == []
    line = Line(PLAIN)
    assert places.dialled(PLAIN, line) == tickets[:1]
    assert tickets[0].connection is line
    assert line.in_flight == 1


def test_one_dial_for_all_while_it_is_not_known_what_the_upstream_speaks() -> None:
    """Its answer tells: HTTP/1.1 needs one more for each of the others, HTTP/2 none."""
    for shares, more in ((False, 4), (True, 0)):
        places = table()
        tickets = [places.queue(TLS) for _ in range(5)]
        assert origins(places) == [TLS]
        line = Line(TLS, shares=shares, streams=1, promised=100 if shares else None)
        assert places.dialled(TLS, line) == tickets[:1]
        assert len(origins(places)) == more


def test_more_http2_connections_are_made_when_all_are_full() -> None:
    """As soon as the peer has said that it takes fewer than there are requests."""
    places = table()
    line = Line(TLS, shares=True, streams=1, promised=100)
    first = places.queue(TLS)
    origins(places)
    places.dialled(TLS, line)
    waiting = [places.queue(TLS) for _ in range(5)]
    assert origins(places) == []
    line.streams, line.promised = 3, None
    assert places.changed(line) == waiting[:2]
    assert origins(places) == [TLS]
    assert places.dialled(TLS, Line(TLS, shares=True, streams=50)) == waiting[2:]
    assert first.connection is line


def test_more_waiting_than_one_connection_is_expected_to_carry_means_more_dials() -> None:
    """Rounded up."""
    places = table()
    for _ in range(EXPECTED_STREAMS + 1):
        places.queue(TLS)
    assert origins(places) == [TLS, TLS]


@pytest.mark.requirement("HTU-PERF-1301")
def test_an_upstream_that_allows_no_request_is_waited_for_and_not_dialled_again_and_again() -> None:
    """A second connection may lead to a server that takes some; the third would only be told the same."""
    places = table()
    waiting = [places.queue(TLS) for _ in range(3)]
    first, second = Line(TLS, shares=True, streams=0), Line(TLS, shares=True, streams=0)
    for line in (first, second):
        assert origins(places) == [TLS]
        assert places.dialled(TLS, line) == []
    assert origins(places) == []
    first.streams = 1
    assert places.changed(first) == waiting[:1]
    assert origins(places) == [TLS]
    assert places.dialled(TLS, Line(TLS, shares=True, streams=0)) == []
    assert origins(places) == []
    places.lost(second)
    assert origins(places) == [TLS]


def test_connections_without_leave_are_unused_when_nobody_waits_for_them() -> None:
    """They are closed by age, and make place for other origins, like those that have room."""
    places = table(1)
    line = Line(TLS, shares=True, streams=0)
    ticket = places.queue(TLS)
    origins(places)
    places.dialled(TLS, line)
    other = places.queue(OTHER)
    assert [*places.unused(since=9, limit=9, limit_since=9), places.spare()] == [None]
    places.drop(ticket)
    assert [*places.unused(since=9, limit=9, limit_since=9), places.spare()] == [line, line]
    places.lost(line)
    assert origins(places) == [other.origin]


@pytest.mark.requirement("HTU-PERF-1301")
def test_never_more_connections_than_allowed_and_first_come_first_served() -> None:
    """A place that becomes free goes to whoever waits longest; a newcomer does not overtake."""
    places = table(2)
    one, two, three = (places.queue(PLAIN) for _ in range(3))
    assert origins(places) == [PLAIN, PLAIN]
    line = Line(PLAIN)
    places.dialled(PLAIN, line)
    places.dialled(PLAIN, Line(PLAIN))
    assert places.take(PLAIN) is None
    assert finish(places, line) == [three]
    assert [one.is_settled, two.is_settled, three.connection is line] == [True, True, True]


def test_among_origins_the_oldest_ticket_is_dialled_for_first() -> None:
    """When a place in the table becomes free."""
    places = table(1)
    places.queue(PLAIN)
    assert origins(places) == [PLAIN]
    later, latest = places.queue(OTHER), places.queue(TLS)
    line = Line(PLAIN)
    places.dialled(PLAIN, line)
    assert origins(places) == []
    places.lost(line)
    assert origins(places) == [later.origin]
    places.undialled(OTHER, None)
    places.drop(later)
    assert origins(places) == [latest.origin]


def test_an_unused_connection_of_another_origin_makes_place() -> None:
    """But not one in use, and none while there is room in the table."""
    places = table(2)
    unused, used = Line(PLAIN), Line(PLAIN)
    connected(places, unused, used)
    assert places.spare() is None
    assert places.take(PLAIN) is used
    places.queue(TLS)
    assert origins(places) == []
    assert places.spare() is unused
    places.lost(unused)
    assert origins(places) == [TLS]
    assert places.spare() is None


def test_a_failed_dial_fails_those_that_it_was_for() -> None:
    """One request where connections are not shared, all that wait where they are."""
    failure = OSError("no")
    places = table()
    one, two = places.queue(PLAIN), places.queue(PLAIN)
    origins(places)
    assert places.undialled(PLAIN, failure) == [one]
    assert (one.failure, two.failure) == (failure, None)
    three, four = places.queue(TLS), places.queue(TLS)
    origins(places)
    assert places.undialled(TLS, failure) == [three, four]
    assert origins(places) == []


def test_a_dial_that_was_called_off_is_made_again_for_those_who_still_wait() -> None:
    """It fails nobody."""
    places = table()
    ticket = places.queue(PLAIN)
    origins(places)
    assert places.undialled(PLAIN, None) == []
    assert not ticket.is_settled
    assert origins(places) == [PLAIN]


def test_a_request_given_up_tells_how_many_dials_serve_nobody() -> None:
    """A shared dial is of use while one request waits for it."""
    places = table()
    tickets = [places.queue(PLAIN) for _ in range(3)]
    origins(places)
    assert [places.drop(ticket) for ticket in tickets] == [1, 2, 3]
    shared = [places.queue(TLS) for _ in range(3)]
    origins(places)
    assert [places.drop(ticket) for ticket in shared] == [0, 0, 1]


def test_a_ticket_knows_whether_a_dial_is_for_it() -> None:
    """Then its wait is bounded by the connect timeout, not by the pool's."""
    places = table(1)
    first, second = places.queue(PLAIN), places.queue(PLAIN)
    origins(places)
    assert [places.will_be_dialled(first), places.will_be_dialled(second)] == [True, False]


def test_dials_take_the_time_that_the_oldest_request_gives_them() -> None:
    """None is for as long as it takes."""
    places = table()
    places.queue(TLS, connect_timeout=2.5)
    places.queue(TLS, connect_timeout=9)
    assert places.dials() == [(TLS, 2.5)]


@pytest.mark.requirement("HTU-01")
def test_unused_connections_are_closed_by_age_and_beyond_the_limit() -> None:
    """The oldest first; one that carries a request is not unused."""
    places = table()
    lines = [Line(PLAIN) for _ in range(4)]
    connected(places, *lines)
    for age, line in enumerate(lines):
        line.idle_since = float(age)
    assert places.unused(since=0.5, limit=9, limit_since=9) == lines[:1]
    assert places.unused(since=-1, limit=2, limit_since=9) == lines[:2]
    assert places.unused(since=-1, limit=2, limit_since=0) == lines[:1]
    assert places.take(PLAIN) is lines[3]
    assert places.unused(since=9, limit=9, limit_since=9) == lines[:3]


def test_strangers_and_double_news_change_nothing() -> None:
    """A connection that was never in the table, or is not any more."""
    places = table()
    line = Line(PLAIN)
    assert places.changed(line) == []
    places.lost(line)
    connected(places, line)
    places.lost(line)
    places.lost(line)
    assert places.changed(line) == []
    assert places.connections == []
    assert repr(places) == "<Places 0 of 10 (http://a.example:80: 0 open, 0 dialled, 0 waiting)>"
    assert repr(table()) == "<Places 0 of 10 (empty)>"


class Life(RuleBasedStateMachine):
    """Any order of events: nobody is forgotten, nobody is served twice, and the bounds hold."""

    MOST = 4

    def __init__(self) -> None:
        super().__init__()
        self.places = table(self.MOST)
        self.lines: list[Line] = []
        self.dialling: list[Origin] = []
        self.waiting: list[Ticket[Line]] = []
        self.users: Counter[Line] = Counter()

    def settle(self) -> None:
        """Take note of who was served, and dial."""
        for ticket in [t for t in self.waiting if t.connection is not None]:
            self.waiting.remove(ticket)
            self.users[ticket.connection] += 1
        self.dialling += origins(self.places)
        if (spare := self.places.spare()) is not None:
            assert not spare.in_flight
            self.lines.remove(spare)
            self.places.lost(spare)
            self.dialling += origins(self.places)

    @rule(origin=st.sampled_from([PLAIN, TLS, OTHER]))
    def request(self, origin: Origin) -> None:
        line = self.places.take(origin)
        if line is not None:
            self.users[line] += 1
        else:
            self.waiting.append(self.places.queue(origin))
        self.settle()

    @precondition(lambda self: self.dialling)
    @rule(pick=st.randoms(use_true_random=False), streams=st.integers(0, 3))
    def connect(self, pick, streams: int) -> None:
        origin = self.dialling.pop(pick.randrange(len(self.dialling)))
        line = Line(origin, streams=streams if origin is TLS else 1, shares=origin is TLS)
        self.lines.append(line)
        self.places.dialled(origin, line)
        self.settle()

    @precondition(lambda self: self.dialling)
    @rule(pick=st.randoms(use_true_random=False), called_off=st.booleans())
    def fail(self, pick, called_off: bool) -> None:
        origin = self.dialling.pop(pick.randrange(len(self.dialling)))
        failed = self.places.undialled(origin, None if called_off else OSError())
        self.waiting = [ticket for ticket in self.waiting if ticket not in failed]
        self.settle()

    @precondition(lambda self: any(line.is_barred for line in self.lines))
    @rule(streams=st.integers(1, 3))
    def allow(self, streams: int) -> None:
        line = next(line for line in self.lines if line.is_barred)
        line.streams = streams
        self.places.changed(line)
        self.settle()

    @precondition(lambda self: +self.users)
    @rule(pick=st.randoms(use_true_random=False))
    def answer(self, pick) -> None:
        line = pick.choice(list(+self.users))
        self.users[line] -= 1
        finish(self.places, line)
        self.settle()

    @precondition(lambda self: self.waiting)
    @rule(pick=st.randoms(use_true_random=False))
    def give_up(self, pick) -> None:
        self.places.drop(self.waiting.pop(pick.randrange(len(self.waiting))))
        self.settle()

    @precondition(lambda self: self.lines)
    @rule(pick=st.randoms(use_true_random=False))
    def lose(self, pick) -> None:
        line = self.lines.pop(pick.randrange(len(self.lines)))
        del self.users[line]
        line.streams, line.is_lost = 0, True
        self.places.lost(line)
        self.settle()

    @invariant()
    def bounded(self) -> None:
        assert len(self.lines) + len(self.dialling) <= self.MOST
        assert all(line.in_flight == self.users[line] <= max(line.streams, line.in_flight) for line in self.lines)

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        """Whoever waits has a dial under way, finds the table full of others' work, or was told twice to wait."""
        for origin in {ticket.origin for ticket in self.waiting}:
            assert not any(line.room for line in self.lines if line.origin == origin)
            told = [line.is_barred for line in self.lines if line.origin == origin][-BARRED_IN_A_ROW:]
            if origin not in self.dialling and told != [True] * BARRED_IN_A_ROW:
                assert len(self.lines) + len(self.dialling) == self.MOST


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
