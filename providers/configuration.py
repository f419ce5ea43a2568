"""
Which provider is used, as configuration: nothing that asks a provider names one.

Spec: PRV-07, PRV-10, PRV-11
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import asynccontextmanager
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from http_util.config import Seconds
from http_util.frames import shows_no_arguments
from http_util.settings_errors import InvalidSettings
from http_util.settings_model import SettingsModel
from providers.provider import Provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FACTORIES: Final = {
    "fake": "providers.fake_provider:FakeProvider.from_config",
    "openai": "providers.openai_provider:OpenAIProvider.from_config",
}
"""The providers of this package: name and factory, which takes a `ProviderConfig`."""


class ProviderConfig(SettingsModel):
    """
    The provider to use and its settings. Immutable; unknown fields are refused, settings are never shown.

    Example:
        >>> ProviderConfig.from_env(env={"PROVIDER": "fake", "REQUEST_TIMEOUT_S": "2.5"})
        ProviderConfig(provider='fake', request_timeout_s=2.5)

    Spec: PRV-07, PRV-11
    """

    provider: str = Field(default="openai", description="A name in FACTORIES, or `package.module:factory`.")
    request_timeout_s: Seconds = Field(
        default=60.0, description="Seconds for one call, all of it; above 0, at most a day."
    )
    settings: Mapping[str, Any] = Field(default_factory=dict, repr=False, description="What the factory understands.")

    @classmethod
    @shows_no_arguments
    def from_env(
        cls, *, env: Mapping[str, str] | None = None, settings: Mapping[str, Any] | None = None
    ) -> ProviderConfig:
        """
        Return what `PROVIDER` and `REQUEST_TIMEOUT_S` say; a variable that is absent or empty leaves the default.

        Args:
            env: Read instead of the process's environment.
            settings: Of the provider; they are not looked for in the environment.

        Raises:
            ValueError: `REQUEST_TIMEOUT_S` is no number of seconds in its range.
        """
        found = os.environ if env is None else env
        given: dict[str, Any] = {"settings": dict(settings or {})}
        if found.get("PROVIDER"):
            given["provider"] = found["PROVIDER"]
        if found.get("REQUEST_TIMEOUT_S"):
            given["request_timeout_s"] = found["REQUEST_TIMEOUT_S"]
        try:
            return cls.model_validate(given)
        except InvalidSettings:
            problem = "REQUEST_TIMEOUT_S: expected seconds above 0, at most 86400"
        raise ValueError(problem)


def make_provider(config: ProviderConfig) -> Provider:
    """
    Return the provider that *config* names; the caller closes it, if it can be closed. See `open_provider`.

    Raises:
        ValueError: There is no such provider.
        TypeError: What its factory made has not the methods of `Provider`.
    """
    try:
        factory = resolve_name(FACTORIES.get(config.provider, config.provider))
    except (AttributeError, ImportError, ValueError) as error:
        raise ValueError(
            f"provider: found no {config.provider!r}; known are {', '.join(sorted(FACTORIES))}, others are given as "
            f"package.module:factory"
        ) from error
    if not callable(factory):
        raise TypeError(f"provider: {config.provider!r} is not a factory; give it as package.module:factory")
    made = factory(config)
    if not isinstance(made, Provider):
        raise TypeError(f"provider: {config.provider!r} made {type(made).__name__}, which lacks methods of Provider")
    return made


@asynccontextmanager
async def open_provider(config: ProviderConfig) -> AsyncIterator[Provider]:
    """
    Give the provider that *config* names, and close it at the end of the block if it has an `aclose`.

    Errors as `make_provider`.

    Example:
        >>> import asyncio
        >>> async def models(config: ProviderConfig) -> list[str]:
        ...     async with open_provider(config) as provider:
        ...         return [model.id for model in (await provider.list_models()).data]
        >>> asyncio.run(models(ProviderConfig(provider="fake")))
        ['fake-model']

    Spec: PRV-11
    """
    provider = make_provider(config)
    try:
        yield provider
    finally:
        close = getattr(provider, "aclose", None)
        if close is not None:
            await close()
