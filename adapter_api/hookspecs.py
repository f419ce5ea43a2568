"""
The hook by which an installed distribution offers its adapters. The whole contract of a plugin is on this screen.

A distribution names a module in the entry-point group `worker_adapters`; the module holds

    from adapter_api.hookspecs import hookimpl

    @hookimpl
    def worker_adapter_plugins():
        return AdapterPlugin(name=..., version=..., contract_version=..., factory=..., config_schema=..., policies=...)

Spec: ADP-60, ADP-61
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapter_api.plugin import AdapterPlugin

PROJECT_NAME: Final = "worker_adapters"
"""The name that ties specs and implementations together."""

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)


# A specification has no body: pluggy reads its name and its arguments.
@hookspec
def worker_adapter_plugins() -> AdapterPlugin | Sequence[AdapterPlugin]:  # type: ignore[empty-body]
    """
    The adapters that this distribution offers: one, or several.

    Called once at discovery. It must not do network I/O or read a credential.
    """
