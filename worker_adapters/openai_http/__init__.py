"""
The adapter for every server that speaks the OpenAI HTTP API.

Example:
    >>> from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig
    >>> OpenAIHttpAdapter(OpenAIHttpConfig(base_url="https://127.0.0.1:8443/v1", api_key="sk-example"))
    ... # doctest: +ELLIPSIS
    <OpenAIHttpAdapter https://127.0.0.1:8443/v1/chat/completions: 0 of 64 slots taken; policies {...}>
"""

from __future__ import annotations

from http_util.lazy_names import lazy_names

# the plugin module next door must be cheap to import
__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "adapter": ("OpenAIHttpAdapter",),
        "config": ("OpenAIHttpConfig",),
    },
)
