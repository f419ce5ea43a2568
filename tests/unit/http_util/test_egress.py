"""Egress: the allow-list, asked before anything is resolved, and the rules for what it is resolved to."""

from __future__ import annotations

import pytest

from adapter_api.outcome import Outcome
from http_util.egress import EgressPolicy
from http_util.errors import PolicyFailure
from http_util.urls import normal_host, origin_of


@pytest.mark.requirement("SEC-10", "SEC-11")
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


HOST = "api.example.com"
POLICY = EgressPolicy.parse([HOST])


def refusal(policy: EgressPolicy, host: str, address: str) -> str | None:
    """Why *policy* refuses that *host* leads to *address*, or None."""
    try:
        policy.check_address(host, address)
    except PolicyFailure as failure:
        return failure.message.removeprefix(f"egress refuses {host}: it leads to {address}, ")
    return None


@pytest.mark.requirement("SEC-11")
@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "10.0.0.1", "172.16.5.4", "192.168.1.1", "100.64.0.1", "2606:4700::1", "fd12::1", "::ffff:10.0.0.1"],
)
def test_public_and_private_addresses_pass_where_no_networks_are_listed(address: str) -> None:
    """Inference servers live on private networks."""
    assert refusal(POLICY, HOST, address) is None


NEVER = [
    ("169.254.169.254", "link-local"),
    ("169.254.0.1", "link-local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("febf::1", "link-local"),
    ("fd00:ec2::254", "cloud metadata"),
    ("fd20:ce::254", "cloud metadata"),
    ("192.0.0.192", "cloud metadata"),
    ("100.100.100.200", "cloud metadata"),
    ("168.63.129.16", "cloud metadata"),
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("::", "unspecified"),
    ("224.0.0.1", "multicast"),
    ("ff02::1", "multicast"),
    ("255.255.255.255", "broadcast"),
    ("240.0.0.1", "reserved"),
    ("::7f00:1", "reserved"),
    ("4000::1", "reserved"),
]
DISGUISED = [
    ("::ffff:169.254.169.254", "link-local"),
    ("2002:a9fe:a9fe::1", "link-local"),
    ("64:ff9b::a9fe:a9fe", "link-local"),
    ("64:ff9b:1::a9fe:a9fe", "link-local"),
    ("64:ff9b::6464:64c8", "cloud metadata"),
    ("::ffff:0.0.0.0", "unspecified"),
    ("2002:e000:1::", "multicast"),
]


@pytest.mark.requirement("SEC-11")
@pytest.mark.parametrize(("address", "kind"), NEVER + DISGUISED)
@pytest.mark.parametrize("networks", [(), ("0.0.0.0/0", "::/0")], ids=["no networks", "all networks"])
def test_no_name_leads_to_what_belongs_to_no_server(address: str, kind: str, networks: tuple[str, ...]) -> None:
    """Metadata services above all, in any disguise and whatever the networks say."""
    policy = EgressPolicy.parse([HOST], networks=networks)
    assert refusal(policy, HOST, address) == f"a {kind} address, which must be named in egress itself"
    assert refusal(policy, "localhost", address) is not None


@pytest.mark.requirement("SEC-11")
@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_loopback_is_for_names_that_say_so(address: str) -> None:
    """A name out there that points at this machine is refused, localhost and what is below it are not."""
    text = "a loopback address; list it in egress_networks if that is meant"
    assert refusal(POLICY, HOST, address) == text
    for name in ("localhost", "api.localhost", "127.0.0.1", "::1"):
        assert refusal(POLICY, name, address) is None


@pytest.mark.requirement("SEC-11")
@pytest.mark.parametrize("address", ["10.0.0.1", "8.8.8.8", "fd12::1"])
def test_localhost_leads_nowhere_else(address: str) -> None:
    """The rule that plain HTTP may go there stands on it."""
    policy = EgressPolicy.parse([HOST], networks=["0.0.0.0/0", "::/0"])
    assert refusal(policy, "localhost", address) == "though that name is for this machine only"


@pytest.mark.requirement("SEC-11")
@pytest.mark.parametrize(
    ("address", "passes"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("11.1.2.3", False),
        ("127.0.0.1", True),
        ("127.0.1.1", False),
        ("fd00::5", True),
        ("fd01::5", False),
        ("8.8.8.8", False),
        ("::1", False),
    ],
)
def test_listed_networks_are_the_only_ones(address: str, passes: bool) -> None:
    """Private, public or loopback: what they hold passes, nothing else does."""
    policy = EgressPolicy.parse([HOST], networks=["10.0.0.0/8", "127.0.0.0/24", "fd00::/16"])
    assert refusal(policy, HOST, address) == (None if passes else "which is in none of egress_networks")


@pytest.mark.requirement("SEC-11")
def test_listed_networks_hold_for_localhost_too() -> None:
    """Who lists networks lists all of them."""
    policy = EgressPolicy.parse([HOST, "localhost"], networks=["10.0.0.0/8"])
    assert refusal(policy, "localhost", "127.0.0.1") == "which is in none of egress_networks"


@pytest.mark.requirement("SEC-11")
@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("169.254.169.254:80", "169.254.169.254"),
        ("[fe80::1]:443", "fe80::1"),
        ("255.255.255.255", "255.255.255.255"),
        ("[::ffff:127.0.0.1]:443", "::ffff:7f00:1"),
    ],
)
def test_an_address_that_the_list_names_passes(entry: str, host: str) -> None:
    """Somebody wrote it there; it holds for that address and for no other, whoever lists networks."""
    policy = EgressPolicy.parse([entry, HOST], networks=["10.0.0.0/8"])
    assert refusal(policy, host, host) is None
    assert refusal(policy, HOST, host) is not None
    assert refusal(policy, "169.254.1.1", "169.254.1.1") is not None


