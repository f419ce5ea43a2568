"""Where the bytes of a file come from, and what is said when they do not."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import pytest

from http_util.errors import PolicyFailure
from openai_client import SerializationError
from openai_client.file_input import UploadFile
from openai_client.file_reading import READ_BYTES, source_of
from tests.process import open_files

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.requirement("CLI-17")]


def source(content: Any) -> Any:
    """Return where the bytes of *content* come from."""
    return source_of(UploadFile("f", content), "file")


def test_a_large_file_is_read_in_pieces(tmp_path: Path) -> None:
    """None of them larger than what is read at once, and bytes are cut alike."""
    content = bytes(range(256)) * 4000
    path = tmp_path / "f"
    path.write_bytes(content)
    for given in (path, content, io.BytesIO(content)):
        pieces = list(source(given).pieces())
        assert b"".join(pieces) == content
        assert max(map(len, pieces)) == READ_BYTES


def test_an_open_file_is_read_from_where_it_stood_and_stays_open() -> None:
    """Each time anew."""
    file = io.BytesIO(b"headtide")
    file.seek(4)
    found = source(file)
    assert (found.length, found.can_rewind) == (4, True)
    assert [b"".join(found.pieces()) for _ in range(2)] == [b"tide", b"tide"]
    assert not file.closed


def test_a_path_is_closed_when_nobody_draws_any_more(tmp_path: Path) -> None:
    """Also in the middle."""
    path = tmp_path / "f"
    path.write_bytes(bytes(READ_BYTES * 2))
    before = open_files()
    pieces = source(path).pieces()
    next(pieces)
    assert open_files() == before + 1
    pieces.close()
    assert open_files() == before


def test_a_file_that_grows_is_sent_as_it_was(tmp_path: Path) -> None:
    """Its length was told; what came later is not in it."""
    path = tmp_path / "log"
    path.write_bytes(b"tide")
    found = source(path)
    path.write_bytes(b"tide and more")
    assert b"".join(found.pieces()) == b"tide"


def test_a_file_that_shrinks_is_a_failure(tmp_path: Path) -> None:
    """Its length was told."""
    path = tmp_path / "log"
    path.write_bytes(b"tide and more")
    found = source(path)
    path.write_bytes(b"tide")
    with pytest.raises(PolicyFailure, match="file: the file became 9 bytes shorter while it was sent"):
        list(found.pieces())


def test_a_pipe_in_the_file_system_has_no_length(tmp_path: Path) -> None:
    """And cannot be read twice."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    found = source(path)
    assert (found.length, found.can_rewind) == (None, False)


def test_what_cannot_be_read_is_told_without_its_path(tmp_path: Path) -> None:
    """A folder, nothing, a file that was closed."""
    closed = io.BytesIO(b"")
    closed.close()
    for given, said in (
        (tmp_path, "is a directory"),
        (tmp_path / "none", "No such file or directory"),
        (closed, "closed file"),
    ):
        with pytest.raises(SerializationError) as caught:
            source(given)
        assert str(caught.value).startswith("file: cannot be read: ")
        assert said in str(caught.value)
        assert str(tmp_path) not in str(caught.value)


def test_what_a_read_raises_is_a_failure_of_this_side() -> None:
    """Nothing of an incomplete form was processed."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(PolicyFailure, match="file: cannot be read: Input/output error") as caught:
        list(source(Broken(b"tide")).pieces())
    assert (caught.value.reason, caught.value.outcome) == ("serialization", "NOT_SENT")


def test_a_file_in_text_mode_is_told_what_to_be() -> None:
    """A read gives text."""

    class Words(io.BytesIO):
        def read(self, size: int | None = -1) -> Any:
            return "tide"

    with pytest.raises(PolicyFailure, match="must be opened in binary mode"):
        list(source(Words(b"tide")).pieces())
