"""Which answers may be handed out twice, and when two calls are the same call."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from openai_client import CallOptions, ClientConfig, InvalidConfiguration
from openai_client._generated.operations.chat import create_chat_completion
from openai_client._generated.operations.embeddings import create_embedding
from openai_client._generated.operations.models import delete_model, list_models, retrieve_model
from openai_client._generated.operations.responses import create_response
from openai_client.config import ApiVersionConfig
from openai_client.operation import Operation, as_bytes, as_nothing, as_text
from openai_client.raw import raw_operation
from openai_client.shareable import (
    MAY_BE_SHARED,
    SHARED_BY_DEFAULT,
    Kept,
    checked_operations,
    keeping_body,
    kept,
    share_key,
)
from openai_client.types import (
    ChatCompletionRequestUserMessage,
    CreateChatCompletionRequest,
    CreateEmbeddingRequest,
    CreateResponse,
)

CONFIG = ClientConfig(base_url="http://localhost:8000/v1", api_key="sk-one-0000000000")
LIST = list_models()
EMBED = create_embedding(CreateEmbeddingRequest(model="m", input=["a", "b"]))
MESSAGES = [ChatCompletionRequestUserMessage(content="Hello")]


def chat(**fields: Any) -> Operation[Any]:
    """Return a chat call."""
    return create_chat_completion(CreateChatCompletionRequest(model="m", messages=MESSAGES, **fields))


def key(
    operation: Operation[Any] = LIST,
    config: ClientConfig = CONFIG,
    *,
    operations: frozenset[str] = SHARED_BY_DEFAULT,
    tenant: str = "",
) -> str | None:
    """Return the key of a call."""
    return share_key(operation, config, operations, tenant=tenant)


@pytest.mark.requirement("CCH-01")
@pytest.mark.parametrize("operation", [LIST, retrieve_model("m"), EMBED, raw_operation("GET", "/files")])
def test_what_changes_nothing_may_be_shared(operation: Operation[Any]) -> None:
    """GETs and embeddings; the key is a hash."""
    assert re.fullmatch(r"[0-9a-f]{64}", key(operation) or "")


@pytest.mark.requirement("CCH-01")
@pytest.mark.parametrize(
    "operation",
    [
        delete_model("m"),
        chat(),
        create_response(CreateResponse(model="m", input="Hello")),
        raw_operation("POST", "/embeddings", body={"model": "m", "input": "a"}),
        raw_operation("PUT", "/things/1", body={}),
        replace(EMBED, content_type="multipart/form-data"),
        replace(EMBED, method="PUT"),
    ],
)
def test_what_changes_something_or_is_not_named_is_not_shared(operation: Operation[Any]) -> None:
    """Mutations, generations, and whatever has no name."""
    assert key(operation) is None


@pytest.mark.requirement("CCH-01")
def test_a_generation_is_shared_when_it_is_named_and_not_stored() -> None:
    """Asking the upstream to keep the answer changes something, wherever it is asked."""
    named = MAY_BE_SHARED
    assert key(chat(), operations=named) is not None
    assert key(chat(store=False), operations=named) is not None
    assert key(chat(store=True), operations=named) is None
    extra = CallOptions(extra_body={"store": True})
    assert key(chat().with_options(extra), operations=named) is None


@pytest.mark.requirement("CCH-01")
def test_only_what_is_known_to_leave_nothing_behind_can_be_named() -> None:
    """The text lists what may be named."""
    assert checked_operations(["createEmbedding"]) == {"createEmbedding"}
    with pytest.raises(InvalidConfiguration, match=r"createChatCompletion, .*; createResponse, deleteModel may change"):
        checked_operations(["createEmbedding", "deleteModel", "createResponse"])


@pytest.mark.requirement("CCH-01", "CLI-12")
@pytest.mark.parametrize(
    "options",
    [
        CallOptions(idempotency_key="i-1"),
        CallOptions(headers={"Authorization": "Bearer other"}),
        CallOptions(headers={"x-api-key": "other"}),
        CallOptions(headers={"openai-organization": "org-2"}),
    ],
)
def test_a_call_with_a_credential_or_an_idempotency_key_of_its_own_is_not_shared(options: CallOptions) -> None:
    """Its answer is for who holds that credential."""
    assert key(LIST.with_options(options)) is None


@pytest.mark.requirement("CCH-01")
@pytest.mark.parametrize(
    "other",
    [
        {"operation": retrieve_model("m")},
        {"operation": LIST.with_options(CallOptions(headers={"x-region": "eu"}))},
        {"operation": replace(LIST, query=(("limit", "1"),))},
        {"operation": replace(LIST, admin=True)},
        {"operation": replace(LIST, beta="assistants=v2")},
        {"operation": replace(LIST, operation_id="other")},
        {"operation": replace(LIST, path="/other")},
        {"config": CONFIG.with_settings(base_url="http://localhost:8001/v1")},
        {"config": CONFIG.with_settings(organization="org-1")},
        {"config": CONFIG.with_settings(project="proj-1")},
        {"config": CONFIG.with_settings(default_headers={"x-region": "eu"})},
        {"config": CONFIG.with_settings(default_query={"api-version": "2024-10-21"})},
        {"config": CONFIG.with_settings(api_version=ApiVersionConfig(openai_version="2020-10-01"))},
        {"tenant": "acme"},
    ],
)
def test_every_part_that_the_answer_may_depend_on_is_part_of_the_key(other: dict[str, Any]) -> None:
    """One difference, another key."""
    assert key(**other) != key()


@pytest.mark.requirement("CCH-01")
@pytest.mark.parametrize(
    "fields",
    [
        {"input": ["b", "a"]},
        {"input": "a"},
        {"input": ["a", "b"], "dimensions": 8},
        {"input": ["a", "b"], "encoding_format": "base64"},
        {"input": ["a", "b"], "user": "u"},
    ],
)
def test_bodies_that_differ_have_different_keys(fields: dict[str, Any]) -> None:
    """Every field counts, and the order of the inputs."""
    assert key(create_embedding(CreateEmbeddingRequest(model="m", **fields))) != key(EMBED)


@pytest.mark.requirement("CCH-01")
def test_what_the_answer_does_not_depend_on_is_no_part_of_the_key() -> None:
    """Time limits, retries, the order of vendor fields, the case of header names; and the secret itself."""
    one = CallOptions(timeout=1.0, extra_body={"a": 1, "b": {"c": 2, "d": 3}}, headers={"X-Region": "eu"})
    other = CallOptions(retry="available", extra_body={"b": {"d": 3, "c": 2}, "a": 1}, headers={"x-region": "eu"})
    assert key(EMBED.with_options(one)) == key(EMBED.with_options(other))


@pytest.mark.requirement("CCH-01", "SEC-16")
def test_credentials_are_no_part_of_the_key() -> None:
    """Keys may rotate: whoever shares a tenant shares the answers."""
    rotated = CONFIG.with_settings(api_key="sk-two-0000000000", default_query={"api-key": "x"})
    by_header = CONFIG.with_settings(default_headers={"x-api-key": "secret"})
    assert key() == key(config=rotated) == key(config=by_header)


@pytest.mark.requirement("CCH-01")
def test_query_parameters_of_one_name_keep_their_order_and_others_have_none() -> None:
    """`a[]` twice is a list."""
    keys = [
        key(replace(LIST, query=pairs))
        for pairs in (
            (("a[]", "1"), ("a[]", "2"), ("b", "3")),
            (("b", "3"), ("a[]", "1"), ("a[]", "2")),
            (("b", "3"), ("a[]", "2"), ("a[]", "1")),
        )
    ]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.requirement("CCH-01")
def test_a_parameter_of_the_call_takes_the_place_of_the_clients() -> None:
    """As in the request."""
    config = CONFIG.with_settings(default_query={"limit": "5"})
    assert key(replace(LIST, query=(("limit", "1"),)), config) == key(replace(LIST, query=(("limit", "1"),)))


def test_bytes_that_somebody_wrote_are_compared_as_bytes() -> None:
    """What is in them is not ours to read."""
    one, other = (replace(EMBED, body=body) for body in (b'{"a":1}', b'{ "a": 1 }'))
    typed = replace(one, content_type="text/plain")
    assert len({key(one), key(other), key(typed)}) == 3


def test_a_body_that_cannot_be_written_has_no_key() -> None:
    """The client says what is wrong with it."""

    class Broken:
        def __init__(self, operation: Operation[Any]) -> None:
            self._operation = operation

        def __getattr__(self, name: str) -> Any:
            return getattr(self._operation, name)

        def body_bytes(self) -> bytes:
            raise ValueError("no JSON")

    assert key(Broken(EMBED)) is None


def test_a_result_is_kept_with_its_bytes() -> None:
    """The parser runs once, and what it raises is raised."""
    asked = keeping_body(LIST)
    answer = asked.parse(b'{"data": [{"id": "m"}]}')
    found = kept(LIST, answer)
    assert isinstance(found, Kept)
    assert found.result.data[0].id == "m"
    assert found.body == b'{"data": [{"id": "m"}]}'
    with pytest.raises(ValueError, match="data"):
        asked.parse(b"{}")


@pytest.mark.parametrize(("parse", "result"), [(as_bytes, b"{}"), (as_text, "{}"), (as_nothing, None)])
def test_what_is_not_looked_into_stays_so(parse: Any, result: object) -> None:
    """A file that looks like an error is a file: the client must see the parser that says so."""
    operation = replace(LIST, parse=parse)
    asked = keeping_body(operation)
    assert asked.parse is as_bytes
    assert kept(operation, asked.parse(b"{}")) == Kept(result, b"{}")


def test_keeping_can_be_stacked() -> None:
    """Two middlewares each keep the bytes."""
    asked = keeping_body(keeping_body(LIST))
    outer = kept(keeping_body(LIST), asked.parse(b'{"data": []}'))
    assert kept(LIST, outer.result).result.data == []
