from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from benchmarks import report
from benchmarks.clients import KINDS
from benchmarks.goals import GOALS
from benchmarks.missing import NOT_EXPLAINED
from benchmarks.plots import Bars, chart
from benchmarks.report import between, filled, main, markdown, plot, sections, weaknesses, write
from benchmarks.results import Figure, Results
from benchmarks.scenarios import BY_NAME, SCENARIOS

PAGE = "\n".join(f"<!-- {mark} -->\n<!-- /{mark} -->" for mark in ("reading", "goals", "missing", "results"))


def figure(client: str, values: list[float], scenario: str = "own-reads-64", wire: str = "http1") -> Figure:
    """What a client showed."""
    return Figure(scenario=scenario, wire=wire, client=client, values=values)


@pytest.fixture
def results() -> Results:
    """A run that may be kept: floor, ours, and the official SDK, over three rounds."""
    about = {"python": "3.11", "system": "Linux", "rounds": 3, "quick": False, "versions": {"httpx": "0.28.1"}}
    return Results(
        about=about,
        figures=[figure("raw", [10.0] * 3), figure("adapter", [30.0] * 3), figure("openai", [400.0] * 3)],
    )


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
    versions = {"httpx": "0.28.1", "litellm": "1.110.2", "uvloop": "0.23.0"}
    about = {"python": "3.11", "system": "Linux", "rounds": 2, "versions": versions}
    results = Results(about=about, figures=figures, left_out={"litellm": "not installed"})
    text = sections(results, {"tiny-tasks": "folder/tiny-tasks.svg", "memory": "folder/memory.svg"})
    assert text.count("### ") == 1
    assert text.count("![") == 1
    assert "medians of 2 rounds. httpx 0.28.1, uvloop 0.23.0." in text
    assert "| raw | 11 | 1 | - |" in text
    assert "litellm was left out: not installed." in text
    assert ET.fromstring(plot(results, BY_NAME["tiny-tasks"])).tag == f"{SVG}svg"
    assert plot(results, BY_NAME["memory"]) is None


def test_a_run_for_the_record_has_no_weakness(results):
    """What it lacks is named, so that the next one has it."""
    assert weaknesses(results) == []
    poor = Results(about={"rounds": 1, "quick": True}, figures=[figure("adapter", [1.0])])
    assert weaknesses(poor) == [
        "it is a quick run",
        "it has 1 round, and 3 are the fewest",
        "it lacks raw, official SDK",
    ]


def test_a_page_holds_what_the_run_holds_and_says_what_it_does_not(results, tmp_path):
    """Every goal has a row; notes are there for what is shown, and for nothing else."""
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    write(results, page)
    text = page.read_text()
    goals = between(text, "goals")
    assert goals.count("\n| ") == 2 + len(GOALS)
    title = BY_NAME["own-reads-64"].title
    assert f"| {title} | HTTP/1.1 | at most 2 x raw | 3 x | MISSED |" in goals
    assert f"| {title} | HTTP/1.1 | at most 0.09 x official SDK | 0.075 x | met |" in goals
    assert f"| {title} | HTTP/2, TLS | at most 2 x raw | - | not measured |" in goals
    reading = between(text, "reading")
    assert "Beside the adapter stand what people use otherwise: official SDK." in reading
    assert "uvloop" not in reading
    assert "*held*" not in reading
    assert "![" in between(text, "results")


