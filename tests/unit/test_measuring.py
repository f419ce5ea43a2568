from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.measuring import Measuring, unmeasured, unmeasured_children

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFTEST = Path(__file__).parents[2] / "conftest.py"


class Tracer:
    """Stands for coverage's: `data` holds the ways that were seen in each file."""

    def __init__(self) -> None:
        self.data: dict[str, set[int]] = {"module.py": set()}

    def __call__(self, *event: object) -> None:
        """Want to hear of no line."""


@pytest.fixture
def tracer() -> Iterator[Tracer]:
    """The only tracer while the test runs."""
    fake, before, before_threads = Tracer(), sys.gettrace(), threading.gettrace()
    sys.settrace(fake)
    threading.settrace(fake)
    yield fake
    threading.settrace(before_threads)
    sys.settrace(before)


def was_measured(measuring: Measuring, tracer: Tracer, *ways: int, test: str = "test_a") -> bool:
    """Run a case that goes *ways*; tell whether it was looked at."""
    with measuring.case_of(test):
        if is_measured := sys.gettrace() is tracer:
            tracer.data["module.py"].update(ways)
    assert sys.gettrace() is tracer
    return is_measured


def test_a_test_is_measured_until_its_cases_show_nothing_new(tracer: Tracer) -> None:
    """What the first case shows is new; so many that show nothing have to follow in a row."""
    subject = Measuring(patience=3)
    assert [was_measured(subject, tracer, 1, 2) for _ in range(6)] == [True] * 4 + [False] * 2


def test_something_new_starts_the_patience_anew(tracer: Tracer) -> None:
    """One more way, in whichever file, and the cases after it are looked at as at the beginning."""
    subject = Measuring(patience=3)
    ways = [1, 1, 1, 2, 1, 2, 1, 1]
    assert [was_measured(subject, tracer, way) for way in ways] == [True] * 7 + [False]


def test_each_test_is_judged_by_itself(tracer: Tracer) -> None:
    """One that is known says nothing of another one."""
    subject = Measuring(patience=1)
    assert [was_measured(subject, tracer, 1) for _ in range(3)] == [True, True, False]
    assert was_measured(subject, tracer, 1, test="test_b")


def test_nothing_is_touched_when_nobody_measures() -> None:
    """A debugger's tracer, which counts no ways, stays where it is."""
    before = sys.gettrace()
    subject = Measuring(patience=0)
    sys.settrace(seen := lambda *event: None)
    try:
        with subject.case_of("test_a"):
            assert sys.gettrace() is seen
    finally:
        sys.settrace(before)


def test_threads_started_inside_are_not_measured_either(tracer: Tracer) -> None:
    """The engine of blocking clients is a thread; those started afterwards are measured again."""
    seen: list[Any] = []

    def look() -> None:
        seen.append(sys.gettrace())

    for block in (unmeasured(), nullcontext()):
        with block:
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
    assert seen == [None, tracer]


def test_an_error_leaves_the_tracer_as_it_was(tracer: Tracer) -> None:
    """A case that fails is no reason to stop measuring the others."""
    with pytest.raises(ZeroDivisionError), unmeasured():
        _ = 1 / 0
    assert (sys.gettrace(), threading.gettrace()) == (tracer, tracer)


def test_children_are_started_without_what_would_measure_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """And have everything else of the environment; ours is whole again afterwards."""
    monkeypatch.setenv("COVERAGE_PROCESS_CONFIG", "x")
    monkeypatch.setenv("HOME_TOWN", "y")
    code = "import os; print([name for name in os.environ if name in ('COVERAGE_PROCESS_CONFIG', 'HOME_TOWN')])"
    with unmeasured_children():
        told = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "['HOME_TOWN']"
    assert os.environ["COVERAGE_PROCESS_CONFIG"] == "x"


def test_only_parametrised_tests_are_judged(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tracer: Tracer
) -> None:
    """All cases of a function count together; one without cases is measured, a marked one as its mark says."""
    (conftest,) = [
        plugin
        for plugin in request.config.pluginmanager.get_plugins()
        if getattr(plugin, "__file__", None) == str(CONFTEST)
    ]
    judged: list[str] = []
    measured: list[str] = []

    def case_of(test: str) -> nullcontext[None]:
        judged.append(test)
        return nullcontext()

    monkeypatch.setattr(conftest, "MEASURING", SimpleNamespace(case_of=case_of))
    for name, case, marks in (
        ("a", "[1]", ()),
        ("a", "[[2]]", ()),
        ("b", "", ()),
        ("c", "[1]", ("unmeasured",)),
        ("d", "[1]", ("measured",)),
    ):
        item = SimpleNamespace(nodeid=f"a.py::test_{name}{case}", get_closest_marker=marks.count)
        if case:
            item.callspec = ...
        running = conftest.pytest_runtest_protocol(item)
        next(running)
        measured += [name] if sys.gettrace() is tracer else []
        with pytest.raises(StopIteration) as ended:
            running.send(item)
        assert ended.value.value is item
    assert judged == ["a.py::test_a", "a.py::test_a"]
    assert measured == ["a", "a", "b", "d"]
