from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstream_simulator.body_faults import apply_body_faults, join_tokens
from upstream_simulator.faults import read_faults
from upstream_simulator.steps import Break, Send, Step, Wait

BODY: list[Step] = [Send("data: é\n\n".encode(), 1), Wait(1.0, is_pace=True), Send(b"data: two\n\n", 1)]
WHOLE = b"".join(step.data for step in BODY if isinstance(step, Send))


def sent(steps: list[Step]) -> bytes:
    """Join the bytes of all steps."""
    return b"".join(step.data for step in steps if isinstance(step, Send))


@pytest.mark.requirement("SIM-06")
@given(st.integers(0, len(WHOLE)))
def test_a_cut_at_every_byte_sends_exactly_the_bytes_before_it(size: int) -> None:
    """A prefix of the body, then the break, and nothing else; inside a chunk the rest stays announced."""
    steps = list(apply_body_faults(BODY, read_faults({"cut": size, "cut_by": "close"})))
    assert sent(steps) == WHOLE[:size]
    assert [step for step in steps if isinstance(step, Break)] == [Break("close")]
    assert isinstance(steps[-1], Break)
    withheld = [step.withheld for step in steps if isinstance(step, Send) and step.withheld]
    assert bool(withheld) is (size < len(WHOLE))


@pytest.mark.requirement("SIM-06")
@given(st.integers(1, 30))
def test_drips_are_no_larger_than_asked_and_lose_nothing(size: int) -> None:
    """The bytes are the same, the tokens too; a pause follows each drip."""
    steps = list(apply_body_faults(BODY, read_faults({"drip": size, "drip_ms": 5})))
    sends = [step for step in steps if isinstance(step, Send)]
    assert sent(steps) == WHOLE
    assert max(len(step.data) for step in sends) <= size
    assert sum(step.tokens for step in sends) == 2
    assert sum(step == Wait(0.005) for step in steps) == len(sends)


@pytest.mark.requirement("SIM-06")
def test_a_character_is_never_in_one_write() -> None:
    """Each multi-byte character is cut after its first byte."""
    steps = list(apply_body_faults(BODY, read_faults("split_utf8")))
    first = steps[0]
    assert isinstance(first, Send)
    assert first.data.endswith(b"\xc3")
    assert sent(steps) == WHOLE


@pytest.mark.requirement("SIM-06")
def test_a_cut_after_tokens_counts_tokens_not_events() -> None:
    """Events without tokens pass freely."""
    steps = list(apply_body_faults([Send(b"role"), *BODY], read_faults("cut_after_tokens=1")))
    assert sent(steps) == b"role" + WHOLE[: len("data: é\n\n".encode())]
    assert list(apply_body_faults(BODY, read_faults("cut_after_tokens=0"))) == [Break("reset")]


@pytest.mark.requirement("SIM-03")
def test_tokens_are_gathered_into_longer_writes() -> None:
    """Two tokens a write make one write of two; what is left over goes last, the pause stays."""
    assert list(join_tokens(BODY, 2)) == [Wait(1.0, is_pace=True), Send(WHOLE, 2)]
    assert list(join_tokens([Send(b"a", 1), Send(b"b")], 2)) == [Send(b"ab", 1)]


@pytest.mark.requirement("SIM-06")
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_each_event_can_be_decoded_as_it_comes(encoding: str) -> None:
    """An encoded stream is flushed after each event; pauses stay between them."""
    decoder = zlib.decompressobj(31 if encoding == "gzip" else 15)
    steps = list(apply_body_faults(BODY, read_faults({"encoding": encoding, "crlf": True})))
    decoded = [decoder.decompress(step.data) for step in steps if isinstance(step, Send)]
    assert decoded == ["data: é\r\n\r\n".encode(), b"data: two\r\n\r\n", b""]
    assert decoder.eof
    assert steps[1] == BODY[1]


@pytest.mark.requirement("SIM-06")
def test_pauses_survive_a_cut_and_a_split() -> None:
    """A cut in the second event comes after the pause before it; a short body is broken off at its end."""
    assert BODY[1] in list(apply_body_faults(BODY, read_faults("cut=15;split_utf8;drip=4")))
    assert list(apply_body_faults(BODY, read_faults("cut_after_tokens=9"))) == [*BODY, Break("reset")]


@pytest.mark.requirement("SIM-06", "TST-10")
def test_a_byte_order_mark_stands_once_before_everything() -> None:
    """Also before what is compressed, which is then behind it."""
    assert sent(list(apply_body_faults(BODY, read_faults("bom")))) == b"\xef\xbb\xbf" + WHOLE
    packed = sent(list(apply_body_faults(BODY, read_faults("bom;encoding=gzip"))))
    assert zlib.decompress(packed, 31) == b"\xef\xbb\xbf" + WHOLE


@pytest.mark.requirement("SIM-06", "TST-10")
def test_lines_end_as_they_are_told_to() -> None:
    """With CR alone, or with CR LF, which wins when both are asked for; pauses and tokens stay where they are."""
    steps = list(apply_body_faults(BODY, read_faults("cr")))
    assert sent(steps) == WHOLE.replace(b"\n", b"\r")
    assert [getattr(step, "tokens", None) for step in steps] == [1, None, 1]
    assert sent(list(apply_body_faults(BODY, read_faults("cr;crlf")))) == WHOLE.replace(b"\n", b"\r\n")


@pytest.mark.requirement("SIM-06")
@pytest.mark.parametrize(("charset", "codec"), [("latin-1", "latin-1"), ("utf-16", "utf-16-le")])
def test_a_body_is_written_in_another_character_set(charset: str, codec: str) -> None:
    """Every piece of it; what the set does not know becomes a question mark."""
    assert sent(list(apply_body_faults(BODY, read_faults(f"charset={charset}")))) == WHOLE.decode().encode(codec)
    odd: list[Step] = [Send("\u20ac".encode())]
    assert sent(list(apply_body_faults(odd, read_faults("charset=latin-1")))) == b"?"


@pytest.mark.requirement("SIM-06")
def test_zstandard_is_one_frame_of_raw_blocks() -> None:
    """Magic number, a header, the pieces of the body behind three bytes of length each, and an empty last block."""
    large = b"x" * 200_000
    steps: list[Step] = [Send(large, 2), Wait(1.0), Send(b"end", 1)]
    packed = list(apply_body_faults(steps, read_faults("encoding=zstd")))
    assert packed[2] == Wait(1.0)
    data = sent(packed)
    assert data[:6] == bytes.fromhex("28b52ffd0050")
    at, body, is_last = 6, b"", False
    while not is_last:
        head = int.from_bytes(data[at : at + 3], "little")
        is_last, kind, size = bool(head & 1), head >> 1 & 3, head >> 3
        assert (kind, size <= 128 << 10) == (0, True)
        body += data[at + 3 : at + 3 + size]
        at += 3 + size
    assert (body, at) == (large + b"end", len(data))
