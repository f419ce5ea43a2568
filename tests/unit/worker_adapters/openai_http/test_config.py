"""Settings: every wrong value gets one error that names the field and shows no secret, before anything is opened."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from http_util.retry import AVAILABLE, RetryPolicy
from http_util.settings_errors import InvalidSettings
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

URL = "http://127.0.0.1:8000/v1"


def refused(**settings: Any) -> str:
    """The text of the one error that *settings* get, traceback included."""
    with pytest.raises(InvalidSettings) as caught:
        OpenAIHttpConfig(**{"base_url": URL, **settings})
    assert len(caught.value.problems) == 1
    return "".join(traceback.format_exception(caught.value))


def lines(**settings: Any) -> list[str]:
    """What is said of *settings*."""
    with pytest.raises(InvalidSettings) as caught:
        OpenAIHttpConfig(**{"base_url": URL, **settings})
    return str(caught.value).splitlines()


@pytest.mark.requirement("ADP-14", "ADP-33", "ADP-35")
def test_the_defaults_are_those_that_the_documents_name() -> None:
    """Every setting has a default but the address."""
    config = OpenAIHttpConfig(base_url=URL)
    assert (config.api, config.dialect, config.retry, config.max_slots) == (
        "chat",
        "generic",
        RetryPolicy(name="billing_safe"),
        64,
    )
    assert (config.connect_timeout, config.pool_timeout) == (5.0, 5.0)
    assert (config.first_byte_timeout, config.idle_timeout, config.content_timeout) == (30.0, 30.0, 120.0)
    assert (config.http2, config.ca_file, config.proxy, config.egress) == (True, None, None, ())
    assert config.http.base_url == URL


@pytest.mark.requirement("ADP-14")
def test_a_policy_is_given_by_name_by_value_or_not_at_all() -> None:
    """Names become the policies; a policy of one's own is taken as it is; None means one attempt."""
    mine = RetryPolicy(name="mine", max_attempts=2)
    assert OpenAIHttpConfig(base_url=URL, retry="available").retry == AVAILABLE
    assert OpenAIHttpConfig(base_url=URL, retry=mine).retry == mine
    assert OpenAIHttpConfig(base_url=URL, retry=None).retry is None
    assert OpenAIHttpConfig(base_url=URL, retry=None).policies()["retry"] is None


WRONG: list[tuple[str, Any]] = [
    ("api", "embeddings"),
    ("dialect", "tgi2"),
    ("model", ""),
    ("model", "a\nb"),
    ("model_aliases", {"": "m"}),
    ("organization", "a\r\nb"),
    ("project", "\x00"),
    ("deployment", "a/b"),
    ("api_version", "1?x=2"),
    ("ca_file", 3),
    ("http2", "perhaps"),
    ("http2", "yes"),
    ("http2", 1),
    ("retry", "forever"),
    ("retry", {}),
    ("retry", 4),
    *(
        (name, wrong)
        for name in (
            "connect_timeout",
            "pool_timeout",
            "first_byte_timeout",
            "idle_timeout",
            "content_timeout",
            "health_timeout",
        )
        for wrong in (0, -1, float("nan"), float("inf"), "x", 86_401)
    ),
    ("connect_timeout", None),
    ("health_path", "models"),
    ("health_path", "/a b"),
    ("max_slots", 0),
    ("max_slots", 65_537),
    ("max_event_bytes", 1),
    ("max_request_bytes", 1),
    ("engine_label", ""),
    ("engine_version", "a\x1b"),
    ("model_digest", ""),
    ("metrics_events", "yes"),
    ("ready_without_listing", "yes"),
    ("unknown_key", 1),
]


@pytest.mark.requirement("ADP-14")
@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_value_gets_one_error_that_names_the_field(field: str, value: Any) -> None:
    """Type, range, characters; unknown keys are refused."""
    assert field in refused(**{field: value})


@pytest.mark.requirement("SEC-10")
@pytest.mark.parametrize(
    "url",
    [
        "",
        "not a url",
        "ftp://127.0.0.1/v1",
        "http://example.com/v1",
        "http://10.0.0.1:8000/v1",
        "https://",
        "https://host/v1?x=1",
        "https://host/v1#x",
        "https://host:0/v1",
        "https://host:99999/v1",
        "https://ho st/v1",
        "https://host/v1\r\nx: y",
        "https://host\n/v1",
        "https://user:pa55word@host/v1",
        "https://pa55word@host/v1",
        "https://host\\@evil/v1",
    ],
)
def test_a_wrong_address_is_refused_and_shows_no_password(url: str) -> None:
    """Userinfo, http beyond loopback, line breaks, and whatever is no URL."""
    text = refused(base_url=url)
    assert "base_url" in text
    assert "pa55word" not in text


