"""The benchmark of the typed client measures what it says: its documents are the API's, and all of them is read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.typed.callers import Awaited, Blocking
from benchmarks.typed.documents import EXPECTED, MEASURES, Task
from benchmarks.typed.upstream import Answering, prepared
from http_util.client import build_async_client, build_client
from http_util.clock import SystemClock, SystemSyncClock
from http_util.testing import Answer, ScriptedUpstream
from openai_client import AsyncClient, AsyncHttpTransport, Client, ClientConfig, HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = ClientConfig(base_url="http://localhost:8000/v1", api_key="k")


def answer_to(task: Task) -> Answer:
    """What the upstream writes, as an answer of the script."""
    head, *pieces = b"".join(prepared()[task]).split(b"\r\n\r\n", 1)
    kind = "text/event-stream" if b"event-stream" in head else "application/json"
    body = _unchunked(pieces[0]) if b"chunked" in head else pieces[0]
    return Answer(body=(body,), headers={"content-type": kind})


def _unchunked(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        found, body = found + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return found


def blocking(upstream: ScriptedUpstream) -> Blocking:
    """The caller in blocking code."""
    http_client = build_client(CONFIG.http, transport=upstream)
    return Blocking(
        Client(CONFIG, transport=HttpTransport(CONFIG.http, clock=SystemSyncClock(), http_client=http_client))
    )


def awaited(upstream: ScriptedUpstream) -> Awaited:
    """The caller on a loop."""
    http_client = build_async_client(CONFIG.http, transport=upstream)
    transport = AsyncHttpTransport(CONFIG.http, clock=SystemClock(), http_client=http_client)
    return Awaited(lambda: AsyncClient(CONFIG, transport=transport))


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("make", [blocking, awaited])
def test_every_task_is_read_to_what_was_sent(task: Task, make: Callable[[ScriptedUpstream], Any]) -> None:
    """A client that reads less has no figure."""
    caller = make(ScriptedUpstream(answer_to(task)))
    try:
        assert caller.run(task, 1) == [EXPECTED[task]]
    finally:
        caller.close()
    assert MEASURES[task].calls > 0


async def test_the_upstream_answers_what_is_asked_for() -> None:
    """A request cut in two is one request; the body names the task."""
    written: list[bytes] = []

    class Sink(asyncio.Transport):
        def write(self, data: Any) -> None:
            written.append(data)

        def writelines(self, list_of_data: Any) -> None:
            written.extend(list_of_data)

    answers = prepared()
    upstream = Answering(answers)
    upstream.connection_made(Sink())
    body = b'{"model":"completion"}'
    upstream.data_received(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body))
    assert written == []
    upstream.data_received(body)
    assert written == answers[Task.COMPLETION]
    upstream.data_received(b"GET /v1/files HTTP/1.1\r\n\r\n")
    assert written[1:] == answers[Task.LIST]
