"""Answers as pydantic models: what is asked, and each way in which it may come out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, TypeAdapter, create_model

from http_util.testing import Answer
from openai_client import (
    CalledTools,
    ChatAccumulator,
    ContentFiltered,
    CutOff,
    DeserializationError,
    Filtered,
    InvalidFieldValue,
    Parsed,
    ParsedChatAccumulator,
    ParsedChatCompletion,
    ParsedResponse,
    ParsedResponseAccumulator,
    Refused,
    RefusedByModel,
    UnexpectedResponse,
    Unreadable,
    json_schema_of,
    metadata_of,
    parse_chat_completion,
    parsed_arguments,
    parsed_chat,
    parsed_response,
    pydantic_function_tool,
    response_format_of,
    response_function_tool,
    text_format_of,
)
from openai_client.types import (
    ChatCompletionRequestUserMessage,
    CreateChatCompletionRequest,
    CreateChatCompletionResponse,
    CreateResponse,
    FunctionToolCall,
    Response,
    ResponseStreamEvent,
    ResponseTextParam,
)
from tests.unit.openai_client.conftest import chat_chunk, data

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.openai_client.conftest import Pair

    PairMaker = Callable[..., Pair]


class Place(BaseModel):
    """Somewhere on earth."""

    name: str
    height: int = 0


# a docstring would become the tool's description, and this model is to have none
class Search(BaseModel):  # noqa: D101 - see above
    query: str


TEXT = '{"name":"Ulm","height":478}'
MESSAGES = [{"role": "user", "content": "Where?"}]
BODY = CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content="Where?")])


def completion(message: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
    """Return a chat completion with one choice."""
    return {"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def response(*output: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a response."""
    return {"id": "r", "object": "response", "status": "completed", "output": list(output), **fields}


def said(text: str, kind: str = "output_text") -> dict[str, Any]:
    """Return a message as an output item."""
    field = "refusal" if kind == "refusal" else "text"
    return {"type": "message", "role": "assistant", "content": [{"type": kind, field: text}]}


CALL = {"id": "t", "type": "function", "function": {"name": "Place", "arguments": TEXT}}
CHATS = [
    (completion({"content": TEXT}), Parsed, None),
    (completion({"refusal": "secret", "content": None}), Refused, RefusedByModel),
    (completion({"content": '{"name":"se'}, "length"), CutOff, UnexpectedResponse),
    (completion({"content": TEXT}, "length"), CutOff, UnexpectedResponse),
    (completion({"content": "secret"}, "content_filter"), Filtered, ContentFiltered),
    (completion({"content": None, "tool_calls": [CALL]}, "tool_calls"), CalledTools, UnexpectedResponse),
    (completion({"content": "secret"}), Unreadable, DeserializationError),
    (completion({"content": '{"height":"secret"}'}), Unreadable, DeserializationError),
    (completion({"content": None}), Unreadable, DeserializationError),
]
CUT = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
RESPONSES = [
    (response(said(TEXT)), Parsed, None),
    (response({"type": "reasoning", "summary": []}, said(TEXT[:9]), said(TEXT[9:])), Parsed, None),
    (response(said("secret", "refusal")), Refused, RefusedByModel),
    (response(said('{"name":"se'), **CUT), CutOff, UnexpectedResponse),
    (response(said("secret"), status="incomplete"), CutOff, UnexpectedResponse),
    (response(said("x"), incomplete_details={"reason": "content_filter"}), Filtered, ContentFiltered),
    (
        response({"type": "function_call", "call_id": "c", "name": "Place", "arguments": TEXT}),
        CalledTools,
        UnexpectedResponse,
    ),
    (response(said("secret")), Unreadable, DeserializationError),
    (response({"type": "of_tomorrow"}), Unreadable, DeserializationError),
]


