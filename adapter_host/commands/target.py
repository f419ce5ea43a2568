"""
What a run is made against: a pool of the configuration, an upstream named on the command line, or the embedded one.

Spec: HST-14, HST-15
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from adapter_host.commands.exit_codes import UNKNOWN, CommandError, named, no_pools, say
from adapter_host.config import ConfigError, HostConfig, Problem
from adapter_host.config_file import find_config, load_config
from http_util.redact import is_sensitive_name
from http_util.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from adapter_host.config import PoolSettings

DEFAULT_ADAPTER: Final = "openai-http"
COMMAND_LINE_POOL: Final = "command-line"
"""Id of the pool that the command line describes."""
EMBEDDED_POOL: Final = "embedded"

DEFAULT_MODEL: Final = "default"
"""The model_ref of a task for an adapter that has one model, or none, and is not told which."""

_OPTIONS: Final = {"base_url": "--base-url", "dialect": "--dialect", "api_key": "--api-key-env", "model": "--model"}
"""Settings that have an option of their own; the others are given with `--set`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line says about the upstream."""

    config: Path | None = None
    pool: str | None = None
    adapter: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    dialect: str | None = None
    model: str | None = None
    settings: Sequence[str] = ()
    """`key=value`, the value as TOML writes it."""

    @property
    def describes_an_upstream(self) -> bool:
        """Whether the upstream is described here and not in a file."""
        return any((self.adapter, self.base_url, self.api_key_env, self.dialect, self.settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a task goes."""

    config: HostConfig
    pool_id: str
    model: str
    path: Path | None = None
    """The configuration file, if there is one."""
    secrets: tuple[Secret, ...] = field(default=())


def find_target(wish: Wish) -> Target | None:
    """
    The target that the command line or a configuration names; None when neither does.

    Raises:
        CommandError: The wish contradicts itself, or names a pool that is not configured.
        ConfigError: The configuration is wrong.
    """
    if wish.describes_an_upstream:
        return _described(wish)
    path = find_config(wish.config)
    if path is None:
        if wish.pool is not None:
            raise CommandError("--pool: there is no configuration; name one with --config", UNKNOWN)
        return None
    loaded = load_config(path)
    for warning in loaded.warnings:
        say(f"warning: {warning}")
    pools = loaded.config.pools
    if not pools:
        raise no_pools(path)
    pool_id = wish.pool or (next(iter(pools)) if len(pools) == 1 else None)
    known = ", ".join(pools)
    if pool_id is None:
        raise CommandError(f"--pool: name one of the pools of {path}: {known}")
    if pool_id not in pools:
        raise CommandError(f"--pool: {path} has no pool {pool_id!a}; it has: {known}", UNKNOWN)
    model = wish.model or _model_of(pools[pool_id])
    if model is None:
        raise CommandError(f"--model: pool {pool_id!a} of {path} names no model; name one here, or set its model")
    config = _asking_for(wish.model, loaded.config, pool_id)
    return Target(config=config, pool_id=pool_id, model=model, path=path, secrets=loaded.secrets)


def in_the_users_words(error: ConfigError, target: Target) -> ConfigError:
    """*error* with the options, or the file, that its problems come from."""
    if target.pool_id != COMMAND_LINE_POOL:
        return named(error, target.path)
    problems = [Problem(_option(one.key), "", one.what) for one in error.problems]
    return ConfigError(problems, is_unknown_adapter=error.is_unknown_adapter)


def _option(key: str) -> str:
    """The option that gave what stands at *key*."""
    of_pool = key.removeprefix(f"pools.{COMMAND_LINE_POOL}.")
    if of_pool == "adapter":
        return "--adapter"
    setting = of_pool.removeprefix("settings").removeprefix(".")
    return _OPTIONS.get(setting) or f"--set {setting}".rstrip()


def embedded_target(base_url: str, model: str | None) -> Target:
    """The target for the embedded upstream at *base_url*."""
    pool = {"adapter": DEFAULT_ADAPTER, "settings": {"base_url": base_url}}
    config = HostConfig.from_mapping({"pools": {EMBEDDED_POOL: pool}})
    return Target(config=config, pool_id=EMBEDDED_POOL, model=model or "simulated-small")


def _described(wish: Wish) -> Target:
    for option, value in (("--config", wish.config), ("--pool", wish.pool)):
        if value is not None:
            raise CommandError(f"{option} cannot stand beside --adapter, --base-url, --api-key-env, --dialect or --set")
    settings: dict[str, Any] = dict(_setting(text) for text in wish.settings)
    given = {"base_url": wish.base_url, "dialect": wish.dialect}
    settings |= {name: value for name, value in given.items() if value is not None}
    if wish.api_key_env is not None:
        settings["api_key"] = _secret_from(wish.api_key_env)
    pool = {"adapter": wish.adapter or DEFAULT_ADAPTER, "settings": settings}
    config = HostConfig.from_mapping({"pools": {COMMAND_LINE_POOL: pool}}, where="command line")
    model = wish.model or _model_of(config.pools[COMMAND_LINE_POOL])
    if model is None:
        raise CommandError("--model: name the model to ask the upstream for")
    config = _asking_for(wish.model, config, COMMAND_LINE_POOL)
    return Target(config=config, pool_id=COMMAND_LINE_POOL, model=model)


def _asking_for(model: str | None, config: HostConfig, pool_id: str) -> HostConfig:
    """*config* with *model* wherever the settings of the pool fix one: they would come before the task's own."""
    if model is None:
        return config
    pool = config.pools[pool_id]
    replicas = {
        name: replica.model_copy(update={"settings": _with_model(replica.settings, model)})
        for name, replica in pool.replicas.items()
    }
    changed = pool.model_copy(update={"settings": _with_model(pool.settings, model), "replicas": replicas})
    return config.model_copy(update={"pools": {**config.pools, pool_id: changed}})


def _with_model(settings: dict[str, Any], model: str) -> dict[str, Any]:
    return {**settings, "model": model} if "model" in settings else settings


def _secret_from(variable: str) -> Secret:
    value = os.environ.get(variable)
    if value is None:
        raise CommandError(f"--api-key-env: the environment variable {variable!a} is not set")
    try:
        return Secret(value)
    except ValueError as exc:
        raise CommandError(f"--api-key-env: {exc}") from None


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise CommandError(f"--set: expected key=value, got {ascii(name)[:80]}")
    if is_sensitive_name(name.strip()):
        what = "a secret does not belong on the command line, where others can read it"
        raise CommandError(f"--set: {ascii(name.strip())[:80]}: {what}; name its variable with --api-key-env")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value


def _model_of(pool: PoolSettings) -> str | None:
    """
    The model that a task for *pool* names when the user names none.

    None where an upstream would be asked for a model that nobody has named: a pool with an address and no model in the
    settings of a replica, nor an alias of the default one.
    """
    for settings in pool.replica_settings().values():
        aliases = settings.get("model_aliases")
        has_alias = isinstance(aliases, Mapping) and DEFAULT_MODEL in aliases
        if "base_url" in settings and not settings.get("model") and not has_alias:
            return None
    model = pool.settings.get("model")
    return model if isinstance(model, str) and model else DEFAULT_MODEL
