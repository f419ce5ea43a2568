"""Server-sent events: the WHATWG text, the bounds, and independence from where the bytes were cut."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_api.outcome import Outcome
from http_util.errors import ProtocolFailure
from http_util.sse import ServerSentEvent, SseDecoder, SseTail, as_events


def decoded(data: bytes, **settings: int) -> list[ServerSentEvent]:
    """Decode everything in one piece."""
    return SseDecoder(**settings).feed(data)


TRANSCRIPT = (
    b"\xef\xbb\xbf: hello\r\n"
    b'data: {"text": "\xe2\x80\xa8 line separator stays \xc2\x85"}\n\n'
    b"event: delta\rdata: one\rdata: two\r\r"
    b"id: 7\ndata:no space\n\n"
    b"retry: 1500\n\n"
    b"data\n\n"
    b": ping\n\n\n\n"
    b"id: bad\0id\nunknown: field\ndata: \xf0\x9f\x98\x80\r\n\r\n"
    b"data: [DONE]\n\n"
)

EVENTS = [
    ServerSentEvent("message", '{"text": "\u2028 line separator stays \x85"}'.encode()),
    ServerSentEvent("delta", b"one\ntwo"),
    ServerSentEvent("message", b"no space", "7"),
    ServerSentEvent("message", b"", "7"),
    ServerSentEvent("message", "😀".encode(), "7"),
    ServerSentEvent("message", b"[DONE]", "7"),
]


@pytest.mark.requirement("HTU-08", "HTU-1003")
def test_a_transcript_with_every_field_and_line_end_gives_the_events_of_the_standard() -> None:
    """
    BOM, comments, CR, LF, CRLF, several data lines, ids, retry, unknown fields and empty data are read as specified.
    """
    decoder = SseDecoder()
    assert decoder.feed(TRANSCRIPT) == EVENTS
    assert decoder.retry_ms == 1500
    assert decoder.comment_count == 2
    assert decoder.byte_count == len(TRANSCRIPT)
    assert not decoder.finish()


@pytest.mark.requirement("HTU-08")
def test_the_events_are_the_same_wherever_the_bytes_are_cut_in_two() -> None:
    """A cut at every position of the transcript changes nothing."""
    for cut in range(len(TRANSCRIPT) + 1):
        decoder = SseDecoder()
        assert decoder.feed(TRANSCRIPT[:cut]) + decoder.feed(TRANSCRIPT[cut:]) == EVENTS


@pytest.mark.requirement("HTU-08")
def test_the_events_are_the_same_byte_by_byte() -> None:
    """One byte at a time gives the same events."""
    decoder = SseDecoder()
    assert [e for i in range(len(TRANSCRIPT)) for e in decoder.feed(TRANSCRIPT[i : i + 1])] == EVENTS


WORDS = b"data: |data|data:|:|x| |id: 1|event: e|retry: 9".split(b"|")
ENDS = [b"\n", b"\r", b"\r\n", b"\n\n"]
ODD_BYTES = [b"\xef\xbb\xbf", b"\xf0\x9f", b"\x98\x80", b"\xff", b"\0", b"y" * 40]
FRAMES = [
    b"data: x\n\n",
    b"data: \xff\n\n",
    b"data: y\r\n\n",
    b"data: y\rx\n\n",
    b"data: " + b"z" * 10 + b"\n\n",
    b"data: 1\ndata: 2\n\n",
    b"event: e\ndata: 3\n\n",
    b"event: \ndata: 4\n\n",
    b"data: \xc3\xa9\n\n",
    # the two halves of one character
    b"data: \xc3\n\n",
    b"data: \xa9\n\n",
]
PIECES = st.lists(st.sampled_from([*WORDS, *ENDS, *ODD_BYTES, *FRAMES, *FRAMES]), max_size=40).map(b"".join)


def outcome(chunks: list[bytes], max_event_bytes: int) -> tuple[list[ServerSentEvent], str | None, SseTail | None]:
    """Return the events, the reason of the failure if there was one, and the tail if there was none."""
    decoder = SseDecoder(max_event_bytes=max_event_bytes)
    events: list[ServerSentEvent] = []
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
        return events, None, decoder.finish()
    except ProtocolFailure as failure:
        return events, failure.reason, None


@pytest.mark.slow
@pytest.mark.requirement("HTU-08", "HTU-10")
@settings(max_examples=300, deadline=None)
@given(data=PIECES, cuts=st.lists(st.integers(0, 400), max_size=12), bound=st.sampled_from([16, 64, 4096]))
def test_no_way_of_cutting_changes_events_failure_or_tail(data: bytes, cuts: list[int], bound: int) -> None:
    """
    For any bytes and any cuts: the same events, the same failure, the same tail, as in one piece and as byte by byte.
    """
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    chunks = [data[a:b] for a, b in pairwise(places)]
    whole = outcome([data], bound)
    assert outcome(chunks, bound) == whole
    # one read for each event is what a busy adapter sees
    assert outcome([piece for piece in re.split(rb"(?<=\n\n)", data) if piece], bound) == whole
    assert outcome([data[i : i + 1] for i in range(len(data))], bound) == whole


@pytest.mark.slow
@pytest.mark.requirement("HTU-08", "HTU-10")
@settings(max_examples=300, deadline=None)
@given(frames=st.lists(st.sampled_from(FRAMES), max_size=12), bound=st.sampled_from([16, 64, 4096]))
def test_frames_that_come_together_read_as_each_of_them_alone(frames: list[bytes], bound: int) -> None:
    """The short way through a piece of plain frames tells nothing else than the long one does of each frame."""
    decoder = SseDecoder(max_event_bytes=bound)
    # the first piece settles the byte-order mark: from then on the short way is open
    seen = decoder.feed(b"data: first\n\n")
    expected: list[ServerSentEvent] = list(seen)
    reasons: list[str] = []
    try:
        seen += decoder.feed(b"".join(frames))
        decoder.feed(b"")
    except ProtocolFailure as failure:
        reasons.append(failure.reason)
    for frame in frames:
        events, reason, _ = outcome([frame], bound)
        expected += events
        if reason is not None:
            assert reasons == [reason]
            break
    else:
        assert reasons == []
    assert seen == expected


def test_the_cheapest_form_of_an_event_is_its_data() -> None:
    """A message without an id is bytes; a name or an id makes an event of it, and of those that follow the id."""
    decoder = SseDecoder()
    assert decoder.feed_frames(b"data: a\n\ndata: b\n\n") == [b"a", b"b"]
    assert decoder.feed_frames(b"data: c\n\n") == [b"c"]
    assert decoder.feed_frames(b"event: e\ndata: d\n\ndata: f\n\n") == [ServerSentEvent("e", b"d"), b"f"]
    assert decoder.feed_frames(b"data: g\n\nda") == [b"g"]
    assert decoder.feed_frames(b"ta: h\n\ndata: i\n\n") == [b"h", b"i"]
    assert decoder.feed_frames(b"id: 7\ndata: j\n\ndata: k\n\n") == [
        ServerSentEvent("message", b"j", "7"),
        ServerSentEvent("message", b"k", "7"),
    ]
    assert decoder.feed_frames(b"data: l\n\n") == [ServerSentEvent("message", b"l", "7")]
    assert as_events([b"a", ServerSentEvent("e", b"d")]) == [
        ServerSentEvent("message", b"a"),
        ServerSentEvent("e", b"d"),
    ]


@pytest.mark.requirement("HTU-08")
def test_data_lines_are_joined_whatever_stands_first_in_a_frame() -> None:
    """Also when the frame begins like one that has a single line."""
    frames = b"data: one\ndata: two\n\ndata: a\nevent: e\n\ndata: alone\n\n"
    assert [(event.event, event.data) for event in decoded(frames)] == [
        ("message", b"one\ntwo"),
        ("e", b"a"),
        ("message", b"alone"),
    ]


def test_data_is_handed_out_without_its_frame_and_otherwise_untouched() -> None:
    """Only one leading space belongs to the frame."""
    assert [event.data for event in decoded(b"data:  two spaces \n\n")] == [b" two spaces "]


@pytest.mark.requirement("HTU-08")
def test_an_event_without_a_blank_line_is_not_an_event() -> None:
    """What was left at the end is reported as a tail, with the event it would have been when its line was complete."""
    decoder = SseDecoder()
    assert decoder.feed(b"data: a\n\ndata: [DONE]\n") == [ServerSentEvent(data=b"a")]
    assert decoder.finish() == SseTail(b"data: [DONE]\n", ServerSentEvent(data=b"[DONE]"))


def test_a_tail_cut_inside_a_line_has_no_event() -> None:
    """A line without an end may be any part of a line."""
    decoder = SseDecoder()
    decoder.feed(b"data: [DONE]")
    tail = decoder.finish()
    assert tail
    assert tail == SseTail(b"data: [DONE]", None)


def test_a_tail_that_is_cut_inside_a_character_has_no_event() -> None:
    """Bytes that are not UTF-8 are shown, not interpreted."""
    decoder = SseDecoder()
    decoder.feed(b"data: \xf0\x9f\n")
    assert decoder.finish().event is None


def test_a_stream_that_ends_in_half_a_byte_order_mark_has_a_tail() -> None:
    """Bytes held back to look for a byte-order mark are not lost."""
    decoder = SseDecoder()
    assert decoder.feed(b"\xef\xbb") == []
    assert decoder.finish().unread == b"\xef\xbb"


@pytest.mark.requirement("HTU-08")
@pytest.mark.parametrize(
    "frame", [b"data: \xff", b"event: \xff\ndata: x", b"id: \xc3\x28\ndata: x", b"data: \xed\xa0\x80"]
)
def test_bytes_that_are_not_utf8_are_a_decode_failure(frame: bytes) -> None:
    """Data, event and id must be UTF-8; encoded surrogates are not."""
    with pytest.raises(ProtocolFailure) as caught:
        decoded(frame + b"\n\n")
    assert (caught.value.reason, caught.value.outcome) == ("decode", Outcome.UNKNOWN)


def test_events_in_front_of_a_broken_one_are_handed_out_first() -> None:
    """The failure comes with the next call, whichever it is."""
    decoder = SseDecoder()
    assert decoder.feed(b"data: good\n\ndata: \xff\n\ndata: never\n\n") == [ServerSentEvent(data=b"good")]
    for ask in (lambda: decoder.feed(b"data: more\n\n"), decoder.finish):
        with pytest.raises(ProtocolFailure, match="not UTF-8"):
            ask()


@pytest.mark.requirement("HTU-10")
@pytest.mark.parametrize("pieces", [1, 3, 99])
def test_an_event_of_exactly_the_bound_passes_and_one_byte_more_does_not(pieces: int) -> None:
    """The bound counts the bytes of the frame, whether it comes at once or in parts."""
    for size, fits in ((63, True), (64, True), (65, False)):
        frame = b"data: " + b"x" * (size - 6) + b"\n\n"
        step = len(frame) // pieces + 1
        decoder = SseDecoder(max_event_bytes=64)
        feed = [frame[i : i + step] for i in range(0, len(frame), step)]
        if fits:
            assert sum(len(decoder.feed(piece)) for piece in feed) == 1
        else:
            with pytest.raises(ProtocolFailure, match=r"max_event_bytes \(64\)") as caught:
                [decoder.feed(piece) for piece in feed]
            assert caught.value.reason == "protocol"


@pytest.mark.requirement("HTU-10")
def test_an_event_that_never_ends_is_refused_at_the_bound() -> None:
    """A line without an end does not grow in memory beyond the bound and one piece."""
    decoder = SseDecoder(max_event_bytes=1000)
    for _ in range(10):
        assert decoder.feed(b"x" * 100) == []
    with pytest.raises(ProtocolFailure):
        decoder.feed(b"x" * 100)


def test_a_byte_order_mark_counts_at_the_beginning_only() -> None:
    """Later it belongs to a field's name, which is then unknown."""
    decoder = SseDecoder()
    assert len(decoder.feed(b"data: a\n\n")) == 1
    assert decoder.feed(b"\xef\xbb\xbfdata: b\n\n") == []


