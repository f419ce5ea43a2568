"""
What an answer says besides its result.

Spec: CLI-16, FWD-05, ERR-07
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

from openai_client.auth import MaskedHeaders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapter_api.outcome import Attempt
    from http_util.call import ReplyHead

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """
    What the upstream says about its limits; a field is None when it says nothing.

    Spec: CLI-16
    """

    limit_requests: int | None = None
    limit_tokens: int | None = None
    remaining_requests: int | None = None
    remaining_tokens: int | None = None
    reset_requests: str | None = None
    """When the request limit is whole again, as the upstream writes it (`1s`, `6m0s`)."""
    reset_tokens: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseMetadata:
    """
    The head of an answer, and how it was got.

    Spec: CLI-16
    """

    status: int
    """The HTTP status."""
    headers: Mapping[str, str] = field(repr=False)
    """By lower-case name. Unredacted: cookies may be among them."""
    http_version: str
    """`HTTP/1.1` or `HTTP/2`."""
    attempts: tuple[Attempt, ...]
    """Every request that was made for the call, the successful one last."""
    upstream_request_id: str | None
    """The id that the upstream gave the request."""
    api_version: str | None
    """The version that the upstream says it speaks."""
    processing_ms: int | None
    """Milliseconds that the upstream says it worked."""
    rate_limits: RateLimits
    """What is left of the account's limits."""

    @classmethod
    def of(cls, head: ReplyHead) -> ResponseMetadata:
        """Return the metadata in the head of an answer."""
        headers = head.headers
        return cls(
            status=head.status,
            headers=MappingProxyType(MaskedHeaders(headers)),
            http_version=head.http_version,
            attempts=head.attempts,
            upstream_request_id=head.upstream_request_id,
            api_version=headers.get("openai-version"),
            processing_ms=_whole(headers.get("openai-processing-ms")),
            rate_limits=RateLimits(
                limit_requests=_whole(headers.get("x-ratelimit-limit-requests")),
                limit_tokens=_whole(headers.get("x-ratelimit-limit-tokens")),
                remaining_requests=_whole(headers.get("x-ratelimit-remaining-requests")),
                remaining_tokens=_whole(headers.get("x-ratelimit-remaining-tokens")),
                reset_requests=headers.get("x-ratelimit-reset-requests"),
                reset_tokens=headers.get("x-ratelimit-reset-tokens"),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T]):
    """A result together with what the answer said besides it."""

    result: T
    metadata: ResponseMetadata


_MOST_DIGITS = 18


def _whole(text: str | None) -> int | None:
    """Return a header's whole number, None when it is absent or none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
