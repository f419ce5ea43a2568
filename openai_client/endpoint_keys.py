"""
The endpoints of a failover list, each with a key of its own, and the same call written for them.

Every key is read before the call is sent, once, and for the call as a whole: an attempt that moves on must not wait for
a vault, and whatever an endpoint repeats of its key must be known by then. An endpoint whose provider fails, or has to
be awaited and is not done in time, is left out of this one call, with a warning: what is there for the day when
something fails must not be what fails. What is no key at all is a mistake, and an error.

Spec: FO-01, SEC-06, SEC-16, SEC-17
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from adapter_api.correlation import correlation_id
from http_util.call import Target
from openai_client.auth import Auth, MaskedHeaders
from openai_client.errors import ConfigurationError, InvalidConfiguration, MissingApiKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from http_util.failover import Authorizes, Endpoint, Failover
    from http_util.secret import Secret
    from http_util.secret_audit import SecretAudit
    from openai_client.auth import Authorization

KEY_PATIENCE: Final = 5.0
"""Seconds that a call waits for the keys of other endpoints than its own."""


class OpenEndpoint(NamedTuple):
    """An endpoint that a call may go to."""

    base_url: str
    authorization: Authorization | None
    """What lets the call in there; None where nothing is needed."""


def has_providers(failover: Failover) -> bool:
    """Tell whether the key of an endpoint comes from a provider, which may have to be awaited."""
    return any(isinstance(endpoint.auth, Auth) and endpoint.auth.is_provided() for endpoint in failover.endpoints)


def open_endpoints(failover: Failover, audit: SecretAudit | None = None) -> tuple[OpenEndpoint, ...]:
    """
    Return the endpoints of *failover* with their keys, those left out that have none now.

    Args:
        failover: The list.
        audit: Records every reading of a key, where an endpoint has no trail of its own.

    Raises:
        InvalidConfiguration: An endpoint has something else than a key, or one that has to be awaited; the text names
            the endpoint.
    """
    return _open((endpoint, _read(_audited(endpoint.auth, audit))) for endpoint in failover.endpoints)


async def open_endpoints_async(failover: Failover, audit: SecretAudit | None = None) -> tuple[OpenEndpoint, ...]:
    """
    Return the same, also where providers have to be awaited; all of them are at once.

    Whoever cancels this cancels them. Arguments and errors as `open_endpoints`.
    """
    read = await asyncio.gather(*(_read_async(_audited(endpoint.auth, audit)) for endpoint in failover.endpoints))
    return _open(zip(failover.endpoints, read, strict=True))


def written_for(
    endpoints: Iterable[OpenEndpoint], path: str, headers: Mapping[str, str], written: frozenset[str]
) -> tuple[tuple[Target, ...], tuple[Secret, ...]]:
    """
    Return the same call at *endpoints*, and the secrets in it.

    Args:
        endpoints: In the order in which they are asked.
        path: What follows the base URL.
        headers: Of the call, with lower-case names.
        written: The headers of the call's own credentials, which are nobody else's to see.
    """
    common = {name: value for name, value in headers.items() if name not in written}
    targets: list[Target] = []
    secrets: list[Secret] = []
    for endpoint in endpoints:
        own = MaskedHeaders(common)
        if endpoint.authorization is not None:
            own.update(endpoint.authorization.headers)
            secrets += endpoint.authorization.secrets
        targets.append(Target(url=f"{endpoint.base_url}{path}", headers=own))
    return tuple(targets), tuple(secrets)


def _audited(auth: Authorizes | None, audit: SecretAudit | None) -> Authorizes | None:
    if audit is None or not isinstance(auth, Auth) or auth.audit is not None:
        return auth
    return replace(auth, audit=audit)


def _read(auth: Authorizes | None) -> Authorization | ConfigurationError | None:
    """Return the credentials of an endpoint, or what is wrong with them."""
    try:
        return None if auth is None else auth.authorize()
    except ConfigurationError as error:
        return error


async def _read_async(auth: Authorizes | None) -> Authorization | ConfigurationError | None:
    """Return the same; nothing is raised, so that no other provider is left running."""
    if not isinstance(auth, Auth) or not auth.is_provided():
        return _read(auth)
    try:
        async with asyncio.timeout(KEY_PATIENCE):
            return await auth.authorize_async()
    except ConfigurationError as error:
        return error
    except TimeoutError:
        return MissingApiKey(f"api_key: its provider gave none within {KEY_PATIENCE:g} s")


def _open(
    read: Iterable[tuple[Endpoint, Authorization | ConfigurationError | None]],
) -> tuple[OpenEndpoint, ...]:
    """Return the endpoints whose credentials were read; tell of the others."""
    found = []
    for endpoint, authorization in read:
        if isinstance(authorization, MissingApiKey):
            _warn(endpoint, authorization)
        elif isinstance(authorization, ConfigurationError):
            # what it says names no value; its frames may hold one
            raise InvalidConfiguration(f"failover endpoint {endpoint.base_url}: {authorization.message}") from None
        else:
            found.append(OpenEndpoint(endpoint.base_url, authorization))
    return tuple(found)


def _warn(endpoint: Endpoint, error: MissingApiKey) -> None:
    # loaded only when there is something to say
    from http_util.log import get_logger

    get_logger("openai_client").warning(
        "failover_endpoint_left_out",
        human="An endpoint of the failover list has no key now, so a call cannot go there",
        endpoint=endpoint.base_url,
        detail=error.message,
        correlation_id=correlation_id.get(),
    )
