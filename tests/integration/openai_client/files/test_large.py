"""Two hundred megabytes there and back, in processes of their own, whose memory does not grow with them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.openai_client.files.file_app import BLOCK
from tests.measuring import unmeasured_environment

if TYPE_CHECKING:
    from tests.integration.http_util.engine.real_servers import RealServer

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.requirement("CLI-17")]

SIZE = 200 * 1024 * 1024
GROWTH_KIB = 32 * 1024
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A file of 200 MiB whose every block is where it belongs, and its hash."""
    path, sha = tmp_path_factory.mktemp("large") / "large.bin", hashlib.sha256()
    with path.open("wb") as file:
        left = SIZE
        while left:
            piece = BLOCK[:left]
            file.write(piece)
            sha.update(piece)
            left -= len(piece)
    return path, sha.hexdigest()


def transfer(server: RealServer, *words: str) -> dict[str, object]:
    """Run one transfer and return what it tells."""
    root = Path(__file__).parents[4]
    command = [sys.executable, str(HERE / "transfers.py"), f"{server.url}/v1", str(server.ca_file), *words]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**unmeasured_environment(), "PYTHONPATH": str(root)}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, object] = json.loads(done.stdout)
    return told


@pytest.mark.timeout(240)
def test_a_large_file_is_sent_whole_and_in_little_memory(
    file_server: RealServer, protocol: str, colour: str, large_file: tuple[Path, str]
) -> None:
    """The server's hash is the file's; the sender's memory grows by less than a sixth of it."""
    path, sha = large_file
    name = {"http/1.1": "h1", "h2": "h2"}[protocol]
    told = transfer(file_server, name, colour, "up", str(path), str(SIZE))
    sent, reports, is_whole = told["result"]  # type: ignore[misc] - JSON
    assert (sent, is_whole) == (sha, True)
    assert 100 < reports <= SIZE // 65536 + 2
    assert int(str(told["growth_kib"])) < GROWTH_KIB, told


@pytest.mark.timeout(240)
def test_a_large_file_is_fetched_whole_and_in_little_memory(
    file_server: RealServer, protocol: str, colour: str, large_file: tuple[Path, str], tmp_path: Path
) -> None:
    """What is on the disk is what was sent; `max_response_bytes`, a quarter of it, does not bound it."""
    name = {"http/1.1": "h1", "h2": "h2"}[protocol]
    told = transfer(file_server, name, colour, "down", str(tmp_path / "fetched"), str(SIZE))
    size, reports, is_whole = told["result"]  # type: ignore[misc] - JSON
    assert (told["sha"], size, is_whole) == (large_file[1], SIZE, True)
    assert 100 < reports <= SIZE // 65536 + 2
    assert int(str(told["growth_kib"])) < GROWTH_KIB, told
