"""
Partial decoding: of a chunk, only the fields that the token path needs, straight from bytes into slots.

Every field is optional and unknown ones are passed over, because servers differ (a first chunk without content, usage
in a chunk of its own, extra keys). What is read agrees with the full models of the client; a property test compares
the two. JSON holds no cycles, so the garbage collector need not know of what is made here (`gc=False`); every field
less is time saved with every token.

Spec: ADP-26, ADP-27
"""

from __future__ import annotations

from typing import Any

import msgspec


class Function(msgspec.Struct, gc=False):
    """The increment of one tool call's function."""

    name: str | None = None
    arguments: Any = None
    """A piece of JSON text; some servers send the whole value."""


class ToolCall(msgspec.Struct, gc=False):
    """The increment of one tool call."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Delta(msgspec.Struct, gc=False):
    """The increment of one choice of a chat."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None


class Choice(msgspec.Struct, gc=False):
    """One choice of a chunk, of chat (`delta`) or of completions (`text`)."""

    index: int | None = 0
    delta: Delta | None = None
    message: Delta | None = None
    """The whole message, from servers that answer a stream in one piece."""
    text: str | None = None
    finish_reason: str | None = None


class Usage(msgspec.Struct, gc=False):
    """Token counts, in the names of either API."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class Chunk(msgspec.Struct, gc=False):
    """One chunk of chat or completions. One without choices, or with an error, is read again as `Trouble`."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    error: Any = None


class Trouble(msgspec.Struct, gc=False):
    """An error in the place of a chunk, in any of its forms."""

    error: Any = None
    object: Any = None
    detail: Any = None
    message: Any = None


class IncompleteDetails(msgspec.Struct, gc=False):
    """Why a response is incomplete."""

    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """The response object inside a lifecycle event."""

    model: str | None = None
    status: str | None = None
    usage: Usage | None = None
    error: Any = None
    incomplete_details: IncompleteDetails | None = None


class OutputItem(msgspec.Struct, gc=False):
    """An item that a response begins to put out."""

    type: str | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None


class ResponseEvent(msgspec.Struct, gc=False):
    """One event of a Responses stream."""

    type: str | None = None
    delta: Any = None
    output_index: int | None = None
    item: OutputItem | None = None
    response: Response | None = None
    error: Any = None
    code: Any = None
    message: Any = None


decode_chunk = msgspec.json.Decoder(Chunk).decode
"""Bytes of one event's data -> Chunk. Raises msgspec.DecodeError (also its ValidationError) and UnicodeDecodeError."""

decode_trouble = msgspec.json.Decoder(Trouble).decode
"""Bytes of one event's data, which `decode_chunk` has taken -> Trouble."""

decode_response_event = msgspec.json.Decoder(ResponseEvent).decode
"""Bytes of one event's data -> ResponseEvent. Raises as `decode_chunk`."""
