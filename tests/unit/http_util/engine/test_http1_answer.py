"""HTTP/1.1 answers: what their bytes mean, wherever they are cut, and which are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_util.engine.faults import FaultKind, StreamFault
from http_util.engine.http1_answer import AnswerReader

LIMIT = 1024
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Notes:
    """A receiver that writes down what it is told; neighbouring pieces are joined."""

    def __init__(self) -> None:
        self.head: tuple[int, list[tuple[bytes, bytes]]] | None = None
        self.body = b""
        self.endings: list[object] = []

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        assert self.head is None
        self.head = status, headers

    def on_data(self, piece: bytes) -> None:
        assert piece
        assert not self.endings
        self.body += piece

    def on_end(self) -> None:
        self.endings.append("end")

    def on_fault(self, fault: StreamFault) -> None:
        self.endings.append(fault.kind)


def read(*reads: bytes, method: str = "POST", eof: bool = False, limit: int = LIMIT) -> tuple[Notes, AnswerReader]:
    """Feed *reads* to a reader, as long as it is not over."""
    notes = Notes()
    reader = AnswerReader(notes, is_head_request=method == "HEAD", max_header_bytes=limit)
    for data in reads:
        if not reader.is_over:
            reader.feed(data)
    if eof:
        reader.eof()
    return notes, reader


GOOD: dict[str, tuple[bytes, int, bytes, bool]] = {
    "a length": (OK + b"Content-Length: 2\r\n\r\nok", 200, b"ok", True),
    "no body": (OK + b"Content-Length: 0\r\n\r\n", 200, b"", True),
    "chunks": (CHUNKED + b"2\r\nok\r\n3;x=y\r\nyes\r\n0\r\n\r\n", 200, b"okyes", True),
    "trailers": (CHUNKED + b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n", 200, b"ok", True),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "not modified, with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b"", True),
    "an interim answer first": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok",
        200,
        b"ok",
        True,
    ),
    "two interim answers": (
        b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" * 2 + OK + b"Content-Length: 0\r\n\r\n",
        200,
        b"",
        True,
    ),
    "connection: close": (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
    "empty lines first": (b"\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok", 200, b"ok", True),
}


@pytest.mark.requirement("HTU-1001")
@pytest.mark.parametrize(("wire", "status", "body", "can_reuse"), GOOD.values(), ids=GOOD)
def test_an_answer_is_read_the_same_wherever_it_is_cut(wire: bytes, status: int, body: bytes, can_reuse: bool) -> None:
    """Whole, in two pieces cut anywhere, and byte by byte."""
    ways = [[wire], [wire[n : n + 1] for n in range(len(wire))]]
    ways += [[wire[:cut], wire[cut:]] for cut in range(1, len(wire))]
    for reads in ways:
        notes, reader = read(*reads)
        assert notes.head is not None
        assert (notes.head[0], notes.body, notes.endings) == (status, body, ["end"])
        assert (reader.is_over, reader.is_complete, reader.can_reuse) == (True, True, can_reuse)


def test_names_of_fields_are_lower_case_and_trailers_are_dropped() -> None:
    """Order and values stay as they came."""
    notes, _ = read(CHUNKED[:-2] + b"X-One: A\r\nx-one: b\r\n\r\n0\r\nX-Late: 1\r\n\r\n")
    assert notes.head == (200, [(b"transfer-encoding", b"chunked"), (b"x-one", b"A"), (b"x-one", b"b")])


BAD: dict[str, bytes] = {
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "a list of lengths": OK + b"Content-Length: 2, 2\r\n\r\nok",
    "a signed length": OK + b"Content-Length: +2\r\n\r\nok",
    "a length and chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunks and a length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another encoding": OK + b"Transfer-Encoding: gzip\r\n\r\nok",
    "another encoding too": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "identity": OK + b"Transfer-Encoding: identity\r\n\r\nok",
    "nearly chunked": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is no number": CHUNKED + b"zz\r\nok\r\n0\r\n\r\n",
    "a negative chunk size": CHUNKED + b"-2\r\nok\r\n0\r\n\r\n",
    "a chunk size in C": CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n",
    "a chunk size without end": CHUNKED + b"f" * 17 + b"\r\nok",
    "chunks with bare LF": CHUNKED + b"2\nok\n0\n\n",
    "a chunk longer than it says": CHUNKED + b"2\r\nokXX0\r\n\r\n",
    "a folded line": OK + b"X-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    "a folded length": OK + b"Content-Length: 2\r\n 3\r\n\r\nok",
    "a space before the colon": OK + b"Content-Length : 2\r\n\r\nok",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "bare CR": OK + b"X: a\rb\r\n\r\n",
    "NUL": OK + b"X: a\0b\r\n\r\n",
    "no name": OK + b": v\r\n\r\n",
    "HTTP/2 in letters": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "an unknown version": b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "a status of two digits": b"HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nok",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    "a switch that nobody asked for": b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\nPRI",
    "a length of more digits than a file can have": OK + b"Content-Length: " + b"0" * 18 + b"2\r\n\r\nok",
    "a length of more digits than Python reads": OK + b"Content-Length: " + b"0" * 5000 + b"2\r\n\r\nok",
    "chunks under HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "RTSP": b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "ICE": b"ICE/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "RTSP behind empty lines": b"\r\n\r\nRTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "RTSP behind an interim answer": b"HTTP/1.1 100 Continue\r\n\r\nRTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
}


@pytest.mark.requirement("HTU-1001")
@pytest.mark.parametrize("wire", BAD.values(), ids=BAD)
def test_an_answer_that_can_be_read_in_two_ways_is_refused(wire: bytes) -> None:
    """It ends in one fault, whole or byte by byte, and the connection is not used again."""
    for reads in ([wire], [wire[n : n + 1] for n in range(len(wire))]):
        notes, reader = read(*reads, limit=10_000)
        assert notes.endings == [FaultKind.PROTOCOL]
        assert reader.is_over
        assert not reader.can_reuse


BOMBS: dict[str, tuple[bytes, bytes]] = {
    "many fields": (OK, b"X-A: b\r\n"),
    "one endless field": (OK + b"X-A: ", b"b"),
    "an endless name": (OK, b"x"),
    "an endless reason": (b"HTTP/1.1 200 ", b"O"),
    "interim answers": (b"", b"HTTP/1.1 103 Early\r\n\r\n"),
    "an endless chunk extension": (CHUNKED + b"2;", b"x"),
    "trailers": (CHUNKED + b"2\r\nok\r\n0\r\n", b"X-A: b\r\n"),
    "one endless trailer": (CHUNKED + b"2\r\nok\r\n0\r\nX-A: ", b"b"),
    "empty lines": (b"", b"\r\n"),
}


@pytest.mark.requirement("HTU-10")
@pytest.mark.parametrize(("begin", "more"), BOMBS.values(), ids=BOMBS)
def test_what_brings_no_body_is_bounded(begin: bytes, more: bytes) -> None:
    """Ever more of it, in reads of any size, ends in a fault soon after the limit."""
    for size in (1, 50, 4000):
        piece = more * (size // len(more) + 1)
        notes, reader = read(begin, *[piece] * (2 * LIMIT // len(piece) + 2))
        assert notes.endings == [FaultKind.TOO_LARGE]
        assert not reader.can_reuse


@pytest.mark.requirement("HTU-10")
def test_a_head_at_the_limit_passes_and_one_above_does_not() -> None:
    """Counted as its fields are written, separators included."""
    fields = b"Content-Length: 0\r\n" + b"X: " + b"a" * (LIMIT - len(b"Content-Length: 0\r\nX: \r\n")) + b"\r\n"
    assert len(fields) == LIMIT
    notes = Notes()
    AnswerReader(notes, is_head_request=False, max_header_bytes=LIMIT + 40).feed(OK + fields + b"\r\n")
    assert notes.endings == ["end"]
    notes, _ = read(OK + fields.replace(b"X: ", b"X: b") + b"\r\n")
    assert notes.endings == [FaultKind.TOO_LARGE]


def test_a_body_is_not_bounded_here() -> None:
    """Pieces of a body may come for ever; whoever collects them bounds them."""
    notes, _ = read(CHUNKED, *[b"64\r\n" + b"x" * 100 + b"\r\n"] * 100)
    assert len(notes.body) == 10_000
    assert not notes.endings


@pytest.mark.parametrize("behind", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"junk", b"\0"])
def test_bytes_behind_an_answer_end_the_use_of_the_connection(behind: bytes) -> None:
    """The answer is complete, and what follows it belongs to nobody."""
    notes, reader = read(OK + b"Content-Length: 2\r\n\r\nok" + behind)
    assert (notes.body, notes.endings) == (b"ok", ["end"])
    assert reader.is_complete
    assert not reader.can_reuse


@pytest.mark.parametrize(
    ("fields", "behind", "can_reuse"),
    [
        (b"Content-Length: 2000\r\n", b"", True),
        (b"Content-Length: 2000\r\n", b"body all the same", False),
        (b"Content-Length: 0\r\n", b"", True),
        (b"Transfer-Encoding: chunked\r\n", b"", True),
        (b"Content-Length: 2\r\nConnection: close\r\n", b"", False),
        (b"", b"", True),
        (b"Connection: Close\r\n", b"", False),
    ],
)
def test_the_answer_to_head_ends_with_its_head(fields: bytes, behind: bytes, can_reuse: bool) -> None:
    """Whatever length the head announces; a body that follows all the same is nobody's."""
    notes, reader = read(OK + fields + b"\r\n" + behind, method="HEAD")
    assert (notes.endings, notes.body) == (["end"], b"")
    assert reader.can_reuse is can_reuse


