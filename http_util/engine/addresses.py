"""
Which addresses of a host are tried, in which order and when. Pure.

A host with IPv6 and IPv4 addresses is reached through whichever answers: the families take turns, and an address that
does not answer at once gets company by the next one (RFC 8305, "happy eyeballs"). The first that connects wins.

Spec: HTU-1001
"""

from __future__ import annotations

import math
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, Final

from http_util.urls import IPAddress, literal_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

STAGGER: Final = 0.25
"""Seconds that an address is tried alone, as RFC 8305, section 5, recommends."""


def addresses_of(found: Iterable[Sequence[Any]]) -> list[IPAddress]:
    """
    Return the addresses in what a resolver found, each once, the families in turn.

    The resolver's order is kept inside each family, and its first address stays the first (RFC 8305, section 4).

    Args:
        found: As `socket.getaddrinfo` returns it.
    """
    # dict.fromkeys: each once, in order
    parsed = dict.fromkeys(literal_address(entry[4][0].partition("%")[0]) for entry in found)
    addresses = [address for address in parsed if address is not None]
    first = [address for address in addresses if address.version == addresses[0].version]
    second = [address for address in addresses if address.version != addresses[0].version]
    return [address for address in chain.from_iterable(zip_longest(first, second)) if address is not None]


class Race:
    """
    The schedule of one host's addresses.

    Ask `next` until it gives None, then wait as long as `wait` says or until an attempt is over, report those that
    failed to `failed`, and ask again.

    >>> race = Race([literal_address("::1"), literal_address("127.0.0.1")])
    >>> race.next(now=10.0), race.next(now=10.0), race.wait(now=10.0)
    (IPv6Address('::1'), None, 0.25)
    >>> race.failed()
    >>> race.next(now=10.1), race.is_lost
    (IPv4Address('127.0.0.1'), False)
    """

    __slots__ = ("_due", "_left", "_running", "_stagger")

    def __init__(self, addresses: Sequence[IPAddress], *, stagger: float = STAGGER) -> None:
        """
        Plan the attempts.

        Args:
            addresses: In the order in which they are tried.
            stagger: Seconds between two of them, when none fails.
        """
        self._left = list(reversed(addresses))
        self._stagger = stagger
        self._running = 0
        self._due = -math.inf

    def next(self, now: float) -> IPAddress | None:
        """
        Return the address to try now, and count it as being tried; None when there is none or it is too early.

        Args:
            now: Monotonic seconds.
        """
        if not self._left or now < self._due:
            return None
        self._due = now + self._stagger
        self._running += 1
        return self._left.pop()

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next address is due, 0 when it is; None when none is left."""
        return max(0.0, self._due - now) if self._left else None

    def failed(self) -> None:
        """Take note that one attempt failed: the next address need not wait for its turn."""
        self._running -= 1
        self._due = -math.inf

    @property
    def is_lost(self) -> bool:
        """Whether every address has failed."""
        return not self._left and not self._running
