"""
One file that several requests are read from at the same time, each its own slice of it.

Spec: CLI-17
"""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING, Any, Self

from openai_client.errors import InvalidFieldValue, SerializationError

if TYPE_CHECKING:
    from types import TracebackType

    from openai_client.file_input import UploadFile


class SharedFile:
    """
    A file of known size. A context manager: leaving it closes what it has opened, and no file that was given open.

    Threads may read slices at the same time: a lock keeps each seek together with its read.
    """

    def __init__(self, file: UploadFile) -> None:
        """
        Open *file*, or take it from where it stands.

        Raises:
            InvalidFieldValue: It cannot be read from any place, so its size is not known.
            SerializationError: It cannot be opened, or gives no bytes.
        """
        content = file.content
        try:
            self._is_ours = isinstance(content, bytes | os.PathLike)
            self._file: Any = io.BytesIO(content) if isinstance(content, bytes) else content
            if isinstance(content, os.PathLike):
                self._file = open(content, "rb", buffering=0)  # noqa: SIM115, PTH123 - closed on leaving; any PathLike
            elif not (hasattr(content, "seekable") and content.seekable()) and not self._is_ours:
                raise InvalidFieldValue("file: must be able to seek, so that its size is known", param="file")
            _checked(self._file.read(0))
            self._start = self._file.tell()
            self.size = max(0, self._file.seek(0, os.SEEK_END) - self._start)
        except (OSError, ValueError) as error:
            if isinstance(error, InvalidFieldValue):
                raise
            why = getattr(error, "strerror", None) or str(error)
            raise SerializationError(f"file: cannot be read: {why}") from error
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Return the file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close what was opened here."""
        if self._is_ours:
            with self._lock:
                self._file.close()

    def slice(self, offset: int, size: int) -> FileSlice:
        """Return *size* bytes from *offset* on as a file of its own."""
        return FileSlice(self, offset, size)

    def read_at(self, offset: int, size: int) -> bytes:
        """
        Return at most *size* bytes from *offset* on.

        Raises:
            OSError: It cannot be read.
            ValueError: It is closed, or gives no bytes.
        """
        with self._lock:
            self._file.seek(self._start + offset)
            return _checked(self._file.read(size))


def _checked(piece: object) -> bytes:
    """Return what a read gave as bytes; of a number there would be as many zeros."""
    if isinstance(piece, bytes | bytearray | memoryview):
        return bytes(piece)
    raise ValueError(f"a read gave {type(piece).__name__}; the file must be opened in binary mode")


class FileSlice(io.RawIOBase):
    """A part of a shared file, as an open binary file."""

    def __init__(self, shared: SharedFile, offset: int, size: int) -> None:
        """Begin at *offset*, and end *size* bytes later."""
        super().__init__()
        self._shared = shared
        self._offset = offset
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to *offset*, counted as *whence* says, and return the place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill *buffer* as far as the slice goes, and return how far that was."""
        view = memoryview(buffer)
        piece = self._shared.read_at(self._offset + self._at, max(0, min(len(view), self._size - self._at)))
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
