"""Answers that refuse: every status, and the bodies in which servers and gateways say why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from adapter_api import ErrorKind
from openai_client import errors
from tests.faults.case import (
    INTERNAL,
    INVALID,
    LATER,
    NEVER,
    RAISED,
    REJECT,
    REJECTED,
    UNAVAILABLE,
    UNKNOWN,
    Case,
    Failure,
)
from tests.faults.upstreams import simulated

if TYPE_CHECKING:
    from tests.faults.upstreams import Wish

MALFORMED: Final = Failure(INVALID, "malformed_request", REJECTED, NEVER)
MISSING_FIELD: Final = Failure(INVALID, "missing_required_field", REJECTED, NEVER)
WRONG_VALUE: Final = Failure(INVALID, "invalid_field_value", REJECTED, NEVER)
TOO_LONG: Final = Failure(INVALID, "context_length", REJECTED, NEVER)
TOO_LARGE: Final = Failure(INVALID, "token_limit", REJECTED, NEVER)
FILTERED: Final = Failure(INVALID, "content_filtered", REJECTED, NEVER)
UNSAFE: Final = Failure(INVALID, "safety_violation", REJECTED, NEVER)
NOT_FOUND: Final = Failure(INVALID, "not_found", REJECTED, NEVER)
DELETED: Final = Failure(ErrorKind.MODEL_DEPRECATED, "deleted", REJECTED, NEVER)
WRONG_KEY: Final = Failure(UNAVAILABLE, "invalid_api_key", REJECTED, NEVER)
OLD_KEY: Final = Failure(UNAVAILABLE, "expired_api_key", REJECTED, NEVER)
NOT_ALLOWED: Final = Failure(UNAVAILABLE, "permission_denied", REJECTED, NEVER)
NO_QUOTA: Final = Failure(UNAVAILABLE, "quota_exceeded", REJECTED, NEVER)
CONFLICT: Final = Failure(REJECT, "conflict", UNKNOWN, LATER)
TOO_EARLY: Final = Failure(REJECT, "too_early", REJECTED, LATER)
RATE: Final = Failure(REJECT, "rate_limited", REJECTED, LATER)
GAVE_UP: Final = Failure(UNAVAILABLE, "request_timeout", REJECTED, LATER)
SERVER: Final = Failure(UNAVAILABLE, "server_error", UNKNOWN, LATER)
GATEWAY: Final = Failure(UNAVAILABLE, "bad_gateway", UNKNOWN, LATER)
GATEWAY_SLOW: Final = Failure(UNAVAILABLE, "gateway_timeout", UNKNOWN, LATER)
AWAY: Final = Failure(UNAVAILABLE, "service_unavailable", REJECTED, LATER)
BUSY: Final = Failure(UNAVAILABLE, "overloaded", REJECTED, LATER)
MOVED: Final = Failure(INTERNAL, "redirect", REJECTED, NEVER)

LEAVES: Final = {
    MALFORMED: errors.MalformedRequest,
    MISSING_FIELD: errors.MissingRequiredField,
    WRONG_VALUE: errors.InvalidFieldValue,
    TOO_LONG: errors.TooManyTokens,
    TOO_LARGE: errors.TokenLimitExceeded,
    FILTERED: errors.ContentFiltered,
    UNSAFE: errors.SafetyViolation,
    NOT_FOUND: errors.NotFound,
    DELETED: errors.Deleted,
    WRONG_KEY: errors.InvalidApiKey,
    OLD_KEY: errors.ExpiredApiKey,
    NOT_ALLOWED: errors.InsufficientPermissions,
    NO_QUOTA: errors.QuotaExceeded,
    CONFLICT: errors.AlreadyExists,
    TOO_EARLY: errors.InvalidState,
    RATE: errors.TooManyRequests,
    GAVE_UP: errors.Timeout,
    SERVER: errors.InternalServerError,
    GATEWAY: errors.BadGateway,
    GATEWAY_SLOW: errors.Timeout,
    AWAY: errors.ServiceUnavailable,
    BUSY: errors.Overloaded,
    MOVED: errors.UnexpectedResponse,
}
NO_WORDS: Final = "error_message=no"
"""A message that tells nothing: the simulator's own says of a 503 that the engine is overloaded."""
REPEATED: Final = frozenset({GAVE_UP, TOO_EARLY, RATE, AWAY, BUSY})
"""What `billing_safe` repeats: the server says that it refused, and may say otherwise in a moment."""


