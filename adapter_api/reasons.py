"""
The one list of reasons: every way a task can fail, and how the contract reports it.

A *reason* is the stable snake_case name of the leaf that classified a failure. It decides the code, the variant and
the advice (`retriable`) that a `WorkerError` or an `error` event carries; nothing else does.

Spec: ADAPT-3002, ADP-06, HTU-ERR-4002
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class ErrorKind(StrEnum):
    """
    The codes that an orchestrator knows.

    Spec: ADP-06
    """

    ADMISSION_REJECT = "ADMISSION_REJECT"
    QUEUE_FULL_DROP_LRU = "QUEUE_FULL_DROP_LRU"
    INVALID_PARAMS = "INVALID_PARAMS"
    POOL_UNREADY = "POOL_UNREADY"
    POOL_UNAVAILABLE = "POOL_UNAVAILABLE"
    REPLICA_EXHAUSTED = "REPLICA_EXHAUSTED"
    DECODE_TIMEOUT = "DECODE_TIMEOUT"
    WORKER_RESET = "WORKER_RESET"
    INTERNAL = "INTERNAL"
    DEADLINE_UNMET = "DEADLINE_UNMET"
    MODEL_DEPRECATED = "MODEL_DEPRECATED"
    UNTRUSTED_ARTIFACT = "UNTRUSTED_ARTIFACT"


class Variant(StrEnum):
    """
    The families of failure, by who is at fault.

    Spec: ADAPT-3002
    """

    DEADLINE_UNMET = "DeadlineUnmet"
    POOL_UNAVAILABLE = "PoolUnavailable"
    DECODE_TIMEOUT = "DecodeTimeout"
    WORKER_RESET = "WorkerReset"
    INTERNAL = "Internal"
    ADAPTER = "Adapter"
    TASK_CANCELLED = "TaskCancelled"


class Reason(NamedTuple):
    """One row of the list."""

    name: str
    """Stable, snake_case."""
    variant: Variant
    code: ErrorKind | None
    """None for a cancelled task only: that is nobody's error."""
    retriable: bool
    """Advice to the caller; nothing here retries because of it."""
    meaning: str


_ADAPTER = Variant.ADAPTER
_POOL = Variant.POOL_UNAVAILABLE
_RESET = Variant.WORKER_RESET
_INTERNAL = Variant.INTERNAL

_INVALID = ErrorKind.INVALID_PARAMS
_UNAVAILABLE = ErrorKind.POOL_UNAVAILABLE
_REJECT = ErrorKind.ADMISSION_REJECT

_LATER: Final = True
_NEVER: Final = False
"""The advice, as a word: whether the same task may succeed later."""

