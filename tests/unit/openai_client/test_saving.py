"""Files that appear when they are whole."""

from __future__ import annotations

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


def test_a_place_that_cannot_be_taken_leaves_nothing_behind(tmp_path: Path) -> None:
    """A folder stands there."""
    (tmp_path / "f").mkdir()
    file = NewFile(tmp_path / "f")
    with pytest.raises(OSError, match="irectory"):
        file.keep()
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


def test_a_folder_that_is_not_there_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    """By the system's own error."""
    with pytest.raises(FileNotFoundError):
        NewFile(tmp_path / "none" / "f")
