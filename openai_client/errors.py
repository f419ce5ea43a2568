"""
What the client raises: one tree, the only place where a failure of the API is classified.

::

    OpenAIError
    |-- ConfigurationError    MissingApiKey, InvalidBaseUrl, InvalidConfiguration
    |-- AuthenticationError   InvalidApiKey, ExpiredApiKey, InsufficientPermissions
    |-- RequestError          SerializationError, TooManyTokens
    |   `-- ValidationError   MissingRequiredField, InvalidFieldValue, MalformedRequest
    |-- NetworkError          ConnectionFailed, Timeout, DnsResolutionFailed, SslError
    |-- RateLimitError        TooManyRequests, QuotaExceeded, TokenLimitExceeded
    |-- ServerError           InternalServerError, ServiceUnavailable, BadGateway, Overloaded
    |-- ResponseError         DeserializationError, UnexpectedResponse, InvalidContentType, StreamInterrupted
    |-- ResourceError         NotFound, AlreadyExists, Deleted, InvalidState
    `-- ContentPolicyError    ContentFiltered, SafetyViolation, RefusedByModel

Nine branches and 33 leaves. Branches (and `ValidationError`) are there to be caught; only leaves are raised. The facts
are fields, never parsed from text. `openai_client.error_mapping` makes these errors out of failures; nothing else does.

`asyncio.CancelledError` is no error of this tree and is never turned into one.

Spec: ERR-01, ERR-02, ERR-08, ERR-10, ERR-11, ERR-12
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypedDict

from adapter_api.outcome import Attempt, Outcome
from adapter_api.reasons import reason_row
from http_util.redact import redact_url, safe_message
from openai_client.moved_names import ERROR, missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

_FIELD_LIMIT: Final = 128


class ErrorCategory(StrEnum):
    """
    The flat view of the tree, for callers who do not want to know it.

    Spec: ERR-08
    """

    API = "Api"
    """The upstream answered with an error object."""
    HTTP = "Http"
    """The upstream answered with an error status and nothing that explains it."""
    NETWORK = "Network"
    """There was no answer."""
    TIMEOUT = "Timeout"
    """A timer or a deadline ran out, here or at a gateway."""
    INVALID_ARGUMENT = "InvalidArgument"
    """Found wrong on this side, before anything was sent: configuration, a field, the state of the client."""
    DECODE = "Decode"
    """The answer cannot be understood, or is not complete."""
    REJECTED = "Rejected"
    """A reliability feature of this side refused the call."""


class ErrorSource(StrEnum):
    """
    Who caused an error: the upstream, the network, the caller, or a feature that was enabled.

    Spec: REL-05
    """

    UPSTREAM = "upstream"
    NETWORK = "network"
    CLIENT = "client"
    CIRCUIT_BREAKER = "circuit_breaker"
    DEADLINE = "deadline"
    EGRESS_POLICY = "egress_policy"
    FAILOVER = "failover"
    RATE_LIMITING = "rate_limiting"
    RETRY = "retry"


class ErrorFacts(TypedDict, total=False):
    """What an error may be told about its cause; every fact is an attribute of `OpenAIError`."""

    reason: str
    outcome: Outcome | None
    http_status: int | None
    retry_after: float | None
    retryable: bool | None
    upstream_request_id: str | None
    type: str | None
    param: str | None
    code: str | None
    attempts: Sequence[Attempt]
    source: ErrorSource | None


class OpenAIError(Exception):
    """
    Root of the tree. Catch it to catch everything that the client raises on purpose.

    Errors are equal by value; they pickle and copy without a traceback, a body or a socket.

    Example:
        >>> error = TooManyRequests("the upstream answered 429", http_status=429, retry_after=1.5)
        >>> error.error_code, error.is_retryable, error.retry_after, error.category.value
        ('OPENAI_RATE_LIMIT', True, 1.5, 'Http')

    Spec: ERR-02, ERR-07, ERR-08, ERR-12
    """

    error_code: ClassVar[str] = "OPENAI"
    """Stable code of the branch."""
    default_reason: ClassVar[str] = "internal"
    """The reason that an error of this class has when it is given none."""
    default_retryable: ClassVar[bool] = False
    """Whether failures of this kind may go away by themselves."""
    _is_leaf: ClassVar[bool] = False

    def __init_subclass__(cls, *, branch: bool = False, **kwargs: object) -> None:
        """Note whether the class is a *branch*, which cannot be instantiated, or a leaf."""
        super().__init_subclass__(**kwargs)
        cls._is_leaf = not branch

    def __init__(self, message: str, **facts: Unpack[ErrorFacts]) -> None:
        """
        Describe an error.

        Args:
            message: What happened; redacted, escaped and cut to 512 characters here.
            facts: See the attributes. `retryable` overrides what class and reason say, as when the upstream itself
                says it.

        Raises:
            TypeError: The class is a branch.
        """
        if not self._is_leaf:
            raise TypeError(f"{type(self).__name__} is a branch of the error tree: catch it, raise one of its leaves")
        self.message: str = safe_message(message)
        """What happened; safe to show."""
        super().__init__(self.message)
        self.reason: str = facts.get("reason", self.default_reason)
        """Stable snake_case name of what was recognised, a key of `adapter_api.REASONS`."""
        self.outcome: Outcome | None = facts.get("outcome")
        """What the upstream may have done with the request; None when there was none."""
        self.http_status: int | None = facts.get("http_status")
        """Status of the upstream's answer; None when none arrived."""
        self.retry_after: float | None = facts.get("retry_after")
        """Seconds after which the upstream, or a feature of this side, is willing to try again; None when unknown."""
        self.upstream_request_id: str | None = _field(facts.get("upstream_request_id"))
        """The id that the upstream gave the request."""
        self.type: str | None = _field(facts.get("type"))
        """`type` of the upstream's error object."""
        self.param: str | None = _field(facts.get("param"))
        """`param` of the upstream's error object: the field it complains about."""
        self.code: str | None = _field(facts.get("code"))
        """`code` of the upstream's error object, as text."""
        self.attempts: tuple[Attempt, ...] = tuple(facts.get("attempts", ()))
        """Every request that was made for the call, in order."""
        self.source: ErrorSource = facts.get("source") or _source(self)
        """Who caused the error."""
        self.advice: bool | None = facts.get("retryable")
        """The upstream's own word about a retry (`x-should-retry`); None when it gave none."""
        self.is_retryable: bool = self._may_go_away() if self.advice is None else self.advice
        """Advice: whether the same call may succeed later. Nothing retries because of it alone."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Raise for an attribute that is not there; a name of the official SDK is told with what it is here."""
            if (hint := ERROR.get(name)) is not None:
                raise missing(self, name, hint)
            return object.__getattribute__(self, name)

    def _may_go_away(self) -> bool:
        """Return whether neither the class nor the reason rules out that the failure passes."""
        # a deadline ends a task for good, but the same call may be made with another one
        return self.default_retryable and (self.reason == "deadline" or reason_row(self.reason).retriable)

    @property
    def category(self) -> ErrorCategory:
        """The flat view of the error."""
        return _category(self)

    def __repr__(self) -> str:
        """Return the class, the message and the facts that are set; no secret is among them."""
        names = ("reason", "http_status", "retry_after", "type", "param", "code", "upstream_request_id")
        shown = "".join(f", {name}={value!r}" for name in names if (value := getattr(self, name)) is not None)
        return f"{type(self).__name__}({self.message!r}{shown})"

    def __eq__(self, other: object) -> bool:
        """Compare by class and facts; the traceback and the cause do not count."""
        return type(other) is type(self) and _facts_of(other) == _facts_of(self)

    def __hash__(self) -> int:
        """Hash by what identifies the error."""
        return hash((type(self), self.message, self.reason, self.http_status))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the facts only."""
        return _rebuilt, (type(self), self.message, _facts_of(self))

    def payload(self) -> dict[str, Any]:
        """
        The error as JSON holds it: its leaf under `error`, then every fact, durations of attempts in milliseconds.

        Spec: ERR-12
        """
        facts = _facts_of(self) | {"error": type(self).__name__, "source": self.source.value}
        facts["outcome"] = None if self.outcome is None else self.outcome.value
        facts["attempts"] = [attempt.as_dict() for attempt in self.attempts]
        return facts

    @staticmethod
    def from_payload(payload: Mapping[str, Any]) -> OpenAIError:
        """
        The error that `payload` wrote.

        Example:
            >>> error = NotFound("no such model", http_status=404)
            >>> OpenAIError.from_payload(error.payload()) == error
            True

        Raises:
            ValueError: The payload names no leaf of the tree.
        """
        facts = dict(payload)
        kind = globals().get(str(facts.pop("error", None)))
        if not (isinstance(kind, type) and issubclass(kind, OpenAIError) and kind._is_leaf):  # noqa: SLF001 - ours
            raise ValueError("payload must name a leaf of the error tree under 'error'")
        outcome = facts.get("outcome")
        facts["outcome"] = None if outcome is None else Outcome(outcome)
        facts["source"] = ErrorSource(facts["source"])
        facts["attempts"] = tuple(map(Attempt.from_dict, facts["attempts"]))
        return _rebuilt(kind, facts["message"], facts)


def _field(value: str | None) -> str | None:
    """Return a short text of the upstream in a form that may be shown."""
    return None if value is None else safe_message(value, limit=_FIELD_LIMIT)


def _facts_of(error: BaseException) -> dict[str, Any]:
    """Return the facts without what Python itself notes on an exception."""
    return {name: value for name, value in vars(error).items() if not name.startswith("__")}


def _rebuilt(kind: type[OpenAIError], message: str, facts: dict[str, Any]) -> OpenAIError:
    """Return the error that was pickled."""
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    vars(error).update(facts)
    return error


class ConfigurationError(OpenAIError, branch=True):
    """The client cannot work as it was configured. Nothing was sent."""

    error_code = "OPENAI_CONFIG"
    default_reason = "configuration"


class MissingApiKey(ConfigurationError):
    """A credential is needed and none was found; the message names every source that was tried."""

    default_reason = "missing_api_key"


class InvalidBaseUrl(ConfigurationError):
    """The base URL, or another URL of the configuration, cannot be used."""

    default_reason = "invalid_base_url"

    def __init__(self, message: str, *, url: str | None = None, **facts: Unpack[ErrorFacts]) -> None:
        """Describe the error; *url* is shown without its credentials."""
        super().__init__(message, **facts)
        self.url: str | None = _shown_url(url)
        """The URL as it was given, without userinfo and query secrets; None when it was none."""


class InvalidConfiguration(ConfigurationError):
    """A setting is wrong, or something was asked for that is not enabled; the message names the setting."""


class AuthenticationError(OpenAIError, branch=True):
    """The upstream does not let the credential do this."""

    error_code = "OPENAI_AUTH"
    default_reason = "invalid_api_key"


class InvalidApiKey(AuthenticationError):
    """The upstream does not know the credential."""


class ExpiredApiKey(AuthenticationError):
    """The credential was valid once."""

    default_reason = "expired_api_key"


class InsufficientPermissions(AuthenticationError):
    """The credential is valid and may not do this."""

    default_reason = "permission_denied"

    def __init__(self, message: str, *, required: str | None = None, **facts: Unpack[ErrorFacts]) -> None:
        """Describe the error; *required* is what the upstream asks for."""
        super().__init__(message, **facts)
        self.required: str | None = _field(required)
        """The permissions that are missing, as the upstream names them (`model.read`); None when it does not say."""


class RequestError(OpenAIError, branch=True):
    """The request is at fault; sending it again will not help."""

    error_code = "OPENAI_REQUEST"
    default_reason = "malformed_request"


class ValidationError(RequestError, branch=True):
    """A field of the request is at fault, or its form."""


class MissingRequiredField(ValidationError):
    """A field that the upstream requires is not there; `param` names it."""

    default_reason = "missing_required_field"


class InvalidFieldValue(ValidationError):
    """The value of a field is not accepted; `param` names the field."""

    default_reason = "invalid_field_value"


class MalformedRequest(ValidationError):
    """The upstream refused the request as a whole."""


class SerializationError(RequestError):
    """The request cannot be written. Nothing was sent."""

    default_reason = "serialization"


class TooManyTokens(RequestError):
    """Prompt and answer do not fit the model's context."""

    default_reason = "context_length"


