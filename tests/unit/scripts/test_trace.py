from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts import trace

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """
# adapter_api

| ID | level | text |
|---|---|---|
| ADP-01 | MUST | Started comes once. |
| ADP-02 | MAY | Later. planned: needs the second engine |
"""
TEST = '''
import pytest

@pytest.mark.requirement("ADP-01")
def test_started_comes_once():
    """Once."""
'''
FEATURE = """
@ADP-01 @slow
Feature: Order
  # @ADP-77 is only talk
  @ADP-02
  Scenario: One start
    Given a stream
"""


def write(root: Path, name: str, text: str) -> None:
    """Put *text* at *name* below *root*."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root whose one spec is fully traced and whose file is fresh."""
    write(tmp_path, "specs/adapter_api.md", SPEC)
    write(tmp_path, "tests/unit/test_order.py", TEST)
    write(tmp_path, "adapter_api/order.py", '"""\nOrder.\n\nSpec: ADP-01, ADP-02\n"""\n')
    assert trace.main([], root=tmp_path) == 0
    return tmp_path


def verdict(root: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the check says when it fails."""
    assert trace.main(["--check"], root=root) == 1
    return capsys.readouterr().err


def test_the_file_leads_from_each_id_to_its_spec_tests_and_code(tree: Path) -> None:
    """Every id has a row below its spec, with its tests or the reason why there are none yet."""
    text = (tree / "specs" / "traceability.md").read_text("utf-8")
    assert "## specs/adapter_api.md" in text
    assert "| ADP-01 | MUST | `tests/unit/test_order.py::test_started_comes_once` | `adapter_api/order.py` |" in text
    assert "| ADP-02 | MAY | planned: needs the second engine | `adapter_api/order.py` |" in text
    assert trace.main(["--check"], root=tree) == 0


def test_an_id_without_a_test_fails_the_check(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row owes a test unless it says why not yet."""
    write(tree, "specs/adapter_api.md", SPEC + "| ADP-03 | MUST | Alone. planned: |\n")
    assert "ADP-03 (specs/adapter_api.md) has no test" in verdict(tree, capsys)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tests/unit/test_other.py", TEST.replace("ADP-01", "ADP-99")),
        ("features/order.feature", FEATURE.replace("ADP-02", "ADP-99")),
        ("adapter_api/other.py", '"""\nOther.\n\nSpec: ADP-99\n"""\n'),
    ],
)
def test_an_unknown_id_fails_the_check(tree: Path, capsys: pytest.CaptureFixture[str], name: str, text: str) -> None:
    """A test, a feature tag or a Spec line that names an id no spec defines is a mistake."""
    write(tree, name, text)
    assert f"no spec defines ADP-99, named by {name}" in verdict(tree, capsys)


def test_an_id_defined_twice_fails_the_check(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One id has one home."""
    write(tree, "specs/http_util.md", SPEC)
    assert "ADP-01 is defined in specs/adapter_api.md and again in specs/http_util.md" in verdict(tree, capsys)


def test_a_marker_that_is_no_literal_fails_the_check(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ids are read without running the tests, so they must stand in the source."""
    write(tree, "tests/unit/test_other.py", TEST.replace('"ADP-01"', "NAME"))
    assert "tests/unit/test_other.py:4: requirement() takes literal ids, not NAME" in verdict(tree, capsys)


def test_a_stale_file_fails_the_check(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that a run would write differently is stale."""
    write(tree, "tests/unit/test_order.py", TEST.replace("_once", "_first"))
    assert "traceability.md is stale" in verdict(tree, capsys)


def test_tags_belong_to_what_follows_them() -> None:
    """A tag above the feature names the feature, one above a scenario the scenario; other tags are no ids."""
    assert [(mention.id, mention.place) for mention in trace.feature_mentions(FEATURE, "f")] == [
        ("ADP-01", "f: Order"),
        ("ADP-02", "f: One start"),
    ]


def test_markers_on_classes_modules_and_parameters_are_found() -> None:
    """Wherever pytest accepts the marker, it is read."""
    text = (
        'pytestmark = pytest.mark.requirement("ADP-01")\n'
        '@pytest.mark.requirement("ADP-02", "ADP-03")\n'
        "class TestOrder:\n"
        '    @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.requirement("ADP-04"))])\n'
        "    async def test_x(self, x): ...\n"
    )
    assert sorted((mention.id, mention.place) for mention in trace.marker_mentions(text, "m")) == [
        ("ADP-01", "m"),
        ("ADP-02", "m::TestOrder"),
        ("ADP-03", "m::TestOrder"),
        ("ADP-04", "m::TestOrder::test_x"),
    ]


def test_without_specs_there_is_nothing_to_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty tree passes, and says so."""
    assert trace.main(["--check"], root=tmp_path) == 0
    assert "nothing to trace" in capsys.readouterr().out
