"""
What an upstream's error object means: tables from its code and type to a reason.

The status gives a default; a code that is known refines it; an unknown code keeps the default. Text is read only where
no server gives a code: a context that is too long, a request larger than the whole budget, a model without a route.

Spec: ERR-04
"""

from __future__ import annotations

import re
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from http_util.classify import reason_for_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai_client.error_body import ErrorBody

_CODES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "quota_exceeded": (
        "billing_hard_limit_reached",
        "billing_not_active",
        "budget_exceeded",
        "credit_balance_too_low",
        "insufficient_quota",
        "quota_exceeded",
    ),
    "context_length": (
        "context_length_exceeded",
        "context_window_exceeded",
        "contextwindowexceedederror",
        "exceed_context_size_error",
    ),
    "token_limit": ("request_too_large_for_rate_limit", "token_limit_exceeded"),
    "content_filtered": (
        "content_filter",
        "content_filtered",
        "content_policy_violation",
        "contentpolicyviolationerror",
        "responsibleaipolicyviolation",
    ),
    "safety_violation": ("cyber_policy_violation", "moderation_blocked", "safety_violation"),
    "refused": ("model_refusal", "refusal"),
    # "missing" is FastAPI's word
    "missing_required_field": ("missing", "missing_parameter", "missing_required_field", "missing_required_parameter"),
    "invalid_field_value": (
        "array_above_max_length",
        "array_below_min_length",
        "decimal_above_max_value",
        "decimal_below_min_value",
        "empty_array",
        "empty_string",
        "extra_forbidden",
        "integer_above_max_value",
        "integer_below_min_value",
        "invalid_base64_image",
        "invalid_enum_value",
        "invalid_function_parameters",
        "invalid_image_format",
        "invalid_image_url",
        "invalid_parameter",
        "invalid_parameter_value",
        "invalid_type",
        "invalid_value",
        "string_above_max_length",
        "string_below_min_length",
        "unknown_parameter",
        "unsupported_parameter",
        "unsupported_value",
    ),
    "not_found": ("deploymentnotfound", "model_not_found", "not_found_error", "resource_not_found"),
    "deleted": ("deployment_deleted", "model_decommissioned", "model_deprecated", "model_retired"),
    # LiteLLM without a database says "no_db_connection" of every key that is not its own
    "invalid_api_key": ("authentication_error", "incorrect_api_key", "invalid_api_key", "no_db_connection"),
    "expired_api_key": ("api_key_expired", "expired_api_key", "expired_key", "token_expired"),
    "permission_denied": (
        "insufficient_permissions",
        "missing_scope",
        "permission_denied",
        "permission_error",
        "unsupported_country_region_territory",
    ),
    "rate_limited": ("rate_limit_exceeded", "rate_limit_error", "too_many_requests"),
    "overloaded": (
        "engine_overloaded",
        "overloaded",
        "overloaded_error",
        "server_is_overloaded",
        "server_overloaded",
        "slow_down",
    ),
}

REASON_BY_CODE: Final[Mapping[str, str]] = MappingProxyType(
    {c: reason for reason, codes in _CODES_OF.items() for c in codes}
)
"""Reason by the error's code, or by its type where a server puts the telling word there; lower case."""

REASON_BY_TYPE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api_error": "server_error",
        "badrequesterror": "malformed_request",
        "internal_error": "server_error",
        "internal_server_error": "server_error",
        "internalservererror": "server_error",
        "invalid_request_error": "malformed_request",
        "invalid_prompt": "malformed_request",
        "notfounderror": "not_found",
        "server_error": "server_error",
        "service_unavailable": "service_unavailable",
        "timeout": "gateway_timeout",
        "timeout_error": "gateway_timeout",
        "unavailable_error": "service_unavailable",
        "vector_store_timeout": "gateway_timeout",
    },
)
"""Reason by a type or code that says no more than a status does: it counts in a stream, where no status tells."""

STATE_CODES: Final = frozenset(
    {"conversation_locked", "invalid_state", "invalid_status", "resource_locked", "run_in_progress"}
)
"""Codes of a conflict (409) with the state of a thing, not with its existence."""

_CONTEXT_TEXT: Final = re.compile(
    r"maximum context length|maximum model length|context[ _]?(?:length|window)[ _]?exceeded"
    r"|exceed(?:s|ed)? (?:the )?(?:available |maximum |model'?s )?context (?:length|size|window)",
    re.IGNORECASE,
)
# LiteLLM's answer to a model that it has no route for: a 400 without a telling code
_MODEL_TEXT: Final = re.compile(r"\binvalid model name passed in model=", re.IGNORECASE)
_OVERLOAD_TEXT: Final = re.compile(r"\boverload", re.IGNORECASE)
_TOO_LARGE_TEXT: Final = re.compile(r"\brequest too large\b", re.IGNORECASE)
_LIMIT_TEXT: Final = re.compile(r"\blimit:? (\d{1,15})\b", re.IGNORECASE)
_SCOPES_TEXT: Final = re.compile(r"\bmissing scopes?:? ([\w.:,*-]{1,128})", re.IGNORECASE)


def refined_reason(said: ErrorBody, default: str) -> str:
    """
    Return the reason that an error answer stands for.

    Args:
        said: What the answer says.
        default: The reason that its status stands for.

    Spec: ERR-04
    """
    reason = _by_code(said) or default
    text = said.message or ""
    match reason:
        # some servers answer a fault of the request with 500, or in the stream
        case "malformed_request" | "server_error" if _CONTEXT_TEXT.search(text):
            return "context_length"
        case "malformed_request" if _MODEL_TEXT.search(text):
            return "not_found"
        case "rate_limited" if _TOO_LARGE_TEXT.search(text):
            return "token_limit"
        case "service_unavailable" if _OVERLOAD_TEXT.search(text):
            return "overloaded"
    return reason


def stream_reason(said: ErrorBody) -> str:
    """
    Return the reason that an error object inside a successful stream stands for.

    There is no status to give a default: a number in the code counts as one, then the type; an error that says
    neither is the upstream's.
    """
    status = said.numeric_code
    words = (said.code or "", said.type or "")
    default = next((REASON_BY_TYPE[word.lower()] for word in words if word.lower() in REASON_BY_TYPE), "server_error")
    if status is not None and status >= HTTPStatus.BAD_REQUEST:
        default, _ = reason_for_status(status)
    return refined_reason(said, default)


def token_budget(said: ErrorBody) -> int | None:
    """Return the budget in tokens that the answer names, None when it names none."""
    found = _LIMIT_TEXT.search(said.message or "")
    return int(found[1]) if found else None


def missing_scopes(said: ErrorBody) -> str | None:
    """Return the permissions that the answer asks for, None when it names none."""
    found = _SCOPES_TEXT.search(said.message or "")
    return found[1].rstrip(".,:") if found else None


def _by_code(said: ErrorBody) -> str | None:
    """Return the reason of the first telling word, code before type."""
    words = (said.code or "", said.type or "")
    return next((REASON_BY_CODE[word.lower()] for word in words if word.lower() in REASON_BY_CODE), None)