ENDS: dict[str, tuple[bytes, object]] = {
    "nothing": (b"", FaultKind.RESET),
    "half a head": (OK + b"Content-Le", FaultKind.RESET),
    "only an interim answer": (b"HTTP/1.1 100 Continue\r\n\r\n", FaultKind.RESET),
    "half a body": (OK + b"Content-Length: 3\r\n\r\nok", FaultKind.RESET),
    "between two chunks": (CHUNKED + b"2\r\nok\r\n", FaultKind.RESET),
    "before the last empty line": (CHUNKED + b"2\r\nok\r\n0\r\n", FaultKind.RESET),
    "a body without a length": (OK + b"\r\nok", "end"),
}


@pytest.mark.requirement("HTU-1001")
@pytest.mark.parametrize(("wire", "ending"), ENDS.values(), ids=ENDS)
def test_the_end_of_the_bytes_is_an_end_only_where_nothing_else_tells_it(wire: bytes, ending: object) -> None:
    """A length that was not reached is a cut."""
    notes, reader = read(*([wire] if wire else []), eof=True)
    assert notes.endings == [ending]
    assert not reader.can_reuse
    reader.eof()
    assert len(notes.endings) == 1


@given(st.lists(st.binary(max_size=40), max_size=6), st.booleans())
def test_no_bytes_at_all_make_the_reader_fail_in_another_way(reads: list[bytes], begun: bool) -> None:
    """Whatever comes, there is at most one ending, and no exception."""
    notes, reader = read(*([CHUNKED] if begun else []), *reads, eof=True)
    assert len(notes.endings) == 1
    assert reader.is_over


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.data())
def test_chunks_of_any_content_cut_anywhere_are_joined_again(chunks: list[bytes], data: st.DataObject) -> None:
    """The body is the sum of the chunks."""
    wire = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(wire) - 1), max_size=5)))
    reads = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    notes, reader = read(*reads)
    assert (notes.body, notes.endings, reader.can_reuse) == (b"".join(chunks), ["end"], True)


