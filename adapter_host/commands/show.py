"""
`adapter-host list`, `check` and `config`: what is installed, what is ready, what is in force.

Spec: HST-17
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from adapter_api import WorkerError
from adapter_host.assembly import for_each_replica
from adapter_host.commands.exit_codes import FAILED, OK, UNKNOWN, CommandError, named, no_pools, say
from adapter_host.commands.logs import configure_logs
from adapter_host.config import ConfigError
from adapter_host.config_file import find_config, load_config
from adapter_host.host import AdapterHost
from adapter_host.plugins import discover
from adapter_host.waiting import within
from http_util.clock import SystemClock
from http_util.redact import escape_controls, redact_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from adapter_host.config import HostConfig
    from adapter_host.config_file import LoadedConfig
    from adapter_host.plugins import Catalogue
    from adapter_host.registry import Replica

VERSION_TIMEOUT = 5.0
"""Seconds that a replica has to tell its engine's version."""

_PRESENT = "set"
"""What an adapter's policies say in the place of a secret that is there."""


def show_plugins(*, as_json: bool, strict: bool) -> int:
    """Print the installed adapters, good and bad; with *strict*, bad ones are a failure."""
    catalogue = discover()
    if as_json:
        _print_json(_catalogue_as_json(catalogue))
    else:
        good = [
            (name, one.plugin.version, one.plugin.contract_version, str(one.origin), "usable")
            for name, one in catalogue.plugins.items()
        ]
        bad = [(one.name, "-", "-", str(one.origin), f"QUARANTINED: {one.reason}") for one in catalogue.quarantined]
        _print_table(("adapter", "version", "contract", "distribution", "state"), [*good, *bad])
    return FAILED if strict and catalogue.quarantined else OK


def _catalogue_as_json(catalogue: Catalogue) -> dict[str, Any]:
    plugins = [
        {
            "name": name,
            "version": one.plugin.version,
            "contract_version": one.plugin.contract_version,
            "distribution": one.origin.distribution,
            "distribution_version": one.origin.version,
            "entry_point": one.origin.entry_point,
        }
        for name, one in catalogue.plugins.items()
    ]
    quarantined = [
        {
            "name": one.name,
            "distribution": one.origin.distribution,
            "distribution_version": one.origin.version,
            "entry_point": one.origin.entry_point,
            "reason": one.reason,
        }
        for one in catalogue.quarantined
    ]
    return {"plugins": plugins, "quarantined": quarantined}


def show_health(path: Path | None, pool: str | None, *, as_json: bool, verbose: bool = False) -> int:
    """Ask every configured pool how it is; 0 when all are ready, 1 otherwise."""
    loaded = load_config(_found(path))
    if not loaded.config.pools:
        raise no_pools(loaded.path)
    if pool is not None and pool not in loaded.config.pools:
        known = ", ".join(loaded.config.pools) or "none"
        raise CommandError(f"--pool: {loaded.path} has no pool {pool!a}; it has: {known}", UNKNOWN)
    rows = asyncio.run(_ask(loaded, pool, configure_logs(verbose=verbose, secrets=loaded.secrets)))
    if as_json:
        _print_json({"replicas": rows})
    else:
        _print_table(
            ("pool", "replica", "adapter", "live", "ready", "free slots", "slots", "engine version", "detail"),
            [tuple("-" if value is None else str(value) for value in row.values()) for row in rows],
        )
    pools = {row["pool_id"] for row in rows}
    ready = {row["pool_id"] for row in rows if row["ready"]}
    return OK if pools == ready else FAILED


async def _ask(loaded: LoadedConfig, pool: str | None, logger: Any) -> list[dict[str, Any]]:
    try:
        host = AdapterHost.from_config(loaded.config, logger=logger)
    except ConfigError as exc:
        raise named(exc, loaded.path) from None
    async with host:
        wanted = [pool] if pool is not None else list(host.pool_ids)
        await asyncio.gather(*(host.health(pool_id) for pool_id in wanted))
        replicas = [replica for pool_id in wanted for replica in host.replicas(pool_id)]
        return list(await asyncio.gather(*(_row(replica) for replica in replicas)))


