from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from benchmarks.clients import KINDS
from benchmarks.plots import Bars, chart
from benchmarks.report import filled, markdown, plot, sections
from benchmarks.results import Figure, Results
from benchmarks.scenarios import BY_NAME

SVG = "{http://www.w3.org/2000/svg}"


def test_only_what_stands_between_the_marks_is_written_anew():
    """What people wrote around it stays, also when the text has backslashes in it."""
    page = "before\n<!-- results -->\nold\n<!-- /results -->\nafter\n"
    once = filled(page, "results", r"new \1")
    assert once == "before\n<!-- results -->\n\nnew \\1\n\n<!-- /results -->\nafter\n"
    assert filled(once, "results", r"new \1") == once


def test_a_page_without_marks_is_refused():
    """Rather than left as it is in silence."""
    with pytest.raises(ValueError, match="no marks"):
        filled("nothing", "results", "new")


def test_numbers_stand_to_the_right():
    """Also where a client failed or has no figure."""
    table = markdown([["client", "us", "x"], ["raw", "1,200", "1"], ["peer", "FAILED", "-"]])
    assert table.splitlines()[1] == "| --- | ---: | ---: |"


def test_bars_are_as_long_as_their_values():
    """On a plain axis, from zero."""
    bars = [Bars("one", "ours", (100.0,)), Bars("two", "peer", (400.0,)), Bars("none", "peer", (None,))]
    drawn = ET.fromstring(chart("Title <&>", "streams", ["HTTP/1.1"], bars, logarithmic=False))
    _background, one, two = (float(rect.get("width")) for rect in drawn.iter(f"{SVG}rect"))
    assert two / one == pytest.approx(4, rel=0.01)


def test_a_logarithmic_axis_gives_every_tenfold_the_same_length():
    """So floor and slowest peer are seen on one chart."""
    bars = [Bars(str(value), "peer", (value,)) for value in (1.0, 10.0, 100.0)]
    drawn = ET.fromstring(chart("Title", "us", ["HTTP/1.1"], bars, logarithmic=True))
    _background, one, ten, hundred = (float(rect.get("width")) for rect in drawn.iter(f"{SVG}rect"))
    assert hundred - ten == pytest.approx(ten - one, abs=1.5)


def test_a_report_shows_every_scenario_that_was_measured_and_who_was_left_out():
    """And no other."""
    figures = [Figure(scenario="tiny-tasks", wire="http1", client=kind.name, values=[10.0, 12.0]) for kind in KINDS[:3]]
    about = {"python": "3.11", "system": "Linux", "rounds": 2, "versions": {"httpx": "0.28.1"}}
    results = Results(about=about, figures=figures, left_out={"litellm": "not installed"})
    text = sections(results)
    assert text.count("### ") == 1
    assert "| raw | 11 | 1 | - |" in text
    assert "litellm was left out: not installed." in text
    assert ET.fromstring(plot(results, BY_NAME["tiny-tasks"])).tag == f"{SVG}svg"
    assert plot(results, BY_NAME["memory"]) is None
