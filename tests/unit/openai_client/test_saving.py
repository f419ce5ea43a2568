"""Files that appear when they are whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from openai_client.saving import NewFile

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.requirement("CLI-17")]


def test_nothing_is_there_before_the_end(tmp_path: Path) -> None:
    """And then all of it, under its own name alone."""
    path = tmp_path / "f"
    file = NewFile(path)
    file.write(b"ti")
    file.write(b"de")
    assert not path.exists()
    file.keep()
    file.discard()
    assert path.read_bytes() == b"tide"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="was ended"):
        file.write(b"x")


def test_what_is_discarded_leaves_what_was_there(tmp_path: Path) -> None:
    """And nothing beside it."""
    path = tmp_path / "f"
    path.write_bytes(b"before")
    file = NewFile(path)
    file.write(b"tide")
    file.discard()
    file.keep()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_are_those_of_the_file_that_is_replaced(tmp_path: Path) -> None:
    """Also while it is written, for what is private stays so; a new file has a new file's."""
    path, new = tmp_path / "f", tmp_path / "g"
    path.write_bytes(b"")
    path.chmod(0o600)
    file = NewFile(path)
    (place,) = (entry for entry in tmp_path.iterdir() if entry != path)
    assert place.stat().st_mode & 0o777 == 0o600
    file.keep()
    assert path.stat().st_mode & 0o777 == 0o600
    fresh = NewFile(new)
    fresh.keep()
    (tmp_path / "h").write_bytes(b"")
    assert new.stat().st_mode == (tmp_path / "h").stat().st_mode


def test_permissions_are_not_masked_a_second_time(tmp_path: Path) -> None:
    """A file that a group may write can be written by it afterwards."""
    path = tmp_path / "f"
    path.write_bytes(b"")
    path.chmod(0o666)
    NewFile(path).keep()
    assert path.stat().st_mode & 0o777 == 0o666


@pytest.mark.parametrize("place", ["f", ".", ""])
def test_a_folder_is_refused_before_anything_is_written(tmp_path: Path, place: str) -> None:
    """By the system's own error, and nothing is left behind."""
    (tmp_path / "f").mkdir()
    with pytest.raises(IsADirectoryError):
        NewFile(tmp_path / place)
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    """What it leads to is replaced, also when nothing is there yet."""
    link, target = tmp_path / "link", tmp_path / "folder" / "f"
    target.parent.mkdir()
    link.symlink_to(target)
    for content in (b"first", b"second"):
        file = NewFile(link)
        file.write(content)
        file.keep()
        assert link.is_symlink()
        assert target.read_bytes() == content
    assert list(target.parent.iterdir()) == [target]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """So is a device; without a reader the system's error says so at once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="No such device or address"):
        NewFile(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for end in (NewFile.keep, NewFile.discard):
            file = NewFile(pipe)
            file.write(b"tide")
            end(file)
            assert os.read(reader, 10) == b"tide"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_the_longest_name_in_the_longest_letters_can_be_taken(tmp_path: Path) -> None:
    """The name under which it is written meanwhile is no longer than a name may be."""
    path = tmp_path / ("\N{GRINNING FACE}" * 63)
    NewFile(path).keep()
    assert path.exists()


def test_a_folder_that_is_not_there_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    """By the system's own error."""
    with pytest.raises(FileNotFoundError):
        NewFile(tmp_path / "none" / "f")