@pytest.mark.requirement("SEC-10")
def test_http_is_for_loopback_and_for_hosts_that_are_named() -> None:
    """The normal form of the address is taken over."""
    named = OpenAIHttpConfig(base_url="http://engine:8000/v1/", plain_http_hosts=("engine",))
    assert named.base_url == "http://engine:8000/v1"
    assert OpenAIHttpConfig(base_url="HTTPS://API.Example.com:443/v1").base_url == "https://api.example.com/v1"


@pytest.mark.requirement("OC-ADAPT-OAI-6020", "SEC-07")
@pytest.mark.parametrize(
    "key", ["", "sk-hidden\n", "sk-hid den", " sk-hidden", "sk-hïdden", "sk-\x00hidden", "sk-hidden" * 2000]
)
def test_a_wrong_key_is_refused_and_not_shown(key: str) -> None:
    """No part of it is in the error, its repr or its traceback."""
    text = refused(api_key=key)
    assert "api_key" in text
    for part in ("hidden", "hïdden", "hid den", "sk-"):
        assert part not in text


@pytest.mark.requirement("OC-ADAPT-OAI-6020")
def test_a_wrong_value_elsewhere_does_not_bring_the_key_out() -> None:
    """The input is not part of any error, and the key is in no repr and no dump."""
    text = refused(api_key="sk-secret-000", max_slots=-1)
    config = OpenAIHttpConfig(base_url=URL, api_key="sk-secret-000")
    for shown in (text, repr(config), str(config.model_dump()), config.model_dump_json(), repr(config.policies())):
        assert "secret-000" not in shown
    assert config.api_key is not None
    assert config.api_key.reveal() == "sk-secret-000"


@pytest.mark.requirement("SEC-11", "OC-ADAPT-OAI-6021")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("proxy", "socks4://p:1"),
        ("proxy", "nowhere"),
        ("proxy_auth", "user:password"),
        ("egress", ("other.example",)),
        ("egress_networks", ("10.0.0.1/8",)),
        ("plain_http_hosts", ("a b",)),
        ("client_key_file", "key.pem"),
    ],
)
def test_wrong_egress_and_proxy_are_refused(field: str, value: Any) -> None:
    """A proxy has a scheme that can be used; egress must allow the address itself; nothing stands there for nothing."""
    assert field in refused(**{field: value})


@pytest.mark.requirement("OC-ADAPT-OAI-6021", "ADP-35", "SEC-07")
def test_what_concerns_the_way_to_the_upstream_is_passed_on_and_no_secret_is_shown() -> None:
    """Proxy, networks, client certificate, pings."""
    given: dict[str, Any] = {
        "http2_ping_interval": None,
        "http2_ping_timeout": 2.0,
        "client_cert_file": "cert.pem",
        "client_key_file": "key.pem",
        "client_key_password": "pa55word",
        "proxy": "socks5://proxy.example",
        "proxy_auth": "user:pa55word",
        "egress_networks": ("127.0.0.0/8",),
        "log_request_bodies": True,
        "log_response_bodies": True,
        "max_body_log_length": 7,
        "redaction_patterns": ("a+",),
    }
    config = OpenAIHttpConfig(base_url=URL, **given)
    for name in given:
        assert getattr(config.http, name) == getattr(config, name), name
    assert OpenAIHttpConfig(base_url=URL, http_engine="httpx").http.engine == "httpx"
    assert OpenAIHttpConfig(base_url="https://api.example/v1", egress_public_only=True).http.egress_public_only
    policies = config.policies()
    assert "pa55word" not in repr(policies) + repr(config) + config.model_dump_json()
    assert (policies["proxy_auth"], policies["client_key_password"], policies["api_key"]) == ("set", "set", None)
    assert (policies["client_cert_file"], policies["ca_file"]) == ("cert.pem", None)


@pytest.mark.requirement("ADP-14")
def test_settings_cannot_be_changed_and_describe_themselves() -> None:
    """Frozen; every field has a description; the schema is JSON."""
    config = OpenAIHttpConfig(base_url=URL)
    with pytest.raises(InvalidSettings, match="model: cannot be changed"):
        config.model = "m"
    schema = OpenAIHttpConfig.model_json_schema()
    assert schema["additionalProperties"] is False
    assert all(field.description for field in OpenAIHttpConfig.model_fields.values())


@pytest.mark.requirement("ADP-14")
def test_a_ca_file_that_cannot_be_used_is_refused_when_the_adapter_is_built(tmp_path: Any) -> None:
    """Before any call."""
    broken = tmp_path / "ca.pem"
    broken.write_text("not a certificate")
    for path in (broken, tmp_path / "missing.pem"):
        with pytest.raises(ValueError, match="ca_file"):
            OpenAIHttpAdapter(OpenAIHttpConfig(base_url="https://127.0.0.1:8443/v1", ca_file=path))