@pytest.mark.requirement("CLI-14", "ERR-01", "SEC-13")
@pytest.mark.parametrize(("answer", "outcome", "error"), CHATS)
def test_each_way_in_which_a_chat_comes_out_has_a_type(answer: Any, outcome: type, error: type | None) -> None:
    """Nothing is raised before the value is asked for; no error and no repr repeats what the model said."""
    parsed = parsed_chat(CreateChatCompletionResponse.model_validate(answer), Place)
    choice = parsed.choices[0]
    assert type(choice.outcome) is outcome
    assert "secret" not in repr(parsed)
    assert (choice.index, choice.finish_reason) == (0, answer["choices"][0]["finish_reason"])
    if error is None:
        assert parsed.parsed == choice.message.parsed == Place(name="Ulm", height=478)
        return
    assert choice.message.parsed is None
    with pytest.raises(error) as caught:
        _ = parsed.parsed
    assert "secret" not in str(caught.value)
    assert str(caught.value)


@pytest.mark.requirement("CLI-14", "ERR-01", "SEC-13")
@pytest.mark.parametrize(("answer", "outcome", "error"), RESPONSES)
def test_each_way_in_which_a_response_comes_out_has_a_type(answer: Any, outcome: type, error: type | None) -> None:
    """The same six."""
    parsed = parsed_response(Response.model_validate(answer), Place)
    assert type(parsed.outcome) is outcome
    assert "secret" not in repr(parsed)
    if error is None:
        assert parsed.parsed == parsed.output_parsed == Place(name="Ulm", height=478)
        assert (parsed.output_text, parsed.id) == (TEXT, "r")
        return
    assert parsed.output_parsed is None
    with pytest.raises(error) as caught:
        _ = parsed.parsed
    assert "secret" not in str(caught.value)


@pytest.mark.requirement("CLI-14", "ERR-01")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("secret", "the model's text is no JSON"),
        ('{"height": "secret"}', "the model's text is no Place: name: missing; height: int_parsing"),
    ],
)
def test_a_text_that_is_not_what_was_asked_for_is_told_as_the_models(text: str, told: str) -> None:
    """The upstream's answer is as the API describes it; what the model wrote in it is not."""
    for parsed in (
        parsed_chat(CreateChatCompletionResponse.model_validate(completion({"content": text})), Place),
        parsed_response(Response.model_validate(response(said(text))), Place),
    ):
        with pytest.raises(DeserializationError) as caught:
            _ = parsed.parsed
        assert str(caught.value) == told


@pytest.mark.requirement("CLI-14", "ERR-01")
def test_arguments_that_are_not_what_the_tool_takes_are_told_as_the_models() -> None:
    """And what is no call, or no model, by the argument's name."""
    call = FunctionToolCall(type="function_call", call_id="c", name="Place", arguments="{")
    with pytest.raises(DeserializationError, match=r"^what the model wrote as arguments is no JSON$"):
        parsed_arguments(call, Place)
    nothing: Any = {}
    with pytest.raises(InvalidFieldValue, match=r"^call: must be the call of a function, not dict$"):
        parsed_arguments(nothing, Place)
    with pytest.raises(InvalidFieldValue, match=r"^models: must be a pydantic model, .* not dict$"):
        parsed_arguments(call, nothing)


def test_a_cut_answer_is_told_from_one_that_is_wrong() -> None:
    """By the reason."""
    cut = parsed_chat(CreateChatCompletionResponse.model_validate(CHATS[2][0]), Place)
    with pytest.raises(UnexpectedResponse) as caught:
        _ = cut.parsed
    assert (caught.value.reason, caught.value.param) == ("truncated", "finish_reason")
    with pytest.raises(UnexpectedResponse, match="no choice"):
        _ = parsed_chat(CreateChatCompletionResponse.model_validate({"choices": []}), Place).parsed


@pytest.mark.requirement("CLI-14", "CLI-16")
async def test_a_parsed_answer_remembers_its_metadata(pair: PairMaker) -> None:
    """As the answer does that it was read from."""
    heard = {"x-request-id": "req-7"}
    made = pair(
        Answer.json(data(completion({"content": TEXT})), headers=heard), Answer.json(data(response()), headers=heard)
    )
    fields: dict[str, Any] = {"model": "m", "messages": MESSAGES, "response_format": Place}
    chat = await made.call(lambda client: client.chat.completions.parse(**fields))
    read = await made.call(lambda client: client.responses.parse(model="m", input="x", text_format=Place))
    for answer in (chat, read):
        assert metadata_of(answer).upstream_request_id == answer._request_id == "req-7"
        assert metadata_of(answer).status == 200


