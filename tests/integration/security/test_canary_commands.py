"""What the command line prints holds no credential, on either stream, told for people or for programs."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration.http_util.engine.scripted_http1 import Http1Server
from tests.integration.security import upstreams
from tests.integration.security.canary import BEARER, sightings
from tests.measuring import unmeasured_environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.requirement("SEC-07", "SEC-16", "LOG-05", "HTU-1004"),
]

COMMAND = (sys.executable, "-c", "from adapter_host.cli import main; main()")
COMMANDS = {
    "run": ("run", "--verbose", "Hello"),
    "run for programs": ("run", "--json", "--verbose", "Hello"),
    "check": ("check",),
    "check for programs": ("check", "--json"),
    "config": ("config", "--json"),
}


async def printed(folder: Path, base_url: str, *arguments: str) -> list[tuple[str, str]]:
    """Run a command that is configured for an upstream, and return what it printed."""
    (folder / "adapter-host.toml").write_text(
        f"""
        [pools.chat]
        adapter = "openai-http"
        settings = {{ base_url = "{base_url}/v1", model = "m", api_key = {{ env = "A_KEY" }}, retry = "none" }}
        """.replace("        ", "")
    )
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        cwd=folder,
        env=unmeasured_environment() | {"A_KEY": BEARER},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return [("standard output", out.decode()), ("standard error", err.decode())]


@pytest.mark.parametrize("fault", ["denied", "an error in the stream", "junk", "none"])
@pytest.mark.parametrize("command", COMMANDS)
async def test_no_command_prints_a_credential(tmp_path: Path, command: str, fault: str) -> None:
    """Whatever the upstream says."""
    async with Http1Server(upstreams.http1(fault)).at() as url:
        shown = await printed(tmp_path, url, *COMMANDS[command])
    assert any(text for _, text in shown)
    assert sightings(shown) == []


async def test_a_key_that_cannot_be_used_is_not_printed(tmp_path: Path) -> None:
    """It stands in the environment; the message names the option."""
    (tmp_path / "adapter-host.toml").write_text('[pools.chat]\nadapter = "openai-http"\n')
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("run", "--base-url", "http://127.0.0.1:1/v1", "--model", "m", "--api-key-env", "A_KEY", "Hello"),
        cwd=tmp_path,
        env=os.environ | {"A_KEY": f"{BEARER} and more"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 2
    assert b"--api-key-env: a secret must be printable ASCII" in err
    assert sightings([("out", out.decode()), ("err", err.decode())]) == []
