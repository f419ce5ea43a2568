"""Arguments that a method does not have are refused by its public name, and with what it takes."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

from openai_client import AsyncClient, Client, InvalidFieldValue
from openai_client.types import CreateChatCompletionRequest

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "the prompt that nobody may see"
MESSAGES = [{"role": "user", "content": SECRET}]
BODY = CreateChatCompletionRequest(model="m", messages=MESSAGES)
CALL = "extra_body, extra_headers, extra_query, idempotency_key, on_progress, options, timeout"
CLIENTS = (Client(api_key="sk-0123456789abcdef"), AsyncClient(api_key="sk-0123456789abcdef"))


def refusal(call: Callable[[], object], kind: type[Exception]) -> str:
    """What is told, after a look at what the frames hold."""
    with pytest.raises(kind) as caught:
        call()
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    ours = [held for held in frames if "resource" in held or "args" in held]
    assert ours
    assert SECRET not in repr(ours)
    assert caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.requirement("CLI-03")
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("given", [("m",), ("m", MESSAGES), (MESSAGES, SECRET)])
def test_fields_by_position_are_refused_by_the_public_name(client: Any, given: tuple[object, ...]) -> None:
    """No function that the caller has never seen is spoken of."""
    told = refusal(lambda: client.chat.completions.create(*given), TypeError)
    assert told.startswith("client.chat.completions.create: too many positional arguments; it takes by name messages, ")
    assert "..., or the body whole, a CreateChatCompletionRequest, as the last one by position" in told


@pytest.mark.requirement("CLI-03")
@pytest.mark.parametrize("client", CLIENTS)
def test_a_part_of_the_path_that_is_missing_is_named(client: Any) -> None:
    """Of operations, and of plans too."""
    told = refusal(lambda: client.vector_stores.files.retrieve("f"), TypeError)
    assert told.startswith("client.vector_stores.files.retrieve: missing a required ")
    assert told.endswith(
        f"'vector_store_id'; it takes file_id by position, by name vector_store_id, and what every call takes: {CALL}"
    )
    told = refusal(lambda: client.videos.create_and_poll(SECRET), TypeError)
    assert told.startswith(
        "client.videos.create_and_poll: too many positional arguments; it takes by name prompt, model"
    )
    told = refusal(client.batches.poll, TypeError)
    assert told.startswith(
        "client.batches.poll: missing a required argument: 'batch_id'; it takes batch_id by position"
    )


@pytest.mark.requirement("ERR-01")
@pytest.mark.parametrize("client", CLIENTS)
def test_an_unknown_argument_is_told_with_those_that_are_there(client: Any) -> None:
    """The method's own ones first, and the nearest one."""
    told = refusal(lambda: client.files.list(foo=1), InvalidFieldValue)
    takes = "it takes by name purpose, limit, order, after, and what every call takes"
    assert told == f"foo: unknown argument; {takes}: {CALL}"
    told = refusal(lambda: client.files.list(ordr="asc"), InvalidFieldValue)
    assert told.startswith(f"ordr: unknown argument; did you mean 'order'? {takes}")
    told = refusal(lambda: client.batches.poll("b", max_wait=1), InvalidFieldValue)
    assert told.startswith("max_wait: unknown argument; did you mean 'max_wait_seconds'? it takes batch_id by position")


@pytest.mark.requirement("ERR-01")
@pytest.mark.parametrize("client", CLIENTS)
def test_a_field_beside_a_whole_body_is_known(client: Any) -> None:
    """What is wrong is the place."""
    told = refusal(lambda: client.chat.completions.create(BODY, temperature=1), InvalidFieldValue)
    rest = "a field of the body, which is given whole here; set it there, or give all fields by name"
    assert told == f"temperature: {rest}"
    told = refusal(lambda: client.chat.completions.create(BODY, temperatur=1), InvalidFieldValue)
    assert told.startswith("temperatur: unknown argument; did you mean 'temperature'? it takes by name messages, model")


@pytest.mark.requirement("ERR-01")
def test_another_fault_of_an_argument_is_told_as_it_is() -> None:
    """Of one that is known, and of a field that is checked with its body."""
    create, listing = CLIENTS[0].chat.completions.create, CLIENTS[0].files.list
    assert refusal(lambda: listing(options=3), InvalidFieldValue) == "options: must be CallOptions, not int"  # type: ignore[arg-type]
    told = refusal(lambda: create(model="m", messages=MESSAGES, temperatur=1), InvalidFieldValue)  # type: ignore[call-overload]
    assert told.startswith("temperatur: unknown field; did you mean 'temperature'?")
