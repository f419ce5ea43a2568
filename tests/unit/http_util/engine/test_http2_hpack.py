"""Header blocks: read and written as another library does, in step whatever comes, and nothing of it for ever."""

from __future__ import annotations

import hpack
import pytest
from hpack.table import HeaderTable
from hypothesis import given, settings
from hypothesis import strategies as st

from http_util.engine.http2_hpack import (
    CONNECTION_SPECIFIC,
    STATIC_TABLE,
    CompressionFault,
    HeaderDecoder,
    HeaderEncoder,
    is_bad_value,
)
from tests.unit.http_util.engine.http2_doubles import POST

LARGE = 1 << 20
SECRETS = [
    b"authorization",
    b"Authorization",
    b"api-key",
    b"x-api-key",
    b"cookie",
    b"proxy-authorization",
    b"x-goog-api-key",
]

NAMES = st.sampled_from(
    [b"a", b"x-request-id", b"content-type", b"date", b"server", b":status", b"set-cookie", b"x" * 300]
)
VALUES = st.one_of(
    st.sampled_from([b"", b"200", b"text/event-stream", b"nginx", b"v" * 200, b"w" * 5000]), st.binary(max_size=60)
)
LISTS = st.lists(st.tuples(NAMES, VALUES), max_size=12)


def decoded(block: bytes) -> list[tuple[bytes, bytes]] | None:
    """Read one block with a decoder of its own."""
    return HeaderDecoder(max_list_bytes=LARGE).decode(block)


def test_the_static_table_is_that_of_the_standard() -> None:
    """Entry by entry."""
    assert STATIC_TABLE[1:] == HeaderTable.STATIC_TABLE


def test_the_examples_of_the_standard_are_read() -> None:
    """RFC 7541, C.6: three answers on one connection whose table has room for 256 bytes."""
    decoder = HeaderDecoder(max_list_bytes=LARGE)
    first = (
        "3fe101"  # the table shrinks to 256 bytes
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3"
    )
    second = "4883640effc1c0bf"
    third = (
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f36"
        "72c1ab270fb5291f9587316065c003ed4ee5b1063d5007"
    )
    statuses = [decoder.decode(bytes.fromhex(block))[0] for block in (first, second, third)]
    assert statuses == [(b":status", b"302"), (b":status", b"307"), (b":status", b"200")]
    # what the third one put into the table is all that has room there
    assert decoder.decode(bytes.fromhex("be bf c0"))[2] == (b"date", b"Mon, 21 Oct 2013 20:13:22 GMT")
    with pytest.raises(CompressionFault):
        decoder.decode(bytes.fromhex("c1"))


@settings(deadline=None)
@given(st.lists(st.tuples(LISTS, st.booleans()), max_size=8), st.lists(st.sampled_from([0, 40, 300, 4096]), max_size=8))
@pytest.mark.slow
def test_what_another_library_writes_is_read_block_after_block(
    lists: list[tuple[list[tuple[bytes, bytes]], bool]], sizes: list[int]
) -> None:
    """With and without Huffman codes, with tables of any size, also such as are resized in between."""
    encoder, decoder = hpack.Encoder(), HeaderDecoder(max_list_bytes=LARGE)
    for number, (fields, huffman) in enumerate(lists):
        if number < len(sizes):
            encoder.header_table_size = sizes[number]
        assert decoder.decode(encoder.encode(fields, huffman=huffman)) == fields


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_blocks_are_read_or_refused_as_another_library_does(blocks: list[bytes]) -> None:
    """The same fields, or both refuse."""
    theirs, ours = hpack.Decoder(max_header_list_size=LARGE), HeaderDecoder(max_list_bytes=LARGE)
    for block in blocks:
        try:
            expected = [tuple(field) for field in theirs.decode(block, raw=True)]
        except hpack.HPACKError:
            with pytest.raises(CompressionFault):
                ours.decode(block)
            return
        assert ours.decode(block) == expected


