"""A stream of a million chunks takes no more memory than a short one."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.measuring import unmeasured_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.slow]

COUNT: Final = 1_000_000
GROWTH: Final = 4 * 1024 * 1024
"""Bytes; what keeps as little as 8 bytes of every chunk has grown by more."""
CHUNK: Final = b'data: {"choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
LAST: Final = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
BLOCK: Final = 500


@contextmanager
def upstream(count: int) -> Iterator[str]:
    """A server that answers one request with *count* chunks, as fast as they are taken; gives its base URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while b"\r\n\r\n" not in connection.recv(65536):
                pass
            connection.sendall(HEAD)
            for _ in range(count // BLOCK):
                connection.sendall(CHUNK * BLOCK)
            connection.sendall(LAST)

    thread = threading.Thread(target=serve)
    with listener:
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        thread.join()


@pytest.mark.timeout(300)
@pytest.mark.requirement("CLI-10")
def test_a_stream_that_is_only_read_keeps_nothing() -> None:
    """In a process of its own, over a real socket."""
    command = [sys.executable, "-m", "tests.integration.openai_client.stream_probe"]
    # what measures coverage keeps something for every line
    environment = unmeasured_environment()
    with upstream(COUNT) as base_url:
        told = subprocess.run([*command, base_url], env=environment, check=True, capture_output=True, text=True)
    found = json.loads(told.stdout)
    assert found["count"] == COUNT + 1
    assert found["ended"] - found["begun"] < GROWTH
