"""A stream that has begun: cut, silent, dripping, framed oddly, or telling something else than an answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tests.faults.case import (
    DEADLINE,
    DECODE_TIMEOUT,
    H1,
    INTERNAL,
    LATER,
    NEVER,
    PARTIAL,
    RAISED,
    REJECT,
    RESET,
    UNAVAILABLE,
    UNKNOWN,
    Case,
    Failure,
)
from tests.faults.groups.connect import SHORT
from tests.faults.groups.wire import DONE, answer, chunk, falling_silent, replying, tokens
from tests.faults.upstreams import Http1, simulated

if TYPE_CHECKING:
    from tests.faults.upstreams import Wish

WHOLE: Final = "started token*8 end"

TRUNCATED: Final = Failure(RESET, "truncated", PARTIAL, LATER)
BROKEN: Final = Failure(RESET, "reset", PARTIAL, LATER)
IDLE: Final = Failure(DECODE_TIMEOUT, "idle_timeout", PARTIAL, LATER)
NO_CONTENT: Final = Failure(DECODE_TIMEOUT, "content_timeout", PARTIAL, LATER)
UNREADABLE: Final = Failure(INTERNAL, "decode", PARTIAL, NEVER)
NO_PROTOCOL: Final = Failure(INTERNAL, "protocol", PARTIAL, NEVER)
SERVER: Final = Failure(UNAVAILABLE, "server_error", PARTIAL, LATER)

# the same before the first token

EARLY_TRUNCATED: Final = TRUNCATED._replace(outcome=UNKNOWN)
EARLY_BROKEN: Final = Failure(UNAVAILABLE, "reset", UNKNOWN, LATER)
EARLY_IDLE: Final = Failure(UNAVAILABLE, "idle_timeout", UNKNOWN, LATER)
EARLY_NO_CONTENT: Final = Failure(UNAVAILABLE, "content_timeout", UNKNOWN, LATER)
EARLY_UNREADABLE: Final = UNREADABLE._replace(outcome=UNKNOWN)
EARLY_NO_PROTOCOL: Final = NO_PROTOCOL._replace(outcome=UNKNOWN)
EARLY_SERVER: Final = SERVER._replace(outcome=UNKNOWN)


def good(name: str, wish: Wish, sequence: str = WHOLE, evidence: str = "finish_reason", **more: Any) -> Case:
    """A stream that is odd and complete."""
    facts = {"evidence": evidence, **more.pop("facts", {})}
    return Case(name=name, group="stream", upstream=simulated(wish), sequence=sequence, facts=facts, **more)


def broken(name: str, wish: Wish, failure: Failure, sequence: str = "started token*3 error", **more: Any) -> Case:
    """A stream that goes wrong after it has begun; it is one error and one request."""
    return Case(name=name, group="stream", upstream=simulated(always=wish), sequence=sequence, failure=failure, **more)


def early(name: str, wish: Wish, failure: Failure, **more: Any) -> Case:
    """A stream that goes wrong before its first valid chunk."""
    return broken(name, wish, failure, RAISED, **more)


def written(name: str, body: bytes, sequence: str, failure: Failure | None = None, **more: Any) -> Case:
    """A stream of exact bytes, over HTTP/1.1."""
    upstream = Http1(partial(replying, answer(body)))
    return Case(
        name=name, group="stream", upstream=upstream, sequence=sequence, failure=failure, protocols=(H1,), **more
    )


CUTS: Final = (
    broken("reset-after-tokens", "cut_after_tokens=3", BROKEN),
    broken("closed-after-tokens", "cut_after_tokens=3;cut_by=close", BROKEN),
    broken("goaway-after-tokens", "cut_after_tokens=3;cut_by=goaway", BROKEN),
    broken("reset-in-an-event", "cut=1300", BROKEN, "started token*N error"),
    broken("closed-in-an-event", "cut=1300;cut_by=close", BROKEN, "started token*N error"),
    broken("body-until-close-cut", "cut_after_tokens=3;cut_by=close;framing=close", TRUNCATED, protocols=(H1,)),
    broken("length-cut", "cut=1300;cut_by=close;framing=length", BROKEN, "started token*N error", protocols=(H1,)),
    broken("cut-before-the-role", "cut_after_tokens=0;cut_by=close", EARLY_BROKEN, RAISED),
    broken("cut-after-the-role", "cut=300;cut_by=close", BROKEN._replace(outcome=UNKNOWN), "started error"),
    early("cut-before-a-byte", "cut=0;cut_by=close", EARLY_BROKEN),
    early("reset-before-a-byte", "cut=0", EARLY_BROKEN),
    early("closed-before-a-byte", "cut=0;cut_by=close;framing=close", EARLY_TRUNCATED, protocols=(H1,)),
    early("empty-body", "instead=empty", EARLY_TRUNCATED),
    broken(
        "gzip-cut",
        "cut_after_tokens=3;cut_by=close;framing=close;encoding=gzip",
        TRUNCATED,
        "started token*N error",
        protocols=(H1,),
    ),
    broken("no-evidence", "omit=done,finish", TRUNCATED, "started token*8 error"),
    broken("no-evidence-no-tokens", "tokens=0;omit=done,finish", EARLY_TRUNCATED, "started error"),
    early("nothing-at-all", "tokens=0;first_delta=none;omit=role,done,finish,usage", EARLY_TRUNCATED),
    early("only-done", "tokens=0;first_delta=none;omit=role,finish,usage", EARLY_TRUNCATED),
    broken("failed-finish-reason", "finish_reason=error", SERVER, "started token*8 error"),
    broken("aborted", "finish_reason=abort", SERVER, "started token*8 error"),
    good("cut-after-the-finish", "omit=done,usage"),
    good("reset-after-the-finish", "omit=done;linger=0.05;cut=100000"),
    good("closed-after-the-finish", "omit=done;hangs_up"),
    good("done-without-finish", "omit=finish", evidence="done"),
    broken("done-is-no-evidence", "omit=finish", TRUNCATED, "started token*8 error", settings={"dialect": "llamacpp"}),
)

TIME: Final = (
    broken("stall", "stall=30;stall_at=3", IDLE, settings={"idle_timeout": SHORT}, after=SHORT, within=SHORT),
    early(
        "stall-after-the-head",
        "stall=30;stall_at=body",
        EARLY_IDLE,
        settings={"idle_timeout": SHORT},
        after=SHORT,
        within=SHORT,
    ),
    Case(
        name="stall-after-the-role",
        group="stream",
        upstream=Http1(partial(falling_silent, chunk({"role": "assistant"}))),
        sequence="started error",
        failure=IDLE._replace(outcome=UNKNOWN),
        settings={"idle_timeout": SHORT},
        after=SHORT,
        within=SHORT,
        protocols=(H1,),
    ),
    broken(
        "heartbeats-for-ever",
        "ping_for=30;ping_every=0.02",
        EARLY_NO_CONTENT,
        RAISED,
        settings={"content_timeout": SHORT, "idle_timeout": 0.1},
        after=SHORT,
        within=SHORT,
    ),
    broken(
        "empty-deltas-for-ever",
        "empty_chunks=100000;drip=2000;drip_ms=10",
        NO_CONTENT._replace(outcome=UNKNOWN),
        "started error",
        settings={"content_timeout": SHORT, "idle_timeout": 0.1},
        after=SHORT,
        within=SHORT,
    ),
    broken(
        "stall-longer-than-content-allows",
        "stall=30;stall_at=3",
        NO_CONTENT,
        settings={"content_timeout": SHORT},
        after=SHORT,
        within=SHORT,
    ),
    broken(
        "drip-of-one-byte",
        "drip=1;drip_ms=5",
        Failure(UNAVAILABLE, "content_timeout", UNKNOWN, LATER),
        RAISED,
        settings={"content_timeout": SHORT, "idle_timeout": 0.1},
        after=SHORT,
        within=SHORT,
    ),
    good("heartbeats-then-content", "ping_for=0.3;ping_every=0.02", settings={"idle_timeout": 0.15}, after=0.3),
    good("comments-between", "between=comments"),
    good("slow-and-steady", "tokens_per_second=50", settings={"idle_timeout": 0.1, "content_timeout": 0.1}, after=0.14),
    good("lingers-after-the-finish", "omit=done;linger=30", after=0.25, within=0.25),
    good(
        "usage-comes-late",
        "usage=asked",
        facts={"usage": {"prompt_tokens": 8, "completion_tokens": 8, "total_tokens": 16, "source": "upstream"}},
    ),
)

FRAMING: Final = (
    good("a-byte-at-a-time", "drip=1;drip_ms=0", within=1.5),
    good("crlf", "crlf"),
    good("split-crlf", "crlf;drip=1;drip_ms=0", within=1.5),
    good("cr-only", "cr"),
    good("split-cr", "cr;drip=7;drip_ms=0", within=1.0),
    good("split-characters", "split_utf8;words=unicode"),
    good("hostile-words", "words=hostile"),
    good("byte-order-mark", "bom;first_delta=text"),
    good("split-byte-order-mark", "bom;first_delta=text;drip=1;drip_ms=0", within=1.5),
    good("multi-line-data", "multi_line"),
    good("multi-line-data-crlf", "multi_line;crlf"),
    good("unknown-event", "between=event"),
    good("unknown-fields", "between=fields"),
    good("empty-data", "between=empty"),
    good("one-write", "drip=100000"),
    good("gzip", "encoding=gzip"),
    good("gzip-in-drips", "encoding=gzip;drip=5;drip_ms=0"),
    good("deflate", "encoding=deflate"),
    early("zstd", "encoding=zstd", EARLY_NO_PROTOCOL),
    early("brotli-claimed", "encoding=br", EARLY_NO_PROTOCOL),
    early("gzip-claimed", {"headers": {"content-encoding": "gzip"}}, EARLY_UNREADABLE),
    early("two-encodings", {"encoding": "gzip", "headers": {"content-encoding": "gzip, gzip"}}, EARLY_NO_PROTOCOL),
    early("utf-16", "charset=utf-16", EARLY_TRUNCATED),
    broken("latin-1", "charset=latin-1;words=unicode", UNREADABLE, "started token*N error"),
    broken("10-mb-event", "huge=10000000", NO_PROTOCOL, "started token*1 error", within=1.0),
    good("10-mb-event-allowed", "huge=10000000", settings={"max_event_bytes": 20_000_000}, within=2.0),
    written(
        "done-without-a-blank-line", tokens(3) + b"data: [DONE]\n", "started token*3 end", facts={"evidence": "done"}
    ),
    written("no-space-behind-the-colon", tokens(3).replace(b"data: ", b"data:") + DONE, "started token*3 end"),
    written("half-an-event-at-the-end", tokens(3) + chunk({"content": "x"})[:20], "started token*3 error", TRUNCATED),
    written(
        "whole-event-without-end", tokens(3) + chunk({"content": "x"}).rstrip(), "started token*3 error", TRUNCATED
    ),
    written("nul-bytes", tokens(3) + b"\0\0\0\0\n\n" + DONE, "started token*3 end"),
)

WORDS: Final = (
    good("done-twice", "after_done=done"),
    good("token-after-done", "after_done=content"),
    good("error-after-done", "after_done=error"),
    good("text-after-done", "after_done=text"),
    good("tokens-after-the-finish", "after_finish=5"),
    good(
        "usage-in-every-chunk",
        "usage=zero",
        facts={"usage": {"prompt_tokens": None, "completion_tokens": 8, "total_tokens": None, "source": "estimated"}},
    ),
    good("usage-beside-a-choice", "usage=with_choice"),
    good("usage-with-the-finish", "usage=with_finish"),
    good("no-usage", "usage=none"),
    good("null-choices", "malformed=null_choices;malformed_after=3"),
    good("null-delta", "malformed=null_delta;malformed_after=3"),
    good("empty-object", "malformed=object;malformed_after=3"),
    good("no-role", "first_delta=none"),
    good("null-content-first", "first_delta=null_content"),
    good("text-beside-the-role", "first_delta=text"),
    good("several-choices", "choices=3"),
    good("no-tokens", "tokens=0", "started end"),
    good("tool-calls", "tool_calls=2", "started token*12 end", facts={"finish_reason": "tool_calls"}),
    good("tool-calls-repeated", "tool_calls=2;tool_style=repeated", "started token*10 end"),
    good("tool-calls-vllm", "tool_calls=2;tool_style=vllm", "started token*12 end"),
    good("tool-calls-named-late", "tool_calls=1;tool_style=late_name", "started token*6 end"),
    good("refusal", "refusal", facts={"finish_reason": "length"}),
    good("reasoning-first", "reasoning=4", "started token*12 end"),
    good("content-filter", "finish_reason=content_filter", facts={"finish_reason": "content_filter"}),
    good("unknown-finish-reason", "finish_reason=tired", facts={"finish_reason": "tired"}),
    broken("text-chunk", "malformed=text;malformed_after=3", UNREADABLE),
    broken("half-a-chunk", "malformed=cut;malformed_after=3", UNREADABLE),
    broken("array-chunk", "malformed=array;malformed_after=3", UNREADABLE),
    broken("number-chunk", "malformed=number;malformed_after=3", UNREADABLE),
    broken("null-chunk", "malformed=json_null;malformed_after=3", UNREADABLE),
    broken("latin1-chunk", "malformed=latin1;malformed_after=3", UNREADABLE),
    broken("deep-chunk", "malformed=deep;malformed_after=3", UNREADABLE),
    broken("half-a-surrogate", "malformed=surrogate;malformed_after=3", UNREADABLE),
    broken("null-choice", "malformed=null_choice;malformed_after=3", UNREADABLE),
    broken("choices-object", "malformed=choices_object;malformed_after=3", UNREADABLE),
    broken("number-as-content", "malformed=number_content;malformed_after=3", UNREADABLE),
    early("text-first", "malformed=text;malformed_after=0;first_delta=none", EARLY_UNREADABLE),
    early("unknown-text-event-first", "between=text_event", EARLY_UNREADABLE),
)

FORMS: Final = ("openai", "int_code", "string_code", "string", "flat", "detail", "litellm")
ERRORS: Final = (
    *(broken(f"error-in-a-200-{form}", f"stream_error={form};stream_error_after=3", SERVER) for form in FORMS),
    *(
        early(f"error-first-{form}", f"stream_error={form};stream_error_after=0;first_delta=none", EARLY_SERVER)
        for form in FORMS
    ),
    broken("error-event-named", "stream_error=openai;stream_error_after=3;stream_error_named", SERVER),
    broken(
        "rate-limit-in-a-200",
        "stream_error=int_code;stream_error_after=3;status=429",
        Failure(REJECT, "rate_limited", PARTIAL, LATER),
    ),
    broken(
        "quota-in-a-200",
        "stream_error=openai;stream_error_after=3;error_code=insufficient_quota",
        Failure(UNAVAILABLE, "quota_exceeded", PARTIAL, NEVER),
    ),
    broken("responses-error", "stream_error=flat;stream_error_after=3", SERVER, settings={"api": "responses"}),
    broken("responses-failed", "stream_error=openai;stream_error_after=3", SERVER, settings={"api": "responses"}),
    broken("responses-cut", "cut_after_tokens=3;cut_by=close", BROKEN, settings={"api": "responses"}),
    broken("completions-cut", "cut_after_tokens=3;cut_by=close", BROKEN, settings={"api": "completions"}),
    good("responses-done", {}, evidence="response.incomplete", settings={"api": "responses"}),
)

BOMBS: Final = (
    broken(
        "endless-stream",
        "endless;tokens_per_second=2000",
        Failure(DEADLINE, "deadline", PARTIAL, NEVER),
        "started token*N error",
        task={"deadline_ms": 300},
        after=0.3,
        within=0.3,
    ),
)

CASES: Final = (*CUTS, *TIME, *FRAMING, *WORDS, *ERRORS, *BOMBS)
