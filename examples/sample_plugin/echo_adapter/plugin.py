"""What the host finds: one hook. It opens nothing, and builds an adapter only when it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapter_api import ADAPTER_API_VERSION, AdapterPlugin
from adapter_api.hookspecs import hookimpl
from echo_adapter.adapter import EchoAdapter, EchoConfig

if TYPE_CHECKING:
    from collections.abc import Mapping


@hookimpl
def worker_adapter_plugins() -> AdapterPlugin:
    """Offer the echo adapter."""
    return AdapterPlugin(
        name="echo",
        version="1.0.0",
        contract_version=ADAPTER_API_VERSION,
        factory=make_adapter,
        config_schema=EchoConfig.model_json_schema,
        policies=policies_in_force,
    )


def make_adapter(settings: Mapping[str, Any]) -> EchoAdapter:
    """Build the adapter that *settings* describe; raise ValueError naming the field that is wrong."""
    return EchoAdapter(EchoConfig.model_validate(dict(settings)))


def policies_in_force(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Say what these settings amount to. Here nothing is secret; mask what is."""
    return EchoConfig.model_validate(dict(settings)).model_dump()
