"""
Write http_util/_sync from http_util/_async: one source, two colours.

    python scripts/unasync.py            write the copies
    python scripts/unasync.py --check    only compare; fail when a copy is stale, missing or left over

The copy is mechanical: every word of SUBSTITUTIONS is replaced, nothing else is. A substitution that no file uses is a
mistake (a name was changed on one side only) and fails the run.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDERS: Final = ((Path("http_util/_async"), Path("http_util/_sync")),)
"""Where the source stands and where its copy goes, seen from the root."""

SUBSTITUTIONS: Final[tuple[tuple[str, str], ...]] = (
    # the language
    (r"async def", "def"),
    (r"async for", "for"),
    (r"await ", ""),
    (r"anext", "next"),
    (r"__aenter__", "__enter__"),
    (r"__aexit__", "__exit__"),
    (r"__aiter__", "__iter__"),
    (r"AsyncIterator", "Iterator"),
    # what we stand on
    (r"httpx\.AsyncBaseTransport", "httpx.BaseTransport"),
    (r"handle_async_request", "handle_request"),
    (r"AsyncRetrying", "Retrying"),
    (r"aclose", "close"),
    (r"Coroutine\[Any, Any, tuple\[ReplyHead, AsyncBody\]\]", "tuple[ReplyHead, Body]"),
    (r"Callable, Coroutine, Mapping", "Callable, Mapping"),
    (r"acquire_async", "acquire"),
    # our own names
    (r"_async", "_sync"),
    (r"build_async_transport", "build_transport"),
    (r"AsyncGuard", "Guard"),
    (r"AsyncBody", "Body"),
    (r"AsyncEncodedBody", "EncodedBody"),
    (r"AsyncLayers", "Layers"),
    (r"AsyncEventStream", "EventStream"),
    (r"AsyncByteStream", "ByteStream"),
    (r"AsyncExchange", "Exchange"),
    (r"AsyncStreamPieces", "StreamPieces"),
    (r"AsyncWatch", "Watch"),
    (r"Clock", "SyncClock"),
)
"""Pairs of a pattern, matched between word borders, and what stands for it in the copy."""

HEADER: Final = "# Written by scripts/unasync.py from {source}; do not edit.\n"


class Unasync:
    """Turns async source into sync source, and remembers which substitutions it used."""

    def __init__(self, substitutions: Sequence[tuple[str, str]] = SUBSTITUTIONS) -> None:
        self._rules = [(_bounded(pattern), pattern, word) for pattern, word in substitutions]
        self._used: set[str] = set()

    def copy(self, text: str) -> str:
        """Return *text* with every substitution applied, in the order of the table."""
        for rule, pattern, word in self._rules:
            text, count = rule.subn(word, text)
            if count:
                self._used.add(pattern)
        return text

    @property
    def unused(self) -> list[str]:
        """Patterns that no text so far has used, in the order of the table."""
        return [pattern for _, pattern, _ in self._rules if pattern not in self._used]


def _bounded(pattern: str) -> re.Pattern[str]:
    """Match *pattern* as whole words: not inside a longer name."""
    closing = "" if pattern.endswith(" ") else r"(?!\w)"
    return re.compile(rf"(?<!\w){pattern}{closing}")


def copies(root: Path, rules: Unasync) -> dict[Path, str]:
    """Return what each copy below *root* must hold, by its path; empty when there is no source yet."""
    wanted = {}
    for source, target in FOLDERS:
        for path in sorted(Path(root, source).glob("*.py")):
            header = HEADER.format(source=source / path.name)
            wanted[Path(root, target, path.name)] = header + rules.copy(path.read_text("utf-8"))
    return wanted


def stale(root: Path, wanted: dict[Path, str]) -> list[Path]:
    """Return the copies that are missing, differ, or have no source any more."""
    differing = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    left_over = [path for _, target in FOLDERS for path in Path(root, target).glob("*.py") if path not in wanted]
    return sorted(differing + left_over)


def main(arguments: Sequence[str] | None = None, *, root: Path = ROOT) -> int:
    """Write or compare the copies; return the exit code: 0 when all is well, 1 when not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    only_compare = parser.parse_args(arguments).check
    rules = Unasync()
    wanted = copies(root, rules)
    if not wanted:
        print("unasync: no source yet, nothing to copy")
        return 0
    problems = [f"the substitution {pattern!r} was never used: correct or remove it" for pattern in rules.unused]
    for path in stale(root, wanted):
        if only_compare:
            problems.append(f"{path.relative_to(root)} is stale: run python scripts/unasync.py")
        elif path in wanted:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    for problem in problems:
        print(f"unasync: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
