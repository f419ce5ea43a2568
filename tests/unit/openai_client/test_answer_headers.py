"""Headers of an answer are found by a name in any case, and show no credential."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest

from http_util.testing import Answer
from openai_client import metadata_of
from openai_client.answer_headers import AnswerHeaders

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.openai_client.conftest import Pair

    MakePair = Callable[..., Pair]

HEADERS = {"X-Request-ID": "req-9", "set-cookie": "secret=1"}
MODEL = b'{"id": "m", "object": "model", "created": 1, "owned_by": "o"}'


@pytest.mark.requirement("CLI-16")
async def test_a_header_of_an_answer_is_found_in_any_case(pair: MakePair) -> None:
    """Servers and programs write them as they like."""
    made = pair(Answer.json(MODEL, headers=HEADERS), Answer.json(MODEL, headers=HEADERS))
    headers = metadata_of(await made.call(lambda client: client.models.retrieve("m"))).headers
    answer = await made.call(lambda client: client.models.with_raw_response.retrieve("m"))
    for found in (headers, answer.headers):
        assert found["x-request-id"] == found["X-Request-Id"] == found.get("X-REQUEST-ID") == "req-9"
        assert "X-ReQuest-id" in found
        assert "x-request-id" in list(found)


@pytest.mark.requirement("CLI-16", "SEC-06")
def test_headers_are_a_mapping_that_nobody_changes() -> None:
    """They keep their order, equal a mapping with their names, copy and pickle, and mask credentials when shown."""
    headers = AnswerHeaders(HEADERS)
    assert dict(headers) == {"x-request-id": "req-9", "set-cookie": "secret=1"} == headers
    assert (len(headers), headers.get("x-none"), 3 in headers) == (2, None, False)
    assert "secret" not in repr(headers)
    assert pickle.loads(pickle.dumps(headers)) == copy.deepcopy(headers) == headers
    with pytest.raises(KeyError, match="x-none"):
        headers["x-none"]
    with pytest.raises(TypeError):
        headers["a"] = "b"  # type: ignore[index] # what is shown here
