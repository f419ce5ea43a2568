"""The settings of a client: defaults, checks, copies."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import TYPE_CHECKING, Any, cast

import pytest

from http_util.config import HttpConfig
from http_util.retry import AVAILABLE, BILLING_SAFE
from http_util.secret import Secret
from http_util.testing import FixedRandom
from openai_client.config import ApiVersionConfig, ClientConfig
from openai_client.environment import OFFICIAL_BASE_URL, Environment
from openai_client.errors import ConfigurationError, InvalidBaseUrl, InvalidConfiguration, MissingApiKey

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-test-0123456789abcdef"
LOCAL = "http://localhost:8000/v1"


@pytest.mark.requirement("CLI-04")
def test_the_defaults_are_those_that_are_documented() -> None:
    """The official service, a minute, no retries, no headers."""
    config = ClientConfig(api_key=KEY)
    assert config.base_url == OFFICIAL_BASE_URL == "https://api.openai.com/v1"
    assert config.timeout == 60.0
    assert config.max_retries == 0
    assert config.retry is None
    assert dict(config.default_headers) == {}
    assert (config.organization, config.project) == (None, None)
    assert config.api_version == ApiVersionConfig(version="v1", enable_beta=False, beta_header=None)


@pytest.mark.requirement("SEC-01")
def test_settings_print_without_secrets() -> None:
    """Keys, ids and headers stay out of the text."""
    config = ClientConfig(
        api_key=KEY,
        admin_api_key="sk-admin-00000000",
        organization="org-hidden",
        default_headers={"x-tenant": "hidden"},
    )
    assert isinstance(config.api_key, Secret)
    for hidden in (KEY, "sk-admin", "hidden"):
        assert hidden not in repr(config)


@pytest.mark.requirement("CLI-04", "CF-12")
def test_a_key_is_required_unless_none_is_said() -> None:
    """The official service takes only keys of its own form; another server may need none."""
    with pytest.raises(MissingApiKey, match="official service needs a key"):
        ClientConfig()
    with pytest.raises(MissingApiKey, match="official service needs a key"):
        ClientConfig(api_key=None)
    with pytest.raises(MissingApiKey, match="or None for a server that needs none"):
        ClientConfig(base_url=LOCAL)
    with pytest.raises(InvalidConfiguration, match="api_key: a key of the official service"):
        ClientConfig(api_key="local")
    assert ClientConfig(base_url=LOCAL, api_key=None).api_key is None
    assert ClientConfig(base_url=LOCAL, api_key="local").api_key == Secret("local")
    assert ClientConfig(admin_api_key="sk-admin-00000000").api_key is None


@pytest.mark.requirement("CLI-04", "CLI-11", "SEC-16")
@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"api_key": "bad key"}, InvalidConfiguration, "api_key: a secret must be printable ASCII"),
        ({"api_key": "bad\r\nkey"}, InvalidConfiguration, "api_key: a secret must be printable ASCII"),
        ({"admin_api_key": "bad key"}, InvalidConfiguration, "admin_api_key: a secret must be printable ASCII"),
        ({"api_key": 7}, InvalidConfiguration, "api_key: must be a key, a function that gives one, or None, not int"),
        ({"base_url": "http://example.com"}, InvalidBaseUrl, "base_url must be https://"),
        ({"base_url": "https://u:p@example.com"}, InvalidBaseUrl, "base_url must not hold a user name"),
        ({"base_url": "https://a\r\nb"}, InvalidBaseUrl, "base_url must not hold spaces"),
        ({"realtime_base_url": "https://a"}, InvalidBaseUrl, "realtime_base_url must begin with wss://"),
        ({"timeout": 0}, InvalidConfiguration, "timeout: must be seconds above 0"),
        ({"timeout": -1}, InvalidConfiguration, "timeout"),
        ({"timeout": float("nan")}, InvalidConfiguration, "timeout"),
        ({"timeout": float("inf")}, InvalidConfiguration, "timeout"),
        ({"timeout": True}, InvalidConfiguration, "timeout"),
        ({"timeout": "60"}, InvalidConfiguration, "timeout"),
        ({"max_retries": -1}, InvalidConfiguration, "max_retries: must be between 0 and 100"),
        ({"max_retries": 101}, InvalidConfiguration, "max_retries"),
        ({"max_retries": 1.5}, InvalidConfiguration, "max_retries"),
        ({"retry": "eager"}, InvalidConfiguration, "retry must be one of available, billing_safe"),
        ({"default_headers": {"x": "a\nb"}}, InvalidConfiguration, "x: a header value must be printable ASCII"),
        ({"default_headers": {"Authorization": "x"}}, InvalidConfiguration, "'authorization' is written from the"),
        ({"organization": "a\nb"}, InvalidConfiguration, "organization"),
        ({"api_version": ApiVersionConfig(openai_version="a\nb")}, InvalidConfiguration, "api_version.openai_version"),
        (
            {"http": {"connect_timeout": 0}},
            InvalidConfiguration,
            "http.connect_timeout: expected a number above 0",
        ),
        ({"http": {"speed": 1}}, InvalidConfiguration, "http.speed: unknown key"),
        ({"http": {"base_url": LOCAL}}, InvalidConfiguration, "http: give base_url beside it"),
        ({"http": {"no_proxy": ["a"]}}, InvalidConfiguration, "http.proxy_auth: .*need a proxy"),
        ({"http": HttpConfig(base_url="http://localhost:1")}, InvalidConfiguration, "differs from http.base_url"),
        ({"color": "red"}, InvalidConfiguration, "unknown settings: color; known are admin_api_key, api_key"),
    ],
)
def test_every_wrong_setting_gets_one_error_that_names_it(settings, error: type[ConfigurationError], text: str) -> None:
    """Before any socket is opened, and without showing a secret."""
    with pytest.raises(error, match=text) as caught:
        ClientConfig(**({"base_url": LOCAL, "api_key": "local-key"} | settings))
    assert "bad" not in str(caught.value)
    assert "local-key" not in str(caught.value)


@pytest.mark.requirement("SEC-01")
def test_no_frame_of_ours_holds_a_key_when_a_setting_is_wrong() -> None:
    """Tracebacks with locals are common in production."""
    with pytest.raises(InvalidConfiguration) as caught:
        ClientConfig(api_key=KEY, admin_api_key="bad key", timeout=0)
    # what lies below the constructor is not there any more
    frames = [entry.frame.f_locals for entry in caught.traceback[1:]]
    assert len(frames) <= 1
    assert KEY not in repr(frames)
    assert "bad key" not in repr(frames)


@pytest.mark.requirement("CLI-04", "CLI-07")
def test_the_knobs_of_http_are_given_as_a_mapping_or_whole() -> None:
    """Either may say where the server is; a trailing slash makes no difference."""
    knobs = ClientConfig(base_url=f"{LOCAL}/", api_key=None, http={"connect_timeout": 1.5})
    whole = ClientConfig(api_key=None, http=HttpConfig(base_url=LOCAL, connect_timeout=1.5))
    assert knobs == whole
    assert knobs.http.connect_timeout == 1.5
    listed = ClientConfig(base_url="http://gpu-7:8000", api_key=None, http={"plain_http_hosts": ["gpu-7"]})
    assert listed.base_url == "http://gpu-7:8000"


def test_settings_do_not_change() -> None:
    """Neither the object nor the mappings in it."""
    headers = {"x-tenant": "a"}
    config = ClientConfig(base_url=LOCAL, api_key=None, default_headers=headers)
    headers["x-tenant"] = "b"
    assert config.default_headers["x-tenant"] == "a"
    with pytest.raises(TypeError):
        config.default_headers["x-tenant"] = "c"
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.timeout = 1.0


def test_a_copy_replaces_what_is_given_and_keeps_the_rest() -> None:
    """Also the knobs of HTTP, when only the place changes."""
    config = ClientConfig(base_url=LOCAL, api_key="local", timeout=5.0, http={"idle_timeout": 7.0})
    other = config.with_settings(timeout=6.0, retry="billing_safe", default_headers={"x-a": "b"})
    assert (other.timeout, other.api_key, other.http) == (6.0, Secret("local"), config.http)
    assert other.retry is BILLING_SAFE
    moved = config.with_settings(base_url="http://localhost:9/v1")
    assert (moved.base_url, moved.http.base_url) == ("http://localhost:9/v1", "http://localhost:9/v1")
    assert moved.http.idle_timeout == 7.0
    whole = config.with_settings(http=HttpConfig(base_url="http://localhost:9/v1"))
    assert whole.base_url == "http://localhost:9/v1"


@pytest.mark.requirement("RTY-01", "RTY-04")
def test_max_retries_above_zero_sets_the_preset() -> None:
    """That many retries, half a second first, a minute at most, a tenth of jitter, five statuses, a 500 once."""
    assert ClientConfig(base_url=LOCAL, api_key=None).retry is None
    config = ClientConfig(base_url=LOCAL, api_key=None, max_retries=3)
    preset = config.retry_preset()
    assert config.retry == preset
    assert "name='client'" in repr(config)
    assert (preset.max_attempts, preset.base, preset.cap, preset.multiplier, preset.jitter) == (4, 0.5, 60.0, 2.0, 0.1)
    assert [preset.backoff(0, FixedRandom(part)) for part in (0.0, 1.0)] == pytest.approx([0.45, 0.55])
    assert (preset.statuses, preset.server_error_attempts) == (frozenset({429, 500, 502, 503, 504}), 2)
    assert (preset.total_timeout, preset.retry_after_ceiling) == (None, 60.0)


@pytest.mark.requirement("CLI-04", "RTY-01")
@pytest.mark.parametrize("retry", ["available", AVAILABLE])
def test_a_number_of_retries_and_another_policy_are_one_too_many(retry: Any) -> None:
    """Of two wishes nobody knows which one is meant; what settings tell of themselves is one wish."""
    both = r"^max_retries and retry: give one of them; max_retries=1 sets .* retry is 'available', with 3 retries$"
    with pytest.raises(InvalidConfiguration, match=both):
        ClientConfig(base_url=LOCAL, api_key=None, retry=retry, max_retries=1)
    with pytest.raises(InvalidConfiguration, match=both):
        ClientConfig.from_env(env={}, base_url=LOCAL, api_key=None, retry=retry, max_retries=1)
    told = ClientConfig(base_url=LOCAL, api_key=None, retry=retry).settings()
    with pytest.raises(InvalidConfiguration, match=both):
        ClientConfig.from_settings(told, api_key=None, max_retries=1)
    counted = ClientConfig(base_url=LOCAL, api_key=None, max_retries=1)
    assert ClientConfig.from_settings(counted.settings(), api_key=None) == counted
    with pytest.raises(InvalidConfiguration, match=r"^retry: must be a RetryPolicy, the name of one, or None, not int"):
        ClientConfig(base_url=LOCAL, api_key=None, retry=cast("Any", 5))


@pytest.mark.requirement("CLI-04", "HTU-1004")
def test_a_default_header_that_cannot_be_sent_is_told_by_its_setting() -> None:
    """The names of headers alone say nothing of where they were written."""
    with pytest.raises(InvalidConfiguration, match=r"^default_headers: x: a header value must be a str, not int$"):
        ClientConfig(base_url=LOCAL, api_key=None, default_headers=cast("Any", {"x": 3}))


@pytest.mark.requirement("RTY-01", "CLI-11")
def test_a_new_number_of_retries_moves_the_preset_and_no_other_policy() -> None:
    """A client made from another one, with another number or with none."""
    config = ClientConfig(base_url=LOCAL, api_key=None, max_retries=3)
    assert config.with_settings(max_retries=1).retry == config.with_settings(max_retries=1).retry_preset()
    assert config.with_settings(max_retries=0).retry is None
    assert config.with_settings(timeout=1.0).retry == config.retry
    chosen = config.with_settings(retry=AVAILABLE)
    assert (chosen.retry, chosen.max_retries) == (AVAILABLE, 0)
    assert config.with_settings(retry=None).retry is None
    for number in (0, 1):
        with pytest.raises(InvalidConfiguration, match=r"^max_retries and retry: the policy 'available' is set"):
            chosen.with_settings(max_retries=number)
    assert chosen.with_settings(max_retries=1, retry=None).retry == config.with_settings(max_retries=1).retry


@pytest.mark.requirement("CLI-05", "CLI-06")
def test_settings_come_from_an_environment_object() -> None:
    """What is given beside it wins."""
    environment = Environment(api_key=Secret("local"), base_url=LOCAL, organization="org-1")
    config = ClientConfig.from_environment(environment, organization="org-2")
    assert (config.base_url, config.api_key, config.organization) == (LOCAL, Secret("local"), "org-2")
    assert config.realtime_base_url == "ws://localhost:8000/v1/realtime"


@pytest.mark.requirement("CLI-05", "SEC-02", "CF-13")
def test_settings_come_from_the_process_environment_on_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Explicit goes before the environment, and that before the file."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    config = ClientConfig.from_env(timeout=3.0)
    assert (config.api_key, config.organization, config.timeout) == (Secret(KEY), "org-1", 3.0)
    explicit = ClientConfig.from_env(api_key="sk-given-00000000")
    assert explicit.api_key == Secret("sk-given-00000000")
    moved = ClientConfig.from_env(env={}, base_url=LOCAL)
    assert (moved.base_url, moved.api_key) == (LOCAL, None)
    path = tmp_path / ".env"
    path.write_text("OPENAI_API_KEY=sk-file-00000000\n")
    assert ClientConfig.from_env(env={}, secret_file=path).api_key == Secret("sk-file-00000000")
    with pytest.raises(MissingApiKey):
        ClientConfig.from_env(env={})


@pytest.mark.requirement("CF-13", "CLI-12")
def test_settings_made_directly_ignore_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read behind the caller's back."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://evil.example")
    with pytest.raises(MissingApiKey):
        ClientConfig()
    assert ClientConfig(api_key="sk-given-00000000").base_url == OFFICIAL_BASE_URL


@pytest.mark.requirement("CLI-04", "ERR-12")
def test_a_configuration_survives_copying_pickling_and_json() -> None:
    """Equal in each case; a key is nobody's to write down, so it is handed in anew."""
    config = ClientConfig(
        base_url="https://a.example/v1",
        api_key=None,
        retry="available",
        default_headers={"x-a": "1"},
        default_query={"v": "2"},
        http={"connect_timeout": 1.5, "egress": ["a.example", "b.example:8443"]},
        api_version=ApiVersionConfig(enable_beta=True),
    )
    assert copy.deepcopy(config) is config
    assert pickle.loads(pickle.dumps(config)) == config
    settings = json.loads(json.dumps(config.settings()))
    assert ClientConfig.from_settings(settings, api_key=None) == config
    patient = config.with_settings(retry=config.retry_preset())
    assert ClientConfig.from_settings(json.loads(json.dumps(patient.settings())), api_key=None) == patient
    with pytest.raises(InvalidConfiguration, match="settings: must be what `settings"):
        ClientConfig.from_settings({"base_url": LOCAL}, api_key=None)
    keyed = config.with_settings(api_key="sk-secret-0123456789", http={"proxy": "http://p:1", "proxy_auth": "u:pw"})
    assert "secret" not in json.dumps(keyed.settings())
    assert "pw" not in json.dumps(keyed.settings())
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(keyed)
