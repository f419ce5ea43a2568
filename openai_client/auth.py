"""
Authentication, in one place: from credentials to the headers of one request.

The key is read once per call, so a provider that rotates it is asked once, and the call is written, redacted and
retried with the same key. Headers come in a mapping whose `repr` masks what is secret.

Spec: CLI-08, SEC-06, SEC-07, SEC-17, SEC-18
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from http_util.frames import made_unseen
from http_util.redact import redact_headers
from http_util.secret import Secret, bearer_headers
from openai_client.errors import InvalidConfiguration, MissingApiKey
from openai_client.key_reading import ApiKey, KeyProvider, read_key, read_key_async

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from http_util.secret_audit import SecretAudit

__all__ = [
    "ApiKey",
    "Auth",
    "AuthScheme",
    "Authorization",
    "KeyProvider",
    "MaskedHeaders",
    "header_problem",
    "merged_headers",
]

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_CONNECTION: Final = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Say where a request goes and where it ends. Who writes them beside the engine has two ends, and so two requests."""

_LONGEST_VALUE: Final = 8192
_FIRST_PRINTABLE: Final = 0x20
_LAST_PRINTABLE: Final = 0x7E


class AuthScheme(StrEnum):
    """The header that carries the key."""

    BEARER = "bearer"
    """`Authorization: Bearer KEY`."""
    API_KEY = "api-key"
    """`api-key: KEY`, as Azure OpenAI wants it."""


