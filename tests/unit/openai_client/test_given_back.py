"""An answer's own message goes back into the conversation as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from http_util.testing import Answer
from openai_client import InvalidFieldValue
from openai_client.types import ChatCompletionRequestAssistantMessage, CreateChatCompletionResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.openai_client.conftest import Pair

QUESTION = {"role": "user", "content": "How high is it?"}
CALL = {"id": "call-1", "type": "function", "function": {"name": "height", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "call-1", "content": "161.5"}


class Tower(BaseModel):
    """What an answer is asked for as."""

    height: float


def document(**said: Any) -> bytes:
    """An answer whose message has these fields, as the official service and vLLM send them: nulls and all."""
    whole = {"role": "assistant", "content": None, "refusal": None, "annotations": [], "audio": None} | said
    choice = {"index": 0, "message": whole, "finish_reason": "stop", "logprobs": None}
    return json.dumps({"id": "c", "choices": [choice]}).encode()


def message(**said: Any) -> Answer:
    """The same, to be answered with."""
    return Answer.json(document(**said))


def sent_back(asked: Pair) -> Any:
    """The second message of the second request."""
    return json.loads(asked.requests[1].content)["messages"][1]


@pytest.mark.requirement("CLI-14", "FWD-11")
async def test_the_message_that_called_tools_goes_back_without_what_only_answers_have(
    pair: Callable[..., Pair],
) -> None:
    """Calls and the null text are kept; annotations, and fields of the vendor, stay behind."""
    asked = pair(message(tool_calls=[CALL], function_call=None, reasoning_content=None), message(content="161.5 m"))
    first = await asked.call(lambda client: client.chat.completions.create(model="m", messages=[QUESTION]))
    back = [QUESTION, first.choices[0].message, RESULT]
    await asked.call(lambda client: client.chat.completions.create(model="m", messages=back))
    assert sent_back(asked) == {"role": "assistant", "content": None, "tool_calls": [CALL]}


@pytest.mark.requirement("CLI-14")
@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ({"content": "Hi"}, {"content": "Hi"}),
        ({"refusal": "No."}, {"content": None, "refusal": "No."}),
        (
            {"audio": {"id": "a-1", "data": "AAAA", "expires_at": 1, "transcript": "Hi"}},
            {"content": None, "audio": {"id": "a-1"}},
        ),
        (
            {"function_call": {"name": "f", "arguments": "{}", "x": 1}},
            {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
        ),
    ],
    ids=["text", "refusal", "audio", "function"],
)
def test_what_was_said_is_kept_whatever_it_was(said: dict[str, Any], sent: dict[str, Any]) -> None:
    """Of a voice the API wants the id alone."""
    whole = CreateChatCompletionResponse.from_wire(document(**said))
    given = ChatCompletionRequestAssistantMessage.model_validate(whole.choices[0].message)
    assert json.loads(given.wire_bytes()) == {"role": "assistant"} | sent


@pytest.mark.requirement("CLI-14")
async def test_a_parsed_message_goes_back_too(pair: Callable[..., Pair]) -> None:
    """What was read out of it stays here."""
    asked = pair(message(content='{"height": 161.5}'), message(content="Yes."))
    first = await asked.call(
        lambda client: client.chat.completions.parse(model="m", messages=[QUESTION], response_format=Tower)
    )
    back = [QUESTION, first.choices[0].message, QUESTION]
    await asked.call(lambda client: client.chat.completions.create(model="m", messages=back))
    assert sent_back(asked) == {"role": "assistant", "content": '{"height": 161.5}'}


@pytest.mark.requirement("FWD-11")
async def test_a_mapping_is_checked_as_before(pair: Callable[..., Pair]) -> None:
    """Whoever writes the fields is told of those that the API does not take."""
    written = {"role": "assistant", "content": "Hi", "annotations": []}
    with pytest.raises(InvalidFieldValue, match=r"^messages\.0\.annotations: unknown field; give the message"):
        await pair().call(lambda client: client.chat.completions.create(model="m", messages=[written]))
