"""
The application behind the file server: it takes forms and gives files, and shares no code with what it tests.

Contents are only hashed, so that any size will do. Forms up to a megabyte are parsed by the standard library's `email`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
from collections import defaultdict
from email import policy
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

SMALL = 1024 * 1024
BLOCK = bytes(range(256)) * 255 + b"block ends"
"""What files are made of: its size is no power of two, so pieces never end where it does."""

SEEN: dict[str, list[dict[str, Any]]] = defaultdict(list)
UPLOADS: dict[str, dict[str, Any]] = {}


class FormReader:
    """Finds the last part of a form, its file, and hashes what is in it."""

    def __init__(self, content_type: str) -> None:
        self._mark = b"\r\n--" + content_type.partition("boundary=")[2].encode()
        self._head = bytearray()
        self._tail = b""
        self._in_file = False
        self.sha = hashlib.sha256()
        self.size = 0
        self.filename = ""
        self.start = bytearray()

    def feed(self, data: bytes) -> None:
        """Take in a piece."""
        if len(self.start) < SMALL:
            self.start += data
        if not self._in_file:
            self._head += data
            at = self._head.find(b'filename="')
            end = self._head.find(b"\r\n\r\n", at) if at >= 0 else -1
            if end < 0:
                return
            self.filename = bytes(self._head[at + 10 :]).split(b'"')[0].decode()
            self._in_file, data, self._head = True, bytes(self._head[end + 4 :]), bytearray()
        # what may be the closing mark is held back
        data = self._tail + data
        keep = len(self._mark) + 8
        self._add(data[:-keep])
        self._tail = data[-keep:]

    def finish(self) -> bool:
        """Tell whether the form ended as forms do."""
        content, mark, rest = self._tail.partition(self._mark)
        self._add(content)
        return bool(mark) and rest == b"--\r\n"

    def _add(self, data: bytes) -> None:
        self.sha.update(data)
        self.size += len(data)


def parsed(content_type: str, body: bytes) -> list[list[Any]]:
    """Return the parts of a form as the standard library reads them: name, file name, type, size."""
    message = BytesParser(policy=policy.HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts = []
    for part in message.iter_parts():
        content = part.get_payload(decode=True) or b""
        name = part.get_param("name", header="content-disposition")
        text = content.decode() if part.get_filename() is None else None
        parts.append([name, part.get_filename(), part.get_content_type(), text, len(content)])
    return parts


class Call:
    """One request, and what it takes to answer it."""

    def __init__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[..., Any]) -> None:
        self.headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.path = scope["path"].removeprefix("/v1")
        self.version = scope["http_version"]
        self._receive = receive
        self._send = send

    async def answer(self, document: Any, status: int = 200) -> None:
        """Answer with JSON."""
        data = json.dumps(document).encode()
        head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
        await self._send({"type": "http.response.start", "status": status, "headers": head})
        await self._send({"type": "http.response.body", "body": data})

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the pieces of the request, and an EOFError in place of an end that does not come."""
        while True:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise EOFError
            yield event.get("body", b"")
            if not event.get("more_body"):
                return

    async def document(self) -> Any:
        """Return a request that is JSON, or nothing."""
        return json.loads(b"".join([piece async for piece in self.pieces()]) or b"{}")

    async def form(self) -> FormReader:
        """Read a form and remember what it was."""
        reader = FormReader(self.headers.get("content-type", ""))
        async for piece in self.pieces():
            reader.feed(piece)
        whole = reader.finish()
        small = parsed(self.headers["content-type"], bytes(reader.start)) if reader.size < SMALL / 2 else []
        SEEN["forms"].append(
            {
                "path": self.path,
                "whole": whole,
                "length": self.headers.get("content-length"),
                "version": self.version,
                "parts": small,
            }
        )
        return reader

    async def give(self, size: int, *, cut: bool = False) -> None:
        """Send a file of *size* bytes, or the half of one that says to be whole."""
        head = [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % size)]
        await self._send({"type": "http.response.start", "status": 200, "headers": head})
        at, end = 0, size // 2 if cut else size
        while at < end:
            piece = (BLOCK + BLOCK)[at % len(BLOCK) :][: min(len(BLOCK), end - at)]
            at += len(piece)
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        if cut:
            await asyncio.sleep(0.05)
            raise RuntimeError("the answer is cut")
        await self._send({"type": "http.response.body", "body": b""})


async def seen(call: Call) -> None:
    """Tell what was seen."""
    await call.answer(SEEN)


async def forget(call: Call) -> None:
    """Forget it."""
    SEEN.clear()
    await call.answer({})


async def take_file(call: Call) -> None:
    """Take a file; its id is the hash of its content."""
    read = await call.form()
    await call.answer({"id": read.sha.hexdigest(), "bytes": read.size, "filename": read.filename})


async def take_form(call: Call) -> None:
    """Take any form, and give an answer that fits all of them."""
    await call.form()
    await call.answer({"created": 1, "data": [], "text": "heard"})


async def give_file(call: Call, size: str) -> None:
    """Give a file of the size that it is called by."""
    await call.give(int(size))


async def give_half(call: Call, size: str) -> None:
    """Give the half of one."""
    await call.give(int(size), cut=True)


async def speak(call: Call) -> None:
    """Give a fixed number of bytes."""
    await call.document()
    await call.give(300_000)


async def begin_upload(call: Call) -> None:
    """Begin an upload in parts."""
    asked, name = await call.document(), f"upload-{len(UPLOADS)}"
    UPLOADS[name] = {"asked": asked, "parts": {}, "now": 0, "most": 0}
    SEEN["uploads"].append({"create": asked})
    await call.answer({"id": name, "status": "pending"})


async def take_part(call: Call, name: str) -> None:
    """Take a part; the third one of an upload called `fails` is refused."""
    upload = UPLOADS[name]
    upload["now"] += 1
    upload["most"] = max(upload["most"], upload["now"])
    try:
        read = await call.form()
    finally:
        upload["now"] -= 1
    upload["parts"][read.filename] = read.sha.hexdigest()
    if upload["asked"]["filename"] == "fails" and read.filename == "part-2":
        await call.answer({"error": {"message": "no"}}, 400)
    else:
        await call.answer({"id": read.filename})


async def end_upload(call: Call, name: str, how: str) -> None:
    """Complete or cancel an upload."""
    asked, upload = await call.document(), UPLOADS[name]
    SEEN["uploads"].append({how: asked, "most": upload["most"], "parts": upload["parts"]})
    await call.answer({"id": name, "status": f"{how}ed", "file": {"id": "file-1", "bytes": 1}})


ROUTES: Any = [
    ("GET /seen", seen),
    ("POST /forget", forget),
    ("POST /files", take_file),
    ("POST /(?:images/edits|audio/transcriptions|audio/translations|realtime/calls)", take_form),
    ("GET /files/([0-9]+)/content", give_file),
    ("GET /containers/[^/]+/files/([0-9]+)/content", give_half),
    ("POST /audio/speech", speak),
    ("POST /uploads", begin_upload),
    ("POST /uploads/([^/]+)/parts", take_part),
    ("POST /uploads/([^/]+)/(complete|cancel)", end_upload),
]


async def application(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[..., Any]) -> None:
    """Serve."""
    if scope["type"] != "http":
        return
    call = Call(scope, receive, send)
    line = f"{scope['method']} {call.path}"
    for pattern, serve in ROUTES:
        if (found := re.fullmatch(pattern, line)) is not None:
            with contextlib.suppress(EOFError):
                await serve(call, *found.groups())
            return
    await call.answer({"error": {"message": line}}, 404)
