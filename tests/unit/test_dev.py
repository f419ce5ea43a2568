from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

import dev

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A project of its own, in which commands are only noted down and a sync makes a Python."""
    noted: list[list[str]] = []

    def note(what: str, *command: str | Path) -> None:
        noted.append([str(word) for word in command[1:]])
        if what == "preparing .venv":
            dev.PYTHON.parent.mkdir(parents=True, exist_ok=True)
            dev.PYTHON.touch()

    for name in ("pyproject.toml", "uv.lock"):
        (tmp_path / name).write_text(name, "utf-8")
    venv = tmp_path / ".venv"
    for name, value in {
        "ROOT": tmp_path,
        "VENV": venv,
        "PYTHON": venv / "bin" / "python",
        "STAMP": venv / "stamp",
    }.items():
        monkeypatch.setattr(dev, name, value)
    monkeypatch.setattr(dev, "must", note)
    monkeypatch.setattr(dev, "uv", lambda: tmp_path / "uv")
    return noted


def test_the_first_sync_follows_the_lock_and_the_second_does_nothing(steps: list[list[str]]) -> None:
    """Once .venv is what uv.lock says, no command runs, so no network is needed."""
    dev.sync(dev=True)
    assert steps == [["sync", "--quiet", "--locked", "--all-extras", "--python", sys.executable]]
    dev.sync(dev=True)
    dev.sync(dev=False)
    assert len(steps) == 1


def test_the_tools_are_added_when_they_are_first_needed(steps: list[list[str]]) -> None:
    """What run prepared lacks the tools, so test adds them; run never takes them away."""
    dev.sync(dev=False)
    dev.sync(dev=True)
    assert [("--no-dev" in step, "--inexact" in step) for step in steps] == [(True, True), (False, False)]


def test_a_changed_lock_is_followed(steps: list[list[str]]) -> None:
    """A stamp of another lock counts for nothing, but the environment stays."""
    dev.sync(dev=True)
    (dev.ROOT / "uv.lock").write_text("newer", "utf-8")
    dev.sync(dev=True)
    assert [step[0] for step in steps] == ["sync", "sync"]


@pytest.mark.parametrize("damage", ["no stamp", "moved", "no python"])
def test_an_environment_that_is_half_made_or_moved_is_made_anew(steps: list[list[str]], damage: str) -> None:
    """What was not finished here by this Python is cleared first."""
    dev.sync(dev=True)
    match damage:
        case "no stamp":
            dev.STAMP.unlink()
        case "moved":
            dev.STAMP.write_text(
                "/elsewhere 3.11\n" + "\n".join(dev.STAMP.read_text("utf-8").splitlines()[1:]), "utf-8"
            )
        case _:
            dev.PYTHON.unlink()
    dev.sync(dev=True)
    assert [step[0] for step in steps] == ["sync", "venv", "sync"]
    assert "--clear" in steps[1]


def test_a_sync_that_fails_leaves_no_stamp(steps: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted sync is not taken for a finished one."""
    dev.sync(dev=True)
    (dev.ROOT / "uv.lock").write_text("newer", "utf-8")

    def fail(_what: str, *_command: str | Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dev, "must", fail)
    with pytest.raises(KeyboardInterrupt):
        dev.sync(dev=True)
    assert not dev.STAMP.exists()
    assert len(steps) == 1


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """The environment of somebody who wants no byte code beside the sources; it is as before afterwards."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "elsewhere")
    return os.environ


@pytest.mark.usefixtures("environment")
def test_all_tests_run_side_by_side_and_are_held_to_the_gate(steps: list[list[str]]) -> None:
    """One command measures them on every core, and the measurements of all processes are joined before the gate."""
    dev.test([])
    assert [step[:3] for step in steps[1:]] == [
        ["-m", "coverage", "erase"],
        ["-m", "coverage", "run"],
        ["-m", "coverage", "combine"],
        ["-m", "coverage", "report"],
    ]
    assert steps[2][3:7] == ["-m", "pytest", "-n", "auto"]


def test_processes_of_the_tests_share_byte_code_that_does_not_lie_among_the_sources(
    environment: Mapping[str, str],
) -> None:
    """A test that starts a process does not wait for its modules to be compiled, whatever the caller's habit."""
    dev.keep_bytecode()
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert environment["PYTHONPYCACHEPREFIX"] == str(dev.BYTECODE)
    assert dev.BYTECODE.parent.name == ".dev"


@pytest.mark.usefixtures("steps", "environment")
def test_some_tests_are_what_pytest_makes_of_the_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the caller's process, where a debugger can be: pytest decides whether anything runs beside it."""
    became: list[list[str]] = []
    monkeypatch.setattr(dev.os, "chdir", lambda _folder: None)
    monkeypatch.setattr(dev.os, "execv", lambda _path, words: became.append(words))
    dev.test(["-k", "breaker"])
    assert became[0][1:] == ["-m", "pytest", "-k", "breaker"]


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["rnu"], 2), (["--help"], 0), (["-h"], 0)])
def test_without_a_command_it_says_what_there_is(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage goes to standard output; only those who asked for it get exit code 0."""
    with pytest.raises(SystemExit) as leaving:
        dev.main(arguments)
    assert leaving.value.code == code
    assert "dev.py test [args]" in capsys.readouterr().out


def test_a_command_that_fails_hands_on_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """The caller sees which step failed, and the code of the command that did."""
    with pytest.raises(SystemExit) as leaving:
        dev.must("the try", sys.executable, "-c", "raise SystemExit(7)")
    assert leaving.value.code == 7
    assert "the try failed (exit 7)" in capsys.readouterr().err


def test_an_old_python_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says which Python this is and which is needed."""
    monkeypatch.setattr(dev, "OLDEST_PYTHON", (99, 0))
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed, this is 3\."):
        dev.main(["run"])
