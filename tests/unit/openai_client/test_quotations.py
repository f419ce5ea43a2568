"""What an upstream quotes of a call stands in no error of it; what it names does."""

from __future__ import annotations

import inspect
import json
import pickle
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from http_util.testing import Answer
from openai_client import OpenAIError, raw_operation
from openai_client.operation import CallOptions
from openai_client.quotations import Quotations

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.openai_client.conftest import Pair

    PairMaker = Callable[..., Pair]

SAID = "the treasure lies under the old oak"
FIELDS: dict[str, Any] = {"model": "mistral-large-2024", "messages": [{"role": "user", "content": SAID}]}
ERROR = {"error": {"message": f'mistral-large-2024 cannot read "{SAID}"', "param": "messages[0].content", "code": SAID}}


async def failed(made: Any) -> OpenAIError:
    """Return the error of a call of either colour."""
    try:
        done = await made() if inspect.iscoroutinefunction(made) else made()
        if inspect.isawaitable(done):
            done = await done
        done = done.collect()
        if inspect.isawaitable(done):
            await done
    except OpenAIError as error:
        return error
    raise AssertionError("nothing failed")


@pytest.mark.requirement("SEC-16")
@pytest.mark.parametrize("status", [400, 200])
@pytest.mark.parametrize("stream", [False, True])
async def test_no_error_quotes_the_prompt(pair: PairMaker, status: int, stream: bool) -> None:
    """Neither in its words nor in its facts, its pickle, its causes or their frames; of a stream as of an answer."""
    body = json.dumps(ERROR).encode()
    answer = Answer.json(body, status=status) if status == 400 or not stream else Answer.events(body)
    made = pair(answer)
    error = await failed(lambda: made.client.chat.completions.create(**FIELDS, **({"stream": True} if stream else {})))
    shown = "".join(traceback.format_exception(error)) + repr(vars(error)) + repr(error) + repr(pickle.dumps(error))
    assert "treasure" not in shown
    assert "mistral-large-2024 cannot read" in error.message
    assert (error.param, error.code) == ("messages[0].content", "****")


BODIES: list[tuple[Any, str, str]] = [
    ({"input": [{"content": [{"type": "input_text", "text": SAID}]}]}, f"no {SAID}!", "no ****!"),
    ({"input": "Bismarck"}, "who is Bismarck?", "who is ****?"),
    ({"instructions": SAID, "tools": [{"name": "find_the_treasure"}]}, "no find_the_treasure", "no find_the_treasure"),
    ({"input": [{"type": "custom_tool_call_output", "output": SAID}]}, "custom_tool_call_output", ""),
    ({"news": {"text": ["a", SAID]}}, "old oak and under the old oak", "old oak and****"),
    (b"no json: the treasure", "what is 'json: the treasure'", "what is '****'"),
    ({"user": SAID}, SAID, SAID),
    ({"input": ["abc"]}, "abc", "abc"),
]


@pytest.mark.requirement("SEC-16")
@pytest.mark.parametrize(("body", "said", "shown"), BODIES)
def test_what_was_said_is_masked_and_what_names_a_thing_is_not(body: Any, said: str, shown: str) -> None:
    """Wherever it stands in the body."""
    assert Quotations(raw_operation("POST", "/x", body=body)).masked(said) == (shown or said)


@pytest.mark.requirement("SEC-16")
def test_what_was_added_to_a_body_is_looked_through_too() -> None:
    """Vendor fields hold prompts as well."""
    call = raw_operation("POST", "/x", body=None)
    assert Quotations(call).masked(SAID) == SAID
    assert Quotations(None).masked(SAID) == SAID
    assert Quotations(call).masked(None) is None
    added = Added(body=None, options=CallOptions(extra_body={"documents": [{"body": SAID}]}))
    assert Quotations(added).masked(f"no: {SAID}") == "no: ****"


class Added:
    """A call as far as it is looked at."""

    def __init__(self, **parts: Any) -> None:
        vars(self).update(parts)


def test_very_many_and_very_deep_texts_are_gone_through_once() -> None:
    """An error takes no seconds, whatever the request was."""
    deep: Any = SAID
    for _ in range(100_000):
        deep = [deep]
    call = Added(body=None, options=CallOptions())
    call.options = Added(extra_body={"input": [f"text number {number}" for number in range(100_000)], "content": deep})
    began = time.process_time()
    assert Quotations(call).masked(f"{SAID}; text number 77777") == "****; ****"
    assert time.process_time() - began < 5.0
