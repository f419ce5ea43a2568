"""
Embeddings as arrays: base64 on the wire is a quarter of the bytes of numbers, and is decoded once and not copied.

Spec: TYP-05, CLI-21
"""

from __future__ import annotations

import binascii
import sys
from array import array
from typing import TYPE_CHECKING, Final

from openai_client.errors import DeserializationError, InvalidFieldValue

if TYPE_CHECKING:
    from openai_client._generated.models.embeddings import CreateEmbeddingResponse

_FLOAT: Final = "f"
_BYTES: Final = array(_FLOAT).itemsize


def vectors(answer: CreateEmbeddingResponse) -> list[memoryview[float]]:
    """
    Return the embeddings of an answer as arrays of 32-bit floats, in the order of the inputs.

    Each is a view (format `f`) that anything takes that takes buffers: `numpy.asarray(view)` shares its memory. Ask
    with `encoding_format="base64"` to have each decoded in one step; numbers are taken too.

    Args:
        answer: What `client.embeddings.create` returned.

    Raises:
        DeserializationError: An embedding is neither base64 of floats nor a list of numbers.
        InvalidFieldValue: It is no such answer.

    Example:
        >>> from openai_client.types import CreateEmbeddingResponse
        >>> answer = CreateEmbeddingResponse.from_wire(
        ...     b'{"data": [{"index": 1, "embedding": [0.5]}, {"index": 0, "embedding": "AACAPwAAAEA="}]}'
        ... )
        >>> [list(view) for view in vectors(answer)]
        [[1.0, 2.0], [0.5]]

    Spec: TYP-05, CLI-21
    """
    items = getattr(answer, "data", None)
    if not isinstance(items, list):
        raise InvalidFieldValue(
            f"answer: must be what client.embeddings.create returned, not {type(answer).__name__}", param="answer"
        )
    if all(item.index is not None for item in items):
        items = sorted(items, key=lambda item: item.index or 0)
    return [vector(item.embedding) for item in items]


def vector(embedding: object) -> memoryview[float]:
    """
    Return one embedding as an array of 32-bit floats; errors as `vectors`.

    Spec: TYP-05, CLI-21
    """
    if isinstance(embedding, str):
        return _decoded(embedding)
    try:
        # a list of lists, as a server may send per token, is no vector
        return memoryview(array(_FLOAT, embedding))  # type: ignore[call-overload] # what it is, is found out here
    except TypeError:
        problem = "an embedding is no list of numbers"
    raise DeserializationError(problem)


def _decoded(text: str) -> memoryview[float]:
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raw = b""
    if not raw or len(raw) % _BYTES:
        raise DeserializationError("an embedding is not base64 of 32-bit floats")
    view = memoryview(raw).cast(_FLOAT)
    if sys.byteorder == "little":
        return view
    # the wire is little endian: the one copy that this costs elsewhere
    swapped = array(_FLOAT, view)
    swapped.byteswap()
    return memoryview(swapped)
