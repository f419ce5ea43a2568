"""Forms of every kind as a server of another make reads them, over both protocols and in both colours."""

from __future__ import annotations

import asyncio
import hashlib
import io
from typing import TYPE_CHECKING, Any

import pytest

from openai_client import SerializationError, Timeout
from openai_client.file_input import UploadFile
from tests.process import open_places

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.http_util.engine.real_servers import RealServer
    from tests.integration.openai_client.conftest import Caller

pytestmark = [pytest.mark.integration, pytest.mark.requirement("CLI-17"), pytest.mark.requirement("EP-FILES-01")]

CONTENT = bytes(range(256)) * 900
"""Not a whole number of pieces."""


class Pipe(io.RawIOBase):
    """A file that can be read once, and does not tell its size."""

    def __init__(self, content: bytes) -> None:
        self._left = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._left.readinto(memoryview(buffer)[:10_000])


def files_of(folder: Path) -> dict[str, Any]:
    """Return the same content in every form that a file may be given in."""
    path = folder / "tide.bin"
    path.write_bytes(CONTENT)
    moved = io.BytesIO(b"before" + CONTENT)
    moved.seek(6)
    return {
        "path": path,
        "bytes": CONTENT,
        "open file": moved,
        "pipe": Pipe(CONTENT),
        "name and bytes": ("tide.bin", CONTENT),
        "name, path and type": ("tide.bin", path, "text/csv"),
        "upload file": UploadFile("tide.bin", io.BytesIO(CONTENT), "text/csv"),
    }


@pytest.mark.parametrize(
    "form", ["path", "bytes", "open file", "pipe", "name and bytes", "name, path and type", "upload file"]
)
async def test_a_file_arrives_byte_for_byte_in_whichever_form_it_is_given(
    caller: Caller, seen: Callable[[str], Any], tmp_path: Path, form: str, protocol: str
) -> None:
    """The server's own parser finds the same bytes, and the length that was told; of a pipe there is none to tell."""
    given = files_of(tmp_path)[form]
    sent = await caller.call(
        lambda client: client.files.create(
            file=given, purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600}
        )
    )
    assert (sent.id, sent.bytes) == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    (received,) = await seen("forms")
    assert received["whole"]
    assert (received["length"] is None) == (form == "pipe")
    assert received["version"] == {"http/1.1": "1.1", "h2": "2"}[protocol]
    *fields, file = received["parts"]
    assert fields == [
        ["purpose", None, "text/plain", "batch", 5],
        ["expires_after[anchor]", None, "text/plain", "created_at", 10],
        ["expires_after[seconds]", None, "text/plain", "3600", 4],
    ]
    name = "tide.bin" if form not in {"bytes", "open file", "pipe"} else "upload"
    kind = "text/csv" if form in {"name, path and type", "upload file"} else "application/octet-stream"
    assert file == ["file", name, kind, None, len(CONTENT)]


@pytest.mark.requirement("EP-AUD-01")
async def test_lists_have_brackets_and_a_stream_is_asked_for_in_the_form(
    caller: Caller, seen: Callable[[str], Any]
) -> None:
    """A transcription as the official service reads it."""
    await caller.call(
        lambda client: client.audio.transcriptions.create(
            file=("a.wav", b"RIFF"),
            model="whisper-1",
            temperature=0.5,
            timestamp_granularities=["word", "segment"],
            chunking_strategy={"type": "server_vad", "silence_duration_ms": 200},
        )
    )
    (received,) = await seen("forms")
    assert [part[0::3] for part in received["parts"]] == [
        ["model", "whisper-1"],
        ["temperature", "0.5"],
        ["timestamp_granularities[]", "word"],
        ["timestamp_granularities[]", "segment"],
        ["chunking_strategy[type]", "server_vad"],
        ["chunking_strategy[silence_duration_ms]", "200"],
        ["file", None],
    ]


@pytest.mark.requirement("EP-AUD-02")
async def test_a_translation_is_a_form_too(caller: Caller, seen: Callable[[str], Any]) -> None:
    """The file and the model arrive."""
    answer = await caller.call(lambda client: client.audio.translations.create(file=b"RIFF", model="whisper-1"))
    assert answer.text == "heard"
    (received,) = await seen("forms")
    assert [part[0] for part in received["parts"]] == ["model", "file"]


@pytest.mark.requirement("EP-IMG-02")
async def test_several_images_share_a_name_with_brackets(caller: Caller, seen: Callable[[str], Any]) -> None:
    """One image is `image`, several are `image[]`."""
    images = [("a.png", b"1"), ("b.png", b"22")]
    await caller.call(lambda client: client.images.edit(image=images, prompt="p", mask=("m.png", b"333")))
    await caller.call(lambda client: client.images.edit(image=images[0], prompt="p"))
    several, one = await seen("forms")
    assert [part[:2] for part in several["parts"]] == [
        ["prompt", None],
        ["image[]", "a.png"],
        ["image[]", "b.png"],
        ["mask", "m.png"],
    ]
    assert one["parts"][-1][:2] == ["image", "a.png"]


async def test_fields_with_a_media_type_of_their_own_are_sent_as_that(
    caller: Caller, seen: Callable[[str], Any]
) -> None:
    """A session goes as JSON beside an offer."""
    await caller.call(lambda client: client.realtime.calls.create(sdp="v=0", session={"type": "realtime"}))
    (received,) = await seen("forms")
    assert received["parts"] == [
        ["sdp", None, "application/sdp", "v=0", 3],
        ["session", None, "application/json", '{"type":"realtime"}', 19],
    ]


