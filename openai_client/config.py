"""
The settings of one client, checked when they are made. Nothing is read from the environment here.

Spec: CLI-04, CLI-07, CLI-08, CF-12, FWD-04, FWD-05
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict, cast

from http_util.config import HttpConfig
from http_util.frames import shows_no_arguments
from http_util.retry import RetryPolicy
from openai_client import config_checks
from openai_client.auth import Auth, AuthScheme
from openai_client.environment import OFFICIAL_BASE_URL, Environment
from openai_client.errors import InvalidConfiguration, OpenAIError
from openai_client.resource_methods import shows_fields

if TYPE_CHECKING:
    from dataclasses import Field
    from pathlib import Path
    from typing import Unpack

    from http_util.compression import RequestCompression
    from http_util.secret import Secret
    from http_util.secret_audit import SecretAudit
    from openai_client.auth import ApiKey, KeyProvider
    from openai_client.deprecation import Deprecations

DEFAULT_TIMEOUT: Final = 60.0
"""Seconds for one call that is not a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiVersionConfig:
    """
    Which version of the API is spoken.

    Spec: FWD-04, FWD-05
    """

    version: str = "v1"
    """The version that this client was generated for; informative."""
    enable_beta: bool = False
    """Whether operations of beta services may be called."""
    beta_header: str | None = None
    """Value of `OpenAI-Beta` for them; None sends the value that belongs to the operation."""
    openai_version: str | None = None
    """Value of the `OpenAI-Version` header; None sends none."""


class ClientSettings(TypedDict, total=False):
    """The arguments of `ClientConfig`; every one is an attribute of it."""

    api_key: Secret | KeyProvider | str | None
    admin_api_key: Secret | KeyProvider | str | None
    auth_scheme: AuthScheme
    organization: str | None
    project: str | None
    base_url: str
    realtime_base_url: str | None
    timeout: float
    max_retries: int
    retry: RetryPolicy | str | None
    default_headers: Mapping[str, str]
    default_query: Mapping[str, str]
    http: HttpConfig | Mapping[str, Any]
    api_version: ApiVersionConfig
    audit: SecretAudit | None
    deprecations: Deprecations | None
    compression: RequestCompression | None
    webhook_secret: Secret | str | None


