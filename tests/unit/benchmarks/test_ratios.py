from __future__ import annotations

import pytest

from benchmarks.ratios import percentile, ratio


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.01, 1.0), (0.5, 50.0), (0.99, 99.0), (0.991, 100.0), (1.0, 100.0)],
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(share, expected):
    """Of the numbers 1 to 100, in any order."""
    assert percentile([float(number) for number in range(100, 0, -1)], share) == expected


def test_one_late_token_in_fifty_stands_in_the_99th_percentile():
    """A tail of two per cent is seen, one of half a per cent is not."""
    assert percentile([1.0] * 98 + [70.0] * 2, 0.99) == 70.0
    assert percentile([1.0] * 199 + [70.0], 0.99) == 1.0


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.1)])
def test_a_percentile_of_nothing_or_of_no_share_is_refused(values, share):
    """Rather than made up."""
    with pytest.raises(ValueError, match="expected"):
        percentile(values, share)


def test_a_ratio_is_taken_inside_each_round():
    """A round in which the machine was ten times slower leaves the ratio as it is; a ratio of medians would not."""
    assert ratio([20.0, 220.0, 24.0], [10.0, 100.0, 10.0]) == pytest.approx(2.2)


@pytest.mark.parametrize(("values", "base"), [([], []), ([1.0, 2.0], [1.0])])
def test_rounds_that_do_not_pair_make_no_ratio(values, base):
    """A client that missed a round cannot be compared with one that did not."""
    with pytest.raises(ValueError, match="rounds"):
        ratio(values, base)
