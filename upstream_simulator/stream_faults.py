"""
Faults of a stream's events: shape, errors, chunks that are none. Works on whole events, before they travel.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

from upstream_simulator.error_bodies import ApiError, error_object
from upstream_simulator.frames import DONE, Frame, comment, encoder, event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upstream_simulator.faults import Faults
    from upstream_simulator.flavours import Flavour

_MALFORMED: Final[dict[str, bytes]] = {
    "text": b"data: upstream hiccup, please stand by\n\n",
    "cut": b'data: {"id":"chatcmpl-1","object":"chat.completion.chu\n\n',
    "array": b'data: ["not","a","chunk"]\n\n',
    "number": b"data: 42\n\n",
    "latin1": b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"caf\xe9"},"finish_reason":null}]}\n\n',
    "json_null": b"data: null\n\n",
    "object": b"data: {}\n\n",
    "deep": b"data: " + b"[" * 100_000 + b"\n\n",
    "surrogate": b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}\n\n',
    "null_choices": b'data: {"choices":null,"usage":null,"error":null}\n\n',
    "null_choice": b'data: {"choices":[null]}\n\n',
    "null_delta": b'data: {"choices":[{"index":0,"delta":null,"finish_reason":null}]}\n\n',
    "choices_object": b'data: {"choices":{"index":0,"delta":{"content":"no"}}}\n\n',
    "number_content": b'data: {"choices":[{"index":0,"delta":{"content":42}}]}\n\n',
}
_BETWEEN: Final = {
    "event": Frame(event('{"type":"heartbeat","at":1}', "heartbeat")),
    "text_event": Frame(event("still thinking", "heartbeat")),
    "fields": Frame(b"flavour: plain\nretry: 10\nid: 7\nlonely\n\n"),
    "comments": comment("ping"),
    "empty": Frame(b"data:\n\n"),
}
_AFTER_DONE: Final = {
    "done": DONE,
    "content": Frame(event('{"choices":[{"index":0,"delta":{"content":"late"},"finish_reason":null}]}')),
    "error": Frame(event('{"error":{"message":"too late","type":"server_error","code":null}}')),
    "text": Frame(event("goodbye")),
}
_dumps: Final = encoder(spaced=False)
_MESSAGES: Final = {
    429: "Rate limit reached for requests. Please try again later.",
    500: "The server had an error while processing your request.",
    503: "The engine is currently overloaded, please try again later.",
}


def bend(flavour: Flavour, faults: Faults) -> Flavour:
    """
    Give the flavour of one reply: the server's, with what the faults change in it.

    Spec: SIM-05
    """
    omit = faults.omit
    usage = "none" if "usage" in omit else (faults.usage or flavour.usage)
    return replace(
        flavour,
        first_delta="none" if "role" in omit else (faults.first_delta or flavour.first_delta),
        finish=flavour.finish and "finish" not in omit,
        done=flavour.done and "done" not in omit,
        created=flavour.created and "created" not in omit,
        usage=usage,
        tool_style=faults.tool_style or flavour.tool_style,
        hangs_up=flavour.hangs_up if faults.hangs_up is None else faults.hangs_up,
    )


def disturb(frames: Iterator[Frame], faults: Faults, *, is_responses: bool) -> Iterator[Frame]:
    """
    Do to the events of a stream whatever the faults ask for.

    Args:
        frames: The events of a stream.
        faults: `stream_error` ends it; `malformed` stands between two events, `between` before each, `after_done`
            behind the last; `endless` has no last; `multi_line` writes each one differently.
        is_responses: Errors take the form of the Responses API.

    Returns:
        The events, up to the error if there is one.

    Spec: SIM-05
    """
    if faults.endless:
        frames = _endless(frames)
    frames = _interrupted(frames, faults, is_responses=is_responses)
    if faults.after_done is not None:
        frames = chain(frames, [_AFTER_DONE[faults.after_done]])
    if faults.between is not None:
        frames = chain.from_iterable(zip(repeat(_BETWEEN[faults.between]), frames))
    return map(_on_three_lines, frames) if faults.multi_line else frames


def _endless(frames: Iterator[Frame]) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        if frame.tokens:
            yield from repeat(frame)


def _interrupted(frames: Iterator[Frame], faults: Faults, *, is_responses: bool) -> Iterator[Frame]:
    """
    Put an error and a malformed chunk where they are asked for.
    """
    spoken, is_malformed = 0, faults.malformed is not None
    for frame in frames:
        if faults.stream_error is not None and spoken >= faults.stream_error_after:
            yield _error_event(faults, is_responses=is_responses)
            return
        if is_malformed and spoken >= faults.malformed_after:
            yield Frame(_MALFORMED[str(faults.malformed)])
            is_malformed = False
        yield frame
        spoken += frame.tokens


def _on_three_lines(frame: Frame) -> Frame:
    """
    Break the line of an event where JSON may be broken: behind its first brace and before its last.
    """
    data = frame.data
    if b"data: {" in data and data.endswith(b"}\n\n"):
        data = data.replace(b"data: {", b"data: {\ndata: ", 1)[:-3] + b"\ndata: }\n\n"
    return frame._replace(data=data)


def error_of(faults: Faults, default_status: int = 500) -> ApiError:
    """
    Make the error that the faults describe.
    """
    status = faults.status or default_status
    return ApiError(
        faults.error_message or _MESSAGES.get(status, f"Simulated failure with status {status}."),
        status,
        faults.error_type,
        faults.error_code,
    )


def _error_event(faults: Faults, *, is_responses: bool) -> Frame:
    error, form = error_of(faults), str(faults.stream_error)
    if not is_responses:
        return Frame(event(_dumps(error_object(error, form)), "error" if faults.stream_error_named else None))
    code = error.shown_code or "server_error"
    body: dict[str, object] = error_object(error, form)
    if form == "flat":
        body = {"type": "error", "code": code, "message": error.message, "param": None}
    elif form == "openai":
        failed = {"status": "failed", "error": {"code": code, "message": error.message}}
        body = {"type": "response.failed", "response": failed}
    name = "response.failed" if form == "openai" else "error"
    return Frame(event(_dumps(body), name))
