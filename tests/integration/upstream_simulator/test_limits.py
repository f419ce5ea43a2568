"""What the simulator does with clients that send too much or read too little."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest

from upstream_simulator import http1, serve

pytestmark = [pytest.mark.integration, pytest.mark.requirement("SIM-06")]


async def connected(local: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection with a small read buffer."""
    port = int(local.base_url.rsplit(":", 1)[1].split("/")[0])
    return await asyncio.open_connection("127.0.0.1", port, limit=1024)


def chat(wish: str) -> bytes:
    """Write a streamed chat request down."""
    body = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-simulate: {wish}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def drained(reader: asyncio.StreamReader) -> bytes:
    """Read to the end of the connection, whichever way it ends."""
    data = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(1 << 20):
            data += piece
    return bytes(data)


async def test_a_body_above_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """413, and the connection ends."""
    monkeypatch.setattr(http1, "_MAX_BODY", 10)
    async with serve() as local:
        reader, writer = await connected(local)
        writer.write(b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n12345678901")
        assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
        writer.close()


async def test_a_client_that_pipelines_without_end_is_cut_off() -> None:
    """More than a MiB of requests behind one that is being answered ends the connection."""
    async with serve() as local:
        reader, writer = await connected(local)
        writer.write(chat("stall=30"))
        writer.write(b"x" * (3 << 20))
        assert await drained(reader) == b""
        (exchange,) = await local.settled()
        assert exchange.left in {"disconnected", "reset"}
        writer.close()


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_break_waits_until_the_client_has_taken_what_came_before(how: str) -> None:
    """All bytes before the cut arrive even where the client was slow to read them."""
    async with serve() as local:
        reader, writer = await connected(local)
        writer.write(chat(f"huge=20000000;cut=15000000;cut_by={how}"))
        await reader.readuntil(b"\r\n\r\n")
        assert [exchange.left for exchange in local.log()] == ["open"]
        assert len(await drained(reader)) > 15_000_000
        assert [exchange.left for exchange in await local.settled()] == ["cut"]
        writer.close()


async def test_a_slow_reader_gets_everything_in_the_end() -> None:
    """Held back and resumed, no byte is lost."""
    async with serve() as local:
        reader, writer = await connected(local)
        writer.write(chat("tokens=60000").replace(b"host: x", b"host: x\r\nconnection: close"))
        data = await drained(reader)
        assert data.count(b'"content":"') == 60_001
        assert data.endswith(b"0\r\n\r\n")
        writer.close()


async def test_an_unknown_control_path_is_said() -> None:
    """404 with the path, as JSON."""
    async with serve() as local:
        reader, writer = await connected(local)
        writer.write(b"GET /_sim/nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert b"GET nothing" in answer
        writer.close()


async def test_an_old_client_gets_its_answer_and_the_end() -> None:
    """HTTP/1.0 has no keep-alive here."""
    async with serve() as local:
        reader, writer = await connected(local)
        writer.write(b"GET /health HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b'{"status":"ok"}')
        writer.close()


async def test_stopping_ends_every_connection(tmp_path: Any) -> None:
    """When the block is left, a client in the middle of a stream sees the end of it."""
    async with serve(tls_port=0, ca_file=str(tmp_path / "ca.pem")) as local:
        reader, writer = await connected(local)
        writer.write(chat("stall=30;stall_at=1"))
        await reader.readuntil(b"\r\n\r\n")
        assert local.tls_base_url.startswith("https://")
    assert not (await drained(reader)).endswith(b"0\r\n\r\n")
    writer.close()