async def _row(replica: Replica) -> dict[str, Any]:
    """What one replica says of itself, after its health was asked."""
    health, props = replica.health, replica.props
    # one that is ready may have something to say all the same
    detail = "" if health is None else health.detail or ("" if health.ready else health.reason or "not ready")
    version = props.engine_version if props else None
    if health is not None and health.live:
        try:
            version = await within(SystemClock(), VERSION_TIMEOUT, replica.adapter.engine_version())
        except WorkerError as error:
            detail = detail or f"engine version: {error.message}"
        # Foreign code: a check reports, whatever an adapter raises.
        except Exception as exc:  # noqa: BLE001
            detail = detail or f"engine version: {type(exc).__name__}"
    return {
        "pool_id": replica.pool_id,
        "replica_id": replica.replica_id,
        "adapter": replica.adapter_name,
        "live": health is not None and health.live,
        "ready": health is not None and health.ready,
        "slots_free": props.slots_free if props else None,
        "slots_total": props.slots_total if props else None,
        "engine_version": version,
        "detail": detail,
    }


def show_config(path: Path | None, *, as_json: bool, verbose: bool = False) -> int:
    """Check the configuration offline and print what is in force, secrets masked."""
    loaded, policies = _checked(_found(path), configure_logs(verbose=verbose))
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    if not policies:
        say(f"warning: {no_pools(loaded.path)}")
    host = loaded.config.host
    secrets = [secret.reveal() for secret in loaded.secrets]
    pools: dict[str, Any] = {}
    for (pool_id, replica_id), in_force in policies.items():
        told = json.loads(json.dumps(in_force, default=str))
        shown = _with_presence(told, redact_value(told, secrets=secrets))
        entry = pools.setdefault(pool_id, {"adapter": loaded.config.pools[pool_id].adapter, "replicas": {}})
        entry["replicas"][replica_id] = shown
    report = {"file": str(loaded.path), "host": host.model_dump(mode="json"), "pools": pools}
    if as_json:
        _print_json(report)
    else:
        _print_lines(report)
    return OK


def _checked(path: Path, logger: Any) -> tuple[LoadedConfig, dict[tuple[str, str], Mapping[str, Any]]]:
    """
    The configuration at *path* and the policies of each replica.

    Raises:
        ConfigError: Everything that is wrong: what the file itself shows, and what the adapters say of the rest.
    """
    try:
        loaded = load_config(path)
    except ConfigError as exc:
        raise _with_adapters_say(exc, path, logger) from None
    try:
        return loaded, _policies(loaded.config, logger)
    except ConfigError as exc:
        raise named(exc, path) from None


def _with_adapters_say(error: ConfigError, path: Path, logger: Any) -> ConfigError:
    """*error*, and what the adapters have against the part of the configuration that it leaves; once for each key."""
    if error.usable is None:
        return error
    try:
        _policies(error.usable, logger)
    except ConfigError as exc:
        told = {problem.key for problem in error.problems}
        more = [problem for problem in named(exc, path).problems if problem.key not in told]
        return ConfigError([*error.problems, *more])
    return error


def _policies(config: HostConfig, logger: Any) -> dict[tuple[str, str], Mapping[str, Any]]:
    """What the adapter of each replica says is in force."""
    catalogue = discover(strict=config.host.strict, timeout=config.host.plugin_timeout)
    return for_each_replica(config, catalogue, lambda plugin, settings: plugin.policies(settings), logger=logger)


def _with_presence(told: Any, redacted: Any) -> Any:
    """*redacted*, but for the word by which an adapter says that a secret is there: it is not the secret."""
    if isinstance(told, dict) and isinstance(redacted, dict):
        return {name: _with_presence(value, redacted.get(name)) for name, value in told.items()}
    return told if told == _PRESENT else redacted


def _found(path: Path | None) -> Path:
    """The configuration to look at."""
    found = find_config(path)
    if found is None:
        raise CommandError(
            "no configuration: name one with --config or ADAPTER_HOST_CONFIG, or put adapter-host.toml here"
        )
    return found


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=True) + "\n")


def _print_lines(report: Mapping[str, Any], path: str = "") -> None:
    """Print nested values as `path.to.key = value`, one a line."""
    for name, value in report.items():
        here = f"{path}.{name}" if path else str(name)
        if isinstance(value, dict) and value:
            _print_lines(value, here)
        else:
            sys.stdout.write(f"{escape_controls(here)} = {escape_controls(json.dumps(value, ensure_ascii=False))}\n")


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows: drawn on a terminal, separated by tabs elsewhere."""
    safe = [[escape_controls(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in (header, *safe):
            sys.stdout.write("\t".join(row) + "\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*header)
    for row in safe:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
