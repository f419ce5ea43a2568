"""Frames of a WebSocket, the server's side."""

from __future__ import annotations

import pytest

from upstream_simulator.websocket import (
    BINARY,
    CLOSE,
    PING,
    TEXT,
    Message,
    MessageReader,
    WebSocketError,
    accept_of,
    frame,
)

MASK = b"\x01\x02\x03\x04"


def masked(opcode: int, data: bytes, *, is_last: bool = True) -> bytes:
    """Return a frame as clients send it."""
    head, start = frame(opcode, data), 2 + {True: 0, False: 2}[len(data) < 126] + (6 if len(data) > 0xFFFF else 0)
    body = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(data))
    first = head[0] if is_last else head[0] & 0x7F
    return bytes([first, head[1] | 0x80]) + head[2:start] + MASK + body


@pytest.mark.requirement("SIM-12")
def test_the_answer_to_a_key_is_that_of_the_standard() -> None:
    """RFC 6455, 1.3."""
    assert accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.requirement("SIM-12")
@pytest.mark.parametrize("size", [0, 1, 3, 125, 126, 65_535, 65_536])
def test_a_message_of_any_length_is_read(size: int) -> None:
    """Each of the three forms of a length, at its bounds."""
    data = bytes(at % 251 for at in range(size))
    assert list(MessageReader().feed(masked(BINARY, data))) == [Message(BINARY, data)]
    assert len(frame(BINARY, data)) == size + (2 if size < 126 else 4 if size < 65_536 else 10)


@pytest.mark.requirement("SIM-12")
def test_bytes_may_be_cut_anywhere() -> None:
    """A message in parts, a ping between them, a goodbye: the same messages at every cut."""
    wire = (
        masked(TEXT, b"one ", is_last=False)
        + masked(PING, b"there?")
        + masked(0, b"two", is_last=False)
        + masked(0, b"")
        + masked(TEXT, b"x" * 200)
        + masked(CLOSE, b"\x03\xe8")
    )
    expected = [
        Message(PING, b"there?"),
        Message(TEXT, b"one two"),
        Message(TEXT, b"x" * 200),
        Message(CLOSE, b"\x03\xe8"),
    ]
    for cut in range(len(wire) + 1):
        reader = MessageReader()
        assert [*reader.feed(wire[:cut]), *reader.feed(wire[cut:])] == expected


@pytest.mark.requirement("SIM-12")
@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (frame(TEXT, b"unmasked"), 1002),
        (masked(3, b""), 1002),
        (b"\xc1\x80" + MASK, 1002),
        (masked(PING, b"", is_last=False), 1002),
        (masked(PING, b"x" * 126), 1002),
        (masked(0, b"of nothing"), 1002),
        (masked(TEXT, b"", is_last=False) + masked(TEXT, b""), 1002),
        (b"\x82\xff" + (1 << 40).to_bytes(8, "big") + MASK, 1009),
    ],
)
def test_what_the_protocol_does_not_allow_is_refused(wire: bytes, code: int) -> None:
    """With the code to close with; a size is judged before a byte of it is there."""
    with pytest.raises(WebSocketError) as caught:
        list(MessageReader().feed(wire))
    assert caught.value.args[0] == code
