"""Which URLs may be called, and how they are written down."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from http_util.urls import (
    HostPatterns,
    Origin,
    check_url,
    is_loopback,
    literal_address,
    normal_host,
    origin_of,
    parse_networks,
    proxy_origin,
)


@pytest.mark.requirement("SEC-10")
@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://API.Example.com:443/v1/", "https://api.example.com/v1"),
        ("https://example.com:8443/v1", "https://example.com:8443/v1"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("http://sub.localhost", "http://sub.localhost"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://127.9.8.7:81", "http://127.9.8.7:81"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://[2001:DB8::0:1]/v1", "https://[2001:db8::1]/v1"),
        ("https://bücher.example/v1", "https://xn--bcher-kva.example/v1"),
        ("http://engine.internal:8000", "http://engine.internal:8000"),
        ("https://example.com./v1", "https://example.com/v1"),
        ("https://my_host/v1", "https://my_host/v1"),
    ],
)
def test_good_urls_are_written_in_their_normal_form(url: str, normal: str) -> None:
    """Lower-case ASCII host, no default port, no slash at the end."""
    assert check_url(url, field="base_url", plain_http_hosts=["Engine.internal"]) == normal


@pytest.mark.requirement("SEC-10", "SEC-12")
@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("", "must begin with https://"),
        ("example.com", "must begin with https://"),
        ("ftp://example.com", "must begin with https://"),
        ("file:///etc/passwd", "must begin with https://"),
        ("https:///v1", "must name a host"),
        ("https://h%2e/v1", "must name a host"),
        ("http://example.com", "must be https://"),
        ("http://127.0.0.1.example.com", "must be https://"),
        ("http://localhost.example.com", "must be https://"),
        ("http://10.0.0.1", "must be https://"),
        ("https://user:hunter2@example.com", "must not hold a user name or password"),
        ("https://hunter2@example.com", "must not hold a user name or password"),
        ("https://example.com?api_key=hunter2", r"must not have a query"),
        ("https://example.com?", r"must not have a query"),
        ("https://example.com/#hunter2", "must not have a fragment"),
        ("https://example.com#", "must not have a fragment"),
        ("https://example.com:0", "must have a port between 1 and 65535"),
        ("https://example.com:65536", "must have a port between"),
        ("https://example.com:x", "must have a port between"),
        ("https://example.com:", "must have a port between"),
        ("https://example.com/\r\nX-Evil: 1", "must not hold spaces, line breaks"),
        ("https://example.com/a b", "must not hold spaces"),
        ("https://exa\\mple.com", "must not hold spaces"),
        ("https://[::1", "cannot be parsed"),
        ("https://[::1%25eth0]/", "must name a host"),
        ("https://127.1", "host name or an IP address"),
        ("https://2130706433", "host name or an IP address"),
        ("https://0x7f.0.0.1", "host name or an IP address"),
        ("https://-a.example", "host name or an IP address"),
        ("https://a..example", "host name or an IP address"),
        ("https://" + "a" * 64 + ".example", "host name or an IP address"),
        ("https://\u2024.example", "host name or an IP address"),
        ("https://a.example/" + "x" * 3000, "at most 2048 characters"),
    ],
)
def test_bad_urls_are_refused_by_the_name_of_the_field(url: str, accepted: str) -> None:
    """The text begins with the field, says what is accepted, and shows nothing secret."""
    with pytest.raises(ValueError, match=accepted) as caught:
        check_url(url, field="base_url")
    assert str(caught.value).startswith("base_url ")
    assert "hunter2" not in str(caught.value)


def test_a_url_must_be_text() -> None:
    """Another type is named."""
    with pytest.raises(ValueError, match="base_url must be a URL as text, not int"):
        check_url(5, field="base_url")


def test_what_is_not_ascii_is_percent_encoded() -> None:
    """As a browser does it, and only that: what is encoded already stays, so the form is stable."""
    url = check_url("https://a.example/k\xf6ln/%41?q=\u20ac", field="base_url", allow_query=True)
    assert url == "https://a.example/k%C3%B6ln/%41?q=%E2%82%AC"
    assert check_url(url, field="base_url", allow_query=True) == url


def test_a_query_may_be_allowed() -> None:
    """Some dialects keep their version in it."""
    url = "https://example.com/openai?api-version=2024-10-21"
    assert check_url(url, field="base_url", allow_query=True) == url


@given(text=st.text(max_size=60))
@example(text="A/\xa1")
@example(text="a/\ud800")
def test_no_text_gives_anything_but_a_url_or_one_clear_error(text: str) -> None:
    """Whatever follows the scheme."""
    try:
        url = check_url(f"https://{text}", field="base_url")
    except ValueError as error:
        assert str(error).startswith("base_url ")  # noqa: PT017 - either way out is fine
    else:
        assert check_url(url, field="base_url") == url
        assert url.isascii()


def test_an_origin_is_scheme_host_and_port() -> None:
    """The port is the scheme's own when the URL names none; IPv6 is written in brackets."""
    assert origin_of("https://A.example/v1?q") == Origin("https", "a.example", 443)
    assert str(origin_of("http://[::1]/")) == "http://[::1]:80"
    assert str(origin_of("https://a.example:8443")) == "https://a.example:8443"