def row(name: str, wish: Wish, failure: Failure, **more: Any) -> Case:
    """A case in which the upstream answers every request so."""
    given = {"posts": 4 if failure in REPEATED else 1, "leaf": LEAVES[failure], "within": 0.3, **more}
    return Case(name=name, group="status", upstream=simulated(always=wish), sequence=RAISED, failure=failure, **given)


def _plain(status: int, failure: Failure) -> Case:
    # the client calls neither retryable, an orchestrator may be told otherwise (CF-27)
    advice = NEVER if failure in (CONFLICT, TOO_EARLY) else None
    wish = f"status={status};{NO_WORDS}"
    return row(str(status), wish, failure, facts={"http_status": status}, client_retriable=advice)


def body(status: int, document: object, **more: object) -> Wish:
    """An answer with a body of its own."""
    return {"status": status, "body": document, **more}


def error(message: str, code: object = None, kind: str | None = None, **more: object) -> dict[str, object]:
    """The API's own error object."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


BY_STATUS: Final = (
    _plain(400, MALFORMED),
    _plain(401, WRONG_KEY),
    _plain(402, MALFORMED),
    _plain(403, NOT_ALLOWED),
    _plain(404, NOT_FOUND),
    _plain(405, MALFORMED),
    _plain(408, GAVE_UP),
    _plain(409, CONFLICT),
    _plain(410, DELETED),
    _plain(413, MALFORMED),
    _plain(418, MALFORMED),
    _plain(422, MALFORMED),
    _plain(425, TOO_EARLY),
    _plain(429, RATE),
    _plain(431, MALFORMED),
    _plain(451, MALFORMED),
    _plain(500, SERVER),
    _plain(501, SERVER),
    _plain(502, GATEWAY),
    _plain(503, AWAY),
    _plain(504, GATEWAY_SLOW),
    _plain(520, GATEWAY),
    _plain(522, GATEWAY_SLOW),
    _plain(524, GATEWAY_SLOW),
    _plain(529, BUSY),
    _plain(530, GATEWAY),
    _plain(599, SERVER),
)

REDIRECTS: Final = tuple(
    row(f"redirect-{status}", f"status={status};redirect=http://127.0.0.1:1/v1/chat/completions", MOVED)
    for status in (300, 301, 302, 303, 304, 305, 307, 308)
)

SHAPES: Final = tuple(
    row(f"{status}-{form}", f"status={status};error_form={form};{NO_WORDS}", failure)
    for status, failure in ((400, MALFORMED), (429, RATE), (500, SERVER), (503, AWAY))
    for form in ("int_code", "string_code", "string", "flat", "detail", "litellm", "text", "html", "empty")
)

CODES: Final = (
    row("openai-quota", "status=429;error_code=insufficient_quota", NO_QUOTA),
    row("openai-context", "status=400;error_code=context_length_exceeded", TOO_LONG),
    row("openai-policy", "status=400;error_code=content_policy_violation", FILTERED),
    row("openai-safety", "status=400;error_code=cyber_policy_violation", UNSAFE),
    row("openai-missing-field", "status=400;error_code=missing_required_parameter", MISSING_FIELD),
    row("openai-wrong-value", "status=400;error_code=invalid_value", WRONG_VALUE),
    row("openai-model", "status=400;error_code=model_not_found", NOT_FOUND),
    row("openai-retired-model", "status=404;error_code=model_deprecated", DELETED),
    row("openai-old-key", "status=401;error_code=expired_api_key", OLD_KEY),
    row("openai-country", "status=403;error_code=unsupported_country_region_territory", NOT_ALLOWED),
    row(
        "openai-too-large",
        body(
            429,
            error(
                "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 41000.",
                "rate_limit_exceeded",
                "tokens",
            ),
        ),
        TOO_LARGE,
    ),
    row(
        "openai-overloaded",
        body(503, error("That model is currently overloaded with other requests.", None, "server_error")),
        BUSY,
    ),
    row("openai-slow-down", body(503, error("Slow down.", "slow_down", "server_error")), BUSY),
    row("openai-unknown-code", "status=400;error_code=brand_new_code", MALFORMED),
    row("openai-key-echoed", "status=401;echo_key", WRONG_KEY),
    row(
        "azure-filter",
        body(
            400,
            error(
                "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
                "content_filter",
                innererror={
                    "code": "ResponsibleAIPolicyViolation",
                    "content_filter_result": {"hate": {"filtered": True}},
                },
                status=400,
            ),
        ),
        FILTERED,
    ),
    row(
        "azure-deployment",
        body(404, error("The API deployment for this resource does not exist.", "DeploymentNotFound")),
        NOT_FOUND,
    ),
    row(
        "azure-rate",
        body(429, error("Requests have exceeded the call rate limit. Retry after 8 seconds.", "429")),
        RATE,
    ),
    row(
        "azure-gateway-401",
        body(401, {"statusCode": 401, "message": "Access denied due to invalid subscription key."}),
        WRONG_KEY,
    ),
    row(
        "azure-gateway-403", body(403, {"error": {"code": "403", "message": "Public access is disabled."}}), NOT_ALLOWED
    ),
    row(
        "azure-500", body(500, error("The server had an error processing your request.", "InternalServerError")), SERVER
    ),
    row(
        "vllm-context",
        body(
            400,
            {
                "object": "error",
                "message": "This model's maximum context length is 4096 tokens. However, you requested 5000.",
                "type": "BadRequestError",
                "param": None,
                "code": 400,
            },
        ),
        TOO_LONG,
    ),
    row("vllm-model", body(404, error("The model `x` does not exist.", 404, "NotFoundError")), NOT_FOUND),
    row("vllm-key", body(401, {"error": "Unauthorized"}), WRONG_KEY),
    row("vllm-dead-engine", body(500, error("EngineCore encountered an issue.", 500, "InternalServerError")), SERVER),
    row(
        "litellm-context",
        body(400, error("litellm.ContextWindowExceededError: prompt is too long", "400", "ContextWindowExceededError")),
        TOO_LONG,
    ),
    row(
        "litellm-model",
        body(400, error("chat_completion: Invalid model name passed in model=x. Call /v1/models.", "400", "None")),
        NOT_FOUND,
    ),
    row(
        "litellm-budget",
        body(400, error("Budget has been exceeded! Current cost: 1.2, Max budget: 1.0", "400", "budget_exceeded")),
        NO_QUOTA,
    ),
    row("litellm-no-database", body(400, error("No connected db.", "400", "no_db_connection")), WRONG_KEY),
    row(
        "llama-context",
        body(400, error("the request exceeds the available context size", 400, "exceed_context_size_error")),
        TOO_LONG,
    ),
    row("llama-loading", body(503, error("Loading model", 503, "unavailable_error")), AWAY),
    row(
        "fastapi-missing",
        body(422, {"detail": [{"type": "missing", "loc": ["body", "model"], "msg": "Field required", "input": {}}]}),
        MISSING_FIELD,
    ),
    row(
        "fastapi-detail-object", body(404, {"detail": {"error": {"message": "no such route", "code": None}}}), NOT_FOUND
    ),
)

BODIES: Final = (
    row("huge-body", {"status": 500, "body": "x" * 2_000_000}, SERVER),
    row(
        "endless-blanks",
        {"status": 429, "error_form": "openai", "pad_mib": 64},
        RATE,
        posts=1,
        settings={"retry": None},
        client={"retry": None},
    ),
    row("latin1-body", {"status": 500, "body": "défaillance générale", "charset": "latin-1"}, SERVER),
    row("utf16-body", {"status": 503, "error_form": "openai", "charset": "utf-16"}, AWAY),
    row("bom-body", {"status": 429, "error_code": "insufficient_quota", "bom": True}, NO_QUOTA),
    row("half-json", {"status": 500, "body": '{"error":{"message":"the server had an'}, SERVER),
    row("json-number", body(500, 42), SERVER),
    row("json-list", body(400, ["no"]), MALFORMED),
    row("json-null", body(502, {"error": None}), GATEWAY),
    row("deep-json", {"status": 500, "body": "[" * 100_000}, SERVER),
    row("wrong-types", body(400, {"error": {"message": ["a"], "type": {}, "param": 1, "code": [400]}}), MALFORMED),
    row("control-characters", body(400, error("no\x1b[31m\u202egnihton\x00")), MALFORMED),
    row("gzip-body", "status=429;error_code=insufficient_quota;encoding=gzip", NO_QUOTA),
    row("zstd-body", "status=503;encoding=zstd", AWAY),
    row("broken-gzip", {"status": 503, "headers": {"content-encoding": "gzip"}}, AWAY),
    row("event-stream-error", "status=500;content_type=text/event-stream", SERVER),
    row("no-content-type", {"status": 404, "headers": {"content-type": None}}, NOT_FOUND),
    row("body-cut", "status=500;cut=20;cut_by=close", SERVER),
    row("body-reset", "status=503;cut=20", AWAY),
)

CASES: Final = (*BY_STATUS, *REDIRECTS, *SHAPES, *CODES, *BODIES)
