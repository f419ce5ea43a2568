"""
Request in, steps out: routing, keys, errors, and the score of the whole reply.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import unquote

from upstream_simulator import catalogue
from upstream_simulator.asks import Ask, Body, read_body, read_chat, read_completion, read_model, read_response
from upstream_simulator.body_faults import apply_body_faults, join_tokens
from upstream_simulator.chat import chat_answer, chat_frames
from upstream_simulator.completions import completion_answer, completion_frames
from upstream_simulator.error_bodies import ApiError, Written, html_page, write_error
from upstream_simulator.frames import Frame, comment, encoder
from upstream_simulator.generation import Generation, generate
from upstream_simulator.responses import response_answer, response_frames
from upstream_simulator.steps import Break, Finish, Head, Headers, Send, Step, Wait
from upstream_simulator.stream_faults import bend, disturb, error_of

if TYPE_CHECKING:
    from upstream_simulator.faults import Faults
    from upstream_simulator.flavours import Flavour
    from upstream_simulator.options import Options

_STREAM_TYPE: Final = "text/event-stream; charset=utf-8"
_AZURE_PREFIX: Final = re.compile(r"^/openai/(?:deployments/[^/]+|v1)/")
_OPEN_PATHS: Final = frozenset({"/health", "/version", "/props"})
_BLANKS: Final = b" " * (1 << 20)
_KEY_HEADERS: Final = ("api-key", "x-api-key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    A complete request, whichever protocol brought it.
    """

    number: int
    """Counts the server's requests, from 1."""
    method: str
    path: str
    """Without the query."""
    headers: dict[str, str]
    """Names in lower case; of several with one name the last."""
    body: bytes = b""
    received_at: float = 0.0
    """Wall clock, seconds since the epoch."""


@dataclass(slots=True)
class Answer:
    """
    What is answered, before anybody thought of how it travels: a body, or the events of a stream.
    """

    status: int
    content_type: str
    body: bytes = b""
    frames: Iterator[Frame] | None = None
    headers: Headers = field(default_factory=list)
    tokens: int = 0
    """Tokens generated for a plain body, all before its first byte."""


_Writer: TypeAlias = Callable[[Generation, "Flavour"], dict[str, object]]
_Streamer: TypeAlias = Callable[..., Iterator[Frame]]
_GENERATORS: Final[dict[str, tuple[_Writer, _Streamer]]] = {
    "/v1/chat/completions": (chat_answer, chat_frames),
    "/v1/completions": (completion_answer, completion_frames),
    "/v1/responses": (response_answer, response_frames),
}


def reply(request: Request, options: Options, faults: Faults, flavour: Flavour) -> Iterator[Step]:
    """
    Decide the whole reply to a request.

    Args:
        request: What came.
        options: Of the server.
        faults: What to do wrong.
        flavour: The server's manners; the faults are not yet in it.

    Returns:
        The steps to perform, made as they are asked for: nothing is generated for a client that has gone.

    Spec: SIM-04, SIM-05, SIM-06
    """
    shape = bend(flavour, faults)
    answer = _answer(request, options, faults, shape)
    return _score(answer, request, options, faults, shape)


def _answer(request: Request, options: Options, faults: Faults, flavour: Flavour) -> Answer:
    try:
        _require_key(request, options, flavour)
        faulty = _faulty_answer(request, faults, flavour)
        return faulty or _routed(request, options, faults, flavour)
    except ApiError as error:
        usual = flavour.unauthorized_form if error.status == HTTPStatus.UNAUTHORIZED else flavour.error_form
        return _error_answer(error, faults.error_form or usual)


def _error_answer(error: ApiError, form: str) -> Answer:
    written = write_error(error, form)
    return Answer(error.status, written.content_type, written.data)


def _require_key(request: Request, options: Options, flavour: Flavour) -> None:
    if options.api_key is None or request.path in _OPEN_PATHS or sent_key(request.headers) == options.api_key:
        return
    message = "Unauthorized" if flavour.unauthorized_form == "string" else "Incorrect API key provided."
    raise ApiError(message, HTTPStatus.UNAUTHORIZED)


