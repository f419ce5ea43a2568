"""The example with the progress bar does what it says."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.openai_client.files.file_app import BLOCK

pytestmark = [pytest.mark.integration, pytest.mark.requirement("CLI-17")]

PROGRAM = Path(__file__).parents[4] / "examples" / "files_with_a_bar.py"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the example."""
    return subprocess.run([sys.executable, str(PROGRAM), *words], capture_output=True, text=True, check=False)


def test_a_file_is_sent_and_fetched_with_a_bar(plain_file_server: str, tmp_path: Path) -> None:
    """What the server says of it is printed, and what it gives is on the disk."""
    path, content = tmp_path / "f", BLOCK * 40
    path.write_bytes(content)
    sent = run(plain_file_server, "send", str(path))
    assert f"{hashlib.sha256(content).hexdigest()}: {len(content)} bytes" in sent.stdout.replace("\n", "")
    assert "100%" in sent.stdout or "MB" in sent.stdout
    fetched = run(plain_file_server, "fetch", str(len(content)), str(tmp_path / "g"))
    assert fetched.returncode == 0, fetched.stderr
    assert (tmp_path / "g").read_bytes() == content


def test_what_goes_wrong_is_told_in_one_line(plain_file_server: str, tmp_path: Path) -> None:
    """A missing file, a missing word."""
    assert (
        run(plain_file_server, "send", str(tmp_path / "none"))
        .stderr.splitlines()[-1]
        .startswith("SerializationError: file: cannot be read")
    )
    assert run(plain_file_server).stderr.startswith("usage:")
