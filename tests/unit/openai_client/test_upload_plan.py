"""The plan of an upload in parts, and the slices that its parts are."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from openai_client import InvalidFieldValue, MissingRequiredField, SerializationError
from openai_client.file_input import UploadFile
from openai_client.file_slices import SharedFile
from openai_client.request_writing import is_replay_safe
from openai_client.types import Upload, UploadPart
from openai_client.upload_plan import CANCEL_SECONDS, PARALLEL, PART_BYTES, UploadPlan, UploadStopped, file_to_upload

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.requirement("EP-UPL-01"), pytest.mark.requirement("CLI-17")]

FILE = UploadFile("large.bin", b"0123456789", "text/csv")
UPLOAD = Upload(id="u")


def plan(size: int = 10, **wanted: Any) -> UploadPlan:
    """Return the plan for a file of *size* bytes in parts of four."""
    return UploadPlan(FILE, size, {"purpose": "batch", "part_size": 4, **wanted})


def test_the_parts_cover_the_file_and_the_last_one_is_what_is_left() -> None:
    """In order, without a gap."""
    assert [(part.index, part.offset, part.size) for part in plan().parts] == [(0, 0, 4), (1, 4, 4), (2, 8, 2)]
    assert [part.size for part in plan(8).parts] == [4, 4]
    assert [part.size for part in plan(3).parts] == [3]


def test_no_more_go_at_once_than_there_are() -> None:
    """And by default four, of 64 MiB."""
    assert plan().parallel == 3
    assert plan(parallel=2).parallel == 2
    default = UploadPlan(FILE, PART_BYTES * 9, {"purpose": "batch"})
    assert (default.parallel, len(default.parts)) == (PARALLEL, 9)


def test_the_calls_in_their_order() -> None:
    """Ids are named in the order of the file, in whichever order the parts were done."""
    made = plan(md5="0" * 32, expires_after={"anchor": "created_at", "seconds": 3600}, timeout=9.0)
    created = made.create()
    assert created.body_bytes() == (
        b'{"filename":"large.bin","purpose":"batch","bytes":10,"mime_type":"text/csv",'
        b'"expires_after":{"anchor":"created_at","seconds":3600}}'
    )
    with SharedFile(FILE) as shared:
        for part in reversed(made.parts):
            operation = made.add(UPLOAD, part, shared.slice(part.offset, part.size))
            assert (operation.path, operation.options.timeout) == ("/uploads/u/parts", 9.0)
            assert is_replay_safe(operation)
            made.added(part, UploadPart(id=f"p{part.index}"))
    assert made.complete(UPLOAD).body_bytes() == b'{"part_ids":["p0","p1","p2"],"md5":"' + b"0" * 32 + b'"}'
    assert made.cancel(UPLOAD).path == "/uploads/u/cancel"
    assert (made.options.timeout, made.last_options.timeout) == (9.0, CANCEL_SECONDS)


def test_progress_is_that_of_the_whole_file() -> None:
    """What is around a part is not counted; a part that begins again counts from its beginning."""
    told: list[tuple[int, int | None]] = []
    made = plan(on_progress=lambda *how: told.append(how))
    with SharedFile(FILE) as shared:
        first, second, _ = (
            made.add(UPLOAD, part, shared.slice(part.offset, part.size)).options.on_progress for part in made.parts
        )
    assert first is not None
    assert second is not None
    first(3, 200)
    second(200, 200)
    first(200, 200)
    second(1, 200)
    assert told == [(3, 10), (7, 10), (8, 10), (5, 10)]
    made.stop()
    with pytest.raises(UploadStopped):
        first(200, 200)


@pytest.mark.parametrize(
    ("size", "wanted", "named"),
    [
        (0, {}, "file"),
        (1, {"part_size": 0}, "part_size"),
        (1, {"parallel": -1}, "parallel"),
        (1, {"colour": "red"}, "colour"),
    ],
)
def test_what_makes_no_plan_is_refused(size: int, wanted: dict[str, Any], named: str) -> None:
    """By name."""
    with pytest.raises(InvalidFieldValue, match=f"^{named}: "):
        plan(size, **wanted)


def test_a_purpose_is_needed() -> None:
    """There is no default for what a file is for."""
    with pytest.raises(MissingRequiredField, match="purpose"):
        UploadPlan(FILE, 1, {})  # type: ignore[typeddict-item] - the test is about it


@pytest.mark.parametrize(
    ("file", "wanted", "name", "media_type"),
    [
        (b"x", {}, "upload", "application/octet-stream"),
        (b"x", {"filename": "a.txt"}, "a.txt", "text/plain"),
        (b"x", {"filename": "a.txt", "mime_type": "text/csv"}, "a.txt", "text/csv"),
        ("folder/a.txt", {}, "a.txt", "text/plain"),
        (("a.bin", b"x", "text/csv"), {"filename": "b"}, "b", "text/csv"),
    ],
)
def test_the_file_has_the_name_and_the_type_that_it_is_to_have(
    file: Any, wanted: Any, name: str, media_type: str
) -> None:
    """What was said wins over what can be guessed."""
    chosen = file_to_upload(file, wanted)
    assert (chosen.name, chosen.media_type) == (name, media_type)


def test_a_slice_is_a_file_of_its_own(tmp_path: Path) -> None:
    """From whichever file, from where that stands; several may be read in turn."""
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")
    moved = io.BytesIO(b"before0123456789")
    moved.seek(6)
    for content in (b"0123456789", path, moved):
        with SharedFile(UploadFile("f", content)) as shared:
            assert shared.size == 10
            one, other = shared.slice(2, 5), shared.slice(8, 9)
            assert (one.read(2), other.read(9), one.read(9), one.read(1)) == (b"23", b"89", b"456", b"")
            assert (one.seek(0, 2), one.seek(-4, 1), one.tell(), one.read()) == (5, 1, 1, b"3456")
            assert one.seekable()
            assert one.readable()
        assert not moved.closed


def test_what_cannot_be_shared_is_told(tmp_path: Path) -> None:
    """A file that cannot seek, and one that is not there."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(InvalidFieldValue, match="file: must be able to seek"):
        SharedFile(UploadFile("f", Pipe(b"")))
    with pytest.raises(SerializationError, match="No such file"):
        SharedFile(UploadFile("f", tmp_path / "none"))


class Odd(io.BytesIO):
    """A file whose reads give something else than bytes."""

    def __init__(self, *pieces: Any) -> None:
        super().__init__(b"0123456789")
        self._pieces = list(pieces)

    def read(self, size: int | None = -1) -> Any:
        """Give the next of them."""
        return self._pieces.pop(0)


def test_what_gives_no_bytes_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """A file in text mode by its kind, and anything else by what it gives."""
    path = tmp_path / "text"
    path.write_text("0123456789")
    with path.open() as text, pytest.raises(InvalidFieldValue, match=r"a file opened in binary mode.*TextIOWrapper"):
        file_to_upload(text, {"purpose": "batch"})
    with pytest.raises(SerializationError, match="a read gave str; the file must be opened in binary mode"):
        SharedFile(UploadFile("f", Odd("")))
    with SharedFile(UploadFile("f", Odd(b"", 4))) as shared, pytest.raises(ValueError, match="a read gave int"):
        # a number would become as many zeros
        shared.slice(0, 4).read()
