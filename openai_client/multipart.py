"""
Forms with files in them, as `multipart/form-data` (RFC 7578): from a body model to the pieces that are sent.

Pure but for the sizes of files. Fields come before files, so that a server knows what a file is for before it has it.
Lists are written as `name[]`, objects as `name[key]`, as the API reads them. Names and file names are escaped as
browsers do it, so none can end its line or its quotation marks.

Spec: CLI-17
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic_core import to_json

from http_util.streamed_body import StreamedBody
from openai_client.errors import SerializationError
from openai_client.file_input import UploadFile, holds_file
from openai_client.file_reading import Source, source_of
from openai_client.option_checks import check_finite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")
_MEDIA_TYPE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[ -~]+")
# what browsers escape (line ends and the quotation mark), and every other control character
_ESCAPED: Final = {code: f"%{code:02X}" for code in (*range(0x20), 0x22, 0x7F)}


class Form(NamedTuple):
    """A form ready to be sent."""

    content_type: str
    """The media type, with the boundary."""
    body: StreamedBody
    """The parts; its length is known when that of each file is."""


class Part(NamedTuple):
    """One part of a form."""

    head: bytes
    """Its header lines, the blank one included."""
    source: Source
    """Its content."""


def new_boundary() -> str:
    """Return a boundary that stands in no content: 128 bits of chance."""
    return secrets.token_hex(16)


def write_form(
    body: BaseModel,
    *,
    boundary: str,
    fixed: Mapping[str, Any] | None = None,
    part_types: Mapping[str, str] | None = None,
    on_progress: Callable[[int, int | None], object] | None = None,
) -> Form:
    """
    Return *body* as a form. Files are looked at, and not read.

    Args:
        body: The fields that were set; those that are None are left out.
        boundary: What stands between the parts.
        fixed: Fields that the operation decides.
        part_types: Media types of fields that are not plain text, by name. `application/json` sends a field as JSON.
        on_progress: As `StreamedBody` has it.

    Raises:
        SerializationError: A file cannot be read, or has a media type that is none.
        ValueError: *boundary* is none (RFC 2046, 5.1.1).

    Example:
        >>> from openai_client.types import CreateFileRequest
        >>> form = write_form(CreateFileRequest(file=("a.txt", b"tide"), purpose="batch"), boundary="limit")
        >>> print(b"".join(form.body.begin()).decode().replace(chr(13), ""))
        --limit
        Content-Disposition: form-data; name="purpose"
        <BLANKLINE>
        batch
        --limit
        Content-Disposition: form-data; name="file"; filename="a.txt"
        Content-Type: text/plain
        <BLANKLINE>
        tide
        --limit--
        <BLANKLINE>
    """
    if not _BOUNDARY.fullmatch(boundary):
        raise ValueError("boundary must be 1 to 70 characters that RFC 2046 allows")
    parts = [*_fields(body, fixed or {}, part_types or {}), *_files(body)]
    delimiter = f"--{boundary}".encode()
    return Form(
        f"multipart/form-data; boundary={boundary}",
        StreamedBody(
            lambda: _pieces(parts, delimiter),
            length=_length(parts, delimiter),
            can_rewind=all(part.source.can_rewind for part in parts),
            on_progress=on_progress,
        ),
    )


def _pieces(parts: list[Part], delimiter: bytes) -> Iterator[bytes]:
    """Yield the whole form."""
    for part in parts:
        yield b"%b\r\n%b" % (delimiter, part.head)
        yield from part.source.pieces()
        yield b"\r\n"
    yield b"%b--\r\n" % delimiter


def _length(parts: list[Part], delimiter: bytes) -> int | None:
    """Return the bytes of the whole form; None when a file does not tell its size."""
    total = len(delimiter) + len(b"--\r\n")
    for part in parts:
        if part.source.length is None:
            return None
        total += len(delimiter) + len(b"\r\n") + len(part.head) + part.source.length + len(b"\r\n")
    return total


def _fields(body: BaseModel, fixed: Mapping[str, Any], part_types: Mapping[str, str]) -> Iterator[Part]:
    """Yield the parts of everything that is no file."""
    plain = {name for name in body.model_fields_set if not holds_file(getattr(body, name))}
    values = body.model_dump(mode="json", include=plain, exclude_unset=True, by_alias=True)
    for name, value in {**values, **fixed}.items():
        check_finite(value, name)
        media_type = part_types.get(name)
        if value is None:
            continue
        if media_type is None:
            for key, text in _flat(name, value):
                yield Part(_head(key), Source.of_bytes(text.encode()))
        else:
            content = value.encode() if isinstance(value, str) else to_json(value)
            yield Part(_head(name, media_type=media_type), Source.of_bytes(content))


def _files(body: BaseModel) -> Iterator[Part]:
    """Yield the parts of the files, in the order of the model's fields."""
    for name, field in type(body).model_fields.items():
        value: Any = getattr(body, name) if name in body.model_fields_set else None
        wire_name = field.alias or name
        if isinstance(value, UploadFile):
            yield _file(wire_name, value)
        elif isinstance(value, list) and holds_file(value):
            for item in value:
                yield _file(f"{wire_name}[]", item)


def _file(name: str, file: UploadFile) -> Part:
    if not _MEDIA_TYPE.fullmatch(file.media_type):
        raise SerializationError(f"{name}: media_type must be like 'text/plain', not {file.media_type[:64]!r}")
    return Part(_head(name, filename=file.name, media_type=file.media_type), source_of(file, name))


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield *value* as texts under their names: `name`, `name[]` for each item of a list, `name[key]`."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(f"{name}[{key}]", item)
    elif isinstance(value, list):
        for item in value:
            yield from _flat(f"{name}[]", item)
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    elif value is not None:
        yield name, str(value)


def _head(name: str, *, filename: str | None = None, media_type: str | None = None) -> bytes:
    """Return the header lines of a part, the blank one included."""
    lines = [f'Content-Disposition: form-data; name="{_quoted(name)}"']
    if filename is not None:
        lines[0] += f'; filename="{_quoted(filename)}"'
    if media_type is not None:
        lines.append(f"Content-Type: {media_type}")
    # what is no text becomes a question mark: a file name may hold bytes of no encoding
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace")


def _quoted(text: str) -> str:
    return text.translate(_ESCAPED)