@pytest.mark.requirement("ADP-14", "HTU-EXP-1101")
def test_the_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys nor addresses nor proxies come from it."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "http://127.0.0.9:1")
    config = OpenAIHttpConfig(base_url=URL)
    assert (config.api_key, config.proxy, config.base_url) == (None, None, URL)
    adapter = OpenAIHttpAdapter(config)
    # httpx reads the environment in its clients, and none is in the way
    assert type(adapter._transport._transport).__module__ == "http_util.engine.transport"


@pytest.mark.requirement("ADP-14")
@pytest.mark.parametrize(
    "field", ["connect_timeout", "idle_timeout", "content_timeout", "max_slots", "max_event_bytes"]
)
@pytest.mark.parametrize("value", [True, "5", None])
def test_a_number_is_a_number(field: str, value: object) -> None:
    """True, a text and nothing are no number of seconds, slots or bytes; the error names the field."""
    if field == "content_timeout" and value is None:
        assert OpenAIHttpConfig(base_url="http://127.0.0.1/v1", content_timeout=None).content_timeout is None
        return
    with pytest.raises(ValueError, match=field):
        OpenAIHttpConfig.model_validate({"base_url": "http://127.0.0.1/v1", field: value})


@pytest.mark.requirement("ADP-14")
def test_everything_that_is_wrong_is_told_at_once() -> None:
    """Also what takes more than one setting to see; each line begins with the setting."""
    found = lines(
        http_2=True,
        connect_timeout="soon",
        retry="always",
        health_path="models",
        egress="localhost",
        egress_networks=["10.0.0.1/8"],
        plain_http_hosts=["a b"],
        proxy="socks4://p:1",
    )
    assert [line.partition(":")[0] for line in found] == [
        "proxy",
        "plain_http_hosts",
        "egress",
        "egress_networks",
        "retry",
        "connect_timeout",
        "health_path",
        "http_2",
    ]
    several = lines(
        base_url="http://engine/v1",
        proxy="http://p:1",
        proxy_auth="nobody",
        client_key_file="key.pem",
        dialect="azure",
        deployment="d",
    )
    assert [line.partition(":")[0] for line in several] == ["api_version", "client_key_file", "proxy_auth", "base_url"]


@pytest.mark.requirement("ADP-14")
@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"retry": "always"},
            (
                "retry: must be one of 'available', 'billing_safe', 'none', or a policy's table; "
                "in Python also a RetryPolicy, or None"
            ),
        ),
        (
            {"egress": ["other.example"]},
            "egress: must allow the host of base_url, or be left out",
        ),
        (
            {"proxy_auth": "user:password"},
            "proxy_auth: needs proxy; set it or leave proxy_auth out",
        ),
        (
            {"http_engine": "httpx", "proxy": "socks5://p:1"},
            "proxy: needs http_engine 'asyncio' with socks; with 'httpx' it must be http:// or https://",
        ),
        (
            {"http_engine": "httpx", "egress_networks": ["10.0.0.0/8"]},
            "egress_networks: needs http_engine 'asyncio'; httpx's transport does not ask before it connects",
        ),
        (
            {"http_engine": "httpx", "egress_public_only": True, "base_url": "https://api.example"},
            "egress_public_only: needs http_engine 'asyncio'; httpx's transport does not ask before it connects",
        ),
        (
            {"egress_public_only": True},
            "egress_public_only: forbids 127.0.0.1: name a public host, or leave the rule out",
        ),
        (
            {"egress_public_only": True, "base_url": "https://api.example", "proxy": "http://p:1"},
            "egress_public_only: egress_public_only and a proxy exclude each other: it resolves names out of sight",
        ),
        (
            {"redaction_patterns": ["a", "("]},
            "redaction_patterns.1: is no regular expression: missing ), unterminated subpattern at position 0",
        ),
        (
            {"dialect": "azure", "deployment": "d"},
            "api_version: is required with dialect 'azure' and a deployment, such as '2024-10-21'",
        ),
        (
            {"dialect": "azure", "base_url": "https://n.openai.azure.com"},
            "deployment: is required with dialect 'azure', unless base_url ends in /openai/v1",
        ),
        (
            {"dialect": "azure", "base_url": "https://n.openai.azure.com/openai/"},
            "deployment: is required with dialect 'azure', unless base_url ends in /openai/v1",
        ),
        (
            {
                "dialect": "azure",
                "base_url": "https://n.openai.azure.com/",
                "deployment": "d",
                "api_version": "2024-10-21",
            },
            "deployment: needs a base_url that ends in /openai, below which Azure has its deployments",
        ),
        *(
            ({"base_url": f"{URL}{path}"}, f"base_url: expected the root of the API, without {told} at its end")
            for path, told in (
                ("/chat/completions", "/chat/completions"),
                ("/completions/", "/completions"),
                ("/responses", "/responses"),
                ("/models", "/models"),
            )
        ),
    ],
)
def test_a_rule_over_several_settings_speaks_of_settings_that_there_are(settings: dict[str, Any], line: str) -> None:
    """In this adapter's names, not in those of the HTTP room below it."""
    assert lines(**settings) == [line]


