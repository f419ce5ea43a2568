"""
A process that answers in prepared bytes, over HTTP/1.1 on loopback. It is on the last core and in nobody's figures.

What is answered stands in the request: a list for GET, else whatever task the body's model names.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from benchmarks.cores import pin, settle_malloc
from benchmarks.typed import documents
from benchmarks.typed.documents import APART, CHUNKS, PER_WRITE, Task

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PAUSE: Final = 0.0002
"""Seconds between two chunks that must not be read as one."""


class Answering(asyncio.Protocol):
    """One connection, one request after the other."""

    def __init__(self, answers: dict[Task, list[bytes]]) -> None:
        """Answer from *answers*: what is written, piece by piece."""
        self._answers = answers
        self._received = bytearray()
        self._writing: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer when the request is there as a whole."""
        self._received += data
        head, mark, body = bytes(self._received).partition(b"\r\n\r\n")
        if not mark or len(body) < _length(head):
            return
        self._received.clear()
        task = Task.LIST if head.startswith(b"GET") else next(each for each in Task if each.encode() in body)
        if task is not Task.OWN_WRITES:
            self._transport.writelines(self._answers[task])
            return
        writing = asyncio.get_running_loop().create_task(self._write_apart(self._answers[task]))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)

    async def _write_apart(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._transport.write(piece)
            await asyncio.sleep(PAUSE)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _whole(body: bytes) -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req-1\r\ncontent-length: %d\r\n\r\n"
    return [head % len(body) + body]


def _streamed(events: list[bytes], size: int) -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    parts = [b"".join(events[at : at + size]) for at in range(0, len(events), size)]
    return [head, *(b"%x\r\n%b\r\n" % (len(part), part) for part in parts), b"0\r\n\r\n"]


def prepared() -> dict[Task, list[bytes]]:
    """What is written for every task, piece by piece."""
    return {
        Task.COALESCED: _streamed(documents.stream(CHUNKS), PER_WRITE),
        Task.OWN_WRITES: _streamed(documents.stream(APART), 1),
        Task.LIST: _whole(documents.files()),
        Task.COMPLETION: _whole(documents.completion()),
        Task.FLOATS: _whole(documents.embeddings(as_base64=False)),
        Task.BASE64: _whole(documents.embeddings(as_base64=True)),
    }


def serve(control: Connection) -> None:
    """Send the port to *control*, and answer until something comes back from there."""
    pin(-1)
    settle_malloc()
    asyncio.run(_serve(control))


async def _serve(control: Connection) -> None:
    answers = prepared()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(answers), "127.0.0.1", 0)
    async with server:
        control.send(server.sockets[0].getsockname()[1])
        ended = asyncio.Event()
        loop.add_reader(control.fileno(), ended.set)
        await ended.wait()
        loop.remove_reader(control.fileno())
