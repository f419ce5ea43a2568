"""Places and callers as values."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from http_util.secret import Secret
from openai_client.environment import OFFICIAL_BASE_URL, OFFICIAL_REALTIME_URL, Environment, is_official
from openai_client.errors import InvalidBaseUrl, MissingApiKey
from tests.shown_errors import with_locals

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-test-0123456789abcdef"


@pytest.mark.requirement("CLI-06")
def test_the_official_service_is_the_default() -> None:
    """Both addresses stand in one place."""
    environment = Environment(api_key=Secret(KEY))
    assert environment.base_url == OFFICIAL_BASE_URL
    assert environment.realtime_base_url == OFFICIAL_REALTIME_URL
    assert is_official(environment.base_url)


@pytest.mark.requirement("CLI-06")
def test_several_environments_live_side_by_side() -> None:
    """They are values: nothing of one leaks into another."""
    one = Environment(base_url="http://localhost:1/v1/", organization="a")
    two = Environment(base_url="https://example.com/v1", realtime_base_url="wss://rt.example.com/v1/")
    assert one.realtime_base_url == "ws://localhost:1/v1/realtime"
    assert two.realtime_base_url == "wss://rt.example.com/v1"
    assert (one.organization, two.organization) == ("a", None)


@pytest.mark.requirement("CLI-06", "CLI-07")
@pytest.mark.parametrize(
    "url", ["ftp://a", "http://example.com", "https://u:p@a", "https://a/?k=v", "https://a\r\nb", "a", "", 7]
)
def test_a_url_that_cannot_be_used_is_a_typed_error(url) -> None:
    """The error names the setting, holds the URL without credentials, and may not be retried."""
    with pytest.raises(InvalidBaseUrl, match="base_url") as caught:
        Environment(base_url=url)
    assert "u:p" not in repr(vars(caught.value))
    assert not caught.value.is_retryable


@pytest.mark.parametrize("url", ["https://a", "ws://example.com", "wss://u:p@a"])
def test_a_realtime_url_speaks_websockets(url: str) -> None:
    """Encrypted ones, or to loopback."""
    with pytest.raises(InvalidBaseUrl, match="realtime_base_url"):
        Environment(realtime_base_url=url)


@pytest.mark.requirement("CLI-05")
def test_the_process_environment_is_read_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key, organization, project and addresses."""
    for name, value in {
        "OPENAI_API_KEY": KEY,
        "OPENAI_ORG_ID": "org-1",
        "OPENAI_PROJECT_ID": "proj-1",
        "OPENAI_BASE_URL": "https://example.com/v1",
        "OPENAI_REALTIME_BASE_URL": "wss://example.com/rt",
    }.items():
        monkeypatch.setenv(name, value)
    environment = Environment.from_env()
    assert environment == Environment(
        api_key=Secret(KEY),
        organization="org-1",
        project="proj-1",
        base_url="https://example.com/v1",
        realtime_base_url="wss://example.com/rt",
        source="environment variable OPENAI_API_KEY",
    )
    assert KEY not in repr(environment)


@pytest.mark.requirement("SEC-02", "CF-11")
def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    """The client's own order; the chosen source is reported."""
    path = tmp_path / "s.sh"
    path.write_text("OPENAI_API_KEY=sk-file-00000000\n")
    assert Environment.from_env(env={"OPENAI_API_KEY": KEY}, secret_file=path).api_key == Secret(KEY)
    from_file = Environment.from_env(env={}, secret_file=path)
    assert from_file.api_key == Secret("sk-file-00000000")
    assert from_file.source == f"file {path}"


@pytest.mark.requirement("SEC-03", "CF-12")
def test_the_official_service_needs_a_key_of_its_form(tmp_path: Path) -> None:
    """Every source says why it has none."""
    with pytest.raises(MissingApiKey, match="OPENAI_API_KEY: not set"):
        Environment.from_env(env={})
    with pytest.raises(MissingApiKey, match=r"OPENAI_API_KEY: not set; file .*No such file"):
        Environment.from_env(env={}, secret_file=tmp_path / "absent")
    with pytest.raises(MissingApiKey, match="not the form of a key"):
        Environment.from_env(env={"OPENAI_API_KEY": "local"})


@pytest.mark.requirement("CF-12")
def test_another_server_may_do_without_a_key_but_not_with_a_broken_one() -> None:
    """Any printable key is one there."""
    place = {"OPENAI_BASE_URL": "http://localhost:1/v1"}
    assert Environment.from_env(env=place).api_key is None
    assert Environment.from_env(env={**place, "OPENAI_API_KEY": "local"}).api_key == Secret("local")
    with pytest.raises(MissingApiKey, match="no usable key"):
        Environment.from_env(env={**place, "OPENAI_API_KEY": "lo cal"})


@pytest.mark.requirement("SEC-01", "CLI-05")
@pytest.mark.parametrize("is_given", [False, True], ids=["of the process", "given"])
@pytest.mark.parametrize(
    ("variables", "error"),
    [
        ({"OPENAI_API_KEY": "Kanarie one"}, MissingApiKey),
        ({"OPENAI_API_KEY": "Kanarie-two", "OPENAI_BASE_URL": "ftp://a"}, InvalidBaseUrl),
        ({"OPENAI_BASE_URL": "http://localhost", "OPENAI_REALTIME_BASE_URL": "a"}, InvalidBaseUrl),
    ],
)
def test_no_frame_shows_the_variables_when_they_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], error, is_given: bool
) -> None:
    """A key that is none, and an address that is none: of the other variables nothing is seen either."""
    for name, value in {**variables, "SOME_PASSWORD": "Kanarie three"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(error) as caught:
        Environment.from_env(env=os.environ if is_given else None)
    assert "Kanarie" not in with_locals(caught.value)
