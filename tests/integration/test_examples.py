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
PROGRAMS: Final = ("first_stream.py", "through_the_host.py")


def run(program: str, *arguments: str) -> str:
    """What an example prints."""
    command = [sys.executable, str(ROOT / "examples" / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


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