_ROWS: Final = (
    # The task or the request is at fault: sending it again will not help.
    Reason("invalid_task", _ADAPTER, _INVALID, _NEVER, "a field of the task is wrong; found before any network use"),
    Reason("malformed_request", _ADAPTER, _INVALID, _NEVER, "the upstream refused the request as malformed"),
    Reason("missing_required_field", _ADAPTER, _INVALID, _NEVER, "the upstream misses a required field"),
    Reason("invalid_field_value", _ADAPTER, _INVALID, _NEVER, "the upstream refused the value of a field"),
    Reason("serialization", _ADAPTER, _INVALID, _NEVER, "the request cannot be written as JSON"),
    Reason("context_length", _ADAPTER, _INVALID, _NEVER, "prompt and answer do not fit the model's context"),
    Reason("token_limit", _ADAPTER, _INVALID, _NEVER, "this one request is larger than the whole token budget"),
    Reason("content_filtered", _ADAPTER, _INVALID, _NEVER, "the upstream's content filter refused"),
    Reason("safety_violation", _ADAPTER, _INVALID, _NEVER, "the upstream's safety system refused"),
    Reason("refused", _ADAPTER, _INVALID, _NEVER, "the model refused"),
    Reason("not_found", _ADAPTER, _INVALID, _NEVER, "the upstream knows no such model or path"),
    Reason("deleted", _ADAPTER, ErrorKind.MODEL_DEPRECATED, _NEVER, "the model is retired"),
    # The upstream or a limit says: not now.
    Reason("conflict", _ADAPTER, _REJECT, _LATER, "the upstream is in a state that conflicts with the request (409)"),
    Reason("too_early", _ADAPTER, _REJECT, _LATER, "the upstream is not willing to take the request yet (425)"),
    Reason("rate_limited", _ADAPTER, _REJECT, _LATER, "a rate limit is reached: the upstream's, or one of this side"),
    Reason("slots_exhausted", _ADAPTER, _REJECT, _LATER, "all slots of this adapter are taken"),
    Reason("queue_full", _ADAPTER, ErrorKind.QUEUE_FULL_DROP_LRU, _LATER, "the local queue is full"),
    # The account is at fault.
    Reason("invalid_api_key", _POOL, _UNAVAILABLE, _NEVER, "the upstream does not accept the credential"),
    Reason("expired_api_key", _POOL, _UNAVAILABLE, _NEVER, "the credential has expired"),
    Reason("permission_denied", _POOL, _UNAVAILABLE, _NEVER, "the credential may not do this"),
    Reason("quota_exceeded", _POOL, _UNAVAILABLE, _NEVER, "the account's quota is used up"),
    # The way to the upstream is at fault.
    Reason("connection_failed", _POOL, _UNAVAILABLE, _LATER, "refused, unreachable, or DNS failed for the moment"),
    Reason("dns_failed", _POOL, _UNAVAILABLE, _NEVER, "the host name does not exist"),
    Reason("tls_failed", _POOL, _UNAVAILABLE, _NEVER, "the certificate or the host name was not accepted"),
    Reason("connect_timeout", _POOL, _UNAVAILABLE, _LATER, "no connection within connect_timeout"),
    Reason("pool_timeout", _POOL, _UNAVAILABLE, _LATER, "no free connection within pool_timeout"),
    Reason("write_timeout", _POOL, _UNAVAILABLE, _LATER, "the upstream did not take the request in time"),
    Reason("first_byte_timeout", _POOL, _UNAVAILABLE, _LATER, "no response head within first_byte_timeout"),
    # The upstream is at fault.
    Reason("request_timeout", _POOL, _UNAVAILABLE, _LATER, "the upstream gave up waiting for the request (408)"),
    Reason("server_error", _POOL, _UNAVAILABLE, _LATER, "the upstream failed (500 and other 5xx)"),
    Reason("bad_gateway", _POOL, _UNAVAILABLE, _LATER, "a gateway could not reach the engine (502)"),
    Reason("service_unavailable", _POOL, _UNAVAILABLE, _LATER, "the upstream is unavailable (503)"),
    Reason("gateway_timeout", _POOL, _UNAVAILABLE, _LATER, "a gateway gave up waiting for the engine (504)"),
    Reason("overloaded", _POOL, _UNAVAILABLE, _LATER, "the upstream is overloaded (529, or a 503 that says so)"),
    Reason("circuit_open", _POOL, _UNAVAILABLE, _LATER, "the breaker is open: the upstream failed too often just now"),
    # The stream is at fault.
    Reason("idle_timeout", _POOL, _UNAVAILABLE, _LATER, "no byte of the stream within idle_timeout"),
    Reason("content_timeout", _POOL, _UNAVAILABLE, _LATER, "no content in the stream within content_timeout"),
    Reason("reset", _POOL, _UNAVAILABLE, _LATER, "the connection broke, or the stream was reset; see the outcome"),
    Reason("truncated", _RESET, ErrorKind.WORKER_RESET, _LATER, "the stream stopped without evidence of an end"),
    Reason("protocol", _ADAPTER, ErrorKind.INTERNAL, _NEVER, "the upstream's answer breaks the protocol"),
    Reason(
        "content_type", _ADAPTER, ErrorKind.INTERNAL, _NEVER, "the upstream answered with something that is no stream"
    ),
    Reason("decode", _ADAPTER, ErrorKind.INTERNAL, _NEVER, "a chunk is not what the API describes"),
    Reason("redirect", _ADAPTER, ErrorKind.INTERNAL, _NEVER, "the upstream redirects; redirects are not followed"),
    # The task's time is up, or nobody wants it any more.
    Reason("deadline", Variant.DEADLINE_UNMET, ErrorKind.DEADLINE_UNMET, _NEVER, "the task's deadline passed"),
    Reason("cancelled", Variant.TASK_CANCELLED, None, _NEVER, "the task was cancelled before it started"),
    # The pool is at fault.
    Reason("pool_unready", _POOL, ErrorKind.POOL_UNREADY, _LATER, "no replica of the pool is ready"),
    Reason("pool_unknown", _POOL, _UNAVAILABLE, _NEVER, "no such pool is bound"),
    Reason("engine_version", _POOL, ErrorKind.POOL_UNREADY, _NEVER, "the engine's version is not the pinned one"),
    Reason("closed", _POOL, _UNAVAILABLE, _NEVER, "the adapter or host is closed"),
    # We are at fault, or the person who configured us.
    Reason("egress_denied", _INTERNAL, ErrorKind.INTERNAL, _NEVER, "the egress policy does not allow this host"),
    Reason("missing_api_key", _INTERNAL, ErrorKind.INTERNAL, _NEVER, "a credential is required and none was given"),
    Reason("invalid_base_url", _INTERNAL, ErrorKind.INTERNAL, _NEVER, "the base URL is not usable"),
    Reason("configuration", _INTERNAL, ErrorKind.INTERNAL, _NEVER, "the configuration is wrong"),
    Reason("order_violation", _INTERNAL, ErrorKind.INTERNAL, _NEVER, "an adapter broke the order of its stream"),
    Reason("internal", _INTERNAL, ErrorKind.INTERNAL, _NEVER, "a bug on this side of the wire"),
)

REASONS: Final[Mapping[str, Reason]] = MappingProxyType({row.name: row for row in _ROWS})
"""Every reason by its name."""

_WHILE_STREAMING: Final[Mapping[str, tuple[Variant, ErrorKind]]] = {
    "idle_timeout": (Variant.DECODE_TIMEOUT, ErrorKind.DECODE_TIMEOUT),
    "content_timeout": (Variant.DECODE_TIMEOUT, ErrorKind.DECODE_TIMEOUT),
    "reset": (_RESET, ErrorKind.WORKER_RESET),
}


def reason_row(name: str, *, streaming: bool = False) -> Reason:
    """
    The row of the reason *name*; an unknown name counts as `internal`.

    Args:
        name: A key of `REASONS`.
        streaming: True after `started`: a timeout is then the decoder's (`DECODE_TIMEOUT`), and a broken connection the
            worker's (`WORKER_RESET`), where before `started` both mean that the pool cannot be used.

    Example:
        >>> reason_row("idle_timeout").code.value, reason_row("idle_timeout", streaming=True).code.value
        ('POOL_UNAVAILABLE', 'DECODE_TIMEOUT')
    """
    row = REASONS.get(name) or REASONS["internal"]
    if streaming and row.name in _WHILE_STREAMING:
        variant, code = _WHILE_STREAMING[row.name]
        return row._replace(variant=variant, code=code)
    return row