@settings(deadline=None)
@given(LISTS, st.integers(0, 100))
@pytest.mark.slow
def test_a_block_that_is_cut_off_is_refused_or_ends_between_two_fields(
    fields: list[tuple[bytes, bytes]], cut: int
) -> None:
    """It never gives a field that was not there."""
    block = hpack.Encoder().encode(fields)[:cut]
    try:
        found = decoded(block)
    except CompressionFault:
        return
    assert found == fields[: len(found)]


@pytest.mark.parametrize(
    ("block", "said"),
    [
        pytest.param("80", "entry 0", id="entry 0"),
        pytest.param("be", "not there", id="an entry of an empty table"),
        pytest.param("ff80808080", "cut off", id="a number without an end"),
        pytest.param("ffffffffffffff01", "six bytes", id="a number that is too long"),
        pytest.param("40", "cut off", id="a literal without a name"),
        pytest.param("400161", "cut off", id="a literal without a value"),
        pytest.param("4001610462", "cut off", id="a value that is too short"),
        pytest.param("4003", "cut off", id="a name that is not there"),
        pytest.param("4001618100", "Huffman", id="a value that is no Huffman code"),
        pytest.param("4081008161", "Huffman", id="a name that is no Huffman code"),
        pytest.param("3fe21f", "4096 are allowed", id="a table that is too large"),
        pytest.param("8820", "behind its first field", id="a size update behind a field"),
        pytest.param("7f", "cut off", id="a name's index without an end"),
    ],
)
def test_what_is_no_header_block_is_refused(block: str, said: str) -> None:
    """And the message says why."""
    with pytest.raises(CompressionFault, match=said):
        decoded(bytes.fromhex(block))


def test_an_empty_block_has_no_fields_also_behind_a_size_update() -> None:
    """And a table may be resized twice."""
    assert decoded(b"") == []
    assert decoded(bytes.fromhex("203fe11f")) == []


@pytest.mark.parametrize(("size", "is_read"), [(99, True), (100, True), (101, False)])
def test_a_list_has_a_bound_that_counts_32_bytes_for_each_field(size: int, is_read: bool) -> None:
    """One below, at, and one above it."""
    fields = [(b"a", b"b" * 30), (b"c", b"d" * (size - 96))]
    block = hpack.Encoder().encode(fields)
    assert HeaderDecoder(max_list_bytes=100).decode(block) == (fields if is_read else None)


def test_a_list_that_is_too_large_leaves_the_decoder_in_step() -> None:
    """The table is filled all the same, and the next block is read with it."""
    encoder, decoder = hpack.Encoder(), HeaderDecoder(max_list_bytes=200)
    assert decoder.decode(encoder.encode([(b"a", b"b" * 300), (b"c", b"d")])) is None
    fields = [(b"c", b"d"), (b"a", b"e")]
    assert decoder.decode(encoder.encode(fields)) == fields


def test_a_bomb_of_indexes_takes_no_more_memory_than_the_bound() -> None:
    """A block of 16 KiB that means 64 MiB is read without keeping them."""
    decoder = HeaderDecoder(max_list_bytes=64 * 1024)
    assert decoder.decode(b"\x40\x01a\x7f\xa1\x1e" + b"b" * 4000) == [(b"a", b"b" * 4000)]
    assert decoder.decode(b"\xbe" * 16_000) is None
    assert decoder.decode(b"\xbe") == [(b"a", b"b" * 4000)]


def test_the_table_never_holds_more_than_it_may() -> None:
    """An entry that is too large leaves it empty; small ones push old ones out."""
    encoder, decoder = hpack.Encoder(), HeaderDecoder(max_list_bytes=LARGE)
    for number in range(300):
        decoder.decode(encoder.encode([(b"x-%d" % number, b"v" * (number % 90))]))
        assert decoder._table_bytes == sum(32 + len(n) + len(v) for n, v in decoder._entries) <= 4096
    decoder.decode(encoder.encode([(b"a", b"b" * 4096)]))
    assert not decoder._entries


