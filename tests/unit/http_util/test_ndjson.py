"""Newline-delimited JSON: lines in any cut, bounded."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from http_util.errors import ProtocolFailure
from http_util.ndjson import NdjsonDecoder

TEXT = '{"a":1}\r\n\n{"b":"\u2028\x85"}\n  \n{"c":\r2}\n[]'.encode()
LINES = [b'{"a":1}', '{"b":"\u2028\x85"}'.encode(), b'{"c":\r2}']


def outcome(pieces: list[bytes], bound: int) -> tuple[list[bytes], object]:
    """Return the lines, and the tail or the reason of the failure."""
    decoder, lines = NdjsonDecoder(max_line_bytes=bound), []
    try:
        for piece in pieces:
            lines += decoder.feed(piece)
        return lines, decoder.finish()
    except ProtocolFailure as failure:
        return lines, failure.reason


@pytest.mark.requirement("HTU-09")
def test_lines_end_with_lf_or_crlf_and_nothing_else() -> None:
    """Empty lines are dropped; the last line without an end is reported."""
    assert outcome([TEXT], 1000) == (LINES, b"[]")
    assert outcome([TEXT[i : i + 1] for i in range(len(TEXT))], 1000) == (LINES, b"[]")


@pytest.mark.requirement("HTU-09", "HTU-10")
@given(
    data=st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"{}", b"x" * 9, b" "]), max_size=30).map(b"".join),
    cuts=st.lists(st.integers(0, 100), max_size=8),
    bound=st.sampled_from([8, 9, 100]),
)
@example(data=b"\r\r\r\r\r\r{}\r\r\n", cuts=[], bound=8)
def test_no_way_of_cutting_changes_lines_failure_or_tail(data: bytes, cuts: list[int], bound: int) -> None:
    """Any bytes, any cuts, any bound."""
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in pairwise(places)]
    assert (
        outcome(pieces, bound) == outcome([data], bound) == outcome([data[i : i + 1] for i in range(len(data))], bound)
    )


@pytest.mark.requirement("HTU-10")
def test_a_line_of_exactly_the_bound_passes_and_one_byte_more_does_not() -> None:
    """Its end does not count; lines in front of it are handed out first."""
    assert outcome([b"12345678\r\n"], 8) == ([b"12345678"], b"")
    assert outcome([b"{}\n123456789\n{}\n"], 8) == ([b"{}"], "protocol")
    with pytest.raises(ProtocolFailure, match=r"max_line_bytes \(8\)"):
        NdjsonDecoder(max_line_bytes=8).feed(b"123456789")


def test_a_broken_decoder_stays_broken() -> None:
    """Every later call raises."""
    decoder = NdjsonDecoder(max_line_bytes=2)
    assert decoder.feed(b"{}\n123\n") == [b"{}"]
    for ask in (lambda: decoder.feed(b"{}\n"), decoder.finish):
        with pytest.raises(ProtocolFailure):
            ask()


def test_a_bound_below_one_is_refused() -> None:
    """The text names the argument."""
    with pytest.raises(ValueError, match="max_line_bytes must be 1 or more"):
        NdjsonDecoder(max_line_bytes=0)
