"""
What an adapter is built of, as its settings say. Opens nothing.

Spec: OC-ADAPT-OAI-6000, ADP-35, REL-01
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from http_util import AsyncExchange, RetryBudget, Timeouts
from openai_client.auth import Auth, AuthScheme
from worker_adapters.openai_http.request_body import PATHS
from worker_adapters.openai_http.service_call import StreamPolicy

if TYPE_CHECKING:
    from random import Random

    import httpx

    from http_util import Clock
    from http_util.resilience import Resilience
    from http_util.secret_audit import SecretAudit
    from worker_adapters.openai_http.config import OpenAIHttpConfig


def completed(given: Resilience, config: OpenAIHttpConfig) -> Resilience:
    """Return *given* with what the settings say, and a budget of the adapter's own, where it has none."""
    own = config.layers
    return replace(
        given,
        retry=given.retry or own.retry,
        budget=given.budget or RetryBudget(),
        failover=given.failover or own.failover,
        breaker=given.breaker or own.breaker,
        limiter=given.limiter or own.limiter,
    )


def exchange_of(
    config: OpenAIHttpConfig, transport: httpx.AsyncBaseTransport, clock: Clock, rng: Random, resilience: Resilience
) -> AsyncExchange:
    """Return what makes the calls."""
    return AsyncExchange(
        transport,
        clock=clock,
        rng=rng,
        max_response_bytes=config.http.max_response_bytes,
        max_event_bytes=config.max_event_bytes,
        resilience=resilience,
    )


def timeouts_of(config: OpenAIHttpConfig) -> Timeouts:
    """Return the timers of one attempt."""
    return Timeouts(
        connect=config.connect_timeout,
        pool=config.pool_timeout,
        first_byte=config.first_byte_timeout,
        idle=config.idle_timeout,
    )


def auth_of(config: OpenAIHttpConfig, audit: SecretAudit | None) -> Auth:
    """Return what lets a call in; *audit* records every reading of the key."""
    return Auth(
        api_key=config.credential,
        scheme=AuthScheme(config.profile.auth),
        organization=config.organization,
        project=config.project,
        audit=audit,
    )


def policy_of(config: OpenAIHttpConfig, timeouts: Timeouts, resilience: Resilience) -> StreamPolicy:
    """Return the rules of every stream."""
    return StreamPolicy(
        timeouts=timeouts,
        content_timeout=config.content_timeout,
        retry=resilience.retry,
        metrics_events=config.metrics_events,
    )


def operation_url(config: OpenAIHttpConfig) -> str:
    """Return where tasks are sent."""
    deployment = f"/deployments/{config.deployment}" if config.deployment is not None else ""
    query = f"?api-version={config.api_version}" if config.api_version is not None else ""
    return f"{config.base_url}{deployment}{PATHS[config.api]}{query}"
