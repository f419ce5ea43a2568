"""Compatible services as settings."""

from __future__ import annotations

import pytest

from openai_client.auth import AuthScheme
from openai_client.config import ClientConfig
from openai_client.endpoints import azure
from openai_client.errors import InvalidBaseUrl, InvalidConfiguration

RESOURCE = "https://example.openai.azure.com/"


@pytest.mark.requirement("CLI-07")
def test_azure_is_a_base_url_a_header_and_a_query() -> None:
    """Its keys have no official form, and need none."""
    config = ClientConfig(**azure(RESOURCE), api_key="0123456789abcdef")
    assert config.base_url == "https://example.openai.azure.com/openai/v1"
    assert config.auth_scheme is AuthScheme.API_KEY
    assert dict(config.auth.authorize().headers) == {"api-key": "0123456789abcdef"}
    older = ClientConfig(**azure(RESOURCE, deployment="gpt.4-o", api_version="2024-10-21"), api_key="k")
    assert older.base_url.endswith("/openai/deployments/gpt.4-o")
    assert dict(older.default_query) == {"api-version": "2024-10-21"}


@pytest.mark.requirement("CLI-07")
@pytest.mark.parametrize("address", ["https://n.openai.azure.com", "https://n.openai.azure.com/openai/v1/"])
def test_the_address_of_a_resource_may_hold_its_path(address: str) -> None:
    """The portal shows it with and without."""
    assert azure(address)["base_url"] == "https://n.openai.azure.com/openai/v1"
    older = azure(address, deployment="d", api_version="2024-10-21")
    assert older["base_url"] == "https://n.openai.azure.com/openai/deployments/d"


@pytest.mark.requirement("CLI-07", "CLI-08")
def test_a_token_of_entra_goes_as_bearer() -> None:
    """The function that gives it is asked for every call."""
    tokens = iter(["token-1-0123456789", "token-2-0123456789"])
    config = ClientConfig(**azure(RESOURCE, entra=True), api_key=lambda: next(tokens))
    assert dict(config.auth.authorize().headers) == {"authorization": "Bearer token-1-0123456789"}
    assert dict(config.auth.authorize().headers) == {"authorization": "Bearer token-2-0123456789"}


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"resource_url": "http://example.com"}, InvalidBaseUrl, "resource_url"),
        ({"deployment": "../x", "api_version": "2024-10-21"}, InvalidConfiguration, "deployment"),
        ({"deployment": "d"}, InvalidConfiguration, "api_version"),
        ({"api_version": "now&x=1"}, InvalidConfiguration, "api_version"),
    ],
)
def test_malformed_arguments_are_named(arguments, error: type, text: str) -> None:
    """Nothing of them may change the path."""
    with pytest.raises(error, match=text):
        azure(**({"resource_url": RESOURCE} | arguments))
