from __future__ import annotations

import pytest

from benchmarks.runs import search

LADDER = (25, 50, 100, 200, 400, 800)


@pytest.mark.parametrize(
    ("most", "found", "tried"),
    [
        (1000, 800, [100, 200, 400, 800]),
        (399, 200, [100, 200, 400]),
        (100, 100, [100, 200]),
        (60, 50, [100, 50]),
        (25, 25, [100, 50, 25]),
        (10, 0, [100, 50, 25]),
    ],
)
def test_the_highest_rung_that_holds_is_found_with_few_tries(most, found, tried):
    """From the start upwards while it holds, else downwards."""
    seen = []
    assert search(LADDER, lambda number: seen.append(number) or number <= most, 100) == found
    assert seen == tried