class NetworkError(OpenAIError, branch=True):
    """There was no answer. `outcome` says whether the upstream may have processed the request."""

    error_code = "OPENAI_NETWORK"
    default_reason = "connection_failed"


class ConnectionFailed(NetworkError):
    """No connection was made, or it broke before an answer came."""

    default_retryable = True


class Timeout(NetworkError):
    """A timer ran out: here (`reason` says which), or at a gateway (408, 504)."""

    default_reason = "first_byte_timeout"
    default_retryable = True


class DnsResolutionFailed(NetworkError):
    """The host name does not exist."""

    default_reason = "dns_failed"


class SslError(NetworkError):
    """The certificate or the host name was not accepted, or TLS could not be agreed on."""

    default_reason = "tls_failed"


class RateLimitError(OpenAIError, branch=True):
    """A limit of the account is reached."""

    error_code = "OPENAI_RATE_LIMIT"
    default_reason = "rate_limited"


class TooManyRequests(RateLimitError):
    """Too much in too short a time; `retry_after` says when to come back."""

    default_retryable = True


class QuotaExceeded(RateLimitError):
    """What the account has paid for is used up; waiting does not help."""

    default_reason = "quota_exceeded"


class TokenLimitExceeded(RateLimitError):
    """This one request is larger than the whole token budget; waiting does not help."""

    default_reason = "token_limit"

    def __init__(self, message: str, *, limit: int | None = None, **facts: Unpack[ErrorFacts]) -> None:
        """Describe the error; *limit* is the budget."""
        super().__init__(message, **facts)
        self.limit: int | None = limit
        """The budget in tokens a minute; None when the upstream does not say."""


