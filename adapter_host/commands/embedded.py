"""
The embedded upstream: the simulator as a child process on loopback, for a first run without any configuration.

It is started, never imported, and ends with its standard input, so it cannot outlive this process.

Spec: HST-15
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import TYPE_CHECKING, Final

from adapter_host.commands.exit_codes import FAILED, CommandError
from http_util.redact import safe_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START_TIMEOUT: Final = 30.0
"""Seconds until the ready line; a cold start on a busy machine takes about 3."""

STOP_TIMEOUT: Final = 5.0

COMMAND: Final = ("-P", "-m", "upstream_simulator", "--exit-with-stdin", "--tokens-per-second", "60")
"""What follows the interpreter. The pace is that of a fast model, so that streaming can be seen."""


@contextlib.asynccontextmanager
async def embedded_upstream(command: tuple[str, ...] = COMMAND) -> AsyncIterator[str]:
    """
    The base URL of an upstream that lives as long as the block.

    Raises:
        CommandError: It does not start.
    """
    # A session of its own: Ctrl-C in the terminal is for this process, which then cancels the task in good order.
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield await _ready(child)
    finally:
        await _stop(child)


async def _ready(child: asyncio.subprocess.Process) -> str:
    """The address in the one JSON line that the child writes when it listens."""
    line, said = b"", b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_TIMEOUT):
            line = await child.stdout.readline() if child.stdout else b""
            if not line and child.stderr:
                said = await child.stderr.read(4096)
    try:
        return str(json.loads(line)["base_url"])
    except (ValueError, KeyError, TypeError):
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2] or "it said nothing"
        raise CommandError(f"the embedded upstream did not start: {safe_message(last)}", FAILED) from None


async def _stop(child: asyncio.subprocess.Process) -> None:
    if child.stdin is not None:
        child.stdin.close()
    try:
        async with asyncio.timeout(STOP_TIMEOUT):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
