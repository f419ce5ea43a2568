"""
A few numbers that the client's process and the upstream's share, so that each sees the other's progress at no cost.

The client notes how many tokens of a stream it has taken, which costs it a store into memory; the upstream writes on
when the last round has been taken. No bytes on the wire, no system call, the same for every client.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from pathlib import Path

SLOTS: Final = 8192
NAMES: Final = ("go", "arrived", "rounds", "stalls", "open_streams", "cuts", "connections", "behind_us")


class _Cell:
    """A number on the board, as an attribute."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._index = NAMES.index(name)

    def __get__(self, board: Board, owner: type) -> int:
        return board.cells[self._index]

    def __set__(self, board: Board, value: int) -> None:
        board.cells[self._index] = value


class Board:
    """The shared numbers; use it as a context manager."""

    go = _Cell()
    """Set by the client when it is ready for the first round of gated streams; set back by the upstream."""
    arrived = _Cell()
    """Streams that wait at the gate. This and all that follow are written by the upstream."""
    rounds = _Cell()
    """Rounds that have been written."""
    stalls = _Cell()
    """How often a round was written although the client had not taken the last, because it did not get on with it."""
    open_streams = _Cell()
    """Streams that have begun, and neither ended nor been cut."""
    cuts = _Cell()
    """Streams that the client cut before their end."""
    connections = _Cell()
    """Connections that are open."""
    behind_us = _Cell()
    """The most that the upstream was late itself with a paced write, in microseconds; the client sets it back."""

    def __init__(self, path: Path) -> None:
        """Open the board at *path*, which `make` has made."""
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self.cells = memoryview(self._memory).cast("Q")
        head = len(NAMES)
        self.taken = self.cells[head : head + SLOTS]
        """By slot: the tokens that the client has taken of the stream that is there now. Written by the client."""
        self.begun = self.cells[head + 2 * SLOTS : head + 3 * SLOTS]
        """By slot: the serial of the stream that last began. Written by the upstream."""
        self.cut = self.cells[head + SLOTS : head + 2 * SLOTS]
        """By slot: the serial of the stream that was last cut. Written by the upstream."""

        self.ended = self.cells[head + 3 * SLOTS : head + 4 * SLOTS]
        """By slot: the serial of the stream that was last written to its end. Written by the upstream."""

    @classmethod
    def make(cls, path: Path) -> None:
        """Make an empty board."""
        path.write_bytes(bytes(8 * (len(NAMES) + 4 * SLOTS)))

    def __enter__(self) -> Self:
        """The board."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the memory."""
        self.taken.release()
        self.begun.release()
        self.cut.release()
        self.ended.release()
        self.cells.release()
        self._memory.close()