class ServerError(OpenAIError, branch=True):
    """The upstream failed."""

    error_code = "OPENAI_SERVER"
    default_reason = "server_error"


class InternalServerError(ServerError):
    """The upstream failed while it worked on the request, which may have been processed: repeat it sparingly."""

    default_retryable = True


class ServiceUnavailable(ServerError):
    """The upstream does not take requests now."""

    default_reason = "service_unavailable"
    default_retryable = True


class BadGateway(ServerError):
    """A gateway could not reach the engine behind it."""

    default_reason = "bad_gateway"
    default_retryable = True


class Overloaded(ServerError):
    """The upstream has too much to do."""

    default_reason = "overloaded"
    default_retryable = True


class ResponseError(OpenAIError, branch=True):
    """There was an answer, and it is not one that can be used."""

    error_code = "OPENAI_RESPONSE"
    default_reason = "protocol"


class DeserializationError(ResponseError):
    """The answer, or a chunk of it, is not what the API describes."""

    default_reason = "decode"


class UnexpectedResponse(ResponseError):
    """The answer breaks the protocol, or is a redirect."""


class InvalidContentType(ResponseError):
    """The answer is of another media type than was asked for."""

    default_reason = "content_type"


class StreamInterrupted(ResponseError):
    """The stream stopped without saying that it is complete. `is_retryable` is advice: nothing repeats the call."""

    default_reason = "truncated"
    default_retryable = True


