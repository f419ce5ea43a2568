#!/usr/bin/env python3
"""
Run, test and check this project with nothing but Python 3.11 or newer.

    python3 dev.py run [args]     the main job: adapter-host run [args]
    python3 dev.py test [args]    all tests and the coverage gate; with arguments, what pytest makes of them
    python3 dev.py check          lint, format, types, floors, dependencies, generated files
    python3 dev.py wheel          build the distribution and prove that its bare wheel works

The first call fetches a pinned uv into .dev/ and lets it build .venv/ from uv.lock. Later calls need no network.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

UV_VERSION = "0.13.8"
OLDEST_PYTHON = (3, 11)
PIP_OPTIONS = ("-qq", "--disable-pip-version-check", "--root-user-action=ignore")
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".made-by-dev"
BYTECODE = ROOT / ".dev" / "bytecode"
SIDE_BY_SIDE = ("-n", "auto", "--maxprocesses", "4", "--dist", "worksteal")
"""A few workers, for each reads all the tests first; it takes neighbours, which share their servers, and then helps."""


def must(what: str, *command: str | Path) -> None:
    """Run *command* in the project's folder; leave with its exit code when it fails, and say *what* failed."""
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code:
        print(f"dev.py: {what} failed (exit {code}); the lines above say why.", file=sys.stderr)
        sys.exit(code)


def say(text: str) -> None:
    """Tell on standard error, so that standard output belongs to the command alone."""
    print(f"dev.py: {text}", file=sys.stderr, flush=True)


def uv() -> Path:
    """Return the pinned uv, fetched once by pip (this Python's, or that of a throw-away venv)."""
    tool = ROOT / ".dev" / f"uv-{UV_VERSION}"
    if tool.is_file():
        return tool
    tool.parent.mkdir(exist_ok=True)
    say(f"fetching uv {UV_VERSION} (once)")
    with tempfile.TemporaryDirectory(dir=tool.parent) as scratch:
        python = Path(sys.executable)
        if not importlib.util.find_spec("pip"):
            if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
                sys.exit(f"dev.py: {python} has neither pip nor venv; on Debian and Ubuntu: apt install python3-venv")
            must("making a venv", python, "-m", "venv", Path(scratch, "venv"))
            python = Path(scratch, "venv", "bin", "python")
        target = Path(scratch, "uv")
        must("fetching uv", python, "-m", "pip", "install", *PIP_OPTIONS, "--target", target, f"uv=={UV_VERSION}")
        (target / "bin" / "uv").replace(tool)  # one rename: an interrupted fetch leaves nothing half-made
    return tool


def sync(*, dev: bool) -> None:
    """Bring .venv to what uv.lock says (*dev*: with the tools), and do nothing when it is there already."""
    content = b"".join(Path(ROOT, name).read_bytes() for name in ("pyproject.toml", "uv.lock"))
    home = f"{ROOT} {sys.version_info[0]}.{sys.version_info[1]}"
    wanted = [home, hashlib.sha256(content).hexdigest()]
    found = STAMP.read_text("utf-8").splitlines() if STAMP.is_file() and PYTHON.exists() else []
    if found[:2] == wanted and (not dev or found[2:] == ["dev"]):
        return
    say("preparing .venv")
    if VENV.exists() and found[:1] != [home]:  # half-made, moved here, or another Python's
        must("clearing .venv", uv(), "venv", "--quiet", "--clear", "--python", sys.executable, VENV)
    STAMP.unlink(missing_ok=True)
    scope = [] if dev else ["--no-dev", "--inexact"]
    must("preparing .venv", uv(), "sync", "--quiet", "--locked", "--all-extras", "--python", sys.executable, *scope)
    STAMP.write_text("\n".join([*wanted, "dev" if dev else "run"]), "utf-8")


def run(arguments: list[str]) -> None:
    """Become ``adapter-host run`` in the caller's folder."""
    sync(dev=False)
    os.execv(VENV / "bin" / "adapter-host", ["adapter-host", "run", *arguments])


def keep_bytecode() -> None:
    """Compile each module once, outside the sources: tests start hundreds of processes, which would each do it anew."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(BYTECODE)


def test(arguments: list[str]) -> None:
    """Run pytest: on *arguments*, or on everything, side by side, measured and held to the coverage gate."""
    sync(dev=True)
    keep_bytecode()
    if arguments:
        os.chdir(ROOT)
        os.execv(PYTHON, [str(PYTHON), "-m", "pytest", *arguments])
    must("clearing old measurements", PYTHON, "-m", "coverage", "erase")
    must("the test run", PYTHON, "-m", "coverage", "run", "-m", "pytest", *SIDE_BY_SIDE)
    must("joining the measurements", PYTHON, "-m", "coverage", "combine", "--quiet")
    must("the coverage gate", PYTHON, "-m", "coverage", "report")


def check(arguments: list[str]) -> None:
    """Run every check that needs no test, and report all that fail."""
    sync(dev=True)
    must("the check", PYTHON, "scripts/check.py", *arguments)


def wheel(arguments: list[str]) -> None:
    """Build sdist and wheel, and try the wheel in an environment without extras."""
    sync(dev=True)
    must("the wheel", PYTHON, "scripts/wheel.py", uv(), *arguments)


def main(arguments: list[str]) -> None:
    """Do what the first argument names."""
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(f"dev.py: Python 3.11 or newer is needed, this is {sys.version.split()[0]} ({sys.executable})")
    command = {"run": run, "test": test, "check": check, "wheel": wheel}.get(arguments[0] if arguments else "")
    if command is None:
        print(__doc__)
        sys.exit(0 if arguments[:1] in (["-h"], ["--help"]) else 2)
    os.environ.pop("VIRTUAL_ENV", None)  # an environment active in the caller's shell is not ours
    os.environ["UV_PROJECT_ENVIRONMENT"] = str(VENV)
    try:
        command(arguments[1:])
    except OSError as error:
        sys.exit(f"dev.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