@pytest.mark.requirement("CLI-14", "CLI-03", "TYP-02")
async def test_chat_parse_asks_for_the_schema_and_reads_the_answer(pair: PairMaker) -> None:
    """By keyword or with a body; options travel as with any call."""
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    answer = Answer.json(data(completion({"content": TEXT}) | {"usage": usage}))
    made = pair(answer, answer)
    fields: dict[str, Any] = {"model": "m", "messages": MESSAGES, "seed": 7}
    first = await made.call(
        lambda client: client.chat.completions.parse(**fields, response_format=Place, extra_headers={"x-a": "b"})
    )
    second = await made.call(lambda client: client.chat.completions.parse(BODY, response_format=Place, timeout=3))
    for parsed in (first, second):
        assert isinstance(parsed, ParsedChatCompletion)
        assert parsed.parsed == Place(name="Ulm", height=478)
        assert (parsed.id, parsed.model) == ("c", "m")
        assert parsed.usage is not None
        assert parsed.usage.total_tokens == 3
    sent = json.loads(made.requests[0].content)
    assert sent == {
        "messages": MESSAGES,
        "model": "m",
        "seed": 7,
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "Place",
                "description": "Somewhere on earth.",
                "schema": json_schema_of(Place),
                "strict": True,
            },
        },
    }
    assert made.requests[0].headers["x-a"] == "b"


@pytest.mark.requirement("CLI-14", "CLI-03", "TYP-12")
async def test_responses_parse_asks_for_the_schema_and_reads_the_answer(pair: PairMaker) -> None:
    """What the caller says about the text beside its format stays."""
    answer = Answer.json(data(response(said(TEXT))))
    made = pair(answer, answer)
    body = CreateResponse(model="m", input="Where?", text=ResponseTextParam(verbosity="low"))
    first = await made.call(lambda client: client.responses.parse(body, text_format=Place))
    second = await made.call(
        lambda client: client.responses.parse(model="m", input="Where?", text_format=Place, timeout=3)
    )
    for parsed in (first, second):
        assert isinstance(parsed, ParsedResponse)
        assert parsed.parsed == Place(name="Ulm", height=478)
        assert parsed.usage is None
    sent = json.loads(made.requests[0].content)["text"]
    assert sent["verbosity"] == "low"
    assert sent["format"] == {
        "type": "json_schema",
        "name": "Place",
        "description": "Somewhere on earth.",
        "schema": json_schema_of(Place),
        "strict": True,
    }
    assert body.text is not None
    assert body.text.format is None


@pytest.mark.requirement("CLI-14", "ERR-01")
async def test_a_format_is_said_once(pair: PairMaker) -> None:
    """And a model without a strict schema is refused before anything is sent."""
    made = pair()
    twice = BODY.model_copy(update={"response_format": response_format_of(Place)})
    with pytest.raises(InvalidFieldValue, match=r"body\.response_format: must be left open"):
        await made.call(lambda client: client.chat.completions.parse(twice, response_format=Place))
    text = {"format": {"type": "text"}}
    with pytest.raises(InvalidFieldValue, match=r"body\.text\.format: must be left open"):
        await made.call(lambda client: client.responses.parse(model="m", input="x", text=text, text_format=Place))

    class Free(BaseModel):
        fields: dict[str, str]

    with pytest.raises(InvalidFieldValue, match=r"Free\.fields: no strict schema has a mapping"):
        await made.call(lambda client: client.chat.completions.parse(BODY, response_format=Free))
    with pytest.raises(InvalidFieldValue, match="colour: unknown field"):
        await made.call(
            lambda client: client.chat.completions.parse(
                model="m", messages=MESSAGES, colour="blue", response_format=Place
            )
        )
    assert made.requests == []


