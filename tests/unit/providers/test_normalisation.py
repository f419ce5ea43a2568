from __future__ import annotations

from typing import get_args

import pytest

from openai_client import StreamInterrupted, UnexpectedResponse
from openai_client.types import (
    CreateChatCompletionResponse,
    CreateChatCompletionResponseChoice,
    CreateCompletionResponse,
    CreateCompletionResponseChoice,
    CreateEmbeddingResponse,
    ListModelsResponse,
)
from providers import Origin, normal_chat_completion, normal_completion, normal_embeddings, normal_models
from providers.finish_reasons import CHAT_REASONS, COMPLETION_REASONS
from tests.unit.providers.conftest import ANSWERS, UNIQUE

pytestmark = pytest.mark.requirement("PRV-04")

ORIGIN = Origin(model="asked", now=1_700_000_000.9, unique=UNIQUE)
SAID = {"message": {"content": "Hi"}}


def chat(*choices: object, **fields: object):
    """Normalise a chat completion."""
    answer = CreateChatCompletionResponse.model_validate({"choices": choices or [SAID], **fields})
    return normal_chat_completion(answer, ORIGIN)


def completion(*choices: object, **fields: object):
    """Normalise a completion."""
    answer = CreateCompletionResponse.model_validate({"choices": choices or [{"text": "Hi"}], **fields})
    return normal_completion(answer, ORIGIN)


def embeddings(*data: object, **fields: object):
    """Normalise embeddings."""
    answer = CreateEmbeddingResponse.model_validate({"data": data or [{"embedding": [0.5]}], **fields})
    return normal_embeddings(answer, ORIGIN)


@pytest.mark.requirement("PRV-02", "PRV-05", "CF-24")
def test_the_least_chat_answer_becomes_one_with_every_field_of_the_schema():
    """On the wire too, where fields that were not set are not written."""
    result = chat(**ANSWERS["create_chat_completion"])
    assert isinstance(result, CreateChatCompletionResponse)
    assert result.model_dump(mode="json", exclude_unset=True) == {
        "id": f"chatcmpl-{UNIQUE.hex}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "asked",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "logprobs": None,
                "message": {"role": "assistant", "content": "Hi", "refusal": None},
            }
        ],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        "usage_reported": False,
    }
    assert CreateChatCompletionResponse.from_wire(result.wire_bytes()).model_extra == {"usage_reported": False}


@pytest.mark.requirement("PRV-02", "PRV-05", "PRV-08", "CF-24")
def test_the_least_completion_becomes_one_with_every_field_of_the_schema():
    """Text in place of a message, another object, another id; the rest is as in a chat."""
    result = completion(**ANSWERS["create_completion"])
    assert isinstance(result, CreateCompletionResponse)
    assert result.model_dump(mode="json", exclude_unset=True) == {
        "id": f"cmpl-{UNIQUE.hex}",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "asked",
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None, "text": "Hi"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        "usage_reported": False,
    }


@pytest.mark.requirement("PRV-02", "PRV-05", "CF-24")
def test_the_least_embeddings_become_ones_with_every_field_of_the_schema():
    """Embeddings have no id and no time."""
    result = embeddings()
    assert isinstance(result, CreateEmbeddingResponse)
    assert result.model_dump(mode="json", exclude_unset=True) == {
        "object": "list",
        "model": "asked",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "usage": {"prompt_tokens": 0, "total_tokens": 0},
        "usage_reported": False,
    }


@pytest.mark.requirement("PRV-02")
def test_the_least_model_becomes_one_with_every_field_of_the_schema():
    """What the upstream does not say of a model is not made up."""
    result = normal_models(ListModelsResponse.model_validate(ANSWERS["list_models"]))
    assert result.model_dump(mode="json", exclude_unset=True) == {
        "object": "list",
        "data": [{"id": "m", "object": "model", "created": 0, "owned_by": "unknown"}],
    }


def test_what_the_upstream_says_stays():
    """Ids, times, models, fields that nobody knows."""
    said = {"id": "c-1", "created": 5, "model": "m-2", "system_fingerprint": "fp", "vendor": {"a": 1}}
    result = chat(SAID | {"index": 3, "mood": "good"}, **said)
    assert (result.id, result.created, result.model, result.system_fingerprint) == ("c-1", 5, "m-2", "fp")
    assert result.model_extra == {"vendor": {"a": 1}}
    assert (result.choices[0].index, result.choices[0].model_extra) == (3, {"mood": "good"})


def test_the_answer_itself_is_not_changed():
    """Whoever holds it, for a log or a cache, sees what came."""
    answer = CreateChatCompletionResponse.model_validate({"choices": [SAID | {"finish_reason": "eos"}]})
    before = answer.model_copy(deep=True)
    normal_chat_completion(answer, ORIGIN)
    assert answer == before
    assert answer.model_fields_set == before.model_fields_set


@pytest.mark.parametrize(
    ("given", "created"),
    [(None, 1_700_000_000), (0, 1_700_000_000), (-1, 1_700_000_000), (1_600_000_000_000, 1_600_000_000)],
)
def test_created_is_seconds_since_the_epoch(given, created):
    """Missing and impossible times give way to the clock, milliseconds are divided."""
    assert chat(created=given).created == created
    assert completion(created=given).created == created


