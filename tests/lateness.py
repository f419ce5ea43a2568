"""Bounds in time that hold for the code, on a machine that may stop us at any moment."""

from __future__ import annotations

import contextlib
import functools
import inspect
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLAYS: Final = 3
"""How often a bound may be missed, less one: a pause of the machine misses it once, a fault in the code every time."""


class Late(AssertionError):
    """Something came after its bound."""


def in_time(took: float, bound: float, what: str = "") -> None:
    """
    See that *took* seconds are fewer than *bound*.

    Raises:
        Late: They are not.
    """
    if not took < bound:
        raise Late(f"{what or 'it'} took {took:.3f} s; {bound:.3f} s are allowed")


def late_only_once(test: Callable[..., Any]) -> Callable[..., Any]:
    """
    Play a test again, up to `PLAYS` times in all, when it fails by `Late` alone.

    A hypervisor that takes the core away, a neighbour on it, or a collection of the test run's own garbage delays any
    code by more than the tightest promises allow. Whatever is not about time fails at the first play. A simulator
    among the test's fixtures is emptied before the next one.
    """
    if inspect.iscoroutinefunction(test):

        @functools.wraps(test)
        async def play_async(**fixtures: Any) -> None:
            for left in reversed(range(PLAYS)):
                with _lateness_forgiven(fixtures, left):
                    await test(**fixtures)
                    return

        return play_async

    @functools.wraps(test)
    def play(**fixtures: Any) -> None:
        for left in reversed(range(PLAYS)):
            with _lateness_forgiven(fixtures, left):
                test(**fixtures)
                return

    return play


@contextlib.contextmanager
def _lateness_forgiven(fixtures: dict[str, Any], left: int) -> Iterator[None]:
    """Go on after `Late`, ready for the next play, while any are *left*."""
    try:
        yield
    except Late:
        if not left:
            raise
        if "simulator" in fixtures:
            fixtures["simulator"].reset()
