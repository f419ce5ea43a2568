"""
The adapter for every server that speaks the OpenAI HTTP API.

Example:
    >>> from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig
    >>> OpenAIHttpAdapter(OpenAIHttpConfig(base_url="https://127.0.0.1:8443/v1", api_key="sk-example"))
    ... # doctest: +ELLIPSIS
    <OpenAIHttpAdapter https://127.0.0.1:8443/v1/chat/completions: 0 of 64 slots taken; policies {...}>
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worker_adapters.openai_http.adapter import OpenAIHttpAdapter
    from worker_adapters.openai_http.config import OpenAIHttpConfig

__all__ = ["OpenAIHttpAdapter", "OpenAIHttpConfig"]


def __getattr__(name: str) -> Any:
    """Load on first use: the plugin module next door must be cheap to import."""
    if name == "OpenAIHttpAdapter":
        from worker_adapters.openai_http.adapter import OpenAIHttpAdapter

        return OpenAIHttpAdapter
    if name == "OpenAIHttpConfig":
        from worker_adapters.openai_http.config import OpenAIHttpConfig

        return OpenAIHttpConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
