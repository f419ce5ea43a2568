"""Hostile and broken HTTP/1.1 answers: smuggling shapes, endless heads, lies about lengths, cuts anywhere."""

from __future__ import annotations

import asyncio
from itertools import repeat
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.integration.http_util.engine.attacks import ends_in_a_protocol_error
from tests.integration.http_util.engine.measure import until
from tests.integration.http_util.engine.scripted_http1 import CHUNKED, GOOD, Http1Connection, Http1Server, answering

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.scripted_http1 import Script

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-07", "ERR-09")]

OK = b"HTTP/1.1 200 OK\r\n"

SMUGGLING = {
    "two lengths": OK + b"content-length: 4\r\ncontent-length: 3\r\n\r\nevil",
    "two lengths in one header": OK + b"content-length: 4, 3\r\n\r\nevil",
    "length and chunks": OK + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": OK + b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
    "chunks twice": OK + b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunks not last": OK + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\nevil",
    "unknown coding": OK + b"transfer-encoding: evil\r\n\r\n0\r\n\r\n",
    "coding with a tab": OK + b"transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "negative length": OK + b"content-length: -4\r\n\r\nevil",
    "signed length": OK + b"content-length: +4\r\n\r\nevil",
    "hexadecimal length": OK + b"content-length: 0x4\r\n\r\nevil",
    "length with a space": OK + b"content-length: 1 4\r\n\r\nevil",
    "length with a letter": OK + b"content-length: 4a\r\n\r\nevil",
    "empty length": OK + b"content-length:\r\n\r\nevil",
    "endless length": OK + b"content-length: 99999999999999999999999999\r\n\r\nevil",
    "space before the colon": OK + b"content-length : 4\r\n\r\nevil",
    "name with a space": OK + b"content length: 4\r\n\r\nevil",
    "no colon": OK + b"evil\r\n\r\n",
    "no name": OK + b": evil\r\n\r\n",
    "folded header": OK + b"content-length: 2\r\nx-evil: a\r\n b\r\n\r\nok",
    "folded first header": OK + b" x: evil\r\ncontent-length: 2\r\n\r\nok",
    "bare LF between headers": OK + b"content-length: 4\nx: evil\r\n\r\nevil",
    "bare LF everywhere": b"HTTP/1.1 200 OK\ncontent-length: 4\n\nevil",
    "bare CR in a header": OK + b"x: a\rcontent-length: 0\r\n\r\nevil",
    "NUL in a value": OK + b"x: a\0b\r\ncontent-length: 4\r\n\r\nevil",
    "NUL in a name": OK + b"x\0: a\r\ncontent-length: 4\r\n\r\nevil",
}

CHUNKS = {
    "no number": CHUNKED + b"zz\r\nevil\r\n0\r\n\r\n",
    "negative": CHUNKED + b"-4\r\nevil\r\n0\r\n\r\n",
    "with 0x": CHUNKED + b"0x4\r\nevil\r\n0\r\n\r\n",
    "with a space in front": CHUNKED + b" 4\r\nevil\r\n0\r\n\r\n",
    "empty": CHUNKED + b"\r\nevil\r\n0\r\n\r\n",
    "overflow": CHUNKED + b"fffffffffffffffff\r\nevil\r\n0\r\n\r\n",
    "data too long": CHUNKED + b"2\r\nevil\r\n0\r\n\r\n",
    "data without its end": CHUNKED + b"4\r\nevil0\r\n\r\n",
    "bare LF behind the size": CHUNKED + b"4\nevil\r\n0\r\n\r\n",
    "bare LF behind the data": CHUNKED + b"4\r\nevil\n0\r\n\r\n",
    "NUL in an extension": CHUNKED + b"4;\0\r\nevil\r\n0\r\n\r\n",
    "broken trailer": CHUNKED + b"2\r\nok\r\n0\r\nevil\r\n\r\n",
}

STATUS_LINES = {
    "not HTTP": b"evil\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2 frames": b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0d",
    "HTTP/0.9": b"<html>evil</html>",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/9": b"HTTP/9 200 OK\r\ncontent-length: 0\r\n\r\n",
    "lower case": b"http/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n",
    "status with letters": b"HTTP/1.1 2x0 OK\r\ncontent-length: 0\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n",
    "status of one digit": b"HTTP/1.1 2 OK\r\ncontent-length: 0\r\n\r\n",
    "a request": b"GET /evil HTTP/1.1\r\nhost: evil\r\n\r\n",
    "switch of protocols that nobody asked for": b"HTTP/1.1 101 Evil\r\nupgrade: evil\r\nconnection: upgrade\r\n\r\n",
}


