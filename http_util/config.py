"""
The settings of one client, checked when they are made. Nothing is read from the environment.

Spec: HTU-1001, HTU-01, HTU-EXP-1101, HTU-SEC-1401, HTU-17, SEC-10, SEC-11, SEC-12
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from http_util.egress import EgressPolicy
from http_util.secret import Secret
from http_util.urls import check_url, normal_host, origin_of

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
"""A duration in seconds, above zero and at most a day."""

_MIB = 1024 * 1024


class HttpConfig(BaseModel):
    """
    Where a client may call, how long it waits, and how much it takes. Immutable; unknown fields are refused.

    >>> HttpConfig(base_url="https://api.example.com/v1/").base_url
    'https://api.example.com/v1'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    base_url: str = Field(
        description="Root of every call, https://host[:port][/path]; http:// for loopback or plain_http_hosts only.",
    )
    connect_timeout: Seconds = Field(5.0, description="Seconds for name resolution, connecting and the TLS handshake.")
    pool_timeout: Seconds = Field(5.0, description="Seconds to wait for a free connection.")
    write_timeout: Seconds = Field(30.0, description="Seconds the upstream may take to accept a piece of the request.")
    first_byte_timeout: Seconds = Field(30.0, description="Seconds from the request to the head of the answer.")
    idle_timeout: Seconds = Field(30.0, description="Seconds without any byte of an answer that has begun.")
    http2: bool = Field(
        default=True, description="Offer HTTP/2 in the TLS handshake; HTTP/1.1 is used when it is declined."
    )
    ca_file: Path | None = Field(None, description="PEM file with further certificate authorities to trust.")
    proxy: str | None = Field(None, description="Proxy, http(s)://host:port; HTTP/1.1 only. None means direct.")
    proxy_auth: Secret | None = Field(None, description="user:password for the proxy.")
    no_proxy: tuple[str, ...] = Field((), description="Hosts called directly although a proxy is set.")
    egress: tuple[str, ...] = Field(
        (),
        description="Hosts that may be called, each host or host:port. Empty: only host and port of base_url.",
    )
    plain_http_hosts: tuple[str, ...] = Field((), description="Hosts that may be called without TLS, beside loopback.")
    max_connections: int = Field(100, ge=1, le=65_536, description="Requests in flight at once; more wait for a place.")
    max_idle_connections: int = Field(8, ge=0, le=65_536, description="Connections kept open while unused.")
    keepalive_expiry: Seconds = Field(90.0, description="Seconds after which an unused connection is closed.")
    tcp_keepalive: Seconds | None = Field(60.0, description="Seconds of silence before TCP probes.")
    max_body_bytes: int = Field(64 * _MIB, ge=1, description="Largest request body in bytes.")
    max_response_bytes: int = Field(64 * _MIB, ge=1, description="Largest answer in bytes that is not a stream.")
    max_header_bytes: int = Field(
        32 * 1024,
        ge=1024,
        description="Largest request headers in bytes. Of answers the engine takes 100 KiB (HTTP/2: 64 KiB).",
    )
    max_event_bytes: int = Field(_MIB, ge=1024, description="Largest event or line of a stream in bytes.")
    user_agent: str = Field("worker-adapters", pattern=r"^[!-~]{1,128}$", description="Value of the user-agent header.")
    insecure_skip_verify_for_tests_only: bool = Field(
        default=False,
        description="Accept any certificate. For tests against a local server, never for anything else.",
    )

    @field_validator("plain_http_hosts", "no_proxy")
    @classmethod
    def _normal_hosts(cls, hosts: tuple[str, ...], info: object) -> tuple[str, ...]:
        """Write hosts the way they are compared."""
        field = getattr(info, "field_name", "hosts")
        return tuple(normal_host(host, field=field) for host in hosts)

    @model_validator(mode="after")
    def _checked_urls(self) -> Self:
        """Check what needs more than one field, and write base_url in its normal form."""
        base_url = check_url(self.base_url, field="base_url", plain_http_hosts=self.plain_http_hosts)
        object.__setattr__(self, "base_url", base_url)
        if self.proxy is not None:
            origin_of(self.proxy, field="proxy")
        if self.proxy is None and (self.proxy_auth is not None or self.no_proxy):
            raise ValueError("proxy_auth and no_proxy need a proxy; set proxy or leave them out")
        if self.proxy_auth is not None and ":" not in self.proxy_auth.reveal():
            raise ValueError("proxy_auth must be user:password (value not shown)")
        if not self.egress_policy.allows(origin_of(base_url)):
            raise ValueError("egress must allow the host of base_url, or be left out")
        return self

    @property
    def egress_policy(self) -> EgressPolicy:
        """
        What may be called with these settings.

        Spec: SEC-11
        """
        if not self.egress:
            return EgressPolicy.for_origin(origin_of(self.base_url), plain_http_hosts=self.plain_http_hosts)
        return EgressPolicy.parse(self.egress, plain_http_hosts=self.plain_http_hosts)
