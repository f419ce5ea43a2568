"""
From a call to the request that a transport takes: cheap, because it is made for every attempt. Pure.

httpx would parse the URL, look through the headers and choose a body's framing anew each time. Here a URL is parsed
once, and the headers are written as they go out.

Spec: HTU-1001, HTU-17, HTU-PERF-1301
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import httpx

from http_util.call import encoded_headers
from http_util.streamed_body import StreamedBody

if TYPE_CHECKING:
    from collections.abc import Mapping

    from http_util.body_stream import BodyStream
    from http_util.call import HttpCall

_MOST_URLS: Final = 256
"""URLs whose parsed form is kept: an adapter has one, a client one for each operation in use."""

_HAVE_BODIES: Final = frozenset({"PATCH", "POST", "PUT"})
"""Methods whose empty body must be announced (RFC 9110, 8.6)."""


def wire_request(
    call: HttpCall,
    extensions: Mapping[str, Any],
    defaults: tuple[tuple[bytes, bytes], ...] = (),
    stream: BodyStream | None = None,
) -> httpx.Request:
    """
    Return the request of one attempt at *call*.

    Args:
        call: What to send.
        extensions: What the transport is told beside it.
        defaults: Headers for a call that does not have its own of that name; names in lower case.
        stream: The body, where the call's is read while it is sent.

    Raises:
        PolicyFailure: A header cannot be sent.
        httpx.InvalidURL: The URL is none.
    """
    url = _parsed(call.url)
    content: bytes | StreamedBody = call.content or b""
    headers = encoded_headers(call.headers)
    has_host, is_framed, missing = _lacking(tuple(call.headers), defaults)
    if not has_host:
        headers.insert(0, (b"Host", url.netloc))
    headers += missing
    if isinstance(content, StreamedBody):
        if not is_framed:
            headers.append(_framing(content.length))
    elif not is_framed and (content or call.method in _HAVE_BODIES):
        headers.append((b"Content-Length", b"%d" % len(content)))
    body = httpx.ByteStream(content) if isinstance(content, bytes) else stream
    return httpx.Request(call.method, url, headers=headers, stream=body, extensions=dict(extensions))


def _framing(length: int | None) -> tuple[bytes, bytes]:
    """Return the header that says where a body ends; HTTP/2 does not send the second."""
    return (b"Transfer-Encoding", b"chunked") if length is None else (b"Content-Length", b"%d" % length)


_parsed = lru_cache(maxsize=_MOST_URLS)(httpx.URL)


# the calls of one kind have headers of the same names
@lru_cache(maxsize=_MOST_URLS)
def _lacking(
    names: tuple[str, ...], defaults: tuple[tuple[bytes, bytes], ...]
) -> tuple[bool, bool, list[tuple[bytes, bytes]]]:
    """Tell whether *names* have the host, and the length or framing of a body; and which of *defaults* they lack."""
    given = {name.lower() for name in names}
    missing = [pair for pair in defaults if pair[0].decode() not in given]
    return "host" in given, not given.isdisjoint(("content-length", "transfer-encoding")), missing
