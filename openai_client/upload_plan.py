"""
A large file on its way in parts: which there are, what has been done, and which call is next. Both colours do it.

    create -> each part, several at once, in any order -> complete with the parts' ids in order
                                                    any failure -> cancel

Pure: calls are values, and nobody waits here but for a lock.

Spec: CLI-17, EP-UPL-01
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Required, cast

from openai_client.calling import CallKeywords, call_options
from openai_client.errors import InvalidFieldValue, MissingRequiredField
from openai_client.file_input import UploadFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from openai_client._generated.models.uploads import Upload, UploadPart
    from openai_client.file_slices import FileSlice
    from openai_client.operation import Operation

PART_BYTES: Final = 64 * 1024 * 1024
"""Size of a part; the official service takes no larger one."""

PARALLEL: Final = 4
"""Parts on their way at the same time."""

CANCEL_SECONDS: Final = 5.0
"""How long a failed upload may take to be cancelled: its error is what the caller waits for."""


class UploadKeywords(CallKeywords, total=False):
    """What an upload in parts takes, beside the file and what every method takes."""

    purpose: Required[str]
    """What the file is for, such as `assistants` or `batch`."""
    mime_type: str | None
    """What it is; by default guessed by the name."""
    filename: str | None
    """What it is called at the upstream; by default as it is here."""
    part_size: int
    """Bytes in each part but the last one, above zero, by default 64 MiB: the official service takes no larger ones."""
    parallel: int
    """Parts on their way at the same time, above zero, by default 4."""
    md5: str | None
    """The checksum of the whole file in hexadecimal, for the upstream to compare."""
    expires_after: Mapping[str, Any] | None
    """When the upstream deletes the file: `{"anchor": "created_at", "seconds": 3600}`."""


_OWN: Final = frozenset(UploadKeywords.__annotations__) - frozenset(CallKeywords.__annotations__)


class UploadStopped(Exception):
    """Ends a part that is on its way when another one has failed; nobody but the flow itself sees it."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """One part of a file."""

    index: int
    """From 0."""
    offset: int
    """Bytes before it."""
    size: int
    """Bytes in it."""


def file_to_upload(file: Any, wanted: UploadKeywords) -> UploadFile:
    """
    Return *file* under the name and the type that it is to have; a text is the path that the official SDK takes it for.

    Raises:
        InvalidFieldValue: It is no file.
    """
    filename, mime_type = wanted.get("filename"), wanted.get("mime_type")
    try:
        given = UploadFile.of(Path(file) if isinstance(file, str) else file)
        if filename is not None and not isinstance(file, tuple | UploadFile):
            # the type that the name suggests
            given = UploadFile.of((filename, given.content))
    except ValueError as error:
        raise InvalidFieldValue(f"file: {error}", param="file") from None
    return UploadFile(filename or given.name, given.content, mime_type or given.media_type)


class UploadPlan:
    """The upload of one file. Threads may use it at the same time."""

    def __init__(self, file: UploadFile, size: int, wanted: UploadKeywords) -> None:
        """
        Plan an upload.

        Args:
            file: Tells name and type.
            size: Bytes in it.
            wanted: All the rest. `on_progress` is told of the whole file.

        Raises:
            InvalidFieldValue: The file is empty, or a size or a number is not above zero.
            MissingRequiredField: There is no purpose.
        """
        given: dict[str, Any] = {"part_size": PART_BYTES, "parallel": PARALLEL, **wanted}
        if "purpose" not in given:
            raise MissingRequiredField("purpose: must be given", param="purpose")
        for name, value in (("file", size), ("part_size", given["part_size"]), ("parallel", given["parallel"])):
            if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
                raise InvalidFieldValue(f"{name}: must be a whole number above 0, not {value!r}", param=name)
        step = given["part_size"]
        self.parts: Final = tuple(
            FilePart(index, offset, min(step, size - offset)) for index, offset in enumerate(range(0, size, step))
        )
        """All parts, in order."""
        self.parallel: Final = min(given["parallel"], len(self.parts))
        """Parts on their way at the same time."""
        options = call_options(cast("CallKeywords", {k: v for k, v in given.items() if k not in _OWN}))
        self.options: Final = replace(options, on_progress=None)
        """The options of each call but those that send a part."""
        self.last_options: Final = replace(self.options, timeout=CANCEL_SECONDS, deadline=None)
        """The options of the call that cancels."""
        self._file = file
        self._size = size
        self._given = given
        self._on_progress = options.on_progress
        self._ids: dict[int, str] = {}
        self._sent = [0] * len(self.parts)
        self._is_stopped = False
        self._lock = threading.Lock()

    def create(self) -> Operation[Upload]:
        """Return the call that begins the upload; raises `InvalidFieldValue` for a purpose that there is not."""
        from openai_client._generated.operations.uploads import create_upload_with

        fields: dict[str, Any] = {
            "filename": self._file.name,
            "purpose": self._given["purpose"],
            "bytes": self._size,
            "mime_type": self._file.media_type,
        }
        if self._given.get("expires_after") is not None:
            fields["expires_after"] = self._given["expires_after"]
        return create_upload_with(**fields)

    def add(self, upload: Upload, part: FilePart, content: FileSlice) -> Operation[UploadPart]:
        """
        Return the call that sends *part*, with its options.

        It may be repeated: a part whose id nobody names in the end is not in the file.
        """
        from openai_client._generated.models.uploads import AddUploadPartRequest
        from openai_client._generated.operations.uploads import add_upload_part

        body = AddUploadPartRequest(data=UploadFile(f"part-{part.index}", cast("BinaryIO", content)))
        options = replace(self.options, on_progress=lambda sent, _: self._moved(part, sent))
        return replace(add_upload_part(upload.id, body, options=options), idempotent=True)

    def added(self, part: FilePart, answer: UploadPart) -> None:
        """Note that the upstream has *part*."""
        with self._lock:
            self._ids[part.index] = answer.id

    def complete(self, upload: Upload) -> Operation[Upload]:
        """Return the call that ends the upload, with the ids of all parts in the order of the file."""
        from openai_client._generated.operations.uploads import complete_upload_with

        fields: dict[str, Any] = {"part_ids": [self._ids[part.index] for part in self.parts]}
        if self._given.get("md5") is not None:
            fields["md5"] = self._given["md5"]
        return complete_upload_with(upload.id, **fields)

    def cancel(self, upload: Upload) -> Operation[Upload]:
        """Return the call that drops the upload."""
        from openai_client._generated.operations.uploads import cancel_upload

        return cancel_upload(upload.id)

    def stop(self) -> None:
        """End the parts that are on their way, each with its next piece."""
        with self._lock:
            self._is_stopped = True

    def _moved(self, part: FilePart, sent: int) -> None:
        """Note how far the form of *part* has come, and tell how far the file has."""
        with self._lock:
            if self._is_stopped:
                raise UploadStopped
            # what is around the content of a form is not the file's
            self._sent[part.index] = min(sent, part.size)
            if self._on_progress is not None:
                self._on_progress(sum(self._sent), self._size)
