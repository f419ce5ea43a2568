"""HTTP/2 frames: written as hyperframe reads them, and put together again wherever they were cut."""

from __future__ import annotations

import time

import pytest
from hyperframe.frame import ContinuationFrame, GoAwayFrame, HeadersFrame, RstStreamFrame, WindowUpdateFrame

from http_util.engine.http2_frames import (
    ACK,
    PADDED,
    ConnectionFault,
    ErrorCode,
    FrameBuffer,
    FrameType,
    check_size,
    code_name,
    frame,
    goaway,
    header_frames,
    rst_stream,
    unpadded,
    window_update,
)
from tests.unit.http_util.engine.http2_doubles import frames


def test_frames_are_written_as_another_library_reads_them() -> None:
    """Type, stream and payload arrive."""
    update, reset, end = frames(window_update(7, 2**31 - 1) + rst_stream(5, ErrorCode.CANCEL) + goaway(11))
    assert isinstance(update, WindowUpdateFrame)
    assert (update.stream_id, update.window_increment) == (7, 2**31 - 1)
    assert isinstance(reset, RstStreamFrame)
    assert (reset.stream_id, reset.error_code) == (5, 8)
    assert isinstance(end, GoAwayFrame)
    assert (end.last_stream_id, end.error_code) == (0, 11)


@pytest.mark.parametrize(("size", "count"), [(0, 1), (10, 1), (11, 2), (20, 2), (21, 3), (95, 10)])
def test_a_header_block_is_split_by_what_the_peer_takes(size: int, count: int) -> None:
    """Only the last frame says that the block is complete, only the first that the request is."""
    block = bytes(range(size))
    first, *others = frames(header_frames(3, block, 10, end_stream=True))
    assert isinstance(first, HeadersFrame)
    assert all(isinstance(other, ContinuationFrame) for other in others)
    assert len(others) == count - 1
    assert b"".join(found.data for found in (first, *others)) == block
    assert "END_STREAM" in first.flags
    assert ["END_HEADERS" in found.flags for found in (first, *others)] == [False] * (count - 1) + [True]


@pytest.mark.parametrize(
    ("payload", "content"),
    [(b"\0abc", b"abc"), (b"\2abc\0\0", b"abc"), (b"\0", b""), (b"\3\0\0\0", b""), (b"\1\xff", b"")],
)
def test_padding_is_taken_off(payload: bytes, content: bytes) -> None:
    """Also when nothing else is there."""
    assert unpadded(PADDED, payload) == content


@pytest.mark.parametrize("payload", [b"", b"\1", b"\4\0\0\0", b"\xff" + bytes(254)])
def test_more_padding_than_payload_is_an_error(payload: bytes) -> None:
    """Of the connection, as 6.1 asks."""
    with pytest.raises(ConnectionFault, match="padding") as caught:
        unpadded(PADDED, payload)
    assert caught.value.error_code == ErrorCode.PROTOCOL_ERROR


def test_without_the_flag_nothing_is_padding() -> None:
    """The first byte is content."""
    assert unpadded(0, b"\4abc") == b"\4abc"


def test_a_frame_of_one_size_has_that_size() -> None:
    """Another one is an error that names both."""
    check_size(FrameType.PING, bytes(8), 8)
    with pytest.raises(ConnectionFault, match="PING frame of 7 bytes instead of 8") as caught:
        check_size(FrameType.PING, bytes(7), 8)
    assert caught.value.error_code == ErrorCode.FRAME_SIZE_ERROR
    assert caught.value.message == str(caught.value)


def test_error_codes_have_names_also_unknown_ones() -> None:
    """For messages."""
    assert [code_name(code) for code in (0, 11, 14)] == ["NO_ERROR", "ENHANCE_YOUR_CALM", "error code 14"]


WHOLE = frame(FrameType.PING, ACK, 0, b"12345678") + frame(FrameType.DATA, 0, 1, b"x" * 300)


@pytest.mark.parametrize("cut", range(1, len(WHOLE)))
def test_a_frame_that_came_in_two_parts_is_whole_again(cut: int) -> None:
    """Whatever was kept stands in front of what comes."""
    buffer = FrameBuffer()
    buffer.keep(WHOLE[:cut])
    assert buffer.joined(WHOLE[cut:]) == WHOLE
    assert buffer.joined(b"next") == b"next"


def test_nothing_is_handed_out_before_a_head_is_there_and_then_before_the_frame_is() -> None:
    """So nobody looks twice at what is incomplete."""
    buffer = FrameBuffer()
    buffer.keep(WHOLE[:3])
    assert buffer.joined(WHOLE[3:8]) == b""
    head = buffer.joined(WHOLE[8:9])
    assert head == WHOLE[:9]
    buffer.keep(head)
    assert [buffer.joined(WHOLE[i : i + 1]) for i in range(9, 17)] == [b""] * 7 + [WHOLE[:17]]


@pytest.mark.slow
def test_single_bytes_cost_no_more_than_their_number() -> None:
    """Four times the bytes take four times the work, with room for noise, and not sixteen times."""

    def dripped(size: int) -> float:
        whole = frame(FrameType.DATA, 0, 1, bytes(size))
        began = time.process_time()
        buffer = FrameBuffer()
        buffer.keep(whole[:9])
        for i in range(9, len(whole)):
            buffer.joined(whole[i : i + 1])
        return time.process_time() - began

    assert min(dripped(160_000) for _ in range(3)) < 10 * min(dripped(40_000) for _ in range(3))
