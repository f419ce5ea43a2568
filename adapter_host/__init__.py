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
