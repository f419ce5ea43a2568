"""What an upstream may get wrong in JSON: any value of another kind at any place, and what is left out or too much."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

WRONG: Final[tuple[Any, ...]] = (
    *(None, True, -1, 1.5, 10**30, "", "x", "AAA", "\ud800"),
    *([], [1], [None], [[]], [{}], [{"index": -1}], [{"index": {}}], [{"index": "x", "type": []}]),
    *({}, {"a": 1}, {"type": {}}, {"type": "message", "content": 5}, {"id": [], "content": [{"type": "output_text"}]}),
)
"""Values of every kind, and some that are nearly right."""

_ADDED: Final = ("choices", "response", "usage", "item", "part", "output", "content", "delta", "type", "id", "index")
"""Names that mean something to some reader, where they have no business."""


def spoilt(whole: Any, rng: Random, most: int) -> Iterator[Any]:
    """
    Yield copies of *whole*, each with something wrong at one place.

    Args:
        whole: Any JSON.
        rng: Says which places and what is wrong, so that the same seed gives the same copies.
        most: Places that are spoilt, and names that are added.
    """
    places = [place for place in _places(whole) if place]
    for place in rng.sample(places, min(most, len(places))):
        yield _with(whole, place, rng.choice(WRONG))
        yield _without(whole, place)
    names = rng.sample(_ADDED, min(most, len(_ADDED)))
    yield from (_with(whole, (name,), rng.choice(WRONG)) for name in names if isinstance(whole, dict))
    yield rng.choice(WRONG)


def _places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value inside of *value*, and to itself."""
    yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inner:
        yield from _places(item, (*here, name))


def _with(whole: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return a copy that has *value* at *place*."""
    made = copy.deepcopy(whole)
    _around(made, place)[place[-1]] = copy.deepcopy(value)
    return made


def _without(whole: Any, place: tuple[Any, ...]) -> Any:
    """Return a copy that has nothing at *place*."""
    made = copy.deepcopy(whole)
    del _around(made, place)[place[-1]]
    return made


def _around(whole: Any, place: tuple[Any, ...]) -> Any:
    """Return what holds the value at *place*."""
    for name in place[:-1]:
        whole = whole[name]
    return whole
