"""
Egress: which hosts may be called at all. Asked for every request, before a name is resolved or a socket opened.

`EgressPolicy` decides and is pure; `http_util.client` puts it in front of every transport, so that no request goes
around the decision, whether it is direct, through a proxy or sent by a hand that got hold of the client.

Spec: SEC-10, SEC-11
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from adapter_api.outcome import Outcome
from http_util.errors import PolicyFailure
from http_util.urls import Origin, is_loopback, normal_host

if TYPE_CHECKING:
    from collections.abc import Iterable

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LARGEST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """
    An allow-list of hosts and ports, and the rule that plain HTTP stays on this machine.

    Spec: SEC-11
    """

    allowed: frozenset[tuple[str, int | None]]
    """Host, and port or None for the scheme's default port."""
    plain_http_hosts: frozenset[str] = frozenset()
    """Hosts beside loopback that may be called without TLS."""

    @classmethod
    def for_origin(cls, origin: Origin, *, plain_http_hosts: Iterable[str] = ()) -> Self:
        """Return the policy that allows one host and port."""
        return cls(frozenset({(origin.host, origin.port)}), frozenset(plain_http_hosts))

    @classmethod
    def parse(cls, entries: Iterable[str], *, plain_http_hosts: Iterable[str] = ()) -> Self:
        """
        Return the policy that a list of ``host`` and ``host:port`` entries describes.

        An entry without a port allows the default port of the scheme. There are no wildcards.

        Raises:
            ValueError: An entry is neither; the text names the field ``egress``.
        """
        return cls(frozenset(_entry(entry) for entry in entries), frozenset(plain_http_hosts))

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

    def describe(self) -> list[str]:
        """Return the allowed hosts as ``host`` or ``host:port``, sorted."""
        return sorted(
            host if port is None else f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in self.allowed
        )


def _entry(text: str) -> tuple[str, int | None]:
    """Return host and port of one entry of the list."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")) or text.endswith("]"):
        return normal_host(text, field="egress"), None
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _LARGEST_PORT):
        raise ValueError(f"egress must hold host or host:port with a port between 1 and {_LARGEST_PORT}")
    return normal_host(host, field="egress"), int(port)
