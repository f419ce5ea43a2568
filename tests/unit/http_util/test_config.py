"""The settings of a client: checked when made, silent about secrets, deaf to the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from http_util.config import HttpConfig
from http_util.secret import Secret
from http_util.settings_errors import InvalidSettings
from tests.shown_errors import with_locals

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
    assert (config.engine, config.http2_ping_interval, config.http2_ping_timeout) == ("asyncio", 20, 5)
    assert (config.client_cert_file, config.client_key_file, config.client_key_password) == (None, None, None)
    assert (config.egress_networks, config.egress_public_only) == ((), False)


def test_every_field_is_described_with_its_unit() -> None:
    """A number without a unit helps nobody."""
    for name, field in HttpConfig.model_fields.items():
        assert field.description, name
        if name.endswith(("_timeout", "_expiry", "_interval")) or name == "tcp_keepalive":
            assert "econds" in field.description, name
        if name.endswith("_bytes"):
            assert "bytes" in field.description, name


def test_the_page_holds_every_field_with_its_default() -> None:
    """A field that is added, renamed or given another default fails here until the page follows."""
    rows = []
    for name, field in HttpConfig.model_fields.items():
        default = "required" if field.is_required() else f"`{field.get_default()!r}`"
        rows.append(f"| `{name}` | {default} | {field.description} |")
    page = Path(__file__).parents[3] / "docs" / "client.md"
    assert "\n".join(["| setting | default | what it says |", "|---|---|---|", *rows]) in page.read_text()


@pytest.mark.requirement("HTU-SEC-1401", "SEC-10", "SEC-12")
@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"base_url": "http://example.com"}, "base_url: must be https://"),
        ({"base_url": "https://u:hunter2@h"}, "base_url: must not hold a user name"),
        ({"base_url": URL, "timeout": 5}, "timeout"),
        ({"base_url": URL, "connect_timeout": 0}, "connect_timeout"),
        ({"base_url": URL, "connect_timeout": float("inf")}, "connect_timeout"),
        ({"base_url": URL, "idle_timeout": -1}, "idle_timeout"),
        ({"base_url": URL, "max_event_bytes": 5}, "max_event_bytes"),
        ({"base_url": URL, "proxy": "http://u:hunter2@proxy:3128"}, "proxy: must not hold a user name"),
        ({"base_url": URL, "proxy": "socks4://proxy"}, "proxy: must begin with"),
        ({"base_url": URL, "proxy": "socks5://proxy", "engine": "httpx"}, "proxy: must be http:// or https://, and"),
        ({"base_url": URL, "proxy": "http://p", "no_proxy": ["a.b"], "engine": "httpx"}, "and no_proxy empty, with e"),
        ({"base_url": URL, "proxy": "http://proxy", "no_proxy": ["*.a"]}, "no_proxy: must hold a host"),
        ({"base_url": URL, "proxy": "http://proxy", "no_proxy": ["10.0.0.1/8"]}, "no_proxy: must hold ranges"),
        ({"base_url": URL, "proxy": "socks5://p", "proxy_auth": "hunter2"}, "proxy_auth: must be user:password"),
        ({"base_url": URL, "proxy": "socks5://p", "proxy_auth": "hunter2:"}, "proxy_auth: must have a user and a"),
        ({"base_url": URL, "proxy": "socks5://p", "proxy_auth": ":hunter2"}, "proxy_auth: must have a user and a"),
        ({"base_url": URL, "proxy": "socks5://p", "proxy_auth": "hunter2" * 40 + ":p"}, "of 1 to 255 characters"),
        ({"base_url": URL, "proxy": "socks5://p", "proxy_auth": "u:" + "hunter2" * 40}, "of 1 to 255 characters"),
        ({"base_url": URL, "engine": "curl"}, "engine"),
        ({"base_url": URL, "engine": "httpx", "egress_networks": ["10.0.0.0/8"]}, "egress_networks: needs engine"),
        ({"base_url": URL, "egress_networks": ["10.0.0.1/8"]}, "egress_networks: must hold ranges"),
        (
            {"base_url": URL, "engine": "httpx", "egress_public_only": True},
            "egress_public_only: needs engine 'asyncio'",
        ),
        ({"base_url": URL, "proxy": "http://p", "egress_public_only": True}, "egress_public_only and a proxy exclude"),
        (
            {"base_url": "https://10.0.0.1", "egress_public_only": True},
            "egress_public_only: forbids 10.0.0.1: name a p",
        ),
        ({"base_url": "http://localhost", "egress_public_only": True}, "egress_public_only: forbids localhost: name a"),
        (
            {"base_url": URL, "egress": ["api.example.com", "[fd00::1]:8000"], "egress_public_only": True},
            "egress_public_only: forbids fd00::1: name a public host, or leave the rule out",
        ),
        ({"base_url": URL, "http2_ping_interval": 0}, "http2_ping_interval"),
        ({"base_url": URL, "http2_ping_timeout": None}, "http2_ping_timeout"),
        ({"base_url": URL, "client_key_file": "k.pem"}, "client_key_file and client_key_password need client_cert_f"),
        ({"base_url": URL, "client_key_password": "hunter2"}, "client_key_password need client_cert_file"),
        ({"base_url": URL, "client_cert_file": "c.pem", "client_key_password": "hunter 2"}, "client_key_password"),
        ({"base_url": URL, "proxy_auth": "u:hunter2"}, "proxy_auth and no_proxy need a proxy"),
        ({"base_url": URL, "no_proxy": ["a.example"]}, "proxy_auth and no_proxy need a proxy"),
        ({"base_url": URL, "proxy": "http://proxy:3128", "proxy_auth": "hunter2"}, "proxy_auth: must be user:password"),
        ({"base_url": URL, "proxy": "http://proxy:3128", "proxy_auth": "u:hunter2 x"}, "proxy_auth"),
        ({"base_url": URL, "egress": ["other.example"]}, "egress: must allow the host of base_url"),
        ({"base_url": URL, "egress": ["a b"]}, "egress: must hold host or host:port|host name or an IP"),
        ({"base_url": URL, "plain_http_hosts": ["a b"]}, "plain_http_hosts: must hold"),
        ({"base_url": URL, "user_agent": "line\nbreak"}, "user_agent"),
        ({"base_url": URL, "max_body_log_length": 65_537}, "max_body_log_length"),
        ({"base_url": URL, "redaction_patterns": ["a", "("]}, r"redaction_patterns\.1: is no regular expression: m"),
        ({"base_url": URL, "redaction_patterns": [""]}, r"redaction_patterns\.0"),
    ],
)
def test_a_wrong_setting_is_one_error_that_names_it_and_shows_no_secret(settings: dict[str, object], text: str) -> None:
    """Before any socket is opened."""
    with pytest.raises(InvalidSettings, match=text) as caught:
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
    with pytest.raises(InvalidSettings):
        config.http2 = False


@pytest.mark.requirement("SEC-11")
def test_networks_are_part_of_the_egress_policy_with_and_without_a_list_of_hosts() -> None:
    """In their normal form."""
    for egress in ((), ("api.example.com",)):
        config = HttpConfig(base_url=URL, egress=egress, egress_networks=["10.0.0.1", "FD00::/8"])
        assert config.egress_networks == ("10.0.0.1/32", "fd00::/8")
        assert [str(network) for network in config.egress_policy.networks] == ["10.0.0.1/32", "fd00::/8"]
        assert not config.egress_policy.public_only
        assert HttpConfig(base_url=URL, egress=egress, egress_public_only=True).egress_policy.public_only


@pytest.mark.requirement("SEC-12")
@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
def test_a_proxy_has_one_of_four_schemes_and_perhaps_credentials(scheme: str) -> None:
    """What is called directly is written the way it is compared."""
    config = HttpConfig(
        base_url=URL,
        proxy=f"{scheme}://proxy.example:3128",
        proxy_auth="user:pass:word",
        no_proxy=["A.Example", ".Corp.Example", "10.0.0.0/8", "[::1]"],
    )
    assert config.no_proxy == ("a.example", ".corp.example", "10.0.0.0/8", "::1")


def test_a_user_without_a_password_is_good_enough_for_an_http_proxy() -> None:
    """Basic credentials may lack either."""
    assert HttpConfig(base_url=URL, proxy="http://proxy", proxy_auth="token:").proxy_auth is not None


def test_the_key_of_a_client_certificate_is_described_and_its_password_is_not_shown() -> None:
    """Files are looked at when the client is built."""
    config = HttpConfig(base_url=URL, client_cert_file="c.pem", client_key_file="k.pem", client_key_password="hunter2")
    assert str(config.client_key_file) == "k.pem"
    assert "hunter2" not in repr(config) + config.model_dump_json()


def test_no_frame_of_a_refusal_holds_the_proxys_password() -> None:
    """Whoever prints the locals of a traceback prints none of it."""
    password = Secret("u:" + "x" * 300)
    with pytest.raises(InvalidSettings) as caught:
        HttpConfig(base_url=URL, proxy="socks5://proxy", proxy_auth=password)
    assert "xxxxxx" not in with_locals(caught.value)


@pytest.mark.requirement("SEC-14", "SEC-13")
def test_bodies_are_logged_only_when_the_settings_say_so() -> None:
    """Off by default, each kind by itself."""
    assert not HttpConfig(base_url=URL).body_log.is_on
    log = HttpConfig(base_url=URL, log_response_bodies=True, max_body_log_length=5, redaction_patterns=["a+"]).body_log
    assert (log.log_request_bodies, log.log_response_bodies) == (False, True)
    assert log.shown(b"caat and dog", content_type="text/plain") == "c***…"