def test_the_reasons_that_people_write_stay_with_their_goals(results, tmp_path, capsys):
    """Also when the figure changes; one that is met goes, and whoever writes is told what waits for a reason."""
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    write(results, page)
    assert "22 goals that are not met wait for a reason in page.md" in capsys.readouterr().err
    row = "| HTTP/1.1 | at most 2 x raw | 3 x | not explained yet |"
    assert row in between(page.read_text(), "missing")
    page.write_text(page.read_text().replace(row, row.replace(NOT_EXPLAINED, "Python"), 1))
    results.figures[1] = figure("adapter", [40.0] * 3)
    write(results, page)
    assert "| HTTP/1.1 | at most 2 x raw | 4 x | Python |" in between(page.read_text(), "missing")
    adapter = results.figures.pop(1)
    write(results, page)
    row = "| HTTP/1.1 | at most 2 x raw | not measured | not explained yet |"
    assert row in between(page.read_text(), "missing")
    page.write_text(page.read_text().replace(row, row.replace(NOT_EXPLAINED, "left out"), 1))
    write(results, page)
    assert "left out" in between(page.read_text(), "missing")
    results.figures.append(adapter)
    write(results, page)
    assert "left out" not in between(page.read_text(), "missing")
    results.figures.remove(adapter)
    results.figures.append(replace(adapter, values=[20.0] * 3))
    write(results, page)
    assert f"| {BY_NAME['own-reads-64'].title} | HTTP/1.1 |" not in between(page.read_text(), "missing")


def test_a_report_shows_everything_that_a_run_can_hold(tmp_path):
    """A section for each scenario, a row for each client, over each wire; and no goal is left."""
    figures = [
        figure(kind.name, [1.0, 1.0, 1.0], scenario.name, wire)
        for scenario in SCENARIOS
        for wire in scenario.wires
        for kind in scenario.kinds(wire)
    ]
    about = {"python": "3.11", "system": "Linux", "rounds": 3, "quick": False, "versions": {}}
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    write(Results(about=about, figures=figures), page)
    text = page.read_text()
    assert [line[4:] for line in text.splitlines() if line.startswith("### ")] == [each.title for each in SCENARIOS]
    for kind in KINDS:
        assert f"\n| {kind.title} |" in between(text, "results")
        if kind.is_peer:
            assert kind.title in " ".join(between(text, "reading").split())
    assert "not measured" not in text
    assert {path.stem for path in (tmp_path / "page").iterdir()} == set(report.DRAWN)


def test_the_committed_page_has_the_marks_and_a_row_for_each_goal():
    """So that a run can be put onto it."""
    text = report.PAGE.read_text()
    for mark in ("reading", "goals", "missing", "results"):
        assert between(text, mark).strip()
    assert between(text, "goals").count("\n| ") == 2 + len(GOALS)
    assert NOT_EXPLAINED not in between(text, "missing")


def test_plots_of_an_earlier_run_are_taken_away(results, tmp_path):
    """Nothing shows them, and they would be taken for this run's."""
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "memory.svg").write_text("old")
    write(results, page)
    assert [path.name for path in folder.iterdir()] == ["own-reads-64.svg"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "results.json cannot be read: No such file or directory"),
        ("no JSON", "results.json is no file that `python -m benchmarks --json FILE` has written"),
        ('{"figures": [{"client": "raw"}]}', "results.json is no file that"),
        ("[]", "results.json is no file that"),
        ("quick", "results.json is not for the record: it is a quick run (--force takes it all the same)"),
    ],
)
def test_what_is_not_for_the_record_is_refused_on_one_line(results, tmp_path, monkeypatch, capsys, content, says):
    """With status 2, and the page as it was; a run that is merely weak is taken when that is asked for."""
    page, file = tmp_path / "page.md", tmp_path / "results.json"
    page.write_text(PAGE)
    monkeypatch.setattr(report, "PAGE", page)
    if content == "quick":
        results.about["quick"] = True
        results.save(file)
    elif content is not None:
        file.write_text(content)
    monkeypatch.setattr("sys.argv", ["report", str(file)])
    with pytest.raises(SystemExit) as left:
        main()
    (line,) = capsys.readouterr().err.splitlines()
    assert left.value.code == 2
    assert says in line
    assert page.read_text() == PAGE
    if content == "quick":
        monkeypatch.setattr("sys.argv", ["report", "--force", str(file)])
        main()
        assert "medians of 3 rounds of a quick run" in " ".join(page.read_text().split())
