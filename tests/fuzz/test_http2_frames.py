"""The corpus of the HTTP/2 fuzzer, replayed; and as many other conversations as there is time for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from http_util.engine.http2_frames import FrameType
from tests.fuzz.http2_frames import ANSWERS_BACK, BEGINS_WELL, IS_RAW, PINGS, READS, RESETS, check, from_server
from tests.unit.http_util.engine.http2_doubles import OK, Peer, raw

CORPUS = sorted((Path(__file__).parent / "corpus" / "http2_frames").iterdir())


@pytest.mark.parametrize("path", [path for path in CORPUS if not path.name.startswith(".")], ids=lambda path: path.name)
def test_a_conversation_of_the_corpus_breaks_nothing(path: Path) -> None:
    """Whatever is checked while fuzzing holds."""
    check(path.read_bytes())


def test_the_corpus_is_there_and_small() -> None:
    """Else the test above would say nothing."""
    assert len(CORPUS) > 50
    assert all(path.stat().st_size <= 4096 for path in CORPUS)


def test_a_program_is_a_row_of_frames() -> None:
    """One that is cut off has a shorter payload."""
    program = b"\x06\x01\x00\x00\x08" + bytes(8) + b"\x00\x01\x03\x00\x09abc"
    assert from_server(0, program) == raw(6, 1, 0, bytes(8)) + raw(0, 1, 3, b"abc")
    assert from_server(IS_RAW, program) == program


FRAMES = st.one_of(
    st.builds(
        raw,
        st.sampled_from([*FrameType, 0x42]),
        st.sampled_from([0, 1, 4, 5, 8, 0x0D, 0x20, 0x25, 0xFF]),
        st.sampled_from([0, 1, 2, 3, 5, 7, 9, 1 << 31 | 1]),
        st.one_of(
            st.binary(max_size=30),
            st.sampled_from([b"\x88", b"\x88\x40\x01a\x01b", b"\xbe", bytes(4), b"\0\0\1\0", bytes(8), bytes(16_384)]),
        ),
    ),
    st.builds(
        lambda stream_id, size, end: raw(0, end, stream_id, bytes(size)),
        st.sampled_from([1, 3, 5, 7]),
        st.integers(0, 12_000),
        st.integers(0, 1),
    ),
    st.builds(
        lambda stream_id, status, end: raw(1, 4 | end, stream_id, Peer().block([(b":status", status)])),
        st.sampled_from([1, 3, 5, 7]),
        st.sampled_from([b"200", b"204", b"103", b"500"]),
        st.integers(0, 1),
    ),
)
CHOICES = st.builds(
    lambda bits: IS_RAW | sum(bits), st.sets(st.sampled_from([BEGINS_WELL, READS, RESETS, ANSWERS_BACK, PINGS]))
)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 255), CHOICES, st.lists(FRAMES, max_size=12))
@pytest.mark.slow
def test_any_frames_in_any_order_break_nothing_and_cuts_do_not_matter(
    cut: int, choices: int, frames: list[bytes]
) -> None:
    """The checks of the fuzzer, on frames that are often almost right."""
    check(bytes([cut, choices | BEGINS_WELL]) + b"".join(frames))


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 255), CHOICES, st.binary(max_size=300))
@pytest.mark.slow
def test_any_bytes_break_nothing(cut: int, choices: int, program: bytes) -> None:
    """As a program of frames, and as bytes."""
    check(bytes([cut, choices]) + program)
    check(bytes([cut, choices & ~IS_RAW]) + program)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=40))
@pytest.mark.slow
def test_a_whole_conversation_means_the_same_wherever_it_is_cut(sizes: list[int]) -> None:
    """Four answers, interleaved, with trailers, padding, continuations and pings."""
    peer = Peer()
    conversation = b"".join(
        [
            peer.headers(1),
            peer.split_headers(7, [OK, (b"x-long", b"y" * 200)], 11),
            raw(0, 8, 1, b"\x05abc" + bytes(5)),
            raw(6, 0, 0, b"12345678"),
            raw(0, 0, 7, b"z" * 700),
            peer.headers(3, [OK, (b"content-length", b"700")], end=True),
            peer.headers(1, [(b"x-checksum", b"1")], end=True),
            raw(0, 1, 7, b"end"),
            peer.headers(5, [(b":status", b"413")], end=True),
        ]
    )
    for size in {*sizes, 1}:
        check(bytes([size % 256, IS_RAW | BEGINS_WELL | READS]) + conversation)
