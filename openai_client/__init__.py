"""
The OpenAI API as typed operations, for blocking code and for event loops, and for every server that speaks it.

Example:
    >>> from openai_client import Client
    >>> client = Client(base_url="http://localhost:8000/v1", api_key=None)
    >>> client.config.retry is None, client.config.timeout
    (True, 60.0)
    >>> client.close()

Importing this package loads nothing: every name below loads its own module when it is first used, every family of the
API when it is first called, and the HTTP library with the first request.

Spec: CLI-01, CLI-02
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from openai_client.answer_cache import (
        AsyncCacheStore,
        CacheStore,
    )
    from openai_client.auth import (
        Auth,
        AuthScheme,
    )
    from openai_client.batching import (
        AsyncBatchingClient,
        BatchingClient,
    )
    from openai_client.binary_content import (
        BinaryContent,
    )
    from openai_client.caching import (
        AsyncCachingClient,
        CachingClient,
    )
    from openai_client.call_middleware import (
        AsyncMiddlewareTransport,
        MiddlewareTransport,
    )
    from openai_client.client import (
        AsyncClient,
        Client,
    )
    from openai_client.config import (
        ApiVersionConfig,
        ClientConfig,
        ClientSettings,
    )
    from openai_client.deprecation import (
        Deprecations,
    )
    from openai_client.downloads import (
        AsyncDownload,
        Download,
    )
    from openai_client.embedding_arrays import (
        vectors,
    )
    from openai_client.embedding_batch import (
        BatchPolicy,
    )
    from openai_client.embedding_many import (
        FailedInputs,
        ManyEmbeddings,
        embed_many,
    )
    from openai_client.endpoints import (
        azure,
    )
    from openai_client.environment import (
        OFFICIAL_BASE_URL,
        OFFICIAL_REALTIME_URL,
        Environment,
    )
    from openai_client.error_mapping import (
        from_failure,
        from_stream_error,
        refine,
        refiner,
    )
    from openai_client.errors import (
        AlreadyExists,
        AuthenticationError,
        BadGateway,
        ConfigurationError,
        ConnectionFailed,
        ContentFiltered,
        ContentPolicyError,
        Deleted,
        DeserializationError,
        DnsResolutionFailed,
        ErrorCategory,
        ErrorSource,
        ExpiredApiKey,
        InsufficientPermissions,
        InternalServerError,
        InvalidApiKey,
        InvalidBaseUrl,
        InvalidConfiguration,
        InvalidContentType,
        InvalidFieldValue,
        InvalidState,
        MalformedRequest,
        MissingApiKey,
        MissingRequiredField,
        NetworkError,
        NotFound,
        OpenAIError,
        Overloaded,
        QuotaExceeded,
        RateLimitError,
        RefusedByModel,
        RequestError,
        ResourceError,
        ResponseError,
        SafetyViolation,
        SerializationError,
        ServerError,
        ServiceUnavailable,
        SslError,
        StreamInterrupted,
        Timeout,
        TokenLimitExceeded,
        TooManyRequests,
        TooManyTokens,
        UnexpectedResponse,
        ValidationError,
    )
    from openai_client.file_input import (
        UploadFile,
    )
    from openai_client.health import (
        AsyncHealthCheck,
        HealthCheck,
    )
    from openai_client.health_results import (
        CheckResult,
    )
    from openai_client.large_files import (
        upload_large_file,
        upload_large_file_async,
    )
    from openai_client.memory_store import (
        MemoryStore,
    )
    from openai_client.metadata import (
        Answer,
        RateLimits,
        ResponseMetadata,
        metadata_of,
    )
    from openai_client.operation import (
        CallOptions,
        Operation,
        PageOperation,
        StreamOperation,
    )
    from openai_client.pagination import (
        AsyncPage,
        Page,
    )
    from openai_client.plans.walking import (
        wait_for,
        wait_for_async,
    )
    from openai_client.polling.lifecycle import (
        WorkFailed,
        WorkUnfinished,
    )
    from openai_client.polling.plan import (
        Pace,
        Progress,
    )
    from openai_client.raw import (
        raw_operation,
        raw_stream_operation,
    )
    from openai_client.realtime.opening import (
        SessionLimits,
    )
    from openai_client.refusal import (
        require_answer,
    )
    from openai_client.secret_loading import (
        LoadedSecret,
        checked_key,
        key_from_env,
        key_from_file,
        key_from_workspace,
        load_with_fallbacks,
        unchecked_key,
    )
    from openai_client.single_flight import (
        AsyncSingleFlightClient,
        SingleFlightClient,
    )
    from openai_client.streaming import (
        Accumulator,
        BetaResponseAccumulator,
        ChatAccumulator,
        CompletionAccumulator,
        ImageAccumulator,
        ResponseAccumulator,
        RunAccumulator,
        RunTranscript,
        SpeechAccumulator,
        TranscriptionAccumulator,
    )
    from openai_client.streams import (
        AsyncStream,
        Stream,
    )
    from openai_client.structured.arguments import (
        parsed_arguments,
    )
    from openai_client.structured.chat import (
        ParsedChatAccumulator,
        ParsedChatCompletion,
        ParsedChoice,
        ParsedMessage,
        parsed_chat,
    )
    from openai_client.structured.formats import (
        pydantic_function_tool,
        response_format_of,
        response_function_tool,
        text_format_of,
    )
    from openai_client.structured.json_schema import (
        json_schema_of,
    )
    from openai_client.structured.operations import (
        parse_chat_completion,
        parse_response,
    )
    from openai_client.structured.outcomes import (
        CalledTools,
        CutOff,
        Filtered,
        Parsed,
        Refused,
        Unreadable,
    )
    from openai_client.structured.responses import (
        ParsedResponse,
        ParsedResponseAccumulator,
        parsed_response,
    )
    from openai_client.transport import (
        AsyncHttpTransport,
        AsyncTransport,
        HttpTransport,
        Transport,
    )
    from openai_client.vision import (
        data_url,
        image_part,
        input_image,
    )
    from openai_client.webhook_signature import (
        InvalidWebhookSignature,
    )

_HOME_OF: Final = {
    "AsyncCacheStore": "answer_cache",
    "CacheStore": "answer_cache",
    "Auth": "auth",
    "AuthScheme": "auth",
    "AsyncBatchingClient": "batching",
    "BatchingClient": "batching",
    "BinaryContent": "binary_content",
    "AsyncCachingClient": "caching",
    "CachingClient": "caching",
    "AsyncMiddlewareTransport": "call_middleware",
    "MiddlewareTransport": "call_middleware",
    "AsyncClient": "client",
    "Client": "client",
    "ApiVersionConfig": "config",
    "ClientConfig": "config",
    "ClientSettings": "config",
    "Deprecations": "deprecation",
    "AsyncDownload": "downloads",
    "Download": "downloads",
    "vectors": "embedding_arrays",
    "BatchPolicy": "embedding_batch",
    "FailedInputs": "embedding_many",
    "ManyEmbeddings": "embedding_many",
    "embed_many": "embedding_many",
    "azure": "endpoints",
    "OFFICIAL_BASE_URL": "environment",
    "OFFICIAL_REALTIME_URL": "environment",
    "Environment": "environment",
    "from_failure": "error_mapping",
    "from_stream_error": "error_mapping",
    "refine": "error_mapping",
    "refiner": "error_mapping",
    "AlreadyExists": "errors",
    "AuthenticationError": "errors",
    "BadGateway": "errors",
    "ConfigurationError": "errors",
    "ConnectionFailed": "errors",
    "ContentFiltered": "errors",
    "ContentPolicyError": "errors",
    "Deleted": "errors",
    "DeserializationError": "errors",
    "DnsResolutionFailed": "errors",
    "ErrorCategory": "errors",
    "ErrorSource": "errors",
    "ExpiredApiKey": "errors",
    "InsufficientPermissions": "errors",
    "InternalServerError": "errors",
    "InvalidApiKey": "errors",
    "InvalidBaseUrl": "errors",
    "InvalidConfiguration": "errors",
    "InvalidContentType": "errors",
    "InvalidFieldValue": "errors",
    "InvalidState": "errors",
    "MalformedRequest": "errors",
    "MissingApiKey": "errors",
    "MissingRequiredField": "errors",
    "NetworkError": "errors",
    "NotFound": "errors",
    "OpenAIError": "errors",
    "Overloaded": "errors",
    "QuotaExceeded": "errors",
    "RateLimitError": "errors",
    "RefusedByModel": "errors",
    "RequestError": "errors",
    "ResourceError": "errors",
    "ResponseError": "errors",
    "SafetyViolation": "errors",
    "SerializationError": "errors",
    "ServerError": "errors",
    "ServiceUnavailable": "errors",
    "SslError": "errors",
    "StreamInterrupted": "errors",
    "Timeout": "errors",
    "TokenLimitExceeded": "errors",
    "TooManyRequests": "errors",
    "TooManyTokens": "errors",
    "UnexpectedResponse": "errors",
    "ValidationError": "errors",
    "UploadFile": "file_input",
    "AsyncHealthCheck": "health",
    "HealthCheck": "health",
    "CheckResult": "health_results",
    "upload_large_file": "large_files",
    "upload_large_file_async": "large_files",
    "MemoryStore": "memory_store",
    "Answer": "metadata",
    "RateLimits": "metadata",
    "ResponseMetadata": "metadata",
    "metadata_of": "metadata",
    "CallOptions": "operation",
    "Operation": "operation",
    "PageOperation": "operation",
    "StreamOperation": "operation",
    "AsyncPage": "pagination",
    "Page": "pagination",
    "wait_for": "plans.walking",
    "wait_for_async": "plans.walking",
    "WorkFailed": "polling.lifecycle",
    "WorkUnfinished": "polling.lifecycle",
    "Pace": "polling.plan",
    "Progress": "polling.plan",
    "raw_operation": "raw",
    "raw_stream_operation": "raw",
    "SessionLimits": "realtime.opening",
    "require_answer": "refusal",
    "LoadedSecret": "secret_loading",
    "checked_key": "secret_loading",
    "key_from_env": "secret_loading",
    "key_from_file": "secret_loading",
    "key_from_workspace": "secret_loading",
    "load_with_fallbacks": "secret_loading",
    "unchecked_key": "secret_loading",
    "AsyncSingleFlightClient": "single_flight",
    "SingleFlightClient": "single_flight",
    "Accumulator": "streaming",
    "BetaResponseAccumulator": "streaming",
    "ChatAccumulator": "streaming",
    "CompletionAccumulator": "streaming",
    "ImageAccumulator": "streaming",
    "ResponseAccumulator": "streaming",
    "RunAccumulator": "streaming",
    "RunTranscript": "streaming",
    "SpeechAccumulator": "streaming",
    "TranscriptionAccumulator": "streaming",
    "AsyncStream": "streams",
    "Stream": "streams",
    "parsed_arguments": "structured.arguments",
    "ParsedChatAccumulator": "structured.chat",
    "ParsedChatCompletion": "structured.chat",
    "ParsedChoice": "structured.chat",
    "ParsedMessage": "structured.chat",
    "parsed_chat": "structured.chat",
    "pydantic_function_tool": "structured.formats",
    "response_format_of": "structured.formats",
    "response_function_tool": "structured.formats",
    "text_format_of": "structured.formats",
    "json_schema_of": "structured.json_schema",
    "parse_chat_completion": "structured.operations",
    "parse_response": "structured.operations",
    "CalledTools": "structured.outcomes",
    "CutOff": "structured.outcomes",
    "Filtered": "structured.outcomes",
    "Parsed": "structured.outcomes",
    "Refused": "structured.outcomes",
    "Unreadable": "structured.outcomes",
    "ParsedResponse": "structured.responses",
    "ParsedResponseAccumulator": "structured.responses",
    "parsed_response": "structured.responses",
    "AsyncHttpTransport": "transport",
    "AsyncTransport": "transport",
    "HttpTransport": "transport",
    "Transport": "transport",
    "data_url": "vision",
    "image_part": "vision",
    "input_image": "vision",
    "InvalidWebhookSignature": "webhook_signature",
}

__all__ = [
    "OFFICIAL_BASE_URL",
    "OFFICIAL_REALTIME_URL",
    "Accumulator",
    "AlreadyExists",
    "Answer",
    "ApiVersionConfig",
    "AsyncBatchingClient",
    "AsyncCacheStore",
    "AsyncCachingClient",
    "AsyncClient",
    "AsyncDownload",
    "AsyncHealthCheck",
    "AsyncHttpTransport",
    "AsyncMiddlewareTransport",
    "AsyncPage",
    "AsyncSingleFlightClient",
    "AsyncStream",
    "AsyncTransport",
    "Auth",
    "AuthScheme",
    "AuthenticationError",
    "BadGateway",
    "BatchPolicy",
    "BatchingClient",
    "BetaResponseAccumulator",
    "BinaryContent",
    "CacheStore",
    "CachingClient",
    "CallOptions",
    "CalledTools",
    "ChatAccumulator",
    "CheckResult",
    "Client",
    "ClientConfig",
    "ClientSettings",
    "CompletionAccumulator",
    "ConfigurationError",
    "ConnectionFailed",
    "ContentFiltered",
    "ContentPolicyError",
    "CutOff",
    "Deleted",
    "Deprecations",
    "DeserializationError",
    "DnsResolutionFailed",
    "Download",
    "Environment",
    "ErrorCategory",
    "ErrorSource",
    "ExpiredApiKey",
    "FailedInputs",
    "Filtered",
    "HealthCheck",
    "HttpTransport",
    "ImageAccumulator",
    "InsufficientPermissions",
    "InternalServerError",
    "InvalidApiKey",
    "InvalidBaseUrl",
    "InvalidConfiguration",
    "InvalidContentType",
    "InvalidFieldValue",
    "InvalidState",
    "InvalidWebhookSignature",
    "LoadedSecret",
    "MalformedRequest",
    "ManyEmbeddings",
    "MemoryStore",
    "MiddlewareTransport",
    "MissingApiKey",
    "MissingRequiredField",
    "NetworkError",
    "NotFound",
    "OpenAIError",
    "Operation",
    "Overloaded",
    "Pace",
    "Page",
    "PageOperation",
    "Parsed",
    "ParsedChatAccumulator",
    "ParsedChatCompletion",
    "ParsedChoice",
    "ParsedMessage",
    "ParsedResponse",
    "ParsedResponseAccumulator",
    "Progress",
    "QuotaExceeded",
    "RateLimitError",
    "RateLimits",
    "Refused",
    "RefusedByModel",
    "RequestError",
    "ResourceError",
    "ResponseAccumulator",
    "ResponseError",
    "ResponseMetadata",
    "RunAccumulator",
    "RunTranscript",
    "SafetyViolation",
    "SerializationError",
    "ServerError",
    "ServiceUnavailable",
    "SessionLimits",
    "SingleFlightClient",
    "SpeechAccumulator",
    "SslError",
    "Stream",
    "StreamInterrupted",
    "StreamOperation",
    "Timeout",
    "TokenLimitExceeded",
    "TooManyRequests",
    "TooManyTokens",
    "TranscriptionAccumulator",
    "Transport",
    "UnexpectedResponse",
    "Unreadable",
    "UploadFile",
    "ValidationError",
    "WorkFailed",
    "WorkUnfinished",
    "azure",
    "checked_key",
    "data_url",
    "embed_many",
    "from_failure",
    "from_stream_error",
    "image_part",
    "input_image",
    "json_schema_of",
    "key_from_env",
    "key_from_file",
    "key_from_workspace",
    "load_with_fallbacks",
    "metadata_of",
    "parse_chat_completion",
    "parse_response",
    "parsed_arguments",
    "parsed_chat",
    "parsed_response",
    "pydantic_function_tool",
    "raw_operation",
    "raw_stream_operation",
    "refine",
    "refiner",
    "require_answer",
    "response_format_of",
    "response_function_tool",
    "text_format_of",
    "unchecked_key",
    "upload_large_file",
    "upload_large_file_async",
    "vectors",
    "wait_for",
    "wait_for_async",
]


def __getattr__(name: str) -> Any:
    """Load the module that *name* lives in, and keep what was found."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return list(__all__)
