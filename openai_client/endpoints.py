"""
Where compatible services are, as settings for `ClientConfig`: data, no behaviour.

Spec: CLI-07
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypedDict

from openai_client.auth import AuthScheme
from openai_client.environment import checked_base_url
from openai_client.errors import InvalidConfiguration

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEPLOYMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?|preview|latest")


class AzureSettings(TypedDict):
    """What `azure` sets, and nothing else: so the other settings can stand beside it."""

    base_url: str
    auth_scheme: AuthScheme
    default_query: Mapping[str, str]


def azure(
    resource_url: str, *, deployment: str | None = None, api_version: str | None = None, entra: bool = False
) -> AzureSettings:
    """
    Return the settings for an Azure OpenAI resource; add `api_key`.

    Args:
        resource_url: `https://NAME.openai.azure.com`, or any other address of the resource, also with `/openai/v1`.
        deployment: Uses the older, deployment-based paths, in which the deployment and not `model` chooses the model;
            None uses the `/openai/v1` paths.
        api_version: The `api-version` of every call; needed with a deployment.
        entra: Whether `api_key` is a token of Microsoft Entra ID, or a function that returns one, such as that of
            `azure.identity.get_bearer_token_provider`: it goes as `Authorization: Bearer`, and a key as `api-key`.

    Raises:
        InvalidBaseUrl: *resource_url* cannot be used.
        InvalidConfiguration: The deployment or the version is malformed, or the version is missing.

    Example:
        >>> azure("https://example.openai.azure.com")["base_url"]
        'https://example.openai.azure.com/openai/v1'
        >>> settings = azure("https://example.openai.azure.com/", deployment="d1", api_version="2024-10-21")
        >>> settings["base_url"], dict(settings["default_query"])
        ('https://example.openai.azure.com/openai/deployments/d1', {'api-version': '2024-10-21'})

    Spec: CLI-07
    """
    root = checked_base_url(resource_url, field="resource_url").removesuffix("/openai/v1")
    if deployment is not None and not _DEPLOYMENT.fullmatch(deployment):
        raise InvalidConfiguration(f"deployment: must be letters, digits, '.', '_' or '-', not {deployment[:64]!r}")
    if api_version is not None and not _VERSION.fullmatch(api_version):
        raise InvalidConfiguration(f"api_version: must be a date like 2024-10-21, not {api_version[:32]!r}")
    if deployment is not None and api_version is None:
        raise InvalidConfiguration("api_version: deployment-based paths need one, such as 2024-10-21")
    return {
        "base_url": f"{root}/openai/v1" if deployment is None else f"{root}/openai/deployments/{deployment}",
        "auth_scheme": AuthScheme.BEARER if entra else AuthScheme.API_KEY,
        "default_query": {} if api_version is None else {"api-version": api_version},
    }
