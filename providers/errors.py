"""
What a provider raises: one class for everything, and it says nothing that came from the upstream.

The client's tree (`openai_client.errors`) stays the only place where a failure is classified; `provider_error` is its
projection.

Spec: PRV-06, PRV-09, ERR-22
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from adapter_api.reasons import reason_row
from openai_client.errors import OpenAIError

if TYPE_CHECKING:
    from adapter_api.outcome import Outcome


class ProviderError(Exception):
    """
    The provider has no answer. Safe to show to anybody: its text is ours, and it has no cause and no context.

    Errors are equal by value; they pickle and copy.

    Example:
        >>> error = ProviderError("rate_limited", request_id="r-1", retry_after=2.0)
        >>> print(error.http_status, error.is_retryable, error)
        502 True the provider failed: a rate limit is reached: the upstream's, or one of this side (rate_limited)

    Spec: ERR-22, PRV-06
    """

    http_status: int = 502
    """The status that a service answers its own caller with; the upstream's is in the log."""

    def __init__(
        self,
        reason: str,
        *,
        request_id: str | None = None,
        outcome: Outcome | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        """
        Describe a failure.

        Args:
            reason: A key of `adapter_api.REASONS`; any other counts as `internal`.
            request_id: The caller's correlation id.
            outcome: What the upstream may have done with the request.
            retryable: Overrides what *reason* says.
            retry_after: Seconds after which the upstream is willing to try again.
        """
        row = reason_row(reason)
        super().__init__(f"the provider failed: {row.meaning} ({row.name})")
        self.reason: str = row.name
        """Stable snake_case name of what happened."""
        self.request_id: str | None = request_id
        """The correlation id under which the log tells the rest."""
        self.outcome: Outcome | None = outcome
        """What the upstream may have done with the request; None when it is not known."""
        self.is_retryable: bool = row.retriable if retryable is None else retryable
        """Advice: whether the same call may succeed later. Nothing retries because of it."""
        self.retry_after: float | None = retry_after
        """Seconds after which the upstream is willing to try again; None when it does not say."""

    def __eq__(self, other: object) -> bool:
        """Compare by class and facts."""
        return type(other) is type(self) and _facts(self) == _facts(other)

    def __hash__(self) -> int:
        """Hash by what identifies the error."""
        return hash((type(self), self.reason, self.request_id))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the facts only."""
        return _rebuilt, (type(self), self.args, _facts(self))


class StreamRefused(ProviderError, ValueError):
    """
    The request asks for a stream, which version 1 of the interface does not have. Nothing was sent.

    The fault is the caller's, so the status is 400. Streaming is what worker adapters are for.

    Example:
        >>> print(StreamRefused())
        stream: must be false or left out, got True; this interface answers whole, worker adapters stream

    Spec: PRV-09
    """

    http_status = 400

    def __init__(self, *, request_id: str | None = None) -> None:
        """Describe the refusal."""
        super().__init__("invalid_field_value", request_id=request_id)
        self.args = (
            "stream: must be false or left out, got True; this interface answers whole, worker adapters stream",
        )
        self.param: str = "stream"
        """The field at fault."""


def provider_error(error: Exception, *, request_id: str | None = None) -> ProviderError:
    """
    Return the `ProviderError` that *error* is to callers. Total: there is one for everything.

    Args:
        error: What a client, a library or the provider itself raised.
        request_id: The caller's correlation id.

    Example:
        >>> from openai_client import InvalidApiKey
        >>> print(provider_error(InvalidApiKey("Incorrect API key provided: sk-...", http_status=401)))
        the provider failed: the upstream does not accept the credential (invalid_api_key)

    Spec: ERR-22
    """
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, OpenAIError):
        return ProviderError(
            error.reason,
            request_id=request_id,
            outcome=error.outcome,
            retryable=error.is_retryable,
            retry_after=error.retry_after,
        )
    return ProviderError(_reason_of(error), request_id=request_id)


def _reason_of(error: Exception) -> str:
    """Return the reason for what other libraries raise."""
    if isinstance(error, TimeoutError):
        return "deadline"
    if isinstance(error, ConnectionError):
        return "connection_failed"
    return "decode" if isinstance(error, ValidationError) else "internal"


def _facts(error: BaseException) -> dict[str, Any]:
    """Return the facts without what Python itself notes on an exception."""
    return {name: value for name, value in vars(error).items() if not name.startswith("__")}


def _rebuilt(kind: type[ProviderError], args: tuple[Any, ...], facts: dict[str, Any]) -> ProviderError:
    """Return the error that was pickled."""
    error = kind.__new__(kind)
    error.args = args
    vars(error).update(facts)
    return error
