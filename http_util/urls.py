"""
URLs: which ones may be called, and how they are written down. Pure; nothing is resolved.

Spec: SEC-10, SEC-12
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote, urlsplit

import idna

from http_util.redact import redact_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from urllib.parse import SplitResult

_LONGEST_URL: Final = 2048
_LONGEST_HOST: Final = 253
_LARGEST_PORT: Final = 65_535
_PORTS: Final = {"http": 80, "https": 443}
_PROXY_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}

# a space, a control character, a backslash, a quote or an angle bracket is never part of a URL in good faith
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\\"<>^`{|}\u2028\u2029\ud800-\udfff]")
_LIKE_A_HOST: Final = re.compile(r"[\w.:/\[\]* -]{1,80}")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]+")
_HOST: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
_NUMERIC_HOST: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*\.?")


IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
"""An address of either family."""

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
"""A range of addresses of either family."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection goes: scheme, host and port."""

    scheme: str
    """``http`` or ``https``; of a proxy also ``socks5`` or ``socks5h``."""
    host: str
    """Lower-case ASCII name or address; an IPv6 address without brackets."""
    port: int
    """1 to 65535, the scheme's own when the URL names none."""

    def __str__(self) -> str:
        """Return ``scheme://host:port``."""
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def check_url(
    url: str,
    *,
    field: str,
    plain_http_hosts: Iterable[str] = (),
    allow_query: bool = False,
) -> str:
    """
    Return *url* in its normal form: lower-case ASCII host, no default port, no slash at the end of the path.

    What is not ASCII in path and query is percent-encoded.

    Args:
        url: ``https://host[:port][/path]``; ``http://`` only for loopback hosts and those listed.
        field: Name of the setting; every error begins with it.
        plain_http_hosts: Hosts that may be called without TLS.
        allow_query: Whether a query may follow the path.

    Raises:
        ValueError: The URL is refused. The text names *field* and what is accepted, and shows no user name, password,
            query value or key.

    Spec: SEC-10
    """
    parts = _split(url, field)
    origin = _origin(parts, field, url)
    if parts.fragment or url.endswith("#"):
        raise _refusal(field, "must not have a fragment (#...)", url)
    if (parts.query or url.endswith("?")) and not allow_query:
        raise _refusal(field, "must not have a query (?...)", url)
    plain_hosts = {normal_host(host, field="plain_http_hosts") for host in plain_http_hosts}
    if origin.scheme == "http" and not is_loopback(origin.host) and origin.host not in plain_hosts:
        raise _refusal(field, "must be https://; http:// is only for loopback or hosts in plain_http_hosts", url)
    shown_host = f"[{origin.host}]" if ":" in origin.host else origin.host
    port = "" if origin.port == _PORTS[origin.scheme] else f":{origin.port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{origin.scheme}://{shown_host}{port}{_encoded(parts.path.rstrip('/'))}{_encoded(query)}"


def origin_of(url: str, *, field: str = "url") -> Origin:
    """
    Return where a request to *url* goes.

    Raises:
        ValueError: As `check_url`, without the rules about plain HTTP, query and fragment.
    """
    return _origin(_split(url, field), field, url)


def proxy_origin(url: str, *, field: str = "proxy") -> Origin:
    """
    Return where a proxy is.

    Args:
        url: ``http://``, ``https://``, ``socks5://`` or ``socks5h://`` and ``host[:port]``; a SOCKS proxy listens on
            port 1080 when none is named.
        field: Name of the setting; every error begins with it.

    Raises:
        ValueError: The URL is refused; the text names *field* and what is accepted, and shows no password.

    Spec: SEC-12
    """
    parts = _split(url, field)
    if parts.scheme not in _PROXY_PORTS:
        raise _refusal(field, "must begin with http://, https://, socks5:// or socks5h://", url)
    origin = _origin(parts, field, url, _PROXY_PORTS)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise _refusal(field, "must be scheme://host[:port] and nothing behind it", url)
    return origin


