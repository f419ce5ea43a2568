"""
The layers around an adapter's calls, as settings: what a file can say of breaker, limiter and failover.

Each is a table of its own, absent until somebody writes it; the objects that it describes are made with the adapter.

Spec: REL-01, CB-01, RL-01, FO-01
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import ConfigDict, Field, model_validator

from http_util.settings_model import SettingsModel
from worker_adapters.openai_http.key_setting import KeySetting

if TYPE_CHECKING:
    from http_util.breaker import Breakers
    from http_util.failover import Failover
    from http_util.rate_limiter import RateLimiter
    from openai_client.auth import ApiKey, AuthScheme

Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Seconds = Annotated[float, Field(strict=True, gt=0, le=86_400, allow_inf_nan=False)]


class SettingsTable(SettingsModel):
    """A table of settings: immutable, unknown keys are refused, errors never show a value."""

    model_config = ConfigDict(validate_default=True, arbitrary_types_allowed=True)

    def policies(self) -> dict[str, Any]:
        """What is set, for people and logs; a key only as there or not."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"endpoints"})


class CircuitBreakerSettings(SettingsTable):
    """When calls are refused because the upstream fails too often."""

    failure_threshold: Count = Field(default=5, description="Failures inside the window that open the breaker.")
    failure_rate: Annotated[float, Field(strict=True, gt=0, le=1)] | None = Field(
        default=None,
        description="Share of the calls inside the window, such as 0.5, that must have failed as well before it opens. "
        "None: the number of failures decides.",
    )
    minimum_calls: Count = Field(
        default=10, description="Calls inside the window without which failure_rate says nothing."
    )
    success_threshold: Count = Field(default=3, description="Successful probes in a row that close it.")
    failure_window: Seconds = Field(default=60.0, description="Seconds for which a call counts.")
    recovery_timeout: Seconds = Field(default=30.0, description="Seconds from opening to the first probe.")
    max_probes: Count = Field(default=1, description="Probes in flight at once.")
    per_endpoint: bool = Field(default=False, strict=True, description="One circuit for each endpoint of the list.")

    def build(self) -> Breakers:
        """The circuits."""
        from http_util.breaker import BreakerPolicy, Breakers

        return Breakers(BreakerPolicy(**self.model_dump()))


class RateLimitSettings(SettingsTable):
    """How many calls and tokens may start, and what becomes of those that may not."""

    requests_per_second: Annotated[float, Field(strict=True, gt=0, le=1_000_000)] | None = Field(
        default=None, description="Starts per second, with burst_size."
    )
    burst_size: Count | None = Field(default=None, description="Starts at once. None: a second's worth.")
    requests_per_minute: Count | None = Field(default=None, description="Starts in any minute.")
    tokens_per_minute: Count | None = Field(
        default=None, description="Tokens in any minute, estimated first, corrected later."
    )
    requests_per_day: Count | None = Field(default=None, description="Starts in any 24 hours.")
    tokens_per_day: Count | None = Field(default=None, description="Tokens in any 24 hours.")
    queue_requests: bool = Field(
        default=False, strict=True, description="Wait for a turn, instead of being refused, within the deadline."
    )
    max_queue_size: Count = Field(default=100, description="Calls that may wait.")
    auto_adjust: bool = Field(default=False, strict=True, description="Follow the limits in the upstream's headers.")

    @model_validator(mode="after")
    def _limits_something(self) -> RateLimitSettings:
        """Refuse a table that limits nothing, and let the limits judge themselves."""
        if not self.auto_adjust and all(limit is None for limit in self._limits().values()):
            raise ValueError("rate_limit must set at least one limit, or auto_adjust")
        self.build()
        return self

    def _limits(self) -> dict[str, Any]:
        return self.model_dump(exclude={"queue_requests", "max_queue_size", "auto_adjust"})

    def build(self) -> RateLimiter:
        """The limiter."""
        from http_util.rate_limit import RateLimits
        from http_util.rate_limiter import RateLimiter

        return RateLimiter(
            RateLimits(**self._limits()),
            queue_requests=self.queue_requests,
            max_queue_size=self.max_queue_size,
            auto_adjust=self.auto_adjust,
        )


class EndpointSettings(SettingsTable):
    """One equivalent endpoint: the same API and the same models."""

    base_url: str = Field(description="Root of its API, as the adapter's own base_url.")
    api_key: KeySetting = Field(
        default=None, description="Its credential, in all the ways of the adapter's own; None sends none."
    )


class FailoverSettings(SettingsTable):
    """Where else a call may go."""

    endpoints: tuple[EndpointSettings, ...] = Field(
        min_length=1, description="The other endpoints, in the order in which they are asked."
    )
    max_hops: Count | None = Field(
        default=None, description="Most other endpoints that one attempt goes to. None: all."
    )
    cooldown: Seconds = Field(default=30.0, description="Seconds for which an endpoint that failed is asked last.")
    after_unknown: bool = Field(
        default=False,
        strict=True,
        description="Go on after a 5xx too, though the upstream may have processed, and billed, the call.",
    )

    @model_validator(mode="after")
    def _urls_are_some(self) -> FailoverSettings:
        """Let the list judge itself."""
        self.build(None)
        return self

    def build(self, scheme: AuthScheme | None) -> Failover:
        """The list, with each endpoint's credential in the header of *scheme*."""
        from http_util.failover import Endpoint, Failover
        from openai_client.auth import Auth, AuthScheme

        def auth(key: ApiKey) -> Auth | None:
            return None if key is None else Auth(api_key=key, scheme=scheme or AuthScheme.BEARER)

        return Failover(
            [Endpoint(base_url=one.base_url, auth=auth(cast("ApiKey", one.api_key))) for one in self.endpoints],
            max_hops=self.max_hops,
            cooldown=self.cooldown,
            after_unknown=self.after_unknown,
        )

    def policies(self) -> dict[str, Any]:
        """The list and its settings; a key only as there or not."""
        told = [
            {"base_url": endpoint.base_url, "api_key": None if endpoint.api_key is None else "set"}
            for endpoint in self.endpoints
        ]
        return {"endpoints": told, **super().policies()}
