"""Which address is tried when: without a socket and without a clock."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from http_util.engine.addresses import STAGGER, Race, addresses_of

SIX = [ipaddress.ip_address(f"2001:db8::{n}") for n in range(1, 4)]
FOUR = [ipaddress.ip_address(f"192.0.2.{n}") for n in range(1, 4)]


def entry(address: object) -> tuple[object, ...]:
    """What a resolver returns for one address."""
    family = socket.AF_INET if ":" not in str(address) else socket.AF_INET6
    return (family, socket.SOCK_STREAM, 6, "", (str(address), 443, *((0, 0) if family is socket.AF_INET6 else ())))


@pytest.mark.parametrize(
    ("found", "order"),
    [
        ([], []),
        ([FOUR[0]], [FOUR[0]]),
        ([*SIX[:2], *FOUR[:2]], [SIX[0], FOUR[0], SIX[1], FOUR[1]]),
        ([FOUR[0], *SIX], [FOUR[0], *SIX]),
        ([*SIX, FOUR[0]], [SIX[0], FOUR[0], SIX[1], SIX[2]]),
        ([*FOUR, SIX[0]], [FOUR[0], SIX[0], FOUR[1], FOUR[2]]),
        ([SIX[0], SIX[0], FOUR[0], SIX[0]], [SIX[0], FOUR[0]]),
    ],
)
def test_families_take_turns_and_the_resolvers_first_address_stays_first(found: list[object], order: object) -> None:
    """Each address once, the resolver's order inside each family."""
    assert addresses_of([entry(address) for address in found]) == order


def test_the_zone_of_an_address_is_left_out_and_what_is_no_address_too() -> None:
    """Some resolvers write a zone behind link-local addresses, and some families have no addresses of ours."""
    odd = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1%eth0", 443, 0, 2))
    other = (socket.AF_UNIX, socket.SOCK_STREAM, 0, "", ("/run/socket", 0))
    assert addresses_of([odd, other]) == [ipaddress.ip_address("fe80::1")]


def test_the_next_address_is_tried_when_the_one_before_had_a_quarter_of_a_second() -> None:
    """Not earlier, by the clock that is given."""
    race = Race([SIX[0], FOUR[0], SIX[1]])
    assert race.next(100.0) == SIX[0]
    assert race.next(100.0) is None
    assert race.wait(100.1) == pytest.approx(STAGGER - 0.1)
    assert race.next(100.0 + STAGGER - 0.001) is None
    assert race.next(100.0 + STAGGER) == FOUR[0]
    assert race.wait(100.0 + STAGGER) == STAGGER
    assert race.next(100.0 + 2 * STAGGER) == SIX[1]
    assert race.wait(200.0) is None
    assert race.next(200.0) is None


def test_a_failure_brings_the_next_address_at_once_and_its_own_quarter_of_a_second() -> None:
    """The time begins anew with each attempt."""
    race = Race([SIX[0], FOUR[0], SIX[1]])
    assert race.next(0.0) == SIX[0]
    race.failed()
    assert race.wait(0.05) == 0.0
    assert race.next(0.05) == FOUR[0]
    assert race.next(0.05) is None
    assert race.wait(0.05) == STAGGER


def test_a_race_is_lost_when_every_address_has_failed_and_not_before() -> None:
    """As long as one is under way or left, there is hope."""
    race = Race([SIX[0], FOUR[0]])
    assert race.next(0.0) == SIX[0]
    assert not race.is_lost
    assert race.next(1.0) == FOUR[0]
    race.failed()
    assert not race.is_lost
    race.failed()
    assert race.is_lost


def test_a_late_wake_up_starts_one_address_and_not_all_that_are_overdue() -> None:
    """A loop that was busy for a second does not then knock at every door."""
    race = Race([*SIX, *FOUR])
    race.next(0.0)
    assert race.next(60.0) == SIX[1]
    assert race.next(60.0) is None
