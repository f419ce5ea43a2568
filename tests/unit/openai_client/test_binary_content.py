"""Bytes with the names that users of the official SDK look for."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from openai_client.binary_content import BinaryContent
from openai_client.operation import as_binary

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.requirement("CLI-17")]


def test_it_is_bytes_and_more(tmp_path: Path) -> None:
    """Equal to them, and usable as they are."""
    content = as_binary(b'{"a": 1}\xff')
    assert content == b'{"a": 1}\xff' == content.content == content.read() == content.read()
    assert isinstance(content, bytes)
    assert type(content.content) is bytes
    assert content.text == '{"a": 1}\ufffd'
    assert BinaryContent(b'{"a": 1}').json() == {"a": 1}
    content.write_to_file(tmp_path / "f")
    content.write_to_file(str(tmp_path / "g"))
    content.stream_to_file(tmp_path / "h")
    assert (tmp_path / "f").read_bytes() == (tmp_path / "g").read_bytes() == (tmp_path / "h").read_bytes() == content
    assert pickle.loads(pickle.dumps(content)) == content


def test_it_comes_in_pieces_of_any_size() -> None:
    """By default of 64 KiB."""
    content = BinaryContent(bytes(200_000))
    assert [len(piece) for piece in content.iter_bytes()] == [65_536] * 3 + [3_392]
    assert [len(piece) for piece in content.iter_bytes(150_000)] == [150_000, 50_000]
    assert list(BinaryContent(b"").iter_bytes()) == []
