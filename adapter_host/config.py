"""
What a configuration file says, as values: pools, their adapters and settings, the host's own policies.

    [host]                              # all optional
    strict = false                      # refuse to start when an installed plugin cannot be used
    grace = 5.0                         # seconds
    [host.breaker]                      # or: breaker = false, or true
    failure_threshold = 5

    [pools.chat]
    adapter = "openai-http"             # as `adapter-host list` calls it
    [pools.chat.settings]               # what the adapter takes
    base_url = "https://127.0.0.1:8443/v1"
    api_key = { env = "CHAT_API_KEY" }  # or { file = "chat.key" }
    [pools.chat.replicas.a.settings]    # optional: added to the pool's settings, one table for each replica
    base_url = "https://127.0.0.1:8444/v1"

Pure: reading files and the environment is `adapter_host.config_file`.

Spec: HST-10, HST-11
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from adapter_host.plugins import LOAD_TIMEOUT
from adapter_host.readiness import CHECK_TIMEOUT, GOOD_FOR
from http_util.breaker import BreakerPolicy
from http_util.redact import is_sensitive_name, safe_message
from http_util.secret import Secret
from http_util.settings_errors import InvalidSettings, setting_problems
from http_util.settings_model import SettingsModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from http_util.settings_errors import SettingProblem

DEFAULT_REPLICA: Final = "0"
"""Id of a pool's only replica when the configuration names none."""