@pytest.mark.parametrize(
    "answer",
    [pytest.param(answer, id=name) for table in (SMUGGLING, CHUNKS, STATUS_LINES) for name, answer in table.items()],
)
async def test_an_answer_that_breaks_the_rules_is_a_protocol_error(answer: bytes, client: Clients) -> None:
    """Where two readers could see two different answers, or one none at all, nobody sees any."""
    server = Http1Server(answering(answer))
    async with server.at() as url, client(url) as http:
        failure = await ends_in_a_protocol_error(http, "/attack")
        assert failure.reason == "protocol"
        assert len(server.connections) == 2


def endless(start: bytes, pieces: Iterable[bytes]) -> Script:
    """Return the script that sends *pieces* for as long as the client takes them; ``/ok`` is answered well."""

    async def script(connection: Http1Connection) -> None:
        while b"/attack" not in await connection.request():
            await connection.send(GOOD)
        await connection.send(start)
        for piece in pieces:
            await connection.send(piece)

    return script


HEADERS = b"x-evil: " + b"e" * 500 + b"\r\n"
PIECE = b"e" * 16_384

ENDLESS = {
    "one header that does not end": (OK + b"x: ", repeat(PIECE)),
    "a name that does not end": (OK, repeat(PIECE)),
    "headers without end": (OK, repeat(HEADERS * 30)),
    "small headers without end": (OK, repeat(b"a:b\r\n" * 3000)),
    "a reason that does not end": (b"HTTP/1.1 200 ", repeat(PIECE)),
    "a chunk extension that does not end": (CHUNKED + b"4;", repeat(PIECE)),
    "a chunk size that does not end": (CHUNKED, repeat(b"0" * 16_384)),
    "chunk extensions without end": (CHUNKED, repeat((b"1;" + b"e" * 8000 + b"\r\na\r\n") * 2)),
    "trailers without end": (CHUNKED + b"0\r\n", repeat(HEADERS * 30)),
    "a trailer that does not end": (CHUNKED + b"0\r\nx: ", repeat(PIECE)),
    "continue without end": (b"", repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 500)),
    "early hints without end": (b"", repeat(b"HTTP/1.1 103 Early Hints\r\nlink: </evil>\r\n\r\n" * 300)),
    "empty lines without end": (b"", repeat(b"\r\n" * 8000)),
}


@pytest.mark.parametrize(("start", "pieces"), ENDLESS.values(), ids=ENDLESS.keys())
async def test_an_answer_without_end_outside_of_its_body_is_cut_off(
    start: bytes, pieces: Iterable[bytes], client: Clients
) -> None:
    """Heads, extensions, trailers and interim answers are bounded."""
    server = Http1Server(endless(start, pieces))
    async with server.at() as url, client(url) as http:
        await ends_in_a_protocol_error(http, "/attack")
        await until(server.connections[0].gone.is_set)


@pytest.mark.parametrize("size", [1_048_576, 200_000])
async def test_a_header_that_is_too_large_is_refused(size: int, client: Clients) -> None:
    """One header of a mebibyte, complete and well-formed."""
    server = Http1Server(answering(OK + b"x: " + b"e" * size + b"\r\ncontent-length: 2\r\n\r\nok"))
    async with server.at() as url, client(url) as http:
        assert (await ends_in_a_protocol_error(http, "/attack")).reason == "protocol"


async def test_headers_of_a_reasonable_size_are_taken(client: Clients) -> None:
    """Thirty-two kibibytes in a hundred headers, and one value of sixteen."""
    many = b"".join(b"x-%d: %s\r\n" % (number, b"v" * 150) for number in range(100))
    server = Http1Server(answering(OK + many + b"y: " + b"v" * 16_000 + b"\r\ncontent-length: 2\r\n\r\nok"))
    async with server.at() as url, client(url) as http:
        answer = await http.get("/a")
    assert (answer.text, len(answer.headers["y"]), answer.headers["x-99"]) == ("ok", 16_000, "v" * 150)


