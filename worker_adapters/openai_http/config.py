"""
The settings of one adapter: explicit, checked when made, never read from the environment.

Spec: ADP-14, ADP-33, ADP-35, OC-ADAPT-OAI-6021
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, cast
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from http_util.body_log import MOST_CHARACTERS
from http_util.config import HttpConfig, Pattern
from http_util.resilience import Resilience
from http_util.retry import POLICIES, RetryPolicy
from http_util.secret import Secret
from http_util.settings_errors import InvalidSettings, SettingProblem, setting_problems
from http_util.settings_model import SettingsModel
from http_util.tls import build_ssl_context
from openai_client.auth import ApiKey, AuthScheme
from worker_adapters.openai_http.compression_settings import CompressionSettings
from worker_adapters.openai_http.dialects import DIALECTS, Api, Dialect
from worker_adapters.openai_http.key_setting import KeySetting
from worker_adapters.openai_http.layer_settings import CircuitBreakerSettings, FailoverSettings, RateLimitSettings

Seconds = Annotated[float, Field(strict=True, gt=0, le=86_400, allow_inf_nan=False)]
Printable = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")]

_JUDGED_BESIDE: Final[dict[str, tuple[str, ...]]] = {
    "client_key_file": ("client_cert_file",),
    "client_key_password": ("client_cert_file",),
    "proxy": (),
    "proxy_auth": ("proxy",),
    "plain_http_hosts": ("base_url",),
    "egress": ("base_url", "plain_http_hosts"),
    "egress_networks": (),
    "egress_public_only": ("base_url", "plain_http_hosts", "proxy", "egress"),
}
"""Settings that `HttpConfig` has rules for, each with those before it that its rules read."""

_ANY_BASE_URL: Final = "https://localhost"

_OPERATION_PATHS: Final = ("/chat/completions", "/completions", "/responses", "/models")

_FILES: Final = (("ca_file",), ("client_cert_file", "client_key_file", "client_key_password"))
"""Settings that name files, by what is read together."""


class OpenAIHttpConfig(SettingsModel):
    """
    Everything that an `OpenAIHttpAdapter` is told. Immutable; unknown keys are refused; errors never show a value.

    Raises:
        InvalidSettings: A `ValueError` with one line for each setting that is wrong, all of them at once.

    Example:
        >>> config = OpenAIHttpConfig(base_url="http://127.0.0.1:8000/v1/", model="m")
        >>> config.base_url, config.api, config.retry_policy.name
        ('http://127.0.0.1:8000/v1', 'chat', 'billing_safe')
        >>> OpenAIHttpConfig(base_url="http://127.0.0.1:8000/v1", http_2=True)
        Traceback (most recent call last):
        http_util.settings_errors.InvalidSettings: http_2: unknown key; did you mean 'http2'?
    """

    model_config = ConfigDict(validate_default=True, arbitrary_types_allowed=True)

    base_url: str = Field(
        description="Root of the API, https://host[:port]/v1; http:// for loopback or plain_http_hosts only."
    )
    api_key: KeySetting = Field(
        default=None,
        description="Credential; None sends none. Printable ASCII without spaces. In Python also a function, plain or "
        "async, that gives it anew for each task.",
    )
    model: Printable | None = Field(
        default=None,
        description="Model to ask for, whatever the task names. None: the task's model_ref, by model_aliases.",
    )
    model_aliases: dict[Printable, Printable] = Field(
        default={}, description="Upstream model by model_ref; a model_ref that is not listed loses a leading scheme://."
    )
    api: Api = Field(default="chat", description="Upstream API: chat, completions or responses.")
    dialect: str = Field(default="generic", description=f"Profile of the server: one of {', '.join(sorted(DIALECTS))}.")
    organization: Printable | None = Field(default=None, description="Sent as OpenAI-Organization.")
    project: Printable | None = Field(default=None, description="Sent as OpenAI-Project.")
    deployment: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")] | None = Field(
        default=None,
        description="Azure deployment: calls go to /deployments/NAME/... below base_url. Dialect azure needs "
        "api_version with it.",
    )
    api_version: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = Field(
        default=None, description="Azure API version, sent as the query parameter api-version."
    )
    ca_file: Path | None = Field(default=None, description="PEM file with further certificate authorities to trust.")
    client_cert_file: Path | None = Field(
        default=None,
        description="PEM file with the certificate, and its chain, that an upstream is shown when it asks.",
    )
    client_key_file: Path | None = Field(
        default=None, description="PEM file with the key of client_cert_file. None: the key is in client_cert_file."
    )
    client_key_password: Secret | None = Field(default=None, description="Password of that key, when it is encrypted.")
    http2: bool = Field(
        default=True, strict=True, description="Offer HTTP/2 in the TLS handshake; HTTP/1.1 where it is declined."
    )
    http2_ping_interval: Seconds | None = Field(
        default=20.0,
        description="Seconds of silence after which an HTTP/2 connection is asked for a sign of life. None: never.",
    )
    http2_ping_timeout: Seconds = Field(
        default=5.0, description="Seconds that the sign of life may take; then the HTTP/2 connection counts as dead."
    )
    http_engine: Literal["asyncio", "httpx"] = Field(
        default="asyncio",
        description="What moves the bytes: our engine (asyncio), or httpx's own transport (HTTP/1.1 only, no socks "
        "proxy, no rules for addresses, fewer guarantees).",
    )
    proxy: str | None = Field(
        default=None,
        description="Proxy: http://, https://, socks5:// or socks5h:// and host[:port]; socks needs http_engine "
        "asyncio. It resolves the upstream's name. None: direct, whatever the environment says.",
    )
    proxy_auth: Secret | None = Field(default=None, description="user:password for the proxy.")
    plain_http_hosts: tuple[str, ...] = Field(
        default=(), description="Hosts that may be called without TLS, beside loopback."
    )
    egress: tuple[str, ...] = Field(
        default=(), description="Hosts that may be called, host or host:port. Empty: the one of base_url only."
    )
    egress_networks: tuple[str, ...] = Field(
        default=(),
        description="Ranges such as 10.0.0.0/8 in which every address must lie that a name is resolved to. Empty: any "
        "but link-local and cloud metadata, and loopback for localhost only.",
    )
    egress_public_only: bool = Field(
        default=False,
        strict=True,
        description="Refuse every address that is not one of the public internet (loopback, private, shared, "
        "link-local and the like), whether a name leads to it or it is written itself; egress and egress_networks make "
        "no exception. Needs http_engine asyncio, and no proxy, which resolves names out of sight.",
    )
    retry: RetryPolicy | str | None = Field(
        default="billing_safe",
        description="Retry policy: its name, billing_safe or available, or a table of its fields. None, or the word "
        "none: one attempt. Below it stands what HTTP/2 sends again.",
    )
    circuit_breaker: CircuitBreakerSettings | None = Field(
        default=None,
        description="Table: when calls are refused because the upstream fails too often. None: no breaker.",
    )
    rate_limit: RateLimitSettings | None = Field(
        default=None, description="Table: how many calls and tokens may start. None: no limit but max_slots."
    )
    failover: FailoverSettings | None = Field(
        default=None, description="Table: equivalent endpoints that a call may go to instead. None: no failover."
    )
    compression: CompressionSettings | None = Field(
        default=None,
        description="Table: how request bodies are packed, for an upstream that takes it. None: they are not.",
    )
    connect_timeout: Seconds = Field(
        default=5.0,
        description="Seconds for name resolution, connecting, the proxy's tunnel and the TLS handshake together.",
    )
    pool_timeout: Seconds = Field(default=5.0, description="Seconds to wait for a free connection.")
    first_byte_timeout: Seconds = Field(
        default=30.0, description="Seconds from the start of an attempt to the answer's head."
    )
    idle_timeout: Seconds = Field(
        default=30.0, description="Seconds without any byte of the stream; pings count as bytes."
    )
    content_timeout: Seconds | None = Field(
        default=120.0, description="Seconds without content; pings and empty deltas do not count. None: no such bound."
    )
    health_timeout: Seconds = Field(
        default=5.0, description="Seconds that a health or version question may take in all."
    )
    health_path: Annotated[str, Field(pattern=r"^/[!-~]{0,256}$")] = Field(
        default="/models",
        description="What health() asks for: a path below base_url, which begins with /. It must cost nothing.",
    )
    ready_without_listing: bool = Field(
        default=True,
        strict=True,
        description="Whether an upstream that has no such path (404, 405, 501) counts as ready.",
    )
    max_slots: int = Field(
        default=64, strict=True, ge=1, le=65_536, description="Tasks that may run at once; one more is refused."
    )
    max_event_bytes: int = Field(
        default=1024 * 1024, strict=True, ge=1024, description="Largest event of a stream in bytes."
    )
    max_request_bytes: int = Field(
        default=64 * 1024 * 1024, strict=True, ge=1024, description="Largest request body in bytes."
    )
    log_request_bodies: bool = Field(
        default=False,
        strict=True,
        description="Write the body of each request to the logger http_util.bodies at level INFO: prompts, without "
        "credentials. Of one that is compressed, only the size.",
    )
    log_response_bodies: bool = Field(
        default=False, strict=True, description="The same for the body of each answer, when it is over."
    )
    max_body_log_length: int = Field(
        default=1000,
        strict=True,
        ge=1,
        le=MOST_CHARACTERS,
        description="Most characters of a body in a line; the rest is cut off.",
    )
    redaction_patterns: tuple[Pattern, ...] = Field(
        default=(),
        description="Regular expressions; what matches one is masked in logged bodies, beside what is masked anyway.",
    )
    engine_label: Printable = Field(default="openai", description="Value of the field engine in records.")
    engine_version: Printable | None = Field(
        default=None,
        description="The version that is expected. Another one fails strict tasks and warns of the others.",
    )
    model_digest: Printable | None = Field(
        default=None, description="Digest of the model, passed on in started and end."
    )
    metrics_events: bool = Field(
        default=False, strict=True, description="Whether a metrics event comes before the end."
    )

    @field_validator("dialect")
    @classmethod
    def _known_dialect(cls, name: str) -> str:
        if name not in DIALECTS:
            raise ValueError(f"expected one of {', '.join(sorted(DIALECTS))}")
        return name

    @field_validator("base_url")
    @classmethod
    def _is_the_root(cls, url: str) -> str:
        """An address with the path of one operation is copied from an example, and nothing is below it."""
        for path in _OPERATION_PATHS:
            if url.rstrip("/").endswith(path):
                raise ValueError(f"expected the root of the API, without {path} at its end")
        return url

    @field_validator("deployment")
    @classmethod
    def _azure_has_a_path(cls, deployment: str | None, info: ValidationInfo) -> str | None:
        """Azure's resource itself answers 404 to everything."""
        url = info.data.get("base_url")
        if info.data.get("dialect") != "azure" or url is None:
            return deployment
        path = urlsplit(url).path.rstrip("/")
        if deployment is None and path in ("", "/openai"):
            raise ValueError("is required with dialect 'azure', unless base_url ends in /openai/v1")
        if deployment is not None and not path:
            raise ValueError("needs a base_url that ends in /openai, below which Azure has its deployments")
        return deployment

    @field_validator("retry", mode="before")
    @classmethod
    def _policy_by_name(cls, retry: object) -> RetryPolicy | None:
        if retry is None or retry is False or retry == "none":
            return None
        if isinstance(retry, RetryPolicy):
            return retry
        if isinstance(retry, str) and retry in POLICIES:
            return POLICIES[retry]
        if isinstance(retry, Mapping):
            return _policy_of(retry)
        names = ", ".join(map(repr, sorted(POLICIES)))
        raise ValueError(f"must be one of {names}, 'none', or a policy's table; in Python also a RetryPolicy, or None")

    @field_validator("api_version")
    @classmethod
    def _azure_has_a_version(cls, version: str | None, info: ValidationInfo) -> str | None:
        """Azure's deployment paths answer 404 without one."""
        if version is None and info.data.get("dialect") == "azure" and info.data.get("deployment") is not None:
            raise ValueError("is required with dialect 'azure' and a deployment, such as '2024-10-21'")
        return version

    @field_validator("proxy_auth")
    @classmethod
    def _belongs_to_a_proxy(cls, credential: Secret | None, info: ValidationInfo) -> Secret | None:
        """A credential that nobody asks for is a mistake."""
        if credential is not None and info.data.get("proxy", ...) is None:
            raise ValueError("needs proxy; set it or leave proxy_auth out")
        return credential

    @field_validator(*_JUDGED_BESIDE)
    @classmethod
    def _judged_by_http(cls, value: Any, info: ValidationInfo) -> Any:
        """Let the HTTP settings judge what they share, here already: so all that is wrong is told at once."""
        name = str(info.field_name)
        beside = {one: info.data[one] for one in _JUDGED_BESIDE[name] if one in info.data}
        # what is wrong itself has been told, and rules that read it say nothing new
        if len(beside) == len(_JUDGED_BESIDE[name]):
            problem = _problem_of_http({**beside, name: value})
            if problem is not None:
                raise ValueError(problem)
        return value

    @field_validator("proxy")
    @classmethod
    def _proxy_fits_the_engine(cls, proxy: str | None, info: ValidationInfo) -> str | None:
        """httpx's transport speaks no socks here."""
        if info.data.get("http_engine") == "httpx" and proxy is not None and proxy.lower().startswith("socks"):
            raise ValueError("needs http_engine 'asyncio' with socks; with 'httpx' it must be http:// or https://")
        return proxy

    @field_validator("egress_networks", "egress_public_only")
    @classmethod
    def _address_rules_fit_the_engine(cls, rule: Any, info: ValidationInfo) -> Any:
        """httpx's transport resolves names by itself."""
        if info.data.get("http_engine") == "httpx" and rule:
            raise ValueError("needs http_engine 'asyncio'; httpx's transport does not ask before it connects")
        return rule

    @field_validator("failover")
    @classmethod
    def _endpoints_may_be_called(cls, failover: FailoverSettings | None, info: ValidationInfo) -> Any:
        """What the rules have against an endpoint is told now, and not on the day when it is needed."""
        names = ("plain_http_hosts", "egress_public_only")
        rules: dict[str, Any] = {name: info.data[name] for name in names if name in info.data}
        if failover is None or len(rules) < len(names):
            return failover
        for number, endpoint in enumerate(failover.endpoints):
            problem = _problem_of_http(rules | {"base_url": endpoint.base_url})
            if problem is not None:
                raise ValueError(f"endpoints.{number}: {problem}")
        return _without_itself(failover, info.data.get("base_url"))

    @model_validator(mode="after")
    def _checked_by_http(self) -> Self:
        """Let the HTTP settings check what they share once more, together; take over the normal form of the URL."""
        object.__setattr__(self, "base_url", self.http.base_url)
        return self

    @property
    def credential(self) -> ApiKey:
        """`api_key`, as it is kept."""
        return cast("ApiKey", self.api_key)

    @property
    def retry_policy(self) -> RetryPolicy | None:
        """`retry`, by its name or as given."""
        return cast("RetryPolicy | None", self.retry)

    @property
    def layers(self) -> Resilience:
        """
        What these settings put around every call, made anew.

        Spec: REL-01
        """
        return Resilience(
            retry=self.retry_policy,
            breaker=None if self.circuit_breaker is None else self.circuit_breaker.build(),
            limiter=None if self.rate_limit is None else self.rate_limit.build(),
            failover=None if self.failover is None else self.failover.build(AuthScheme(self.profile.auth)),
        )

    @property
    def profile(self) -> Dialect:
        """The dialect profile."""
        return DIALECTS[self.dialect]

    @property
    def http(self) -> HttpConfig:
        """The settings of the HTTP client under the adapter."""
        return HttpConfig(
            base_url=self.base_url,
            connect_timeout=self.connect_timeout,
            pool_timeout=self.pool_timeout,
            first_byte_timeout=self.first_byte_timeout,
            idle_timeout=self.idle_timeout,
            engine=self.http_engine,
            http2=self.http2,
            http2_ping_interval=self.http2_ping_interval,
            http2_ping_timeout=self.http2_ping_timeout,
            ca_file=self.ca_file,
            client_cert_file=self.client_cert_file,
            client_key_file=self.client_key_file,
            client_key_password=self.client_key_password,
            proxy=self.proxy,
            proxy_auth=self.proxy_auth,
            egress=self.egress,
            egress_networks=self.egress_networks,
            egress_public_only=self.egress_public_only,
            plain_http_hosts=self.plain_http_hosts,
            # every task has a slot before it has a connection; health and version questions come on top
            max_connections=min(65_536, self.max_slots + 8),
            # a slot that is free for a moment keeps its connection for the next task
            max_idle_connections=self.max_slots,
            max_event_bytes=self.max_event_bytes,
            max_body_bytes=self.max_request_bytes,
            log_request_bodies=self.log_request_bodies,
            log_response_bodies=self.log_response_bodies,
            max_body_log_length=self.max_body_log_length,
            redaction_patterns=self.redaction_patterns,
        )

    def check_files(self) -> None:
        """
        Make sure that the files of the settings can be used. Reads them; opens no connection.

        Raises:
            InvalidSettings: One line for each that cannot.

        Spec: ADP-14
        """
        problems = [
            problem
            for names in _FILES
            if (said := _problem_of_tls({name: getattr(self, name) for name in names})) is not None
            for problem in setting_problems(said, {}, type(self).model_json_schema())
        ]
        if problems:
            raise InvalidSettings(problems)

    @classmethod
    def with_files(cls, settings: Mapping[str, Any]) -> Self:
        """
        The settings, once the files that they name have been looked at too. Opens no connection.

        Raises:
            InvalidSettings: Everything that is wrong, of the files also what can be told beside other mistakes.

        Spec: ADP-14
        """
        try:
            config = cls.model_validate(dict(settings))
        except InvalidSettings as error:
            problems = [*error.problems, *cls._problems_of_files(settings, error)]
        else:
            config.check_files()
            return config
        # this frame may be shown in a traceback, and credentials may stand in the settings
        del settings
        raise InvalidSettings(problems)

    @classmethod
    def _problems_of_files(cls, settings: Mapping[str, Any], error: InvalidSettings) -> tuple[SettingProblem, ...]:
        """What is wrong with the files of *settings*, where the settings that name them are not wrong themselves."""
        told = {problem.path[0] for problem in error.problems if problem.path}
        judged = [name for names in _FILES if told.isdisjoint(names) for name in names if name in settings]
        try:
            cls.model_validate({"base_url": _ANY_BASE_URL, **{name: settings[name] for name in judged}}).check_files()
        except InvalidSettings as of_files:
            return of_files.problems
        return ()

    def policies(self) -> dict[str, Any]:
        """
        The policies in force, as plain values; of secrets whether they are there: `set`, or None.

        Spec: ADP-35
        """
        secrets = ("api_key", "client_key_password", "proxy_auth")
        files = ("ca_file", "client_cert_file", "client_key_file")
        tables = ("circuit_breaker", "rate_limit", "failover", "compression")
        shown = self.model_dump(mode="python", exclude={"retry", *secrets, *files, *tables})
        policy = self.retry_policy
        return {
            **shown,
            # no word for a missing one: under such a name every word is masked, and looks as if it were there
            **{name: None if getattr(self, name) is None else "set" for name in secrets},
            **{name: None if (path := getattr(self, name)) is None else str(path) for name in files},
            **{name: table.policies() for name in tables if (table := getattr(self, name)) is not None},
            "http2": self.http2 and self.http_engine == "asyncio" and self.base_url.startswith("https:"),
            "retry": None if policy is None else asdict(policy),
            "egress": [str(entry) for entry in self.egress] or [f"the host of {self.base_url}"],
            "tls": {"verify": True, "minimum": "1.2"},
            "redirects": False,
            "environment": "not read",
        }


