from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys
import textwrap
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from adapter_host.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "examples" / "sample_plugin"

GOOD = """
    from adapter_api import ADAPTER_API_VERSION, AdapterPlugin
    from adapter_api.hookspecs import hookimpl
    from adapter_api.testing import ScriptedAdapter

    def plugin(name, contract_version=ADAPTER_API_VERSION):
        return AdapterPlugin(name=name, version="1.0", contract_version=contract_version,
                             factory=lambda settings: ScriptedAdapter(), config_schema=dict, policies=dict)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the search path, into which distributions are installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def install(site: Path) -> Callable[..., None]:
    """Installs a distribution of one module, with real metadata."""

    def install_one(distribution: str, code: str, *, entry: str | None = None, version: str = "1.0") -> None:
        module = distribution.replace("-", "_")
        Path(site, f"{module}.py").write_text(textwrap.dedent(GOOD) + textwrap.dedent(code), "utf-8")
        info = site / f"{module}-{version}.dist-info"
        info.mkdir()
        Path(info, "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", "utf-8")
        Path(info, "entry_points.txt").write_text(
            f"[worker_adapters]\n{entry or distribution} = {module}\n", encoding="utf-8"
        )
        importlib.invalidate_caches()

    return install_one


@pytest.fixture(scope="session")
def sample_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel of the sample plugin has been built and installed; nothing is fetched for it."""
    folder = tmp_path_factory.mktemp("sample")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=SAMPLE, check=True, capture_output=True, timeout=60)
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@dataclass
class Result:
    """What a command left behind."""

    returncode: int
    stdout: bytes
    stderr: bytes


@pytest.fixture
def command(tmp_path, site, sample_site, monkeypatch, capfdbinary) -> Callable[..., Result]:
    """Runs the command line in this process, in an empty folder, with the sample plugin installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(sample_site))
    monkeypatch.delenv("ADAPTER_HOST_CONFIG", raising=False)

    def run(*arguments: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "argv", ["adapter-host", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capfdbinary.readouterr()
        return Result(int(left.value.code or 0), out, err)

    yield run
    structlog.reset_defaults()


@pytest.fixture
def adapter_host(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Runs the command line in an empty folder, with the search path that is asked for."""

    def run(*arguments: str, site: Path | None = None, stdin: bytes | None = None, **environment: str):
        inherited = {name: value for name, value in os.environ.items() if name != "ADAPTER_HOST_CONFIG"}
        if site is not None:
            environment["PYTHONPATH"] = str(site)
        return subprocess.run(
            [sys.executable, "-c", "from adapter_host.cli import main; main()", *arguments],
            input=stdin,
            cwd=tmp_path,
            env=inherited | environment,
            capture_output=True,
            timeout=50,
            check=False,
        )

    return run
