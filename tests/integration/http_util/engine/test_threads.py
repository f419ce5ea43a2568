"""The blocking client: the same engine, used by many threads at once."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from adapter_api.outcome import Outcome
from http_util.client import build_client
from http_util.config import HttpConfig
from http_util.transport_errors import Phase, classify_transport_error
from tests.integration.http_util.engine.measure import MIB, Watch, turns, until
from tests.integration.http_util.engine.scripted_http1 import GOOD, Http1Connection, Http1Server, answering, by_path
from tests.integration.http_util.engine.scripted_http2 import CANCEL, REFUSED_STREAM, Http2Server, paths
from tests.process import open_sockets, resident

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from tests.integration.http_util.engine.conftest import BlockingClients
    from tests.integration.http_util.engine.real_servers import Papers, RealServer
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-09", "HTU-1001")]

THREADS = 8
PROMPT = 0.1


def in_threads(work: Callable[[int], object], threads: int = THREADS) -> list[object]:
    """Do some work in threads of its own, each with its number; what each returned."""
    with ThreadPoolExecutor(threads) as executor:
        return list(executor.map(work, range(threads)))


@pytest.mark.requirement("HTU-PERF-1301")
def test_eight_threads_share_a_client(server: RealServer, http2: bool, blocking_client: BlockingClients) -> None:
    """Fifteen calls each; over HTTP/2 all on one connection."""
    with blocking_client(server.url, http2=http2) as http:
        # so that there is a connection to share
        http.get("/count")

        def work(_: int) -> set[int]:
            answers = [http.post("/count", content=b"x" * 100) for _ in range(15)]
            assert {answer.json()["bytes"] for answer in answers} == {100}
            assert {answer.http_version for answer in answers} == {"HTTP/2" if http2 else "HTTP/1.1"}
            return {answer.json()["port"] for answer in answers}

        ports = set().union(*in_threads(work))
    assert len(ports) == 1 if http2 else len(ports) <= THREADS + 1


def test_bodies_of_threads_do_not_mix(server: RealServer, http2: bool, blocking_client: BlockingClients) -> None:
    """Uploads and downloads side by side come back each to its own thread."""
    with blocking_client(server.url, http2=http2) as http:

        def work(number: int) -> None:
            content = bytes([number + 1]) * (100_000 + number)
            for _ in range(3):
                assert http.post("/echo", content=content).content == content
                assert http.post("/echo", content=iter([content, b"", b"end"])).content == content + b"end"
                assert len(http.get(f"/size?n={300_000 + number}").content) == 300_000 + number

        in_threads(work)


def test_the_upstream_sees_within_100_ms_that_a_stream_was_closed(
    server: RealServer, http2: bool, blocking_client: BlockingClients
) -> None:
    """Closing an answer early ends the work upstream; a neighbour in another thread goes on."""
    names = [f"thread-{http2}-{number}" for number in range(5)]
    left: dict[str, float] = {}
    with blocking_client(server.url, http2=http2) as http, http.stream("GET", "/stream") as neighbour:
        pieces = neighbour.iter_raw()
        for name in names:
            with http.stream("GET", f"/stream?id={name}") as answer:
                next(answer.iter_raw())
                left[name] = time.monotonic()
            assert next(pieces)
        deadline = time.monotonic() + 5
        late = []
        for name in names:
            while not (ended := server.memory(name)["ended"]):
                assert time.monotonic() < deadline
            late.append(ended - left[name])
        assert next(pieces)
    assert sorted(late)[len(late) // 2] < PROMPT
    assert max(late) < 1


async def test_closing_a_stream_early_resets_it_and_keeps_the_connection(
    blocking_client: BlockingClients, h2: ssl.SSLContext
) -> None:
    """Three streams are closed in the middle; the call after them uses the same connection."""
    server = Http2Server()

    def scenario(url: str) -> str:
        with blocking_client(url) as http:
            for _ in range(3):
                with http.stream("POST", "/stream", content=b"{}") as answer:
                    next(answer.iter_raw())
            return http.get("/ok").text

    async with server.at(h2) as url:
        assert await asyncio.to_thread(scenario, url) == "ok"
        await until(lambda: [stream.reset_code for stream in server.streams[:3]] == [CANCEL] * 3)
        assert len(server.connections) == 1


async def test_a_body_is_read_piece_by_piece_in_a_thread(
    blocking_client: BlockingClients, h2: ssl.SSLContext, http2: bool
) -> None:
    """The engine's own reader blocks, and is closed by ``close``."""

    def scenario(url: str) -> list[bytes | None]:
        with blocking_client(url) as http:
            answer = http.send(http.build_request("GET", "/ok"), stream=True)
            body = answer.extensions["http_util.body"]
            pieces = [body.next_piece(), body.next_piece(), body.next_piece()]
            body.close()
            answer.close()
            return pieces

    server = Http2Server() if http2 else Http1Server(by_path)
    async with server.at(h2 if http2 else None) as url:
        assert await asyncio.to_thread(scenario, url) == [b"ok", None, None]


