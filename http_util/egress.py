"""
Egress: which hosts may be called, and which addresses a name may lead to. Pure.

Two questions. `EgressPolicy.check` is asked for every request, before a name is resolved; `http_util.client` puts it in
front of every transport, so that no request goes around it, whether it is direct, through a proxy or sent by a hand
that got hold of the client. `EgressPolicy.check_address` is asked by the engine for every address that a name was
resolved to, before a socket is opened: a name that is allowed may still be made to point at a cloud's metadata service
or at a port of this machine. One refused address refuses the call, even when others of the same name would pass: nobody
mixes such addresses by accident. A name is resolved for each connection, and what is connected to is what was looked
at: a name that leads elsewhere the next time is looked at again.

What a proxy resolves is out of sight; of a call through one, the proxy's own address is checked. So `public_only`, a
rule for those who take their upstreams from strangers, goes with no proxy.

Spec: SEC-10, SEC-11
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Final, Self

from adapter_api.outcome import Outcome
from http_util.errors import PolicyFailure
from http_util.urls import Origin, is_loopback, literal_address, normal_host, parse_networks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from http_util.urls import IPAddress, IPNetwork

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LARGEST_PORT: Final = 65_535

# RFC 6052 and RFC 8215: translators of IPv6-only networks, with the IPv4 address in the last 32 bits
_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_LAST_32_BITS: Final = 0xFFFF_FFFF
# The second of them is for use inside a network, which may put the IPv4 address into other bits than the last ones.
_NAT64_INSIDE: Final = _NAT64[1]

# What is given to servers on the internet over IPv6 (RFC 4291, IANA); everything else is for something else.
_PUBLIC_IPV6: Final = IPv6Network("2000::/3")
# Inside of that and of IPv4, ranges that not every version of `ipaddress` knows to be special: protocol assignments,
# relays of 6to4, documentation.
_SPECIAL: Final = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2001::/23"),
    IPv6Network("3fff::/20"),
)

# Clouds answer here to whoever asks from inside, with credentials. Most do at 169.254.169.254, which is link-local;
# these are the addresses that are not: AWS and Google over IPv6, Oracle, Alibaba, Azure.
_METADATA: Final = frozenset(
    {
        IPv6Address("fd00:ec2::254"),
        IPv6Address("fd20:ce::254"),
        IPv4Address("192.0.0.192"),
        IPv4Address("100.100.100.200"),
        IPv4Address("168.63.129.16"),
    }
)
# "this network", RFC 1122: the system takes some of it for loopback
_THIS_NETWORK: Final = IPv4Network("0.0.0.0/8")
_BROADCAST: Final = IPv4Address("255.255.255.255")


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """
    An allow-list of hosts and ports, the rule that plain HTTP stays on this machine, and rules for addresses.

    >>> policy = EgressPolicy.parse(["api.example"], networks=["10.0.0.0/8"])
    >>> policy.check_address("api.example", "10.1.2.3")
    >>> policy.check_address("api.example", "169.254.169.254")
    Traceback (most recent call last):
    http_util.errors.PolicyFailure: egress refuses api.example: it leads to 169.254.169.254, a link-local address...

    Spec: SEC-11
    """

    allowed: frozenset[tuple[str, int | None]]
    """Host, and port or None for the scheme's default port."""
    plain_http_hosts: frozenset[str] = frozenset()
    """Hosts beside loopback that may be called without TLS."""
    networks: tuple[IPNetwork, ...] = ()
    """Where every resolved address must lie. Empty: anywhere but, for names that do not say so, on this machine."""
    public_only: bool = False
    """Whether an address must be one of the public internet, whoever names it: no list makes an exception."""

    @classmethod
    def for_origin(
        cls,
        origin: Origin,
        *,
        plain_http_hosts: Iterable[str] = (),
        networks: Iterable[str] = (),
        public_only: bool = False,
    ) -> Self:
        """Return the policy that allows one host and port; the rest is as in `parse`."""
        ranges = parse_networks(networks, field="egress_networks")
        return cls(frozenset({(origin.host, origin.port)}), frozenset(plain_http_hosts), ranges, public_only)

    @classmethod
    def parse(
        cls,
        entries: Iterable[str],
        *,
        plain_http_hosts: Iterable[str] = (),
        networks: Iterable[str] = (),
        public_only: bool = False,
    ) -> Self:
        """
        Return the policy that a list of ``host`` and ``host:port`` entries describes.

        An entry without a port allows the default port of the scheme. There are no wildcards.

        Args:
            entries: The list.
            plain_http_hosts: Hosts that may be called without TLS.
            networks: Ranges such as ``10.0.0.0/8`` in which every resolved address must lie; empty for no such rule.
            public_only: Whether every address must be a public one too.

        Raises:
            ValueError: An entry is none of these; the text names the field ``egress`` or ``egress_networks``.
        """
        allowed = frozenset(_entry(entry) for entry in entries)
        ranges = parse_networks(networks, field="egress_networks")
        return cls(allowed, frozenset(plain_http_hosts), ranges, public_only)

    def allows(self, origin: Origin) -> bool:
        """Tell whether *origin* may be called."""
        if origin.scheme not in _DEFAULT_PORTS:
            return False
        if origin.scheme == "http" and not is_loopback(origin.host) and origin.host not in self.plain_http_hosts:
            return False
        is_default = origin.port == _DEFAULT_PORTS[origin.scheme]
        return (origin.host, origin.port) in self.allowed or (is_default and (origin.host, None) in self.allowed)

    def check(self, scheme: str, host: str, port: int | None) -> None:
        """
        Let a request pass or refuse it.

        Args:
            scheme: ``http`` or ``https``.
            host: Name or address, without brackets.
            port: None for the scheme's default port.

        Raises:
            PolicyFailure: *egress_denied*; nothing was sent and nothing was resolved.

        Spec: SEC-11
        """
        try:
            origin = Origin(scheme, normal_host(host, field="host"), port or _DEFAULT_PORTS.get(scheme, 0))
        except ValueError:
            origin = None
        if origin is None or not self.allows(origin):
            raise PolicyFailure(
                f"the egress policy does not allow {origin or 'this host'}; allowed: {', '.join(self.describe())}",
                reason="egress_denied",
                outcome=Outcome.NOT_SENT,
            )
        if (problem := self.host_problem(origin.host)) is not None:
            raise _refused(f"{origin.host}: {problem}")

    def host_problem(self, host: str) -> str | None:
        """
        Return what is wrong with a host as it is written, before any name is resolved, or None.

        Only `public_only` has anything against one: an address that is not public, or a name for this machine.

        >>> EgressPolicy.parse(["10.0.0.1"], public_only=True).host_problem("10.0.0.1")
        'a private address, and egress_public_only is set'
        """
        if not self.public_only:
            return None
        address = literal_address(host)
        kind = "loopback" if is_loopback(host) else None if address is None else _not_public(address)
        return None if kind is None else f"a {kind} address, and egress_public_only is set"

    def check_address(self, host: str, address: IPAddress | str) -> None:
        """
        Let a connection to *address* pass or refuse it.

        An address that the allow-list itself names passes: somebody wrote it there. Never passed are link-local
        addresses, where clouds keep their metadata service, its other known addresses, and those that belong to no
        single machine. Where `networks` is set, it must hold the address, whatever its kind. Where it is not, private
        addresses pass, because inference servers live there, and loopback ones for ``localhost`` and names under it,
        which may lead nowhere else. An IPv4 address inside an IPv6 one (mapped, 6to4, NAT64) is judged as what it is.
        Before all of that, where `public_only` is set, it must be a public address, whoever has named it.

        Args:
            host: The name that was asked for, or the address itself.
            address: One that it leads to.

        Raises:
            PolicyFailure: *egress_denied*; no socket was opened.

        Spec: SEC-11
        """
        if self._names(host) and not self.public_only:
            return
        found = literal_address(str(address).partition("%")[0])
        problem = "which is no address" if found is None else self._problem(host, found)
        if problem is not None:
            raise _refused(f"{host}: it leads to {address}, {problem}")

    def _names(self, host: str) -> bool:
        """Tell whether *host* is an address that stands in the list itself."""
        return literal_address(host) is not None and any(host == name for name, _ in self.allowed)

    def _problem(self, host: str, found: IPAddress) -> str | None:
        """Return what is wrong with an address that a name leads to, or None."""
        if self.public_only and (kind := _not_public(found)) is not None:
            return f"a {kind} address, and egress_public_only is set"
        address = _address_inside(found)
        kind = _never_called(address)
        if kind is not None:
            return f"a {kind} address, which must be named in egress itself"
        if is_loopback(host) and not address.is_loopback:
            # the rule that plain HTTP may go to localhost stands on this
            return "though that name is for this machine only"
        if self.networks:
            inside = any(address in network for network in self.networks)
            return None if inside else "which is in none of egress_networks"
        if address.is_loopback and not is_loopback(host):
            return "a loopback address; list it in egress_networks if that is meant"
        return None

    def describe(self) -> list[str]:
        """Return the allowed hosts as ``host`` or ``host:port``, sorted."""
        return sorted(
            host if port is None else f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in self.allowed
        )