@pytest.mark.requirement("ADP-14")
def test_what_is_right_passes_the_rules() -> None:
    """Each beside the setting that it needs."""
    right: list[dict[str, Any]] = [
        {"dialect": "azure", "deployment": "d", "api_version": "2024-10-21"},
        {"dialect": "azure"},
        {"dialect": "azure", "base_url": "https://n.openai.azure.com/openai/v1"},
        {
            "dialect": "azure",
            "base_url": "https://n.openai.azure.com/openai",
            "deployment": "d",
            "api_version": "2024-10-21",
        },
        {"base_url": "https://n.openai.azure.com"},
        {"deployment": "d"},
        {"http_engine": "httpx", "proxy": "http://p:1"},
        {"http_engine": "asyncio", "proxy": "socks5://p:1", "proxy_auth": "a:b", "egress_networks": ["127.0.0.0/8"]},
        {"egress": ["127.0.0.1:8000", "other.example"]},
    ]
    for settings in right:
        OpenAIHttpConfig(**{"base_url": URL, **settings})


@pytest.mark.requirement("OC-ADAPT-OAI-6020", "SEC-07")
def test_a_refusal_leaves_no_key_in_our_frames() -> None:
    """A traceback may be shown with its locals; and nothing of the library's is behind the error."""
    with pytest.raises(InvalidSettings) as caught:
        OpenAIHttpConfig(base_url=URL, api_key="sk-hidden-000", max_slots=0)
    assert caught.value.__context__ is None
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in shown.stack if not frame.filename.endswith("test_config.py")]
    assert ours
    assert "hidden" not in str([frame.locals for frame in ours])


@pytest.mark.requirement("ADP-35")
def test_the_policies_tell_the_http_that_will_be_spoken() -> None:
    """HTTP/2 takes TLS and our engine, whatever the setting says."""
    tls = "https://api.example.com/v1"
    assert OpenAIHttpConfig(base_url=tls).policies()["http2"] is True
    assert OpenAIHttpConfig(base_url=tls, http2=False).policies()["http2"] is False
    assert OpenAIHttpConfig(base_url=tls, http_engine="httpx").policies()["http2"] is False
    assert OpenAIHttpConfig(base_url=URL).policies()["http2"] is False


@pytest.mark.requirement("ADP-14")
def test_files_are_looked_at_when_that_is_asked_for(tmp_path: Any) -> None:
    """All that cannot be used are told together, each under its own name; nothing is read before."""
    half = tmp_path / "cert.pem"
    half.write_text("-----BEGIN CERTIFICATE-----\n")
    config = OpenAIHttpConfig(base_url=URL, ca_file=tmp_path / "ca.pem", client_cert_file=half)
    with pytest.raises(InvalidSettings) as caught:
        config.check_files()
    ca, cert = str(caught.value).splitlines()
    assert ca.startswith("ca_file: cannot be read: ")
    assert cert.startswith("client_cert_file: must be a PEM file with the certificate's key, or client_key_file must")
    with pytest.raises(InvalidSettings, match="client_cert_file: cannot be read: "):
        OpenAIHttpConfig(base_url=URL, client_cert_file=tmp_path / "no.pem").check_files()
    OpenAIHttpConfig(base_url=URL).check_files()


@pytest.mark.requirement("ADP-14", "RTY-01")
def test_a_retry_policy_may_be_a_table_as_a_dump_of_settings_writes_it() -> None:
    """A field that no policy has, or of another kind, is refused."""
    table = {"name": "own", "max_attempts": 2, "statuses": [429, 503]}
    assert OpenAIHttpConfig(base_url=URL, retry=table).retry_policy == RetryPolicy(
        name="own", max_attempts=2, statuses=frozenset({429, 503})
    )
    for wrong, said in (
        ({**table, "attempts": 2}, "retry: has unknown fields attempts; there are: base, cap"),
        ({"max_attempts": 2}, "retry: must have fields of the kinds"),
        ({**table, "max_attempts": "many"}, "retry: must have fields of the kinds"),
        ({**table, "max_attempts": 0}, "max_attempts"),
    ):
        with pytest.raises(InvalidSettings, match=said):
            OpenAIHttpConfig(base_url=URL, retry=wrong)
