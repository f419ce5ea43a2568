import math
from collections import UserDict
from collections.abc import Callable
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_api import InvalidTask
from adapter_api import task_fields as check

LONGEST = check.MAX_PROMPT_CHARACTERS


def refusal(function: Callable[..., object], value: object, **bounds: float) -> str:
    """What *function* says about *value* of the field `f`."""
    with pytest.raises(InvalidTask) as caught:
        function("f", value, **bounds)
    assert caught.value.field.startswith("f")
    return caught.value.message


def nested(levels: int) -> dict:
    """A mapping that is *levels* deep."""
    value: dict = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize("value", ["a", "a" * 128, "t-1", "a b", "é", "模型"])
def test_an_identifier_is_printable_and_of_limited_length(value: object) -> None:
    """One and 128 characters pass, and so does any script."""
    assert check.identifier("f", value) == value


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ("", "got 0 characters"),
        ("a" * 129, "got 129 characters"),
        ("a\n", "got one with a character that cannot be printed"),
        ("a\r\nX-Evil: 1", "got one with a character that cannot be printed"),
        ("\x00", "got one with a character that cannot be printed"),
        ("\u202e", "got one with a character that cannot be printed"),
        ("\ud800", "got one with a character that cannot be printed"),
        (7, "got int"),
        (True, "got bool"),
        (b"t-1", "got bytes"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_identifier_is_refused_with_the_reason(value: object, got: str) -> None:
    """Length, characters and type are told apart, and the value is not shown."""
    assert refusal(check.identifier, value) == f"f: expected a printable string of 1 to 128 characters, {got}"


@pytest.mark.parametrize(("length", "fits"), [(1, True), (2, True), (3, False)])
def test_an_identifier_may_have_its_own_limit(length: int, fits: bool) -> None:
    """The limit is the last length that passes."""
    if fits:
        assert check.identifier("f", "a" * length, longest=2)
    else:
        assert "1 to 2 characters" in refusal(check.identifier, "a" * length, longest=2)


def test_a_choice_is_one_of_the_names() -> None:
    """A name passes as it is."""
    assert check.choice("f", "b", ("a", "b")) == "b"


@pytest.mark.parametrize(("value", "shown"), [("c", "'c'"), ("A", "'A'"), ("\n", r"'\n'"), (1, "int"), (["a"], "list")])
def test_what_is_no_choice_is_refused_with_all_the_names(value: object, shown: str) -> None:
    """The refusal lists what would be accepted and shows the wrong name, escaped."""
    with pytest.raises(InvalidTask, match="f: expected one of a, b, got ") as caught:
        check.choice("f", value, ("a", "b"))
    assert caught.value.message.endswith(f"got {shown}")


def test_a_choice_that_is_a_whole_text_is_not_shown_in_full() -> None:
    """Forty characters are enough to see what went wrong."""
    with pytest.raises(InvalidTask) as caught:
        check.choice("f", "x" * 1000, ("a",))
    assert caught.value.message == f"f: expected one of a, got '{'x' * 40}'"


@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_passes(value: object) -> None:
    """True and False are the only ones."""
    assert check.boolean("f", value) is value


@pytest.mark.parametrize(("value", "got"), [(0, "int"), (1, "int"), ("true", "str"), (None, "NoneType")])
def test_what_only_counts_as_a_boolean_is_refused(value: object, got: str) -> None:
    """No number, text or None stands for one."""
    assert refusal(check.boolean, value) == f"f: expected true or false, got {got}"


@pytest.mark.parametrize("value", [1, 2, 2**63 - 1])
def test_an_integer_within_its_bounds_passes(value: object) -> None:
    """The least value and the largest 64-bit one are in."""
    assert check.integer("f", value, least=1) == value
    assert check.integer("f", -value) == -value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "an integer of 1 or more, got 0"),
        (-5, "an integer of 1 or more, got -5"),
        (2**63, "an integer of at most 64 bits, got 9223372036854775808"),
        (True, "an integer, got bool"),
        (1.0, "an integer, got float"),
        ("1", "an integer, got str"),
        (None, "an integer, got NoneType"),
    ],
)
def test_what_is_no_such_integer_is_refused(value: object, expected: str) -> None:
    """One below, one above, a boolean, a float and a text: each is told what would pass."""
    assert refusal(check.integer, value, least=1) == f"f: expected {expected}"


