from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, Tag, TypeAdapter, ValidationError

from openai_client.base_model import (
    ABSENT,
    DEPRECATED,
    UNKNOWN,
    KnownValues,
    Open,
    RequestModel,
    ResponseModel,
    TwoWayModel,
    Unknown,
    WireParser,
    by_tag,
    constant,
    deprecated_fields,
)


class Named(StrEnum):
    """A name that is text."""

    A = "a"


class Word(RequestModel):
    """A request model with a constant, a range and a deprecated field."""

    takes_null = ("weight",)
    type: Literal["word"] = constant("word")
    text: str
    weight: Annotated[float, Field(ge=-2, le=2)] | None = None
    old: Annotated[int | None, DEPRECATED] = None


class Tool(TwoWayModel):
    """A model that goes both ways, a variant of a union."""

    type: Literal["tool"] = "tool"
    name: str
    note: str | None = None
    notes: list[str] | None = None


class Bare(TwoWayModel):
    """A variant that may come without its tag."""

    takes_null = ("type",)
    type: Literal["bare", "naked"] | None = None
    size: int


Piece = Annotated[
    Annotated[Tool, Tag("tool")]
    | Annotated[Bare, Tag("bare")]
    | Annotated[Bare, Tag(ABSENT)]
    | Annotated[Unknown, Tag(UNKNOWN)],
    by_tag("type", "tool", "bare", aliases={"naked": "bare"}, absent=ABSENT),
]


class Answer(ResponseModel):
    """A response with an open enumeration and open variants."""

    state: Open[Literal["done", "failed"]] | None = None
    pieces: list[Piece] | None = None
    code: str | None = None


class Order(RequestModel):
    """A request that holds models of both kinds."""

    word: Word
    pieces: list[Piece] | None = None


@pytest.mark.requirement("TYP-02")
def test_a_request_writes_only_the_fields_that_were_set() -> None:
    """Defaults are not sent; an explicit None is, where it is a value."""
    assert Word(text="a").wire_bytes() == b'{"type":"word","text":"a"}'
    assert Word(text="a", weight=None).wire_bytes() == b'{"type":"word","text":"a","weight":null}'
    assert Word(text="a", old=None).wire_bytes() == b'{"type":"word","text":"a"}'


def test_constructors_fill_constants_in_and_mappings_must_contain_them() -> None:
    """`type` need not be given to the constructor; JSON in place of a model has to have it."""
    assert json.loads(Tool(name="t").wire_bytes()) == {"type": "tool", "name": "t"}
    with pytest.raises(ValidationError, match="type"):
        Order.model_validate({"word": {"text": "a"}})
    with pytest.raises(ValidationError, match="type"):
        Word(type="verb", text="a")


@pytest.mark.requirement("FWD-11")
@pytest.mark.parametrize(
    "refused",
    [
        {"word": {"type": "word", "text": "a", "colour": 1}},
        {"word": {"type": "word", "text": "a"}, "colour": 1},
        {"word": {"type": "word", "text": "a"}, "pieces": [{"type": "tool", "name": "t", "colour": 1}]},
        {"word": {"type": "word", "text": "a"}, "pieces": [{"type": "piano", "keys": 88}]},
    ],
)
def test_a_request_refuses_unknown_fields_at_every_depth(refused: dict[str, Any]) -> None:
    """Also inside models that are tolerant when they are received."""
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Order(**refused)


@pytest.mark.requirement("FWD-11")
def test_a_model_that_goes_both_ways_is_strict_when_constructed_and_tolerant_when_parsed() -> None:
    """A typing error is caught; what an upstream adds is kept."""
    with pytest.raises(ValidationError, match="colour"):
        Tool(name="t", colour=1)
    assert Tool.from_wire(b'{"type":"tool","name":"t","colour":1}').model_extra == {"colour": 1}