def test_an_end_that_the_peer_did_not_say_ends_no_body() -> None:
    """Over TLS whoever sits on the way can end the bytes, and would cut the answer unseen."""
    notes = Notes()
    reader = AnswerReader(notes, is_head_request=False, max_header_bytes=LIMIT)
    reader.feed(OK + b"\r\nok")
    reader.eof(is_certain=False)
    assert notes.endings == [FaultKind.RESET]


@pytest.mark.requirement("HTU-10")
def test_a_chunk_pays_for_an_extension_as_long_as_itself() -> None:
    """Endless extensions on chunks of a byte end in a fault; sizes and short extensions never do."""
    usual = [b"1;a=b\r\nx\r\n"] * 2000
    assert read(CHUNKED, *usual)[0].endings == []
    notes, _ = read(CHUNKED, *[b"1;" + b"e" * 100 + b"\r\nx\r\n"] * 100)
    assert notes.endings == [FaultKind.TOO_LARGE]


def test_a_bug_in_a_receiver_is_not_taken_for_a_fault_of_the_answer() -> None:
    """It comes out of the parser as what it is."""

    class Broken(Notes):
        def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
            raise ZeroDivisionError

    with pytest.raises(Exception, match="callback") as caught:
        AnswerReader(Broken(), is_head_request=False, max_header_bytes=LIMIT).feed(CHUNKED)
    assert isinstance(caught.value.__context__, ZeroDivisionError)