def test_an_integer_of_thousands_of_digits_is_not_printed() -> None:
    """Python itself refuses to write such a number; the refusal does without."""
    assert refusal(check.integer, 10**5000) == "f: expected an integer of at most 64 bits, got a huge number"


def test_an_integer_without_a_least_value_is_bounded_by_its_bits() -> None:
    """A seed may be negative, within 64 bits."""
    assert "at most 64 bits" in refusal(check.integer, -(2**63))


@pytest.mark.parametrize("value", [-2, -2.0, 0, 0.5, 2])
def test_a_number_within_its_bounds_passes(value: object) -> None:
    """Both ends are in, integers count."""
    assert check.number("f", value, least=-2, most=2) == value


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (-2.001, "-2.001"),
        (2.001, "2.001"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (10**40, "a huge number"),
        (10**40 - 1, "9" * 40),
        (True, "bool"),
        ("1", "str"),
    ],
)
def test_what_is_no_such_number_is_refused(value: object, got: str) -> None:
    """Beyond either end, not finite, a boolean, a text: each is refused with the range."""
    assert refusal(check.number, value, least=-2, most=2) == f"f: expected a number from -2 to 2, got {got}"


@pytest.mark.parametrize("value", ["a", "line\nline\r\n\ttab", "\u2028\u2029", "🦙", "\x80", "e\u0301"])
def test_a_text_may_hold_any_character_that_utf8_carries(value: object) -> None:
    """Line ends, tabs, separators and astral characters reach the engine unchanged."""
    assert check.text("f", value) is value


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("ab\ud800", "U+D800 at position 2"),
        ("\udfff", "U+DFFF at position 0"),
        ("\x00", "U+0000 at position 0"),
        ("a\x1b[2J", "U+001B at position 1"),
        ("\x7f", "U+007F at position 0"),
        ("\x0b", "U+000B at position 0"),
        ("\x0c", "U+000C at position 0"),
        ("\x08", "U+0008 at position 0"),
        ("\x1f", "U+001F at position 0"),
    ],
)
def test_a_text_with_a_control_character_or_a_lone_surrogate_is_refused(value: object, found: str) -> None:
    """The refusal names the character and its place, and nothing around it."""
    expected = "f: expected no control characters but tab and line ends, no surrogates, got "
    assert refusal(check.text, value) == expected + found


@pytest.mark.parametrize(("length", "fits"), [(0, False), (1, True), (LONGEST, True), (LONGEST + 1, False)])
def test_a_text_has_a_shortest_and_a_longest_length(length: int, fits: bool) -> None:
    """One character and the limit itself pass; none and one more are refused with the length."""
    if fits:
        assert len(check.text("f", "a" * length)) == length
    else:
        assert refusal(check.text, "a" * length) == f"f: expected 1 to {LONGEST} characters, got {length}"


@pytest.mark.parametrize(("value", "got"), [(b"a", "bytes"), (1, "int"), (["a"], "list"), (None, "NoneType")])
def test_what_is_no_text_is_refused(value: object, got: str) -> None:
    """Bytes are no text."""
    assert refusal(check.text, value) == f"f: expected a text, got {got}"


@pytest.mark.parametrize("value", [[], ["a"], ("a", "b")])
def test_texts_are_a_list_or_a_tuple(value: object) -> None:
    """Either is taken as it is."""
    assert check.texts("f", value) is value


@pytest.mark.parametrize(
    ("value", "got"), [("ab", "str"), (b"ab", "bytes"), (bytearray(), "bytearray"), ({"a"}, "set"), (1, "int")]
)
def test_a_string_is_no_list_of_texts(value: object, got: str) -> None:
    """A single text given by mistake is not taken apart into letters."""
    assert refusal(check.texts, value) == f"f: expected a list, got {got}"


def test_a_wrong_entry_is_named_by_its_place() -> None:
    """The path leads to the entry."""
    assert refusal(check.texts, ["a", 2]) == "f[1]: expected a text, got int"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], "f: expected at least one message, got none"),
        ("hi", "f: expected a list, got str"),
        (["hi"], "f[0]: expected a mapping, got str"),
        ([{}], "f[0].role: expected a printable string of 1 to 128 characters, got NoneType"),
        ([{"role": ""}], "f[0].role: expected a printable string of 1 to 128 characters, got 0 characters"),
        ([{"role": "user"}, {"role": 5}], "f[1].role: expected a printable string of 1 to 128 characters, got int"),
        ([{"role": "user", "content": {1, 2}}], "f[0].content: expected a JSON value, got set"),
        ([{"role": "user", "content": [{"text": b"x"}]}], "f[0].content[0].text: expected a JSON value, got bytes"),
    ],
)
def test_a_conversation_that_is_wrong_is_refused_at_the_place(value: object, expected: str) -> None:
    """Each message is a mapping with a role, of values that JSON can carry."""
    assert refusal(check.messages, value) == expected


