"""
Faults by name: what a client may ask the simulator to do wrong, and the reading of such a wish.
"""

from __future__ import annotations

import difflib
import re
import types
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

ErrorForm: TypeAlias = Literal[
    "openai", "int_code", "string_code", "string", "flat", "detail", "litellm", "text", "html", "empty"
]
Malformed: TypeAlias = Literal[
    "text",
    "cut",
    "array",
    "number",
    "latin1",
    "json_null",
    "object",
    "deep",
    "surrogate",
    "null_choices",
    "null_choice",
    "null_delta",
    "choices_object",
    "number_content",
]
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]
Wish: TypeAlias = "str | Mapping[str, object] | None"
"""Faults as they are asked for: text, an object, or None for none."""
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


class InvalidFault(ValueError):
    """
    A wish that cannot be granted; the message names the fault and what it accepts.
    """


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """
    What to do wrong in one reply. Every field left out changes nothing; any may be combined.

    Spec: SIM-06
    """

    # Which request of the script, and how often.
    path: str | None = None
    """Script only: wait for a request with this path (any method); otherwise the next POST takes the entry."""
    times: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1
    """Script only: apply to this many requests."""

    # The status line, the headers, a body of one's own.
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None
    """Answer with this status and an error body."""
    body: object = None
    """Answer with this body: text as it stands, anything else as JSON."""
    headers: dict[str, str | None] = {}
    """Headers to set; null takes one away."""
    content_type: str | None = None
    """The content type to claim, whatever the body is."""
    retry_after: str | int | None = None
    """The value of `retry-after`, as it stands."""
    retry_after_date: int | None = None
    """`retry-after` as an HTTP date this many seconds from now; negative for the past."""
    retry_after_ms: str | int | float | None = None
    """The value of `retry-after-ms`, as it stands."""
    redirect: str | None = None
    """307 to this location."""
    error_form: ErrorForm | None = None
    """How an error body is written."""
    error_code: str | None = None
    """`code` of the error; also chosen by the status."""
    error_type: str | None = None
    """`type` of the error."""
    error_message: str | None = None
    """`message` of the error."""
    echo_key: bool = False
    """Repeat the client's key in the error message."""
    instead: Literal["html", "json", "text", "empty"] | None = None
    """Status 200 with a page of HTML, a JSON object, plain text or nothing where the answer should be."""

    # Time.
    stall: Seconds = 0.0
    """Seconds of silence, at the place `stall_at` names."""
    stall_at: Literal["head", "body"] | Count = "head"
    """Where: before the `head`, before the first byte of the `body`, or after this many tokens."""
    drip: Count = 0
    """Hand out the body this many bytes at a time."""
    drip_ms: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    """Milliseconds between two drips."""
    tokens_per_second: Annotated[float, msgspec.Meta(ge=0)] | None = None
    """Pace of this reply; 0 is as fast as possible."""
    ping_for: Seconds = 0.0
    """Send nothing but comments for this many seconds before the first chunk."""
    ping_every: Annotated[float, msgspec.Meta(gt=0)] = 0.05
    """Seconds between two such comments."""
    linger: Seconds = 0.0
    """Keep the body open this long after its last byte."""

    # Breaking off.
    drop: Literal["reset", "close"] | None = None
    """Break the connection without a single byte of answer."""
    cut: Count | None = None
    """Stop after this many bytes of the body."""
    cut_after_tokens: Count | None = None
    """Stop after this many tokens."""
    cut_by: Literal["reset", "close", "goaway"] = "reset"
    """How to stop: TCP RST (RST_STREAM over HTTP/2), a clean FIN, or GOAWAY and FIN."""
    h2_error: str = "INTERNAL_ERROR"
    """HTTP/2 error code that a reset or a GOAWAY carries."""
    refuse_stream: bool = False
    """HTTP/2: RST_STREAM with REFUSED_STREAM before any header; over HTTP/1.1 a reset."""
    goaway: Literal["below", "allowed"] | None = None
    """HTTP/2: GOAWAY `below` this stream, which is not processed, or after it (`allowed`)."""
    framing: Literal["chunked", "length", "close"] | None = None
    """HTTP/1.1: how the body's end is marked."""
    leftover: str = ""
    """HTTP/1.1: bytes written behind the complete answer."""
    hangs_up: bool | None = None
    """Close the connection after the answer without having said so."""

    # Bytes.
    encoding: Literal["gzip", "deflate", "zstd", "br"] | None = None
    """Content-encoding: gzip, deflate and zstd are done, br is only claimed."""
    bomb_mib: Annotated[int, msgspec.Meta(ge=0, le=4096)] = 0
    """Answer with a gzip body that inflates to this many MiB of comments before the stream."""
    pad_mib: Annotated[int, msgspec.Meta(ge=0, le=4096)] = 0
    """This many MiB of blanks before a body that is no stream: JSON stays JSON."""
    bom: bool = False
    """Put a byte-order mark before the body."""
    charset: Literal["latin-1", "utf-16"] | None = None
    """Write the body in this character set, whatever its content type says."""
    crlf: bool = False
    """End lines of the stream with CR LF."""
    cr: bool = False
    """End lines of the stream with CR alone."""
    split_utf8: bool = False
    """Send the halves of every multi-byte character in two writes."""
    words: Literal["plain", "unicode", "hostile"] | None = None
    """Vocabulary of the answer."""
    tokens: Count | None = None
    """Length of the answer, whatever the request's limit says."""

    # The shape of a stream.
    omit: list[Literal["role", "finish", "done", "usage", "created"]] = []
    """What to leave out."""
    finish_reason: str | None = None
    """The reason to give at the end."""
    first_delta: Literal["empty", "null_content", "absent", "text", "none"] | None = None
    """Form of the first chat chunk."""
    empty_chunks: Count = 0
    """Chunks without content after the first one."""
    usage: Literal["asked", "none", "unasked", "with_finish", "with_choice", "zero"] | None = None
    """When usage is sent, and where."""
    after_finish: Count = 0
    """Chunks with content after the finish_reason."""
    stream_error: ErrorForm | None = None
    """An error event inside the stream, in this form; nothing follows it."""
    stream_error_after: Count = 1
    """After how many tokens."""
    stream_error_named: bool = False
    """The event of that error is called `error`."""
    malformed: Malformed | None = None
    """A chunk that is not a chunk: no JSON, half of it, another type, or bytes that are not UTF-8."""
    malformed_after: Count = 1
    """After how many tokens."""
    between: Literal["event", "text_event", "fields", "comments", "empty"] | None = None
    """Before each event: one of an unknown name (with JSON, or text), unknown fields, comments, or empty data."""
    multi_line: bool = False
    """The JSON of each event on three `data` lines."""
    after_done: Literal["done", "content", "error", "text"] | None = None
    """What follows the end of the stream: `[DONE]` once more, a token, an error, or no JSON."""
    endless: bool = False
    """The first token is said again and again, for ever."""
    huge: Annotated[int, msgspec.Meta(ge=0, le=268_435_456)] = 0
    """One token of this many bytes, as the second."""

    # What is generated.
    choices: Annotated[int, msgspec.Meta(ge=0, le=16)] = 0
    """Speak this many choices, whatever `n` asks for."""
    tool_calls: Annotated[int, msgspec.Meta(ge=0, le=16)] = 0
    """Answer with this many parallel tool calls."""
    tool_style: Literal["openai", "vllm", "repeated", "late_name"] | None = None
    """How their deltas are written."""
    reasoning: Count = 0
    """Tokens of reasoning before the answer."""
    refusal: bool = False
    """The text is a refusal."""


