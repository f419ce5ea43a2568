from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any, Literal

import pytest

from openai_client._generated.operations.files import list_files
from openai_client.base_model import RequestModel, ResponseModel, constant
from openai_client.calling import call_options
from openai_client.errors import InvalidConfiguration, InvalidFieldValue, UnexpectedResponse
from openai_client.operation import (
    CLIENT_DEFAULTS,
    CallOptions,
    Operation,
    PageOperation,
    StreamEnd,
    as_bytes,
    as_nothing,
    as_text,
    path,
    query,
    unstreamed,
    written_query,
)


class Body(RequestModel):
    """A request body that can be streamed."""

    type: Literal["body"] = constant("body")
    text: str
    stream: bool | None = None
    weight: float | None = None


class Item(ResponseModel):
    """One listed thing."""

    id: str | None = None


class Items(ResponseModel):
    """One page of things."""

    data: list[Item]
    has_more: bool | None = None
    first_id: str | None = None
    last_id: str | None = None
    next_page: str | None = None


class Named(Items):
    """One page of things that names the next one."""

    next: str | None = None


def post(body: Any = None, **fields: Any) -> Operation[Item]:
    """An operation that posts a body."""
    return Operation(operation_id="op", method="POST", path="/x", parse=Item.from_wire, body=body, **fields)


def listing(query: tuple[tuple[str, str], ...] = (), cursor: str = "after") -> PageOperation[Item]:
    """An operation that lists items."""
    return PageOperation(operation_id="ops", method="GET", path="/x", parse=Items.from_wire, query=query, cursor=cursor)


def test_an_operation_is_a_frozen_value_that_can_be_compared() -> None:
    """Two calls that say the same are the same; nothing can be changed afterwards."""
    assert post(Body(text="a")) == post(Body(text="a"))
    assert post(Body(text="a")) != post(Body(text="b"))
    with pytest.raises(FrozenInstanceError):
        post().method = "GET"


def test_the_repr_of_an_operation_shows_neither_body_nor_headers() -> None:
    """Both may hold what must not be seen."""
    options = CallOptions(headers={"x-key": "secret"}, extra_body={"k": "secret"})
    shown = repr(post(b"secret", headers={"x-key": "secret"})) + repr(post(Body(text="secret"), options=options))
    assert "secret" not in shown
    assert "operation_id='op'" in shown


@pytest.mark.requirement("CLI-09")
@pytest.mark.parametrize("body", [{"text": "secret"}, ["secret"], "secret"])
def test_a_body_that_is_no_model_is_refused_with_what_would_be_accepted(body: Any) -> None:
    """A dict is what newcomers try first; the message shows the way, and nothing of the body."""
    with pytest.raises(
        InvalidFieldValue, match=r"^body: must be a model of openai_client.types or bytes for op"
    ) as caught:
        post(body)
    assert type(body).__name__ in str(caught.value)
    assert "client.request(" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_number_that_json_lacks_is_refused_with_and_without_extra_fields() -> None:
    """What is added to a body does not change how the rest is written."""
    body = Body(text="a", weight=float("nan"))
    for operation in (post(body), post(body, options=CallOptions(extra_body={"k": 1}))):
        with pytest.raises(InvalidFieldValue, match=r"^weight: must be a finite number"):
            operation.body_bytes()


@pytest.mark.requirement("CLI-09")
def test_the_body_is_the_same_bytes_each_time() -> None:
    """Fields in the schema's order, then what the operation decides, then what the caller adds."""
    options = CallOptions(extra_body={"top_k": 5, "a": [1]})
    operation = post(Body(text="ä", weight=1.5), fixed={"stream": True}, options=options)
    expected = '{"type":"body","text":"ä","weight":1.5,"stream":true,"top_k":5,"a":[1]}'.encode()
    assert operation.body_bytes() == operation.body_bytes() == expected


