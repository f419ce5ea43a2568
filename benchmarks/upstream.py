"""A simulated upstream in a process of its own, so that its CPU is not ours."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def upstream(**options: object) -> Iterator[str]:
    """
    The base URL of a simulator that runs as long as the block.

    Args:
        options: Its command line, as `tokens_per_write=32`.
    """
    flags = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "upstream_simulator", "--exit-with-stdin", *flags]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the simulator was started without pipes")
        ready = json.loads(process.stdout.readline())
        try:
            yield ready["base_url"]
        finally:
            process.stdin.close()
