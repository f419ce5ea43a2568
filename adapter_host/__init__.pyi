# Written by scripts/public_names.py from the table in __init__.py; do not edit.

from adapter_host.config import ConfigError as ConfigError
from adapter_host.config import HostConfig as HostConfig
from adapter_host.config import Problem as Problem
from adapter_host.config_file import LoadedConfig as LoadedConfig
from adapter_host.config_file import find_config as find_config
from adapter_host.config_file import load_config as load_config
from adapter_host.host import AdapterHost as AdapterHost
from adapter_host.metrics import InMemoryMetrics as InMemoryMetrics
from adapter_host.metrics import Metrics as Metrics
from adapter_host.metrics import NoMetrics as NoMetrics
from adapter_host.plugins import Catalogue as Catalogue
from adapter_host.plugins import InstalledPlugin as InstalledPlugin
from adapter_host.plugins import PluginError as PluginError
from adapter_host.plugins import QuarantinedPlugin as QuarantinedPlugin
from adapter_host.plugins import discover as discover
from adapter_host.pool_view import PoolView as PoolView