def test_a_call_without_a_body_sends_none_unless_something_is_added() -> None:
    """An empty body is not a body."""
    assert post().body_bytes() is None
    assert post(options=CallOptions(extra_body={"a": 1})).body_bytes() == b'{"a":1}'
    assert post(b"raw").body_bytes() == b"raw"


def test_a_form_has_no_json_body() -> None:
    """Files are written by the multipart room."""
    with pytest.raises(TypeError, match="multipart/form-data"):
        post(Body(text="a"), content_type="multipart/form-data").body_bytes()


@pytest.mark.requirement("FWD-11")
@pytest.mark.parametrize("name", ["text", "type", "stream"])
def test_extra_body_never_overwrites_what_is_already_decided(name: str) -> None:
    """A field the body has set, a constant, and a field of the operation are refused, by name."""
    with pytest.raises(InvalidFieldValue, match=f"^extra_body: must not repeat .*{name}"):
        post(Body(text="a"), fixed={"stream": True}, options=CallOptions(extra_body={name: "other"}))


@pytest.mark.requirement("FWD-11")
def test_extra_body_may_give_a_schema_field_that_was_left_unset() -> None:
    """It is then the vendor's matter whether the value is good."""
    operation = post(Body(text="a"), options=CallOptions(extra_body={"weight": "heavy"}))
    assert json.loads(operation.body_bytes() or b"") == {"type": "body", "text": "a", "weight": "heavy"}


@pytest.mark.parametrize(
    "fields", [{"body": b"raw"}, {"method": "GET"}, {"content_type": "multipart/form-data", "body": Body(text="a")}]
)
def test_extra_body_needs_a_json_body(fields: dict[str, Any]) -> None:
    """There is nothing to merge it into."""
    fields = {"method": "POST", **fields}
    with pytest.raises(InvalidFieldValue, match=r"^extra_body: needs a JSON body .* leave it out$"):
        Operation(operation_id="op", path="/x", parse=as_bytes, options=CallOptions(extra_body={"a": 1}), **fields)


def test_a_streamed_operation_refuses_a_body_that_says_otherwise() -> None:
    """stream=false in the body and stream=true in the operation cannot both be meant."""
    with pytest.raises(InvalidFieldValue, match=r"^body.stream: op sends True here; leave it out"):
        post(Body(text="a", stream=False), fixed={"stream": True})
    assert b'"stream":true' in (post(Body(text="a", stream=True), fixed={"stream": True}).body_bytes() or b"")


def test_an_operation_with_one_answer_refuses_a_body_that_streams() -> None:
    """The streamed operation is another one."""
    body = Body(text="a", stream=False)
    assert unstreamed(body) is body
    with pytest.raises(InvalidFieldValue, match=r"^body.stream: must be unset or false"):
        unstreamed(Body(text="a", stream=True))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("gpt-4o", "/models/gpt-4o"),
        ("org/model:tag", "/models/org%2Fmodel%3Atag"),
        ("../admin", "/models/..%2Fadmin"),
        ("a?b#c", "/models/a%3Fb%23c"),
        ("a b\r\nX: y", "/models/a%20b%0D%0AX%3A%20y"),
        ("%2e%2e", "/models/%252e%252e"),
        ("...", "/models/..."),
        ("é", "/models/%C3%A9"),
    ],
)
def test_no_path_parameter_can_change_the_path(value: str, expected: str) -> None:
    """Whatever means something in a URL is percent-encoded."""
    assert path("/models/{model}", model=value) == expected


@pytest.mark.parametrize("value", ["", ".", "..", None, 7, "\ud800"])
def test_a_path_parameter_that_cannot_be_a_segment_is_refused_by_name(value: Any) -> None:
    """Empty and dots would address something else; a lone surrogate is no text."""
    with pytest.raises(InvalidFieldValue, match=r"^model: must be .* as a parameter of the path") as caught:
        path("/models/{model}", model=value)
    assert caught.value.param == "model"


