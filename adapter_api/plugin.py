"""
What an adapter's distribution declares about it: no connection, no credential, no import of the heavy parts.

Spec: ADP-60, ADP-61, ADP-62
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from adapter_api.worker_adapter import WorkerAdapter

ENTRY_POINT_GROUP: Final = "worker_adapters"
"""The entry-point group in which a distribution names the module that holds its hook implementations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterPlugin:
    """
    One adapter on offer.

    Spec: ADP-61
    """

    name: str
    """What a pool's configuration calls it, as `openai-http`; unique among the installed plugins."""
    version: str
    """The adapter's own version."""
    contract_version: str
    """The `ADAPTER_API_VERSION` that it was built for; another major is refused."""
    factory: Callable[[Mapping[str, Any]], WorkerAdapter]
    """Builds an adapter from a pool's settings. Opens nothing yet. Raises ValueError naming the field that is wrong."""
    config_schema: Callable[[], Mapping[str, Any]]
    """The JSON schema of the settings."""
    policies: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    """The policies in force under these settings, secrets masked; offline. Raises as `factory` does."""
