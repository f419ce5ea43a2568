from __future__ import annotations

import pytest

from openai_client.types import (
    ChatCompletionRequestMessageContentPartText,
    ChatCompletionRequestUserMessage,
    CreateChatCompletionRequest,
    CreateCompletionRequest,
    CreateEmbeddingRequest,
)
from providers import FakeProvider
from tests.unit.providers.conftest import CALLS, CHAT

pytestmark = pytest.mark.requirement("PRV-11")


async def test_two_providers_asked_the_same_answer_the_same():
    """Ids and times too."""
    first, second = FakeProvider(), FakeProvider()
    for call in CALLS.values():
        one = await call(first)
        assert one == await call(second)
        assert one.wire_bytes() == (await call(FakeProvider())).wire_bytes() or "id" in one.model_fields_set


async def test_ids_differ_within_one_provider():
    """As an upstream's do."""
    provider = FakeProvider()
    assert (await provider.create_chat_completion(CHAT)).id != (await provider.create_chat_completion(CHAT)).id


async def test_it_remembers_what_it_was_asked():
    """Tests of a service look there."""
    provider = FakeProvider()
    for call in CALLS.values():
        await call(provider, request_id="r-1")
    assert [asked.operation for asked in provider.asked] == list(CALLS)
    assert {asked.request_id for asked in provider.asked} == {"r-1"}
    assert provider.asked[3].request is CHAT


@pytest.mark.parametrize(
    ("limit", "said"), [(None, ("a b c", "stop")), (3, ("a b c", "stop")), (2, ("a b", "length")), (0, ("", "length"))]
)
async def test_the_limit_counts_words(limit, said):
    """Enough to make an answer end for length."""
    request = CreateCompletionRequest(model="m", prompt="a b c", max_tokens=limit)
    choice = (await FakeProvider().create_completion(request)).choices[0]
    assert (choice.text, choice.finish_reason) == said


async def test_a_chat_repeats_the_last_message_as_often_as_it_is_asked():
    """Text in parts is text."""
    parts = [ChatCompletionRequestMessageContentPartText(text=text) for text in ("one", "two")]
    request = CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content=parts)], n=2)
    answer = await FakeProvider().create_chat_completion(request)
    assert [(choice.index, choice.message.content) for choice in answer.choices] == [(0, "one two"), (1, "one two")]


@pytest.mark.parametrize(
    ("given", "count", "words"),
    [("a b", 1, 2), (["a b", "c"], 2, 3), ([1, 2, 3], 1, 3), ([[1, 2], [3]], 2, 3)],
)
async def test_every_form_of_input_is_embedded(given, count, words):
    """One text, several, token numbers, lists of those."""
    answer = await FakeProvider().create_embeddings(CreateEmbeddingRequest(model="m", input=given, dimensions=40))
    assert [len(item.embedding) for item in answer.data] == [40] * count
    assert all(-1.0 <= number <= 1.0 for item in answer.data for number in item.embedding)
    assert (answer.usage.prompt_tokens, answer.usage_reported) == (words, True)


@pytest.mark.requirement("PRV-05")
async def test_it_can_leave_out_usage():
    """As some servers do."""
    provider = FakeProvider(reports_usage=False)
    for method in ("create_embeddings", "create_completion", "create_chat_completion"):
        answer = await CALLS[method](provider)
        assert (answer.usage.total_tokens, answer.usage_reported) == (0, False)
