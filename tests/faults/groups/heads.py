"""Heads of answers that are none, heads that are odd and good, and good ones of what is no stream."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from openai_client import errors
from tests.faults.case import H1, INTERNAL, NEVER, UNKNOWN, Case, Failure
from tests.faults.groups.requests import BROKEN, answered, row
from tests.faults.groups.wire import HEAD, WHOLE, answer, chunked, replying, stream
from tests.faults.upstreams import Http1, simulated

NO_HTTP: Final = Failure(INTERNAL, "protocol", UNKNOWN, NEVER)
NO_STREAM: Final = Failure(INTERNAL, "content_type", UNKNOWN, NEVER)


def bytes_in_place_of_a_head(name: str, reply: bytes, failure: Failure = NO_HTTP, **more: Any) -> Case:
    """A case in which exact bytes answer the request, and the connection then closes."""
    leaf = errors.UnexpectedResponse if failure is NO_HTTP else errors.ConnectionFailed
    upstream = Http1(partial(replying, reply, ends=True))
    return row(name, upstream, failure, **{"protocols": (H1,), "leaf": leaf, **more})


def odd_head(name: str, reply: bytes, **more: Any) -> Case:
    """A case in which exact bytes are an unusual answer, and a good one."""
    return answered(name, Http1(partial(replying, reply)), protocols=(H1,), **more)


HEADS: Final = (
    bytes_in_place_of_a_head("no-http", b"220 mail.example ESMTP ready\r\n"),
    bytes_in_place_of_a_head("binary", bytes(range(256)) * 8),
    bytes_in_place_of_a_head("status-of-letters", b"HTTP/1.1 OK fine\r\n\r\n"),
    bytes_in_place_of_a_head("http-3", b"HTTP/3.0 200 OK\r\n\r\n"),
    bytes_in_place_of_a_head("no-colon", HEAD + b"what is this\r\n\r\n"),
    bytes_in_place_of_a_head("nul-in-field", HEAD + b"x-what: a\x00b\r\n\r\n"),
    bytes_in_place_of_a_head("head-cut", HEAD, BROKEN),
    bytes_in_place_of_a_head("nothing", b"", BROKEN),
    bytes_in_place_of_a_head("head-without-end", HEAD + b"x-filler: " + b"y" * 200_000),
    bytes_in_place_of_a_head("too-many-fields", HEAD + b"x-filler: y\r\n" * 20_000 + b"\r\n"),
    bytes_in_place_of_a_head("two-lengths", answer(stream(), b"content-length: 3")),
    bytes_in_place_of_a_head("length-of-letters", HEAD + b"content-length: many\r\n\r\n"),
    bytes_in_place_of_a_head("negative-length", HEAD + b"content-length: -1\r\n\r\n"),
    bytes_in_place_of_a_head("length-and-chunks", answer(stream(), b"transfer-encoding: chunked")),
    bytes_in_place_of_a_head("unknown-coding", HEAD + b"transfer-encoding: braids\r\n\r\n" + stream()),
    bytes_in_place_of_a_head("switching-protocols", b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"),
    bytes_in_place_of_a_head("endless-informational", b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000),
)

GOOD_HEADS: Final = (
    odd_head(
        "informational-first", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + WHOLE
    ),
    odd_head("no-reason-phrase", WHOLE.replace(b"200 OK", b"200")),
    odd_head(
        "http-1.0",
        b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%b"
        % (len(stream()), stream()),
    ),
    odd_head(
        "names-in-capitals",
        WHOLE.replace(b"content-type", b"CONTENT-TYPE").replace(b"transfer-encoding", b"Transfer-Encoding"),
    ),
    odd_head("type-with-parameters", WHOLE.replace(b"text/event-stream", b"Text/Event-Stream ; charset=UTF-8")),
    odd_head(
        "chunk-extensions",
        HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunked(stream()).replace(b"\r\n", b";a=b\r\n", 1),
    ),
    odd_head(
        "trailers",
        HEAD
        + b"transfer-encoding: chunked\r\n\r\n"
        + chunked(stream()).replace(b"0\r\n\r\n", b"0\r\nx-sum: 1\r\n\r\n"),
    ),
    odd_head(
        "a-byte-a-chunk",
        HEAD
        + b"transfer-encoding: chunked\r\n\r\n"
        + b"".join(b"1\r\n%c\r\n" % byte for byte in stream())
        + b"0\r\n\r\n",
    ),
)

NO_STREAMS: Final = (
    row("html-200", simulated(always="instead=html"), NO_STREAM),
    row("json-200", simulated(always="instead=json"), NO_STREAM),
    row("text-200", simulated(always="instead=text"), NO_STREAM),
    row("binary-200", simulated(always="content_type=application/octet-stream"), NO_STREAM),
    row("no-type-200", simulated(always={"headers": {"content-type": None}}), NO_STREAM),
    row(
        "error-object-200",
        simulated(always={"status": 200, "body": {"error": {"message": "no", "code": "500"}}}),
        NO_STREAM,
    ),
    row("204", simulated(always="status=204"), NO_STREAM),
    row("206-ndjson", simulated(always="status=206;content_type=application/x-ndjson"), NO_STREAM),
)


CASES: Final = (*HEADS, *GOOD_HEADS, *NO_STREAMS)
