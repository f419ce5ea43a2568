"""Downloads over a scripted upstream: read one way, once, and reported as what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from http_util.client import build_async_client, build_client
from http_util.clock import SystemClock, SystemSyncClock
from http_util.testing import Answer, ScriptedUpstream
from openai_client import (
    AsyncClient,
    AsyncHttpTransport,
    CallOptions,
    Client,
    ClientConfig,
    HttpTransport,
    InvalidState,
    StreamInterrupted,
)
from openai_client._generated.operations.files import download_file
from openai_client.raw import raw_operation

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.requirement("CLI-17")]

CONFIG = ClientConfig(base_url="http://localhost:8000/v1", api_key=None)


class Made:
    """A client of either colour over a script."""

    def __init__(self, colour: str, *answers: Answer) -> None:
        self.upstream = ScriptedUpstream(*answers)
        self.colour = colour
        if colour == "async":
            awaited = build_async_client(CONFIG.http, transport=self.upstream)
            self.client: Any = AsyncClient(
                CONFIG, transport=AsyncHttpTransport(CONFIG.http, clock=SystemClock(), http_client=awaited)
            )
        else:
            blocking = build_client(CONFIG.http, transport=self.upstream)
            self.client = Client(
                CONFIG, transport=HttpTransport(CONFIG.http, clock=SystemSyncClock(), http_client=blocking)
            )

    async def use(self, download: Any, *steps: Any) -> list[Any]:
        """Enter *download* and take the steps one after the other."""
        if self.colour == "async":
            async with download:
                return [await step(download) for step in steps]
        with download:
            return [step(download) for step in steps]

    async def pieces(self, download: Any) -> list[bytes]:
        """Read piece by piece."""
        if self.colour == "async":
            async with download:
                return [piece async for piece in download]
        with download:
            return list(download)


@pytest.fixture(params=["async", "sync"])
def colour(request: pytest.FixtureRequest) -> str:
    """Both colours, one after the other."""
    return str(request.param)


def names_in(folder: Path) -> list[str]:
    """Return the names in *folder*."""
    return [entry.name for entry in folder.iterdir()]


def whole(*pieces: bytes) -> Answer:
    """Return a good answer."""
    return Answer(body=pieces, headers={"content-type": "audio/mpeg", "x-request-id": "req-1"})


async def test_anything_is_accepted_and_the_head_is_there_before_the_body(colour: str) -> None:
    """A binary answer is not asked for as JSON; its operation is any that is answered by one document."""
    made = Made(colour, whole(b"ti", b"de"), whole(b"raw"))
    assert await made.pieces(made.client.files.download("f")) == [b"ti", b"de"]
    assert made.upstream.requests[0].headers["accept"] == "*/*"
    assert await made.pieces(made.client.open_download(raw_operation("GET", "/anything"))) == [b"raw"]
    assert made.upstream.open_bodies == 0


async def test_an_answer_is_read_once(colour: str, tmp_path: Path) -> None:
    """The second way to read it is refused, and so is entering again, or reading before entering."""
    made = Made(colour, whole(b"tide"))
    download = made.client.files.download("f")
    with pytest.raises(InvalidState, match="in a with block"):
        _ = download.metadata
    with pytest.raises(InvalidState, match="can be read once"):
        await made.use(download, lambda it: it.read(), lambda it: it.write_to(tmp_path / "f"))
    with pytest.raises(InvalidState, match="can be entered once"):
        await made.use(download)
    assert not names_in(tmp_path)


async def test_a_body_that_breaks_off_is_the_clients_error(colour: str, tmp_path: Path) -> None:
    """With the facts of the answer; nothing is left of the file."""
    broken = Answer(body=(b"ti", httpx.ReadError("gone")), headers={"x-request-id": "req-1"})
    made = Made(colour, broken, broken)
    for step in (lambda it: it.read(), lambda it: it.write_to(tmp_path / "f")):
        with pytest.raises(StreamInterrupted) as caught:
            await made.use(made.client.files.download("f"), step)
        assert (caught.value.outcome, caught.value.upstream_request_id) == ("PARTIAL", "req-1")
    assert not names_in(tmp_path)
    assert made.upstream.open_bodies == 0


async def test_leaving_the_block_closes_what_is_unread(colour: str) -> None:
    """The upstream sees it."""
    made = Made(colour, whole(b"ti", b"de"))
    await made.use(made.client.files.download("f"))
    assert made.upstream.closed_early == 1


async def test_progress_may_be_given_with_the_call_or_with_the_file(colour: str, tmp_path: Path) -> None:
    """The nearer one is told."""
    told: list[str] = []
    made = Made(colour, whole(b"tide"), whole(b"tide"), whole(b"tide"))
    options = CallOptions(on_progress=lambda got, total: told.append(f"call {got} {total}"))
    await made.use(made.client.open_download(download_file("f"), options), lambda it: it.read())
    await made.pieces(made.client.files.download("f", options=options))
    await made.use(
        made.client.files.download("f", options=options),
        lambda it: it.write_to(tmp_path / "f", on_progress=lambda got, total: told.append(f"file {got} {total}")),
    )
    assert told == ["call 4 None", "call 4 None", "file 4 None"]