def test_a_table_that_is_resized_drops_at_once_what_has_no_room() -> None:
    """An entry that was there in the block before is not there any more."""
    decoder = HeaderDecoder(max_list_bytes=LARGE)
    decoder.decode(bytes.fromhex("40016101624001630164"))
    assert decoder.decode(bytes.fromhex("3f03be")) == [(b"c", b"d")]
    with pytest.raises(CompressionFault, match="not there"):
        decoder.decode(bytes.fromhex("bf"))


# writing


@settings(deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from([b"a", b"accept", b"x-id", b"cookie"]), st.sampled_from([b"", b"b", b"c" * 400]))
        ),
        max_size=4,
    )
)
@pytest.mark.slow
def test_what_we_write_is_read_by_another_library(lists: list[list[tuple[bytes, bytes]]]) -> None:
    """Block after block, with a table that the peer has made as small as it likes."""
    encoder, decoder = HeaderEncoder(), hpack.Decoder()
    decoder.max_allowed_table_size = 0
    for fields in lists:
        assert [tuple(field) for field in decoder.decode(encoder.encode([*POST, *fields]), raw=True)] == POST + fields


def test_a_request_is_written_the_same_way_each_time_but_for_the_first_byte() -> None:
    """The first block says that we keep no table; after that nothing depends on what came before."""
    encoder = HeaderEncoder()
    first, second = encoder.encode(POST), encoder.encode(POST)
    assert first == b"\x20" + second
    assert encoder.encode([(b"a", b"b")]) + encoder.encode(POST) == HeaderEncoder().encode([(b"a", b"b"), *POST])[1:]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_marked_as_never_to_be_indexed(name: bytes) -> None:
    """And arrives with the mark; other fields have none."""
    block = HeaderEncoder().encode([(name, b"hunter2"), (b"accept", b"text/plain")])
    secret, other = hpack.Decoder().decode(block, raw=True)
    assert isinstance(secret, hpack.NeverIndexedHeaderTuple)
    assert tuple(secret) == (name.lower(), b"hunter2")
    assert not isinstance(other, hpack.NeverIndexedHeaderTuple)


def test_names_are_sent_in_lower_case_and_connection_specific_fields_are_left_out() -> None:
    """As RFC 9113 asks of whoever comes from HTTP/1.1 (8.2)."""
    fields = [(name.title(), b"x") for name in sorted(CONNECTION_SPECIFIC)]
    assert decoded(HeaderEncoder().encode([*fields, (b"Accept", b"*/*")])) == [(b"accept", b"*/*")]


@pytest.mark.parametrize("name", [b"", b"a b", b"a\n", b"a:", b":status", b":path:", b"\xfc", b"a\0"])
def test_a_name_that_is_no_token_is_not_sent(name: bytes) -> None:
    """The error shows it, and the connection can be used all the same."""
    encoder = HeaderEncoder()
    with pytest.raises(ValueError, match="must be a token"):
        encoder.encode([(name, b"x")])
    assert encoder.encode([(b":method", b"GET")]) == b"\x20\x82"


@pytest.mark.parametrize("value", [b"a\nb", b"a\r", b"\0", b" a", b"a ", b"\ta", b"a\t", b" "])
def test_a_value_that_could_be_read_as_more_than_one_is_not_sent_and_not_shown(value: bytes) -> None:
    """Its name is."""
    with pytest.raises(ValueError, match="authorization") as caught:
        HeaderEncoder().encode(
            [(b"authorization", b"hunter2" + value if value[:1] not in b" \t" else value + b"hunter2")]
        )
    assert "hunter2" not in str(caught.value)
    assert is_bad_value(value)


def test_fields_that_change_with_each_request_do_not_gather() -> None:
    """The memory of written fields has a bound."""
    encoder = HeaderEncoder()
    for number in range(2000):
        encoder.encode([*POST, (b"x-request-id", b"%d" % number)])
        assert len(encoder._written) <= 256
