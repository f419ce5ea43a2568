"""Embeddings as arrays."""

from __future__ import annotations

import base64
import struct
import sys
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openai_client import DeserializationError, InvalidFieldValue, vectors
from openai_client.embedding_arrays import vector
from openai_client.types import CreateEmbeddingResponse

FLOATS = st.lists(st.floats(width=32, allow_nan=False), min_size=1)


def written(numbers: list[float]) -> str:
    """Numbers as the API writes them: base64 of little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


@pytest.mark.requirement("TYP-05", "CLI-21")
@given(FLOATS)
def test_base64_and_numbers_give_the_same_array(numbers: list[float]) -> None:
    """To the bit."""
    for form in (written(numbers), numbers):
        view = vector(form)
        assert (list(view), view.format, view.itemsize, view.contiguous) == (numbers, "f", 4, True)


@pytest.mark.requirement("CLI-21")
def test_base64_is_decoded_into_one_buffer_that_nobody_copies() -> None:
    """The view is of the decoded bytes themselves, so numpy and others share them."""
    view = vector(written([1.0, 2.0]))
    assert isinstance(view.obj, bytes)
    assert view.nbytes == 8
    assert memoryview(view).obj is view.obj


@pytest.mark.requirement("CLI-21")
def test_the_wire_is_little_endian_wherever_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine of the other kind the bytes are swapped."""
    monkeypatch.setattr(sys, "byteorder", "big")
    there = array("f", [1.0, 2.0])
    there.byteswap()
    assert list(vector(base64.b64encode(there.tobytes()).decode())) == [1.0, 2.0]


@pytest.mark.requirement("CLI-21")
def test_an_answers_vectors_come_in_the_order_of_the_inputs() -> None:
    """By their index, or as they came when a server leaves it out."""
    answer = CreateEmbeddingResponse.model_validate(
        {"data": [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": written([0.0])}]}
    )
    assert [list(view) for view in vectors(answer)] == [[0.0], [1.0]]
    unnumbered = CreateEmbeddingResponse.model_validate({"data": [{"embedding": [1.0]}, {"embedding": [0.0]}]})
    assert [list(view) for view in vectors(unnumbered)] == [[1.0], [0.0]]


@pytest.mark.requirement("CLI-21", "SEC-13")
@pytest.mark.parametrize("wrong", ["", "AAA", "AAAA", "****", "AACAPw==x", [[1.0]], ["1"], None])
def test_what_is_no_vector_is_an_error_without_its_value(wrong: Any) -> None:
    """Neither guessed nor cut."""
    with pytest.raises(DeserializationError, match="an embedding is"):
        vector(wrong)


@pytest.mark.requirement("CLI-21", "ERR-01")
@pytest.mark.parametrize("wrong", [3, [[1.0]], None])
def test_what_is_no_answer_is_told_by_the_arguments_name(wrong: Any) -> None:
    """In the client's own tree."""
    with pytest.raises(InvalidFieldValue, match=r"^answer: must be what client\.embeddings\.create returned, not "):
        vectors(wrong)
