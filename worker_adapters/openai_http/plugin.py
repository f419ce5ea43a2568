"""
The plugin of this distribution: offers `openai-http`. Imports nothing heavy, opens nothing, reads no credential.

Spec: ADP-60, ADP-61, ADP-62
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from adapter_api import ADAPTER_API_VERSION, AdapterPlugin
from adapter_api.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker_adapters.openai_http import OpenAIHttpAdapter


@hookimpl
def worker_adapter_plugins() -> AdapterPlugin:
    """Offer the adapter."""
    return AdapterPlugin(
        name="openai-http",
        version=version("worker-adapters"),
        contract_version=ADAPTER_API_VERSION,
        factory=_build,
        config_schema=_schema,
        policies=_policies,
    )


def _build(settings: Mapping[str, Any]) -> OpenAIHttpAdapter:
    from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

    return OpenAIHttpAdapter(OpenAIHttpConfig(**settings))


def _schema() -> Mapping[str, Any]:
    from worker_adapters.openai_http import OpenAIHttpConfig

    return OpenAIHttpConfig.model_json_schema()


def _policies(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is in force; settings that can never work are refused here, offline, the files that they name included."""
    from worker_adapters.openai_http import OpenAIHttpConfig

    return OpenAIHttpConfig.with_files(settings).policies()
