"""Every answer that the description allows is understood, and nothing of it is lost."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from codegen.instances import Fill
from tests.contract.operations.asking import MAKER, covering, smallest
from tests.contract.operations.callers import document_of, surprises
from tests.contract.operations.facts import JSON, facts
from tests.contract.operations.schemas import problems

if TYPE_CHECKING:
    from tests.contract.operations.callers import ScriptedCaller

BYTES = b"\x00\xff\xfe not text\r\n"
OF_KIND = {
    kind: [name for name, fact in facts().items() if fact.kind == kind] for kind in ("json", "binary", "nothing")
}


@cache
def answers(operation_id: str) -> tuple[Any, ...]:
    """Answers that hold, together, everything that the description allows; the first is full."""
    schema = facts()[operation_id].answers[JSON]
    return (*covering(json.dumps(schema)), *(MAKER.of(schema, fill) for fill in (Fill.FULL, Fill.MINIMAL, Fill.NULL)))


@pytest.mark.requirement("CLI-09", "FWD-01", "TYP-12")
@pytest.mark.parametrize("operation", OF_KIND["json"])
async def test_every_answer_is_understood_and_written_back_whole(operation: str, caller: ScriptedCaller) -> None:
    """Each alternative has a model of its own, each field is one of it, and what came is what is written."""
    fact, asked = facts()[operation], smallest(facts()[operation])
    # an answer is parsed without waiting, so the rarer ones need one colour only
    for answer in answers(operation)[-3 if caller.is_async else 0 :]:
        caller.answers(json.dumps(answer).encode(), status=fact.status)
        result = await caller.call(asked)
        assert document_of(result) == answer
        assert list(surprises(getattr(result, "document", result))) == []
    assert [problem for answer in answers(operation)[-3:] for problem in problems(fact.answers[JSON], answer)] == []
    await check_news(caller, operation)


async def check_news(caller: ScriptedCaller, operation: str) -> None:
    """A field that no version knows comes back from where it was put, at every depth."""
    answer = with_news(answers(operation)[0])
    caller.answers(json.dumps(answer).encode(), status=facts()[operation].status)
    assert document_of(await caller.call(smallest(facts()[operation]))) == answer


@pytest.mark.parametrize("operation", OF_KIND["binary"])
async def test_a_file_comes_as_its_bytes(operation: str, caller: ScriptedCaller) -> None:
    """Whatever they are, and also when there are none."""
    for content in (BYTES, b""):
        caller.answers(content, kind="application/octet-stream")
        assert await caller.call(smallest(facts()[operation])) == content


@pytest.mark.parametrize("operation", OF_KIND["nothing"])
async def test_an_answer_that_means_nothing_is_none(operation: str, caller: ScriptedCaller) -> None:
    """With a body as without one."""
    for content in (b"", b'{"object":"x","deleted":true}'):
        caller.answers(content)
        assert await caller.call(smallest(facts()[operation])) is None


async def test_a_session_description_comes_as_text(caller: ScriptedCaller) -> None:
    """Its lines end as the standard wants them."""
    caller.answers(b"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n", kind="application/sdp", status=201)
    answer = await caller.call(smallest(facts()["create-realtime-call"]))
    assert answer == "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n"


def with_news(value: Any) -> Any:
    """The same document with an unknown field in every object whose keys are not data."""
    if isinstance(value, list):
        return [with_news(item) for item in value]
    if isinstance(value, dict):
        known = {key: with_news(item) for key, item in value.items()}
        return known if known.keys() <= {"key", "anything"} else {**known, "news_of_tomorrow": {"n": [1, None]}}
    return value
