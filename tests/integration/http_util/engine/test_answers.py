"""Answers of every shape that is allowed: without a body, in many pieces, with trailers, read piece by piece."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.integration.http_util.engine.measure import until
from tests.integration.http_util.engine.scripted_http1 import CHUNKED, Http1Connection, Http1Server, answering
from tests.integration.http_util.engine.scripted_http2 import Http2Server

if TYPE_CHECKING:
    import ssl

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.real_servers import RealServer
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.requirement("HTU-1001")]


@pytest.mark.parametrize(
    ("method", "status", "headers"),
    [
        ("HEAD", 200, {"content-length": "1000"}),
        ("HEAD", 200, {}),
        ("GET", 204, {}),
        ("GET", 304, {"content-length": "1000"}),
        ("GET", 200, {"content-length": "0"}),
        ("POST", 204, {}),
        ("DELETE", 200, {"content-length": "0"}),
    ],
)
async def test_an_answer_without_a_body_ends_with_its_head(
    method: str, status: int, headers: dict[str, str], client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """Whatever length it names; the connection is kept for the next call."""

    async def script(stream: Stream) -> None:
        stream.head(status, *headers.items(), end=True)

    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    bare = f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode()
    server = Http2Server(script) if http2 else Http1Server(answering(bare, bare))
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        for _ in range(2):
            answer = await http.request(method, "/")
            assert (answer.status_code, answer.content) == (status, b"")
            assert {name: answer.headers[name] for name in headers} == headers
        assert len(server.connections) == 1


async def test_an_empty_body_may_come_behind_the_head(client: Clients, h2: ssl.SSLContext) -> None:
    """HTTP/2: an empty DATA frame, or empty trailers, end an answer without a body."""

    async def script(stream: Stream) -> None:
        stream.head()
        if stream.path == "/data":
            stream.data(b"", end=True)
        else:
            stream.trailers(("x-trailer", "1"))

    async with Http2Server(script).at(h2) as url, client(url) as http:
        assert (await http.get("/data")).content == b""
        assert (await http.get("/trailers")).content == b""


async def test_trailers_end_a_body_and_do_not_become_headers(client: Clients, h2: ssl.SSLContext, http2: bool) -> None:
    """They are read and left out; the next call on the connection is answered."""

    async def script(stream: Stream) -> None:
        stream.head(200, ("x-head", "1"))
        stream.data(b"body")
        stream.trailers(("x-trailer", "1"), ("x-head", "2"))

    chunks = b"HTTP/1.1 200 OK\r\nx-head: 1\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks += b"4\r\nbody\r\n0\r\nx-trailer: 1\r\nx-head: 2\r\n\r\n"
    server = Http2Server(script) if http2 else Http1Server(answering(*[chunks] * 2))
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        for _ in range(2):
            answer = await http.get("/")
            assert (answer.text, answer.headers["x-head"], answer.headers.get("x-trailer")) == ("body", "1", None)
        assert len(server.connections) == 1


async def test_many_small_chunks_are_one_body(client: Clients) -> None:
    """Two thousand chunks of one byte, with extensions now and then, in pieces that cut them anywhere."""
    parts = [b"1%s\r\n%d\r\n" % (b";e=1" if number % 7 == 0 else b"", number % 10) for number in range(2000)]
    framed = b"".join(parts) + b"0\r\n\r\n"

    async def script(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(CHUNKED)
        for at in range(0, len(framed), 777):
            await connection.send(framed[at : at + 777])
            await asyncio.sleep(0)
        await connection.until_gone()

    async with Http1Server(script).at() as url, client(url) as http:
        assert (await http.get("/")).text == "0123456789" * 200


async def test_a_body_without_a_length_ends_with_its_connection(client: Clients) -> None:
    """As HTTP/1.0 has it: closing in order is the end of the answer."""

    async def script(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for number in range(20):
            await connection.send(b"%d" % (number % 10))
            await asyncio.sleep(0)
        connection.close()

    async with Http1Server(script).at() as url, client(url) as http:
        assert (await http.get("/")).text == "0123456789" * 2


async def test_a_body_without_a_length_that_is_reset_is_not_a_whole_one(client: Clients) -> None:
    """RST in place of FIN: the answer is cut."""

    async def script(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\nbody")
        await asyncio.sleep(0.02)
        connection.reset()

    async with Http1Server(script).at() as url, client(url) as http:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await http.get("/")


async def test_a_body_without_a_length_over_tls_needs_the_end_of_tls(client: Clients, h1: ssl.SSLContext) -> None:
    """Without close_notify anybody on the way may have cut it: a truncated answer must not look whole."""

    async def script(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\nbody")
        await asyncio.sleep(0.02)
        if connection.number == 0:
            # the socket below is closed without a word of TLS
            connection.writer.transport.abort()
        else:
            connection.close()

    async with Http1Server(script).at(h1) as url, client(url) as http:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await http.get("/")
        assert (await http.get("/")).text == "body"


async def test_headers_and_status_arrive_as_they_were_sent(client: Clients, h2: ssl.SSLContext, http2: bool) -> None:
    """Repeated headers stay apart and in order; unusual states are passed on."""

    async def script(stream: Stream) -> None:
        stream.head(299, ("set-cookie", "a=1"), ("x-one", "1"), ("set-cookie", "b=2"), end=True)

    bare = b"HTTP/1.1 299 Odd\r\nSet-Cookie: a=1\r\nX-One: 1\r\nSet-Cookie: b=2\r\ncontent-length: 0\r\n\r\n"
    server = Http2Server(script) if http2 else Http1Server(answering(bare))
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        answer = await http.get("/")
    assert answer.status_code == 299
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["x-one"] == "1"


async def test_the_request_arrives_as_it_was_written(client: Clients, h2: ssl.SSLContext, http2: bool) -> None:
    """Method, path with its query and escapes, authority, headers that repeat."""
    heads: list[Any] = []

    async def script(stream: Stream) -> None:
        heads.append(stream.headers)
        stream.answer()

    async def lines(connection: Http1Connection) -> None:
        head = (await connection.request()).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in headers.items()}
        heads.append({":method": method, ":path": target, ":authority": headers["host"], **headers})
        await connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    server = Http2Server(script) if http2 else Http1Server(lines)
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        await http.request("PATCH", "/a%20b/%C3%A9?x=1&y=%2F", content=b"abc", headers={"X-Mixed": "Case"})
        place = url.split("//")[1]
    (head,) = heads
    assert (head[":method"], head[":path"], head[":authority"]) == ("PATCH", "/a%20b/%C3%A9?x=1&y=%2F", place)
    assert (head["x-mixed"], head["content-length"]) == ("Case", "3")
    if http2:
        assert head[":scheme"] == "https"
        assert not {"host", "connection", "transfer-encoding", "keep-alive"} & head.keys()


async def test_a_body_is_read_piece_by_piece(client: Clients, h2: ssl.SSLContext, http2: bool) -> None:
    """The engine's own reader: what has arrived is handed out joined, never empty, and None at the end."""

    async def script(stream: Stream) -> None:
        stream.head()
        for number in range(3):
            await steps[number].wait()
            stream.data(b"one ")
            stream.data(b"two ")
        await steps[3].wait()
        stream.data(b"", end=True)

    async def chunks(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(CHUNKED)
        for number in range(3):
            await steps[number].wait()
            await connection.send(b"4\r\none \r\n4\r\ntwo \r\n")
        await steps[3].wait()
        await connection.send(b"0\r\n\r\n")

    steps = [asyncio.Event() for _ in range(4)]
    server = Http2Server(script) if http2 else Http1Server(chunks)
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        answer = await http.send(http.build_request("GET", "/"), stream=True)
        body = answer.extensions["http_util.body"]
        for number in range(3):
            steps[number].set()
            assert await body.next_piece() == b"one two "
        steps[3].set()
        assert await body.next_piece() is None
        assert await body.next_piece() is None
        await body.aclose()
        await answer.aclose()


async def test_closing_the_piecewise_reader_stops_the_upstream(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """The same as closing the answer: RST_STREAM, or the end of the connection."""
    from tests.integration.http_util.engine.scripted_http1 import by_path

    server = Http2Server() if http2 else Http1Server(by_path)
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        answer = await http.send(http.build_request("GET", "/stream"), stream=True)
        body = answer.extensions["http_util.body"]
        assert (await body.next_piece()).startswith(b"data: tick")
        await body.aclose()
        await until(lambda: all(thing.gone.is_set() for thing in (server.streams if http2 else server.connections)))


@pytest.mark.slow
async def test_large_answers_at_once_do_not_mix(server: RealServer, http2: bool, client: Clients) -> None:
    """Ten downloads and ten echoes side by side are each complete."""
    async with client(server.url, http2=http2, pool_timeout=30) as http:
        sizes = [number * 100_003 for number in range(1, 11)]
        downloads = [http.get(f"/size?n={size}") for size in sizes]
        echoes = [http.post("/echo", content=bytes([size % 251]) * size) for size in sizes]
        answers = await asyncio.gather(*downloads, *echoes)
    assert [len(answer.content) for answer in answers[:10]] == sizes
    assert [answer.content for answer in answers[10:]] == [bytes([size % 251]) * size for size in sizes]
