"""HTTP/2 frames that are none, heads that may not be, and odd ones that may."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Final

from tests.faults.groups.http2 import (
    EARLY_NO_PROTOCOL,
    EVENT_STREAM,
    NO_PROTOCOL,
    after_three,
    at_once,
    broken,
    end,
    heading,
    in_turn,
    row,
    whole,
)
from tests.faults.groups.wire import DONE, chunk, tokens
from tests.integration.http_util.engine.scripted_http2 import INITIAL_WINDOW_SIZE

if TYPE_CHECKING:
    from tests.integration.http_util.engine.scripted_http2 import Stream


def raw(stream_: Stream, kind: int, payload: bytes, flags: int = 0, number: int | None = None) -> None:
    """Write a frame by hand."""
    at = stream_.number if number is None else number
    stream_.connection.raw(struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", at) + payload)


def pushed(stream_: Stream) -> None:
    """Promise an answer that nobody asked for."""
    block = stream_.connection.block([(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "x")])
    raw(stream_, 5, struct.pack(">I", 2) + block, 4)


async def too_long(stream_: Stream) -> None:
    """Announce a length, and go on beyond it."""
    stream_.head(200, EVENT_STREAM, ("content-length", str(len(tokens(3)))))
    stream_.data(tokens(3))
    await asyncio.sleep(0.02)
    stream_.data(tokens(1))


async def too_short(stream_: Stream) -> None:
    """Announce a length, and end before it."""
    stream_.head(200, EVENT_STREAM, ("content-length", "100000"))
    stream_.data(tokens(3))
    await asyncio.sleep(0.02)
    stream_.data(b"", end=True)


FORBIDDEN_HEADS: Final[dict[str, list[tuple[str, str]]]] = {
    "no-status": [("content-type", "text/event-stream")],
    "status-of-letters": [(":status", "fine")],
    "capital-name": [(":status", "200"), ("Content-Type", "text/event-stream")],
    "connection-field": [(":status", "200"), ("connection", "close")],
    "pseudo-field-late": [("content-type", "text/event-stream"), (":status", "200")],
    "unknown-pseudo-field": [(":status", "200"), (":flavour", "x")],
}

FRAMES: Final = (
    *(
        row(
            name,
            at_once(heading(head)),
            EARLY_NO_PROTOCOL,
        )
        for name, head in FORBIDDEN_HEADS.items()
    ),
    row("data-before-head", at_once(lambda stream_: stream_.data(b"data: {}\n\n")), EARLY_NO_PROTOCOL),
    row("end-without-head", at_once(lambda stream_: stream_.data(b"", end=True)), EARLY_NO_PROTOCOL),
    row("push-promise", at_once(pushed), EARLY_NO_PROTOCOL),
    broken("second-head", after_three(lambda stream_: stream_.head(200)), NO_PROTOCOL),
    broken(
        "frame-too-large",
        after_three(lambda stream_: stream_.connection.raw(b"\xff\xff\xff\x00\x00\x00\x00\x00\x01")),
        NO_PROTOCOL,
    ),
    broken("data-on-no-stream", after_three(lambda stream_: raw(stream_, 0, b"x", number=0)), NO_PROTOCOL),
    broken(
        "broken-header-block", after_three(lambda stream_: raw(stream_, 1, b"\xff\xff\xff\xff\xff", 4)), NO_PROTOCOL
    ),
    broken("window-of-nothing", after_three(lambda stream_: raw(stream_, 8, bytes(4), number=0)), NO_PROTOCOL),
    broken("window-too-large", after_three(lambda stream_: stream_.connection.give(2**31 - 1)), NO_PROTOCOL),
    broken(
        "settings-too-large",
        after_three(lambda stream_: stream_.connection.set({INITIAL_WINDOW_SIZE: 2**31})),
        NO_PROTOCOL,
    ),
    broken("shorter-than-it-says", too_short, NO_PROTOCOL),
    broken("longer-than-it-says", too_long, NO_PROTOCOL),
    row("unknown-frame", after_three(in_turn(lambda stream_: raw(stream_, 0xBE, b"what"), end))),
    row("padded-data", after_three(lambda stream_: raw(stream_, 0, b"\x0a" + chunk({}, "stop") + DONE + bytes(10), 9))),
    row(
        "trailers",
        after_three(
            in_turn(lambda stream_: stream_.data(chunk({}, "stop")), lambda stream_: stream_.trailers(("x-sum", "1")))
        ),
    ),
    row("informational-first", at_once(in_turn(heading([(":status", "103")]), heading([(":status", "100")]), whole))),
)

CASES: Final = FRAMES
