"""The arithmetic of the tables: percentiles, and ratios taken inside one round."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """
    The smallest value that at least *share* of all values do not exceed.

    Args:
        values: In any order, at least one.
        share: Above 0, at most 1: 0.99 for p99.

    Raises:
        ValueError: No values, or a share out of range.
    """
    if not values:
        raise ValueError("values: expected at least one")
    if not 0 < share <= 1:
        raise ValueError(f"share: expected above 0 and at most 1, got {share!r}")
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1]


def ratio(values: Sequence[float], base: Sequence[float]) -> float:
    """
    How many times *base* *values* are: the median of the ratios of each round.

    Both sides of a ratio come from the same round, so a slow minute of the machine slows both.

    Raises:
        ValueError: The two have not the same number of rounds, or none.
    """
    if len(values) != len(base) or not values:
        raise ValueError(f"expected the same number of rounds, at least one, got {len(values)} and {len(base)}")
    return statistics.median(value / below for value, below in zip(values, base, strict=True))