@pytest.mark.requirement("CLI-09", "TYP-02")
@pytest.mark.parametrize(
    "given",
    [
        {"word": {"type": "word", "text": b"a"}},
        {"word": {"type": "word", "text": 1}},
        {"word": {"type": "word", "text": "a", "weight": True}},
        {"word": {"type": "word", "text": "a", "weight": "1"}},
        {"word": {"type": "word", "text": "a", "old": "1"}},
        {"word": {"type": "word", "text": "a", "old": 1.0}},
        {"word": {"type": "word", "text": "a"}, "pieces": [{"type": "tool", "name": 7}]},
        {"word": {"type": "word", "text": "a"}, "pieces": [{"type": "tool", "name": "t", "notes": ["a", 7]}]},
        {"word": {"type": "word", "text": "a"}, "pieces": [{"type": "bare", "size": "1"}]},
        {
            "word": {"type": "word", "text": "a"},
            "pieces": [{"type": "tool", "name": "t"}, {"type": "bare", "size": True}],
        },
    ],
)
def test_no_value_of_a_request_becomes_one_of_another_kind(given: dict[str, Any]) -> None:
    """At every depth, in models of both kinds, wherever in the request a model is met for the second time."""
    with pytest.raises(ValidationError, match=r"valid (string|number|integer)"):
        Order(**given)


@pytest.mark.requirement("TYP-02")
def test_a_whole_number_is_a_number_and_an_enumeration_of_text_is_text() -> None:
    """What needs no conversion to be the same value is taken."""
    assert json.loads(Word(text=Named.A, weight=1).wire_bytes()) == {"type": "word", "text": "a", "weight": 1.0}
    assert json.loads(Tool(name=Named.A, notes=[Named.A]).wire_bytes()) == {"type": "tool", "name": "a", "notes": ["a"]}


@pytest.mark.requirement("CLI-09")
def test_none_is_not_given_where_the_api_takes_no_null() -> None:
    """In keywords, in mappings and in models, of both kinds; what was received keeps its nulls."""
    bare: dict[str, Any] = {"type": None, "size": 1}
    order = Order(
        word={"type": "word", "text": "a", "weight": None, "old": None},
        pieces=[{"type": "tool", "name": "t", "note": None}, Tool(name="u", note=None), bare],
    )
    assert json.loads(order.wire_bytes()) == {
        "word": {"type": "word", "text": "a", "weight": None},
        "pieces": [{"type": "tool", "name": "t"}, {"type": "tool", "name": "u"}, bare],
    }
    assert json.loads(Order(word=Word(text="a"), pieces=None).wire_bytes()) == {"word": {"type": "word", "text": "a"}}
    came = b'{"type":"tool","name":"t","note":null}'
    assert Tool.from_wire(came).wire_bytes() == came


@pytest.mark.requirement("FWD-02", "FWD-11")
def test_a_variant_that_is_not_known_is_sent_when_it_is_said_to_be_one() -> None:
    """A mapping with nothing in it is none."""
    piano = {"type": "piano", "keys": 88}
    order = Order(word=Word(text="a"), pieces=[Unknown.model_validate(piano)])
    assert json.loads(order.wire_bytes())["pieces"] == [piano]
    closed: TypeAdapter[Any] = TypeAdapter(Unknown)
    with pytest.raises(ValidationError, match="must not be empty"):
        closed.validate_python({})
    assert type(closed.validate_json(b"{}")) is Unknown


@pytest.mark.requirement("FWD-01")
def test_what_came_in_a_response_can_be_given_back_as_it_is() -> None:
    """Unknown fields and unknown variants survive the way through a request."""
    came = b'{"pieces":[{"type":"tool","name":"t","colour":1},{"type":"piano","keys":88}]}'
    answer = Answer.from_wire(came)
    order = Order(word=Word(text="a"), pieces=answer.pieces)
    assert json.loads(order.wire_bytes())["pieces"] == json.loads(came)["pieces"]


@pytest.mark.requirement("TYP-02")
@pytest.mark.parametrize(("weight", "is_valid"), [(-2.01, False), (-2, True), (2, True), (2.01, False)])
def test_ranges_of_request_fields_are_enforced_at_both_ends(weight: float, is_valid: bool) -> None:
    """The ends are in."""
    if is_valid:
        assert Word(text="a", weight=weight).weight == weight
        return
    with pytest.raises(ValidationError, match="weight"):
        Word(text="a", weight=weight)


def test_no_validation_error_repeats_the_input() -> None:
    """Inputs hold prompts."""
    with pytest.raises(ValidationError) as caught:
        Word(text=["a secret prompt"], weight="another secret")
    assert "secret" not in str(caught.value)


