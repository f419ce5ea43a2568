"""
A fast OpenAI-compatible upstream in a process of its own, on the other core.

`running` starts one and tells where it is. `upstream_simulator` is the honest server, with faults and a whole API; this
one does a single thing, and fast enough that the client under test is what is measured.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.board import Board

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where a running upstream is."""

    http: str
    """Base URL, clear, HTTP/1.1."""
    https: str
    """Base URL, TLS, HTTP/2 or HTTP/1.1 by ALPN."""
    ca_file: str
    board: Path
    """The board that it shares with one client at a time."""


@contextlib.contextmanager
def running(*, max_streams: int = 4096) -> Iterator[Upstream]:
    """
    An upstream that runs as long as the block.

    Args:
        max_streams: Streams that it allows on one HTTP/2 connection.
    """
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        board = Path(folder, "board")
        Board.make(board)
        command = [sys.executable, "-m", "benchmarks.upstream", folder, "--max-streams", str(max_streams)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("the upstream was started without pipes")
            try:
                ready = json.loads(process.stdout.readline())
                yield Upstream(**ready, board=board)
            finally:
                process.stdin.close()