def test_what_is_no_address_does_not_pass() -> None:
    """Nothing is connected to that was not looked at."""
    assert refusal(POLICY, HOST, "elsewhere") == "which is no address"


def test_networks_that_are_none_are_refused_by_the_name_of_the_field() -> None:
    """For both ways to make a policy."""
    with pytest.raises(ValueError, match=r"^egress_networks must hold"):
        EgressPolicy.parse([HOST], networks=["10.0.0.1/8"])
    with pytest.raises(ValueError, match=r"^egress_networks must hold"):
        EgressPolicy.for_origin(origin_of("https://a.example"), networks=["x"])


def test_a_refused_address_is_a_typed_failure() -> None:
    """Not sent and not retried; the text names field, host and address."""
    with pytest.raises(
        PolicyFailure, match=r"^egress refuses api\.example\.com: it leads to fe80::1, a link"
    ) as caught:
        POLICY.check_address(HOST, "fe80::1")
    assert (caught.value.reason, caught.value.outcome) == ("egress_denied", Outcome.NOT_SENT)


PUBLIC = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"]
NOT_PUBLIC = [
    ("127.0.0.1", "loopback"),
    ("127.9.9.9", "loopback"),
    ("::1", "loopback"),
    ("::ffff:127.0.0.1", "loopback"),
    ("64:ff9b::7f00:1", "loopback"),
    ("2002:7f00:1::", "loopback"),
    ("10.0.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("198.18.0.1", "private"),
    ("203.0.113.7", "private"),
    ("fd12::1", "private"),
    ("2001:db8::1", "private"),
    ("::ffff:10.0.0.1", "private"),
    ("64:ff9b::a00:1", "private"),
    ("2002:a00:1::", "private"),
    ("100.64.0.1", "shared"),
    ("100.127.255.254", "shared"),
    ("::ffff:100.64.0.1", "shared"),
    ("2002:6440:1::", "shared"),
    ("192.88.99.1", "special"),
    ("fec0::1", "special"),
    ("::ffff:0:10.0.0.1", "reserved"),
    ("5f00::1", "reserved"),
    ("64:ff9b:1:a00:0:100:5db8:d70e", "special"),
]


@pytest.mark.requirement("SEC-11")
@pytest.mark.parametrize(("address", "kind"), NEVER + DISGUISED + NOT_PUBLIC)
@pytest.mark.parametrize("networks", [(), ("0.0.0.0/0", "::/0")], ids=["no networks", "all networks"])
def test_only_public_addresses_pass_where_that_is_the_rule(address: str, kind: str, networks: tuple[str, ...]) -> None:
    """In any disguise; neither networks nor a list that names the address make an exception, nor does a name."""
    policy = EgressPolicy.parse([HOST, "localhost", f"[{address}]:443"], networks=networks, public_only=True)
    said = f"a {kind} address, and egress_public_only is set"
    literal = normal_host(address, field="host")
    for host in (HOST, "localhost", literal):
        assert refusal(policy, host, address) == said
    for host in ("localhost", "api.localhost", literal):
        assert policy.host_problem(host) is not None
    with pytest.raises(PolicyFailure, match=f"a {kind} address, and egress_public_only is set") as caught:
        policy.check("https", literal, 443)
    assert (caught.value.reason, caught.value.outcome) == ("egress_denied", Outcome.NOT_SENT)


@pytest.mark.requirement("SEC-11")
@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass_by_that_rule_and_stay_subject_to_the_others(address: str) -> None:
    """Named, resolved, or inside of another one; and networks narrow it down further."""
    literal = normal_host(address, field="host")
    policy = EgressPolicy.parse([HOST, f"[{address}]:443"], public_only=True)
    assert refusal(policy, HOST, address) is None
    assert refusal(policy, literal, literal) is None
    policy.check("https", literal, 443)
    narrow = EgressPolicy.parse([HOST], networks=["198.51.100.0/24"], public_only=True)
    assert refusal(narrow, HOST, address) == "which is in none of egress_networks"


@pytest.mark.requirement("SEC-11")
@pytest.mark.parametrize("address", [one for one, kind in NOT_PUBLIC if kind in {"private", "shared"}])
def test_without_that_rule_they_may_be_called(address: str) -> None:
    """Inference servers live there."""
    assert refusal(POLICY, HOST, address) is None
    assert POLICY.host_problem(address) is None
