"""`with_raw_response`: the same methods, each with the head of its answer, under the names of the official SDK."""

from __future__ import annotations

import inspect
import pydoc
from typing import TYPE_CHECKING, Any

import pytest

from http_util.retry import AVAILABLE
from http_util.testing import Answer
from openai_client import AsyncSingleFlightClient, Client, InvalidFieldValue, SingleFlightClient, errors
from openai_client._generated.operations.audio import RawAudioSpeech
from tests.unit.openai_client.conftest import chat_chunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.openai_client.conftest import Pair

HEARD = {"x-request-id": "req-7", "retry-after-ms": "1"}
WHOLE = b'{"id": "c", "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}'
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}

pytestmark = [pytest.mark.requirement("CLI-16", "CLI-MIG-01")]


async def test_a_result_comes_with_the_head_of_its_answer(pair: Callable[..., Pair]) -> None:
    """Of a body's fields, of a page, of bytes; and the attempts that were made for it are counted."""
    made = pair(
        Answer.json(b"{}", status=503, headers=HEARD),
        Answer.json(WHOLE, headers=HEARD),
        Answer.json(b'{"data": [{"id": "f"}], "has_more": false}', headers=HEARD),
        Answer(body=(b"%PDF",), headers=HEARD),
        retry=AVAILABLE,
    )
    answer = await made.call(lambda client: client.chat.completions.with_raw_response.create(**CHAT))
    assert (answer.status_code, answer.request_id, answer.retries_taken) == (200, "req-7", 1)
    assert answer.headers["x-request-id"] == "req-7"
    assert answer.http_version == answer.metadata.http_version
    assert answer.parse() is answer.result
    assert answer.parse().choices[0].message.content == "Hi"
    page = await made.call(lambda client: client.files.with_raw_response.list(limit=1))
    assert (page.request_id, [file.id for file in page.parse()]) == ("req-7", ["f"])
    content = await made.call(lambda client: client.files.with_raw_response.content("f"))
    assert (content.request_id, content.parse()) == ("req-7", b"%PDF")
    assert [request.method for request in made.requests] == ["POST", "POST", "GET", "GET"]


async def test_a_stream_that_was_asked_for_by_a_flag_is_a_result_too(pair: Callable[..., Pair]) -> None:
    """It is open, and whoever has it closes it."""
    made = pair(Answer.events(chat_chunk("a", finish="stop")))
    answer = await made.call(lambda client: client.chat.completions.with_raw_response.create(**CHAT, stream=True))
    stream = answer.parse()
    assert answer.status_code == stream.metadata.status == 200
    whole = await stream.collect() if made.colour == "async" else stream.collect()
    assert whole.choices[0].message.content == "a"


async def test_a_failure_is_that_of_the_method(pair: Callable[..., Pair]) -> None:
    """What is wrong with the arguments is told at once, what the upstream says by its leaf."""
    made = pair(Answer.json(b"{}", status=404))
    with pytest.raises(InvalidFieldValue, match=r"^model: must be"):
        made.client.models.with_raw_response.retrieve("")
    with pytest.raises(errors.NotFound):
        await made.call(lambda client: client.models.with_raw_response.retrieve("m"))


async def test_what_answers_by_itself_has_no_heads(pair: Callable[..., Pair]) -> None:
    """A middleware may have the answer without a call."""
    made = pair(Answer.json(WHOLE))
    kind: Any = AsyncSingleFlightClient if made.colour == "async" else SingleFlightClient
    front = kind(made.client)
    with pytest.raises(errors.InvalidConfiguration, match=f"with_raw_response: {kind.__name__} may answer"):
        await made.call(lambda _: front.models.with_raw_response.list())
    assert made.requests == []


def test_streams_and_downloads_have_their_heads_themselves() -> None:
    """So there is no second way to them; and the others say what they give."""
    with Client(api_key="sk-0123456789abcdef") as client:
        raw: Any = client.audio.speech.with_raw_response
        for name in ("stream", "download"):
            with pytest.raises(AttributeError, match=f"with_raw_response.{name}: .* has `metadata` of its own"):
                getattr(raw, name)
        assert not hasattr(client.batches.with_raw_response, "poll")
        assert raw is client.audio.speech.with_raw_response
        assert inspect.signature(raw.create).return_annotation == "Answer[BinaryContent]"
        listed = inspect.signature(client.files.with_raw_response.list)
        assert listed.return_annotation == "Answer[Page[OpenAIFile]]"
        assert "create" in pydoc.plain(pydoc.render_doc(RawAudioSpeech))
