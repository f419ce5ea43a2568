"""Large files in parts: in parallel, in order, cancelled when something fails."""

from __future__ import annotations

import asyncio
import hashlib
import io
from typing import TYPE_CHECKING, Any

import pytest

from openai_client import AsyncClient, InvalidFieldValue, SerializationError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.openai_client.conftest import Caller

pytestmark = [pytest.mark.integration, pytest.mark.requirement("EP-UPL-01"), pytest.mark.requirement("CLI-17")]

PART = 300_000
CONTENT = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(256)) * 200
"""1.6 MB: five parts of 300,000 bytes and a rest."""


def sha(number: int) -> str:
    """Return the hash of one part."""
    return hashlib.sha256(CONTENT[number * PART : (number + 1) * PART]).hexdigest()


@pytest.mark.parametrize("form", ["path", "text", "bytes", "open file"])
async def test_the_parts_make_the_file_in_whichever_order_they_come(
    caller: Caller, seen: Callable[[str], Any], tmp_path: Path, form: str
) -> None:
    """Each part is its slice of the file; their ids are named in order; no more than asked for are on their way."""
    path = tmp_path / "large.bin"
    path.write_bytes(CONTENT)
    moved = io.BytesIO(b"before" + CONTENT)
    moved.seek(6)
    file = {"path": path, "text": str(path), "bytes": CONTENT, "open file": moved}[form]
    told: list[tuple[int, int | None]] = []
    done = await caller.call(
        lambda client: client.uploads.upload_file_chunked(
            file=file,
            purpose="batch",
            mime_type="application/jsonl",
            part_size=PART,
            parallel=2,
            md5="0" * 32,
            on_progress=lambda *how: told.append(how),
        )
    )
    assert (done.status, done.file.id) == ("completeed", "file-1")
    created, completed = await seen("uploads")
    assert created["create"] == {
        "filename": "upload" if form in {"bytes", "open file"} else "large.bin",
        "purpose": "batch",
        "bytes": len(CONTENT),
        "mime_type": "application/jsonl",
    }
    assert completed["complete"] == {"part_ids": [f"part-{number}" for number in range(6)], "md5": "0" * 32}
    assert completed["parts"] == {f"part-{number}": sha(number) for number in range(6)}
    assert 1 <= completed["most"] <= 2
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [count for count, _ in told] == sorted(count for count, _ in told)


async def test_a_part_that_fails_cancels_the_upload(caller: Caller, seen: Callable[[str], Any]) -> None:
    """The part's own error is raised, the upload is dropped at the upstream, and nothing is completed."""
    with pytest.raises(ValidationError):
        await caller.call(
            lambda client: client.uploads.upload_file_chunked(
                file=CONTENT, filename="fails", purpose="batch", part_size=PART
            )
        )
    names = [name for line in await seen("uploads") for name in line]
    assert "cancel" in names
    assert "complete" not in names


async def test_what_a_progress_callback_raises_cancels_the_upload(caller: Caller, seen: Callable[[str], Any]) -> None:
    """It comes out as it is."""

    def stop(sent: int, total: int | None) -> None:
        if sent > 2 * PART:
            raise ZeroDivisionError("the bar is gone")

    with pytest.raises(ZeroDivisionError, match="the bar is gone"):
        await caller.call(
            lambda client: client.uploads.upload_file_chunked(
                file=CONTENT, purpose="batch", part_size=PART, on_progress=stop
            )
        )
    assert "cancel" in (await seen("uploads"))[-1]


async def test_a_cancelled_caller_cancels_the_upload(settings: dict[str, Any], tmp_path: Path) -> None:
    """The upstream is told, and the cancellation goes on."""
    import json

    begun = asyncio.Event()
    path = tmp_path / "large"
    path.write_bytes(bytes(100_000_000))
    async with AsyncClient(**settings) as client:
        await client.request("POST", "/forget")
        running = asyncio.ensure_future(
            client.uploads.upload_file_chunked(
                file=path, purpose="batch", part_size=10_000_000, on_progress=lambda *_: begun.set()
            )
        )
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        seen = json.loads((await client.request("GET", "/seen")).result)["uploads"]
        assert [name for line in seen for name in line if name in {"create", "cancel", "complete"}] == [
            "create",
            "cancel",
        ]


async def test_what_cannot_be_uploaded_is_refused_before_anything_is_sent(
    caller: Caller, seen: Callable[[str], Any], tmp_path: Path
) -> None:
    """An empty file, a missing one, one that cannot seek, and sizes that are none."""

    class Pipe(io.RawIOBase):
        def readable(self) -> bool:
            return True

    for error, file, changes in (
        (InvalidFieldValue, b"", {}),
        (SerializationError, tmp_path / "none", {}),
        (InvalidFieldValue, Pipe(), {}),
        (InvalidFieldValue, b"x", {"part_size": 0}),
        (InvalidFieldValue, b"x", {"parallel": 0}),
        (InvalidFieldValue, 5, {}),
        (InvalidFieldValue, b"x", {"colour": "red"}),
    ):
        with pytest.raises(error):
            await caller.call(
                lambda client, file=file, changes=changes: client.uploads.upload_file_chunked(
                    file=file, purpose="batch", **changes
                )
            )
    assert await seen("uploads") == []