_HOUR: Final = 3600.0
_Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Seconds = Annotated[float, Field(ge=0, le=_HOUR, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a configuration, or worth a warning. Never holds a secret."""

    where: str
    """The file."""
    key: str
    """Path of the key, as `pools.chat.adapter`; empty for the file as a whole."""
    what: str
    """What is wrong and what would be accepted."""

    def __str__(self) -> str:
        """One line."""
        return ": ".join(part for part in (self.where, self.key, self.what) if part)


class ConfigError(ValueError):
    """
    A configuration cannot be used. The text lists everything that is wrong, one a line, and no secret.

    Spec: HST-10
    """

    def __init__(
        self, problems: Sequence[Problem], *, is_unknown_adapter: bool = False, usable: HostConfig | None = None
    ) -> None:
        """
        Report *problems*.

        Args:
            problems: One or more.
            is_unknown_adapter: Whether the only fault is that adapters are not installed.
            usable: The part of the configuration that may be looked at further.
        """
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems: tuple[Problem, ...] = tuple(problems)
        """Everything that is wrong."""
        self.is_unknown_adapter: bool = is_unknown_adapter
        """Whether the only fault is that adapters are not installed."""
        self.usable: HostConfig | None = usable
        """
        The part in which nothing was wrong so far: its adapters may have more to say. None: there is none, or the error
        is a copy, for settings may hold secrets.
        """

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle and copy the problems alone."""
        return _rebuilt, (type(self), self.problems, self.is_unknown_adapter)


def _rebuilt(kind: type[ConfigError], problems: Sequence[Problem], *known: bool) -> ConfigError:
    """Return the error that was pickled."""
    return kind(problems, is_unknown_adapter=all(known))


class _Section(SettingsModel):
    model_config = ConfigDict(strict=True)


class BreakerSettings(_Section):
    """`[host.breaker]`: when the breaker of a pool opens and how it closes."""

    failure_threshold: int = Field(default=5, ge=1, description="Failures within the window that open it.")
    success_threshold: int = Field(default=3, ge=1, description="Good trials in a row that close it.")
    failure_window: float = Field(default=60.0, gt=0, le=_HOUR, description="Seconds for which a failure counts.")
    recovery_timeout: float = Field(default=30.0, gt=0, le=_HOUR, description="Seconds from opening to a trial.")

    def policy(self) -> BreakerPolicy:
        """The same as the host takes it."""
        return BreakerPolicy(**self.model_dump())


class HostSettings(_Section):
    """`[host]`: policies of the host itself."""

    strict: bool = Field(default=False, description="Refuse to start when an installed plugin cannot be used.")
    grace: _Seconds = Field(default=5.0, description="Seconds that running tasks get when the host closes.")
    allow_pin: bool = Field(default=True, description="Whether a task may name its pool itself.")
    health_good_for: _Seconds = Field(default=GOOD_FOR, description="Seconds for which a readiness is believed.")
    health_timeout: _Seconds = Field(default=CHECK_TIMEOUT, description="Seconds that a replica has to answer.")
    plugin_timeout: _Seconds = Field(default=LOAD_TIMEOUT, description="Seconds that a plugin has to load.")
    breaker: BreakerSettings | Literal[False] = Field(
        default=BreakerSettings(), description="The breaker of each pool; true for the defaults, false for none."
    )

    @field_validator("breaker", mode="before")
    @classmethod
    def _switched(cls, value: object) -> object:
        """True as the defaults."""
        return BreakerSettings() if value is True else value


class ReplicaSettings(_Section):
    """`[pools.<id>.replicas.<id>]`: what is different for one replica."""

    settings: dict[str, Any] = Field(
        default_factory=dict, repr=False, description="Added to the pool's settings, and before them."
    )


class PoolSettings(_Section):
    """`[pools.<id>]`: an adapter and what it takes."""

    adapter: _Id = Field(description="Name of an installed adapter, as `adapter-host list` shows it.")
    settings: dict[str, Any] = Field(
        default_factory=dict, repr=False, description="What the adapter takes; it checks them itself."
    )
    replicas: dict[_Id, ReplicaSettings] = Field(default_factory=dict, description="One table for each replica.")

    def replica_settings(self) -> dict[str, dict[str, Any]]:
        """The settings of each replica by its id; one replica, `0`, when none is named."""
        if not self.replicas:
            return {DEFAULT_REPLICA: dict(self.settings)}
        return {name: {**self.settings, **replica.settings} for name, replica in self.replicas.items()}


class HostConfig(_Section):
    """
    A whole configuration.

    Example:
        >>> config = HostConfig.from_mapping({"pools": {"chat": {"adapter": "echo"}}})
        >>> config.pools["chat"].replica_settings()
        {'0': {}}
    """

    host: HostSettings = HostSettings()
    pools: dict[_Id, PoolSettings] = Field(default_factory=dict, description="Pools by id.")

    @classmethod
    def from_mapping(
        cls, content: Mapping[str, Any], *, where: str = "configuration", secrets: Iterable[Secret] = ()
    ) -> HostConfig:
        """
        The configuration that plain values describe.

        Args:
            content: As a TOML file gives it, references to secrets resolved.
            where: Names the source in errors.
            secrets: Removed from errors, should one turn up there.

        Raises:
            ConfigError: Everything that is wrong, with the path of each key.
        """
        try:
            return cls.model_validate(dict(content))
        except InvalidSettings as error:
            problems = problems_of(error, where, (), secrets, given=content, schema=cls.model_json_schema())
            usable = cls._usable_part(content)
        # this frame may be shown in a traceback, and credentials may stand in the settings
        del content
        raise ConfigError(problems, usable=usable)

    @classmethod
    def _usable_part(cls, content: Mapping[str, Any]) -> HostConfig:
        """The pools of *content* in which nothing is wrong, and the host's policies where nothing is."""
        given = content.get("pools")
        tables = given.items() if isinstance(given, Mapping) else ()
        pools = {name: pool for name, pool in tables if _is_valid(cls, {"pools": {name: pool}})}
        host = {"host": content["host"]} if "host" in content and _is_valid(cls, {"host": content["host"]}) else {}
        return cls.model_validate({**host, "pools": pools})


def _is_valid(model: type[SettingsModel], content: Mapping[str, Any]) -> bool:
    try:
        model.model_validate(content)
    except InvalidSettings:
        return False
    return True


def problems_of(
    error: ValueError,
    where: str,
    prefix: Sequence[str],
    secrets: Iterable[Secret] = (),
    *,
    given: Mapping[str, Any],
    schema: Mapping[str, Any],
) -> list[Problem]:
    """
    What *error* says is wrong, one problem for each key, without the values.

    Args:
        error: What refused the settings.
        where: The file.
        prefix: Path of the keys that lead to what was refused.
        secrets: Removed, should one turn up.
        given: What was refused.
        schema: What would have been accepted, as a JSON schema; empty when it is not known.
    """
    known = [secret.reveal() for secret in secrets]
    return [
        Problem(
            where,
            safe_message(".".join([*prefix, *one.path]), known),
            safe_message(_in_words_of_the_file(one, given), known, limit=_LONGEST_PROBLEM),
        )
        for one in setting_problems(error, given, schema)
    ]


_LONGEST_PROBLEM: Final = 2048
"""Characters of what is said of one key: the names of all that an adapter takes find room."""


def _in_words_of_the_file(problem: SettingProblem, given: Mapping[str, Any]) -> str:
    """What is wrong; where a secret belongs, the ways in which a file gives one."""
    value: Any = given
    for part in problem.path:
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping) and set(value) == {"env", "file"}:
        return "expected one of env and file, got both"
    is_for_a_secret = bool(problem.path) and is_sensitive_name(problem.path[-1])
    if is_for_a_secret and value is not None and not isinstance(value, str | Secret):
        return 'expected a text, { env = "NAME" } or { file = "PATH" }'
    return problem.what
