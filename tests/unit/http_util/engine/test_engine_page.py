"""The page about the engine says what the code does."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import http_util.engine
from http_util.engine.http2_frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    HEAD,
    HEAD_BYTES,
    PREFACE,
    WORD,
    ErrorCode,
    FrameType,
    frame,
)
from http_util.engine.http2_settings import Setting, read_settings, settings_frame
from http_util.engine.http2_state import Http2State
from http_util.engine.http2_streams import TRANSITIONS, Happening, Refusal, State

PAGE = Path(__file__).parents[4] / "docs" / "engine.md"
SHOWN = {
    Refusal.UNUSED: "✗ connection",
    Refusal.MALFORMED: "✗ malformed",
    Refusal.OVER: "✗ closed",
    Refusal.MISUSE: "-",
}


def test_the_table_of_streams_on_the_page_is_the_one_in_the_code() -> None:
    """Row by row, cell by cell."""
    lines = [f"| what happens | {' | '.join(State)} |", "|---" * (len(State) + 1) + "|"]
    for happening in Happening:
        cells = [TRANSITIONS[state][happening] for state in State]
        shown = [SHOWN[cell] if isinstance(cell, Refusal) else cell.value for cell in cells]
        lines.append(f"| {happening} | {' | '.join(shown)} |")
    assert "\n".join(lines) in PAGE.read_text("utf-8")


# the bounds

UNITS: Final = {"KiB": 1024, "MiB": 1024 * 1024}
OF_THE_PROTOCOL: Final = {"MAX_STREAM_ID", "MAX_WINDOW", "INITIAL_WINDOW"}
"""Numbers that the RFC sets, and nobody else could."""
ROW: Final = re.compile(r"^\| [^|]+ \| ([\d,.]+)( KiB| MiB)?[^|]* \| [^|]+ \| `(\w+)\.(\w+)` \|$", re.MULTILINE)
"""What, most, beyond it, constant."""
NAMED: Final = re.compile(r"^(_?(?:MAX|MOST)_\w+|\w+_(?:WINDOW|LIMIT)): Final = ", re.MULTILINE)
"""A constant whose name says that it is a bound."""
REPLACED: Final = {("http2_requests", "MAX_STREAMS")}
"""Defaults in whose place the engine always gives another."""


def bounds() -> dict[tuple[str, str], float]:
    """What the page says of each constant."""
    return {
        (module, name): float(number.replace(",", "")) * UNITS.get(unit.strip(), 1)
        for number, unit, module, name in ROW.findall(PAGE.read_text())
    }


def test_the_bounds_on_the_page_are_those_in_the_code() -> None:
    """Each by its constant, in its own unit."""
    for (module, name), bound in bounds().items():
        assert getattr(import_module(f"http_util.engine.{module}"), name) == bound, name


def test_no_bound_is_left_out() -> None:
    """Whatever is called most, window or limit in the engine has a row."""
    folder = Path(http_util.engine.__file__).parent
    named = {
        (path.stem, name)
        for path in folder.glob("*.py")
        for name in NAMED.findall(path.read_text())
        if name not in OF_THE_PROTOCOL
    }
    assert len(named) > 10
    assert len(bounds()) > len(named)
    assert named - REPLACED <= bounds().keys()


# the example

REQUEST: Final = [
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":authority", b"api.example"),
    (b":path", b"/v1/chat/completions"),
]
OK: Final = b"\x88"
"""A head whose only field is entry 8 of the fixed table: status 200."""


class Silent:
    """Takes an answer."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class Scene:
    """A connection, and the frames that went over it as rows of a table."""

    def __init__(self) -> None:
        self.state = Http2State()
        self.rows = ["| sent by | frame | stream | with | its state then |", "|---|---|---|---|---|"]

    def request(self) -> int:
        """Send a request; its stream."""
        stream_id = self.state.open_stream(REQUEST, Silent(), end_stream=False)
        self.us("POST /v1/chat/completions")
        self.state.send_data(stream_id, b"-" * 212, end_stream=True)
        self.us("the request's body")
        return stream_id

    def us(self, *notes: str) -> None:
        """Note what we send now, a note for each frame whose content says little."""
        output, told = self.state.take_output(), iter(notes)
        if output.startswith(PREFACE):
            self.rows.append(f"| us | (not a frame) | | {PREFACE.splitlines()[0].decode()}, {next(told)} | |")
            output = output[len(PREFACE) :]
        while output:
            size = HEAD.unpack_from(output)[0] >> 8
            self._note("us", output[: HEAD_BYTES + size], told)
            output = output[HEAD_BYTES + size :]

    def upstream(self, data: bytes, note: str = "") -> None:
        """The upstream sends a frame."""
        self.state.receive(data, 0.0)
        self._note("the upstream", data, iter([note]))

    def _note(self, who: str, data: bytes, told: Any) -> None:
        word, flags, stream_id = HEAD.unpack_from(data)
        kind, payload = FrameType(word & 0xFF), data[HEAD_BYTES:]
        flag_names = {END_STREAM: "END_STREAM", END_HEADERS: "END_HEADERS"}
        names = ["ACK"] if kind is FrameType.SETTINGS and flags & ACK else []
        if kind in (FrameType.HEADERS, FrameType.DATA):
            names = [name for flag, name in flag_names.items() if flags & flag]
        stream = self.state._streams.get(stream_id)
        state = "" if not stream_id else State.CLOSED if stream is None else stream.state
        says = self._content(kind, payload, told)
        cells = (who, ", ".join([kind.name, *names]), stream_id, says, state)
        self.rows.append("".join(f"| {cell} " if cell != "" else "| " for cell in cells) + "|")

    def _content(self, kind: FrameType, payload: bytes, told: Any) -> str:
        """What a frame carries."""
        if kind is FrameType.SETTINGS:
            return ", ".join(f"{Setting(name).name} {value:,}" for name, value in read_settings(payload).items())
        if kind is FrameType.WINDOW_UPDATE:
            return f"{WORD.unpack(payload)[0]:,} more bytes"
        if kind is FrameType.RST_STREAM:
            return ErrorCode(WORD.unpack(payload)[0]).name
        size = f"{len(payload)} bytes: " if kind is FrameType.DATA else ""
        return f"{size}{next(told)}"


def test_the_example_on_the_page_is_what_happens() -> None:
    """Frame by frame, with the state of each stream."""
    scene = Scene()
    state = scene.state
    state.start()
    scene.us("which no HTTP/1.1 server understands")
    whole = scene.request()
    scene.upstream(settings_frame({Setting.MAX_CONCURRENT_STREAMS: 128}))
    scene.us()
    scene.upstream(frame(FrameType.SETTINGS, ACK, 0))
    scene.upstream(frame(FrameType.HEADERS, END_HEADERS, whole, OK), "status 200")
    scene.upstream(frame(FrameType.DATA, 0, whole, b"-" * 304), "the first token")
    scene.upstream(frame(FrameType.DATA, END_STREAM, whole, b"-" * 318), "the last token and `[DONE]`")
    cut = scene.request()
    scene.upstream(frame(FrameType.HEADERS, END_HEADERS, cut, OK), "status 200")
    scene.upstream(frame(FrameType.DATA, 0, cut, b"-" * 304), "the first token")
    state.reset(cut)
    scene.us()
    scene.upstream(frame(FrameType.DATA, 0, cut, b"-" * 304), "a token that nobody wants")
    assert "\n".join(scene.rows) in PAGE.read_text("utf-8")
