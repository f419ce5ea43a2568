"""A server that others wrote, in a thread: it keeps each request as it came, and answers as it is told."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

if TYPE_CHECKING:
    from tests.integration.http_util.engine.real_servers import Papers


@dataclass
class Seen:
    """One request."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes
    http_version: str


@dataclass
class RecordingServer:
    """Hypercorn with HTTP/1.1 in the clear and HTTP/2 over TLS, on loopback."""

    papers: Papers
    answer: tuple[int, str, bytes] = (200, "application/json", b"{}")
    seen: list[Seen] = field(default_factory=list)

    def start(self) -> None:
        """Begin to listen."""
        self._plain, self._secure = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        self.base_url = f"http://127.0.0.1:{self._plain.getsockname()[1]}/v1"
        self.tls_base_url = f"https://127.0.0.1:{self._secure.getsockname()[1]}/v1"
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),))
        self._ready = threading.Event()
        self._thread.start()
        assert self._ready.wait(10.0)

    def stop(self) -> None:
        """End, with all connections."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20.0)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        config = Config()
        # hypercorn takes the descriptors over, and closes them
        config.bind, config.insecure_bind = [f"fd://{self._secure.detach()}"], [f"fd://{self._plain.detach()}"]
        config.certfile, config.keyfile = str(self.papers.certificate), str(self.papers.key)
        config.alpn_protocols, config.graceful_timeout = ["h2", "http/1.1"], 1.0
        config.errorlog = logging.getLogger("quiet")
        self._ready.set()
        await serve(self._application, config, shutdown_trigger=self._stop.wait)

    async def _application(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        content = b""
        while (event := await receive())["type"] == "http.request":
            content += event["body"]
            if not event["more_body"]:
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        url = f"{scope['raw_path'].decode()}?{scope['query_string'].decode()}"
        self.seen.append(Seen(scope["method"], url, headers, content, scope["http_version"]))
        status, kind, body = self.answer
        head = [(b"content-type", kind.encode())]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": body})
