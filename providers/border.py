"""
The border of a provider: what goes in is checked, what goes wrong inside is logged there and leaves as one class.

Spec: PRV-06, PRV-07, PRV-09
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from adapter_api.correlation import correlation_id
from adapter_api.reasons import ErrorKind, reason_row
from http_util.log import get_logger
from openai_client.errors import OpenAIError
from providers.errors import StreamRefused, provider_error

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import TracebackType

    from openai_client.types import CreateChatCompletionRequest, CreateCompletionRequest

T = TypeVar("T")

_CALLERS_FAULT: Final = frozenset({ErrorKind.INVALID_PARAMS, ErrorKind.ADMISSION_REJECT})
"""Codes that the caller can do something about: warnings. The others, the provider's timeout too, are errors."""


def refuse_stream(
    request: CreateChatCompletionRequest | CreateCompletionRequest, *, request_id: str | None = None
) -> None:
    """
    Check that *request* wants a whole answer.

    Raises:
        StreamRefused: It wants a stream.

    Spec: PRV-09
    """
    if request.stream:
        raise StreamRefused(request_id=request_id)


async def guarded(call: Awaitable[T], *, provider: str, operation: str, request_id: str | None = None) -> T:
    """
    Await *call* and return its result; a failure is logged with what is known, and leaves without it.

    Args:
        call: What the provider does.
        provider: Its name, for the log.
        operation: The method, for the log.
        request_id: The caller's correlation id; the log falls back to the current context's.

    Raises:
        ProviderError: *call* failed. The error has no cause, no context and no text of the upstream.

    Spec: PRV-06
    """
    log = get_logger("providers").bind(
        provider=provider, operation=operation, correlation_id=request_id or correlation_id.get()
    )
    try:
        return await call
    # whatever the upstream, its client or a transport of the caller's own raises is this one class to callers
    except Exception as error:  # noqa: BLE001
        failure = provider_error(error, request_id=request_id)
        is_callers = reason_row(failure.reason).code in _CALLERS_FAULT
        report = log.warning if is_callers else log.error
        report(
            "provider_failed", human=f"{provider} fails: {failure.reason}", reason=failure.reason, **_known_of(error)
        )
    # outside of the handler, so that no traceback and no reporter shows what was behind it
    failure.__cause__ = failure.__context__ = None
    raise failure.with_traceback(None)


def _known_of(error: Exception) -> dict[str, object]:
    """Return what may be logged; of foreign errors only kind and place, because their text may hold anything."""
    facts: dict[str, object] = {"error": type(error).__name__}
    if not isinstance(error, OpenAIError):
        return facts | {"place": _place_of(error.__traceback__)}
    return facts | {
        "error_message": error.message,
        "http_status": error.http_status,
        "outcome": error.outcome,
        "param": error.param,
        "code": error.code,
        "upstream_request_id": error.upstream_request_id,
        "attempts": len(error.attempts),
    }


def _place_of(trace: TracebackType | None) -> str | None:
    """Return module and line that raised."""
    place = None
    while trace is not None:
        place = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