async def test_refused_streams_and_goaway_move_in_threads_too(
    blocking_client: BlockingClients, h2: ssl.SSLContext
) -> None:
    """Every fifth call of eight threads is refused once, every connection ends soon; all calls are answered."""
    refused: set[bytes] = set()

    async def script(stream: Stream) -> None:
        await stream.ended.wait()
        content = bytes(stream.body)
        if content.endswith((b"0", b"5")) and content not in refused:
            refused.add(content)
            stream.reset(REFUSED_STREAM)
        elif stream.number > 60:
            stream.connection.goaway(60)
        else:
            stream.answer(bytes(stream.body))

    def scenario(url: str) -> None:
        with blocking_client(url) as http:

            def work(number: int) -> None:
                for count in range(20):
                    content = b"%d-%d" % (number, count)
                    assert http.post("/", content=content).content == content

            in_threads(work)

    async with Http2Server(script).at(h2) as url:
        await asyncio.to_thread(scenario, url)


async def test_timers_have_their_own_exceptions_in_threads(
    blocking_client: BlockingClients, h2: ssl.SSLContext, http2: bool
) -> None:
    """Read, write and pool; the client works afterwards."""

    def scenario(url: str) -> None:
        with blocking_client(url, max_connections=2, pool_timeout=0.1, write_timeout=0.2) as http:
            with pytest.raises(httpx.ReadTimeout):
                http.get("/silent", timeout=httpx.Timeout(5, read=0.1))
            with pytest.raises(httpx.WriteTimeout):
                http.post("/deaf" if not http2 else "/silent", content=bytes(30_000_000))
            assert http.get("/ok").text == "ok"

    server = Http2Server(gives_credit=False) if http2 else Http1Server(by_path)
    async with server.at(h2 if http2 else None) as url:
        await asyncio.to_thread(scenario, url)


async def test_a_wait_for_a_place_is_bounded_in_threads(blocking_client: BlockingClients) -> None:
    """One place, taken by another thread: PoolTimeout, NOT_SENT."""

    def scenario(url: str) -> None:
        with (
            blocking_client(url, max_connections=1, pool_timeout=0.1) as http,
            http.stream("GET", "/stream") as answer,
        ):
            next(answer.iter_raw())
            with pytest.raises(httpx.PoolTimeout) as caught:
                http.get("/ok")
            assert classify_transport_error(caught.value, Phase.SENDING).outcome is Outcome.NOT_SENT

    async with Http1Server(by_path).at() as url:
        await asyncio.to_thread(scenario, url)


async def test_a_broken_peer_is_a_protocol_error_in_threads(
    blocking_client: BlockingClients, h2: ssl.SSLContext, http2: bool
) -> None:
    """Typed as for asyncio, and the next call is answered."""

    async def script(stream: Stream) -> None:
        if stream.path == "/attack":
            stream.connection.raw(b"garbage " * 100)
        else:
            await paths(stream)

    def scenario(url: str) -> None:
        with blocking_client(url) as http:
            with pytest.raises(httpx.RemoteProtocolError) as caught:
                http.get("/attack")
            assert classify_transport_error(caught.value, Phase.SENDING).reason in {"protocol", "reset"}
            assert http.get("/ok").text == "ok"

    server = Http2Server(script) if http2 else Http1Server(answering(b"garbage \r\n\r\n"))
    async with server.at(h2 if http2 else None) as url:
        await asyncio.to_thread(scenario, url)


