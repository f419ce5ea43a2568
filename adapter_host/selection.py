"""
Which pool and which replica take a task. Pure: facts in, a choice out.

Spec: AH-1007, HST-02
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from adapter_api import InvalidTask

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from adapter_api import Placement


def placed_pool(pool_id: str, placement: Placement | None, bound: Collection[str], *, allow_pin: bool) -> str:
    """
    The pool that a task goes to: the one it is pinned to, or else *pool_id*.

    Args:
        pool_id: Where the caller submits it.
        placement: The task's own wish.
        bound: The pools that there are.
        allow_pin: Whether a task may choose its pool itself.

    Raises:
        InvalidTask: The pin names no pool, one that is not bound, or another one than the caller while pins are off.

    Example:
        >>> from adapter_api import Placement
        >>> placed_pool("chat", Placement(mode="pin", pin_pool_id="big"), ["chat", "big"], allow_pin=True)
        'big'

    Spec: AH-1007
    """
    if placement is None or placement.mode != "pin":
        return pool_id
    pin = placement.pin_pool_id
    if pin is None:
        raise InvalidTask("placement.pin_pool_id", "is required with mode pin")
    if pin != pool_id and not allow_pin:
        raise InvalidTask("placement.pin_pool_id", f"expected {pool_id!r}, for tasks may not choose their pool here")
    if pin not in bound:
        raise InvalidTask("placement.pin_pool_id", f"expected one of {', '.join(bound) or 'no pool'}, got {pin!r}")
    return pin


class Candidate(NamedTuple):
    """What is known of one replica at this moment."""

    replica_id: str
    is_ready: bool
    in_flight: int
    """Tasks that this host has there."""
    slots_free: int | None
    """Places left, when the replica said how many it has."""
    turn: int
    """When it was last chosen, as a growing number; 0 for never."""


def choose(candidates: Iterable[Candidate]) -> str | None:
    """
    The replica that should take the next task; None when none is ready.

    When every ready replica says how many places it has left, the one with the most wins; otherwise the one with the
    fewest of our tasks. Equals take turns. A full replica is still chosen when all are full: what we know of its places
    may be old, and the replica itself refuses.

    Example:
        >>> choose([Candidate("a", True, 2, 6, 1), Candidate("b", True, 1, 4, 2), Candidate("c", False, 0, 9, 0)])
        'a'
        >>> choose([Candidate("a", True, 2, None, 1), Candidate("b", True, 1, 4, 2)])
        'b'

    Spec: HST-02
    """
    ready = [candidate for candidate in candidates if candidate.is_ready]
    if not ready:
        return None
    all_known = all(candidate.slots_free is not None for candidate in ready)
    return min(ready, key=lambda one: (-(one.slots_free or 0) if all_known else 0, one.in_flight, one.turn)).replica_id