def sent_key(headers: Mapping[str, str]) -> str | None:
    """
    Give the key that came in a request's headers: the bearer token, or the header other servers use.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token
    return next((headers[name] for name in _KEY_HEADERS if name in headers), None)


def _faulty_answer(request: Request, faults: Faults, flavour: Flavour) -> Answer | None:
    """
    Make the answer that faults put in place of the real one, if they do.
    """
    if faults.redirect is not None:
        status = faults.status or HTTPStatus.TEMPORARY_REDIRECT
        return Answer(status, "text/plain", headers=[("location", faults.redirect)])
    if faults.body is not None:
        written = _own_body(faults.body)
        return Answer(faults.status or HTTPStatus.OK, written.content_type, written.data)
    if faults.instead is not None:
        return _instead(faults.instead)
    if faults.echo_key:
        message = f"Incorrect API key provided: {sent_key(request.headers)}."
        error = ApiError(message, faults.status or HTTPStatus.UNAUTHORIZED, faults.error_type, faults.error_code)
        return _error_answer(error, faults.error_form or flavour.error_form)
    if faults.status is not None and faults.stream_error is None:
        return _error_answer(error_of(faults), faults.error_form or flavour.error_form)
    return None


def _own_body(body: object) -> Written:
    if isinstance(body, str):
        return Written(body.encode("utf-8", "surrogateescape"), "text/plain; charset=utf-8")
    return Written(json.dumps(body).encode(), "application/json")


def _instead(what: str) -> Answer:
    if what == "html":
        return Answer(HTTPStatus.OK, "text/html; charset=utf-8", html_page(HTTPStatus.OK, "Welcome to the gateway"))
    if what == "json":
        return Answer(HTTPStatus.OK, "application/json", b'{"status":"ok"}')
    if what == "text":
        return Answer(HTTPStatus.OK, "text/plain; charset=utf-8", b"upstream is warming up\n")
    return Answer(HTTPStatus.OK, _STREAM_TYPE)


def _routed(request: Request, options: Options, faults: Faults, flavour: Flavour) -> Answer:
    path = _AZURE_PREFIX.sub("/v1/", request.path)
    if path in _GENERATORS or path == "/v1/embeddings":
        if request.method != "POST":
            return _error_answer(ApiError("Method Not Allowed", HTTPStatus.METHOD_NOT_ALLOWED), flavour.routing_form)
        body = read_body(request.body, bad_json_status=flavour.bad_json_status)
        catalogue.require_model(read_model(body), options)
        if path == "/v1/embeddings":
            return _json(catalogue.embeddings(body), flavour)
        return _generated(path, body, options, faults, flavour)
    answer = _looked_up(path, options, flavour) if request.method == "GET" else None
    return answer or _error_answer(_no_such_path(request, flavour), flavour.routing_form)


def _no_such_path(request: Request, flavour: Flavour) -> ApiError:
    """
    Say that there is nothing at a path, in the words of the server that is copied.
    """
    if flavour.routing_form == "openai":
        return ApiError(f"Invalid URL ({request.method} {request.path[:128]})", HTTPStatus.NOT_FOUND)
    if flavour.routing_form == "int_code":
        return ApiError("File Not Found", HTTPStatus.NOT_FOUND, "not_found_error")
    return ApiError("Not Found", HTTPStatus.NOT_FOUND)


def _looked_up(path: str, options: Options, flavour: Flavour) -> Answer | None:
    if path == "/v1/models":
        return _json(catalogue.models(options, flavour), flavour)
    if path.startswith("/v1/models/"):
        return _json(catalogue.model(unquote(path.removeprefix("/v1/models/")), options, flavour), flavour)
    if path == "/health":
        return _json({"status": "ok"}, flavour)
    if path == "/version":
        return _json({"version": flavour.version}, flavour)
    if path == "/props" and flavour.name == "llama-server":
        return _json(catalogue.properties(options), flavour)
    return None


def _generated(path: str, body: Body, options: Options, faults: Faults, flavour: Flavour) -> Answer:
    ask = _ask(path, body, flavour)
    generation = generate(ask, options, faults, flavour)
    write, stream = _GENERATORS[path]
    if not ask.stream:
        answer = _json(write(generation, flavour), flavour)
        answer.tokens = generation.completion_tokens
        return answer
    frames = stream(generation, flavour, empty_chunks=faults.empty_chunks)
    return Answer(HTTPStatus.OK, _STREAM_TYPE, frames=disturb(frames, faults, is_responses=path == "/v1/responses"))


def _ask(path: str, body: Body, flavour: Flavour) -> Ask:
    if path == "/v1/chat/completions":
        return read_chat(body, obeys_completion_limit=flavour.obeys_completion_limit)
    return read_completion(body) if path == "/v1/completions" else read_response(body)


def _json(document: dict[str, object], flavour: Flavour) -> Answer:
    body = encoder(spaced=flavour.spaced_json)(document).encode("utf-8", "surrogatepass")
    return Answer(HTTPStatus.OK, "application/json", body)


def _score(answer: Answer, request: Request, options: Options, faults: Faults, flavour: Flavour) -> Iterator[Step]:
    if faults.refuse_stream or faults.goaway == "below":
        yield Break("refused" if faults.refuse_stream else "goaway", faults.h2_error)
        return
    if faults.stall and faults.stall_at == "head":
        yield Wait(faults.stall)
    if faults.drop is not None:
        yield Break(faults.drop, faults.h2_error)
        return
    if answer.tokens and _pause(options, faults):
        yield Wait(answer.tokens * _pause(options, faults))
    body = apply_body_faults(_body(answer, options, faults), faults)
    framing = faults.framing or ("length" if answer.frames is None and not faults.pad_mib else "chunked")
    if framing == "length":
        # Its length stands in the head, so the body is made before it.
        steps = list(body)
        length = sum(len(step.data) + step.withheld for step in steps if isinstance(step, Send))
        yield Head(answer.status, _headers(answer, request, faults, flavour, length), framing)
        body = iter(steps)
    else:
        yield Head(answer.status, _headers(answer, request, faults, flavour, None), framing)
    if faults.stall and faults.stall_at == "body":
        yield Wait(faults.stall)
    yield from body
    if faults.linger:
        yield Wait(faults.linger)
    hangs_up = flavour.hangs_up and (answer.frames is not None or faults.hangs_up is True)
    yield Finish(faults.leftover.encode(), hangs_up, faults.goaway == "allowed")


def _body(answer: Answer, options: Options, faults: Faults) -> Iterator[Step]:
    if answer.frames is None:
        body = [Send(answer.body, answer.tokens)] if answer.body else []
        return chain(repeat(Send(_BLANKS), faults.pad_mib), body)
    steps = _paced(answer.frames, options, faults)
    return join_tokens(steps, options.tokens_per_write) if options.tokens_per_write > 1 else steps


def _paced(frames: Iterator[Frame], options: Options, faults: Faults) -> Iterator[Step]:
    """
    Put the pauses between the events: pings, delay of the first token, pace, stall.
    """
    for _ in range(math.ceil(faults.ping_for / faults.ping_every)):
        yield Send(comment("ping").data)
        yield Wait(faults.ping_every)
    if options.first_token_delay:
        yield Wait(options.first_token_delay)
    pause = _pause(options, faults)
    stall_at = faults.stall_at if faults.stall and isinstance(faults.stall_at, int) else None
    spoken = 0
    for frame in frames:
        if stall_at is not None and spoken >= stall_at:
            yield Wait(faults.stall)
            stall_at = None
        if pause and frame.tokens:
            yield Wait(pause * frame.tokens, is_pace=True)
        yield Send(frame.data, frame.tokens)
        spoken += frame.tokens


def _pause(options: Options, faults: Faults) -> float:
    """
    Seconds a token takes.
    """
    rate = options.tokens_per_second if faults.tokens_per_second is None else faults.tokens_per_second
    return 1 / rate if rate else 0.0


def _headers(answer: Answer, request: Request, faults: Faults, flavour: Flavour, length: int | None) -> Headers:
    headers = {"server": flavour.server, "content-type": faults.content_type or answer.content_type}
    if length is not None:
        headers["content-length"] = str(length)
    else:
        headers["cache-control"] = "no-cache"
    if flavour.request_id_header is not None:
        headers[flavour.request_id_header] = f"req_{request.number:08d}"
    headers.update(answer.headers)
    if faults.encoding is not None or faults.bomb_mib:
        headers["content-encoding"] = faults.encoding or "gzip"
    if faults.retry_after is not None:
        headers["retry-after"] = str(faults.retry_after)
    if faults.retry_after_date is not None:
        headers["retry-after"] = formatdate(request.received_at + faults.retry_after_date, usegmt=True)
    if faults.retry_after_ms is not None:
        headers["retry-after-ms"] = str(faults.retry_after_ms)
    for name, value in faults.headers.items():
        if value is None:
            headers.pop(name.lower(), None)
        else:
            headers[name.lower()] = value
    return list(headers.items())
