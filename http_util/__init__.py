"""
The one HTTP room: clients, timeouts, retries, streams, redaction, egress. It knows bytes and statuses, not tokens.

Names load on first use, so that importing the package costs nothing and loads no HTTP library.

>>> from http_util import HttpConfig, RetryPolicy
>>> HttpConfig(base_url="http://127.0.0.1:8000/v1").egress_policy.describe()
['127.0.0.1:8000']
"""

from __future__ import annotations

from http_util.lazy_names import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "_async.byte_stream": ("AsyncByteStream",),
        "_async.event_stream": ("AsyncEventStream",),
        "_async.exchange": ("AsyncExchange",),
        "_sync.byte_stream": ("ByteStream",),
        "_sync.event_stream": ("EventStream",),
        "_sync.exchange": ("Exchange",),
        "attempt_ledger": ("AttemptLedger",),
        "body_log": ("BodyLog",),
        "breaker": ("Breaker", "BreakerPolicy", "Breakers"),
        "call": ("HttpCall", "HttpReply", "ReplyHead", "Timeouts"),
        "classify": ("classify_status", "reason_for_status"),
        "client": ("build_async_client", "build_async_transport", "build_client", "build_transport"),
        "clock": ("Clock", "SyncClock", "SystemClock", "SystemSyncClock"),
        "compression": ("RequestCompression",),
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
        "health_check": ("Health", "HealthChanged", "HealthPolicy"),
        "log": ("RedactSecrets",),
        "ndjson": ("NdjsonDecoder",),
        "rate_limit": ("RateLimits",),
        "rate_limiter": ("RateLimiter",),
        "redact": ("redact_headers", "redact_text", "redact_url", "safe_identifier", "safe_message"),
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
    },
)
