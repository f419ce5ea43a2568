"""
Reading a configuration: the TOML file, and the secrets that it refers to.

The only place of the host that reads files and the environment. A secret comes from `{ env = "NAME" }`, from
`{ file = "path" }` (relative to the configuration file), or, with a warning, from the file itself. Adapters get it as
`http_util.secret.Secret`.

Spec: HST-10, HST-11, AH-3001
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from adapter_host.config import ConfigError, HostConfig, Problem
from http_util.redact import is_sensitive_name
from http_util.secret import Secret

CONFIG_VARIABLE: Final = "ADAPTER_HOST_CONFIG"
"""Environment variable that names the configuration file."""

CONFIG_NAME: Final = "adapter-host.toml"
"""File that is used when it stands in the working directory and no other is named."""

MAX_CONFIG_BYTES: Final = 1024 * 1024
MOST_KEY_PARTS: Final = 100
MAX_SECRET_BYTES: Final = 64 * 1024

_COMMENT: Final = re.compile(r"#[^\n]*")
_BETWEEN_KEYS: Final = re.compile(r"[\n=,{}\[\]]")
_OTHERS_READ: Final = stat.S_IROTH | stat.S_IRGRP


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration and what came with it."""

    config: HostConfig
    path: Path
    """The file."""
    secrets: tuple[Secret, ...]
    """Every secret of the configuration, for redaction."""
    warnings: tuple[Problem, ...]
    """What works and should be better."""


def find_config(given: Path | None, environment: Mapping[str, str] | None = None) -> Path | None:
    """
    The configuration file to use: the one given, else that of `ADAPTER_HOST_CONFIG`, else `./adapter-host.toml`.

    Args:
        given: Named by the user; used whether it exists or not.
        environment: Instead of the process's own.

    Returns:
        None when none is named and none is there.
    """
    named = (os.environ if environment is None else environment).get(CONFIG_VARIABLE)
    if given is not None:
        return given
    if named:
        return Path(named)
    here = Path(CONFIG_NAME)
    return here if here.is_file() else None


def load_config(path: Path | str, environment: Mapping[str, str] | None = None) -> LoadedConfig:
    """
    Read, resolve and check the configuration at *path*. Opens no connection and imports no plugin.

    Args:
        path: A TOML file of at most 1 MiB, with keys of at most 100 parts.
        environment: Where `{ env = ... }` looks, instead of the process's own.

    Raises:
        ConfigError: Everything that is wrong, each with file and key, never with a secret.

    Spec: HST-10
    """
    path = Path(path)
    try:
        return _loaded(path, environment)
    except RecursionError:
        raise ConfigError([Problem(str(path), "", "is nested too deeply; a configuration has a few levels")]) from None


def _loaded(path: Path, environment: Mapping[str, str] | None) -> LoadedConfig:
    content = _toml(path)
    resolver = _Resolver(path, os.environ if environment is None else environment)
    resolved = resolver.resolve_pools(content)
    secrets = tuple(resolver.secrets)
    try:
        config = HostConfig.from_mapping(resolved, where=str(path), secrets=secrets)
    except ConfigError as exc:
        raise ConfigError([*resolver.problems, *exc.problems], usable=exc.usable) from None
    if resolver.problems:
        raise ConfigError(resolver.problems, usable=config)
    return LoadedConfig(config, path, secrets, tuple(resolver.warnings))


def _toml(path: Path) -> dict[str, Any]:
    where = str(path)
    try:
        with path.open("rb") as file:
            text = _read(file, MAX_CONFIG_BYTES).decode("utf-8")
        _check_keys(text)
        return tomllib.loads(text)
    except OSError as exc:
        raise ConfigError([Problem(where, "", f"cannot be read: {exc.strerror or type(exc).__name__}")]) from None
    except UnicodeDecodeError as exc:
        raise ConfigError([Problem(where, "", f"is not UTF-8 (at byte {exc.start})")]) from None
    except tomllib.TOMLDecodeError as exc:
        # The text of this error names a place and a kind of character, and quotes keys, not values.
        raise ConfigError([Problem(where, "", f"is not valid TOML: {exc}")]) from None
    except ValueError as exc:
        raise ConfigError([Problem(where, "", str(exc))]) from None


