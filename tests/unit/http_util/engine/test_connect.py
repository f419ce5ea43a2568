"""Which way a connection takes, as far as the settings decide it."""

from __future__ import annotations

import pytest

from http_util.config import HttpConfig
from http_util.engine.connect import Connector, _shaken
from http_util.tls import build_ssl_context
from http_util.urls import origin_of

CONTEXT = build_ssl_context()


@pytest.mark.requirement("SEC-12")
@pytest.mark.parametrize(
    ("proxy", "url", "forwarded"),
    [
        (None, "http://plain.example", False),
        ("http://proxy.example", "http://plain.example", True),
        ("https://proxy.example", "http://plain.example", True),
        ("socks5://proxy.example", "http://plain.example", False),
        ("socks5h://proxy.example", "http://plain.example", False),
        ("http://proxy.example", "https://tls.example", False),
        ("http://proxy.example", "http://direct.example", False),
        ("http://proxy.example", "http://a.corp.example", False),
        ("http://proxy.example", "http://10.1.2.3", False),
    ],
)
def test_only_an_http_proxy_forwards_and_only_plain_requests(proxy: str | None, url: str, forwarded: bool) -> None:
    """Everything else is a connection of its own to the target: through a tunnel, or around the proxy."""
    extra = {} if proxy is None else {"no_proxy": ("direct.example", ".corp.example", "10.0.0.0/8")}
    connector = Connector(HttpConfig(base_url="https://tls.example", proxy=proxy, **extra), CONTEXT)
    assert (connector.forwards(origin_of(url)) is not None) is forwarded


@pytest.mark.requirement("SEC-12")
def test_a_forwarded_request_carries_the_proxys_credentials_and_no_repr_does() -> None:
    """The pool puts them on the wire, nobody else sees them."""
    config = HttpConfig(base_url="https://tls.example", proxy="http://proxy.example", proxy_auth="user:hunter2")
    connector = Connector(config, CONTEXT)
    forwarding = connector.forwards(origin_of("http://plain.example"))
    assert forwarding is not None
    assert [name for name, _ in forwarding.headers] == [b"proxy-authorization"]
    assert "dXNlcjpodW50ZXIy" not in repr(forwarding) + repr(vars(connector))


def test_the_authorities_of_an_https_proxy_are_looked_at_when_the_connector_is_built() -> None:
    """Not at the first call."""
    config = HttpConfig(base_url="https://tls.example", proxy="https://proxy.example", ca_file="/no/such/file")
    with pytest.raises(ValueError, match="ca_file cannot be read"):
        Connector(config, CONTEXT)


class Transport:
    """A transport as far as its TLS goes."""

    def __init__(self, tls: object | None) -> None:
        self.tls = tls

    def get_extra_info(self, name: str) -> object | None:
        assert name == "ssl_object"
        return self.tls


@pytest.mark.requirement("SEC-09")
@pytest.mark.parametrize("around", [None, Transport(None), Transport("the proxy's")])
def test_a_transport_whose_handshake_was_cut_short_is_not_taken_for_an_encrypted_one(around: Transport | None) -> None:
    """Event loops return one; it has no TLS of its own."""
    good = Transport("its own")
    assert _shaken(good, around) is good
    for bad in (None, Transport(None), *([] if around is None else [Transport(around.tls)])):
        with pytest.raises(ConnectionResetError):
            _shaken(bad, around)