def test_a_message_may_hold_whatever_the_schema_of_the_day_says() -> None:
    """Content parts, tool calls and null content pass unchanged; an empty text is content too."""
    conversation = (
        {"role": "system", "content": ""},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"arguments": "{}"}}]},
    )
    assert check.messages("f", conversation) is conversation


@pytest.mark.parametrize("kind", [dict, UserDict, MappingProxyType])
def test_any_mapping_is_an_object(kind: Callable[[dict], object]) -> None:
    """Vendor fields may come in any mapping, of any JSON value."""
    value = kind({"a": [1, -1, 1.5, True, None, "x", {"b": ()}]})
    assert check.json_object("f", value) is value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], "f: expected a mapping, got list"),
        ({1: 2}, "f: expected string keys, got int"),
        ({"a": {None: 2}}, "f.a: expected string keys, got NoneType"),
        ({"a": object()}, "f.a: expected a JSON value, got object"),
        ({"a": math.nan}, "f.a: expected a finite number, got nan"),
        ({"a": [1, math.inf]}, "f.a[1]: expected a finite number, got inf"),
        ({"a": 2**64}, "f.a: expected an integer of at most 64 bits"),
        ({"a": -(2**64)}, "f.a: expected an integer of at most 64 bits"),
        ({"a": "\ud800"}, "f.a: expected no control characters but tab and line ends, no surrogates, got U+D800 at"),
        ({"\x00": 1}, "f key: expected no control characters but tab and line ends, no surrogates, got U+0000 at"),
    ],
)
def test_what_json_cannot_carry_is_refused_at_the_place(value: object, expected: str) -> None:
    """Keys, numbers and texts that would break the body are found before there is one."""
    assert refusal(check.json_object, value).startswith(expected)


@pytest.mark.parametrize("value", [2**64 - 1, -(2**64 - 1)])
def test_an_integer_of_64_bits_is_a_json_value(value: object) -> None:
    """The largest unsigned seed passes."""
    assert check.json_object("f", {"seed": value})


def test_nesting_has_a_deepest_level() -> None:
    """As deep as the limit passes, one more is refused, in a list as in a mapping."""
    assert check.json_object("f", nested(check.MAX_DEPTH))
    assert "at most 64 levels" in refusal(check.json_object, nested(check.MAX_DEPTH + 1))
    lists: list = []
    for _ in range(check.MAX_DEPTH):
        lists = [lists]
    assert "at most 64 levels" in refusal(check.json_object, {"a": lists})


def test_a_value_that_holds_itself_is_refused() -> None:
    """A circle is deeper than any limit, and does not end in a stack overflow."""
    circle: dict = {}
    circle["again"] = [circle, circle]
    assert "at most 64 levels" in refusal(check.json_object, circle)


def test_the_path_to_a_nested_value_stays_short() -> None:
    """Long keys at every level do not make a long message."""
    value: object = math.nan
    for _ in range(60):
        value = {"k" * 500: value}
    message = refusal(check.json_object, value)
    assert message.startswith("f.kkk")
    assert len(message) < 400


@pytest.mark.parametrize(
    ("name", "shown"),
    [("seed", "seed"), ("a\nb\x1b", "a?b?"), ("\u202e", "?"), ("k" * 99, "k" * 64), (5, "5"), (b"\n", r"b'\n'")],
)
def test_a_key_is_shown_printable_and_short(name: object, shown: str) -> None:
    """A key from outside can neither forge a line nor turn the terminal around."""
    assert check.key_name(name) == shown


def test_none_passes_only_where_a_field_is_optional() -> None:
    """`optional` lets None through and hands everything else to the check."""
    assert check.optional(check.integer, "f", None, least=0) is None
    assert check.optional(check.integer, "f", 0, least=0) == 0
    assert "of 0 or more" in refusal(lambda field, value: check.optional(check.integer, field, value, least=0), -1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["x", "y"]), JSON))
def test_every_json_object_passes_unchanged(value: object) -> None:
    """Whatever JSON can say reaches the upstream as it was given."""
    assert check.json_object("f", value) is value
