"""What is said of a body that is not accepted: the field, what would be, and where else to look."""

from __future__ import annotations

import traceback
from typing import Any, cast

import pytest
from pydantic import BaseModel

from openai_client import (
    InvalidConfiguration,
    InvalidFieldValue,
    MissingRequiredField,
    RequestError,
    SerializationError,
)
from openai_client.calling import body_and_call
from openai_client.client import Client
from openai_client.operation import CallOptions
from openai_client.realtime.commands import event_of
from openai_client.types import (
    ChatCompletionResponseMessage,
    CreateChatCompletionRequest,
    RealtimeClientEventInputAudioBufferAppend,
)

SECRET = "sk-not-to-be-shown"
HELLO = [{"role": "user", "content": "Hello"}]
CHAT: dict[str, Any] = {"model": "m", "messages": HELLO}
CHOICES = "'allowed_tools', 'function', 'custom'"
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
            "messages.0.content.0.type",
            "must be one of 'text', 'image_url', 'input_audio', 'file'",
        ),
        (
            CHAT | {"messages": [{"role": "user", "content": 3}]},
            "messages.0.content",
            "must be a valid string; or must be a valid list",
        ),
        (CHAT | {"temperature": 3}, "temperature", "must be less than or equal to 2"),
        (
            CHAT | {"tool_choice": SECRET},
            "tool_choice",
            f"must be 'none', 'auto' or 'required'; or a mapping whose type must be one of {CHOICES}",
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
    assert str(caught.value) == "input.1: must be a valid string; or must be a valid list"


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
    told = r"^timeout: must be seconds, or None for the client.s; got (str|object)\."
    with pytest.raises(InvalidFieldValue, match=told):
        CallOptions(timeout=timeout)


@pytest.mark.requirement("CLI-04")
def test_a_key_by_position_is_refused_by_name() -> None:
    """And not shown."""
    with pytest.raises(InvalidConfiguration) as caught:
        Client(SECRET)  # type: ignore[arg-type]  # the point of it
    assert str(caught.value) == (
        "config: must be a ClientConfig, not str; everything else goes by name, as in Client(api_key=...)"
    )


@pytest.mark.requirement("CLI-09", "ERR-01")
@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("max_tokens", True, "must be a valid integer"),
        ("max_tokens", "5", "must be a valid integer"),
        ("store", "yes", "must be a valid boolean"),
        ("stream", "yes", "must be a valid boolean"),
        ("model", b"m", "must be a valid string"),
        ("temperature", "1", "must be a valid number"),
        ("logit_bias.a", {"a": "5"}, "must be a valid integer"),
        ("stop.1", ["a", 3], "must be a valid string"),
    ],
)
def test_a_value_of_another_kind_is_not_turned_into_the_right_one(
    client: Client, field: str, value: Any, told: str
) -> None:
    """What would be sent is what was written, or nothing is."""
    body = CHAT | {field.partition(".")[0]: value}
    with pytest.raises(InvalidFieldValue) as caught:
        # a true `stream` asks for another method, so the body is made alone
        body_and_call(CreateChatCompletionRequest, body)
    assert str(caught.value) == f"{field}: {told}"
    if field != "stream":
        with pytest.raises(InvalidFieldValue):
            client.chat.completions.create(**body)


TOOLS = "a newer one goes as openai_client.types.Unknown; must be one of 'function', 'file_search', "
PARTS = "a newer one goes as openai_client.types.Unknown; must be one of 'input_text', 'input_image', 'input_file'"


@pytest.mark.requirement("ERR-01", "FWD-02")
@pytest.mark.parametrize(
    ("fields", "place", "told"),
    [
        ({"tools": [{"type": "websearch"}]}, "tools.0.type", f"did you mean 'web_search'? {TOOLS}"),
        ({"tools": [{"colour": SECRET, "type": SECRET}]}, "tools.0.type", TOOLS),
        ({"tools": [{}]}, "tools.0.type", TOOLS),
        (
            {"input": [{"type": "mesage", "role": "user"}]},
            "input.0.type",
            "did you mean 'message'? a newer",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "text", "text": SECRET}]}]},
            "input.0.content.0.type",
            f"did you mean 'input_text'? {PARTS}",
        ),
        ({"text": {"format": {"type": "json"}}}, "text.format.type", "did you mean 'json_schema'? a newer one "),
        (
            {"input": [{"role": "user", "content": 3}]},
            "input.0.content",
            "must be a valid string; or must be a valid list",
        ),
        ({"reasoning": {"effrt": "low"}}, "reasoning.effrt", "unknown field; did you mean 'effort'?"),
        ({"reasoning": "low"}, "reasoning", "must be a mapping of the fields mode, effort, summary, "),
    ],
)
def test_what_a_response_is_asked_for_with_is_told_by_the_places_the_caller_wrote(
    client: Client, fields: dict[str, Any], place: str, told: str
) -> None:
    """The tag that no variant has, and no word of pydantic's own."""
    with pytest.raises(InvalidFieldValue) as caught:
        client.responses.create(**({"model": "m", "input": "x"} | fields))
    assert str(caught.value).startswith(f"{place}: {told}")
    assert caught.value.param == place
    assert SECRET not in str(caught.value)


