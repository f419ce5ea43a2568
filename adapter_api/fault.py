"""
What is kept of an exception that an adapter must not raise, for the author of that adapter. Pure.

A caller gets `internal` and no more: the text of an exception that nobody planned may hold anything. Who writes the
adapter needs to know where it came from, and a host may tell that to a log that was asked for.

Spec: ADP-08, AH-1005
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_FRAMES: Final = 24
_MOST_LINKS: Final = 4
_LONGEST_TEXT: Final = 4096


@dataclass(frozen=True, slots=True)
class Fault:
    """
    Where an exception came from, without the exception: it keeps no local variable alive, and its repr has no text.

    Example:
        >>> try:
        ...     {}["missing"]
        ... except KeyError as error:
        ...     fault = Fault.of(error)
        >>> fault
        Fault(error_class='KeyError')
        >>> fault.text, fault.frames[0].endswith(" in <module>")
        ("'missing'", True)
    """

    error_class: str
    """Name of the exception's class."""
    text: str = field(repr=False)
    """What it says, at most 4096 characters: redact it before you show it."""
    frames: tuple[str, ...] = field(repr=False)
    """`file:line in function`, outermost first, then those of what caused it behind a line `caused by CLASS`."""

    @classmethod
    def of(cls, error: BaseException) -> Fault:
        """What is kept of *error*."""
        return cls(type(error).__name__, _text_of(error), tuple(_frames_of(error)))


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:_LONGEST_TEXT]
    # an exception class is a stranger's code too
    except Exception:  # noqa: BLE001
        return ""


def _frames_of(error: BaseException) -> Iterator[str]:
    link: BaseException | None = error
    for number in range(_MOST_LINKS):
        if link is None:
            return
        if number:
            yield f"caused by {type(link).__name__}"
        yield from _frames_of_one(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _frames_of_one(error: BaseException) -> list[str]:
    frames: list[str] = []
    place = error.__traceback__
    while place is not None:
        code = place.tb_frame.f_code
        frames.append(f"{code.co_filename}:{place.tb_lineno} in {code.co_name}")
        place = place.tb_next
    return frames[-_MOST_FRAMES:]