def test_query_parameters_are_written_as_the_api_reads_them() -> None:
    """None is left out, the order given is kept."""
    kinds: dict[str, Any] = {"limit": int, "flag": bool, "off": bool, "include": [str], "metadata": dict}
    assert query(
        kinds,
        limit=2,
        order="asc",
        after=None,
        flag=True,
        off=False,
        include=["a", "b"],
        metadata={"k": "v"},
        from_="x",
    ) == (
        ("limit", "2"),
        ("order", "asc"),
        ("flag", "true"),
        ("off", "false"),
        ("include[]", "a"),
        ("include[]", "b"),
        ("metadata[k]", "v"),
        ("from", "x"),
    )


@pytest.mark.requirement("CLI-09", "ERR-01")
@pytest.mark.parametrize(
    ("given", "place", "told"),
    [
        ({"limit": "abc"}, "limit", "must be a whole number, as a parameter of the query, not str"),
        ({"limit": True}, "limit", "must be a whole number, as a parameter of the query, not bool"),
        ({"limit": 1.0}, "limit", "must be a whole number, as a parameter of the query, not float"),
        ({"order": "sideways"}, "order", "must be one of 'asc', 'desc', as a parameter of the query"),
        ({"order": 1}, "order", "must be one of 'asc', 'desc', as a parameter of the query, not int"),
        ({"after": 7}, "after", "must be text, as a parameter of the query, not int"),
        ({"purpose": ["a"]}, "purpose", "must be text, as a parameter of the query, not list"),
    ],
)
def test_a_parameter_of_the_query_is_of_its_kind(given: dict[str, Any], place: str, told: str) -> None:
    """As a field of a body is: the operation is not even made."""
    with pytest.raises(InvalidFieldValue) as caught:
        list_files(**given)
    assert (str(caught.value), caught.value.param) == (f"{place}: {told}", place)


@pytest.mark.requirement("CLI-09", "ERR-01")
def test_lists_mappings_and_switches_of_a_query_are_of_their_kinds_too() -> None:
    """Each item by its place; nothing of what may be text is shown."""
    kinds: dict[str, Any] = {"include": [("a", "b")], "ids": [str], "about": dict, "full": bool, "share": float}
    assert query(kinds, include=["a"], ids=("x",), about={"k": "v"}, full=False, share=1) == (
        *(("include[]", "a"), ("ids[]", "x"), ("about[k]", "v")),
        *(("full", "false"), ("share", "1")),
    )
    for given, told in (
        ({"include": "a"}, "include: must be a list of one of 'a', 'b'"),
        ({"include": ["a", "c"]}, "include.1: must be one of 'a', 'b'"),
        ({"ids": "x"}, "ids: must be a list of text, as a parameter of the query, not str"),
        ({"about": "x"}, "about: must be a mapping"),
        ({"full": "yes"}, "full: must be True or False"),
        ({"share": True}, "share: must be a number"),
    ):
        with pytest.raises(InvalidFieldValue) as caught:
            query(kinds, **given)
        assert str(caught.value).startswith(told)


@pytest.mark.requirement("CLI-18")
def test_a_page_leads_to_the_next_one_by_its_last_item() -> None:
    """The cursor is `last_id`, else the id of the last item; an older cursor is replaced."""
    operation = listing((("limit", "2"), ("after", "old")))
    following = operation.following(Items(data=[Item(id="b")], has_more=True, last_id="c"))
    assert following is not None
    assert following.query == (("limit", "2"), ("after", "c"))
    following = operation.following(Items(data=[Item(id="b")], has_more=True))
    assert following is not None
    assert following.query == (("limit", "2"), ("after", "b"))


@pytest.mark.requirement("CLI-18")
def test_a_page_that_pages_by_token_uses_the_token() -> None:
    """Usage lists hand out `next_page`."""
    following = listing(cursor="page").following(Items(data=[Item(id="b")], has_more=True, next_page="t"))
    assert following is not None
    assert following.query == (("page", "t"),)
    with pytest.raises(UnexpectedResponse, match="not where"):
        listing(cursor="page").following(Items(data=[Item(id="b")], has_more=True))


