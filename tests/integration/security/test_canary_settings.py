"""Settings that cannot be used say so without showing a credential: in words, copies, and the frames that refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

import adapter_api
import adapter_host
import http_util
import openai_client
import providers
import worker_adapters.openai_http
from adapter_host import ConfigError, HostConfig
from http_util import Endpoint, HttpConfig, InvalidSettings
from openai_client import ApiVersionConfig, AsyncClient, Auth, Client, ClientConfig, Environment, OpenAIError
from providers import ProviderConfig
from tests.integration.security.canary import BEARER, GATEWAY, PROXY_AUTH, QUERY, shown_by, sightings
from worker_adapters.openai_http import OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.integration, pytest.mark.requirement("SEC-01", "SEC-07", "SEC-16")]

PROXY: Final = {"proxy": "http://proxy.example", "proxy_auth": PROXY_AUTH}
BESIDE: Final = {"default_headers": {"x-gateway-token": GATEWAY}, "default_query": {"subscription-key": QUERY}}

WRONG: Final[dict[str, tuple[Callable[..., Any], dict[str, Any]]]] = {
    "adapter, a timer": (OpenAIHttpConfig, {"idle_timeout": -1, **PROXY}),
    "adapter, the key": (OpenAIHttpConfig, {"api_key": f"{BEARER} x"}),
    "adapter, a name": (OpenAIHttpConfig, {"apikey": BEARER}),
    "adapter, the address": (OpenAIHttpConfig, {"base_url": f"https://u:{GATEWAY}@a/v1"}),
    "http, a timer": (HttpConfig, {"connect_timeout": -1, **PROXY}),
    "client, a timer": (Client, {"timeout": -1, **BESIDE}),
    "client, http": (Client, {"http": {"connect_timeout": -1, **PROXY}}),
    "client, a header": (AsyncClient, {"default_headers": {"x-gateway-token": f"{GATEWAY}\n"}}),
    "client, the key's header": (AsyncClient, {"default_headers": {"authorization": GATEWAY}}),
    "client, the address": (AsyncClient, {"base_url": f"https://u:{GATEWAY}@a/v1"}),
    "client, the official service": (Client, {"base_url": "https://api.openai.com/v1"}),
    "client, a name": (Client, {"nope": 1, **BESIDE}),
    "settings, a policy": (ClientConfig, {"retry": "never heard of", **BESIDE}),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_shows_no_credential(case: str) -> None:
    """Neither the wrong one nor those beside it."""
    make, wrong = WRONG[case]
    key = {} if make is HttpConfig else {"api_key": BEARER}
    with pytest.raises(Exception, match=r".") as caught:
        make(**{"base_url": "https://upstream.example/v1", **key, **wrong})
    assert sightings(shown_by(caught.value)) == []


# every setting that there is, with a credential in the place of its value

URL: Final = "https://upstream.example/v1"
TYPES: Final[dict[type, dict[str, Any]]] = {
    HttpConfig: {"base_url": URL},
    OpenAIHttpConfig: {"base_url": URL},
    ClientConfig: {"base_url": URL, "api_key": None},
    Environment: {},
    Auth: {},
    Endpoint: {"base_url": URL},
    ApiVersionConfig: {},
    ProviderConfig: {},
    HostConfig: {},
}
"""The public configurations in which a credential may stand, and what each needs."""
WITHOUT_CREDENTIALS: Final = {
    "BatchPolicy",
    "BodyLog",
    "BreakerPolicy",
    "CallOptions",
    "ClientSettings",
    "EgressPolicy",
    "HealthPolicy",
    "RateLimits",
    "RequestCompression",
    "Resilience",
    "RetryPolicy",
    "SessionLimits",
    "Timeouts",
}
"""Those of numbers, names of hosts and objects; no place for a credential."""
CONFIGURATION: Final = re.compile(r"(?:Config|Settings|Policy|Options|Limits|Timeouts|Log|Compression)$")
PACKAGES: Final = (adapter_api, http_util, openai_client, worker_adapters.openai_http, providers, adapter_host)


def names_of(kind: type) -> list[str]:
    """The settings of a configuration."""
    return [
        *getattr(kind, "model_fields", ()),
        *(item.name for item in getattr(kind, "__dataclass_fields__", {}).values()),
    ]


def test_no_configuration_is_left_out() -> None:
    """What is public and called a configuration is in one of the two lists."""
    found = {name for package in PACKAGES for name in package.__all__ if CONFIGURATION.search(name)}
    found -= {"InvalidConfiguration", "InvalidSettings", "LoadedConfig"}
    assert found - WITHOUT_CREDENTIALS <= {kind.__name__ for kind in TYPES}


VALUES: Final = (
    BEARER,
    f"https://user:{GATEWAY}@upstream.example/v1?key={QUERY}",
    # not encoded, as it should be
    f"socks5://{PROXY_AUTH[:8]}/{PROXY_AUTH[5:]}@proxy.example",
    [BEARER],
    {"name": BEARER},
)


def refusals(kind: type, name: str) -> Iterator[Exception]:
    """Yield what refuses a credential in the place of a setting."""
    for value in VALUES:
        try:
            kind(**{**TYPES[kind], name: value})
        except Exception as error:  # noqa: BLE001 - looked at by the test
            yield error


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in TYPES for name in [*names_of(kind), "no_such"]])
def test_a_credential_in_the_place_of_any_setting_is_not_shown(kind: type, name: str) -> None:
    """Where it is refused, nothing says what was refused, in words, copies, pickles, JSON or frames."""
    # a dataclass calls an unknown name a TypeError, as any function does
    kinds = (ValueError, OpenAIError) if name != "no_such" else (ValueError, OpenAIError, TypeError)
    for error in refusals(kind, name):
        assert isinstance(error, kinds)
        assert sightings(shown_by(error, by_rich=False)) == []


def test_that_is_seen_in_most_settings() -> None:
    """Of the configurations whose settings are all checked, none of the values passes for a number or a switch."""
    refused = {name for name in names_of(HttpConfig) if len(list(refusals(HttpConfig, name))) == len(VALUES)}
    assert len(refused) > len(names_of(HttpConfig)) / 2


@pytest.mark.parametrize(
    "write",
    [
        lambda: HttpConfig.model_validate({"base_url": URL, "proxy": BEARER}),
        lambda: HttpConfig.model_validate_json(f'{{"base_url": "{URL}", "proxy": "{BEARER}"}}'),
        lambda: HttpConfig.model_validate_json(f'{{"proxy": "{BEARER}'),
        lambda: HttpConfig.model_validate_strings({"base_url": URL, "proxy": BEARER}),
        lambda: setattr(HttpConfig(base_url=URL), "proxy", BEARER),
        lambda: OpenAIHttpConfig.model_validate({"base_url": URL, "api_key": f"{BEARER} "}),
        lambda: HostConfig.model_validate(
            {"pools": {"a": {"adapter": "x", "settings": {"api_key": BEARER}, "z": BEARER}}}
        ),
        lambda: HostConfig.from_mapping(
            {"pools": {"a": {"adapter": "x", "z": BEARER}, "b": {"adapter": "x", "settings": {"k": BEARER}}}}
        ),
        lambda: ProviderConfig.model_validate({"settings": {"api_key": BEARER}, "z": 1}),
        lambda: ClientConfig.from_settings({"base_url": BEARER}, api_key=BEARER),
        lambda: ClientConfig(base_url=URL, api_key=BEARER).with_settings(timeout=-1, admin_api_key=QUERY),
    ],
)
def test_no_other_way_to_make_one_shows_more(write: Callable[[], object]) -> None:
    """From a mapping, from JSON, from texts, by assignment, from what another one was."""
    with pytest.raises((InvalidSettings, ConfigError, OpenAIError)) as caught:
        write()
    shown = [one for one in shown_by(caught.value) if not one[1].startswith("lambda")]
    assert sightings(shown) == []


@pytest.mark.parametrize(
    "make",
    [Environment.from_env, ClientConfig.from_env, Client.from_env, AsyncClient.from_env, ProviderConfig.from_env],
    ids=["Environment", "ClientConfig", "Client", "AsyncClient", "ProviderConfig"],
)
def test_what_reads_an_environment_shows_nothing_of_it(make: Callable[..., object]) -> None:
    """Other programs' credentials stand there too; a traceback with locals would show all of them."""
    env = {
        "DATABASE_PASSWORD": GATEWAY,
        "OPENAI_API_KEY": f"{BEARER} with a space",
        "OPENAI_BASE_URL": f"https://user:{QUERY}@upstream.example/v1",
        "REQUEST_TIMEOUT_S": BEARER,
    }
    more = {"settings": {"api_key": BEARER}} if make == ProviderConfig.from_env else {}
    if make not in (Environment.from_env, ProviderConfig.from_env):
        more = {"admin_api_key": BEARER}
    with pytest.raises((ValueError, OpenAIError)) as caught:
        make(env=env, **more)
    assert sightings(shown_by(caught.value)) == []


def test_a_client_with_other_options_shows_none_either() -> None:
    """What it has and what it is given."""
    with Client(base_url="https://upstream.example/v1", api_key=BEARER, **BESIDE) as client:
        for wrong in ({"timeout": -1, "admin_api_key": BEARER}, {"retry": "never heard of"}, {"http": PROXY}):
            with pytest.raises(Exception, match=r".") as caught:
                client.with_options(**wrong)
            assert sightings(shown_by(caught.value)) == []
