"""Binary answers read piece by piece and written to files, over both protocols and in both colours."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from openai_client import AsyncClient, Client, NotFound, StreamInterrupted, Timeout, UnexpectedResponse
from openai_client.binary_content import BinaryContent
from tests.integration.openai_client.files.file_app import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.openai_client.conftest import Caller

pytestmark = [pytest.mark.integration, pytest.mark.requirement("CLI-17"), pytest.mark.requirement("EP-FILES-05")]

SIZE = 3_000_000


def content(size: int) -> bytes:
    """Return what the server's file of *size* bytes holds."""
    return (BLOCK * (size // len(BLOCK) + 1))[:size]


def names_in(folder: Path) -> list[str]:
    """Return the names in *folder*."""
    return [entry.name for entry in folder.iterdir()]


async def used(caller: Caller, make: Callable[[Any], Any], use: Callable[[Any], Any]) -> Any:
    """Enter a download and use it, in either colour."""
    if caller.is_async:
        async with make(caller.client) as download:
            return await use(download)
    with make(caller.client) as download:
        return use(download)


async def pieces(caller: Caller, make: Callable[[Any], Any]) -> list[bytes]:
    """Read a download piece by piece."""
    if caller.is_async:
        async with make(caller.client) as download:
            return [piece async for piece in download]
    with make(caller.client) as download:
        return list(download)


async def test_pieces_are_the_answer(caller: Caller) -> None:
    """In order, none of them empty."""
    got = await pieces(caller, lambda client: client.files.download(str(SIZE)))
    assert b"".join(got) == content(SIZE)
    assert all(got)
    assert len(got) > 2


async def test_a_file_appears_when_it_is_whole(caller: Caller, tmp_path: Path) -> None:
    """Under its own name alone, with progress up to its size."""
    told: list[tuple[int, int | None]] = []
    path = tmp_path / "fetched.bin"
    size = await used(
        caller,
        lambda client: client.files.download(str(SIZE)),
        lambda download: download.write_to(path, on_progress=lambda *how: told.append(how)),
    )
    assert (size, hashlib.sha256(path.read_bytes()).digest()) == (SIZE, hashlib.sha256(content(SIZE)).digest())
    assert names_in(tmp_path) == ["fetched.bin"]
    assert told[-1] == (SIZE, SIZE)
    assert len(told) > 5


async def test_an_answer_that_is_cut_leaves_the_file_that_was_there(caller: Caller, tmp_path: Path) -> None:
    """An error, and never a short file; nothing is left beside it."""
    path = tmp_path / "fetched.bin"
    path.write_bytes(b"from before")
    for fetch in (
        lambda: used(
            caller,
            lambda client: client.containers.files.content.download(str(SIZE), container_id="c"),
            lambda download: download.write_to(path),
        ),
        lambda: pieces(caller, lambda client: client.containers.files.content.download(str(SIZE), container_id="c")),
    ):
        with pytest.raises(StreamInterrupted) as caught:
            await fetch()
        assert caught.value.outcome == "PARTIAL"
    assert path.read_bytes() == b"from before"
    assert names_in(tmp_path) == ["fetched.bin"]


async def test_the_whole_answer_is_bytes_with_ways_to_use_them(caller: Caller, tmp_path: Path) -> None:
    """As fingers that know the official SDK expect it."""
    whole = await caller.call(lambda client: client.files.content("1000"))
    assert isinstance(whole, BinaryContent)
    assert whole == whole.content == whole.read() == b"".join(whole.iter_bytes(7)) == content(1000)
    whole.write_to_file(tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == content(1000)
    assert await used(caller, lambda client: client.files.download("1000"), lambda got: got.read()) == content(1000)


@pytest.mark.requirement("EP-AUD-03")
async def test_a_call_with_a_body_is_downloaded_too(caller: Caller) -> None:
    """Speech, by the fields of its body."""
    speech = {"model": "tts-1", "voice": "alloy", "input": "Hello"}
    got = await used(caller, lambda client: client.audio.speech.download(**speech), lambda download: download.read())
    assert got == content(300_000)


async def test_the_head_tells_the_status_and_the_size(caller: Caller) -> None:
    """Before anything of the body is read."""

    def look(download: Any) -> Any:
        return download.metadata.status, download.length

    async def look_later(download: Any) -> Any:
        return look(download)

    use = look_later if caller.is_async else look
    assert await used(caller, lambda client: client.files.download("5000"), use) == (200, 5000)


async def test_an_error_status_is_raised_on_entering(caller: Caller) -> None:
    """The leaf that it stands for."""
    with pytest.raises(NotFound):
        await pieces(caller, lambda client: client.skills.content.download("none"))


async def test_what_is_read_as_a_whole_is_bounded_and_what_is_written_is_not(
    settings: dict[str, Any], colour: str, tmp_path: Path
) -> None:
    """`max_response_bytes` is the bound of memory, not of a disk."""
    from tests.integration.openai_client.conftest import Caller

    settings["http"]["max_response_bytes"] = 100_000
    made: Any = AsyncClient(**settings) if colour == "async" else Client(**settings)
    caller = Caller(made)
    try:
        with pytest.raises(UnexpectedResponse, match="max_response_bytes"):
            await used(caller, lambda client: client.files.download("200000"), lambda download: download.read())
        path = tmp_path / "f"
        await used(caller, lambda client: client.files.download("200000"), lambda download: download.write_to(path))
        assert path.read_bytes() == content(200_000)
    finally:
        await made.aclose() if colour == "async" else made.close()


async def test_what_a_progress_callback_raises_ends_the_download_and_removes_the_file(
    caller: Caller, tmp_path: Path
) -> None:
    """It comes out as it is; the client works on."""

    def stop(got: int, total: int | None) -> None:
        raise ZeroDivisionError("the bar is gone")

    for end in (
        lambda download: download.write_to(tmp_path / "f"),
        lambda download: download.read(),
    ):
        with pytest.raises(ZeroDivisionError, match="the bar is gone"):
            await used(caller, lambda client: client.files.download(str(SIZE), on_progress=stop), end)
    assert not names_in(tmp_path)
    assert await caller.call(lambda client: client.files.content("5")) == content(5)


async def test_a_timeout_acts_in_the_middle_of_a_download(caller: Caller, tmp_path: Path) -> None:
    """The reader is slow, and the call is over."""
    import time

    def slow(got: int, total: int | None) -> None:
        time.sleep(0.05)

    with pytest.raises(Timeout, match=r"the call's timeout of 0.4 s passed"):
        await used(
            caller,
            lambda client: client.files.download("100000000", timeout=0.4, on_progress=slow),
            lambda download: download.write_to(tmp_path / "f"),
        )
    assert not names_in(tmp_path)


async def test_a_cancelled_download_removes_its_file(settings: dict[str, Any], tmp_path: Path) -> None:
    """In the middle of it; the client works on."""
    begun = asyncio.Event()
    async with AsyncClient(**settings) as client:

        async def fetch() -> None:
            async with client.files.download("300000000", on_progress=lambda *_: begun.set()) as download:
                await download.write_to(tmp_path / "f")

        running = asyncio.ensure_future(fetch())
        await begun.wait()
        assert len(names_in(tmp_path)) == 1
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not names_in(tmp_path)
        assert await client.files.content("5") == content(5)