class ResourceError(OpenAIError, branch=True):
    """The thing the request is about is not in a state to be used so."""

    error_code = "OPENAI_RESOURCE"
    default_reason = "not_found"


class NotFound(ResourceError):
    """The upstream knows no such model, object or path."""


class AlreadyExists(ResourceError):
    """The request conflicts with something that is there already."""

    default_reason = "conflict"


class Deleted(ResourceError):
    """It was there once: a model that is retired, an object that was deleted."""

    default_reason = "deleted"


class InvalidState(ResourceError):
    """It is there, but not now in a state to be used so; also a client that is closed."""

    default_reason = "too_early"


class ContentPolicyError(OpenAIError, branch=True):
    """The content is at fault."""

    error_code = "OPENAI_CONTENT_POLICY"
    default_reason = "content_filtered"


class ContentFiltered(ContentPolicyError):
    """The upstream's content filter refused the prompt or cut the answer."""


class SafetyViolation(ContentPolicyError):
    """The upstream's safety system refused the request."""

    default_reason = "safety_violation"


class RefusedByModel(ContentPolicyError):
    """The model answered with a refusal. What it said is in the answer, never in the message of this error."""

    default_reason = "refused"


_SOURCE_OF_REASON: Final = {
    "circuit_open": ErrorSource.CIRCUIT_BREAKER,
    "deadline": ErrorSource.DEADLINE,
    "egress_denied": ErrorSource.EGRESS_POLICY,
    "queue_full": ErrorSource.RATE_LIMITING,
    "slots_exhausted": ErrorSource.RATE_LIMITING,
    "cancelled": ErrorSource.CLIENT,
    "closed": ErrorSource.CLIENT,
}

_LIMITS: Final = frozenset({"rate_limited", "token_limit"})

_FEATURES: Final = frozenset(
    {ErrorSource.CIRCUIT_BREAKER, ErrorSource.RATE_LIMITING, ErrorSource.FAILOVER, ErrorSource.RETRY},
)


def _source(error: OpenAIError) -> ErrorSource:
    """Return who caused the error, from its reason and from whether the upstream answered."""
    known = _SOURCE_OF_REASON.get(error.reason)
    if known is not None:
        return known
    if error.http_status is not None or error.type or error.code:
        return ErrorSource.UPSTREAM
    if isinstance(error, NetworkError):
        return ErrorSource.NETWORK
    if error.reason in _LIMITS:
        # no answer, and yet a limit is reached: a limiter of this side said so
        return ErrorSource.RATE_LIMITING
    return ErrorSource.UPSTREAM if isinstance(error, ResponseError | ServerError) else ErrorSource.CLIENT


def _category(error: OpenAIError) -> ErrorCategory:
    """Return the flat category; the most specific rule first."""
    if error.source in _FEATURES:
        return ErrorCategory.REJECTED
    if isinstance(error, Timeout):
        return ErrorCategory.TIMEOUT
    if isinstance(error, NetworkError):
        return ErrorCategory.NETWORK
    if isinstance(error, ResponseError):
        return ErrorCategory.DECODE
    if error.source is not ErrorSource.UPSTREAM:
        return ErrorCategory.INVALID_ARGUMENT
    return ErrorCategory.API if error.type or error.code else ErrorCategory.HTTP


def _shown_url(url: str | None) -> str | None:
    """Return a URL without its credentials, short enough for a message."""
    return None if url is None or "://" not in url else safe_message(redact_url(url))
