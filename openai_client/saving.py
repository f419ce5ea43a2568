"""
A file in the making: written beside its place under another name, and put there when it is whole.

Whoever looks at the place sees the file from before, or the whole new one. Nothing is synced to the disk: a crash of
the machine may lose it, as it may lose any file.

Spec: CLI-17
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

_NEW_MODE: Final = 0o666
_MODE_BITS: Final = 0o7777
_MOST_NAME_CHARACTERS: Final = 64


class NewFile:
    """Writes one file. `keep` or `discard` ends it; what comes after that does nothing."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """
        Begin the file that will be at *path*, with the permissions of the one that is there, or of a new one.

        Raises:
            OSError: Its folder does not exist, or cannot be written to.
        """
        self._path = Path(path)
        name = f".{self._path.name[:_MOST_NAME_CHARACTERS]}.{secrets.token_hex(8)}.part"
        self._place = self._path.with_name(name)
        mode = self._path.stat().st_mode & _MODE_BITS if self._path.exists() else None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        self._descriptor: int | None = os.open(self._place, flags, _NEW_MODE if mode is None else mode)

    def write(self, piece: bytes) -> None:
        """
        Add *piece*.

        Raises:
            OSError: It cannot be written.
            ValueError: The file was ended.
        """
        if self._descriptor is None:
            raise ValueError("the file was ended; begin another one")
        view = memoryview(piece)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def keep(self) -> None:
        """
        Put the file in its place.

        Raises:
            OSError: It cannot be put there; nothing is left behind.
        """
        if self._close():
            try:
                self._place.replace(self._path)
            except OSError:
                self._place.unlink(missing_ok=True)
                raise

    def discard(self) -> None:
        """Remove what was written."""
        if self._close():
            self._place.unlink(missing_ok=True)

    def _close(self) -> bool:
        """Close the file; False when it was closed before."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return False
        os.close(descriptor)
        return True
