"""
The rules that the settings of a client keep; each refusal names the setting and never shows a key.

Spec: CLI-04, CLI-06, CF-12, SEC-01
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from http_util.config import HttpConfig
from http_util.retry import RetryPolicy, named_policy
from http_util.secret import Secret
from http_util.settings_errors import InvalidSettings
from openai_client.auth import MaskedHeaders, header_problem, merged_headers
from openai_client.environment import OFFICIAL_BASE_URL, checked_base_url, checked_realtime_url, is_official, key_fits
from openai_client.errors import InvalidConfiguration, MissingApiKey
from openai_client.secret_loading import unchecked_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openai_client.config import ClientConfig

_LONGEST_TIMEOUT: Final = 86_400.0
_MOST_RETRIES: Final = 100
_KEYS: Final = ("api_key", "admin_api_key")
_WEBHOOK_SECRET: Final = "webhook_secret"  # noqa: S105 - the name of the setting


_REPLACED: Final = MappingProxyType(
    {
        "http_client": "give transport=HttpTransport(..., http_client=...); settings of the connection are http={...}",
        "websocket_base_url": "it is realtime_base_url",
        "workload_identity": "api_key may be a function that fetches what stands for a key",
        "data_residency": "give the region's address as base_url",
        "_strict_response_validation": "leave it out, answers are always validated",
        **dict.fromkeys(
            ("azure_endpoint", "azure_deployment", "azure_ad_token", "azure_ad_token_provider"),
            "use Client(**azure(url, ...), api_key=...)",
        ),
    }
)
"""Settings of the official SDK that are others here."""


def check_names(given: Mapping[str, object], known: Iterable[str]) -> None:
    """Refuse settings that are not *known*; each is told with the one that was meant, as far as that can be guessed."""
    names = sorted(known)
    if unknown := sorted(given.keys() - set(names)):
        told = ", ".join(f"{name}{_meant(name, names)}" for name in unknown)
        raise InvalidConfiguration(f"unknown settings: {told}; known are {', '.join(names)}")


def _meant(name: str, names: Iterable[str]) -> str:
    from http_util.schema_words import nearest

    if name in _REPLACED:
        return f" ({_REPLACED[name]})"
    if name in HttpConfig.model_fields:
        return f" (give it as http={{{name!r}: ...}})"
    near = nearest(name, names)
    return "" if near is None else f" (did you mean {near!r}?)"


def seal_keys(given: dict[str, Any]) -> None:
    """Turn keys given as text into secrets, so that no frame of ours holds one when an error is raised."""
    for name in (*_KEYS, _WEBHOOK_SECRET):
        if isinstance(given.get(name), str):
            given[name] = _secret(name, given)


def _secret(name: str, given: dict[str, Any]) -> Secret:
    """Take the key out of *given* and return it sealed."""
    try:
        return unchecked_key(given.pop(name))
    except InvalidConfiguration as error:
        problem = error.message.replace("api_key", name, 1)
    raise InvalidConfiguration(problem)


def resolve_http(given: dict[str, Any]) -> None:
    """Bring `base_url` and `http` together: either may say where the server is."""
    http = given.get("http", {})
    if isinstance(http, HttpConfig):
        if (
            "base_url" in given
            and checked_base_url(given["base_url"], plain_http_hosts=http.plain_http_hosts) != http.base_url
        ):
            raise InvalidConfiguration("base_url: differs from http.base_url; give one of them")
        given["base_url"] = http.base_url
        return
    if "base_url" in http:
        raise InvalidConfiguration("http: give base_url beside it, or a whole HttpConfig")
    plain_http_hosts = http.get("plain_http_hosts", ())
    given["base_url"] = checked_base_url(given.get("base_url", OFFICIAL_BASE_URL), plain_http_hosts=plain_http_hosts)
    try:
        given["http"] = HttpConfig(base_url=given["base_url"], **http)
    except InvalidSettings as error:
        problem = "; ".join(f"http.{one}" if one.path else f"http: {one}" for one in error.problems)
    else:
        return
    raise InvalidConfiguration(problem)


def check_keys(given: dict[str, Any]) -> None:
    """Make sure that the absence of a key is meant, and that the official service gets one of its own."""
    official = is_official(given["base_url"])
    if all(given.get(name) is None for name in _KEYS) and (official or "api_key" not in given):
        raise MissingApiKey(
            "api_key: the official service needs a key; give one as text, as a Secret, or as a function that returns "
            "it. The environment is not read here: Client.from_env() reads OPENAI_API_KEY"
            if official
            else "api_key: give a key, or None for a server that needs none"
        )
    for name in _KEYS:
        key = given.get(name)
        if isinstance(key, Secret) and not key_fits(given["base_url"], key):
            raise InvalidConfiguration(
                f"{name}: a key of the official service begins with 'sk-' or 'ek_' and has 10 to 200 letters, digits, "
                "'_' or '-'; this one has another form (value not shown)"
            )
        if not (key is None or isinstance(key, Secret) or callable(key)):
            raise InvalidConfiguration(
                f"{name}: must be a key, a function that gives one, or None, not {type(key).__name__}"
            )
    webhook_secret = given.get(_WEBHOOK_SECRET)
    if not (webhook_secret is None or isinstance(webhook_secret, Secret)):
        raise InvalidConfiguration(f"{_WEBHOOK_SECRET}: must be a secret or None, not {type(webhook_secret).__name__}")


def normalised(config: ClientConfig) -> dict[str, object]:
    """Check what is left of the settings, and return those that are written in another form than they were given in."""
    _check_timeout(config.timeout)
    _check_retries(config.max_retries)
    version = config.api_version
    for name, value in (("beta_header", version.beta_header), ("openai_version", version.openai_version)):
        if value is not None and (problem := header_problem(f"api_version.{name}", value)):
            raise InvalidConfiguration(problem)
    headers = merged_headers(config.default_headers, place="default_headers: ", reserved=config.auth.written_headers())
    realtime = config.realtime_base_url
    return {
        "retry": _one_policy(resolved_policy(config.retry), config),
        "default_headers": MappingProxyType(headers),
        "default_query": MappingProxyType(MaskedHeaders(config.default_query)),
        "realtime_base_url": None if realtime is None else checked_realtime_url(realtime),
    }


def check_number_is_heard(config: ClientConfig) -> None:
    """
    Refuse a new number of retries for settings that have a policy of another origin, which it would not change.

    Raises:
        InvalidConfiguration: There is such a policy.
    """
    if config.retry is not None and not (config.max_retries and config.retry == config.retry_preset()):
        raise InvalidConfiguration(
            f"max_retries and retry: the policy {config.retry.name!r} is set as retry; give retry=None as well, or a "
            "policy with other attempts"
        )


def _one_policy(given: RetryPolicy | None, config: ClientConfig) -> RetryPolicy | None:
    """Return the policy that was given, or the one that follows from the number of retries; both are too many."""
    preset = config.retry_preset() if config.max_retries else None
    if given is not None and preset is not None and given != preset:
        raise InvalidConfiguration(
            f"max_retries and retry: give one of them; max_retries={config.max_retries} sets a policy of its own, and "
            f"retry is {given.name!r}, with {given.max_attempts - 1} retries"
        )
    return given or preset


def _shown(value: object) -> str:
    """Return how an error speaks of a value in the place of a number: anything else may be a secret."""
    return str(value) if isinstance(value, int | float) else type(value).__name__


def check_kinds(given: Mapping[str, Any], kinds: Mapping[str, tuple[Any, str]]) -> None:
    """Make sure that what other checks look into is of its kind; *kinds* has each kind and how it is called."""
    for name, (kind, accepted) in kinds.items():
        if name in given and not isinstance(given[name], kind):
            raise InvalidConfiguration(f"{name}: must be {accepted}, not {type(given[name]).__name__}")


def _check_timeout(timeout: object) -> None:
    """Make sure that the timeout is one."""
    number = None if isinstance(timeout, bool) or not isinstance(timeout, int | float) else timeout
    if number is None or not math.isfinite(number) or not 0 < number <= _LONGEST_TIMEOUT:
        raise InvalidConfiguration(
            f"timeout: must be seconds above 0 and at most {_LONGEST_TIMEOUT:.0f}, not {_shown(timeout)}"
        )


def _check_retries(retries: object) -> None:
    """Make sure that the number of retries is one."""
    number = None if isinstance(retries, bool) or not isinstance(retries, int) else retries
    if number is None or not 0 <= number <= _MOST_RETRIES:
        raise InvalidConfiguration(f"max_retries: must be between 0 and {_MOST_RETRIES}, not {_shown(retries)}")


def resolved_policy(retry: RetryPolicy | str | None) -> RetryPolicy | None:
    """
    Return a policy given as an object or by its name.

    Raises:
        InvalidConfiguration: There is no policy of that name, or it is something else.
    """
    if not isinstance(retry, str | RetryPolicy | None):
        raise InvalidConfiguration(
            f"retry: must be a RetryPolicy, the name of one, or None, not {type(retry).__name__}"
        )
    if not isinstance(retry, str):
        return retry
    try:
        return named_policy(retry)
    except ValueError as error:
        problem = str(error)
    raise InvalidConfiguration(problem)
