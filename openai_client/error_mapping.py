"""
From failures to the tree: the one border where an HTTP failure, or an error inside a stream, becomes an `OpenAIError`.

`refine` runs first, inside the exchange, so that a retry policy already knows a rate limit from an exhausted quota;
`from_failure` turns what leaves the exchange into the leaf that stands for it; `from_stream_error` does the same for an
error object that came with HTTP 200.

Pure. All three are total: whatever an upstream sent, exactly one leaf comes out.

Spec: ERR-03, ERR-04, ERR-05, ERR-06, ERR-07, ERR-09, REL-05
"""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pydantic_core import from_json

from adapter_api.outcome import Outcome
from http_util.errors import StatusFailure
from http_util.redact import redact_text
from openai_client import errors
from openai_client.error_body import ErrorBody, read_error_body, read_error_value
from openai_client.error_codes import STATE_CODES, missing_scopes, refined_reason, stream_reason, token_budget
from openai_client.quotations import NO_QUOTATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from adapter_api.outcome import Attempt
    from http_util.errors import HttpFailure
    from http_util.secret import Secret
    from openai_client.errors import ErrorFacts, OpenAIError
    from openai_client.quotations import Quotations

LEAF_OF_REASON: Final[Mapping[str, type[OpenAIError]]] = MappingProxyType(
    {
        "invalid_task": errors.InvalidFieldValue,
        "malformed_request": errors.MalformedRequest,
        "missing_required_field": errors.MissingRequiredField,
        "invalid_field_value": errors.InvalidFieldValue,
        "serialization": errors.SerializationError,
        "context_length": errors.TooManyTokens,
        "token_limit": errors.TokenLimitExceeded,
        "content_filtered": errors.ContentFiltered,
        "safety_violation": errors.SafetyViolation,
        "refused": errors.RefusedByModel,
        "not_found": errors.NotFound,
        "deleted": errors.Deleted,
        "conflict": errors.AlreadyExists,
        "too_early": errors.InvalidState,
        "rate_limited": errors.TooManyRequests,
        "slots_exhausted": errors.TooManyRequests,
        "queue_full": errors.TooManyRequests,
        "invalid_api_key": errors.InvalidApiKey,
        "expired_api_key": errors.ExpiredApiKey,
        "permission_denied": errors.InsufficientPermissions,
        "quota_exceeded": errors.QuotaExceeded,
        "connection_failed": errors.ConnectionFailed,
        "dns_failed": errors.DnsResolutionFailed,
        "tls_failed": errors.SslError,
        "connect_timeout": errors.Timeout,
        "pool_timeout": errors.Timeout,
        "write_timeout": errors.Timeout,
        "first_byte_timeout": errors.Timeout,
        "idle_timeout": errors.Timeout,
        "content_timeout": errors.Timeout,
        "deadline": errors.Timeout,
        "request_timeout": errors.Timeout,
        "gateway_timeout": errors.Timeout,
        "server_error": errors.InternalServerError,
        "bad_gateway": errors.BadGateway,
        "service_unavailable": errors.ServiceUnavailable,
        "overloaded": errors.Overloaded,
        "circuit_open": errors.ServiceUnavailable,
        "pool_unready": errors.ServiceUnavailable,
        "reset": errors.ConnectionFailed,
        "truncated": errors.StreamInterrupted,
        "cancelled": errors.StreamInterrupted,
        "protocol": errors.UnexpectedResponse,
        "order_violation": errors.UnexpectedResponse,
        "redirect": errors.UnexpectedResponse,
        "content_type": errors.InvalidContentType,
        "decode": errors.DeserializationError,
        "closed": errors.InvalidState,
        "pool_unknown": errors.InvalidConfiguration,
        "engine_version": errors.InvalidConfiguration,
        "egress_denied": errors.InvalidConfiguration,
        "missing_api_key": errors.MissingApiKey,
        "invalid_base_url": errors.InvalidBaseUrl,
        "configuration": errors.InvalidConfiguration,
        "internal": errors.InvalidConfiguration,
    },
)
"""The leaf of every reason, before `from_failure` looks closer at a few of them."""

