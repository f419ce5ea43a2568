"""
The settings of one client, checked when they are made. Nothing is read from the environment.

Spec: HTU-1001, HTU-01, HTU-EXP-1101, HTU-SEC-1401, HTU-17, SEC-10, SEC-11, SEC-12, SEC-14
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from http_util.body_log import MOST_CHARACTERS, BodyLog, pattern_problem
from http_util.egress import EgressPolicy
from http_util.secret import Secret
from http_util.settings_model import SettingsModel
from http_util.urls import check_url, normal_host, normal_pattern, origin_of, parse_networks, proxy_origin

if TYPE_CHECKING:
    from collections.abc import Iterable

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
"""A duration in seconds, above zero and at most a day."""


def _is_pattern(text: str) -> str:
    if (problem := pattern_problem(text)) is not None:
        raise ValueError(problem)
    return text


Pattern = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_is_pattern)]
"""A regular expression, as it is written."""

_MIB = 1024 * 1024

# RFC 1929: a length of one byte stands before each
_LONGEST_SOCKS_CREDENTIAL = 255


class HttpConfig(SettingsModel):
    """
    Where a client may call, how long it waits, and how much it takes. Immutable; unknown fields are refused.

    Raises:
        InvalidSettings: A `ValueError` with one line for each setting that is wrong, and none of their values.

    >>> HttpConfig(base_url="https://api.example.com/v1/").base_url
    'https://api.example.com/v1'
    """

    model_config = ConfigDict(validate_default=True)

    base_url: str = Field(
        description="Root of every call, https://host[:port][/path]; http:// for loopback or plain_http_hosts only.",
    )
    engine: Literal["asyncio", "httpx"] = Field(
        default="asyncio",
        description="What moves the bytes: this package's engine, or httpx's own transport (HTTP/1.1 only, without the "
        "engine's guarantees).",
    )
    connect_timeout: Seconds = Field(
        default=5.0,
        description="Seconds for name resolution, connecting, the proxy's tunnel and the TLS handshake together.",
    )
    pool_timeout: Seconds = Field(default=5.0, description="Seconds to wait for a free connection.")
    write_timeout: Seconds = Field(
        default=30.0, description="Seconds the upstream may take to accept a piece of the request."
    )
    first_byte_timeout: Seconds = Field(default=30.0, description="Seconds from the request to the head of the answer.")
    idle_timeout: Seconds = Field(default=30.0, description="Seconds without any byte of an answer that has begun.")
    http2: bool = Field(
        default=True, description="Offer HTTP/2 in the TLS handshake; HTTP/1.1 is used when it is declined."
    )
    http2_ping_interval: Seconds | None = Field(
        default=20.0,
        description="Seconds of silence, idle or in the middle of an answer, after which an HTTP/2 connection is asked "
        "for a sign of life. None: never.",
    )
    http2_ping_timeout: Seconds = Field(
        default=5.0, description="Seconds that the sign of life may take; then the HTTP/2 connection counts as dead."
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
    proxy: str | None = Field(
        default=None,
        description="Proxy: http://, https:// (TLS to the proxy), socks5:// or socks5h:// and host[:port]. It resolves "
        "the names of the hosts that are called, with either socks scheme too. None: direct.",
    )
    proxy_auth: Secret | None = Field(default=None, description="user:password for the proxy.")
    no_proxy: tuple[str, ...] = Field(
        default=(),
        description="Hosts called directly although a proxy is set: each a host, .suffix for all names below it, or a "
        "range such as 10.0.0.0/8 for hosts written as addresses.",
    )
    egress: tuple[str, ...] = Field(
        default=(),
        description="Hosts that may be called, each host or host:port. Empty: only host and port of base_url.",
    )
    egress_networks: tuple[str, ...] = Field(
        default=(),
        description="Ranges such as 10.0.0.0/8 in which every address must lie that a name is resolved to, the proxy's "
        "included; one address outside refuses the call. Empty: no loopback address for names other than localhost. "
        "Link-local and cloud metadata addresses are refused either way, unless egress names the address itself.",
    )
    egress_public_only: bool = Field(
        default=False,
        description="Refuse every address that is not one of the public internet (loopback, private, shared, "
        "link-local and the like), whether a name leads to it or it is written itself; egress and egress_networks make "
        "no exception. Needs engine asyncio, and no proxy, which resolves names out of sight.",
    )
    plain_http_hosts: tuple[str, ...] = Field(
        default=(), description="Hosts that may be called without TLS, beside loopback."
    )
    max_connections: int = Field(
        default=100,
        ge=1,
        le=65_536,
        description="Connections open at once; more calls wait for a place. An HTTP/2 connection carries as many calls "
        "as the upstream allows.",
    )
    max_idle_connections: int = Field(default=8, ge=0, le=65_536, description="Connections kept open while unused.")
    keepalive_expiry: Seconds = Field(default=90.0, description="Seconds after which an unused connection is closed.")
    tcp_keepalive: Seconds | None = Field(default=60.0, description="Seconds of silence before TCP probes.")
    max_body_bytes: int = Field(
        default=64 * _MIB,
        ge=1,
        description="Largest request body in bytes that is held whole; a form with files is not.",
    )
    max_response_bytes: int = Field(
        default=48 * _MIB, ge=1, description="Largest answer in bytes that is not a stream."
    )
    max_header_bytes: int = Field(
        default=32 * 1024,
        ge=1024,
        description="Largest request headers in bytes. Of answers the engine takes 64 KiB either way.",
    )
    max_event_bytes: int = Field(default=_MIB, ge=1024, description="Largest event or line of a stream in bytes.")
    user_agent: str = Field(
        default="worker-adapters", pattern=r"^[!-~]{1,128}$", description="Value of the user-agent header."
    )
    log_request_bodies: bool = Field(
        default=False,
        description="Write the body of each request to the logger http_util.bodies at level INFO: prompts, without "
        "credentials. Of one that is compressed, only the size.",
    )
    log_response_bodies: bool = Field(
        default=False, description="The same for the body of each answer, when it is over."
    )
    max_body_log_length: int = Field(
        default=1000, ge=1, le=MOST_CHARACTERS, description="Most characters of a body in a line; the rest is cut off."
    )
    redaction_patterns: tuple[Pattern, ...] = Field(
        default=(),
        description="Regular expressions; what matches one is masked in logged bodies, beside what is masked anyway.",
    )
    insecure_skip_verify_for_tests_only: bool = Field(
        default=False,
        description="Accept any certificate. For tests against a local server, never for anything else.",
    )

    @field_validator("plain_http_hosts")
    @classmethod
    def _normal_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        """Write hosts the way they are compared."""
        return tuple(normal_host(host, field="plain_http_hosts") for host in hosts)

    @field_validator("no_proxy")
    @classmethod
    def _normal_patterns(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        """Write hosts, suffixes and ranges the way they are compared."""
        return tuple(normal_pattern(entry, field="no_proxy") for entry in entries)

    @field_validator("egress_networks")
    @classmethod
    def _normal_networks(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        """Write ranges of addresses with the length of their prefix."""
        return tuple(str(network) for network in parse_networks(entries, field="egress_networks"))

    @model_validator(mode="after")
    def _checked_urls(self) -> Self:
        """Check what needs more than one field, and write base_url in its normal form."""
        base_url = check_url(self.base_url, field="base_url", plain_http_hosts=self.plain_http_hosts)
        object.__setattr__(self, "base_url", base_url)
        self._check_proxy()
        if self.client_cert_file is None and (self.client_key_file is not None or self.client_key_password is not None):
            raise ValueError("client_key_file and client_key_password need client_cert_file; set it or leave them out")
        self._check_addresses()
        if not self.egress_policy.allows(origin_of(base_url)):
            raise ValueError("egress must allow the host of base_url, or be left out")
        return self

    def _check_addresses(self) -> None:
        """Check that the rules for addresses can be kept."""
        for rule in ("egress_networks", "egress_public_only"):
            if self.engine == "httpx" and getattr(self, rule):
                raise ValueError(f"{rule} needs engine 'asyncio'; httpx's transport does not ask before it connects")
        if self.egress_public_only and self.proxy is not None:
            raise ValueError("egress_public_only and a proxy exclude each other: it resolves names out of sight")
        policy = self.egress_policy
        for host, _ in sorted(policy.allowed, key=str):
            if policy.host_problem(host) is not None:
                raise ValueError(f"egress_public_only forbids {host}: name a public host, or leave the rule out")

    def _check_proxy(self) -> None:
        """Check what belongs to the proxy."""
        if self.proxy is None:
            if self.proxy_auth is not None or self.no_proxy:
                raise ValueError("proxy_auth and no_proxy need a proxy; set proxy or leave them out")
            return
        is_socks = proxy_origin(self.proxy).scheme.startswith("socks")
        if self.engine == "httpx" and (is_socks or self.no_proxy):
            raise ValueError("proxy must be http:// or https://, and no_proxy empty, with engine 'httpx'")
        if self.proxy_auth is None:
            return
        lengths = _credential_lengths(self.proxy_auth)
        if lengths is None:
            raise ValueError("proxy_auth must be user:password (value not shown)")
        if is_socks and not all(0 < length <= _LONGEST_SOCKS_CREDENTIAL for length in lengths):
            raise ValueError(
                "proxy_auth must have a user and a password of 1 to 255 characters each for a SOCKS proxy "
                "(value not shown)"
            )

    @property
    def body_log(self) -> BodyLog:
        """
        Which bodies are logged with these settings.

        Spec: SEC-14
        """
        return BodyLog(
            log_request_bodies=self.log_request_bodies,
            log_response_bodies=self.log_response_bodies,
            max_body_log_length=self.max_body_log_length,
            redaction_patterns=self.redaction_patterns,
        )

    @property
    def egress_policy(self) -> EgressPolicy:
        """
        What may be called with these settings.

        Spec: SEC-11
        """
        hosts, networks, public_only = self.plain_http_hosts, self.egress_networks, self.egress_public_only
        if not self.egress:
            origin = origin_of(self.base_url)
            return EgressPolicy.for_origin(origin, plain_http_hosts=hosts, networks=networks, public_only=public_only)
        return EgressPolicy.parse(self.egress, plain_http_hosts=hosts, networks=networks, public_only=public_only)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The proxy's credentials, whole and the password alone: a proxy may repeat them."""
        if self.proxy_auth is None:
            return ()
        password = self.proxy_auth.reveal().partition(":")[2]
        return (self.proxy_auth, Secret(password)) if password else (self.proxy_auth,)

    def reaching(self, base_urls: Iterable[str]) -> Self:
        """Return these settings with the hosts of *base_urls* in the egress policy too, each with its port."""
        own = self.egress or [_host_and_port(self.base_url)]
        return self.model_copy(update={"egress": (*own, *map(_host_and_port, base_urls))})


def _host_and_port(url: str) -> str:
    """Return the entry of an egress policy that lets *url* be called."""
    origin = origin_of(url)
    return f"[{origin.host}]:{origin.port}" if ":" in origin.host else f"{origin.host}:{origin.port}"


def _credential_lengths(credential: Secret) -> tuple[int, int] | None:
    """Return the lengths of user and password, None when no colon parts them; the frame that reports holds neither."""
    user, colon, password = credential.reveal().partition(":")
    return (len(user), len(password)) if colon else None
