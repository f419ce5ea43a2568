"""The settings of a client: checked when made, silent about secrets, deaf to the environment."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from http_util.config import HttpConfig

URL = "https://api.example.com/v1"


@pytest.mark.requirement("HTU-1001", "HTU-01", "HTU-17", "HTU-10")
def test_the_defaults_are_those_of_the_documents() -> None:
    """Timeouts, pool and bounds."""
    config = HttpConfig(base_url=URL)
    assert (config.connect_timeout, config.pool_timeout, config.first_byte_timeout, config.idle_timeout) == (
        5,
        5,
        30,
        30,
    )
    assert (config.http2, config.max_idle_connections, config.keepalive_expiry, config.tcp_keepalive) == (
        True,
        8,
        90,
        60,
    )
    assert (config.max_event_bytes, config.max_body_bytes, config.max_header_bytes) == (1 << 20, 64 << 20, 32 << 10)
    assert (config.proxy, config.ca_file, config.insecure_skip_verify_for_tests_only) == (None, None, False)


def test_every_field_is_described_with_its_unit() -> None:
    """A number without a unit helps nobody."""
    for name, field in HttpConfig.model_fields.items():
        assert field.description, name
        if name.endswith(("_timeout", "_expiry")) or name == "tcp_keepalive":
            assert "econds" in field.description, name
        if name.endswith("_bytes"):
            assert "bytes" in field.description, name


@pytest.mark.requirement("HTU-SEC-1401", "SEC-10", "SEC-12")
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"base_url": "http://example.com"}, "base_url must be https://"),
        ({"base_url": "https://u:hunter2@h"}, "base_url must not hold a user name"),
        ({"base_url": URL, "timeout": 5}, "timeout"),
        ({"base_url": URL, "connect_timeout": 0}, "connect_timeout"),
        ({"base_url": URL, "connect_timeout": float("inf")}, "connect_timeout"),
        ({"base_url": URL, "idle_timeout": -1}, "idle_timeout"),
        ({"base_url": URL, "max_event_bytes": 5}, "max_event_bytes"),
        ({"base_url": URL, "proxy": "http://u:hunter2@proxy:3128"}, "proxy must not hold a user name"),
        ({"base_url": URL, "proxy": "socks5://proxy"}, "proxy must begin with"),
        ({"base_url": URL, "proxy_auth": "u:hunter2"}, "proxy_auth and no_proxy need a proxy"),
        ({"base_url": URL, "no_proxy": ["a.example"]}, "proxy_auth and no_proxy need a proxy"),
        ({"base_url": URL, "proxy": "http://proxy:3128", "proxy_auth": "hunter2"}, "proxy_auth must be user:password"),
        ({"base_url": URL, "proxy": "http://proxy:3128", "proxy_auth": "u:hunter2 x"}, "proxy_auth"),
        ({"base_url": URL, "egress": ["other.example"]}, "egress must allow the host of base_url"),
        ({"base_url": URL, "egress": ["a b"]}, "egress must hold host or host:port|host name or an IP"),
        ({"base_url": URL, "plain_http_hosts": ["a b"]}, "plain_http_hosts must hold"),
        ({"base_url": URL, "user_agent": "line\nbreak"}, "user_agent"),
    ],
)
def test_a_wrong_setting_is_one_error_that_names_it_and_shows_no_secret(settings: dict[str, object], text: str) -> None:
    """Before any socket is opened."""
    with pytest.raises(ValidationError, match=text) as caught:
        HttpConfig(**settings)
    assert "hunter2" not in str(caught.value)


@pytest.mark.requirement("HTU-EXP-1101", "SEC-12")
def test_the_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither settings nor proxies nor authorities come from variables."""
    for name in ("BASE_URL", "PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "CA_FILE", "HTTP2"):
        monkeypatch.setenv(name, "http://evil.example:1")
    config = HttpConfig(base_url=URL)
    assert (config.base_url, config.proxy, config.ca_file) == (URL, None, None)


@pytest.mark.requirement("SEC-11")
def test_the_egress_policy_is_the_base_urls_host_unless_a_list_is_given() -> None:
    """The default allows one host and one port."""
    assert HttpConfig(base_url=URL).egress_policy.describe() == ["api.example.com:443"]
    config = HttpConfig(base_url=URL, egress=["api.example.com", "b.example:8443"])
    assert config.egress_policy.describe() == ["api.example.com", "b.example:8443"]


def test_settings_are_immutable_and_show_no_proxy_password() -> None:
    """Repr and dumps mask it."""
    config = HttpConfig(base_url=URL, proxy="http://proxy:3128", proxy_auth="u:hunter2", no_proxy=["A.Example"])
    assert config.no_proxy == ("a.example",)
    assert "hunter2" not in repr(config) + config.model_dump_json()
    with pytest.raises(ValidationError):
        config.http2 = False
