"""The loggers of the libraries below: redacted or silent, and otherwise left alone."""

from __future__ import annotations

import importlib
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from http_util.third_party_logs import (
    DROPPED_LOGGERS,
    REDACTED_LOGGERS,
    DebugDroppingFilter,
    RedactingFilter,
    quiet_third_party_logs,
    redact_log_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _only_our_filters() -> Iterator[None]:
    """Begin and end with loggers that have none of our filters."""

    def remove() -> None:
        for name in (*REDACTED_LOGGERS, *DROPPED_LOGGERS):
            logger = logging.getLogger(name)
            for found in [f for f in logger.filters if isinstance(f, RedactingFilter | DebugDroppingFilter)]:
                logger.removeFilter(found)

    remove()
    yield
    remove()


@pytest.mark.requirement("SEC-15")
@pytest.mark.parametrize(
    "line",
    [
        'HTTP Request: GET https://h/v1?api_key=hunter2&user=hunter2 "HTTP/1.1 200 OK"',
        "receive_response_headers.complete return_value=(200, b'OK', [(b'set-cookie', b'hunter2'), (b'a', b'b')])",
        "send_request_headers.started request=[(b'x-api-key', b'hunter2')]",
        "receive_response_headers.complete [(b'Api-Key', b'hun\\'hunter2')]",
        "send_request_headers.failed exception=LocalProtocolError(\"Illegal header value b'hunter2\\n'\")",
        "('authorization', 'hunter2')",
        "receive_response_headers.complete return_value=(b'HTTP/1.1', 200, b'hunter2', [(b'x-a', b'hunter2')])",
        "receive_response_headers.complete return_value=(200, [(b'x-request-id', b'hunter2')])",
        'HTTP Request: GET https://h/v1 "HTTP/1.1 200 hunter2"',
        "receive_response_headers.failed exception=RemoteProtocolError(\"illegal status line: bytearray(b'hunter2')\")",
    ],
)
def test_no_header_value_and_no_query_is_left_in_a_line(line: str) -> None:
    """As httpx and httpcore write them."""
    assert "hunter2" not in redact_log_text(line)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("connect_tcp.started host='h' port=443 timeout=5.0", None),
        ("send_request_headers.started request=<Request [b'POST']>", None),
        (
            "receive_response_headers.complete return_value=(b'HTTP/1.1', 200, b'OK', [(b'a', b'b')])",
            "receive_response_headers.complete return_value=(b'HTTP/1.1', 200, ...)",
        ),
        (
            "receive_response_body.failed exception=ReadTimeout(TimeoutError())",
            "receive_response_body.failed exception=ReadTimeout",
        ),
        ('HTTP Request: GET https://h/v1 "HTTP/2 404 Not Found"', 'HTTP Request: GET https://h/v1 "HTTP/2 404"'),
    ],
)
def test_what_is_harmless_stays(line: str, shown: str | None) -> None:
    """The lines keep their use: what was done, with whom, and how it ended."""
    assert redact_log_text(line) == (shown or line)


@pytest.mark.requirement("SEC-15")
def test_the_filters_rewrite_what_the_libraries_log(caplog: pytest.LogCaptureFixture) -> None:
    """Httpx's own line for a request shows no query; hpack's header blocks do not appear at all."""
    quiet_third_party_logs()
    caplog.set_level(logging.DEBUG)
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    with httpx.Client(transport=transport) as client:
        client.get("https://h.example/v1?key=hunter2")
    logging.getLogger("hpack.hpack").debug("Decoded %s", (b"x-api-key", b"hunter2"))
    logging.getLogger("httpcore.http2").debug("headers %r", [(b"x-api-key", b"hunter2")])
    assert "hunter2" not in caplog.text
    assert "GET https://h.example/v1?****" in caplog.text


def test_the_filters_are_put_on_once_and_nothing_else_is_touched() -> None:
    """Levels, handlers and the root logger stay as they are."""
    before = [(logger.level, list(logger.handlers)) for logger in map(logging.getLogger, [None, *REDACTED_LOGGERS])]
    quiet_third_party_logs()
    quiet_third_party_logs()
    assert [len(logging.getLogger(name).filters) for name in (*REDACTED_LOGGERS, *DROPPED_LOGGERS)] == [1] * 8
    assert before == [
        (logger.level, list(logger.handlers)) for logger in map(logging.getLogger, [None, *REDACTED_LOGGERS])
    ]


def test_warnings_of_a_silenced_library_still_come_through() -> None:
    """Only what is for debugging it is dropped."""
    record = logging.LogRecord("hpack.hpack", logging.WARNING, "", 0, "careful", (), None)
    assert DebugDroppingFilter().filter(record)


@pytest.mark.requirement("SEC-15")
def test_every_logger_of_the_libraries_is_known() -> None:
    """A filter does not reach the loggers below it, so a version with a new one must be noticed."""
    found = set()
    for package in ("h11", "h2", "hpack", "httpcore", "httpx", "hyperframe"):
        folder = Path(next(iter(importlib.import_module(package).__path__)))
        for file in folder.rglob("*.py"):
            module = ".".join((package, *file.relative_to(folder).with_suffix("").parts))
            asked = re.findall(r"getLogger\(([^)]*)\)", file.read_text(encoding="utf-8"))
            found |= {module if name == "__name__" else name.strip("\"'") for name in asked}
    assert found == {*REDACTED_LOGGERS, *DROPPED_LOGGERS}
