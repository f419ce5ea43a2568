"""
From an operation to the HTTP call that makes it. Pure: the time is an argument, nothing is sent.

Spec: CLI-08, CLI-11, FWD-04, FWD-05, RTY-06, SEC-18
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, Self, cast
from urllib.parse import quote, urlencode

from adapter_api.correlation import CORRELATION_HEADER, correlation_id
from http_util.call import HttpCall, Timeouts
from http_util.deadline import Deadline
from http_util.redact import credentials_in
from http_util.resilience import NOTHING, Layer
from http_util.secret import Secret
from openai_client.auth import merged_headers
from openai_client.endpoint_keys import open_endpoints, written_for
from openai_client.environment import is_official
from openai_client.error_mapping import refiner
from openai_client.errors import InvalidConfiguration, InvalidFieldValue, MissingApiKey, OpenAIError, SerializationError
from openai_client.operation import StreamOperation, written_query
from openai_client.option_checks import checked_policy
from openai_client.reliability import check_enabled
from openai_client.token_costs import counted_tokens, estimated_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pydantic import BaseModel

    from http_util.call import Target
    from http_util.errors import HttpFailure
    from http_util.resilience import Resilience
    from http_util.streamed_body import StreamedBody
    from openai_client.auth import Authorization
    from openai_client.config import ClientConfig
    from openai_client.endpoint_keys import OpenEndpoint
    from openai_client.operation import Call, CallOptions

GENERATION: Final = frozenset(
    {"createChatCompletion", "createCompletion", "createEmbedding", "createModeration", "createResponse"}
)
"""Operations that may be repeated although they are no GET: they leave nothing behind but a bill."""


_READ_TIMERS: Final = frozenset({"first_byte_timeout", "idle_timeout"})


class PreparedCall(NamedTuple):
    """A call ready to be sent, and what must be removed from everything that is said about it."""

    http: HttpCall
    secrets: tuple[Secret, ...]
    limit: str
    """What ends the call, such as `the call's timeout of 2 s`; meaningless without a deadline."""
    began: float
    """The monotonic time from which the call's timeouts count."""
    operation_id: str
    """What the API description calls it."""

    def through(self, wanted: Layer | None, resilience: Resilience) -> Self:
        """
        Return the same call through one layer alone, or through all that there are.

        Raises:
            InvalidConfiguration: *wanted* is not there, or nothing is.

        Spec: REL-02
        """
        enabled = resilience.layers if self.http.retry is None else resilience.layers | {Layer.RETRY}
        return self._replace(http=replace(self.http, layers=check_enabled(wanted, enabled)))

    def ended_by(self, failure: HttpFailure, now: float) -> HttpFailure:
        """
        Return *failure*, or the same as a deadline that names the setting which ended the call.

        Blocking code waits on a socket, whose timer is cut to what is left of the call: its failure names the timer.

        Args:
            failure: How the call failed.
            now: The monotonic time.

        Spec: CLI-11
        """
        deadline = self.http.deadline
        passed = failure.reason in _READ_TIMERS and deadline is not None and now >= deadline.at
        if not passed and failure.reason != "deadline":
            return failure
        return failure.replace(reason="deadline", message=f"{self.limit} passed")


