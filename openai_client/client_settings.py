"""
What a client is made with: settings put together, and what does not go together refused.

Spec: CLI-04, CLI-12, SEC-01
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from openai_client.config import ClientConfig
from openai_client.config_checks import check_names
from openai_client.errors import InvalidConfiguration, OpenAIError

if TYPE_CHECKING:
    from random import Random

    from http_util.resilience import Resilience
    from openai_client.config import ClientSettings

_PLACE: Final = frozenset({"base_url", "http"})


def check_transport(transport: object | None, resilience: Resilience | None, rng: Random | None) -> None:
    """
    Refuse what a transport that is brought along would leave unused.

    Raises:
        InvalidConfiguration: *resilience* or *rng* is given beside a *transport*.
    """
    for name, given in (("resilience", resilience), ("rng", rng)):
        if transport is not None and given is not None:
            raise InvalidConfiguration(f"{name}: belongs to the transport; give it to the one that is brought along")


def merged(config: ClientConfig | None, settings: ClientSettings, *beside: str) -> ClientConfig:
    """
    Return the settings of a new client: those of *config*, or the defaults, with *settings* in place of some.

    Args:
        config: The settings that are there.
        settings: Those in their place.
        beside: What else may be given where *settings* are, for whoever mistyped one.

    Raises:
        ConfigurationError: A setting is wrong.
    """
    _check_config(config)
    try:
        check_names(settings, {*ClientConfig.__dataclass_fields__, *beside})
        if config is None:
            return ClientConfig(**settings)
        return config.with_settings(**settings) if settings else config
    except OpenAIError as error:
        # these frames and the constructor's may be shown in a traceback, and credentials stand in the settings
        cast("dict[str, object]", settings).clear()
        error.__traceback__ = None
        raise


def moved(config: ClientConfig, settings: ClientSettings) -> ClientConfig:
    """
    Return the settings of a client that shares its connections with another one.

    Raises:
        ConfigurationError: A setting is wrong, or belongs to the connections.
    """
    if taken := sorted(_PLACE & settings.keys()):
        # as above
        cast("dict[str, object]", settings).clear()
        raise InvalidConfiguration(f"{', '.join(taken)}: belongs to the connections; make a client of its own for it")
    return merged(config, settings)


def _check_config(config: object) -> None:
    """Refuse what is no settings, such as a key that was given by position; it is not repeated."""
    if config is not None and not isinstance(config, ClientConfig):
        kind = type(config).__name__
        # the frame may be shown in a traceback
        del config
        raise InvalidConfiguration(
            f"config: must be a ClientConfig, not {kind}; everything else goes by name, as in Client(api_key=...)"
        )
