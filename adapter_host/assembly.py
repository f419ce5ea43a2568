"""
From a configuration and the installed plugins to a host with its adapters in place.

Spec: HST-03, HST-10, ADP-62
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from adapter_api import Fault, WorkerAdapter
from adapter_host.config import ConfigError, Problem, problems_of
from adapter_host.fault_record import EVENT, fault_facts
from adapter_host.plugins import discover
from adapter_host.task_story import default_logger
from http_util.redact import safe_message
from http_util.schema_words import nearest
from http_util.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from adapter_api import AdapterPlugin
    from adapter_host.config import HostConfig, PoolSettings
    from adapter_host.host import AdapterHost
    from adapter_host.plugins import Catalogue

    H = TypeVar("H", bound=AdapterHost)

T = TypeVar("T")


def assemble(
    make_host: Callable[..., H], config: HostConfig, catalogue: Catalogue | None, collaborators: Mapping[str, Any]
) -> H:
    """
    Build every adapter that *config* names and bind it. See `AdapterHost.from_config`.

    Raises:
        ConfigError: Everything that is wrong, all pools together.
        PluginError: The configuration is strict, and an installed plugin cannot be used.
    """
    if catalogue is None:
        catalogue = discover(strict=config.host.strict, timeout=config.host.plugin_timeout)
    logger = collaborators.get("logger") or default_logger(tuple(secrets_of(config)))
    built = for_each_replica(config, catalogue, _built, logger=logger)
    policies = config.host
    host = make_host(
        grace=policies.grace,
        allow_pin=policies.allow_pin,
        breaker=policies.breaker.policy() if policies.breaker else None,
        health_good_for=policies.health_good_for,
        health_timeout=policies.health_timeout,
        secrets=secrets_of(config),
        **collaborators,
    )
    for (pool_id, replica_id), adapter in built.items():
        host.bind(pool_id, replica_id, adapter, name=config.pools[pool_id].adapter)
    return host


def for_each_replica(
    config: HostConfig,
    catalogue: Catalogue,
    ask: Callable[[AdapterPlugin, Mapping[str, Any]], T],
    *,
    logger: Any,
) -> dict[tuple[str, str], T]:
    """
    What *ask* gives for the plugin and the settings of every replica.

    Args:
        config: Names the pools.
        catalogue: The installed adapters.
        ask: Asks one plugin about the settings of one replica.
        logger: Gets what a plugin raises that it must not, as records of level debug.

    Raises:
        ConfigError: An adapter is not installed, or *ask* refuses. All that is wrong is told at once.
    """
    secrets = tuple(secrets_of(config))
    answers: dict[tuple[str, str], T] = {}
    missing: list[Problem] = []
    refused: list[Problem] = []
    for pool_id, pool in config.pools.items():
        installed = catalogue.plugins.get(pool.adapter)
        if installed is None:
            meant = nearest(pool.adapter, catalogue.plugins)
            missing.append(_not_installed(pool_id, pool, catalogue, meant))
            if meant is not None:
                refused += _refused_by(catalogue.plugins[meant].plugin, pool_id, pool, secrets)
            continue
        for replica_id, settings in pool.replica_settings().items():
            prefix = _prefix(pool_id, replica_id, pool)
            try:
                answers[pool_id, replica_id] = ask(installed.plugin, settings)
            except ValueError as exc:
                refused += problems_of(exc, "", prefix, secrets, given=settings, schema=_schema_of(installed.plugin))
            # A plugin's factory is foreign code; only the class of what it raises is told, and the rest on request.
            except Exception as exc:  # noqa: BLE001
                what = f"the adapter {pool.adapter} failed with {type(exc).__name__}; this is a fault of the adapter"
                problem = Problem("", f"pools.{pool_id}.adapter", what)
                refused += [problem] if problem not in refused else []
                facts = fault_facts(Fault.of(exc), pool.adapter, safe=_safe(secrets))
                logger.debug(EVENT, action="build", pool_id=pool_id, replica_id=replica_id, **facts)
    if missing or refused:
        raise ConfigError([*missing, *refused], is_unknown_adapter=not refused)
    return answers


def _safe(secrets: Sequence[Secret]) -> Callable[[str], str]:
    known = [secret.reveal() for secret in secrets]
    return lambda text: safe_message(text, known)


def _prefix(pool_id: str, replica_id: str, pool: PoolSettings) -> list[str]:
    """The keys that lead to the settings of one replica."""
    return ["pools", pool_id, *(["replicas", replica_id] if pool.replicas else []), "settings"]


def _refused_by(plugin: AdapterPlugin, pool_id: str, pool: PoolSettings, secrets: Sequence[Secret]) -> list[Problem]:
    """What an adapter has against the settings of a pool that most likely means it."""
    refused: list[Problem] = []
    for replica_id, settings in pool.replica_settings().items():
        try:
            plugin.policies(settings)
        except ValueError as exc:
            prefix = _prefix(pool_id, replica_id, pool)
            refused += problems_of(exc, "", prefix, secrets, given=settings, schema=_schema_of(plugin))
        # Foreign code, and only a guess: what it cannot say it need not.
        except Exception:  # noqa: BLE001, S112
            continue
    return refused


def _schema_of(plugin: AdapterPlugin) -> Mapping[str, Any]:
    """What the plugin says its settings are; empty when it cannot say."""
    try:
        schema = plugin.config_schema()
    # Foreign code; without its schema the problems are told in fewer words.
    except Exception:  # noqa: BLE001
        return {}
    return schema if isinstance(schema, Mapping) else {}


def secrets_of(config: HostConfig) -> Iterator[Secret]:
    """Every secret among the settings of *config*."""
    for pool in config.pools.values():
        yield from _secrets_in(pool.settings.values())
        for replica in pool.replicas.values():
            yield from _secrets_in(replica.settings.values())


def _secrets_in(values: Iterable[Any]) -> Iterator[Secret]:
    for value in values:
        if isinstance(value, Secret):
            yield value
        elif isinstance(value, dict):
            yield from _secrets_in(value.values())
        elif isinstance(value, list):
            yield from _secrets_in(value)


def _built(plugin: AdapterPlugin, settings: Mapping[str, Any]) -> WorkerAdapter:
    adapter = plugin.factory(settings)
    if not isinstance(adapter, WorkerAdapter):
        # Reported as the settings' fault, like everything else that a factory does wrong.
        raise ValueError(f"the factory gave {type(adapter).__name__}, expected a WorkerAdapter")  # noqa: TRY004
    return adapter


def _not_installed(pool_id: str, pool: PoolSettings, catalogue: Catalogue, meant: str | None) -> Problem:
    installed = ", ".join(catalogue.plugins) or "none"
    question = "" if meant is None else f"; did you mean {meant!a}?"
    what = f"no adapter is installed as {pool.adapter!a}; installed: {installed}{question}"
    quarantined = catalogue.quarantined_as(pool.adapter)
    if quarantined is not None:
        what = f"{pool.adapter} of {quarantined.origin} cannot be used: {quarantined.reason}"
    return Problem("", f"pools.{pool_id}.adapter", what)
