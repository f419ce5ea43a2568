"""
Write `__init__.pyi`, which type checkers read, for each package whose names load on first use.

    python scripts/public_names.py            write the stubs
    python scripts/public_names.py --check    only compare; fail when a stub is stale or missing

The names stand once, in the call of `lazy_names` in the package's `__init__.py`.
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
LAZY: Final = "lazy_names"
HEADER: Final = "# Written by scripts/public_names.py from the table in __init__.py; do not edit.\n"


def table_of(source: str) -> dict[str, tuple[str, ...]] | None:
    """Return the table that *source* gives to `lazy_names`, or None where it does not call it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == LAZY:
            return dict(ast.literal_eval(node.args[1]))
    return None


def stub(package: str, table: Mapping[str, Sequence[str]]) -> str:
    """Return the text of the stub: a line for each name, whose `as` says that it is public."""
    homes = [(f"{package}.{module}", name) for module, names in sorted(table.items()) for name in names]
    return HEADER + "\n" + "".join(f"from {home} import {name} as {name}\n" for home, name in homes)


def stubs(root: Path) -> Iterator[tuple[Path, str]]:
    """Find the packages with such a table below *root*; yield where each one's stub stands and what it says."""
    for path in sorted(root.glob("[a-z]*/**/__init__.py")):
        source = path.read_text("utf-8")
        if LAZY in source and (table := table_of(source)) is not None:
            yield path.with_suffix(".pyi"), stub(".".join(path.parent.relative_to(root).parts), table)


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write or compare; return 0, or 1 when a stub is not what it should be."""
    parser = argparse.ArgumentParser(description="Write __init__.pyi from the table of public names.")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args(arguments).check
    stale = [(path, text) for path, text in stubs(root) if not path.is_file() or path.read_text("utf-8") != text]
    for path, text in stale:
        if check:
            print(f"{path.relative_to(root)} is stale: run `python scripts/public_names.py`", file=sys.stderr)
        else:
            path.write_text(text, "utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