def write_call(
    operation: Call,
    config: ClientConfig,
    now: float,
    resilience: Resilience = NOTHING,
    authorization: Authorization | None = None,
    endpoints: Iterable[OpenEndpoint] | None = None,
    *,
    downloads: bool = False,
    boundary: Callable[[], str] | None = None,
) -> PreparedCall:
    """
    Write the HTTP call for *operation*, options included. Reads the keys, so one operation is written once.

    Args:
        operation: What to do.
        config: Of the client that does it.
        now: The monotonic time, from which timeouts count.
        resilience: What will stand around the call.
        authorization: Credentials that were waited for; None reads them here.
        endpoints: Those of the failover list, whose credentials were waited for; None reads them here.
        downloads: Whether the answer is read piece by piece: like a stream's, only its head is bound to come in time.
        boundary: Source of the boundaries of forms; None: chance.

    Raises:
        ConfigurationError: There is no usable key, a header is malformed, or a beta service is not enabled.
        SerializationError: The body cannot be written, or is larger than `max_body_bytes`, which does not bound forms.
        InvalidFieldValue: There is nothing that `on_progress` could be told of.
    """
    _check_allowed(operation, config)
    options = operation.options
    auth = config.auth
    authorization = authorization or auth.authorize(admin=operation.admin)
    headers = merged_headers(
        _own_headers(operation, config),
        config.default_headers,
        operation.headers,
        options.headers,
        reserved=auth.written_headers(),
    )
    headers.update(authorization.headers)
    _check_size(headers, config.http.max_header_bytes)
    streams = downloads or isinstance(operation, StreamOperation)
    deadline, limit = _deadline(options, config, now, streams=streams)
    url = _url(operation, config)
    check_progress(operation, downloads=downloads)
    content: bytes | StreamedBody | None
    if operation.is_form:
        headers["content-type"], content = _form(operation, boundary)
    else:
        content = _content(operation, config.http.max_body_bytes)
    alternatives: tuple[Target, ...] = ()
    secrets = authorization.secrets + _secrets_beside(headers, operation, config) + config.http.secrets
    # an organization is administered where it is, and the keys of other endpoints are for ordinary calls
    if resilience.failover is not None and not operation.admin:
        if endpoints is None:
            endpoints = open_endpoints(resilience.failover, config.audit)
        alternatives, others = written_for(
            endpoints, url.removeprefix(config.base_url), headers, auth.written_headers()
        )
        secrets += others
    http = HttpCall(
        method=operation.method,
        url=url,
        headers=headers,
        content=content,
        timeouts=_timeouts(operation, config, streams=streams),
        deadline=deadline,
        retry=checked_policy(options.retry) or config.retry or resilience.retry,
        replay_safe=is_replay_safe(operation),
        refine=refiner(secrets),
        secrets=secrets,
        family=operation.path.split("/", 2)[1],
        request_id=headers.get(CORRELATION_HEADER.lower()),
        tokens=0
        if resilience.limiter is None
        else estimated_tokens(operation, content if isinstance(content, bytes) else None),
        count_tokens=None if resilience.limiter is None else counted_tokens,
        alternatives=alternatives,
    )
    if config.compression is not None:
        http = config.compression.compress(http)
    return PreparedCall(http, secrets, limit, now, operation.operation_id)


def _check_allowed(operation: Call, config: ClientConfig) -> None:
    """Refuse what the settings do not allow, or would send without the credential that it needs."""
    if operation.beta is not None and not config.api_version.enable_beta:
        raise InvalidConfiguration(
            f"api_version.enable_beta: {operation.operation_id} belongs to a beta service; to use those, make the "
            "client with api_version=ApiVersionConfig(enable_beta=True)"
        )
    if config.api_key is None and not operation.admin and is_official(config.base_url):
        raise MissingApiKey(
            f"api_key: {operation.operation_id} needs an API key, and there is none; the admin key is for "
            "client.admin only"
        )


def _secrets_beside(headers: Mapping[str, str], operation: Call, config: ClientConfig) -> tuple[Secret, ...]:
    """Return the credentials that stand in headers and parameters of the caller's own, by the names that they have."""
    given = [*headers.items(), *config.default_query.items(), *operation.query, *written_query(operation.options.query)]
    return tuple(Secret(word) for word in credentials_in(given))


def is_replay_safe(operation: Call) -> bool:
    """
    Tell whether it does no harm when the upstream processes the call twice.

    Spec: RTY-06, CF-06
    """
    return operation.idempotent or operation.options.idempotency_key is not None or operation.operation_id in GENERATION


def _content(operation: Call, most: int) -> bytes | None:
    """Return the body, without repeating any of it when it cannot be written."""
    try:
        content = operation.body_bytes()
    # pydantic's serialisation errors are ValueErrors too, and quote what they could not write
    except (TypeError, ValueError) as error:
        problem = f"the body cannot be written as {operation.content_type} ({type(error).__name__})"
    else:
        if content is None or len(content) <= most:
            return content
        problem = f"the body has {len(content)} bytes; http.max_body_bytes allows {most}"
        # the frame may be shown in a traceback
        del content
    raise SerializationError(f"{operation.operation_id}: {problem}")


