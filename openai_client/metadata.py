"""
What an answer says besides its result.

A model that a call returned remembers the head of its answer, in a slot that takes no part in equality, repr, dumps,
copies and pickles: `metadata_of` reads it. Pages and streams have `metadata`; for results that are no model there is
`call_with_metadata`.

Spec: CLI-16, FWD-05, ERR-07
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from openai_client.answer_headers import AnswerHeaders
from openai_client.errors import InvalidFieldValue
from openai_client.remembering import heard_with

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
    """Found by a name in any case, told in lower case. Unredacted: cookies may be among them."""
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
    head_seconds: float
    """Seconds from the first attempt to the head of the answer, pauses between attempts included."""
    seconds: float | None = None
    """Seconds from the call to its whole answer; None of a stream, which may still be open."""
    poll_after: float | None = None
    """Seconds after which the upstream wants to be asked again about work under way; None when it says nothing."""

    @classmethod
    def of(cls, head: ReplyHead, seconds: float | None = None) -> ResponseMetadata:
        """
        Return the metadata in the head of an answer.

        Args:
            head: The head.
            seconds: From the call to its whole answer, if that is there.
        """
        headers = head.headers
        poll_after_ms = _whole(headers.get("openai-poll-after-ms"))
        return cls(
            status=head.status,
            headers=AnswerHeaders(headers),
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
            head_seconds=sum(attempt.delay + attempt.elapsed for attempt in head.attempts),
            seconds=seconds,
            poll_after=None if poll_after_ms is None else poll_after_ms / 1000,
        )


def metadata_of(result: object) -> ResponseMetadata:
    """
    Return the metadata of a call from its result: a model, a page, or an open stream.

    Raises:
        InvalidFieldValue: *result* did not come from a call as it is: a copy, a part of an answer, an answer out of a
            cache; or it is of a kind that cannot remember, such as text: use `call_with_metadata`.

    Spec: CLI-16
    """
    found: Any = getattr(result, "metadata", None)
    if isinstance(found, ResponseMetadata):
        return found
    heard = heard_with(result)
    if heard is None:
        raise InvalidFieldValue(
            f"result: this {type(result).__name__} carries no metadata; models that a call returned do, their parts "
            "and copies do not; for text and bytes there is call_with_metadata"
        )
    return ResponseMetadata.of(heard.head, heard.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[T]):
    """A result together with what the answer said besides it. The properties have the names of the official SDK."""

    result: T
    metadata: ResponseMetadata

    def parse(self) -> T:
        """Return the result, which is parsed already."""
        return self.result

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the answer: found by a name in any case, told in lower case. Unredacted: cookies may be among them."""
        return self.metadata.headers

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return self.metadata.status

    @property
    def http_version(self) -> str:
        """`HTTP/1.1` or `HTTP/2`."""
        return self.metadata.http_version

    @property
    def request_id(self) -> str | None:
        """The id that the upstream gave the request."""
        return self.metadata.upstream_request_id

    @property
    def retries_taken(self) -> int:
        """Requests that were made before the one that was answered."""
        return len(self.metadata.attempts) - 1


_MOST_DIGITS = 18


def _whole(text: str | None) -> int | None:
    """Return a header's whole number, None when it is absent or none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