def _policy_of(fields: Mapping[str, Any]) -> RetryPolicy:
    """Return the policy with these fields, as a dump of settings writes one."""
    statuses = fields.get("statuses")
    known = {field.name for field in dataclass_fields(RetryPolicy)}
    if unknown := sorted(fields.keys() - known):
        raise ValueError(f"has unknown fields {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    try:
        return RetryPolicy(**{**fields, "statuses": None if statuses is None else frozenset(statuses)})
    except TypeError:
        raise ValueError("must have fields of the kinds that a RetryPolicy has; its name is required") from None


def _without_itself(failover: FailoverSettings, base_url: str | None) -> FailoverSettings:
    """Return *failover*, which must not name the adapter's own address: a call would be put to it once more."""
    if base_url is not None and _problem_of_http({"base_url": base_url}) is None:
        own = HttpConfig(base_url=base_url).base_url
        place = failover.build(None).place_of(own)
        if place is not None:
            raise ValueError(f"endpoints.{place}: {own} is the adapter's own base_url; name other endpoints only")
    return failover


def _problem_of_http(settings: dict[str, Any]) -> str | None:
    """What `HttpConfig` has against *settings*, beginning with the name of one of them; None when nothing."""
    try:
        HttpConfig(**{"base_url": _ANY_BASE_URL, **settings})
    except InvalidSettings as error:
        return str(error.problems[0])
    return None


def _problem_of_tls(settings: dict[str, Any]) -> ValueError | None:
    """What is wrong with files that TLS needs; None when nothing is."""
    try:
        build_ssl_context(**settings)
    except ValueError as error:
        return error
    return None
