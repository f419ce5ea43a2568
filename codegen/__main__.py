"""
Write `openai_client/_generated`, or compare it with what would be written.

    python -m codegen            writes; files that are no longer generated are removed
    python -m codegen --check    writes nothing; exit status 1 and the names of the files when something differs
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from codegen.generate import differences, generate, write


def main(arguments: list[str] | None = None) -> int:
    """Run the command with *arguments* (those of the process when None) and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m codegen", description="Generate openai_client/_generated.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing; 1 when something differs")
    parser.add_argument(
        "--into",
        type=Path,
        default=Path(__file__).parent.parent / "openai_client" / "_generated",
        help="the folder to write or compare (default: openai_client/_generated)",
    )
    options = parser.parse_args(arguments)
    files = generate()
    if not options.check:
        write(files, options.into)
        print(f"{len(files)} files written")
        return 0
    stale = differences(files, options.into)
    for name in stale:
        print(f"{name} is stale; run python -m codegen", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
