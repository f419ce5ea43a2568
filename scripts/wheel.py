"""
Build the distribution and try the bare wheel as a stranger gets it: fresh environment, no extras, no sources beside it.

    python scripts/wheel.py <uv>

Proves that the wheel is typed, that its core imports and its plugin is found without any extra, and that
``adapter-host`` without its extra ends in one line that names it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGES: Final = (
    "adapter_api",
    "adapter_host",
    "http_util",
    "openai_client",
    "providers",
    "upstream_simulator",
    "worker_adapters",
)
EXTRAS: Final = ("rich", "trustme", "typer")

IMPORTS: Final = f"""
import importlib.util
for name in {EXTRAS!r}:
    assert importlib.util.find_spec(name) is None, f"{{name}} is there without its extra"
import adapter_api, http_util, openai_client, worker_adapters.openai_http
assert "site-packages" in adapter_api.__file__, adapter_api.__file__
"""

DISCOVERY: Final = """
from adapter_host.plugins import discover
found = discover(strict=True).plugins
assert list(found) == ["openai-http"], list(found)
plugin = found["openai-http"].plugin
assert plugin.config_schema()["properties"]
plugin.factory({"base_url": "http://127.0.0.1:9/v1", "model": "m"})
"""


def must(what: str, *command: str | Path, cwd: Path) -> str:
    """Run *command* in *cwd* and return its output; leave with a message naming *what* when it fails."""
    done = subprocess.run(command, cwd=cwd, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"wheel: {what}: failed (exit {done.returncode})\n{done.stdout}")
    print(f"wheel: {what}: ok", flush=True)
    return done.stdout


def check_contents(wheel: Path) -> None:
    """Leave with a message unless *wheel* holds every package, typed, and nothing else."""
    names = zipfile.ZipFile(wheel).namelist()
    for package in PACKAGES:
        if f"{package}/py.typed" not in names:
            sys.exit(f"wheel: {wheel.name} holds no {package}/py.typed")
    strangers = {name.split("/")[0] for name in names} - {*PACKAGES}
    if unexpected := [name for name in strangers if not name.endswith(".dist-info")]:
        sys.exit(f"wheel: {wheel.name} also holds {', '.join(sorted(unexpected))}, which is no package of ours")


def check_host(command: Path, cwd: Path) -> None:
    """Leave with a message unless *command*, without its extra, ends in one line on standard error that names it."""
    done = subprocess.run([command, "list"], cwd=cwd, check=False, text=True, capture_output=True)
    lines = done.stderr.strip().splitlines()
    if done.returncode == 0 or len(lines) != 1 or "worker-adapters[host]" not in lines[0]:
        sys.exit(f"wheel: adapter-host without its extra (exit {done.returncode}) said:\n{done.stdout}{done.stderr}")
    print(f"wheel: adapter-host without its extra: ok ({lines[0]})", flush=True)


def main(arguments: Sequence[str]) -> None:
    """Build with the uv that *arguments* name, and try what came out."""
    (uv,) = arguments
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        must("build sdist, and the wheel from it", uv, "build", "--out-dir", here / "dist", ROOT, cwd=here)
        (wheel,) = here.glob("dist/*.whl")
        check_contents(wheel)
        must("make a fresh environment", uv, "venv", "--python", sys.executable, here / "venv", cwd=here)
        python = here / "venv" / "bin" / "python"
        must("install the bare wheel", uv, "pip", "install", "--python", python, wheel, cwd=here)
        must("import the core without extras", python, "-I", "-c", IMPORTS, cwd=here)
        must("find openai-http in the installed metadata", python, "-I", "-c", DISCOVERY, cwd=here)
        check_host(here / "venv" / "bin" / "adapter-host", cwd=here)


if __name__ == "__main__":
    main(sys.argv[1:])