def literal_address(host: str) -> IPAddress | None:
    """Return the address that *host* is, None when it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def parse_networks(entries: Iterable[str], *, field: str) -> tuple[IPNetwork, ...]:
    """
    Return ranges of addresses.

    Args:
        entries: Each ``10.0.0.0/8``, ``fd00::/8`` or a single address.
        field: Name of the setting.

    Raises:
        ValueError: An entry is neither, or has bits set behind the length of its prefix; the text names *field*.
    """
    return tuple(_network(entry, field) for entry in entries)


@dataclass(frozen=True, slots=True)
class HostPatterns:
    """
    Hosts by name, by the end of their name, or by the range that their address lies in.

    >>> patterns = HostPatterns.parse(["api.example", ".corp.example", "10.0.0.0/8"], field="no_proxy")
    >>> [patterns.match(host) for host in ("api.example", "a.corp.example", "corp.example", "10.1.2.3", "b.example")]
    [True, True, False, True, False]
    """

    hosts: frozenset[str]
    """Names and addresses that match as they are."""
    suffixes: tuple[str, ...] = ()
    """Ends of names, each with the dot that it begins with."""
    networks: tuple[IPNetwork, ...] = ()
    """Ranges of addresses. Only a host that is written as an address lies in one; no name is resolved for this."""

    @classmethod
    def parse(cls, entries: Iterable[str], *, field: str) -> Self:
        """
        Return the patterns that a list describes.

        Args:
            entries: Each a host, ``.suffix`` for all names below it, or a range such as ``10.0.0.0/8``.
            field: Name of the setting.

        Raises:
            ValueError: An entry is none of these; the text names *field*.
        """
        written = [normal_pattern(entry, field=field) for entry in entries]
        return cls(
            frozenset(entry for entry in written if not entry.startswith(".") and "/" not in entry),
            tuple(entry for entry in written if entry.startswith(".")),
            parse_networks((entry for entry in written if "/" in entry), field=field),
        )

    def match(self, host: str) -> bool:
        """Tell whether *host*, in its normal form, is one of them."""
        if host in self.hosts or host.endswith(self.suffixes):
            return True
        address = literal_address(host) if self.networks else None
        return address is not None and any(address in network for network in self.networks)


def normal_pattern(entry: str, *, field: str) -> str:
    """
    Return one entry of `HostPatterns` the way it is compared.

    Raises:
        ValueError: It is no host, ``.suffix`` or range of addresses; the text names *field*.
    """
    if "/" in entry:
        return str(_network(entry, field))
    if entry.startswith("."):
        return f".{normal_host(entry[1:], field=field)}"
    return normal_host(entry, field=field)


def is_loopback(host: str) -> bool:
    """Tell whether *host* can only be this machine: ``localhost``, a name under it, 127.0.0.0/8 or ::1."""
    address = literal_address(host)
    if address is not None:
        return address.is_loopback
    name = host.rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def normal_host(host: str, *, field: str) -> str:
    """
    Return a host name or address in lower-case ASCII; an IPv6 address in its shortest form without brackets.

    Raises:
        ValueError: It is neither a name nor an address; the text names *field*.
    """
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    try:
        name = bare.lower() if bare.isascii() else idna.encode(bare, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise ValueError(
            f"{field} must hold a host name or an IP address; this one cannot be written in ASCII"
        ) from None
    if len(name) > _LONGEST_HOST or not _HOST.fullmatch(name) or _NUMERIC_HOST.fullmatch(name):
        raise ValueError(f"{field} must hold a host name or an IP address{_shown(host)}")
    return name.removesuffix(".")


def _split(url: str, field: str) -> SplitResult:
    """Return the parts of a URL that has no character that does not belong into one."""
    if not isinstance(url, str):
        raise ValueError(f"{field} must be a URL as text, not {type(url).__name__}")  # noqa: TRY004 - a field error
    if len(url) > _LONGEST_URL:
        raise ValueError(f"{field} must have at most {_LONGEST_URL} characters, this one has {len(url)}")
    if _FORBIDDEN.search(url):
        raise ValueError(f"{field} must not hold spaces, line breaks, control characters or quotes")
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError(f"{field} must be https://host[:port][/path]; this one cannot be parsed") from None


def _encoded(text: str) -> str:
    """Return a path or a query with what is not ASCII in it percent-encoded; the rest stays as it is written."""
    return _NOT_ASCII.sub(lambda found: quote(found[0]), text)


def _network(entry: str, field: str) -> IPNetwork:
    """Return one range of addresses."""
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        raise ValueError(
            f"{field} must hold ranges such as 10.0.0.0/8, with no bit set behind the prefix{_shown(entry)}"
        ) from None


def _origin(parts: SplitResult, field: str, url: str, ports: Mapping[str, int] = _PORTS) -> Origin:
    """Return scheme, host and port after they were checked."""
    if parts.scheme not in ports:
        raise _refusal(field, "must begin with https:// (or http:// for loopback)", url)
    if "@" in parts.netloc:
        raise ValueError(f"{field} must not hold a user name or password (value not shown)")
    if not parts.hostname or "%" in parts.netloc:
        raise _refusal(field, "must name a host", url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or parts.netloc.endswith(":"):
        raise _refusal(field, f"must have a port between 1 and {_LARGEST_PORT}, or none", url)
    return Origin(parts.scheme, normal_host(parts.hostname, field=field), port or ports[parts.scheme])


def _refusal(field: str, accepted: str, url: str) -> ValueError:
    """Return the error for a URL, without anything secret in it: what is no URL may be a key in the wrong place."""
    if "://" not in url or "@" in url:
        return ValueError(f"{field} {accepted} (value not shown)")
    shown, query, _ = redact_url(url).partition("?")
    return ValueError(f"{field} {accepted}; got {shown[:200] + query!r}")


def _shown(entry: str) -> str:
    """Return how an error speaks of an entry that is no host or range: only as far as it looks like one."""
    return f", not {redact_url(entry)!r}" if _LIKE_A_HOST.fullmatch(entry) else " (value not shown)"
