"""
Projections of the client's error tree: what an adapter raises, and what kind of failure it is to the service.

Both go by the error's reason; the rows of the first stand in `adapter_api.REASONS`, those of the second here. Two kinds
depend on whether the upstream answered as well.

Spec: ERR-20, ERR-21, SVC-06, SVC-07, SVC-08, SVC-09
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from adapter_api import REASONS, TaskCancelled, WorkerError
from http_util.errors import HttpFailure
from http_util.frames import without_frames
from http_util.redact_quotes import without_quotes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openai_client.errors import OpenAIError


class ServiceKind(StrEnum):
    """
    The kinds of failure that the streaming service knows.

    Spec: ERR-21
    """

    PRECONDITION = "Precondition"
    HTTP_ERROR = "HttpError"
    NETWORK_TIMEOUT = "NetworkTimeout"
    DECODE_ERROR = "DecodeError"
    CONNECTION = "Connection"
    REJECTED = "Rejected"
    CANCELLED = "Cancelled"


_ROWS: Final = {
    ServiceKind.PRECONDITION: (
        "invalid_task configuration internal missing_api_key invalid_base_url egress_denied order_violation closed "
        "engine_version pool_unknown serialization"
    ),
    ServiceKind.HTTP_ERROR: (
        "malformed_request missing_required_field invalid_field_value context_length token_limit content_filtered "
        "safety_violation refused not_found deleted conflict too_early rate_limited quota_exceeded invalid_api_key "
        "expired_api_key permission_denied request_timeout server_error bad_gateway service_unavailable "
        "gateway_timeout overloaded"
    ),
    ServiceKind.NETWORK_TIMEOUT: (
        "connect_timeout pool_timeout write_timeout first_byte_timeout idle_timeout content_timeout deadline"
    ),
    ServiceKind.DECODE_ERROR: "truncated protocol content_type decode redirect",
    ServiceKind.CONNECTION: "connection_failed dns_failed tls_failed reset",
    ServiceKind.REJECTED: "circuit_open slots_exhausted queue_full pool_unready",
    ServiceKind.CANCELLED: "cancelled",
}

SERVICE_KINDS: Final[Mapping[str, ServiceKind]] = {
    reason: kind for kind, reasons in _ROWS.items() for reason in reasons.split()
}
"""The service's kind of every reason; total over `adapter_api.REASONS`."""

_KINDS_WITHOUT_ANSWER: Final[Mapping[str, ServiceKind]] = {
    "rate_limited": ServiceKind.REJECTED,
    "token_limit": ServiceKind.PRECONDITION,
}
"""The kinds of what an upstream may say, and a limiter of this side too, in whose words there is no status."""


def service_kind(reason: str, status: int | None) -> ServiceKind:
    """
    Return the service's kind of a failure.

    Args:
        reason: A key of `adapter_api.REASONS`.
        status: Of the upstream's answer; None when there was none, and this side said no.

    Spec: ERR-21
    """
    local = None if status is not None else _KINDS_WITHOUT_ANSWER.get(reason)
    return local or SERVICE_KINDS[reason]


_OWN_WORDS: Final = frozenset(
    {
        "cancelled",
        "connect_timeout",
        "content_timeout",
        "deadline",
        "first_byte_timeout",
        "idle_timeout",
        "pool_timeout",
        "write_timeout",
    }
)
"""Reasons that this side finds by itself: going through a prompt of many mebibytes for their words is not worth it."""


def _without_quotes(failure: OpenAIError | HttpFailure, private: Sequence[str]) -> str:
    """Return the words of *failure*, with nothing of the prompt that an upstream may have quoted."""
    if failure.reason in _OWN_WORDS and failure.http_status is None:
        return failure.message
    return without_quotes(failure.message, private)


def worker_error(error: OpenAIError, *, streaming: bool, private: Sequence[str] = ()) -> WorkerError:
    """
    The adapter's error for an error of the client.

    Args:
        error: Already redacted, as all of them are.
        streaming: Whether `started` has been given.
        private: Texts of the prompt, which the upstream may have quoted.

    Spec: ERR-20, HTU-ERR-4002
    """
    reason = error.reason if error.reason in REASONS else "internal"
    if reason == "cancelled" and not streaming:
        return TaskCancelled(outcome=error.outcome, attempts=error.attempts)
    retry_after_ms = None if error.retry_after is None else max(0, round(error.retry_after * 1000))
    return WorkerError(
        reason,
        _without_quotes(error, private),
        streaming=streaming,
        # the upstream's own word, where it gave one
        retriable=error.advice,
        retry_after_ms=retry_after_ms,
        outcome=error.outcome,
        http_status=error.http_status,
        attempts=error.attempts,
        upstream_request_id=error.upstream_request_id,
    )


def shown_cause(failure: HttpFailure, private: Sequence[str]) -> HttpFailure:
    """
    *failure* itself, fit to be the cause of an error: without frames, and with nothing of the prompt in its words.

    A traceback shows the words of causes too.

    Args:
        failure: Whose chain is made fit in place.
        private: As for `worker_error`.

    Spec: SEC-16, ADP-50
    """
    link: BaseException | None = without_frames(failure)
    while link is not None:
        if isinstance(link, HttpFailure):
            link.message = _without_quotes(link, private)
            link.args = (link.message,)
        link = link.__cause__ or link.__context__
    return failure