def _check_keys(text: str) -> None:
    """Refuse keys of very many parts, for which the parser takes time by the square of their number."""
    if any(piece.count(".") >= MOST_KEY_PARTS for piece in _BETWEEN_KEYS.split(_COMMENT.sub("", text))):
        raise ValueError(f"has a key of more than {MOST_KEY_PARTS} parts; a configuration has keys of a few")


def _read(file: BinaryIO, most: int) -> bytes:
    """The content of a file that is not larger than it may be."""
    content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"is larger than {most} bytes")
    return content


def _read_secret(path: Path) -> bytes:
    """The content of a regular file, or of one that a link leads to; a pipe would be waited for, maybe for ever."""
    # opening one waits already
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123 - of a descriptor
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("is no regular file")
        return _read(file, MAX_SECRET_BYTES)


class _Resolver:
    """Replaces references to secrets by secrets, and collects what is wrong on the way."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment
        self.secrets: list[Secret] = []
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def resolve_pools(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """*content* with the settings of every pool and replica resolved; what has another shape is left for later."""
        return {name: self._pools(value) if name == "pools" else value for name, value in content.items()}

    def _pools(self, pools: object) -> object:
        if not isinstance(pools, Mapping):
            return pools
        return {name: self._settings_in(pool, f"pools.{name}") for name, pool in pools.items()}

    def _settings_in(self, table: object, key: str) -> object:
        """A pool's or a replica's table with its `settings` resolved."""
        if not isinstance(table, Mapping):
            return table
        resolved = dict(table)
        if isinstance(settings := table.get("settings"), Mapping):
            resolved["settings"] = {
                name: self._value(name, value, f"{key}.settings.{name}") for name, value in settings.items()
            }
        if isinstance(replicas := table.get("replicas"), Mapping):
            resolved["replicas"] = {
                name: self._settings_in(replica, f"{key}.replicas.{name}") for name, replica in replicas.items()
            }
        return resolved

    def _value(self, name: str, value: object, key: str) -> object:
        if isinstance(value, str) and is_sensitive_name(name):
            advice = 'a secret stands in the file itself; better: { env = "NAME" } or { file = "path" }'
            self.warnings.append(Problem(str(self._path), key, advice))
            self._warn_of_readers(self._path, key)
            return self._secret(value, key)
        if isinstance(value, list):
            return [self._value(name, one, f"{key}.{place}") for place, one in enumerate(value)]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1 and isinstance(variable := value.get("env"), str):
            return self._from_environment(variable, key)
        if len(value) == 1 and isinstance(path := value.get("file"), str):
            return self._from_file(path, key)
        return {inner: self._value(inner, one, f"{key}.{inner}") for inner, one in value.items()}

    def _from_environment(self, variable: str, key: str) -> object:
        value = self._environment.get(variable)
        if value is None:
            return self._refuse(key, f"the environment variable {variable!a} is not set")
        return self._secret(value, key)

    def _from_file(self, name: str, key: str) -> object:
        path = self._path.parent / Path(name).expanduser()
        try:
            text = _read_secret(path).decode("ascii")
        except OSError as exc:
            return self._refuse(key, f"the file {name!r} cannot be read: {exc.strerror or type(exc).__name__}")
        except UnicodeDecodeError:
            return self._refuse(key, f"the file {name!r} holds another character than printable ASCII")
        except ValueError as exc:
            return self._refuse(key, f"the file {name!r} {exc}")
        self._warn_of_readers(path, key)
        return self._secret(text.removesuffix("\n").removesuffix("\r"), key)

    def _secret(self, value: str, key: str) -> object:
        try:
            secret = Secret(value)
        except ValueError as exc:
            return self._refuse(key, str(exc))
        self.secrets.append(secret)
        return secret

    def _warn_of_readers(self, path: Path, key: str) -> None:
        if path.stat().st_mode & _OTHERS_READ:
            what = f"the file {str(path)!r} holds a secret, and others may read it; better: chmod 600"
            self.warnings.append(Problem(str(self._path), key, what))

    def _refuse(self, key: str, what: str) -> str:
        """Note a problem; the text stands in for the secret that is missing, and nobody gets to see it."""
        self.problems.append(Problem(str(self._path), key, what))
        return ""
