"""
The application behind the file server: it takes forms and gives files, and shares no code with what it tests.

Contents are only hashed, so that any size will do. Forms up to a megabyte are parsed by the standard library's `email`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict
from email import policy
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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


async def application(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[..., Any]) -> None:
    """Serve."""
    if scope["type"] != "http":
        return
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    path, method = scope["path"].removeprefix("/v1"), scope["method"]

    async def answer(document: Any, status: int = 200) -> None:
        data = json.dumps(document).encode()
        head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": data})

    async def form() -> FormReader | None:
        reader = FormReader(headers.get("content-type", ""))
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                return None
            reader.feed(event.get("body", b""))
            if not event.get("more_body"):
                break
        whole = reader.finish()
        small = parsed(headers["content-type"], bytes(reader.start)) if reader.size < SMALL / 2 else []
        SEEN["forms"].append(
            {
                "path": path,
                "whole": whole,
                "sha": reader.sha.hexdigest(),
                "size": reader.size,
                "filename": reader.filename,
                "length": headers.get("content-length"),
                "chunked": headers.get("transfer-encoding") == "chunked",
                "version": scope["http_version"],
                "parts": small,
            }
        )
        return reader

    match method, path.strip("/").split("/"):
        case "GET", ["seen"]:
            await answer(SEEN)
        case "POST", ["forget"]:
            SEEN.clear()
            await answer({})
        case "POST", ["files"]:
            if (read := await form()) is not None:
                await answer({"id": read.sha.hexdigest(), "bytes": read.size, "filename": read.filename})
        case "POST", ["images", "edits"] | ["audio", "transcriptions"] | ["audio", "translations"] | [
            "realtime",
            "calls",
        ]:
            await form()
            await answer({"created": 1, "data": [], "text": "heard"})
        case "GET", ["files", name, "content"]:
            await give(int(name), send, cut=False)
        case "GET", ["containers", _, "files", name, "content"]:
            await give(int(name), send, cut=True)
        case "POST", ["audio", "speech"]:
            while (await receive()).get("more_body"):
                pass
            await give(300_000, send, cut=False)
        case "POST", ["uploads"]:
            body = b""
            while True:
                event = await receive()
                body += event.get("body", b"")
                if not event.get("more_body"):
                    break
            name = f"upload-{len(UPLOADS)}"
            UPLOADS[name] = {"parts": {}, "asked": json.loads(body)}
            SEEN["uploads"].append({"create": json.loads(body)})
            await answer({"id": name, "status": "pending"})
        case "POST", ["uploads", name, "parts"]:
            UPLOADS[name]["now"] = UPLOADS[name].get("now", 0) + 1
            UPLOADS[name]["most"] = max(UPLOADS[name].get("most", 0), UPLOADS[name]["now"])
            read = await form()
            UPLOADS[name]["now"] -= 1
            if read is not None:
                failing = UPLOADS[name]["asked"]["filename"] == "fails" and read.filename == "part-2"
                UPLOADS[name]["parts"][read.filename] = read.sha.hexdigest()
                await answer({"id": read.filename, "error": {"message": "no"}}, 400 if failing else 200)
        case "POST", ["uploads", name, last]:
            body = b""
            while True:
                event = await receive()
                body += event.get("body", b"")
                if not event.get("more_body"):
                    break
            asked = json.loads(body or b"{}")
            record = UPLOADS[name]
            SEEN["uploads"].append({last: asked, "most": record.get("most"), "parts": record["parts"]})
            await answer({"id": name, "status": f"{last}ed", "file": {"id": "file-1", "bytes": 1}})
        case _:
            await answer({"error": {"message": f"{method} {path}"}}, 404)


async def give(size: int, send: Callable[..., Any], *, cut: bool) -> None:
    """Send a file of *size* bytes, or the half of one that says to be whole."""
    head = [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % size)]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    at, end = 0, size // 2 if cut else size
    while at < end:
        piece = (BLOCK + BLOCK)[at % len(BLOCK) :][: min(len(BLOCK), end - at)]
        at += len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    if cut:
        await asyncio.sleep(0.05)
        raise RuntimeError("the answer is cut")
    await send({"type": "http.response.body", "body": b""})
