from __future__ import annotations

import pytest

from benchmarks.goals import Goal, Verdict
from benchmarks.results import Figure, Results, about
from benchmarks.rows import goal_rows


@pytest.fixture
def results():
    """Two clients over two rounds, the second round on a slower machine, and one that failed."""

    def figure(client: str, values: list[float], error: str = "") -> Figure:
        return Figure(scenario="tiny-tasks", wire="http2", client=client, values=values, error=error)

    return Results(
        about={"rounds": 2},
        figures=[figure("raw", [10.0, 50.0]), figure("adapter", [40.0, 250.0]), figure("openai", [], "it failed")],
        left_out={"litellm": "not installed"},
    )


def test_what_is_kept_in_a_file_comes_back(results, tmp_path):
    """A report can be made later."""
    results.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == results


def test_a_ratio_needs_both_sides(results):
    """4 and 5 times in the two rounds; a client that failed is no base."""
    assert results.ratio("tiny-tasks", "http2", "adapter", "raw") == 4.5
    assert results.ratio("tiny-tasks", "http2", "adapter", "openai") is None
    assert results.ratio("tiny-tasks", "http1", "adapter", "raw") is None


def test_a_ratio_to_nothing_is_none(results):
    """A growth of zero bytes is no base."""
    results.figures[0] = Figure(scenario="tiny-tasks", wire="http2", client="raw", values=[0.0, 1.0])
    assert results.ratio("tiny-tasks", "http2", "adapter", "raw") is None


@pytest.mark.parametrize(
    ("bound", "base", "at_least", "is_met"),
    [
        (4.5, "raw", False, True),
        (4.4, "raw", False, False),
        (4.5, "raw", True, True),
        (4.6, "raw", True, False),
        (145.0, "", False, True),
        (144.0, "", False, False),
    ],
)
def test_a_goal_bounds_a_ratio_or_a_figure_from_above_or_from_below(results, bound, base, at_least, is_met):
    """The bound itself still meets the goal."""
    goal = Goal(scenario="tiny-tasks", wire="http2", bound=bound, base=base, at_least=at_least)
    measured = goal.measured(results)
    assert measured is not None
    assert goal.is_met(measured) is is_met


def test_a_goal_of_which_nothing_was_measured_is_neither_met_nor_missed(results):
    """It is shown where all goals are."""
    goal = Goal(scenario="memory", wire="http2", bound=1.0)
    assert goal.measured(results) is None
    assert goal.verdict(results) is Verdict.NOT_MEASURED
    assert [row[-1] for row in goal_rows(results)[1:]] == [Verdict.MET]
    assert [row[-1] for row in goal_rows(results, all_of_them=True)[1:]].count(Verdict.NOT_MEASURED) == 22


def test_a_goal_to_a_client_that_failed_is_not_met(results):
    """Nor missed: there is no figure."""
    goal = Goal(scenario="tiny-tasks", wire="http2", bound=5.0, base="openai")
    assert goal.verdict(results) is Verdict.FAILED


@pytest.mark.parametrize(
    ("scenario", "verdict"),
    [
        ("tiny-tasks", Verdict.MISSED),
        ("held-streams", Verdict.NOT_BY_A_QUICK_RUN),
        ("growth", Verdict.NOT_BY_A_QUICK_RUN),
        ("long-stream", Verdict.NOT_BY_A_QUICK_RUN),
    ],
)
def test_a_quick_run_misses_no_goal_that_it_cannot_meet(results, scenario, verdict):
    """It holds at most 400 streams, and its streams are too short to show growth."""
    results.figures.append(Figure(scenario=scenario, wire="http2", client="adapter", values=[400.0, 400.0]))
    goal = Goal(scenario=scenario, wire="http2", bound=1.0)
    assert goal.verdict(results) is Verdict.MISSED
    results.about = about(2, quick=True)
    assert goal.verdict(results) is verdict
    assert results.is_quick