@pytest.mark.parametrize(
    ("host", "yes"),
    [
        ("localhost", True),
        ("localhost.", True),
        ("::1", True),
        ("127.0.0.2", True),
        ("10.0.0.1", False),
        ("a.example", False),
        ("localhost.example", False),
    ],
)
def test_loopback_is_known_by_name_and_by_address(host: str, yes: bool) -> None:
    """Only what cannot be anything but this machine."""
    assert is_loopback(host) is yes


def test_a_host_is_normalised_for_comparison() -> None:
    """Brackets, case and the long forms of IPv6 do not matter."""
    assert normal_host("[2001:DB8:0:0::1]", field="egress") == "2001:db8::1"
    assert normal_host("A.Example.", field="egress") == "a.example"


@pytest.mark.requirement("SEC-12")
@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://proxy.example", Origin("http", "proxy.example", 80)),
        ("http://proxy.example:3128/", Origin("http", "proxy.example", 3128)),
        ("https://Proxy.Example", Origin("https", "proxy.example", 443)),
        ("socks5://proxy.example", Origin("socks5", "proxy.example", 1080)),
        ("socks5h://[::1]:9050", Origin("socks5h", "::1", 9050)),
    ],
)
def test_a_proxy_is_given_by_scheme_host_and_port(url: str, origin: Origin) -> None:
    """Each scheme has its own port."""
    assert proxy_origin(url) == origin


@pytest.mark.requirement("SEC-12")
@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("proxy.example:3128", "must begin with http://, https://, socks5:// or socks5h://"),
        ("socks4://proxy.example", "must begin with"),
        ("socks5://u:hunter2@proxy.example", "must not hold a user name or password"),
        ("http://proxy.example/path", "must be scheme://host"),
        ("http://proxy.example?hunter2", "must be scheme://host"),
        ("http://proxy.example#hunter2", "must be scheme://host"),
        ("socks5://", "must name a host"),
        ("socks5://proxy:0", "must have a port"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_by_the_name_of_the_field(url: str, text: str) -> None:
    """And its password is not shown."""
    with pytest.raises(ValueError, match=text) as caught:
        proxy_origin(url)
    assert str(caught.value).startswith("proxy ")
    assert "hunter2" not in str(caught.value)


def test_only_an_address_written_out_is_one() -> None:
    """Names are not resolved for this, odd spellings are no addresses."""
    assert str(literal_address("2001:DB8::1")) == "2001:db8::1"
    assert [literal_address(host) for host in ("a.example", "127.1", "[::1]", "")] == [None] * 4


@pytest.mark.parametrize(
    "entry", ["10.0.0.1/8", "10.0.0.0/33", "a.example/8", "", "10.0.0.0/8/8", "http://u:hunter2@h/"]
)
def test_a_range_that_is_none_is_refused_by_the_name_of_the_field(entry: str) -> None:
    """Bits behind the prefix are most often a slip."""
    with pytest.raises(ValueError, match=r"^egress_networks must hold ranges such as 10\.0\.0\.0/8") as caught:
        parse_networks([entry], field="egress_networks")
    assert "hunter2" not in str(caught.value)


def test_a_single_address_is_a_range_of_its_own() -> None:
    """Of either family."""
    assert [str(network) for network in parse_networks(["10.0.0.1", "::1"], field="f")] == ["10.0.0.1/32", "::1/128"]


@pytest.mark.parametrize(
    ("host", "yes"),
    [
        ("a.example", True),
        ("b.a.example", False),
        ("corp.example", False),
        ("x.corp.example", True),
        ("x.y.corp.example", True),
        ("xcorp.example", False),
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("fd00::1", True),
        ("fe00::1", False),
        ("::1", True),
        ("::2", False),
    ],
)
def test_hosts_match_by_name_by_suffix_or_by_range(host: str, yes: bool) -> None:
    """A suffix means what is below it, and a range only what is written as an address."""
    patterns = HostPatterns.parse(["A.Example.", ".Corp.Example", "10.0.0.0/8", "fd00::/8", "[::1]"], field="no_proxy")
    assert patterns.match(host) is yes


@pytest.mark.parametrize("entry", ["", ".", "..a", "*.a.example", "a b", "10.0.0.1/8", ".10.0", "a.example:80"])
def test_a_pattern_that_is_none_is_refused_by_the_name_of_the_field(entry: str) -> None:
    """A list that is not understood must not send anything around the proxy."""
    with pytest.raises(ValueError, match=r"^no_proxy must hold"):
        HostPatterns.parse([entry], field="no_proxy")


def test_no_pattern_matches_nothing() -> None:
    """The empty list."""
    assert not HostPatterns.parse([], field="no_proxy").match("a.example")