@pytest.mark.requirement("CLI-18")
@pytest.mark.parametrize("page", [Items(data=[Item(id="b")], has_more=False), Items(data=[Item(id="b")])])
def test_a_page_without_more_is_the_last(page: Items) -> None:
    """Also where a compatible server leaves `has_more` out."""
    assert listing().following(page) is None


@pytest.mark.requirement("CLI-18")
@pytest.mark.parametrize("page", [Items(data=[], has_more=True), Items(data=[Item()], has_more=True)])
def test_a_page_that_has_more_and_no_cursor_is_an_error(page: Items) -> None:
    """A list is not cut short silently."""
    with pytest.raises(UnexpectedResponse, match="not where"):
        listing().following(page)


@pytest.mark.requirement("CLI-18")
def test_a_page_that_leads_to_itself_is_an_error() -> None:
    """A server that ignores the cursor names the same one again and again."""
    with pytest.raises(UnexpectedResponse, match="this one again"):
        listing((("after", "c"),)).following(Items(data=[Item(id="c")], has_more=True))


@pytest.mark.requirement("CLI-18")
def test_a_list_that_names_its_next_page_is_believed() -> None:
    """Where the API has a field `next`, an item's id is no cursor."""
    following = listing().following(Named(data=[Item(id="b")], has_more=True, next="n-2"))
    assert following is not None
    assert following.query == (("after", "n-2"),)
    with pytest.raises(UnexpectedResponse, match="not where"):
        listing().following(Named(data=[Item(id="b")], has_more=True))


@pytest.mark.requirement("CLI-18")
def test_a_list_is_read_backwards_where_it_can_be() -> None:
    """`before` names the first item; the page before goes on backwards, and none of the old cursors is left."""
    operation = replace(listing((("limit", "2"), ("after", "b"))), backwards=True)
    preceding = operation.preceding(Items(data=[Item(id="c")], first_id="c"))
    assert preceding is not None
    assert preceding.query == (("limit", "2"), ("before", "c"))
    further = preceding.following(Items(data=[Item(id="a"), Item(id="b")], has_more=True, last_id="b"))
    assert further is not None
    assert further.query == (("limit", "2"), ("before", "a"))
    assert operation.preceding(Items(data=[])) is None
    with pytest.raises(InvalidFieldValue, match="forwards only"):
        listing().preceding(Items(data=[Item(id="c")]))


@pytest.mark.requirement("CLI-18")
def test_a_cursor_among_the_options_does_not_hold_the_list_in_place() -> None:
    """The options of a call win over the operation, so an old cursor in them is dropped; the rest stays."""
    operation = listing().with_options(CallOptions(query={"after": "old", "tenant": "t"}, timeout=3.0))
    assert operation.place == ("after", "old")
    following = operation.following(Items(data=[Item(id="b")], has_more=True))
    assert following is not None
    assert (following.place, following.options) == (("after", "b"), CallOptions(query={"tenant": "t"}, timeout=3.0))


@pytest.mark.requirement("CLI-10")
def test_a_stream_ends_by_its_mark_or_by_an_event_type() -> None:
    """Both rules are data of the operation."""
    end = StreamEnd(event_types=frozenset({"done"}))
    assert end.is_sentinel(b" [DONE] ")
    assert not end.is_sentinel(b'{"text":"[DONE]"}')
    assert not StreamEnd(sentinel=None).is_sentinel(b"[DONE]")
    assert end.is_last(Item.from_wire(b'{"type":"done"}'))
    assert not end.is_last(Item.from_wire(b'{"type":"delta"}'))
    assert not end.is_last(Item())


@pytest.mark.requirement("CLI-11")
def test_options_belong_to_one_call() -> None:
    """They travel with the operation and change nothing else in it."""
    options = CallOptions(timeout=3.0, idempotency_key="k")
    changed = post().with_options(options)
    assert changed.options is options
    assert post().options is CLIENT_DEFAULTS
    assert changed.with_options(CLIENT_DEFAULTS) == post()