@pytest.mark.requirement("CLI-14", "CLI-03")
def test_parsing_is_an_operation_like_any_other() -> None:
    """A value: equal by what is asked, with the options of the call."""
    first, second = (parse_chat_completion(BODY, Place, timeout=3).body for _ in range(2))
    assert first == second
    operation = parse_chat_completion(BODY, Place, timeout=3)
    assert (operation.operation_id, operation.options.timeout) == ("createChatCompletion", 3)
    assert operation.parse(data(completion({"content": TEXT}))).parsed.name == "Ulm"


@pytest.mark.requirement("CLI-14", "CLI-10")
async def test_a_stream_can_be_parsed_when_it_is_whole(pair: PairMaker) -> None:
    """Its text can be read meanwhile."""
    made = pair(*(Answer.events(chat_chunk(TEXT[:9]), chat_chunk(TEXT[9:]), chat_chunk(finish="stop")),) * 2)

    def make(client: Any) -> Any:
        return client.chat.completions.stream(BODY.model_copy(update={"response_format": response_format_of(Place)}))

    whole = ParsedChatAccumulator(Place)
    chunks, _ = await made.stream(make)
    for chunk in chunks[:-1]:
        whole.add(chunk)
    assert (whole.text, whole.missing()) == (TEXT, "no finish reason came for choice 0")
    whole.add(chunks[-1])
    assert whole.result().parsed == Place(name="Ulm", height=478)
    collected = make(made.client).collect(ParsedChatAccumulator(Place))
    parsed = await collected if made.colour == "async" else collected
    assert parsed.parsed == Place(name="Ulm", height=478)
    assert json.loads(made.requests[0].content)["response_format"]["json_schema"]["name"] == "Place"


@pytest.mark.requirement("CLI-14", "CLI-10")
def test_a_response_stream_can_be_parsed_too() -> None:
    """From its events."""
    event = TypeAdapter[Any](ResponseStreamEvent)
    whole = ParsedResponseAccumulator(Place)
    delta = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": TEXT}
    for fields in ({"type": "response.created", "response": response()}, delta):
        whole.add(event.validate_python(fields))
    assert whole.text == TEXT
    assert whole.missing()
    whole.add(event.validate_python({"type": "response.completed", "response": response()}))
    assert whole.result().parsed.name == "Ulm"


@pytest.mark.requirement("CLI-14")
def test_a_model_is_a_tool() -> None:
    """For chat and for responses; name and description may be others."""
    tool = pydantic_function_tool(Place)
    assert json.loads(tool.wire_bytes()) == {
        "type": "function",
        "function": {
            "description": "Somewhere on earth.",
            "name": "Place",
            "parameters": json_schema_of(Place),
            "strict": True,
        },
    }
    flat = json.loads(response_function_tool(Search, name="find", description="Finds.").wire_bytes())
    assert (flat["type"], flat["name"], flat["description"]) == ("function", "find", "Finds.")
    assert flat["parameters"] == json_schema_of(Search)
    assert "description" not in json.loads(response_function_tool(Search).wire_bytes())
    Indented = create_model("Indented", __doc__="Two\n    lines.\n    ", query=(str, ...))  # noqa: N806 - a class
    assert json.loads(response_function_tool(Indented).wire_bytes())["description"] == "Two\nlines."
    loose = json.loads(text_format_of(Search, strict=False).wire_bytes())
    assert loose["strict"] is False
    assert loose["schema"] == Search.model_json_schema()


@pytest.mark.requirement("CLI-14", "ERR-01", "SEC-13")
def test_the_arguments_of_a_call_are_the_model_that_the_tool_was_made_of() -> None:
    """Chosen by name among several; half of them is an error that does not repeat them."""
    answer = CreateChatCompletionResponse.model_validate(completion({"tool_calls": [CALL]}, "tool_calls"))
    (call,) = answer.choices[0].message.tool_calls or []
    assert parsed_arguments(call, Place) == Place(name="Ulm", height=478)
    assert parsed_arguments(call, Search, Place) == Place(name="Ulm", height=478)
    flat = FunctionToolCall(call_id="c", name="lookup", arguments='{"query": "x"}')
    assert parsed_arguments(flat, Search) == Search(query="x")
    with pytest.raises(InvalidFieldValue, match="none is called lookup; given are Search, Place"):
        parsed_arguments(flat, Search, Place)
    with pytest.raises(InvalidFieldValue, match="given are none"):
        parsed_arguments(flat)
    half = flat.model_copy(update={"arguments": '{"query": "secret'})
    with pytest.raises(DeserializationError) as caught:
        parsed_arguments(half, Search)
    assert "secret" not in str(caught.value)
    custom = CreateChatCompletionResponse.model_validate(
        completion({"tool_calls": [{"id": "x", "type": "custom", "custom": {"name": "c", "input": "i"}}]})
    )
    with pytest.raises(InvalidFieldValue, match="must be the call of a function, not of type custom"):
        parsed_arguments((custom.choices[0].message.tool_calls or [])[0], Place)


