"""
The one HTTP room: clients, timeouts, retries, streams, redaction, egress. It knows bytes and statuses, not tokens.

Names load on first use, so that importing the package costs nothing and loads no HTTP library.

>>> from http_util import HttpConfig, RetryPolicy
>>> HttpConfig(base_url="http://127.0.0.1:8000/v1").egress_policy.describe()
['127.0.0.1:8000']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from http_util._async.byte_stream import AsyncByteStream
    from http_util._async.event_stream import AsyncEventStream
    from http_util._async.exchange import AsyncExchange
    from http_util._sync.byte_stream import ByteStream
    from http_util._sync.event_stream import EventStream
    from http_util._sync.exchange import Exchange
    from http_util.attempt_ledger import AttemptLedger
    from http_util.body_log import BodyLog
    from http_util.breaker import Breaker, BreakerPolicy, Breakers
    from http_util.call import HttpCall, HttpReply, ReplyHead, Timeouts
    from http_util.classify import classify_status, reason_for_status
    from http_util.client import build_async_client, build_async_transport, build_client, build_transport
    from http_util.clock import Clock, SyncClock, SystemClock, SystemSyncClock
    from http_util.compression import RequestCompression
    from http_util.config import HttpConfig
    from http_util.deadline import Deadline
    from http_util.decompress import Decompressor
    from http_util.egress import EgressPolicy
    from http_util.errors import (
        DeadlineExceeded,
        HttpFailure,
        Interrupted,
        PolicyFailure,
        ProtocolFailure,
        StatusFailure,
        TimeoutFailure,
        TransportFailure,
    )
    from http_util.failover import Endpoint, Failover
    from http_util.health_check import Health, HealthChanged, HealthPolicy
    from http_util.log import RedactSecrets
    from http_util.ndjson import NdjsonDecoder
    from http_util.rate_limit import RateLimits
    from http_util.rate_limiter import RateLimiter
    from http_util.redact import redact_headers, redact_text, redact_url, safe_message
    from http_util.resilience import Layer, Resilience
    from http_util.retry import AVAILABLE, BILLING_SAFE, GiveUp, Retry, RetryPolicy, named_policy
    from http_util.retry_budget import RetryBudget
    from http_util.secret import Secret, bearer_headers
    from http_util.secret_audit import SecretAudit, SecretReading
    from http_util.settings_errors import InvalidSettings
    from http_util.sse import ServerSentEvent, SseDecoder, SseTail
    from http_util.streamed_body import StreamedBody
    from http_util.telemetry import ABORT, AttemptRecord, ExhaustedRecord, Hooks, RetryRecord
    from http_util.watch import AsyncWatch, Watch

_ROOMS = {
    "_async.byte_stream": ("AsyncByteStream",),
    "_async.event_stream": ("AsyncEventStream",),
    "_async.exchange": ("AsyncExchange",),
    "_sync.byte_stream": ("ByteStream",),
    "_sync.event_stream": ("EventStream",),
    "_sync.exchange": ("Exchange",),
    "compression": ("RequestCompression",),
    "health_check": ("Health", "HealthChanged", "HealthPolicy"),
    "attempt_ledger": ("AttemptLedger",),
    "body_log": ("BodyLog",),
    "breaker": ("Breaker", "BreakerPolicy", "Breakers"),
    "call": ("HttpCall", "HttpReply", "ReplyHead", "Timeouts"),
    "classify": ("classify_status", "reason_for_status"),
    "client": ("build_async_client", "build_async_transport", "build_client", "build_transport"),
    "clock": ("Clock", "SyncClock", "SystemClock", "SystemSyncClock"),
    "config": ("HttpConfig",),
    "deadline": ("Deadline",),
    "decompress": ("Decompressor",),
    "egress": ("EgressPolicy",),
    "errors": (
        "DeadlineExceeded",
        "HttpFailure",
        "Interrupted",
        "PolicyFailure",
        "ProtocolFailure",
        "StatusFailure",
        "TimeoutFailure",
        "TransportFailure",
    ),
    "failover": ("Endpoint", "Failover"),
    "log": ("RedactSecrets",),
    "ndjson": ("NdjsonDecoder",),
    "rate_limit": ("RateLimits",),
    "rate_limiter": ("RateLimiter",),
    "redact": ("redact_headers", "redact_text", "redact_url", "safe_message"),
    "resilience": ("Layer", "Resilience"),
    "retry": ("AVAILABLE", "BILLING_SAFE", "GiveUp", "Retry", "RetryPolicy", "named_policy"),
    "retry_budget": ("RetryBudget",),
    "secret": ("Secret", "bearer_headers"),
    "secret_audit": ("SecretAudit", "SecretReading"),
    "settings_errors": ("InvalidSettings",),
    "sse": ("ServerSentEvent", "SseDecoder", "SseTail"),
    "streamed_body": ("StreamedBody",),
    "telemetry": ("ABORT", "AttemptRecord", "ExhaustedRecord", "Hooks", "RetryRecord"),
    "watch": ("AsyncWatch", "Watch"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "ABORT",
    "AVAILABLE",
    "BILLING_SAFE",
    "AsyncByteStream",
    "AsyncEventStream",
    "AsyncExchange",
    "AsyncWatch",
    "AttemptLedger",
    "AttemptRecord",
    "BodyLog",
    "Breaker",
    "BreakerPolicy",
    "Breakers",
    "ByteStream",
    "Clock",
    "Deadline",
    "DeadlineExceeded",
    "Decompressor",
    "EgressPolicy",
    "Endpoint",
    "EventStream",
    "Exchange",
    "ExhaustedRecord",
    "Failover",
    "GiveUp",
    "Health",
    "HealthChanged",
    "HealthPolicy",
    "Hooks",
    "HttpCall",
    "HttpConfig",
    "HttpFailure",
    "HttpReply",
    "Interrupted",
    "InvalidSettings",
    "Layer",
    "NdjsonDecoder",
    "PolicyFailure",
    "ProtocolFailure",
    "RateLimiter",
    "RateLimits",
    "RedactSecrets",
    "ReplyHead",
    "RequestCompression",
    "Resilience",
    "Retry",
    "RetryBudget",
    "RetryPolicy",
    "RetryRecord",
    "Secret",
    "SecretAudit",
    "SecretReading",
    "ServerSentEvent",
    "SseDecoder",
    "SseTail",
    "StatusFailure",
    "StreamedBody",
    "SyncClock",
    "SystemClock",
    "SystemSyncClock",
    "TimeoutFailure",
    "Timeouts",
    "TransportFailure",
    "Watch",
    "bearer_headers",
    "build_async_client",
    "build_async_transport",
    "build_client",
    "build_transport",
    "classify_status",
    "named_policy",
    "reason_for_status",
    "redact_headers",
    "redact_text",
    "redact_url",
    "safe_message",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its room, once."""
    room = _HOME.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
