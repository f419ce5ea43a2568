"""
Run every check that needs no test, tell each one's verdict, and show the words of those that fail.

    python scripts/check.py            all checks
    python scripts/check.py mypy ...   only those named
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
BIN: Final = Path(sys.executable).parent

CHECKS: Final[dict[str, tuple[str, ...]]] = {
    "lint": ("ruff", "check", "--quiet", "--output-format=concise", "."),
    "format": ("ruff", "format", "--check", "--quiet", "."),
    "mypy": ("mypy",),
    "floors": ("lint-imports", "--no-cache"),
    "deptry": ("deptry", "."),
    "unasync": ("python", "scripts/unasync.py", "--check"),
    "names": ("python", "scripts/public_names.py", "--check"),
    "codegen": ("python", "-m", "codegen", "--check"),
    "coverage": ("python", "-m", "codegen.coverage", "--check"),
    "trace": ("python", "scripts/trace.py", "--check"),
}
"""Command by name; the program is the one beside this Python."""


def run(name: str) -> bool:
    """Run one check, print one line about it (and its output when it failed), and return whether it passed."""
    program, *arguments = CHECKS[name]
    started = time.perf_counter()
    done = subprocess.run(
        [BIN / program, *arguments], cwd=ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    verdict = f"failed (exit {done.returncode})" if done.returncode else "ok"
    print(f"{name:8} {verdict}, {time.perf_counter() - started:.1f} s", flush=True)
    if done.returncode:
        print(done.stdout, flush=True)
    return done.returncode == 0


def main(names: Sequence[str]) -> int:
    """Run the checks *names*, or all; return 0 when all pass, 1 when one fails, 2 for an unknown name."""
    if unknown := [name for name in names if name not in CHECKS]:
        print(f"check: no check named {unknown[0]!r}; there are: {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    verdicts = [run(name) for name in names or CHECKS]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