@pytest.mark.requirement("HTU-08", "HTU-10")
def test_single_events_are_checked_like_all_others() -> None:
    """An event that is a read of its own must be UTF-8 and within the bound too."""
    for frame, reason in ((b"data: \xff\n\n", "decode"), (b"data: " + b"x" * 60 + b"\n\n", "protocol")):
        decoder = SseDecoder(max_event_bytes=64)
        assert len(decoder.feed(b"data: a\n\n") + decoder.feed(b"data: b\n\n")) == 2
        with pytest.raises(ProtocolFailure) as caught:
            decoder.feed(frame)
        assert caught.value.reason == reason


def test_many_small_events_larger_than_the_bound_together_pass() -> None:
    """The bound is for one event, not for one piece."""
    assert len(decoded(b"data: 12345\n\n" * 100, max_event_bytes=16)) == 100


def test_a_bound_below_one_is_refused() -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match="max_event_bytes must be 1 or more"):
        SseDecoder(max_event_bytes=0)


@pytest.mark.parametrize("value", [b"12x", b"", b"-1", b"1" * 5000])
def test_a_retry_that_is_not_a_short_number_is_ignored(value: bytes) -> None:
    """A number of any length must not cost anything."""
    decoder = SseDecoder()
    decoder.feed(b"retry: " + value + b"\n\n")
    assert decoder.retry_ms is None


def test_comments_alone_move_the_byte_count() -> None:
    """Whoever watches for a sign of life sees comments and half lines."""
    decoder = SseDecoder()
    decoder.feed(b": ping")
    assert (decoder.byte_count, decoder.comment_count) == (6, 0)
    decoder.feed(b"\n\n")
    assert (decoder.byte_count, decoder.comment_count) == (8, 1)