# What these say about the upstream does not change what it may have done with the request.
_SERVER_REASONS: Final = frozenset(
    {"server_error", "bad_gateway", "gateway_timeout", "service_unavailable", "overloaded"}
)


def refine(failure: StatusFailure, secrets: Iterable[Secret] = (), quotes: Quotations = NO_QUOTATIONS) -> StatusFailure:
    """
    Return the failure with the reason and the message that the answer's body gives it.

    Done before a retry is decided: an exhausted quota is a 429 too, and waiting does not help.

    Args:
        failure: What the status alone stands for.
        secrets: The credentials of the call, removed from the message wherever the upstream repeats them.
        quotes: What the upstream may quote of the call, removed too.

    Returns:
        A failure with the same status, body and ledger. Refining twice changes nothing more.

    Spec: ERR-04, ERR-07, SEC-16
    """
    said = read_error_body(failure.body)
    reason = refined_reason(said, failure.reason)
    moved = reason != failure.reason and reason not in _SERVER_REASONS
    return failure.replace(
        reason=reason,
        outcome=Outcome.REJECTED if moved else failure.outcome,
        message=_status_message(failure, said, secrets, quotes),
    )


def refiner(secrets: Iterable[Secret], quotes: Quotations = NO_QUOTATIONS) -> Callable[[StatusFailure], StatusFailure]:
    """Return `refine` for calls with these credentials: the value for `HttpCall.refine`."""
    known = tuple(secrets)

    def refine_call(failure: StatusFailure) -> StatusFailure:
        return refine(failure, known, quotes)

    return refine_call


def from_failure(
    failure: HttpFailure, secrets: Iterable[Secret] = (), quotes: Quotations = NO_QUOTATIONS
) -> OpenAIError:
    """
    Return the leaf of the tree that *failure* stands for. Raise it ``from`` the failure.

    Args:
        failure: Refined or not.
        secrets: The credentials of the call.
        quotes: What the upstream may quote of it.

    Spec: ERR-03, ERR-05, ERR-06, ERR-09
    """
    known = tuple(secrets)
    said = ErrorBody()
    if isinstance(failure, StatusFailure):
        said = read_error_body(failure.body)
        failure = refine(failure, known, quotes)
    facts: ErrorFacts = {
        "reason": failure.reason,
        "outcome": failure.outcome,
        "http_status": failure.http_status,
        "retry_after": failure.retry_after,
        "retryable": None if failure.outcome is Outcome.PARTIAL else failure.should_retry,
        "upstream_request_id": failure.upstream_request_id,
        "attempts": failure.attempts,
    }
    return _error(failure.reason, failure.message, said, facts, known, quotes)


def from_stream_error(
    payload: object,
    secrets: Iterable[Secret] = (),
    *,
    where: str = "the stream",
    quotes: Quotations = NO_QUOTATIONS,
    outcome: Outcome = Outcome.UNKNOWN,
    upstream_request_id: str | None = None,
    attempts: Iterable[Attempt] = (),
) -> OpenAIError:
    """
    Return the leaf for an error object that came with HTTP 200, inside a stream or as the whole answer.

    Args:
        payload: The event's data as bytes or decoded from JSON; the whole event or its error object alone.
        secrets: The credentials of the call.
        where: What it came in, for the message.
        quotes: What the upstream may quote of it.
        outcome: PARTIAL once a part of the answer was handed out.
        upstream_request_id: The upstream's id of the request.
        attempts: The ledger of the call.

    Example:
        >>> from_stream_error({"error": {"message": "upstream died", "type": None, "code": "500"}}).reason
        'server_error'
        >>> from_stream_error({"error": "prompt is too long"}).message
        'the upstream reports an error in the stream: prompt is too long'
    """
    known = tuple(secrets)
    said = read_error_body(payload) if isinstance(payload, bytes) else read_error_value(payload)
    facts: ErrorFacts = {
        "outcome": outcome,
        "http_status": int(HTTPStatus.OK),
        "upstream_request_id": upstream_request_id,
        "attempts": tuple(attempts),
    }
    reason = facts["reason"] = stream_reason(said)
    message = _message(f"the upstream reports an error in {where}", said, known, quotes)
    return _error(reason, message, said, facts, known, quotes)