@pytest.mark.requirement("CLI-11")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1.0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"idempotency_key": 3}, "idempotency_key"),
        ({"deadline": 5}, "deadline"),
        ({"on_progress": 3}, "on_progress"),
        ({"headers": ["x"]}, "headers"),
        ({"query": "a=b"}, "query"),
        ({"extra_body": [1]}, "extra_body"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict[str, Any], message: str) -> None:
    """A timeout is above 0, a key is not empty; all in the client's own tree, before there is a call."""
    with pytest.raises(InvalidFieldValue, match=rf"^{message}: must be ") as caught:
        CallOptions(**options)
    assert caught.value.param == message


@pytest.mark.requirement("CLI-11")
def test_a_header_that_cannot_be_sent_is_told_by_the_argument_it_came_in() -> None:
    """The names of headers alone say nothing of where they were written."""
    headers: Any = {"x": 3}
    with pytest.raises(InvalidConfiguration, match=r"^headers: x: a header value must be a str, not int$"):
        CallOptions(headers=headers)
    with pytest.raises(InvalidConfiguration, match=r"^extra_headers: x: a header value must be a str, not int$"):
        call_options({"extra_headers": headers})


def test_answers_that_are_not_json_have_parsers_too() -> None:
    """Bytes stay, text is decoded without failing, nothing is nothing."""
    assert as_bytes(b"\xff") == b"\xff"
    assert as_text(b"a\xff") == "a\ufffd"
    assert as_nothing(b"anything") is None


@pytest.mark.requirement("CLI-11")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"timeout": -1}, "^timeout: must be above 0"),
        ({"timeout": "3"}, "^timeout: must be seconds"),
        ({"idempotency_key": ""}, "^idempotency_key: must be text that is not empty"),
        ({"on_progress": 3}, "^on_progress: must be a function of two numbers, not int$"),
        ({"options": {"timeout": 3}}, "options: must be CallOptions, not dict"),
        ({"extra_headers": [("a", "b")]}, "^extra_headers: must be a mapping, not list$"),
        ({"extra_query": "a=b"}, "^extra_query: must be a mapping, not str$"),
        ({"extra_body": {"a": [float("inf")]}}, r"^extra_body\.a\[0\]: must be a finite number"),
        ({"extra_body": [1]}, "^extra_body: must be a mapping"),
    ],
)
def test_keywords_that_cannot_be_used_are_refused_as_fields_are(given: Any, said: str) -> None:
    """With an error of the client's own tree."""
    with pytest.raises(InvalidFieldValue, match=said):
        call_options(given)


def test_no_options_are_the_clients() -> None:
    """Whoever hands options on may have none."""
    nothing: Any = {"options": None}
    assert call_options(nothing) == CallOptions()


def test_parameters_of_the_callers_own_are_written_as_all_others() -> None:
    """However deep, and under the names that they have."""
    given: Any = {"a_": {"b": {"c": True}}, "d": [None, False, 1]}
    assert written_query(given) == (("a_[b][c]", "true"), ("d[]", "false"), ("d[]", "1"))


@pytest.mark.parametrize("value", ["PROMPT\ud800", b"PROMPT", {"a": object()}])
def test_a_parameter_that_cannot_be_written_is_named_and_not_shown(value: Any) -> None:
    """Encoding it would quote it."""
    with pytest.raises(InvalidFieldValue, match=r"query\.q") as caught:
        written_query({"q": value})
    with pytest.raises(InvalidFieldValue, match=r"^query\.q: is a number of too many digits to be written"):
        written_query({"q": 10**5000})
    assert "PROMPT" not in str(caught.value)


def test_the_name_of_a_parameter_is_text() -> None:
    """A number is none."""
    nameless: Any = {1: "x"}
    with pytest.raises(InvalidFieldValue, match="name of a parameter"):
        written_query(nameless)
