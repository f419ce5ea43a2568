"""
The host: loads adapters as plugins, routes tasks to them by pool, and tells their story. Knows the contract only.

Example:
    >>> from adapter_host import AdapterHost, HostConfig
    >>> config = HostConfig.from_mapping(
    ...     {
    ...         "pools": {
    ...             "chat": {
    ...                 "adapter": "openai-http",
    ...                 "settings": {"base_url": "http://127.0.0.1:8000/v1"},
    ...             }
    ...         }
    ...     }
    ... )
    >>> AdapterHost.from_config(config)
    <AdapterHost open: pools ['chat'], 0 tasks>

Spec: AH-1002, HST-08, HST-09
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from adapter_host.config import ConfigError, HostConfig, Problem
    from adapter_host.config_file import LoadedConfig, find_config, load_config
    from adapter_host.host import AdapterHost
    from adapter_host.metrics import InMemoryMetrics, Metrics, NoMetrics
    from adapter_host.plugins import Catalogue, InstalledPlugin, PluginError, QuarantinedPlugin, discover
    from adapter_host.pool_view import PoolView

__all__ = [
    "AdapterHost",
    "Catalogue",
    "ConfigError",
    "HostConfig",
    "InMemoryMetrics",
    "InstalledPlugin",
    "LoadedConfig",
    "Metrics",
    "NoMetrics",
    "PluginError",
    "PoolView",
    "Problem",
    "QuarantinedPlugin",
    "discover",
    "find_config",
    "load_config",
]

_HOME: Final = {
    "AdapterHost": "adapter_host.host",
    "Catalogue": "adapter_host.plugins",
    "ConfigError": "adapter_host.config",
    "HostConfig": "adapter_host.config",
    "InMemoryMetrics": "adapter_host.metrics",
    "InstalledPlugin": "adapter_host.plugins",
    "LoadedConfig": "adapter_host.config_file",
    "Metrics": "adapter_host.metrics",
    "NoMetrics": "adapter_host.metrics",
    "PluginError": "adapter_host.plugins",
    "PoolView": "adapter_host.pool_view",
    "Problem": "adapter_host.config",
    "QuarantinedPlugin": "adapter_host.plugins",
    "discover": "adapter_host.plugins",
    "find_config": "adapter_host.config_file",
    "load_config": "adapter_host.config_file",
}
"""Where each name lives. Loaded when it is first asked for, so that the command line can answer an interrupt early."""


def __getattr__(name: str) -> Any:
    """A public name, from the module that has it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    """Every name, loaded or not."""
    return sorted({*globals(), *__all__})
