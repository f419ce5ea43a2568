"""
A process of its own that sends and fetches one large file, and tells how much memory it took and what came.

    python transfers.py BASE_URL CA_FILE h1|h2 sync|async up|down PATH SIZE
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from openai_client import AsyncClient, Client


def peak() -> int:
    """Return the most memory that this process has had, in KiB; `getrusage` would count its parent's from before."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def blocking(client: Client, way: str, path: Path, size: int) -> Any:
    """Send, or fetch, in the blocking colour."""
    told: list[int] = []
    if way == "up":
        sent = client.files.create(file=path, purpose="batch", timeout=240, on_progress=lambda n, _: told.append(n))
        return sent.id, len(told), told[-1] >= size
    with client.files.download(str(size), timeout=240) as download:
        count = download.write_to(path, on_progress=lambda n, _: told.append(n))
    return count, len(told), told[-1] == size


async def awaited(client: AsyncClient, way: str, path: Path, size: int) -> Any:
    """Send, or fetch, on an event loop."""
    told: list[int] = []
    if way == "up":
        sent = await client.files.create(
            file=path, purpose="batch", timeout=240, on_progress=lambda n, _: told.append(n)
        )
        return sent.id, len(told), told[-1] >= size
    async with client.files.download(str(size), timeout=240) as download:
        count = await download.write_to(path, on_progress=lambda n, _: told.append(n))
    return count, len(told), told[-1] == size


def small(path: Path) -> Path:
    """Return a file beside *path* with a megabyte in it, for a first transfer that loads what is needed."""
    other = path.with_name("small")
    other.write_bytes(bytes(1_000_000))
    return other


async def on_loop(way: str, path: Path, size: int, **settings: Any) -> tuple[Any, int]:
    """Transfer on an event loop."""
    async with AsyncClient(**settings) as client:
        await awaited(client, way, small(path), 1_000_000)
        before = peak()
        return await awaited(client, way, path, size), peak() - before


def in_thread(way: str, path: Path, size: int, **settings: Any) -> tuple[Any, int]:
    """Transfer in the blocking colour."""
    with Client(**settings) as client:
        blocking(client, way, small(path), 1_000_000)
        before = peak()
        return blocking(client, way, path, size), peak() - before


def main(base_url: str, ca_file: str, protocol: str, colour: str, way: str, place: str, size: int) -> None:
    """Transfer, and print what came of it."""
    path = Path(place)
    settings = {
        "base_url": base_url,
        "api_key": None,
        "timeout": 240.0,
        "http": {"ca_file": ca_file, "http2": protocol == "h2"},
    }
    if colour == "sync":
        result, growth = in_thread(way, path, size, **settings)
    else:
        result, growth = asyncio.run(on_loop(way, path, size, **settings))
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            sha.update(piece)
    json.dump({"growth_kib": growth, "result": result, "sha": sha.hexdigest()}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:7], size=int(sys.argv[7]))  # type: ignore[misc] - one command line
