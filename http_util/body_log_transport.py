"""
Transports that write a line for each body that passes, see `http_util.body_log`.

They exist only where that is wanted, and each says once, as a warning, that it does.

Spec: SEC-14
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import httpx

from adapter_api.correlation import correlation_id
from http_util.body_log import BodyRecord, content_type_of
from http_util.engine import BODY_EXTENSION
from http_util.log import get_logger, is_taken
from http_util.redact import credentials_in, redact_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from http_util.body_log import BodyLog
    from http_util.secret import Secret

LOGGER_NAME: Final = "http_util.bodies"
"""Where the lines go, at level INFO."""


def warn_of(log: BodyLog) -> None:
    """
    Say that bodies are logged from now on, at level WARNING: nobody shall leave it on without knowing.

    Spec: SEC-14
    """
    on = {"request": log.log_request_bodies, "answer": log.log_response_bodies}
    get_logger(LOGGER_NAME).warning(
        "bodies_are_logged",
        human="The bodies of HTTP calls go into the log, with prompts and answers in them; switch it off when you have "
        "found what you look for",
        bodies=[kind for kind, is_on in on.items() if is_on],
        max_body_log_length=log.max_body_log_length,
        redaction_patterns=len(log.redaction_patterns),
    )


class AsyncBodyLogTransport(httpx.AsyncBaseTransport):
    """
    A transport that logs the bodies that pass through another one, which is closed together with it.

    Spec: SEC-14
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, log: BodyLog, secrets: Iterable[Secret] = ()) -> None:
        """
        Stand in front of *transport*, and warn that bodies are logged.

        Args:
            transport: What moves the bytes.
            log: Which bodies are logged.
            secrets: Removed from them, beside those of the call itself.
        """
        self._transport = transport
        self._log = log
        self._secrets = tuple(secrets)
        warn_of(log)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; its body is logged before, that of the answer when it is over."""
        call = _Call(self._log, request, self._secrets)
        call.log_request(request)
        response = await self._transport.handle_async_request(request)
        if call.logs_answer:
            stream: Any = response.stream
            response.stream = _AsyncSeen(stream, call, response)
            # the engine's short cut to the body goes past this stream
            response.extensions = {k: v for k, v in response.extensions.items() if k != BODY_EXTENSION}
        return response

    async def aclose(self) -> None:
        """Close what is behind."""
        await self._transport.aclose()


class BodyLogTransport(httpx.BaseTransport):
    """
    The same for threads.

    Spec: SEC-14
    """

    def __init__(self, transport: httpx.BaseTransport, log: BodyLog, secrets: Iterable[Secret] = ()) -> None:
        """Stand in front of *transport*, and warn that bodies are logged; arguments as above."""
        self._transport = transport
        self._log = log
        self._secrets = tuple(secrets)
        warn_of(log)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; its body is logged before, that of the answer when it is over."""
        call = _Call(self._log, request, self._secrets)
        call.log_request(request)
        response = self._transport.handle_request(request)
        if call.logs_answer:
            stream: Any = response.stream
            response.stream = _Seen(stream, call, response)
            response.extensions = {k: v for k, v in response.extensions.items() if k != BODY_EXTENSION}
        return response

    def close(self) -> None:
        """Close what is behind."""
        self._transport.close()


class _Call:
    """One request and its answer, as far as lines are written about them."""

    __slots__ = ("_facts", "_is_taken", "_log", "_path", "_record", "_secrets", "_wrote_answer")

    def __init__(self, log: BodyLog, request: httpx.Request, others: Iterable[Secret]) -> None:
        self._log = log
        self._is_taken = is_taken(LOGGER_NAME, logging.INFO)
        self._path = request.url.path
        self._facts = {"method": request.method, "url": redact_url(str(request.url))}
        own = credentials_in([*request.headers.items(), *request.url.params.multi_items()])
        self._secrets = [*own, *(secret.reveal() for secret in others)]
        self._record = BodyRecord(log)
        self._wrote_answer = False

    @property
    def logs_answer(self) -> bool:
        """Whether the answer's body is worth looking at."""
        return self._is_taken and self._log.log_response_bodies

    def log_request(self, request: httpx.Request) -> None:
        """Write the line of the request's body, if it has one and somebody takes it."""
        if not (self._is_taken and self._log.log_request_bodies):
            return
        if not isinstance(request.stream, httpx.ByteStream):
            self._write("request_body", body="<streamed>")
            return
        content = b"".join(request.stream)
        if content:
            body = self._log.shown(
                content, content_type=content_type_of(request.headers), path=self._path, secrets=self._secrets
            )
            self._write("request_body", body=body, body_bytes=len(content))

    def saw(self, piece: bytes) -> None:
        """Note a piece of the answer."""
        self._record.add(piece)

    def log_answer(self, response: httpx.Response, *, is_complete: bool) -> None:
        """Write the line of the answer's body, once."""
        if self._wrote_answer:
            return
        self._wrote_answer = True
        body = self._log.shown(
            self._record.beginning,
            content_type=content_type_of(response.headers),
            size=self._record.size,
            path=self._path,
            secrets=self._secrets,
        )
        status = response.status_code
        self._write("response_body", status=status, body=body, body_bytes=self._record.size, is_complete=is_complete)

    def _write(self, event: str, **facts: object) -> None:
        get_logger(LOGGER_NAME).info(event, correlation_id=correlation_id.get(), **self._facts, **facts)


class _AsyncSeen(httpx.AsyncByteStream):
    """A stream whose pieces are seen on their way."""

    def __init__(self, stream: httpx.AsyncByteStream, call: _Call, response: httpx.Response) -> None:
        self._stream = stream
        self._call = call
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Piece after piece, until the end."""
        async for piece in self._stream:
            self._call.saw(piece)
            yield piece
            # this frame is shown with whatever breaks the answer off
            del piece
        self._call.log_answer(self._response, is_complete=True)

    async def aclose(self) -> None:
        """Close the stream; what was not read is not in the line."""
        self._call.log_answer(self._response, is_complete=False)
        await self._stream.aclose()


class _Seen(httpx.SyncByteStream):
    """The same for threads."""

    def __init__(self, stream: httpx.SyncByteStream, call: _Call, response: httpx.Response) -> None:
        self._stream = stream
        self._call = call
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        """Piece after piece, until the end."""
        for piece in self._stream:
            self._call.saw(piece)
            yield piece
            # this frame is shown with whatever breaks the answer off
            del piece
        self._call.log_answer(self._response, is_complete=True)

    def close(self) -> None:
        """Close the stream; what was not read is not in the line."""
        self._call.log_answer(self._response, is_complete=False)
        self._stream.close()
