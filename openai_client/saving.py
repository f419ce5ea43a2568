"""
A file in the making: written beside its place under another name, and put there when it is whole.

Whoever looks at the place sees the file from before, or the whole new one. A link stays one: the file that it leads to
is replaced. What is no file, such as a device or a pipe, is never replaced: it is written to as the bytes come. Nothing
is synced to the disk: a crash of the machine may lose it, as it may lose any file.

Spec: CLI-17
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Final

_NEW_MODE: Final = 0o666
_MODE_BITS: Final = 0o7777
# at four bytes each, with what stands around them, they fit into the 255 bytes of a name
_MOST_NAME_CHARACTERS: Final = 48


class NewFile:
    """Writes one file. `keep` or `discard` ends it; what comes after that does nothing."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """
        Begin the file that will be at *path*, with the permissions of the one that is there, or of a new one.

        Raises:
            OSError: Its folder does not exist, or cannot be written to; *path* is a folder, or a pipe that nobody
                reads.
        """
        self._path = Path(os.path.realpath(path))
        self._place: Path | None = None
        mode = _mode_of(path)
        if mode is None or stat.S_ISREG(mode):
            name = f".{self._path.name[:_MOST_NAME_CHARACTERS]}.{secrets.token_hex(8)}.part"
            self._place = self._path.with_name(name)
            self._descriptor: int | None = _created(self._place, mode)
        elif stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        else:
            # a pipe without a reader would hold up whoever opens it
            self._descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            os.set_blocking(self._descriptor, True)

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
        if self._close() and self._place is not None:
            try:
                self._place.replace(self._path)
            except OSError:
                self._place.unlink(missing_ok=True)
                raise

    def discard(self) -> None:
        """Remove what was written."""
        if self._close() and self._place is not None:
            self._place.unlink(missing_ok=True)

    def _close(self) -> bool:
        """Close the file; False when it was closed before."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return False
        os.close(descriptor)
        return True


def _mode_of(path: str | os.PathLike[str]) -> int | None:
    """Return the mode of what is at *path*, None when nothing is."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - a path that is no Path
    except FileNotFoundError:
        return None


def _created(place: Path, mode: int | None) -> int:
    """Return the descriptor of a new file at *place*, with the permissions in *mode*."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(place, flags, _NEW_MODE if mode is None else mode & _MODE_BITS)
    if mode is not None:
        # what the process masks out of new files was not masked out of this one
        place.chmod(mode & _MODE_BITS)
    return descriptor
