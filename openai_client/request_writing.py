"""
From an operation to the HTTP call that makes it. Pure: the time is an argument, nothing is sent.

Spec: CLI-08, CLI-11, FWD-04, FWD-05, RTY-06, SEC-18
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from urllib.parse import quote, urlencode

from adapter_api.correlation import CORRELATION_HEADER, correlation_id
from http_util.call import HttpCall
from http_util.redact import credentials_in
from http_util.resilience import NOTHING, Layer
from http_util.secret import Secret
from openai_client.auth import merged_headers
from openai_client.body_writing import check_progress, write_body
from openai_client.call_times import deadline_of, timers_of
from openai_client.endpoint_keys import open_endpoints, written_for
from openai_client.environment import is_official
from openai_client.error_mapping import refiner
from openai_client.errors import InvalidConfiguration, MissingApiKey
from openai_client.operation import StreamOperation, written_query
from openai_client.option_checks import checked_policy
from openai_client.quotations import Quotations
from openai_client.reliability import check_enabled
from openai_client.token_costs import counted_tokens, estimated_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from http_util.call import Target
    from http_util.errors import HttpFailure
    from http_util.failover import Failover
    from http_util.resilience import Resilience
    from openai_client.auth import Authorization
    from openai_client.config import ClientConfig
    from openai_client.endpoint_keys import OpenEndpoint
    from openai_client.operation import Call

GENERATION: Final = frozenset(
    {"createChatCompletion", "createCompletion", "createEmbedding", "createModeration", "createResponse"}
)
"""Operations that may be repeated although they are no GET: they leave nothing behind but a bill."""

_READ_TIMERS: Final = frozenset({"first_byte_timeout", "idle_timeout"})


class PreparedCall(NamedTuple):
    """A call ready to be sent, and what must be removed from everything that is said about it."""

    http: HttpCall
    secrets: tuple[Secret, ...]
    quotes: Quotations
    """What an upstream may quote of the call."""
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
    authorization = authorization or config.auth.authorize(admin=operation.admin)
    headers = _headers(operation, config, authorization)
    streams = downloads or isinstance(operation, StreamOperation)
    deadline, limit = deadline_of(operation.options, config, now, streams=streams)
    url = _url(operation, config)
    check_progress(operation, downloads=downloads)
    content = write_body(operation, headers, config.http.max_body_bytes, boundary)
    alternatives, others = _elsewhere(operation, config, resilience.failover, endpoints, url, headers)
    secrets = authorization.secrets + _secrets_beside(headers, operation, config) + config.http.secrets + others
    quotes = Quotations(operation)
    http = HttpCall(
        method=operation.method,
        url=url,
        headers=headers,
        content=content,
        timeouts=timers_of(operation, config, streams=streams),
        deadline=deadline,
        retry=checked_policy(operation.options.retry) or config.retry or resilience.retry,
        replay_safe=is_replay_safe(operation),
        refine=refiner(secrets, quotes),
        secrets=secrets,
        family=operation.path.split("/", 2)[1],
        request_id=headers.get(CORRELATION_HEADER.lower()),
        alternatives=alternatives,
    )
    if resilience.limiter is not None:
        whole = content if isinstance(content, bytes) else None
        http = replace(http, tokens=estimated_tokens(operation, whole), count_tokens=counted_tokens)
    if config.compression is not None:
        http = config.compression.compress(http)
    return PreparedCall(http, secrets, quotes, limit, now, operation.operation_id)


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


def _elsewhere(
    operation: Call,
    config: ClientConfig,
    failover: Failover | None,
    endpoints: Iterable[OpenEndpoint] | None,
    url: str,
    headers: Mapping[str, str],
) -> tuple[tuple[Target, ...], tuple[Secret, ...]]:
    """Return the same call at the other endpoints, and the secrets in it; *endpoints* None has their keys read."""
    # an organization is administered where it is, and the keys of other endpoints are for ordinary calls
    if failover is None or operation.admin:
        return (), ()
    if endpoints is None:
        endpoints = open_endpoints(failover, config.audit)
    return written_for(endpoints, url.removeprefix(config.base_url), headers, config.auth.written_headers())


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


def _headers(operation: Call, config: ClientConfig, authorization: Authorization) -> dict[str, str]:
    """Return all headers: the call's options win over the operation, this over the client; nobody over credentials."""
    headers = merged_headers(
        _own_headers(operation, config),
        config.default_headers,
        operation.headers,
        operation.options.headers,
        reserved=config.auth.written_headers(),
    )
    headers.update(authorization.headers)
    _check_size(headers, config.http.max_header_bytes)
    return headers


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
