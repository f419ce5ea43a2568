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

from http_util.lazy_names import lazy_names

# the command line loads nothing before it can answer an interrupt
__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "config": ("ConfigError", "HostConfig", "Problem"),
        "config_file": ("LoadedConfig", "find_config", "load_config"),
        "host": ("AdapterHost",),
        "metrics": ("InMemoryMetrics", "Metrics", "NoMetrics"),
        "plugins": ("Catalogue", "InstalledPlugin", "PluginError", "QuarantinedPlugin", "discover"),
        "pool_view": ("PoolView",),
    },
)