def _form(operation: Call, boundary: Callable[[], str] | None) -> tuple[str, StreamedBody]:
    """Return the media type and the body of a form, without repeating any of it when it cannot be written."""
    from openai_client.multipart import new_boundary, write_form

    try:
        return write_form(
            cast("BaseModel", operation.body),
            boundary=(boundary or new_boundary)(),
            fixed=operation.fixed,
            part_types=operation.part_types,
            on_progress=operation.options.on_progress,
        )
    # as in `_content`
    except (TypeError, ValueError) as error:
        if isinstance(error, OpenAIError):
            raise
        problem = f"the body cannot be written as {operation.content_type} ({type(error).__name__})"
    raise SerializationError(f"{operation.operation_id}: {problem}")


def check_progress(operation: Call, *, downloads: bool) -> None:
    """
    Refuse a callback that would never be called.

    Raises:
        InvalidFieldValue: The call sends no form and is no download.
    """
    if operation.options.on_progress is not None and not (downloads or operation.is_form):
        raise InvalidFieldValue(
            f"on_progress: is for calls that send files and for downloads, and {operation.operation_id} is none; "
            "a binary answer is downloaded by the method `download`",
            param="on_progress",
        )


def _own_headers(operation: Call, config: ClientConfig) -> dict[str, str]:
    """Return the headers that follow from what the call is."""
    headers = {"accept": operation.accept}
    if operation.body is not None or operation.fixed or operation.options.extra_body:
        headers["content-type"] = operation.content_type
    if operation.beta is not None:
        headers["openai-beta"] = config.api_version.beta_header or operation.beta
    if config.api_version.openai_version is not None:
        headers["openai-version"] = config.api_version.openai_version
    if operation.options.idempotency_key is not None:
        headers["idempotency-key"] = operation.options.idempotency_key
    correlation = correlation_id.get()
    if correlation is not None:
        headers[CORRELATION_HEADER] = correlation
    return headers


def _check_size(headers: dict[str, str], most: int) -> None:
    """Refuse more headers than the limit allows."""
    size = sum(len(name) + len(value) + len(": \r\n") for name, value in headers.items())
    if size > most:
        raise InvalidConfiguration(f"headers: {size} bytes in all; http.max_header_bytes allows {most}")


def _url(operation: Call, config: ClientConfig) -> str:
    """Return the absolute URL; equal names: the call's options win over the operation, this over the client."""
    pairs: list[tuple[str, str]] = []
    for source in (written_query(operation.options.query), operation.query, config.default_query.items()):
        taken = {name for name, _ in pairs}
        pairs += [(name, value) for name, value in source if name not in taken]
    url = f"{config.base_url}{operation.path}"
    return f"{url}?{urlencode(pairs, quote_via=quote, safe='')}" if pairs else url


def _timeouts(operation: Call, config: ClientConfig, *, streams: bool) -> Timeouts:
    """Return the timers: the head of a whole answer comes when the answer is ready, that of a stream much sooner."""
    http = config.http
    first_byte = operation.options.timeout or config.timeout
    if streams or "first_byte_timeout" in http.model_fields_set:
        first_byte = min(http.first_byte_timeout, first_byte)
    return Timeouts(
        connect=http.connect_timeout,
        pool=http.pool_timeout,
        write=http.write_timeout,
        first_byte=first_byte,
        idle=http.idle_timeout,
    )


def _deadline(options: CallOptions, config: ClientConfig, now: float, *, streams: bool) -> tuple[Deadline | None, str]:
    """Return the strictest of the bounds and its name; the client's own timeout does not end a running stream."""
    bounds = [] if options.deadline is None else [(options.deadline, "the deadline")]
    if options.timeout is not None:
        bounds.append((Deadline(now + options.timeout), f"the call's timeout of {options.timeout:g} s"))
    elif not streams:
        bounds.append((Deadline(now + config.timeout), f"the client's timeout of {config.timeout:g} s"))
    return min(bounds, default=(None, "the deadline"))
