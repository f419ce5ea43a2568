"""
Where the bytes of a file that is sent come from, how many there are, and whether they can be had again.

Only sizes are asked for here; reading is done piece by piece, by whoever draws the pieces.

Spec: CLI-17
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from adapter_api.outcome import Outcome
from http_util.errors import PolicyFailure
from openai_client.errors import SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openai_client.file_input import UploadFile

READ_BYTES: Final = 256 * 1024
"""Bytes that are read at once: four pieces for the wire, so that a thread is not asked for each."""


class Source(NamedTuple):
    """The bytes of one part of a body."""

    pieces: Callable[[], Iterator[bytes]]
    """Returns them from the first one on."""
    length: int | None
    """How many they are; None when nobody knows before their end."""
    can_rewind: bool
    """Whether `pieces` may be called again."""

    @classmethod
    def of_bytes(cls, content: bytes) -> Source:
        """The source of what is in memory."""
        return cls(lambda: _cut(content), len(content), can_rewind=True)


def source_of(file: UploadFile, field: str) -> Source:
    """
    Return where the bytes of *file* come from.

    A path is opened when its bytes are drawn, and closed again. An open file is read from where it stands now, in each
    attempt anew if it can seek, and stays open.

    Args:
        file: What is sent.
        field: The name of its field, for errors.

    Raises:
        SerializationError: It cannot be read.
    """
    content = file.content
    try:
        if isinstance(content, bytes):
            return Source.of_bytes(content)
        if isinstance(content, os.PathLike):
            return _of_path(content, field)
        return _of_open_file(content, field)
    except (OSError, ValueError) as error:
        # a closed file is a ValueError
        raise SerializationError(f"{field}: cannot be read: {_why(error)}") from error


def _of_path(path: os.PathLike[str], field: str) -> Source:
    found = os.stat(path)  # noqa: PTH116 - any PathLike, not a Path alone
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(0, "is a directory")
    is_regular = stat.S_ISREG(found.st_mode)
    length = found.st_size if is_regular else None

    def pieces() -> Iterator[bytes]:
        with _told(field), open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            yield from _read(file, length, field)

    return Source(pieces, length, can_rewind=is_regular)


def _of_open_file(file: BinaryIO, field: str) -> Source:
    if not _can_seek(file):
        return Source(lambda: _told_pieces(file, None, field), None, can_rewind=False)
    start = file.tell()
    length = max(0, file.seek(0, os.SEEK_END) - start)
    file.seek(start)

    def pieces() -> Iterator[bytes]:
        with _told(field):
            file.seek(start)
        yield from _told_pieces(file, length, field)

    return Source(pieces, length, can_rewind=True)


def _told_pieces(file: Any, length: int | None, field: str) -> Iterator[bytes]:
    with _told(field):
        yield from _read(file, length, field)


def _read(file: Any, length: int | None, field: str) -> Iterator[bytes]:
    """Yield *length* bytes of *file*, or all that there are."""
    left = READ_BYTES if length is None else length
    while left:
        piece = file.read(min(READ_BYTES, left))
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise _failed(f"{field}: a read gave {type(piece).__name__}; the file must be opened in binary mode")
        if not piece:
            break
        if length is not None:
            left -= len(piece)
        yield bytes(piece)
    if length is not None and left:
        raise _failed(f"{field}: the file became {left} bytes shorter while it was sent")


class _told:  # noqa: N801 - used like a function
    """Turns what reading raises into the failure of a request that never was complete."""

    def __init__(self, field: str) -> None:
        self._field = field

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Raise in place of *error* if it is the system's, or that of a file that was closed."""
        if isinstance(error, OSError | ValueError):
            raise _failed(f"{self._field}: cannot be read: {_why(error)}") from error


def _failed(message: str) -> PolicyFailure:
    # where a part of the body has left, who sends it says so
    return PolicyFailure(message, reason="serialization", outcome=Outcome.NOT_SENT)


def _can_seek(file: Any) -> bool:
    """Tell whether *file* can be read again; one that does not say so cannot."""
    seekable = getattr(file, "seekable", None)
    return bool(seekable is not None and seekable() and hasattr(file, "tell"))


def _why(error: OSError | ValueError) -> str:
    """Return what the system says, without the path: it may be a secret, and is known to the caller."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _cut(content: bytes) -> Iterator[bytes]:
    return (content[at : at + READ_BYTES] for at in range(0, len(content), READ_BYTES))