def _refused(what: str) -> PolicyFailure:
    """Return the failure of a call to a host or an address that may not be called."""
    return PolicyFailure(f"egress refuses {what}", reason="egress_denied", outcome=Outcome.NOT_SENT)


def _entry(text: str) -> tuple[str, int | None]:
    """Return host and port of one entry of the list."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")) or text.endswith("]"):
        return normal_host(text, field="egress"), None
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _LARGEST_PORT):
        raise ValueError(f"egress must hold host or host:port with a port between 1 and {_LARGEST_PORT}")
    return normal_host(host, field="egress"), int(port)


def _address_inside(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 one stands for, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & _LAST_32_BITS)
    return address.ipv4_mapped or address.sixtofour or address


def _never_called(address: IPAddress) -> str | None:
    """Return the kind of an address that no name may lead to, None for the other kinds."""
    if address.is_link_local:
        return "link-local"
    if address in _METADATA:
        return "cloud metadata"
    if address.is_unspecified or (isinstance(address, IPv4Address) and address in _THIS_NETWORK):
        return "unspecified"
    if address.is_multicast:
        return "multicast"
    if address == _BROADCAST:
        return "broadcast"
    # ::1 counts as reserved there, and has a rule of its own
    return "reserved" if address.is_reserved and not address.is_loopback else None


def _not_public(found: IPAddress) -> str | None:
    """Return the kind of an address that is not one of the public internet, None for one that is."""
    address = _address_inside(found)
    if (kind := _never_called(address)) is not None:
        return kind
    if address.is_loopback:
        return "loopback"
    if not address.is_global:
        return "private" if address.is_private else "shared"
    is_inside = found in _NAT64_INSIDE or (isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6)
    return "special" if is_inside or any(address in network for network in _SPECIAL) else None
