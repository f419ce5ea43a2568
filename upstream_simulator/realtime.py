"""
A realtime session: events in, events out, over a WebSocket. It speaks text only, and always the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from upstream_simulator.websocket import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    MessageReader,
    WebSocketError,
    accept_of,
    frame,
)
from upstream_simulator.words import count_tokens, tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from upstream_simulator.options import Options
    from upstream_simulator.received import Received

PATH: Final = "/v1/realtime"
"""Where sessions are opened."""

_QUIET: Final = frozenset(
    {"input_audio_buffer.append", "output_audio_buffer.clear", "response.cancel", "conversation.item.truncate"}
)


class Conversation:
    """
    What one session says. Pure: the same events give the same answers.

    Spec: SIM-12
    """

    def __init__(self, model: str, options: Options) -> None:
        """
        Begin a session.

        Args:
            model: Shown in the session.
            options: Length, vocabulary and seed of the answers.
        """
        self._session: dict[str, Any] = {
            "id": "sess_1",
            "object": "realtime.session",
            "type": "realtime",
            "model": model,
        }
        self._options = options
        self._told: list[str] = []
        self._numbers = count(1)

    def greeting(self) -> dict[str, Any]:
        """
        Give the first event of a session.
        """
        return self._event("session.created", session=self._session)

    def answer(self, text: str) -> Iterator[dict[str, Any]]:
        """
        Give the events that follow one of the client's.
        """
        try:
            event = json.loads(text)
            kind = event["type"]
        except (ValueError, TypeError, KeyError):
            yield self._error("an event is a JSON object with a type", None)
            return
        match kind:
            case "session.update":
                self._session |= event.get("session") or {}
                yield self._event("session.updated", session=self._session)
            case "conversation.item.create":
                self._told.append(json.dumps(event.get("item")))
                item = {"id": f"item_{len(self._told)}"} | (event.get("item") or {})
                yield self._event("conversation.item.added", item=item)
                yield self._event("conversation.item.done", item=item)
            case "input_audio_buffer.commit":
                yield self._event("input_audio_buffer.committed", item_id="item_audio")
            case "input_audio_buffer.clear":
                yield self._event("input_audio_buffer.cleared")
            case "response.create":
                yield from self._response()
            case _:
                if str(kind) not in _QUIET:
                    yield self._error(f"unknown event {str(kind)[:64]!r}", event.get("event_id"))

    def _response(self) -> Iterator[dict[str, Any]]:
        prompt = "".join(self._told)
        digest = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        response = {"object": "realtime.response", "id": f"resp_{digest}", "status": "in_progress", "output": []}
        place = {"response_id": response["id"], "item_id": "item_answer", "output_index": 0, "content_index": 0}
        yield self._event("response.created", response=response)
        options = self._options
        said = tokens(prompt, seed=options.seed, count=options.tokens, style=options.words)
        for token in said:
            yield self._event("response.output_text.delta", delta=token, **place)
        yield self._event("response.output_text.done", text="".join(said), **place)
        asked = count_tokens(prompt)
        usage = {"input_tokens": asked, "output_tokens": len(said), "total_tokens": asked + len(said)}
        yield self._event("response.done", response=response | {"status": "completed", "usage": usage})

    def _error(self, message: str, event_id: str | None) -> dict[str, Any]:
        details = {"type": "invalid_request_error", "code": "invalid_event", "message": message, "event_id": event_id}
        return self._event("error", error=details)

    def _event(self, kind: str, **fields: Any) -> dict[str, Any]:
        return {"type": kind, "event_id": f"event_{next(self._numbers)}", **fields}


def is_session(received: Received) -> bool:
    """
    Tell whether a request asks for a realtime session.
    """
    headers = dict(received.headers)
    return (
        received.method == "GET"
        and received.path == PATH
        and headers.get("upgrade", "").lower() == "websocket"
        and "sec-websocket-key" in headers
    )


class RealtimeConnection(asyncio.Protocol):
    """
    A connection that has become a session.

    Spec: SIM-12
    """

    def __init__(self, received: Received, options: Options, ended: Callable[[], None]) -> None:
        """
        Take over from HTTP.

        Args:
            received: The handshake.
            options: Of the server.
            ended: Called when the connection is gone.
        """
        self._headers = dict(received.headers)
        self._ended = ended
        model = parse_qs(received.query).get("model", ["realtime"])[0]
        self._conversation = Conversation(model, options)
        self._reader = MessageReader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Agree, and greet.
        """
        # As in HTTP/1.1: the annotation says less than the loop gives.
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        accept = accept_of(self._headers["sec-websocket-key"])
        transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-accept: " + accept.encode() + b"\r\nx-request-id: req_realtime\r\n\r\n"
        )
        self._say(self._conversation.greeting())

    def data_received(self, data: bytes) -> None:
        """
        Answer what came.
        """
        try:
            for message in self._reader.feed(data):
                self._take(message.opcode, message.data)
        except WebSocketError as error:
            code, why = error.args
            self._hang_up(int(code).to_bytes(2, "big") + str(why).encode())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the loop's signature
        """
        Forget the session.
        """
        self._transport = None
        self._ended()

    def _take(self, opcode: int, data: bytes) -> None:
        if opcode == PING:
            self._write(frame(PONG, data))
        elif opcode == CLOSE:
            self._hang_up(data[:2])
        elif opcode in {TEXT, BINARY}:
            for event in self._conversation.answer(data.decode("utf-8", "replace")):
                self._say(event)

    def _say(self, event: dict[str, Any]) -> None:
        self._write(frame(TEXT, json.dumps(event).encode()))

    def _hang_up(self, farewell: bytes) -> None:
        self._write(frame(CLOSE, farewell))
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
