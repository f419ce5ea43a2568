"""
Where the API is and who calls it, as one value; several live side by side.

`Environment.from_env` and the loaders in `secret_loading` are the only places of the client that read the environment.

Spec: CLI-05, CLI-06
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from http_util.frames import made_unseen, shows_no_arguments
from http_util.urls import check_url, origin_of
from openai_client.errors import InvalidBaseUrl, InvalidConfiguration, MissingApiKey
from openai_client.secret_loading import API_KEY_NAME, has_key_form, key_from_env, key_from_file, unchecked_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from http_util.secret import Secret
    from openai_client.secret_loading import LoadedSecret

OFFICIAL_BASE_URL: Final = "https://api.openai.com/v1"
"""Where the official service is."""

OFFICIAL_REALTIME_URL: Final = "wss://api.openai.com/v1/realtime"
"""Where its realtime sessions are."""

_OFFICIAL_HOST: Final = "api.openai.com"


@made_unseen
@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """
    A place and a caller.

    Example:
        >>> Environment(base_url="http://localhost:8000/v1/").base_url
        'http://localhost:8000/v1'

    Spec: CLI-06
    """

    api_key: Secret | None = None
    """The credential; None for a server that needs none."""
    organization: str | None = None
    project: str | None = None
    base_url: str = OFFICIAL_BASE_URL
    """Root of every call, without a slash at its end."""
    realtime_base_url: str | None = None
    """Root of realtime sessions; None derives it from `base_url`."""
    webhook_secret: Secret | None = None
    """What the service signs the deliveries of webhooks with."""
    source: str | None = None
    """Where the key was found, for people; None when it was given."""

    def __post_init__(self) -> None:
        """
        Check the URLs and write them in their normal form.

        Raises:
            InvalidBaseUrl: One of them cannot be used.
        """
        object.__setattr__(self, "base_url", checked_base_url(self.base_url))
        realtime = self.realtime_base_url or realtime_url(self.base_url)
        object.__setattr__(self, "realtime_base_url", checked_realtime_url(realtime))

    @classmethod
    @shows_no_arguments
    def from_env(
        cls,
        *,
        env: Mapping[str, str] | None = None,
        secret_file: Path | None = None,
        base_url: str | None = None,
        with_key: bool = True,
    ) -> Environment:
        """
        Return what the process's environment describes.

        `OPENAI_API_KEY`, `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID`, `OPENAI_BASE_URL`, `OPENAI_REALTIME_BASE_URL` and
        `OPENAI_WEBHOOK_SECRET` are read. The key is the variable's, else the file's. At an address other than the
        official service's, no key at all is fine.

        Args:
            env: Read instead of the process's environment.
            secret_file: Read for the key when the environment has none.
            base_url: Used instead of the variable's.
            with_key: Whether a key is looked for.

        Raises:
            MissingApiKey: The official service needs a key and none was found; the message has each source's reason.
            InvalidBaseUrl: A URL cannot be used.
            InvalidConfiguration: The webhook secret holds a character that it cannot; it is not shown.

        Spec: CLI-05, SEC-02, WHK-04
        """
        told = {name: (os.environ if env is None else env).get(name) or None for name in _PLACE}
        base_url = base_url or told["OPENAI_BASE_URL"] or OFFICIAL_BASE_URL
        found = _find_key(env, secret_file, checked=_needs_form(base_url)) if with_key else None
        webhook_secret = _find_webhook_secret(env)
        if isinstance(found, str):
            raise MissingApiKey(found)
        if isinstance(webhook_secret, str):
            raise InvalidConfiguration(webhook_secret)
        return cls(
            api_key=None if found is None else found.secret,
            source=None if found is None else found.source,
            organization=told["OPENAI_ORG_ID"],
            project=told["OPENAI_PROJECT_ID"],
            base_url=base_url,
            realtime_base_url=told["OPENAI_REALTIME_BASE_URL"],
            webhook_secret=webhook_secret,
        )


_WEBHOOK_SECRET: Final = "OPENAI_WEBHOOK_SECRET"  # noqa: S105 - the name of the variable
_PLACE: Final = ("OPENAI_BASE_URL", "OPENAI_REALTIME_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")


def _find_webhook_secret(env: Mapping[str, str] | None) -> Secret | str | None:
    """Return the secret of webhooks, None when there is none, a sentence when it cannot be one."""
    value = (os.environ if env is None else env).get(_WEBHOOK_SECRET)
    if not value:
        return None
    try:
        return unchecked_key(value)
    except InvalidConfiguration as error:
        return error.message.replace("api_key", _WEBHOOK_SECRET, 1)


def _needs_form(base_url: str) -> bool:
    """Tell whether keys must have the official form; what cannot be a URL at all is found later."""
    try:
        return is_official(checked_base_url(base_url))
    except InvalidBaseUrl:
        return False


def _find_key(env: Mapping[str, str] | None, secret_file: Path | None, *, checked: bool) -> LoadedSecret | str | None:
    """Return the key, by the client's order: environment, then file; else why there is none, None if none is needed."""
    reasons: list[str] = []
    try:
        return key_from_env(env=env, checked=checked)
    except MissingApiKey as error:
        reasons.append(error.message)
    if secret_file is not None:
        try:
            return key_from_file(secret_file, checked=checked)
        except MissingApiKey as error:
            reasons.append(error.message)
    # a value that is no key is a mistake everywhere; only the lack of one is not
    is_given = bool((os.environ if env is None else env).get(API_KEY_NAME)) or secret_file is not None
    return f"no usable key was found: {'; '.join(reasons)}" if checked or is_given else None


def checked_base_url(url: str, *, field: str = "base_url", plain_http_hosts: Iterable[str] = ()) -> str:
    """
    Return a URL in its normal form.

    Raises:
        InvalidBaseUrl: It cannot be used; the message begins with *field* and shows no credential.

    Spec: CLI-06, CLI-07
    """
    try:
        return check_url(url, field=field, plain_http_hosts=plain_http_hosts)
    except ValueError as error:
        refusal = InvalidBaseUrl(str(error), url=url if isinstance(url, str) else None)
    # the frame may be shown in a traceback, and there may be a password in the URL
    del url
    raise refusal


def is_official(base_url: str) -> bool:
    """Tell whether a checked base URL is the official service's, whose keys have a known form."""
    return origin_of(base_url).host == _OFFICIAL_HOST


def key_fits(base_url: str, key: Secret) -> bool:
    """Tell whether *key* can be one of the server at *base_url*, as far as its form tells."""
    return not is_official(base_url) or has_key_form(key)


def realtime_url(base_url: str) -> str:
    """Return where a server's realtime sessions are when nothing else is said."""
    return f"ws{base_url.removeprefix('http')}/realtime"


def checked_realtime_url(url: str) -> str:
    """
    Return a `wss://` (or, to loopback, `ws://`) URL in its normal form.

    Raises:
        InvalidBaseUrl: It cannot be used.
    """
    if not (isinstance(url, str) and url.startswith(("ws://", "wss://"))):
        del url
        raise InvalidBaseUrl("realtime_base_url must begin with wss:// (or ws:// for loopback)")
    return f"ws{checked_base_url(f'http{url[2:]}', field='realtime_base_url').removeprefix('http')}"