class MaskedHeaders(dict[str, str]):
    """Headers with lower-case names whose `repr` shows no credential, so that they may stand in a traceback."""

    def __repr__(self) -> str:
        """Return the headers with sensitive values masked."""
        return repr(redact_headers(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What one request needs to be let in."""

    headers: MaskedHeaders
    """The headers to send."""
    secrets: tuple[Secret, ...]
    """The credentials in them, to be removed from whatever the upstream says about the request."""


@made_unseen
@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """
    Who the client is.

    Example:
        >>> auth = Auth(api_key=Secret("sk-example-0000000000"), organization="org-1")
        >>> auth.authorize().headers
        {'authorization': '****', 'openai-organization': '****'}

    Spec: CLI-08, SEC-18
    """

    api_key: ApiKey = None
    """The key of ordinary calls; None sends none."""
    admin_api_key: ApiKey = None
    """The key of the organization's administration, which takes no ordinary one."""
    scheme: AuthScheme = AuthScheme.BEARER
    """The header that carries the key."""
    organization: str | None = None
    """Sent as `OpenAI-Organization`."""
    project: str | None = None
    """Sent as `OpenAI-Project`."""
    audit: SecretAudit | None = field(default=None, compare=False)
    """Records every reading of a key; None records nothing."""

    def __post_init__(self) -> None:
        """
        Check what becomes a header.

        Raises:
            InvalidConfiguration: An id cannot stand in a header; the message names it.
        """
        for name in ("organization", "project"):
            value = getattr(self, name)
            if value is not None and (problem := header_problem(name, value)):
                raise InvalidConfiguration(problem)

    def is_provided(self, *, admin: bool = False) -> bool:
        """Tell whether the key comes from a provider, which may have to be awaited; a fixed one costs no coroutine."""
        return callable(self._credential(admin=admin)[1])

    def authorize(self, *, admin: bool = False) -> Authorization:
        """
        Return the headers for one call; reads the key, so ask once per call.

        Args:
            admin: Whether the call needs the admin key.

        Raises:
            MissingApiKey: The call needs the admin key and there is none, or the provider of a key failed.
            InvalidConfiguration: The provider's key cannot stand in a header, or has to be awaited.

        Spec: SEC-17
        """
        name, key = self._credential(admin=admin)
        return self._with(read_key(name, key), admin=admin)

    async def authorize_async(self, *, admin: bool = False) -> Authorization:
        """
        Return the headers for one call, also with a provider that has to be awaited; the rest is as for `authorize`.

        Spec: SEC-17
        """
        name, key = self._credential(admin=admin)
        return self._with(await read_key_async(name, key), admin=admin)

    def _credential(self, *, admin: bool) -> tuple[str, ApiKey]:
        return ("admin_api_key", self.admin_api_key) if admin else ("api_key", self.api_key)

    def _with(self, key: Secret | None, *, admin: bool) -> Authorization:
        """Return the headers that *key* is written into, and are not without it."""
        if admin and key is None:
            raise MissingApiKey(
                "admin_api_key: this call administers the organization and needs its admin key; none was given, and "
                "the API key is not sent in its place"
            )
        headers = MaskedHeaders()
        if key is not None:
            key = key.audited(self.audit)
            headers.update(bearer_headers(key) if self.scheme is AuthScheme.BEARER else {"api-key": key.reveal()})
        if self.organization is not None:
            headers["openai-organization"] = self.organization
        if self.project is not None:
            headers["openai-project"] = self.project
        return Authorization(headers=headers, secrets=() if key is None else (key,))

    def written_headers(self) -> frozenset[str]:
        """Return the names of the headers that `authorize` writes; nobody else may."""
        names = set[str]()
        if self.api_key is not None or self.admin_api_key is not None:
            names.add("authorization" if self.scheme is AuthScheme.BEARER else "api-key")
        if self.organization is not None:
            names.add("openai-organization")
        if self.project is not None:
            names.add("openai-project")
        return frozenset(names)


def header_problem(name: object, value: object) -> str | None:
    r"""
    Return what is wrong with a header, naming it and never showing its value, or None.

    Example:
        >>> header_problem("x-tenant", "a\r\nhost: evil")
        'x-tenant: a header value must be printable ASCII without line breaks (value not shown)'

    Spec: HTU-1004
    """
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        return f"{str(name)[:64]!r} is no header name: letters, digits and - are"
    if not isinstance(value, str):
        return f"{name}: a header value must be a str, not {type(value).__name__}"
    if len(value) > _LONGEST_VALUE:
        return f"{name}: a header value must have at most {_LONGEST_VALUE} characters, this one has {len(value)}"
    if any(not _FIRST_PRINTABLE <= ord(char) <= _LAST_PRINTABLE and char != "\t" for char in value):
        return f"{name}: a header value must be printable ASCII without line breaks (value not shown)"
    return None


def merged_headers(
    *layers: Mapping[str, str], place: str = "", reserved: frozenset[str] = frozenset()
) -> MaskedHeaders:
    """
    Return the headers of all *layers*, a later one over an earlier one, whatever the case of their names.

    Args:
        layers: Headers of the client, the operation, the call.
        place: What the message begins with, for the headers of one setting.
        reserved: Lower-case names that none of them may write, because authentication does.

    Raises:
        InvalidConfiguration: A header is malformed, reserved, or the connection's own; the message names it, and never
            shows its value.
    """
    merged, problem = _merged(layers, reserved)
    if problem is not None:
        # the frame may be shown in a traceback
        del layers
        raise InvalidConfiguration(f"{place}{problem}")
    return merged


def _merged(layers: Iterable[Mapping[str, str]], reserved: frozenset[str]) -> tuple[MaskedHeaders, str | None]:
    """Return the headers of all *layers*, and what is wrong with the first that cannot be sent."""
    merged = MaskedHeaders()
    for name, value in (pair for layer in layers for pair in layer.items()):
        problem = header_problem(name, value)
        if problem is not None:
            return merged, problem
        lowered = name.lower()
        if lowered in _CONNECTION:
            return merged, f"the header {lowered!r} belongs to the connection, which writes it itself; leave it out"
        if lowered in reserved:
            return merged, f"the header {lowered!r} is written from the credentials; give it nowhere else"
        merged[lowered] = value.strip()
    return merged, None
