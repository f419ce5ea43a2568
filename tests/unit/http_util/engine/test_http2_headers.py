"""The fields of an answer: what HTTP/2 allows in them."""

from __future__ import annotations

import pytest

from http_util.engine.http2_headers import Fields, MalformedFields, read_fields
from tests.unit.http_util.engine.http2_doubles import OK


def test_an_answer_has_its_status_first_and_then_its_fields() -> None:
    """The status is taken out, order and repetition stay."""
    fields = [OK, (b"set-cookie", b"a"), (b"x-Z".lower(), b""), (b"set-cookie", b"b; c\xff\x7f\x01")]
    assert read_fields(fields) == Fields(200, fields[1:], None)


def test_trailers_have_no_status() -> None:
    """Also when they are empty."""
    assert read_fields([(b"x-checksum", b"1")]) == Fields(None, [(b"x-checksum", b"1")], None)
    assert read_fields([]).status is None
    assert not read_fields([]).is_interim


@pytest.mark.parametrize(
    ("status", "is_interim"), [(b"100", True), (b"103", True), (b"199", True), (b"200", False), (b"999", False)]
)
def test_an_interim_head_begins_with_a_one(status: bytes, is_interim: bool) -> None:
    """The others are final."""
    assert read_fields([(b":status", status)]).is_interim is is_interim


@pytest.mark.parametrize(
    "status", [b"", b"20", b"2000", b"+20", b"2 0", b"-10", b"0x1", b"099", b"000", b"101", b"\xb2\xb9\xb9"]
)
def test_a_status_is_three_digits_and_never_101(status: bytes) -> None:
    """HTTP/2 has no switch of protocols (8.6)."""
    with pytest.raises(MalformedFields, match="status"):
        read_fields([(b":status", status)])


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([(b"a", b"b"), OK], id="status behind a field"),
        pytest.param([OK, OK], id="status twice"),
        pytest.param([OK, (b":path", b"/")], id="pseudo-header field of requests"),
        pytest.param([(b":path", b"/"), OK], id="the same in front"),
        pytest.param([OK, (b":unknown", b"/")], id="unknown pseudo-header field"),
        pytest.param([OK, (b"Server", b"x")], id="upper case"),
        pytest.param([OK, (b"", b"x")], id="no name"),
        pytest.param([OK, (b"a b", b"x")], id="blank in a name"),
        pytest.param([OK, (b"a\nb", b"x")], id="line break in a name"),
        pytest.param([OK, (b"a:", b"x")], id="colon in a name"),
        pytest.param([OK, (b"\xe4", b"x")], id="a name beyond ASCII"),
        pytest.param([OK, (b"a\x7f", b"x")], id="a control character in a name"),
        pytest.param([(b":status ", b"200")], id="almost a status"),
    ],
)
def test_names_that_are_out_of_place_are_malformed(fields: list[tuple[bytes, bytes]]) -> None:
    """8.2.1 and 8.3."""
    with pytest.raises(MalformedFields, match=r"out of place|no name"):
        read_fields(fields)


@pytest.mark.parametrize("name", [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"])
def test_fields_of_an_http_1_1_connection_are_malformed(name: bytes) -> None:
    """8.2.2: a gateway that passes them on would also pass on what they smuggle."""
    with pytest.raises(MalformedFields, match=r"HTTP/1\.1"):
        read_fields([OK, (name, b"chunked")])


@pytest.mark.parametrize("value", [b"a\rb", b"a\nb", b"a\0b", b" a", b"a ", b"\ta", b"a\t", b"\n", b" "])
@pytest.mark.parametrize("place", ["head", "trailers"])
def test_values_with_line_breaks_or_blanks_around_are_malformed(value: bytes, place: str) -> None:
    """8.2.1, in trailers too."""
    with pytest.raises(MalformedFields, match="value"):
        read_fields([*([OK] if place == "head" else []), (b"a", b"b"), (b"c", value)])


def test_two_values_are_not_taken_for_one() -> None:
    """They are checked together, and still each for itself."""
    with pytest.raises(MalformedFields):
        read_fields([OK, (b"a", b"b "), (b"c", b"d")])
    with pytest.raises(MalformedFields):
        read_fields([OK, (b"a", b"b"), (b"c", b" d")])
    assert read_fields([OK, (b"a", b""), (b"c", b"d e")]).fields == [(b"a", b""), (b"c", b"d e")]


@pytest.mark.parametrize(
    ("values", "length"),
    [([], None), ([b"0"], 0), ([b"12"], 12), ([b"012"], 12), ([b"12", b"12"], 12), ([b"9" * 18], 10**18 - 1)],
)
def test_a_content_length_is_a_number_and_may_be_repeated(values: list[bytes], length: int | None) -> None:
    """RFC 9110, 8.6."""
    assert read_fields([OK, *((b"content-length", value) for value in values)]).content_length == length


@pytest.mark.parametrize(
    "values",
    [[b""], [b"-1"], [b"+1"], [b"1 2"], [b"1,1"], [b"0x1"], [b"1.0"], [b"9" * 19], [b"1", b"2"], [b"1", b"01"]],
)
def test_another_content_length_is_malformed(values: list[bytes]) -> None:
    """Nobody shall have to guess where the answer ends."""
    with pytest.raises(MalformedFields, match="content-length"):
        read_fields([OK, *((b"content-length", value) for value in values)])


@pytest.mark.parametrize(
    ("status", "answers_head", "due"),
    [
        (b"200", False, 5),
        (b"200", True, 0),
        (b"204", False, 0),
        (b"304", False, 0),
        (b"304", True, 0),
        (b"404", False, 5),
    ],
)
def test_some_answers_name_a_length_and_have_no_content(status: bytes, answers_head: bool, due: int) -> None:
    """Those to HEAD, 204 and 304 (8.1.1)."""
    fields = read_fields([(b":status", status), (b"content-length", b"5")])
    assert fields.content_due(answers_head=answers_head) == due


def test_without_a_length_nobody_knows_what_is_due() -> None:
    """Unless there is no content at all."""
    assert read_fields([OK]).content_due(answers_head=False) is None
    assert read_fields([OK]).content_due(answers_head=True) == 0


def test_what_is_wrong_is_told_without_quoting_the_upstream() -> None:
    """A message may be logged."""
    for fields in (
        [OK, (b"Hunter2", b"x")],
        [OK, (b"a", b"hunter2\n")],
        [(b":status", b"hunter2")],
        [OK, (b"content-length", b"hunter2")],
    ):
        with pytest.raises(MalformedFields) as caught:
            read_fields(fields)
        assert "unter2" not in str(caught.value)
