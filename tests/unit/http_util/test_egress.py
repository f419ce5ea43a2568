"""Egress: the allow-list, asked before anything is resolved."""

from __future__ import annotations

import pytest

from adapter_api.outcome import Outcome
from http_util.egress import EgressPolicy
from http_util.errors import PolicyFailure
from http_util.urls import origin_of


@pytest.mark.requirement("SEC-11")
@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.example.com/v1", True),
        ("https://API.EXAMPLE.COM", True),
        ("https://api.example.com:8443", False),
        ("http://api.example.com", False),
        ("https://evil.api.example.com", False),
        ("https://example.com", False),
        ("https://b.example:9000", True),
        ("https://b.example", False),
        ("https://[2001:db8::1]:7000", True),
        ("http://plain.internal", True),
        ("http://localhost", False),
        ("http://127.0.0.1:5000", True),
    ],
)
def test_only_listed_hosts_and_ports_pass(url: str, allowed: bool) -> None:
    """An entry without a port means the scheme's default port; there are no wildcards and no exception for loopback."""
    policy = EgressPolicy.parse(
        ["api.example.com", "b.example:9000", "[2001:db8::1]:7000", "plain.internal", "127.0.0.1:5000"],
        plain_http_hosts=["plain.internal"],
    )
    assert policy.allows(origin_of(url)) is allowed


@pytest.mark.requirement("SEC-11")
def test_a_violation_is_a_typed_failure_that_says_what_is_allowed() -> None:
    """It is not retryable, because nothing will change."""
    policy = EgressPolicy.for_origin(origin_of("https://api.example.com/v1"))
    policy.check("https", "api.example.com", None)
    with pytest.raises(
        PolicyFailure, match=r"does not allow https://evil\.example:443; allowed: api\.example\.com:443"
    ) as caught:
        policy.check("https", "evil.example", None)
    assert (caught.value.reason, caught.value.outcome) == ("egress_denied", Outcome.NOT_SENT)


@pytest.mark.parametrize(("scheme", "host"), [("ftp", "api.example.com"), ("https", ""), ("https", "a b")])
def test_what_is_not_a_web_address_does_not_pass(scheme: str, host: str) -> None:
    """Other schemes and broken hosts are refused, not resolved."""
    policy = EgressPolicy.for_origin(origin_of("https://api.example.com"))
    with pytest.raises(PolicyFailure):
        policy.check(scheme, host, None)


@pytest.mark.parametrize(
    "entry", ["a.example:0", "a.example:x", "a.example:99999", "https://a.example", "", "a b", "*.example"]
)
def test_a_broken_entry_is_refused_by_the_name_of_the_field(entry: str) -> None:
    """A list that cannot be understood must not allow anything."""
    with pytest.raises(ValueError, match=r"^egress must hold"):
        EgressPolicy.parse([entry])


def test_entries_are_described_as_they_are_compared() -> None:
    """Sorted, IPv6 in brackets."""
    policy = EgressPolicy.parse(["B.example", "a.example:1", "::1", "[::1]:5"])
    assert policy.describe() == ["::1", "[::1]:5", "a.example:1", "b.example"]
