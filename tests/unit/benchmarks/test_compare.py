from __future__ import annotations

import pytest

from benchmarks.compare import compare, expected, ratios
from benchmarks.results import Figure, Results


def test_a_ratio_that_is_more_than_15_percent_worse_fails():
    """1.49 to 1.72 is 15.4 %; 1.71 is 14.8 %."""
    assert [verdict.is_worse for verdict in compare({"a": 1.49, "b": 1.49}, {"a": 1.72, "b": 1.71})] == [True, False]


def test_a_ratio_that_is_better_does_not_fail():
    """However much."""
    (verdict,) = compare({"a": 2.0}, {"a": 0.5})
    assert (verdict.word, verdict.change) == ("ok", -0.75)


def test_a_ratio_of_the_baseline_that_was_not_measured_fails():
    """A client that failed must not pass for one that is as good as before."""
    (verdict,) = compare({"a": 2.0}, {})
    assert (verdict.word, verdict.is_worse) == ("MISSING", True)


def test_a_ratio_that_the_baseline_does_not_know_is_shown_and_does_not_fail():
    """It gets into the baseline with --update."""
    (verdict,) = compare({}, {"a": 9.0})
    assert (verdict.word, verdict.is_worse) == ("new", False)


def test_what_is_not_installed_is_not_expected():
    """Without uvloop only the rows without it are compared."""
    baseline = {"own-reads-64/http1/adapter": 2.0, "own-reads-64/http1/adapter-uvloop": 1.5}
    assert expected(baseline, {"adapter-uvloop": "not installed"}) == {"own-reads-64/http1/adapter": 2.0}


def figure(client: str, values: list[float], scenario: str = "own-reads-64") -> Figure:
    """A figure over HTTP/1.1."""
    return Figure(scenario=scenario, wire="http1", client=client, values=values)


def test_ratios_are_to_the_floor_of_the_same_rounds_and_of_our_clients_only():
    """Microseconds do not appear, peers neither, and a figure that is a ratio already stands as it is."""
    results = Results(
        about={},
        figures=[
            figure("raw", [10.0, 20.0, 10.0]),
            figure("adapter", [20.0, 40.0, 21.0]),
            figure("openai", [200.0, 200.0, 200.0]),
            figure("adapter", [1.1, 1.3, 1.2], "growth"),
        ],
    )
    assert ratios(results) == {"own-reads-64/http1/adapter": 2.0, "growth/http1/adapter": 1.2}


@pytest.mark.parametrize("lacking", ["raw", "adapter"])
def test_a_client_that_failed_gives_no_ratio(lacking):
    """So it will be missing in the comparison."""
    figures = [figure("raw", [10.0]), figure("adapter", [20.0])]
    results = Results(about={}, figures=[each for each in figures if each.client != lacking])
    assert ratios(results) == {}