WHOLE = OK + b"content-length: 10\r\nx-header: value\r\n\r\n0123456789"
IN_CHUNKS = CHUNKED + b"5;x=y\r\n01234\r\n5\r\n56789\r\n0\r\nx-trailer: value\r\n\r\n"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("answer", [WHOLE, IN_CHUNKS], ids=["length", "chunks"])
async def test_an_answer_that_is_cut_anywhere_is_a_reset(answer: bytes, how: str, client: Clients) -> None:
    """At every byte, by FIN or RST: never a short answer that looks whole, never another exception."""

    async def script(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(answer[: connection.number])
        getattr(connection, how)()

    server = Http1Server(script)
    async with server.at() as url, client(url) as http:
        for _ in range(len(answer)):
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                await http.get("/a")
        if how == "close":
            assert (await http.get("/a")).text == "0123456789"
    assert [len(connection.requests) for connection in server.connections[: len(answer)]] == [1] * len(answer)


async def test_a_cut_answer_is_classified_as_a_reset(client: Clients) -> None:
    """Before the head, in the head, and in the body."""
    for cut in (0, 5, 30, len(WHOLE) - 3, -1):

        async def script(connection: Http1Connection, cut: int = cut) -> None:
            if b"/ok" in await connection.request():
                await connection.send(GOOD)
            else:
                await connection.send(IN_CHUNKS[:-4] if cut < 0 else WHOLE[:cut])
                connection.close()

        server = Http1Server(script)
        async with server.at() as url, client(url) as http:
            assert (await ends_in_a_protocol_error(http, "/attack")).reason == "reset"


async def test_the_same_answer_cut_into_any_pieces_is_the_same_answer(client: Clients) -> None:
    """The bytes arrive one by one, two by two and so on."""

    async def script(connection: Http1Connection) -> None:
        size = 0
        while True:
            await connection.request()
            size += 1
            for at in range(0, len(IN_CHUNKS), size):
                await connection.send(IN_CHUNKS[at : at + size])
                await asyncio.sleep(0)

    server = Http1Server(script)
    async with server.at() as url, client(url) as http:
        for _ in range(12):
            assert (await http.get("/a")).text == "0123456789"
        assert len(server.connections) == 1


async def test_a_body_longer_than_its_length_is_cut_and_its_connection_dropped(client: Clients) -> None:
    """What stands behind the answer is nobody's."""
    server = Http1Server(answering(GOOD + b"evil"))
    async with server.at() as url, client(url) as http:
        assert [(await http.get("/a")).text for _ in range(2)] == ["ok", "ok"]
        assert len(server.connections) == 2


async def test_bytes_behind_the_last_chunk_are_dropped_with_their_connection(client: Clients) -> None:
    """A second answer behind the end of the chunks is nobody's."""
    server = Http1Server(answering(CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + GOOD[:-2] + b"no"))
    async with server.at() as url, client(url) as http:
        assert [(await http.get("/a")).text for _ in range(2)] == ["ok", "ok"]
        assert len(server.connections) == 2


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 3,
    ],
)
async def test_a_few_interim_answers_are_skipped(interim: bytes, client: Clients) -> None:
    """What counts is the final one, and the connection is kept."""
    server = Http1Server(answering(interim + GOOD, interim + GOOD))
    async with server.at() as url, client(url) as http:
        answers = [await http.post("/a", content=b"x") for _ in range(2)]
        assert [(answer.status_code, answer.text, answer.headers.get("link")) for answer in answers] == [
            (200, "ok", None)
        ] * 2
        assert len(server.connections) == 1


async def test_twice_the_same_length_is_either_read_as_one_or_refused(client: Clients) -> None:
    """RFC 9110 allows both; the body is never anything else."""
    server = Http1Server(answering(OK + b"content-length: 2\r\ncontent-length: 2\r\n\r\nok"))
    async with server.at() as url, client(url) as http:
        try:
            assert (await http.get("/attack")).text == "ok"
        except httpx.RemoteProtocolError:
            assert (await http.get("/ok")).text == "ok"


async def test_an_empty_head_value_and_odd_but_legal_headers_are_read(client: Clients) -> None:
    """Empty values, bytes above 127, tabs inside a value, many spaces in front of it."""
    head = OK + b"x-empty:\r\nx-latin: caf\xe9\r\nx-tab: a\tb\r\nX-SPACE:    v  \r\ncontent-length: 2\r\n\r\n"
    server = Http1Server(answering(head + b"ok"))
    async with server.at() as url, client(url) as http:
        answer = await http.get("/a")
    assert [answer.headers[f"x-{name}"] for name in ("empty", "latin", "tab", "space")] == ["", "café", "a\tb", "v"]
