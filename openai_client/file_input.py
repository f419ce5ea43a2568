"""
Files as callers give them: a path, bytes, an open file, or one of these with a name and a media type.

Spec: CLI-17
"""

from __future__ import annotations

import io
import mimetypes
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final, TypeAlias

from pydantic import PlainValidator

FileContent: TypeAlias = "bytes | os.PathLike[str] | BinaryIO"
"""What a file holds: its bytes, where they are, or an open binary file that is read from where it stands."""

if TYPE_CHECKING:
    FileInput: TypeAlias = (
        "FileContent | tuple[str | None, FileContent] | tuple[str | None, FileContent, str | None] | UploadFile"
    )

_ACCEPTED: Final = "a pathlib.Path, bytes, a file opened in binary mode, or (name, one of these, media type)"
_UNNAMED: Final = "upload"
_ANY_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class UploadFile:
    """A file to be sent, with the name and the media type that the upstream is told."""

    name: str
    content: FileContent = field(repr=False)
    media_type: str = _ANY_TYPE

    @classmethod
    def of(cls, given: object) -> UploadFile:
        """
        Return *given* as a file; what has no name gets that of the path or the open file.

        Raises:
            ValueError: *given* is no file; the message says what would be one.
        """
        if isinstance(given, cls):
            return given
        name, content, media_type = _parts(given)
        if isinstance(content, str | io.TextIOBase) or not (
            isinstance(content, bytes | os.PathLike) or hasattr(content, "read")
        ):
            raise ValueError(f"must be {_ACCEPTED}, not {type(content).__name__}")
        name = name or _name_of(content)
        return cls(name, content, media_type or mimetypes.guess_type(name)[0] or _ANY_TYPE)


def holds_file(value: object) -> bool:
    """Tell whether *value* is a file, or a list with a file in it."""
    return isinstance(value, UploadFile) or (isinstance(value, list) and any(map(holds_file, value)))


def _parts(given: object) -> tuple[str | None, Any, str | None]:
    """Return name, content and media type, as far as they were given."""
    if not isinstance(given, tuple):
        return None, given, None
    match given:
        case (str() | None as name, content):
            return name, content, None
        case (str() | None as name, content, str() | None as media_type):
            return name, content, media_type
        case _:
            raise ValueError(f"must be {_ACCEPTED}, not a tuple of {len(given)}")


def _name_of(content: object) -> str:
    place = content if isinstance(content, os.PathLike) else getattr(content, "name", None)
    return Path(place).name if isinstance(place, str | os.PathLike) else _UNNAMED


if not TYPE_CHECKING:
    FileInput = Annotated[Any, PlainValidator(UploadFile.of)]
    """A file as a caller may give it; in a model it is an `UploadFile`."""
