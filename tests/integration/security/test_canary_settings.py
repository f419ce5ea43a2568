"""Settings that cannot be used say so without showing a credential: in words, copies, and the frames that refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from http_util.config import HttpConfig
from openai_client import AsyncClient, Client, ClientConfig
from tests.integration.security.canary import BEARER, GATEWAY, PROXY_AUTH, QUERY, shown_by, sightings
from worker_adapters.openai_http import OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Callable

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
    shown = list(shown_by(caught.value))
    # pydantic's own error carries what it was given to where it is unpickled
    assert sightings(one for one in shown if make is not HttpConfig or one[0] != "pickle") == []


def test_a_client_with_other_options_shows_none_either() -> None:
    """What it has and what it is given."""
    with Client(base_url="https://upstream.example/v1", api_key=BEARER, **BESIDE) as client:
        for wrong in ({"timeout": -1, "admin_key": BEARER}, {"retry": "never heard of"}, {"http": PROXY}):
            with pytest.raises(Exception, match=r".") as caught:
                client.with_options(**wrong)
            assert sightings(shown_by(caught.value)) == []