@dataclass(frozen=True, slots=True, init=False, repr=False)
class ClientConfig:
    """
    Who calls what, and how. Immutable, equal by value, and safe to print.

    Example:
        >>> config = ClientConfig(base_url="http://localhost:8000/v1/", api_key=None, timeout=10.0)
        >>> config.base_url, config.timeout, config.retry
        ('http://localhost:8000/v1', 10.0, None)
        >>> ClientConfig(base_url="https://api.openai.com/v1", api_key=None)
        Traceback (most recent call last):
        ...
        openai_client.errors.MissingApiKey: api_key: the official service needs a key; give one ...

    Spec: CLI-04
    """

    api_key: ApiKey = field(default=None, repr=False)
    """The key, a function that gives it anew for every call, or None for a server that needs none."""
    admin_api_key: ApiKey = field(default=None, repr=False)
    """The key for the organization's administration."""
    auth_scheme: AuthScheme = AuthScheme.BEARER
    """The header that carries the key."""
    organization: str | None = field(default=None, repr=False)
    project: str | None = field(default=None, repr=False)
    base_url: str = OFFICIAL_BASE_URL
    """Root of every call, without a slash at its end."""
    realtime_base_url: str | None = None
    """Root of realtime sessions; None derives it from `base_url`."""
    timeout: float = DEFAULT_TIMEOUT
    """Seconds for a whole call; for a stream, until its head is there. Above 0, at most a day."""
    max_retries: int = 0
    """Retries of `retry_preset`, 0 to 100. Above 0 that policy becomes `retry`; beside another policy it is refused."""
    retry: RetryPolicy | None = None
    """The policy of every call that brings none; None: one call is one attempt."""
    default_headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """Sent with every call. The names that authentication writes are refused."""
    default_query: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """Query parameters of every call, such as Azure's `api-version`."""
    http: HttpConfig = field(default_factory=lambda: HttpConfig(base_url=OFFICIAL_BASE_URL), repr=False)
    """Timers, TLS, proxy, pool and limits. Give the knobs as a mapping, or a whole `HttpConfig`."""
    api_version: ApiVersionConfig = field(default_factory=ApiVersionConfig)
    audit: SecretAudit | None = field(default=None, repr=False, compare=False)
    """Records every reading of a key."""
    deprecations: Deprecations | None = field(default=None, repr=False, compare=False)
    """Tells a hook, once per use site, of deprecated operations and fields; None: only Python's warnings do."""
    compression: RequestCompression | None = field(default=None, repr=False)
    """Packs request bodies; None sends them as they are."""
    webhook_secret: Secret | None = field(default=None, repr=False)
    """What the service signs the deliveries of webhooks with, `whsec_...`; None where a call brings its own."""

    @shows_fields
    def __init__(self, **settings: Unpack[ClientSettings]) -> None:
        """
        Check *settings*.

        Args:
            settings: See the attributes. A key may be given as text.

        Raises:
            MissingApiKey: No key, at the official service or without saying `api_key=None`.
            InvalidBaseUrl: `base_url` or `realtime_base_url` cannot be used.
            InvalidConfiguration: Another setting is wrong; the message names it and never shows a key.
        """
        given = cast("dict[str, Any]", settings)
        try:
            self._take(given)
        except OpenAIError as error:
            # this frame and those below may be shown in a traceback, and credentials stand in the settings
            given.clear()
            error.__traceback__ = None
            raise

    def _take(self, given: dict[str, Any]) -> None:
        """Check the settings and keep them."""
        config_checks.seal_keys(given)
        config_checks.check_names(given, (item.name for item in fields(self)))
        config_checks.check_kinds(given, _KINDS)
        config_checks.resolve_http(given)
        config_checks.check_keys(given)
        for item in fields(self):
            object.__setattr__(self, item.name, given[item.name] if item.name in given else _default(item))
        for name, value in config_checks.normalised(self).items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """Return the settings without credentials; also of one that is half made, as a traceback shows it."""
        shown = (f"{item.name}={getattr(self, item.name, None)!r}" for item in fields(self) if item.repr)
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    @shows_no_arguments
    def from_environment(cls, environment: Environment, **settings: Unpack[ClientSettings]) -> Self:
        """Return the settings for *environment*; *settings* are added to it, or win over it."""
        place: ClientSettings = {
            "api_key": environment.api_key,
            "organization": environment.organization,
            "project": environment.project,
            "base_url": environment.base_url,
            "realtime_base_url": environment.realtime_base_url,
            "webhook_secret": environment.webhook_secret,
        }
        return cls(**(place | settings))

    @classmethod
    @shows_no_arguments
    def from_env(
        cls,
        *,
        env: Mapping[str, str] | None = None,
        secret_file: Path | None = None,
        **settings: Unpack[ClientSettings],
    ) -> Self:
        """
        Return the settings that the process's environment describes (see `Environment.from_env`).

        Args:
            env: Read instead of the process's environment.
            secret_file: Read for the key when the environment has none.
            settings: Win over what is found.

        Spec: CLI-05
        """
        environment = Environment.from_env(
            env=env, secret_file=secret_file, base_url=settings.get("base_url"), with_key="api_key" not in settings
        )
        return cls.from_environment(environment, **settings)

    def settings(self) -> dict[str, Any]:
        """
        Return the settings as JSON can hold them; credentials and the audit are left out. See `from_settings`.

        Spec: CLI-04, SEC-01
        """
        told: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        for name in _NOT_TOLD:
            del told[name]
        knobs = self.http.model_dump(mode="json", exclude_unset=True, exclude={"base_url", *_SECRET_KNOBS})
        return told | {
            "auth_scheme": self.auth_scheme.value,
            "retry": None if self.retry is None else _plain_policy(self.retry),
            "default_headers": dict(self.default_headers),
            "default_query": dict(self.default_query),
            "http": knobs,
            "api_version": asdict(self.api_version),
            "compression": None if self.compression is None else asdict(self.compression),
        }

    @classmethod
    @shows_no_arguments
    def from_settings(cls, settings: Mapping[str, Any], **others: Unpack[ClientSettings]) -> Self:
        """
        Return the configuration that `settings` wrote, with the credentials and what else is to differ in *others*.

        Raises:
            InvalidConfiguration: A setting is wrong.
        """
        given = dict(settings)
        try:
            given["auth_scheme"] = AuthScheme(given["auth_scheme"])
            given["api_version"] = ApiVersionConfig(**given["api_version"])
            if given["compression"] is not None:
                from http_util.compression import RequestCompression

                given["compression"] = RequestCompression(**given["compression"])
            if (policy := given["retry"]) is not None:
                statuses = policy["statuses"]
                given["retry"] = RetryPolicy(
                    **(policy | {"statuses": None if statuses is None else frozenset(statuses)})
                )
        except (KeyError, TypeError, ValueError) as error:
            problem = f"settings: must be what `settings()` gave; {type(error).__name__}: {error}"
        else:
            return cls(**(cast("ClientSettings", given) | others))
        raise InvalidConfiguration(problem)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the configuration itself: it cannot be changed."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """
        Pickle the settings.

        Raises:
            TypeError: There is a key in them; give it to whoever unpickles.
        """
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        plain = {name: dict(given[name]) for name in ("default_headers", "default_query")}
        return _unpickled, (type(self), given | plain)

    @shows_no_arguments
    def with_settings(self, **settings: Unpack[ClientSettings]) -> Self:
        """
        Return these settings with some replaced. A new policy takes the place of a number of retries.

        Raises:
            InvalidConfiguration: A setting is wrong, or `max_retries` is given while another policy is set.
        """
        given: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        if "base_url" in settings or isinstance(settings.get("http"), HttpConfig):
            # the knobs stay, the place changes
            del given["base_url"]
            knobs = self.http.model_fields_set - {"base_url"}
            given["http"] = {name: getattr(self.http, name) for name in knobs}
        if "max_retries" in settings and "retry" not in settings:
            config_checks.check_number_is_heard(self)
            # the policy that followed from the number goes with it
            del given["retry"]
        elif "retry" in settings and "max_retries" not in settings:
            del given["max_retries"]
        return type(self)(**(cast("ClientSettings", given) | settings))

    @property
    def auth(self) -> Auth:
        """Who calls."""
        return Auth(
            api_key=self.api_key,
            admin_api_key=self.admin_api_key,
            scheme=self.auth_scheme,
            organization=self.organization,
            project=self.project,
            audit=self.audit,
        )

    def retry_preset(self) -> RetryPolicy:
        """
        Return the client's own retry policy, to be set as `retry`: patient, with 10 % of jitter either way.

        It repeats 429, 502, 503 and 504, a 500 once, and calls that got no answer. Failures after which the upstream
        may have processed the request are repeated only for calls that may be repeated.

        Spec: RTY-01, RTY-04
        """
        return RetryPolicy(
            name="client",
            max_attempts=self.max_retries + 1,
            base=0.5,
            cap=60.0,
            multiplier=2.0,
            jitter=0.1,
            jitter_around=True,
            retries_unknown=True,
            statuses=frozenset({429, 500, 502, 503, 504}),
            # a server that fails twice in the same way is broken, not busy
            server_error_attempts=2,
        )


_KINDS: Final[dict[str, tuple[Any, str]]] = {
    "base_url": (str, "a URL as text"),
    "realtime_base_url": (str | None, "a URL as text, or None"),
    "default_headers": (Mapping, "a mapping of texts"),
    "default_query": (Mapping, "a mapping of texts"),
    "http": (HttpConfig | Mapping, "an HttpConfig, or a mapping of its settings"),
    "api_version": (ApiVersionConfig, "an ApiVersionConfig"),
}

_NOT_TOLD: Final = ("api_key", "admin_api_key", "webhook_secret", "audit", "deprecations")
_SECRET_KNOBS: Final = ("proxy_auth", "client_key_password")


def _plain_policy(policy: RetryPolicy) -> dict[str, Any]:
    """Return a policy as JSON can hold it."""
    told = asdict(policy)
    return told | {"statuses": None if policy.statuses is None else sorted(policy.statuses)}


def _unpickled(kind: type[ClientConfig], settings: dict[str, Any]) -> ClientConfig:
    """Return the configuration that was pickled."""
    return kind(**cast("ClientSettings", settings))


def _default(item: Field[Any]) -> object:
    """Return the default of a field."""
    return item.default if item.default_factory is MISSING else item.default_factory()
