"""
A request as the engine sends it: the parts of a URL, fields as they go out, and an unread body.

Spec: HTU-1001
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpcore
    import httpx


class EngineRequest:
    """One request. Made from whichever form a caller has, and never changed."""

    __slots__ = ("extensions", "headers", "host", "method", "port", "scheme", "stream", "target")

    def __init__(
        self,
        method: bytes,
        place: tuple[bytes, bytes, int | None],
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        stream: Any,
        extensions: Mapping[str, Any],
    ) -> None:
        """
        Make a request.

        Args:
            method: As it goes out.
            place: Scheme, host and port (None for the scheme's own) that it goes to.
            target: Path and query.
            headers: In the order in which they go out.
            stream: The body, an `httpx.ByteStream` or an iterator of bytes.
            extensions: httpx's: `timeout` and `trace`.
        """
        self.method = method
        self.scheme, self.host, self.port = place
        self.target = target
        self.headers = headers
        self.stream = stream
        self.extensions = extensions

    @classmethod
    def of_httpx(cls, request: httpx.Request) -> Self:
        """The request that a client of httpx built."""
        url = request.url
        return cls(
            request.method.encode("ascii"),
            (url.raw_scheme, url.raw_host, url.port),
            url.raw_path,
            request.headers.raw,
            request.stream,
            request.extensions,
        )

    @classmethod
    def of_httpcore(cls, request: httpcore.Request) -> Self:
        """The request that httpx's own transport class makes of it."""
        url = request.url
        return cls(
            request.method,
            (url.scheme, url.host, url.port),
            url.target,
            request.headers,
            request.stream,
            request.extensions,
        )