@pytest.mark.requirement("CLI-14", "TYP-03")
async def test_a_tool_call_goes_there_and_back(pair: PairMaker) -> None:
    """The message that came is given back as it is, with an answer for each call; calls may be parallel."""
    calls = [CALL, {**CALL, "id": "u"}]
    made = pair(
        Answer.json(data(completion({"role": "assistant", "content": None, "tool_calls": calls}, "tool_calls"))),
        Answer.json(data(completion({"content": "High up."}))),
    )
    tools = [pydantic_function_tool(Place)]
    first = await made.call(
        lambda client: client.chat.completions.create(
            model="m", messages=MESSAGES, tools=tools, parallel_tool_calls=True, tool_choice="required"
        )
    )
    message = first.choices[0].message
    answers = [
        {"role": "tool", "tool_call_id": call.id, "content": str(parsed_arguments(call, Place).height)}
        for call in message.tool_calls
    ]
    back = [*MESSAGES, message.model_dump(exclude_unset=True), *answers]
    await made.call(lambda client: client.chat.completions.create(model="m", messages=back, tools=tools))
    sent = json.loads(made.requests[1].content)["messages"]
    assert [item["role"] for item in sent] == ["user", "assistant", "tool", "tool"]
    assert [call["id"] for call in sent[1]["tool_calls"]] == ["t", "u"]
    assert (sent[2]["tool_call_id"], sent[3]["content"]) == ("t", "478")
    asked = json.loads(made.requests[0].content)
    assert (asked["parallel_tool_calls"], asked["tool_choice"]) == (True, "required")


@pytest.mark.requirement("CLI-14", "CLI-10")
async def test_calls_that_were_streamed_are_parsed_as_any(pair: PairMaker) -> None:
    """Collected first."""
    function = {"name": "Place", "arguments": ""}
    deltas: list[dict[str, Any]] = [{"tool_calls": [{"index": 0, "id": "t", "type": "function", "function": function}]}]
    deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in (TEXT[:5], TEXT[5:])]
    events = [data({"choices": [{"index": 0, "delta": delta}]}) for delta in deltas]
    made = pair(Answer.events(*events, chat_chunk(finish="tool_calls")))
    whole = ChatAccumulator()
    chunks, _ = await made.stream(lambda client: client.chat.completions.stream(BODY))
    for chunk in chunks:
        whole.add(chunk)
    (call,) = whole.result().choices[0].message.tool_calls or []
    assert parsed_arguments(call, Place).height == 478


@pytest.mark.requirement("CLI-14", "TYP-02")
@pytest.mark.parametrize(
    "wish",
    [
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "Place", "schema": {}}}},
        {"seed": 7},
        {"logprobs": True, "top_logprobs": 2},
        {"tools": [{"type": "function", "function": {"name": "f"}}], "parallel_tool_calls": False},
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"stop": ["a", "b"], "n": 2, "max_completion_tokens": 5, "service_tier": "flex", "logit_bias": {"7": -1}},
    ],
)
async def test_what_a_chat_asks_for_is_sent_as_it_was_said(pair: PairMaker, wish: dict[str, Any]) -> None:
    """And nothing else."""
    made = pair(Answer.json(data(completion({"content": "{}"}))))
    await made.call(lambda client: client.chat.completions.create(model="m", messages=MESSAGES, **wish))
    assert json.loads(made.requests[0].content) == {"model": "m", "messages": MESSAGES, **wish}
