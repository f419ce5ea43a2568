"""The end of a client and the end of a loop, with requests in flight: typed errors, no warning, nothing left."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from adapter_api.outcome import Outcome
from http_util.engine.errors import Elsewhere
from http_util.transport_errors import Phase, classify_transport_error
from tests.integration.http_util.engine.measure import Watch, tasks, turns, until
from tests.integration.http_util.engine.scripted_http1 import Http1Server, by_path
from tests.integration.http_util.engine.scripted_http2 import Http2Server
from tests.process import open_sockets

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.real_servers import Papers, RealServer

pytestmark = [pytest.mark.integration, pytest.mark.requirement("HTU-18", "HTU-PERF-1301")]


async def read(http: httpx.AsyncClient, path: str) -> None:
    """Read an answer to its end."""
    async with http.stream("GET", path) as answer:
        async for _ in answer.aiter_raw():
            pass


async def test_closing_a_client_fails_what_is_in_flight(client: Clients, h2: ssl.SSLContext, http2: bool) -> None:
    """A reader, a waiter for an answer and a waiter for a place each get a typed error soon; nothing is left."""
    server = Http2Server() if http2 else Http1Server(by_path)
    async with server.at(h2 if http2 else None) as url:
        before = (tasks(), open_sockets())
        http = client(url, max_connections=1 if http2 else 3)
        calls = [asyncio.ensure_future(read(http, path)) for path in ("/stream", "/silent", "/silent", "/silent")]
        await until(lambda: len(server.streams) == 4 if http2 else server.requests == 3)
        watch = Watch()
        await http.aclose()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert watch.seconds < 1
        assert all(isinstance(end, httpx.TransportError) for end in ends)
        await until(lambda: server.open == 0)
        await until(lambda: (tasks(), open_sockets()) == before)


async def test_a_client_is_closed_while_it_connects(client: Clients, h2: ssl.SSLContext) -> None:
    """At any turn of the handshake: the call fails, no socket is left."""
    server = Http2Server()
    async with server.at(h2) as url:
        before = (tasks(), open_sockets())
        for count in range(0, 60, 3):
            http = client(url)
            call = asyncio.ensure_future(http.get("/silent"))
            await turns(count)
            await http.aclose()
            done, _ = await asyncio.wait((call,), timeout=2)
            assert done
            assert isinstance(call.exception(), httpx.TransportError | RuntimeError)
        await until(lambda: (tasks(), open_sockets()) == before)


async def test_closing_twice_and_closing_an_unused_client_do_nothing(client: Clients, h2: ssl.SSLContext) -> None:
    """And an answer that is closed after its client was."""
    async with Http2Server().at(h2) as url:
        http = client(url)
        await http.aclose()
        await http.aclose()
        http = client(url)
        answer = await http.send(http.build_request("GET", "/stream"), stream=True)
        await http.aclose()
        await answer.aclose()
        await http.aclose()


async def test_a_connection_is_said_goodbye_to(client: Clients, h2: ssl.SSLContext) -> None:
    """Closing an unused client ends its connections in order: GOAWAY without an error over HTTP/2, FIN below."""
    server = Http2Server()
    async with server.at(h2) as url:
        async with client(url) as http:
            await http.get("/ok")
        await until(server.connections[0].gone.is_set)
        assert server.connections[0].goaway_code in {0, None}


@pytest.mark.slow
async def test_many_clients_leave_nothing_behind(server: RealServer, http2: bool, client: Clients) -> None:
    """Sixteen clients, closed in the middle of a stream or after a call: sockets and tasks are as before."""
    before = (tasks(), open_sockets())
    for number in range(16):
        async with client(server.url, http2=http2) as http:
            if number % 2:
                await http.get("/count")
            else:
                answer = await http.send(http.build_request("GET", "/stream"), stream=True)
                await anext(answer.aiter_raw())
    gc.collect()
    await until(lambda: (tasks(), open_sockets()) == before)


async def test_a_client_says_that_it_belongs_to_another_loop(client: Clients) -> None:
    """One that still runs: nothing is sent, and an answer of its is not read elsewhere, and closed soon."""
    server = Http1Server(by_path)
    async with server.at() as url, client(url) as http:
        answer = await http.send(http.build_request("GET", "/stream"), stream=True)

        async def read_on() -> None:
            # what has come already is anybody's
            while await answer.extensions["http_util.body"].next_piece():
                pass

        for work, phase, outcome in (
            (lambda: http.get("/ok"), Phase.SENDING, Outcome.NOT_SENT),
            (read_on, Phase.STREAMING, Outcome.PARTIAL),
        ):
            with pytest.raises(Elsewhere, match="event loop") as caught:
                await asyncio.to_thread(asyncio.run, work())
            failure = classify_transport_error(caught.value, phase)
            assert (failure.reason, failure.outcome) == ("closed", outcome)
            assert "event loop" in failure.message
        assert server.requests == 1
        await asyncio.to_thread(asyncio.run, answer.extensions["http_util.body"].aclose())
        await until(server.connections[0].gone.is_set)


# what the first loop left open is Python's to complain about
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_client_is_used_by_one_loop_after_another(start: Callable[..., RealServer], client: Clients) -> None:
    """As scripts do with several asyncio.run: the second loop does not wait on sockets of the first."""
    http = client(start("hypercorn").url)

    async def call(*, last: bool) -> int:
        status = (await http.get("/count")).status_code
        if last:
            await http.aclose()
        return status

    assert asyncio.run(call(last=False)) == 200
    gc.collect()
    assert asyncio.run(call(last=True)) == 200
    gc.collect()


PROGRAM = """
import asyncio, sys, warnings
from http_util import HttpConfig, build_async_client

async def main(url, ca_file, how):
    client = build_async_client(HttpConfig(base_url=url, ca_file=ca_file))
    answers = [await client.send(client.build_request("GET", url + "/stream"), stream=True) for _ in range(3)]
    waiting = [asyncio.ensure_future(client.get(url + "/silent")) for _ in range(3)]
    await anext(answers[0].aiter_raw())
    await asyncio.sleep(0.05)
    if how == "closed":
        await client.aclose()
        await asyncio.gather(*waiting, return_exceptions=True)

asyncio.run(main(*sys.argv[1:]), debug=False)
print("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["closed", "left open"])
def test_a_program_that_ends_with_open_streams_says_nothing(
    how: str, start: Callable[..., RealServer], papers: Papers, tmp_path: Path
) -> None:
    """The loop shuts down while streams are open: no warning, no traceback, no exception that nobody retrieved."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    ran = subprocess.run(
        [sys.executable, "-X", "dev", str(program), start("hypercorn").url, str(papers.ca_file), how],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "done\n"), ran.stderr
    if how == "closed":
        assert ran.stderr == ""
    else:
        # who leaves a client open may be told that its sockets were, and nothing else
        lines = [line for line in ran.stderr.splitlines() if "Error" in line or "exception" in line.lower()]
        assert not lines, ran.stderr