def test_the_repr_of_a_request_shows_which_fields_are_set_and_not_their_values() -> None:
    """Prompts stay out of logs and tracebacks."""
    assert repr(Word(text="a secret prompt", weight=None)) == "Word(type=..., text=..., weight=...)"
    assert "secret" not in str(Order(word=Word(text="a secret prompt")))


@pytest.mark.requirement("FWD-01", "FWD-03")
def test_a_response_keeps_unknown_fields_and_tells_absent_from_null() -> None:
    """The document comes out as it came in."""
    came = b'{"state":null,"news":{"a":[1]}}'
    answer = Answer.from_wire(came)
    assert answer.wire_bytes() == came
    assert answer.model_fields_set == {"state", "news"}
    assert answer.news == {"a": [1]}


@pytest.mark.requirement("FWD-02")
def test_an_open_enumeration_keeps_a_value_that_nobody_knew() -> None:
    """The raw value is there, and the known ones can be looked up."""
    assert Answer.from_wire(b'{"state":"eos"}').state == "eos"
    assert repr(KnownValues(("done",))) == "KnownValues(('done',))"
    assert "failed" in str(Answer.model_fields["state"].annotation)


def test_numbers_in_place_of_text_are_read_as_text() -> None:
    """Servers send error codes as integers."""
    assert Answer.from_wire(b'{"code":404}').code == "404"


@pytest.mark.requirement("FWD-02")
@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        ({"type": "tool", "name": "t"}, Tool),
        ({"type": "naked", "size": 1}, Bare),
        ({"type": "bare", "size": 1}, Bare),
        ({"size": 1}, Bare),
        ({"type": None, "size": 1}, Bare),
        ({"type": "piano", "keys": 88}, Unknown),
        ({"type": 7}, Unknown),
        ({"type": ["tool"]}, Unknown),
    ],
)
def test_a_tagged_union_chooses_by_the_tag_and_keeps_what_it_does_not_know(
    piece: dict[str, Any], expected: Any
) -> None:
    """An unknown tag, or one that is no text, is an `Unknown` with all its fields."""
    adapter: TypeAdapter[Any] = TypeAdapter(Piece)
    found = adapter.validate_python(piece)
    assert type(found) is expected
    assert adapter.dump_python(found, exclude_unset=True) == piece


@pytest.mark.requirement("FWD-02")
def test_a_known_variant_that_is_broken_is_an_error_and_not_an_unknown_one() -> None:
    """Otherwise text would vanish without a word."""
    with pytest.raises(ValidationError, match="name"):
        Answer.from_wire(b'{"pieces":[{"type":"tool"}]}')


def test_an_unknown_variant_gives_its_fields_as_attributes() -> None:
    """They are what the upstream sent."""
    found = Unknown.from_wire(b'{"type":"piano","keys":88}')
    assert (found.type, found.keys) == ("piano", 88)
    with pytest.raises(AttributeError):
        _ = found.strings


@pytest.mark.requirement("FWD-02")
@pytest.mark.parametrize(
    ("sent", "tag"),
    [
        (b'{"type":"piano","role":"user"}', "piano"),
        (b'{"event":"thread.moved","data":{}}', "thread.moved"),
        (b'{"role":"oracle"}', "oracle"),
        (b'{"type":7,"object":"thing"}', "thing"),
        (b'{"keys":88}', None),
    ],
)
def test_an_unknown_variant_tells_its_tag_under_one_name(sent: bytes, tag: str | None) -> None:
    """Whichever field of this API it stands in, and without a word when there is none."""
    assert Unknown.from_wire(sent).unknown_tag == tag


@pytest.mark.requirement("FWD-06")
def test_deprecated_fields_are_named_only_when_set() -> None:
    """A client warns for what is used."""
    assert deprecated_fields(Word(text="a", old=1)) == ["old"]
    assert deprecated_fields(Word(text="a")) == []
    assert repr(DEPRECATED) == "DEPRECATED"


def test_a_parser_of_a_union_builds_nothing_before_its_first_call() -> None:
    """Making one costs nothing; an error shows no input."""
    parse: WireParser[Tool | Unknown] = WireParser(Piece)
    assert parse(b'{"type":"tool","name":"t"}') == Tool(name="t")
    with pytest.raises(ValidationError) as caught:
        parse(b'{"type":"tool","name":["secret"]}')
    assert "secret" not in str(caught.value)
