"""Pieces that wait: in order, and in about as much memory as they have bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_util.engine.pieces import Pieces

pytestmark = [pytest.mark.requirement("ENG-02")]


@given(st.lists(st.binary(min_size=1, max_size=3), max_size=1000), st.binary(max_size=2))
def test_what_is_taken_is_what_came(pieces: list[bytes], first: bytes) -> None:
    """However many they are; afterwards there is nothing."""
    waiting = Pieces()
    for piece in pieces:
        waiting.append(piece)
    assert bool(waiting) is bool(pieces)
    assert waiting.take(first) == first + b"".join(pieces)
    assert not waiting
    assert waiting.take() == b""


def test_what_is_dropped_is_not_taken() -> None:
    """Joined and single ones."""
    waiting = Pieces()
    for _ in range(300):
        waiting.append(b"x")
    waiting.clear()
    assert not waiting
    assert waiting.take() == b""
