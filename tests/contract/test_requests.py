"""What the adapter sends is what the API's own schema takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api.testing import make_task
from openai_client._generated.models.chat.completion import CreateChatCompletionRequest
from openai_client._generated.models.completions import CreateCompletionRequest
from openai_client._generated.models.responses.requests import CreateResponse
from worker_adapters.openai_http import OpenAIHttpConfig
from worker_adapters.openai_http.dialects import DIALECTS
from worker_adapters.openai_http.request_body import PATHS, serialize

if TYPE_CHECKING:
    from adapter_api import TaskRequest

MODELS: dict[str, Any] = {
    "chat": CreateChatCompletionRequest,
    "completions": CreateCompletionRequest,
    "responses": CreateResponse,
}
SAMPLING = {
    "seed": 7,
    "temperature": 0.5,
    "top_p": 0.9,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "stop": ["a", "b"],
}
UNKNOWN_TO_RESPONSES = {"seed", "presence_penalty", "frequency_penalty", "stop"}
"""What a task may ask for and the schema of responses does not have: sent when given, for servers that take it."""
EXTRA = {
    "chat": {"logit_bias": {"2": 100}, "user": "u"},
    "completions": {"echo": True},
    "responses": {"truncation": "auto"},
}
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "é\u2028"}]},
    {"role": "assistant", "content": "so"},
]


def task(**fields: Any) -> TaskRequest:
    """A small completion task."""
    prompt = None if "messages" in fields else "hello world"
    return make_task("t", **{"max_tokens": 16, "deadline_ms": 1000, "prompt": prompt, **fields})


@pytest.mark.requirement("ADP-11", "OC-ADAPT-OAI-6001", "TST-16")
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("api", sorted(PATHS))
def test_every_body_is_valid_by_the_full_schema(api: str, dialect: str) -> None:
    """Plain, with every optional field, strict, with vendor fields; nothing is unknown, nothing changes."""
    config = OpenAIHttpConfig(base_url="http://127.0.0.1/v1", api=api, dialect=dialect)
    sampling = {n: v for n, v in SAMPLING.items() if api != "responses" or n not in UNKNOWN_TO_RESPONSES}
    tasks = [task(), task(**sampling), task(determinism="strict"), task(extra_body=EXTRA[api])]
    if api == "chat":
        tasks.append(task(messages=MESSAGES))
    for each in tasks:
        body = serialize(each, config).body
        model = MODELS[api].model_validate_json(body)
        assert json.loads(model.wire_bytes()) == json.loads(body)


@pytest.mark.requirement("ADP-11")
@pytest.mark.parametrize("field", sorted(UNKNOWN_TO_RESPONSES))
def test_a_field_that_responses_do_not_have_is_sent_rather_than_dropped(field: str) -> None:
    """The upstream says that it does not take it; the adapter does not decide so in silence."""
    config = OpenAIHttpConfig(base_url="http://127.0.0.1/v1", api="responses")
    assert json.loads(serialize(task(**{field: SAMPLING[field]}), config).body)[field] == SAMPLING[field]
    assert field not in CreateResponse.model_fields
