"""Lists, waiting, Azure and the admin key over real sockets, in both colours; embeddings over HTTP/2 too."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from openai_client import AsyncClient, Client, Timeout, UnexpectedResponse, azure, metadata_of, vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.openai_client.conftest import Caller

pytestmark = pytest.mark.integration


class Upstream(ThreadingHTTPServer):
    """A server on loopback that answers by a function, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.answer: Callable[[str, dict[str, str]], tuple[int, dict[str, str], Any]] = lambda _p, _q: (404, {}, {})
        self.released = threading.Event()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.server.asked.append((parts.path, query, {name.lower(): value for name, value in self.headers.items()}))
        status, headers, body = self.server.answer(parts.path, query)
        if status == 0:
            # an upstream that never answers, until the test is over
            self.server.released.wait(30)
            return
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    # the library calls them by these names
    do_GET = _serve  # noqa: N815
    do_POST = _serve  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def serve() -> Iterator[Upstream]:
    """Run an upstream."""
    with Upstream() as upstream:
        thread = threading.Thread(target=upstream.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield upstream
        finally:
            upstream.released.set()
            upstream.shutdown()
            thread.join()


upstream = pytest.fixture(serve, name="upstream")
other = pytest.fixture(serve, name="other")


async def with_client(colour: str, use: Callable[[Any], Any], **settings: Any) -> Any:
    """What *use* makes with a client of a colour."""
    if colour == "async":
        async with AsyncClient(**settings) as client:
            return await use(client)
    with Client(**settings) as sync_client:
        return use(sync_client)


def pages_of(number: int) -> Callable[[str, dict[str, str]], tuple[int, dict[str, str], Any]]:
    """Answers with pages of two files, so many of them; the ids are numbers."""

    def answer(_path: str, query: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        first = int(query.get("after", "-1")) + 1
        data = [{"id": str(first)}, {"id": str(first + 1)}]
        return 200, {}, {"object": "list", "data": data, "has_more": first + 2 < 2 * number}

    return answer


@pytest.mark.requirement("CLI-18")
async def test_a_thousand_items_are_gone_through_page_by_page(upstream: Upstream, colour: str) -> None:
    """Over one connection's worth of calls, each when it is needed."""
    upstream.answer = pages_of(50)

    async def use_async(client: AsyncClient) -> list[str]:
        return [item.id async for item in (await client.files.list(limit=2)).auto()]

    def use(client: Client) -> list[str]:
        return [item.id for item in client.files.list(limit=2).auto()]

    settings = {"base_url": upstream.url, "api_key": None}
    found = await with_client(colour, use_async if colour == "async" else use, **settings)
    assert found == [str(number) for number in range(100)]
    assert len(upstream.asked) == 50


@pytest.mark.requirement("CLI-18", "CLI-11")
async def test_a_list_that_hangs_ends_by_its_timeout(upstream: Upstream, colour: str) -> None:
    """In the middle, after the items before it."""
    first = pages_of(9)
    upstream.answer = lambda path, query: first(path, query) if "after" not in query else (0, {}, {})
    seen: list[str] = []

    async def use_async(client: AsyncClient) -> None:
        async for item in (await client.files.list(timeout=0.3)).auto():
            seen.append(item.id)  # noqa: PERF401 - what came before the failure is wanted

    def use(client: Client) -> None:
        for item in client.files.list(timeout=0.3).auto():
            seen.append(item.id)  # noqa: PERF401 - what came before the failure is wanted

    with pytest.raises(Timeout):
        await with_client(colour, use_async if colour == "async" else use, base_url=upstream.url, api_key=None)
    assert seen == ["0", "1"]


@pytest.mark.requirement("CLI-18", "ERR-11")
async def test_a_list_is_cancelled_in_the_middle(upstream: Upstream) -> None:
    """While the upstream is silent."""
    first = pages_of(9)
    hangs = threading.Event()

    def answer(path: str, query: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        if "after" in query:
            hangs.set()
            return 0, {}, {}
        return first(path, query)

    upstream.answer = answer
    async with AsyncClient(base_url=upstream.url, api_key=None) as client:

        async def read() -> None:
            async for _ in (await client.files.list()).auto():
                pass

        task = asyncio.ensure_future(read())
        assert await asyncio.to_thread(hangs.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.requirement("CLI-18")
async def test_a_server_that_knows_no_cursors_does_not_hold_anybody(upstream: Upstream, colour: str) -> None:
    """It sends its first page for ever."""
    upstream.answer = lambda _path, _query: (200, {}, {"data": [{"id": "a"}], "has_more": True})

    async def use_async(client: AsyncClient) -> list[Any]:
        return [item async for item in (await client.files.list()).auto()]

    with pytest.raises(UnexpectedResponse, match="this one again"):
        await with_client(
            colour,
            use_async if colour == "async" else lambda client: list(client.files.list().auto()),
            base_url=upstream.url,
            api_key=None,
        )
    assert len(upstream.asked) == 2


@pytest.mark.requirement("CLI-20")
async def test_work_is_waited_for_by_the_upstreams_own_pauses(upstream: Upstream, colour: str) -> None:
    """A batch that takes four looks."""
    states = iter(["validating", "in_progress", "finalizing", "completed"])
    upstream.answer = lambda _path, _query: (200, {"openai-poll-after-ms": "5"}, {"id": "b", "status": next(states)})
    seen: list[str | None] = []
    batch = await with_client(
        colour,
        lambda client: client.batches.poll("b", on_poll=lambda progress: seen.append(progress.state)),
        base_url=upstream.url,
        api_key=None,
    )
    assert batch.status == "completed"
    assert seen == ["validating", "in_progress", "finalizing", "completed"]
    assert [path for path, _, _ in upstream.asked] == ["/batches/b"] * 4


@pytest.mark.requirement("CLI-07", "CLI-08")
async def test_azure_is_called_by_its_paths_with_its_header_and_its_version(upstream: Upstream, colour: str) -> None:
    """Both kinds of paths; the key is in no other header."""
    upstream.answer = lambda _path, _query: (200, {}, {"id": "c", "choices": []})
    message = [{"role": "user", "content": "x"}]
    for given in ({}, {"deployment": "gpt-4.o", "api_version": "2024-10-21"}):
        settings = {**azure(upstream.url, **given), "api_key": "azure-key"}
        await with_client(
            colour, lambda client: client.chat.completions.create(model="gpt-4.o", messages=message), **settings
        )
    (path, query, headers), (older_path, older_query, older_headers) = upstream.asked
    assert (path, query) == ("/openai/v1/chat/completions", {})
    assert older_path == "/openai/deployments/gpt-4.o/chat/completions"
    assert older_query == {"api-version": "2024-10-21"}
    for one in (headers, older_headers):
        assert one["api-key"] == "azure-key"
        assert "authorization" not in one


@pytest.mark.requirement("SEC-19")
async def test_the_admin_key_follows_no_redirect(upstream: Upstream, other: Upstream, colour: str) -> None:
    """Nor does a call of another kind see it."""
    upstream.answer = lambda _path, _query: (307, {"location": f"{other.url}/organization/users"}, {})
    with pytest.raises(UnexpectedResponse):
        await with_client(
            colour,
            lambda client: client.admin.organization.users.list(),
            base_url=upstream.url,
            api_key="api-key-1",
            admin_api_key="admin-key-1",
        )
    assert [headers["authorization"] for _, _, headers in upstream.asked] == ["Bearer admin-key-1"]
    assert other.asked == []


@pytest.mark.requirement("CLI-21", "CLI-16")
async def test_many_inputs_are_embedded_over_both_protocols(caller: Caller, protocol: str) -> None:
    """The vectors are those that each input has alone."""
    inputs = [f"text {number}" for number in range(20)]
    made = await caller.call(
        lambda client: client.embeddings.create_many(inputs, model="m", max_batch_size=6, max_concurrency=2)
    )
    assert (made.requests, made.failures) == (4, ())
    alone = await caller.call(
        lambda client: client.embeddings.create(model="m", input=inputs[7], encoding_format="base64")
    )
    assert list(vectors(alone)[0]) == list(made.all_vectors()[7])
    metadata = metadata_of(alone)
    assert metadata.http_version == ("HTTP/2" if protocol == "h2" else "HTTP/1.1")
    assert metadata.seconds is not None
    assert 0 < metadata.head_seconds <= metadata.seconds
