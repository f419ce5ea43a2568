"""The programs of the README are the files in examples/, and they run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import upstream_simulator

ROOT: Final = Path(__file__).parents[2]
PROGRAMS: Final = ("first_stream.py", "through_the_host.py", "typed_client.py")


def run(program: str, *arguments: str) -> str:
    """What an example prints."""
    return _ran(program, *arguments, is_good=True).stdout


def complaint(program: str, *arguments: str) -> str:
    """What an example says that cannot do its work."""
    return _ran(program, *arguments, is_good=False).stderr


def _ran(program: str, *arguments: str, is_good: bool) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / program), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode == 0) is is_good, ran.stderr
    return ran


@pytest.mark.requirement("DOC-02")
def test_the_readme_shows_the_examples_as_they_are() -> None:
    """A reader who copies from the README has the file, but for its first line."""
    shown = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    for program, code in zip(PROGRAMS, shown, strict=True):
        assert (ROOT / "examples" / program).read_text().partition("\n\n")[2] == code


@pytest.mark.requirement("DOC-02")
def test_the_first_stream_prints_tokens_and_their_evidence() -> None:
    """With nothing but the simulator."""
    assert "12 tokens, evidence: finish_reason" in run("first_stream.py")


@pytest.mark.requirement("DOC-02", "CLI-10")
def test_the_typed_client_prints_an_answer_and_the_same_streamed() -> None:
    """The simulator answers alike both ways."""
    whole, streamed = run("typed_client.py").splitlines()
    assert whole == streamed != ""


@pytest.mark.requirement("CLI-21")
def test_many_embeddings_are_made_in_few_requests() -> None:
    """With its progress shown."""
    printed = run("many_embeddings.py")
    assert printed.startswith("64 of 200 embedded\n")
    assert printed.endswith("200 vectors of 8 numbers in 4 requests\n")


@pytest.mark.requirement("DOC-02")
def test_the_host_program_answers_from_a_configuration(tmp_path: Path) -> None:
    """With the configuration of a pool `chat`."""
    with upstream_simulator.start() as upstream:
        file = tmp_path / "adapter-host.toml"
        file.write_text(
            '[pools.chat]\nadapter = "openai-http"\n'
            f'[pools.chat.settings]\nbase_url = "{upstream.base_url}"\nmodel = "demo"\nretry = "none"\n'
        )
        assert run("through_the_host.py", str(file)).endswith(" length\n")


@pytest.mark.requirement("DOC-02")
def test_the_host_program_says_what_it_lacks_in_one_line(tmp_path: Path) -> None:
    """No argument, no such file, no such pool: no traceback."""
    empty = tmp_path / "empty.toml"
    empty.touch()
    assert complaint("through_the_host.py") == "usage: python through_the_host.py adapter-host.toml\n"
    for argument, says in (("nowhere.toml", "cannot be read: No such file"), (str(empty), "pool_unknown")):
        (line,) = complaint("through_the_host.py", argument).splitlines()
        assert says in line
