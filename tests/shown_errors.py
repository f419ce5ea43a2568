"""What may be seen of an error, and of every error that led to it."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_TESTS: Final = str(Path(__file__).parent)


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and its causes, contexts (those that are hidden, too) and members, each once."""
    left, seen = [error], set[int]()
    while left:
        link = left.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        members = link.exceptions if isinstance(link, BaseExceptionGroup) else ()
        left += [found for found in (link.__cause__, link.__context__, *members) if found is not None]


def product_frames(error: BaseException) -> TracebackType | None:
    """Return the traceback of *error* without the frames of the tests: what they hold is their own business."""
    kept: TracebackType | None = None
    entries = []
    entry = error.__traceback__
    while entry is not None:
        if not entry.tb_frame.f_code.co_filename.startswith(_TESTS):
            entries.append(entry)
        entry = entry.tb_next
    for found in reversed(entries):
        kept = TracebackType(kept, found.tb_frame, found.tb_lasti, found.tb_lineno)
    return kept


def with_locals(error: BaseException) -> str:
    """Return the tracebacks of the whole chain with the local variables of every frame but the tests' own."""
    return "".join(
        "".join(traceback.TracebackException(type(link), link, product_frames(link), capture_locals=True).format())
        for link in chain(error)
    )
