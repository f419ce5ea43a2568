"""
Pieces of an answer that nobody has taken yet, held in about as much memory as they have bytes.

A peer may send its bytes by twos. As objects of their own those take twenty times their size, which is no bound.

Spec: ENG-02
"""

from __future__ import annotations

from typing import Final

_MOST_SINGLE: Final = 128
"""Pieces that are held each by itself. More are joined, so that a byte is copied once more at most."""


class Pieces:
    """
    Bytes that wait, in order.

    Example:
        >>> waiting = Pieces()
        >>> waiting.append(b"he"), waiting.append(b"llo")
        (None, None)
        >>> waiting.take(), waiting.take()
        (b'hello', b'')
    """

    __slots__ = ("_blocks", "_single")

    def __init__(self) -> None:
        """Hold nothing."""
        self._blocks: list[bytes] = []
        self._single: list[bytes] = []

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._single or self._blocks)

    def append(self, piece: bytes) -> None:
        """Add a piece, which is not empty."""
        self._single.append(piece)
        if len(self._single) > _MOST_SINGLE:
            self._blocks.append(b"".join(self._single))
            self._single.clear()

    def take(self, first: bytes = b"") -> bytes:
        """Return *first* and all of them as one, and hold nothing."""
        piece = b"".join((first, *self._blocks, *self._single))
        self.clear()
        return piece

    def clear(self) -> None:
        """Drop them."""
        self._blocks.clear()
        self._single.clear()
