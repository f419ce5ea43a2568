"""
Steps for the features of the host. They build and install real distributions, and run the command line on them.

Steps are plain functions that run a loop: pytest-bdd does not await.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from pytest_bdd import given, parsers, then, when

SAMPLE: Final = Path(__file__).parents[2] / "examples" / "sample_plugin"

PLUGIN: Final = """
    from adapter_api import AdapterPlugin
    from adapter_api.hookspecs import hookimpl
    from adapter_api.testing import ScriptedAdapter

    @hookimpl
    def worker_adapter_plugins():
        return AdapterPlugin(name={name!r}, version="1", contract_version={contract!r},
                             factory=ScriptedAdapter, config_schema=dict, policies=dict)
"""
BROKEN: Final = {
    "raises on import": "raise RuntimeError",
    "exits on import": "raise SystemExit(3)",
    "speaks contract 2.0": PLUGIN.format(name="other", contract="2.0"),
    "takes a built-in name": PLUGIN.format(name="openai-http", contract="1.0"),
    "has no hook": "",
}


@dataclass
class Site:
    """A folder of installed distributions, and the last command that ran on it."""

    folder: Path
    result: subprocess.CompletedProcess[str] | None = None

    def run(self, *arguments: str) -> None:
        """Run the command line with the folder on its search path."""
        self.result = subprocess.run(
            [sys.executable, "-c", "from adapter_host.cli import main; main()", *arguments],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample plugin's wheel; nothing is fetched to build it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=SAMPLE, check=True, capture_output=True, timeout=60)
    return next(folder.glob("*.whl"))


@pytest.fixture
def installed(tmp_path: Path) -> Site:
    """A folder into which distributions are installed."""
    return Site(tmp_path)


@given("the sample plugin is built as a wheel and installed")
def _(installed: Site, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed.folder)


@given(parsers.parse("a plugin is installed that {does}"))
def _(installed: Site, does: str) -> None:
    info = installed.folder / "broken_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text("[worker_adapters]\nbroken = broken_plugin\n", "utf-8")
    (installed.folder / "broken_plugin.py").write_text(textwrap.dedent(BROKEN[does]), "utf-8")


@when(parsers.parse('its adapter answers "{prompt}" from a configured pool'))
def _(installed: Site, prompt: str) -> None:
    (installed.folder / "adapter-host.toml").write_text('[pools.chat]\nadapter = "echo"\n', "utf-8")
    installed.run("run", "--pool", "chat", prompt)


@when("the operator lists the adapters")
def _(installed: Site) -> None:
    installed.run("list", "--json")


@when("the operator lists the adapters strictly")
def _(installed: Site) -> None:
    installed.run("list", "--json", "--strict")


@then(parsers.parse('the answer is "{text}"'))
def _(installed: Site, text: str) -> None:
    assert (installed.result.returncode, installed.result.stdout) == (0, f"{text}\n")


@then(parsers.parse('"{name}" of "{distribution}" is usable'))
def _(installed: Site, name: str, distribution: str) -> None:
    plugins = {one["name"]: one["distribution"] for one in json.loads(installed.result.stdout)["plugins"]}
    assert plugins[name] == distribution


@then(parsers.parse("the broken plugin is in quarantine because {reason}"))
def _(installed: Site, reason: str) -> None:
    (quarantined,) = json.loads(installed.result.stdout)["quarantined"]
    assert quarantined["distribution"] == "broken-plugin"
    assert reason in quarantined["reason"]


@then(parsers.parse("the command fails with exit code {code:d}"))
def _(installed: Site, code: int) -> None:
    assert installed.result.returncode == code