async def test_a_name_cannot_end_its_line(caller: Caller, seen: Callable[[str], Any]) -> None:
    """Quotation marks and line ends in a file's name stay in its name."""
    hostile = 'a"; name="purpose"\r\nContent-Type: text/html\r\n\r\nx'
    await caller.call(lambda client: client.files.create(file=(hostile, b"tide"), purpose="batch"))
    (received,) = await seen("forms")
    assert [part[0] for part in received["parts"]] == ["purpose", "file"]
    assert received["parts"][1][1] == "a%22; name=%22purpose%22%0D%0AContent-Type: text/html%0D%0A%0D%0Ax"


async def test_progress_is_told_in_steps_and_at_the_end(caller: Caller) -> None:
    """Never two reports within 64 KiB but the last, which tells all."""
    told: list[tuple[int, int | None]] = []
    await caller.call(
        lambda client: client.files.create(
            file=CONTENT * 5, purpose="batch", on_progress=lambda sent, total: told.append((sent, total))
        )
    )
    counts = [sent for sent, _ in told]
    assert {total for _, total in told} == {counts[-1]}
    assert len(CONTENT) * 5 < counts[-1] < len(CONTENT) * 5 + 600
    steps = [after - before for before, after in zip([0, *counts], counts, strict=False)]
    assert all(step >= 65_536 for step in steps[:-1])
    assert len(steps) > 10


async def test_what_a_progress_callback_raises_ends_the_call_and_comes_out_as_it_is(
    caller: Caller, tmp_path: Path
) -> None:
    """Also an OSError, which is no failure of the connection; the file is closed and the client works on."""

    def stop(sent: int, total: int | None) -> None:
        if sent > 100_000:
            raise BrokenPipeError("the bar is gone")

    path = tmp_path / "large"
    path.write_bytes(bytes(20_000_000))
    with pytest.raises(BrokenPipeError, match="the bar is gone"):
        await caller.call(lambda client: client.files.create(file=path, purpose="batch", on_progress=stop))
    assert (await caller.call(lambda client: client.files.create(file=b"x", purpose="batch"))).bytes == 1


async def test_a_file_that_shrinks_on_the_way_is_an_error_of_this_side(caller: Caller, tmp_path: Path) -> None:
    """The request is broken off, and says what became of the file."""
    path = tmp_path / "log"
    path.write_bytes(bytes(5_000_000))

    def cut(sent: int, total: int | None) -> None:
        with path.open("r+b") as file:
            file.truncate(1_000_000)

    with pytest.raises(SerializationError, match=r"file: the file became .* shorter"):
        await caller.call(lambda client: client.files.create(file=path, purpose="batch", on_progress=cut))


async def test_a_file_that_is_not_there_is_told_before_anything_is_sent(caller: Caller, tmp_path: Path) -> None:
    """The field and the system's word; not the path."""
    with pytest.raises(SerializationError) as caught:
        await caller.call(lambda client: client.files.create(file=tmp_path / "secret-name", purpose="batch"))
    assert str(caught.value) == "file: cannot be read: No such file or directory"


async def test_a_timeout_acts_in_the_middle_of_an_upload(caller: Caller) -> None:
    """A source that takes its time does not outlast the call."""

    class Slow(Pipe):
        def readinto(self, buffer: Any) -> int:
            import time

            time.sleep(0.05)
            return super().readinto(buffer)

    with pytest.raises(Timeout, match=r"the call's timeout of 0.3 s passed"):
        await caller.call(
            lambda client: client.files.create(file=Slow(bytes(10_000_000)), purpose="batch", timeout=0.3)
        )
    assert (await caller.call(lambda client: client.files.create(file=b"x", purpose="batch"))).bytes == 1


async def test_a_cancelled_upload_closes_its_file_and_leaves_the_client_working(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    """In the middle of it; nothing else of the client notices."""
    from openai_client import AsyncClient

    path, begun = tmp_path / "large", asyncio.Event()
    path.write_bytes(bytes(200_000_000))
    async with AsyncClient(**settings) as client:
        running = asyncio.ensure_future(
            client.files.create(file=path, purpose="batch", on_progress=lambda *_: begun.set())
        )
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await client.files.create(file=b"x", purpose="batch")).bytes == 1
    assert str(path) not in open_places()


async def test_a_client_of_httpx_that_somebody_brought_sends_forms_too(
    file_server: RealServer, colour: str, tmp_path: Path
) -> None:
    """Its own transport draws the pieces, and the answer is the same."""
    import ssl

    import httpx

    from http_util.clock import SystemClock, SystemSyncClock
    from openai_client import AsyncClient, AsyncHttpTransport, Client, ClientConfig, HttpTransport

    path = tmp_path / "tide.bin"
    path.write_bytes(CONTENT)
    config = ClientConfig(base_url=f"{file_server.url}/v1", api_key=None)
    trusting = ssl.create_default_context(cafile=file_server.ca_file)
    if colour == "async":
        async with httpx.AsyncClient(verify=trusting) as http_client:
            transport = AsyncHttpTransport(config.http, clock=SystemClock(), http_client=http_client)
            sent = await AsyncClient(config, transport=transport).files.create(file=path, purpose="batch")
            pipe = await AsyncClient(config, transport=transport).files.create(file=Pipe(CONTENT), purpose="batch")
    else:
        with httpx.Client(verify=trusting) as http_client:
            blocking = HttpTransport(config.http, clock=SystemSyncClock(), http_client=http_client)
            sent = Client(config, transport=blocking).files.create(file=path, purpose="batch")
            pipe = Client(config, transport=blocking).files.create(file=Pipe(CONTENT), purpose="batch")
    assert {sent.id, pipe.id} == {hashlib.sha256(CONTENT).hexdigest()}
