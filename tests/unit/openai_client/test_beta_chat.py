"""The older names of the official SDK: `client.beta.chat`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from http_util.testing import Answer
from tests.unit.openai_client.conftest import chat_chunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.openai_client.conftest import Pair


class Colour(BaseModel):
    """What is asked for."""

    name: str


@pytest.mark.requirement("CLI-MIG-01", "CLI-14")
async def test_parse_and_stream_are_there_by_their_older_names(pair: Callable[..., Pair]) -> None:
    """They are those of `client.chat`, and no beta service, so nothing has to be enabled."""
    message = {"content": '{"name": "blue"}'}
    whole = {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    made = pair(Answer.json(json.dumps(whole).encode()), Answer.events(chat_chunk("a", finish="stop")))
    asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
    completion = await made.call(lambda client: client.beta.chat.completions.parse(**asked, response_format=Colour))
    assert completion.parsed == Colour(name="blue")
    chunks, _ = await made.stream(lambda client: client.beta.chat.completions.stream(**asked))
    assert chunks[0].choices[0].delta.content == "a"
    assert [request.url.rpartition("/v1")[2] for request in made.requests] == ["/chat/completions"] * 2
    assert not any("openai-beta" in request.headers for request in made.requests)
    assert made.client.beta.chat is made.client.beta.chat
