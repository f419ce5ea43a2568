"""The Huffman code of header strings: the code of RFC 7541, read as another library reads it."""

from __future__ import annotations

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import given, settings
from hypothesis import strategies as st

from http_util.engine.http2_huffman import CODE_LENGTHS, END, codes, huffman_decoded

ENCODER = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


def test_the_code_is_that_of_the_standard() -> None:
    """Its lengths, and the codes that follow from them."""
    assert list(CODE_LENGTHS) == REQUEST_CODES_LENGTH
    assert {symbol: bits for symbol, bits, _ in codes()} == dict(enumerate(REQUEST_CODES))
    assert {symbol: length for symbol, _, length in codes()} == dict(enumerate(REQUEST_CODES_LENGTH))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("f1e3c2e5f23a6ba0ab90f4ff", b"www.example.com"),
        ("a8eb10649cbf", b"no-cache"),
        ("25a849e95ba97d7f", b"custom-key"),
        ("d07abe941054d444a8200595040b8166e082a62d1bff", b"Mon, 21 Oct 2013 20:13:21 GMT"),
        ("", b""),
    ],
)
def test_the_examples_of_the_standard_are_read(code: str, text: bytes) -> None:
    """RFC 7541, appendix C."""
    assert huffman_decoded(bytes.fromhex(code)) == text


def test_every_byte_value_is_read() -> None:
    """Alone and in a row."""
    everything = bytes(range(END))
    assert huffman_decoded(ENCODER.encode(everything)) == everything
    for value in range(END):
        assert huffman_decoded(ENCODER.encode(bytes([value]))) == bytes([value])


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_what_was_written_is_read(text: bytes) -> None:
    """Any bytes."""
    assert huffman_decoded(ENCODER.encode(text)) == text


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused_as_another_library_does(code: bytes) -> None:
    """The same text, or both refuse."""
    try:
        expected = decode_huffman(code)
    except HPACKDecodingError:
        with pytest.raises(ValueError, match=r"Huffman|byte"):
            huffman_decoded(code)
    else:
        assert huffman_decoded(code) == expected


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("ffffffff", id="the symbol behind the last one"),
        pytest.param("fffffffc", id="the same, and filled up"),
        pytest.param("00", id="filled up with zeros"),
        pytest.param("1fff", id="filled up with more than seven bits"),
        pytest.param("ff", id="nothing but eight bits to fill up"),
    ],
)
def test_what_is_no_code_is_refused(code: str) -> None:
    """RFC 7541, 5.2."""
    with pytest.raises(ValueError, match=r"Huffman|byte"):
        huffman_decoded(bytes.fromhex(code))
