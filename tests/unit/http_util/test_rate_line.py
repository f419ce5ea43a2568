"""The line: first come, first served; those behind move up; nobody overtakes."""

from __future__ import annotations

import pytest

from http_util.call import LimitedCall
from http_util.rate_limit import Cost, Limited, LimitType, Permit, RateLimits
from http_util.rate_line import MOST_LINES, Line, Lines, LineStats, Ticket, Usage


def waiting_line(*tokens: int, limits: RateLimits | None = None, room: int = 10) -> tuple[Line, list[Ticket]]:
    """A line whose budget is spent, and a ticket for each of *tokens*."""
    line = Line(limits or RateLimits(requests_per_second=1.0), room=room)
    line.ask(None, 0, 0.0)
    tickets = [Ticket(count) for count in tokens]
    assert all(line.join(ticket) for ticket in tickets)
    return line, tickets


@pytest.mark.requirement("RL-03")
def test_only_the_first_may_start_and_then_the_next_is_first() -> None:
    """In the order of their coming, whoever asks when."""
    line, tickets = waiting_line(0, 0, 0)
    for now in (1.0, 2.0, 3.0):
        assert isinstance(line.ask(tickets[-1], 0, now), Permit if len(tickets) == 1 else Limited)
        if len(tickets) > 1:
            assert isinstance(line.ask(tickets.pop(0), 0, now), Permit)
    assert line.waiting == 0


@pytest.mark.requirement("RL-03")
def test_a_newcomer_does_not_overtake() -> None:
    """Also when there is room for it and not for the first."""
    limits = RateLimits(tokens_per_minute=100)
    line = Line(limits, room=10)
    line.ask(None, 60, 0.0)
    large = Ticket(80)
    line.join(large)
    assert line.ask(None, 10, 1.0) == Limited(LimitType.TOKENS_PER_MINUTE, 60.0)
    assert line.budgets.when(Cost(1, 10), 1.0) is None


@pytest.mark.requirement("RL-03")
def test_each_is_told_the_earliest_moment_of_its_turn() -> None:
    """All before it start first, and their tokens count."""
    line, tickets = waiting_line(0, 0, 0)
    assert [line.ask(ticket, 0, 0.5) for ticket in tickets] == [
        Limited(LimitType.REQUESTS_PER_SECOND, at) for at in (1.0, 2.0, 3.0)
    ]
    assert line.ask(None, 0, 0.5) == Limited(LimitType.REQUESTS_PER_SECOND, 4.0)
    line, tickets = waiting_line(40, 40, limits=RateLimits(requests_per_second=1.0, tokens_per_minute=100))
    assert line.ask(None, 40, 0.5) == Limited(LimitType.TOKENS_PER_MINUTE, 60.5)


@pytest.mark.requirement("RL-03")
def test_a_turn_that_is_due_still_waits_for_the_one_before_it() -> None:
    """The first need only say that it starts."""
    line, tickets = waiting_line(0, 0)
    assert line.ask(tickets[1], 0, 100.0) == Limited(LimitType.REQUESTS_PER_SECOND, 100.0 + 1.0)
    line, tickets = waiting_line(0, 0, limits=RateLimits(requests_per_minute=5))
    assert line.ask(tickets[1], 0, 100.0) == Limited(LimitType.REQUESTS_PER_SECOND, 100.0)
    assert line.ask(tickets[0], 0, 100.0)
    assert isinstance(line.ask(tickets[1], 0, 100.0), Permit)


@pytest.mark.requirement("RL-04")
def test_who_waits_behind_others_is_told_what_they_wait_for() -> None:
    """Where nothing but they are in its way any more."""
    line = Line(RateLimits(requests_per_minute=2), room=10)
    for _ in range(2):
        line.ask(None, 0, 0.0)
    first, second = Ticket(0), Ticket(0)
    line.join(first)
    line.join(second)
    assert line.ask(first, 0, 0.5) == Limited(LimitType.REQUESTS_PER_MINUTE, 60.0)
    assert line.ask(second, 0, 100.0) == Limited(LimitType.REQUESTS_PER_MINUTE, 100.0)


@pytest.mark.requirement("RL-03")
def test_who_leaves_makes_room_for_those_behind() -> None:
    """From the front, the middle or the end, and twice."""
    line, tickets = waiting_line(0, 0, 0, 0)
    for gone in (tickets[0], tickets[2], tickets[2], tickets[3]):
        line.leave(gone)
    assert line.first is tickets[1]
    assert line.waiting == 1
    assert isinstance(line.ask(tickets[1], 0, 1.0), Permit)
    assert line.first is None


@pytest.mark.requirement("RL-03")
def test_a_line_has_only_so_much_room() -> None:
    """One more is not taken; when one leaves, there is room again."""
    line, tickets = waiting_line(0, 0, room=2)
    assert not line.join(Ticket(0))
    assert line.waiting == 2
    line.leave(tickets[1])
    assert line.join(Ticket(0))


def test_a_line_tells_its_numbers() -> None:
    """What started, what waits, what is used of each budget."""
    limits = RateLimits(requests_per_minute=3, tokens_per_minute=100)
    line = Line(limits, room=5, endpoint="https://a:443", family="chat")
    line.ask(None, 30, 0.0)
    line.join(Ticket(0))
    line.refused += 1
    line.budgets.hold(9.0)
    assert line.stats(4.0) == LineStats(
        endpoint="https://a:443",
        family="chat",
        started=1,
        refused=1,
        waiting=1,
        held_for=5.0,
        budgets={LimitType.REQUESTS_PER_MINUTE: Usage(1, 3), LimitType.TOKENS_PER_MINUTE: Usage(30, 100)},
    )


def _ask(family: str, endpoint: str = "https://a:443") -> LimitedCall:
    return LimitedCall(endpoint=endpoint, family=family, request_id=None, tokens=0)


@pytest.mark.requirement("RL-07")
def test_a_family_with_limits_has_a_line_and_the_others_share_one() -> None:
    """At each endpoint."""
    lines = Lines(RateLimits(requests_per_minute=1), {"embeddings": RateLimits(requests_per_minute=7)}, room=5)
    chat, images, embeddings = (lines.of(_ask(name), 0.0) for name in ("chat", "images", "embeddings"))
    assert chat is images is lines.of(_ask("chat"), 5.0)
    assert [line.budgets.rows[0].gauge.limit for line in (chat, embeddings)] == [1, 7]
    assert [(line.endpoint, line.family) for line in lines] == [("https://a:443", ""), ("https://a:443", "embeddings")]
    assert lines.of(_ask("chat", "https://b:443"), 0.0) is not chat
    chat.join(Ticket(0))
    assert repr(lines) == "<3 lines, 1 waiting>"


def test_lines_that_have_nothing_to_remember_are_forgotten() -> None:
    """When there are very many; what still counts or waits is kept."""
    lines = Lines(RateLimits(requests_per_minute=1), {}, room=5)
    used, waited_in = lines.of(_ask("", "https://used:443"), 0.0), lines.of(_ask("", "https://waited:443"), 0.0)
    used.ask(None, 0, 50.0)
    waited_in.join(Ticket(0))
    for number in range(MOST_LINES):
        lines.of(_ask("", f"https://host-{number}:443"), 70.0)
    assert len(list(lines)) < 10
    assert lines.of(_ask("", "https://used:443"), 70.0) is used
    assert lines.of(_ask("", "https://waited:443"), 70.0) is waited_in