NO_FAULTS: Final = Faults()
_LISTS: Final = frozenset({"omit"})


def read_faults(wish: Wish) -> Faults:
    """
    Read a wish: a JSON object, or `name=value;name=value;name` (a bare name means true).

    Args:
        wish: Header text, an object of a script, or None for no faults. Dashes in names count as underscores.

    Returns:
        The faults, checked.

    Raises:
        InvalidFault: A name is unknown or a value does not fit it.

    Spec: SIM-06
    """
    if wish is None:
        return NO_FAULTS
    named = _read_text(wish) if isinstance(wish, str) else wish
    try:
        return msgspec.convert({name.replace("-", "_"): value for name, value in named.items()}, Faults, strict=False)
    except msgspec.ValidationError as exc:
        raise InvalidFault(f"fault not understood: {_in_words(str(exc))}") from exc


def _in_words(problem: str) -> str:
    """
    Put what msgspec says into the names of faults, with what the one at fault accepts, or the nearest name there is.
    """
    unknown = re.fullmatch(r"Object contains unknown field `(\w*)`", problem)
    if unknown:
        near = difflib.get_close_matches(unknown[1], Faults.__struct_fields__, n=1)
        there = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(Faults.__struct_fields__)}"
        return f"unknown fault {unknown[1]!r}; {there}"
    said = re.fullmatch(r"(.+) - at `\$\.(\w+)(?:\[\d+\])?`", problem)
    if not said:
        return problem
    choices = _choices(get_type_hints(Faults)[said[2]])
    return f"{said[2]}: expected one of {', '.join(choices)}" if choices else f"{said[2]}: {said[1]}"


def _choices(kind: object) -> list[str]:
    """
    Give the words that a fault takes; none for one that takes other things too.
    """
    if get_origin(kind) is Literal:
        return [str(word) for word in get_args(kind)]
    members = get_args(kind) if get_origin(kind) in (Union, types.UnionType, list) else ()
    inner = [_choices(member) for member in members if member is not type(None)]
    return [word for words in inner for word in words] if all(inner) else []


def _read_text(text: str) -> Mapping[str, object]:
    if not text.lstrip().startswith("{"):
        return dict(_read_pair(pair) for pair in text.split(";") if pair.strip())
    try:
        named = msgspec.json.decode(text)
    except msgspec.DecodeError as exc:
        raise InvalidFault(f"faults are not valid JSON: {exc}") from exc
    # Text that begins with a brace decodes to an object or not at all.
    return dict(named)


def _read_pair(pair: str) -> tuple[str, object]:
    name, equals, value = pair.partition("=")
    name = name.strip().replace("-", "_")
    if not equals:
        return name, True
    if name in _LISTS:
        return name, [part.strip() for part in value.split(",")]
    return name, value.strip()