@pytest.mark.parametrize("given", ["chat.completion.chunk", "", None])
def test_object_is_what_the_schema_says(given):
    """Whatever the upstream calls it."""
    assert chat(object=given).object == "chat.completion"
    assert completion(object=given).object == "text_completion"
    assert embeddings({"embedding": [1.0], "object": given}, object=given).data[0].object == "embedding"


def test_an_empty_id_is_none():
    """Some servers send the field with nothing in it."""
    assert chat(id="").id == f"chatcmpl-{UNIQUE.hex}"


@pytest.mark.requirement("PRV-08")
@pytest.mark.parametrize(
    ("model", "known"),
    [(CreateChatCompletionResponseChoice, CHAT_REASONS), (CreateCompletionResponseChoice, COMPLETION_REASONS)],
)
def test_the_finish_reasons_are_those_of_the_schema(model, known):
    """The two sets follow the generated models."""
    text, _none = get_args(model.model_fields["finish_reason"].annotation)
    (mark,) = text.__metadata__
    assert set(mark.values) == known


@pytest.mark.requirement("PRV-08")
def test_another_word_for_the_end_is_mapped_and_kept_beside():
    """Nothing that was said is lost; a word that is right leaves no trace."""
    choice = chat(SAID | {"finish_reason": "eos_token"}).choices[0]
    assert (choice.finish_reason, choice.model_extra) == ("stop", {"upstream_finish_reason": "eos_token"})
    choice = completion({"text": "", "finish_reason": "tool_calls"}).choices[0]
    assert (choice.finish_reason, choice.model_extra) == ("stop", {"upstream_finish_reason": "tool_calls"})
    assert chat(SAID | {"finish_reason": "length"}).choices[0].model_extra == {}


def test_an_answer_that_calls_tools_and_does_not_say_why_it_ends_ends_for_them():
    """Callers look at the reason to find the calls."""
    call = {"id": "t", "function": {"name": "look", "arguments": "{}"}}
    choice = chat({"message": {"tool_calls": [call]}}).choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)


def test_an_answer_that_was_given_up_or_has_no_choice_is_an_error():
    """Neither is what was asked for."""
    with pytest.raises(StreamInterrupted):
        chat(SAID | {"finish_reason": "error"})
    with pytest.raises(UnexpectedResponse):
        normal_chat_completion(CreateChatCompletionResponse(choices=[]), ORIGIN)
    with pytest.raises(UnexpectedResponse):
        normal_completion(CreateCompletionResponse(choices=[]), ORIGIN)


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"role": "model", "content": "Hi"}, "Hi"),
        ({"role": None}, ""),
        ({"content": None, "refusal": "No."}, None),
        ({"function_call": {"name": "f", "arguments": ""}}, None),
        ({"audio": {"id": "a", "data": ""}}, None),
    ],
)
def test_the_message_is_the_assistants_and_silence_is_the_empty_text(message, content):
    """Null content is left to answers that say or call something else."""
    normal = chat({"message": message}).choices[0].message
    assert (normal.role, normal.content) == ("assistant", content)
    assert {"role", "content", "refusal"} <= normal.model_fields_set


def test_choices_are_numbered_where_they_are_not():
    """By their place."""
    assert [choice.index for choice in completion({"text": "a"}, {"text": "b"}).choices] == [0, 1]


@pytest.mark.requirement("PRV-05", "CF-24")
@pytest.mark.parametrize(
    ("given", "counts", "reported"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, (3, 4, 7), True),
        ({"prompt_tokens": 3, "completion_tokens": 4}, (3, 4, 7), True),
        ({"prompt_tokens": 3, "total_tokens": 7}, (3, 4, 7), True),
        ({"completion_tokens": 4, "total_tokens": 7}, (3, 4, 7), True),
        ({"total_tokens": 7}, (0, 0, 7), False),
        ({"prompt_tokens": 3}, (3, 0, 3), False),
        ({}, (0, 0, 0), False),
        (None, (0, 0, 0), False),
    ],
)
def test_usage_is_the_upstreams_or_zeros_that_say_so(given, counts, reported):
    """`usage_reported` means that every count was given, or follows from those that were."""
    for result in (chat(usage=given), completion(usage=given)):
        usage = result.usage
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == counts
        assert result.usage_reported is reported


def test_the_details_of_usage_stay():
    """Cached tokens cost less; services bill by them."""
    usage = chat(
        usage={"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}
    ).usage
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 2


@pytest.mark.requirement("PRV-05")
@pytest.mark.parametrize(
    ("given", "counts", "reported"),
    [
        ({"prompt_tokens": 3, "total_tokens": 3}, (3, 3), True),
        ({"total_tokens": 3}, (3, 3), True),
        ({"prompt_tokens": 3}, (3, 3), True),
        (None, (0, 0), False),
    ],
)
def test_usage_of_embeddings_has_one_number(given, counts, reported):
    """Nothing is generated, so the prompt is all."""
    result = embeddings(usage=given)
    assert (result.usage.prompt_tokens, result.usage.total_tokens) == counts
    assert result.usage_reported is reported


def test_embeddings_have_the_order_of_the_inputs():
    """Servers that work in parallel answer out of order."""
    result = embeddings({"embedding": [2.0], "index": 1}, {"embedding": [1.0], "index": 0})
    assert [item.embedding for item in result.data] == [[1.0], [2.0]]
    assert [item.index for item in embeddings({"embedding": [1.0]}, {"embedding": "AA=="}).data] == [0, 1]
