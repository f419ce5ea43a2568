from __future__ import annotations

from typing import Any

import pytest

from http_util import InvalidSettings
from openai_client import MissingApiKey
from providers import FakeProvider, OpenAIProvider, ProviderConfig, make_provider, open_provider

HERE = "tests.unit.providers.test_configuration"


class Closing(FakeProvider):
    """A provider of somebody else, which has to be closed."""

    is_closed = False

    async def aclose(self) -> None:
        """Note it."""
        self.is_closed = True


def make_closing(config: ProviderConfig) -> Closing:
    """The factory that a configuration names."""
    return Closing(**config.settings)


def make_nothing(config: ProviderConfig) -> object:
    """A factory whose product is no provider."""
    return object()


@pytest.mark.requirement("PRV-07")
@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, ("openai", 60.0)),
        ({"PROVIDER": "", "REQUEST_TIMEOUT_S": ""}, ("openai", 60.0)),
        ({"PROVIDER": "fake", "REQUEST_TIMEOUT_S": "2.5"}, ("fake", 2.5)),
        ({"REQUEST_TIMEOUT_S": "86400"}, ("openai", 86_400.0)),
    ],
)
def test_the_environment_says_which_provider_and_how_long(env, expected):
    """What it does not say is the default."""
    config = ProviderConfig.from_env(env=env)
    assert (config.provider, config.request_timeout_s) == expected


@pytest.mark.requirement("PRV-07")
def test_the_process_environment_is_read_only_when_asked(monkeypatch):
    """The constructor does not look at it."""
    monkeypatch.setenv("REQUEST_TIMEOUT_S", "5")
    assert ProviderConfig().request_timeout_s == 60.0
    assert ProviderConfig.from_env().request_timeout_s == 5.0


@pytest.mark.requirement("PRV-07")
@pytest.mark.parametrize("given", ["0", "-1", "86401", "inf", "soon"])
def test_a_timeout_that_is_none_is_refused(given):
    """The error names the variable, and shows nothing of what stood there."""
    with pytest.raises(ValueError, match=r"REQUEST_TIMEOUT_S: expected seconds above 0, at most 86400$"):
        ProviderConfig.from_env(env={"REQUEST_TIMEOUT_S": given})


def test_settings_are_not_shown_and_typos_are_refused():
    """Settings hold keys."""
    config = ProviderConfig(settings={"api_key": "sk-secret-0123456789"})
    assert "sk-" not in repr(config)
    wrong: dict[str, Any] = {"request_timeout": "sk-secret-0123456789"}
    with pytest.raises(InvalidSettings) as caught:
        ProviderConfig(**wrong)
    assert "sk-" not in str(caught.value)


@pytest.mark.requirement("PRV-11")
async def test_a_name_in_the_configuration_decides_the_provider():
    """Nothing else changes."""
    settings = {"base_url": "http://localhost:8000/v1", "api_key": None}
    async with open_provider(ProviderConfig(provider="openai", settings=settings)) as provider:
        assert isinstance(provider, OpenAIProvider)
    async with open_provider(ProviderConfig(provider="fake", settings={"models": ("a", "b")})) as provider:
        assert [model.id for model in (await provider.list_models()).data] == ["a", "b"]


@pytest.mark.requirement("PRV-10", "PRV-11")
async def test_a_provider_of_somebody_else_is_named_by_its_factory_and_closed():
    """Also when the block fails."""
    config = ProviderConfig(provider=f"{HERE}:make_closing")
    with pytest.raises(LookupError):
        async with open_provider(config) as provider:
            raise LookupError
    assert type(provider).__name__ == "Closing"
    assert provider.is_closed


@pytest.mark.parametrize("name", ["opneai", "no.such.module:make", f"{HERE}:nothing", "", "a b", "os:"])
def test_a_provider_that_is_not_found_is_named_beside_those_that_are(name):
    """A typing mistake is found at once."""
    with pytest.raises((ValueError, TypeError), match=r"provider: .*package\.module:factory"):
        make_provider(ProviderConfig(provider=name))


@pytest.mark.parametrize("name", [f"{HERE}:HERE", f"{HERE}:make_nothing"])
def test_what_makes_no_provider_is_refused(name):
    """Before anybody calls it."""
    with pytest.raises(TypeError, match="provider: "):
        make_provider(ProviderConfig(provider=name))


def test_a_setting_that_is_wrong_is_the_clients_own_error():
    """It says more than a failed call could."""
    with pytest.raises(MissingApiKey):
        make_provider(ProviderConfig(provider="openai"))