@pytest.mark.requirement("ERR-01")
@pytest.mark.parametrize(
    ("fields", "place", "told"),
    [
        ({"tools": [{"type": "function"}]}, "tools.0.function", "must be given"),
        (
            {"messages": [{"role": "user", "contnt": "x"}]},
            "messages.0.content",
            "must be given (and 1 more: messages.0.contnt)",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "http://x"}]}]},
            "messages.0.content.0.image_url",
            "must be a mapping of the fields url, detail",
        ),
        (
            {"audio": {"voice": 3, "format": "wav"}},
            "audio.voice",
            "must be a valid string; or must be a mapping of the fields id (required)",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schma": {}}}},
            "response_format.json_schema.schma",
            "unknown field; did you mean 'schema'?",
        ),
        (
            {"stream_options": {"zzz": True}},
            "stream_options.zzz",
            "unknown field; there are: include_usage, include_obfuscation",
        ),
        ({"model": None}, "model", "must be given"),
    ],
)
def test_a_nested_fault_is_told_in_plain_words(client: Client, fields: dict[str, Any], place: str, told: str) -> None:
    """The path has what the caller wrote, and no tags; vendor fields are for the top of a body."""
    with pytest.raises(RequestError) as caught:
        client.chat.completions.create(**(CHAT | fields))
    assert (str(caught.value), caught.value.param) == (f"{place}: {told}", place)


@pytest.mark.requirement("ERR-01", "FWD-11")
def test_an_event_of_a_session_has_no_vendor_fields() -> None:
    """There is no extra_body for it."""
    with pytest.raises(InvalidFieldValue) as caught:
        event_of(RealtimeClientEventInputAudioBufferAppend, {"audio": "AA==", "audo": "AA=="})
    assert str(caught.value) == "audo: unknown field; did you mean 'audio'?"


@pytest.mark.requirement("ERR-01")
def test_a_message_that_was_dumped_is_to_be_given_as_it_is(client: Client) -> None:
    """That is what its fields are read for."""
    dumped = ChatCompletionResponseMessage(role="assistant", content="Hi", annotations=[]).model_dump()
    with pytest.raises(InvalidFieldValue) as caught:
        client.chat.completions.create(model="m", messages=[*HELLO, dumped])
    assert str(caught.value) == (
        "messages.1.annotations: unknown field; give the message of an answer as it is, and no dump of it"
    )


class Tower(BaseModel):
    """What may be asked for."""

    town: str


@pytest.mark.requirement("CLI-14", "ERR-01")
def test_a_class_in_a_body_is_told_where_classes_go(client: Client) -> None:
    """The slip of whoever knows `parse`."""
    told = "must be a value, and no class; the method `parse` takes a model for the format of an answer"
    response: dict[str, Any] = {"model": "m", "input": "x"}
    for create, fields, place in (
        (client.chat.completions.create, CHAT | {"response_format": Tower}, "response_format"),
        (client.responses.create, response | {"text": {"format": Tower}}, "text.format"),
        (client.responses.create, response | {"text_format": Tower}, "text_format"),
    ):
        with pytest.raises(InvalidFieldValue) as caught:
            cast("Any", create)(**fields)
        assert (str(caught.value), caught.value.param) == (f"{place}: {told}", place)


@pytest.mark.requirement("CLI-14", "ERR-01")
def test_what_is_no_class_is_told_where_values_go(client: Client) -> None:
    """By the argument's name."""
    a_format: Any = {"type": "json_object"}
    with pytest.raises(InvalidFieldValue, match=r"^response_format: must be a pydantic model, .*, not dict; "):
        client.chat.completions.parse(**(CHAT | {"response_format": a_format}))
    with pytest.raises(InvalidFieldValue, match=r"^text_format: must be a pydantic model, .*, not the class int; "):
        client.responses.parse(model="m", input="x", text_format=cast("Any", int))


@pytest.mark.requirement("CLI-11", "ERR-01")
def test_a_text_that_cannot_be_written_is_told_by_its_place(client: Client) -> None:
    """Deep in the body, or in what was added to it; nothing of it is shown."""
    half = f"{SECRET}\ud800"
    for fields, place in (
        (CHAT | {"messages": [{"role": "user", "content": half}]}, "messages.0.content"),
        (CHAT | {"extra_body": {"vendor": ["a", {"b": half}]}}, "vendor.1.b"),
    ):
        with pytest.raises(SerializationError) as caught:
            client.chat.completions.create(**fields)
        assert str(caught.value).startswith(f"createChatCompletion: {place}: must be valid Unicode text")
        assert caught.value.param == place
        assert SECRET not in str(caught.value)