async def test_bytes_behind_an_answer_never_become_the_next_answer_in_a_thread(papers: Papers) -> None:
    """The blocking client drops such a connection too; and one that was closed is not used."""
    server = Http1Server(answering(GOOD + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"))

    def both(url: str) -> list[str]:
        with build_client(HttpConfig(base_url=url)) as http:
            return [http.get(f"{url}/a").text, http.get(f"{url}/b").text]

    async with server.at() as url:
        assert await asyncio.to_thread(both, url) == ["ok", "ok"]
        assert len(server.connections) == 2


async def test_a_connection_closed_behind_its_answer_is_not_used_again_in_a_thread(
    blocking_client: BlockingClients,
) -> None:
    """Fifty POSTs in a row, each answered on a connection that is closed behind the answer."""
    closed = threading.Semaphore(0)

    async def once(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(GOOD)
        connection.close()
        # the transport closes its socket in the next turn of the loop
        await turns(2)
        closed.release()

    def scenario(url: str) -> None:
        with blocking_client(url) as http:
            for _ in range(50):
                assert http.post("/", content=b"x").text == "ok"
                assert closed.acquire(timeout=5)

    server = Http1Server(once)
    async with server.at() as url:
        await asyncio.to_thread(scenario, url)
        assert server.requests == 50


def test_closing_the_client_from_another_thread_ends_what_is_in_flight(
    server: RealServer, http2: bool, blocking_client: BlockingClients
) -> None:
    """A reader and a waiter get a typed error soon, and no thread hangs."""
    http = blocking_client(server.url, http2=http2)
    begun = threading.Barrier(3)
    ends: list[BaseException] = []

    def read() -> None:
        try:
            with http.stream("GET", "/stream") as answer:
                pieces = answer.iter_raw()
                next(pieces)
                begun.wait(5)
                for _ in pieces:
                    pass
        except httpx.TransportError as error:
            ends.append(error)

    def wait() -> None:
        begun.wait(5)
        try:
            http.get("/silent")
        except (httpx.TransportError, RuntimeError) as error:
            ends.append(error)

    threads = [threading.Thread(target=target) for target in (read, wait)]
    for thread in threads:
        thread.start()
    begun.wait(5)
    time.sleep(0.05)
    watch = Watch()
    http.close()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)
    assert watch.seconds < 2
    assert len(ends) == 2


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_a_body_that_exits_ends_its_own_call_alone(
    server: RealServer, http2: bool, blocking_client: BlockingClients, end: type[BaseException]
) -> None:
    """What draws a body may call `sys.exit`; the engine goes on, for this thread and for all others."""

    def body() -> Iterator[bytes]:
        yield b"x"
        raise end

    with blocking_client(server.url, http2=http2) as http, http.stream("GET", "/stream") as neighbour:
        pieces = neighbour.iter_raw()
        next(pieces)
        with pytest.raises(end):
            http.post("/echo", content=body())
        assert http.post("/echo", content=b"tide").content == b"tide"
        assert next(pieces)


def test_closing_does_not_wait_for_a_resolver(
    blocking_client: BlockingClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may take as long as it likes, in a thread that nobody can stop."""
    let_go = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: let_go.wait(30) and [])
    http = blocking_client("http://localhost:1", connect_timeout=0.1)
    try:
        with pytest.raises(httpx.ConnectTimeout):
            http.get("/")
        watch = Watch()
        http.close()
        assert watch.seconds < 2
    finally:
        let_go.set()


_CHILD = """
import os, signal, sys
from http_util.client import build_client
from http_util.config import HttpConfig
from http_util.engine.errors import Elsewhere

url = sys.argv[1]
http = build_client(HttpConfig(base_url=url))
with http.stream("GET", url + "/stream") as answer:
    pieces = answer.iter_raw()
    next(pieces)
    if os.fork():
        os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
    # what hangs is ended by this
    signal.alarm(10)
    try:
        next(pieces)
    except Elsewhere as error:
        print(error, flush=True)
    answer.extensions["http_util.body"].drop()
print(http.get(url + "/ok").text, flush=True)
http.close()
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
async def test_a_forked_process_cannot_read_what_its_parent_began_and_hangs_nowhere() -> None:
    """A read says so, a close does nothing, and a new call is answered over a connection of its own."""
    server = Http1Server(by_path)
    async with server.at() as url:
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", _CHILD, url, stdout=asyncio.subprocess.PIPE)
        said, _ = await child.communicate()
    assert (child.returncode, said.decode().splitlines()) == (
        0,
        ["the answer came before this process was forked: only the parent can read it", "ok"],
    )


@pytest.mark.slow
def test_clients_that_are_closed_leave_no_thread_and_no_socket(
    server: RealServer, http2: bool, blocking_client: BlockingClients
) -> None:
    """Ten clients, each used and closed, some in the middle of a stream."""
    with blocking_client(server.url, http2=http2) as http:
        http.get("/count")
    before = (threading.active_count(), open_sockets())
    for number in range(10):
        with blocking_client(server.url, http2=http2) as http:
            http.get("/count")
            if number % 2:
                with http.stream("GET", "/stream") as answer:
                    next(answer.iter_raw())
    deadline = time.monotonic() + 3
    while (threading.active_count(), open_sockets()) != before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_client_that_is_not_used_starts_nothing(blocking_client: BlockingClients) -> None:
    """No thread and no socket before the first call."""
    before = (threading.active_count(), open_sockets())
    http = blocking_client("http://127.0.0.1:9")
    assert (threading.active_count(), open_sockets()) == before
    http.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["granian", "hypercorn"])
def test_an_answer_that_a_thread_does_not_read_is_not_held_in_memory(
    name: str, http2: bool, start: Callable[..., RealServer], blocking_client: BlockingClients
) -> None:
    """100 MB wait upstream while the thread does something else; then all of it arrives."""
    with blocking_client(start(name).url, http2=http2) as http:
        before = resident()
        with http.stream("GET", "/size?n=100000000") as answer:
            pieces = answer.iter_raw()
            received = len(next(pieces))
            time.sleep(0.4)
            assert resident() - before < 32 * MIB
            received += sum(len(piece) for piece in pieces)
        assert received == 100_000_000


def test_a_client_may_be_used_inside_a_running_loop(start: Callable[..., RealServer], papers: Papers) -> None:
    """As people do in notebooks: a blocking call in a coroutine blocks it, and works."""

    async def notebook() -> int:
        server = start("hypercorn")
        with build_client(HttpConfig(base_url=server.url, ca_file=papers.ca_file)) as http:
            return http.get(f"{server.url}/count").status_code

    assert asyncio.run(notebook()) == 200
