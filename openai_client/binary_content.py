"""
A whole binary answer: bytes, with the names that users of the official SDK look for.

Spec: CLI-17
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_PIECE_BYTES = 64 * 1024


class BinaryContent(bytes):
    """
    The bytes of an answer, which was read whole. Use `download` where it may be large.

    Example:
        >>> content = BinaryContent(b'{"id": 1}')
        >>> content == b'{"id": 1}', content.text, content.json()
        (True, '{"id": 1}', {'id': 1})
    """

    __slots__ = ()

    @property
    def content(self) -> bytes:
        """The bytes."""
        return bytes(self)

    @property
    def text(self) -> str:
        """The bytes as UTF-8; what is none becomes U+FFFD."""
        return self.decode("utf-8", "replace")

    def json(self) -> Any:
        """
        Return what the bytes say as JSON.

        Raises:
            ValueError: They are none.
        """
        return json.loads(self)

    def read(self) -> bytes:
        """Return the bytes, each time anew: there is nothing to wait for."""
        return bytes(self)

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield the bytes in pieces of *chunk_size*, by default 64 KiB."""
        size = chunk_size or _PIECE_BYTES
        return (self[at : at + size] for at in range(0, len(self), size))

    def write_to_file(self, file: str | os.PathLike[str]) -> None:
        """
        Write the bytes to the file at the path *file*, which is replaced if it exists.

        Raises:
            OSError: It cannot be written.
        """
        Path(file).write_bytes(self)

    def stream_to_file(self, file: str | os.PathLike[str]) -> None:
        """Do as `write_to_file`: the bytes are here already. `download` writes them as they come."""
        self.write_to_file(file)
