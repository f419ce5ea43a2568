"""Wire transcripts as test parameters, and streams over them that need no socket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

WIRE: Final = Path(__file__).parent.parent / "fixtures" / "wire"


@dataclass(frozen=True)
class Transcript:
    """One recorded answer."""

    name: str
    """`server/api_what`."""
    api: str
    """chat, completions or responses; for answers in one piece their kind."""
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    """Without the framing."""
    pieces: tuple[bytes, ...]
    """The body as it was chunked."""
    is_whole: bool
    """Whether the framing was complete."""


def parse(path: Path) -> Transcript:
    """Read one file as `curl -i --raw` writes it."""
    head, _, rest = path.read_bytes().partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    pieces: list[bytes] = []
    is_whole = headers.get("transfer-encoding") != "chunked"
    if is_whole:
        pieces.append(rest)
    while not is_whole and rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        is_whole = length == 0
        pieces += [rest[:length]] * (not is_whole)
        rest = rest[length + 2 :]
    return Transcript(
        name=f"{path.parent.name}/{path.stem}",
        api=path.stem.partition("_")[0],
        status=int(first.split(" ")[1]),
        headers=headers,
        body=b"".join(pieces),
        pieces=tuple(pieces),
        is_whole=is_whole,
    )


ALL: Final = {transcript.name: transcript for transcript in map(parse, sorted(WIRE.glob("*/*/*.http")))}


def is_stream(transcript: Transcript) -> bool:
    """Tell whether the answer is a stream that was asked for."""
    return transcript.status == 200 and transcript.headers.get("content-type", "").startswith("text/event-stream")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test that takes `stream` or `error` one of them after the other."""
    for name, wanted in (
        ("stream", is_stream),
        ("error", lambda transcript: transcript.status >= 400),
    ):
        if name in metafunc.fixturenames:
            found = {key: transcript for key, transcript in ALL.items() if wanted(transcript)}
            metafunc.parametrize(name, list(found.values()), ids=list(found))


@pytest.fixture
def transcripts() -> dict[str, Any]:
    """Every transcript by its name."""
    return dict(ALL)
