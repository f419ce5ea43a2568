"""Where shared counts are: settings that are refused, and the words in which a store is asked."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from adapter_api import Outcome
from http_util.errors import PolicyFailure
from http_util.secret import Secret
from http_util.shared_store import SCHEMES, SLICES, StoreSettings, libraries

URL = Secret("redis://user:right-horse@store:6379/0")


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_a_store_may_be_redis_or_valkey(scheme: str) -> None:
    """In the clear, with TLS, or behind a socket's path."""
    assert StoreSettings(url=Secret(f"{scheme}://store:6379/0"), when_away="open").place == f"{scheme}://store:6379/0"


def test_a_socket_s_url_may_name_the_database() -> None:
    """There it is no part of the path."""
    url = "redis+unix:///run/store.sock?db=1"
    assert StoreSettings(url=Secret(url), when_away="open").place == url


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"url": Secret("http://:right-horse@store")}, "url must begin with one of redis://, .*, not 'http'"),
        ({"url": Secret("right-horse@store")}, "url must begin with one of redis://, .*, not ''"),
        ({"url": Secret("memory://")}, "url must begin with one of"),
        ({"url": Secret("rediss://store?ssl_cert_reqs=none")}, "url may have no query but db=NUMBER"),
        ({"url": Secret("redis+unix:///path?db=1&horse=2")}, "url may have no query but db=NUMBER"),
        ({"url": Secret("redis://:right-horse@store:many")}, "url must have a host and a port from 0 to 65535"),
        ({"url": Secret("redis://:right-horse@store:65536")}, "url must have a host and a port from 0 to 65535"),
        ({"url": Secret("redis://:right-horse@[::1:6379")}, "url must have a host and a port from 0 to 65535"),
        ({"when_away": "panic"}, "when_away must be one of open, closed, local, not 'panic'"),
        ({"timeout": 0.0}, "timeout must be above zero seconds, not 0.0"),
        ({"timeout": float("inf")}, "timeout must be above zero seconds"),
        ({"away_pause": -1.0}, "away_pause must be zero or more seconds, not -1.0"),
        ({"away_pause": float("nan")}, "away_pause must be zero or more seconds"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], text: str) -> None:
    """By the name of the field, and without the password."""
    with pytest.raises(ValueError, match=text) as caught:
        StoreSettings(**({"url": URL, "when_away": "closed"} | wrong))
    assert "horse" not in str(caught.value)


@pytest.mark.requirement("SEC-01")
def test_a_url_must_be_a_secret() -> None:
    """For it may hold a password, which then is in no repr."""
    with pytest.raises(TypeError, match="url must be a Secret"):
        StoreSettings(url="redis://store", when_away="closed")  # type: ignore[arg-type]
    settings = StoreSettings(url=URL, when_away="closed")
    assert settings.place == "redis://store:6379/0"
    assert "horse" not in repr(settings)


@pytest.mark.parametrize("missing", ["limits", "redis"])
def test_a_missing_extra_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a configuration that is wrong, with what would mend it."""
    for name in ("limits", "redis"):
        monkeypatch.setitem(sys.modules, name, None if name == missing else object())
    with pytest.raises(
        PolicyFailure, match=rf"needs the package {missing}: install worker-adapters\[shared\]"
    ) as caught:
        libraries()
    assert (caught.value.reason, caught.value.outcome) == ("configuration", Outcome.NOT_SENT)


def test_a_slice_is_a_sixtieth() -> None:
    """So a minute's room comes back a second late at most."""
    assert SLICES == 60