def is_stream_error(payload: object) -> bool:
    """
    Tell whether the decoded data of one event is an error and not a chunk.

    An `error` that is null, as some servers send with every chunk, is none.

    Example:
        >>> (
        ...     is_stream_error({"type": "error", "code": "server_error", "message": "no"}),
        ...     is_stream_error({"error": None}),
        ... )
        (True, False)
    """
    get = getattr(payload, "get", None)
    if get is None:
        return False
    return bool(get("error")) or get("type") == "error" or get("object") == "error"


def stream_error_in(data: bytes) -> object | None:
    """
    Return the decoded payload when the data of one event is an error, else None.

    Cheap for chunks: only data in which the word occurs is decoded a second time.
    """
    if b'"error"' not in data:
        return None
    try:
        payload = from_json(data)
    except ValueError:
        return None
    return payload if is_stream_error(payload) else None


def _error(
    reason: str, message: str, said: ErrorBody, facts: ErrorFacts, secrets: tuple[Secret, ...], quotes: Quotations
) -> OpenAIError:
    """Build the leaf; a few reasons have more than one, or carry a fact of their own."""
    known = [secret.reveal() for secret in secrets]
    facts["type"], facts["param"], facts["code"] = (
        quotes.masked(text and redact_text(text, secrets=known)) for text in (said.type, said.param, said.code)
    )
    leaf = _leaf(reason, said, facts.get("outcome"))
    if leaf is errors.TokenLimitExceeded:
        return errors.TokenLimitExceeded(message, limit=token_budget(said), **facts)
    if leaf is errors.InsufficientPermissions:
        return errors.InsufficientPermissions(message, required=missing_scopes(said), **facts)
    return leaf(message, **facts)


def _leaf(reason: str, said: ErrorBody, outcome: Outcome | None) -> type[OpenAIError]:
    """Return the class, which depends on more than the reason in four cases."""
    match reason:
        case "reset" if outcome is Outcome.PARTIAL:
            return errors.StreamInterrupted
        case "protocol" if outcome is Outcome.NOT_SENT:
            return errors.SerializationError
        case "conflict" if (said.code or "").lower() in STATE_CODES:
            return errors.InvalidState
        case _:
            return LEAF_OF_REASON.get(reason, errors.UnexpectedResponse)


def _status_message(failure: StatusFailure, said: ErrorBody, secrets: Iterable[Secret], quotes: Quotations) -> str:
    """Return the sentence for a status, with what the body says; without a body, the one there was."""
    if said == ErrorBody() or failure.http_status is None:
        return failure.message
    try:
        phrase = f" {HTTPStatus(failure.http_status).phrase}"
    except ValueError:
        phrase = ""
    return _message(f"upstream answered {failure.http_status}{phrase}", said, secrets, quotes)


def _message(head: str, said: ErrorBody, secrets: Iterable[Secret], quotes: Quotations) -> str:
    """Return one sentence without the credentials of the call, and without a quotation of it."""
    label = quotes.masked(said.code if said.code and said.numeric_code is None else said.type)
    # a line break would be shown as an escape; a quotation may have some in it
    sentence = " ".join(line for part in (quotes.masked(said.message) or "").splitlines() if (line := part.strip()))
    text = f"{head}{f' ({label})' if label else ''}{f': {sentence}' if sentence else ''}"
    return redact_text(text, secrets=[secret.reveal() for secret in secrets])
