"""What is said of a body that is not accepted: the field, what would be, and where else to look."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from openai_client import InvalidConfiguration, InvalidFieldValue, MissingRequiredField
from openai_client.client import Client
from openai_client.operation import CallOptions
from openai_client.types import CreateChatCompletionRequest

SECRET = "sk-not-to-be-shown"
HELLO = [{"role": "user", "content": "Hello"}]
CHAT: dict[str, Any] = {"model": "m", "messages": HELLO}
ROLES = "'developer', 'system', 'user', 'assistant', 'tool', 'function'"


def content(*parts: Any) -> dict[str, Any]:
    """A chat whose one message has these parts."""
    return CHAT | {"messages": [{"role": "user", "content": list(parts)}]}


@pytest.fixture
def client() -> Any:
    """A client that never gets to send."""
    with Client(api_key=None, base_url="http://localhost:1/v1") as made:
        yield made


@pytest.mark.requirement("ERR-01")
@pytest.mark.parametrize(
    ("fields", "param", "told"),
    [
        (CHAT | {"messages": [{"role": SECRET}]}, "messages.0.role", f"must be one of {ROLES}"),
        (CHAT | {"messages": [{"content": SECRET}]}, "messages.0.role", f"must be one of {ROLES}"),
        (
            content({"type": SECRET}),
            "messages.0.user.content.0.type",
            "must be one of 'text', 'image_url', 'input_audio', 'file'",
        ),
        (
            CHAT | {"messages": [{"role": "user", "content": 3}]},
            "messages.0.user.content",
            "Input should be a valid string; or: Input should be a valid list",
        ),
        (CHAT | {"temperature": 3}, "temperature", "Input should be less than or equal to 2"),
        (
            CHAT | {"tool_choice": SECRET},
            "tool_choice",
            "Input should be 'none', 'auto' or 'required'",
        ),
        (
            CHAT | {"max_token": 3},
            "max_token",
            "unknown field; did you mean 'max_tokens'? vendor fields go into extra_body",
        ),
        (CHAT | {"time_out": 3}, "time_out", "unknown field; did you mean 'timeout'? vendor fields go into extra_body"),
        (CHAT | {"zzz": 3}, "zzz", "unknown field; vendor fields go into extra_body"),
        (
            CHAT | {"zza": 3, "zzb": 3, "zzc": 3, "zzd": 3, "zze": 3},
            "zza",
            "unknown field; vendor fields go into extra_body (and 4 more: zzb, zzc, zzd, ...)",
        ),
    ],
)
def test_the_fault_names_the_field_and_what_it_takes(
    client: Client, fields: dict[str, Any], param: str, told: str
) -> None:
    """Never what was given, and no word of how it is found out."""
    with pytest.raises(InvalidFieldValue) as caught:
        client.chat.completions.create(**fields)
    assert (str(caught.value), caught.value.param) == (f"{param}: {told}", param)
    assert SECRET not in "".join(traceback.format_exception_only(caught.value))


@pytest.mark.requirement("ERR-01")
def test_every_field_that_is_missing_is_named(client: Client) -> None:
    """So that they can be added at once."""
    with pytest.raises(MissingRequiredField, match=r"^messages: must be given \(and 1 more: model\)$"):
        client.chat.completions.create()


@pytest.mark.requirement("ERR-01")
def test_the_form_of_a_list_that_fits_furthest_is_the_one_that_is_told(client: Client) -> None:
    """Of text, texts, tokens and lists of tokens, texts were meant."""
    with pytest.raises(InvalidFieldValue) as caught:
        client.embeddings.create(model="m", input=["a", 3])
    assert str(caught.value) == ("input.1: Input should be a valid string; or: Input should be a valid list")


@pytest.mark.requirement("ERR-01")
def test_a_body_and_a_field_beside_it_are_told_apart(client: Client) -> None:
    """What a call takes beside a body is named."""
    body = CreateChatCompletionRequest(**CHAT)
    with pytest.raises(InvalidFieldValue, match=r"^temperature: a field of the body, which is given whole here"):
        client.chat.completions.create(body, temperature=0)
    with pytest.raises(InvalidFieldValue, match=r"not dict; its fields may be given by keyword, method\(\*\*fields\)"):
        client.chat.completions.create(CHAT)


@pytest.mark.requirement("CLI-11")
@pytest.mark.parametrize("timeout", ["5", object()])
def test_a_timeout_is_a_number(timeout: Any) -> None:
    """Also for those who are used to giving several in one object."""
    with pytest.raises(TypeError, match=r"^timeout must be seconds, or None for the client.s; got (str|object)\."):
        CallOptions(timeout=timeout)


@pytest.mark.requirement("CLI-04")
def test_a_key_by_position_is_refused_by_name() -> None:
    """And not shown."""
    with pytest.raises(InvalidConfiguration) as caught:
        Client(SECRET)  # type: ignore[arg-type]  # the point of it
    assert str(caught.value) == (
        "config: must be a ClientConfig, not str; everything else goes by name, as in Client(api_key=...)"
    )
