"""
What a simulator can be told when it starts.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from upstream_simulator.flavours import FLAVOURS
from upstream_simulator.words import STYLES

if TYPE_CHECKING:
    from collections.abc import Collection

_MAX_PORT: Final = 65_535
DEFAULT_MODELS: Final = ("simulated-small", "simulated-large")


class InvalidOption(ValueError):
    """
    An option the simulator cannot start with; the message names it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    Everything that shapes one server. Immutable.

    Raises:
        InvalidOption: A value is out of range, or the address is not loopback.

    Spec: SIM-01
    """

    host: str = "127.0.0.1"
    """Loopback address to listen on; anything else is refused."""
    port: int = 0
    """Plain HTTP/1.1 port; 0 takes a free one."""
    tls_port: int | None = None
    """Port for HTTP/2 and HTTP/1.1 over TLS; 0 takes a free one, None opens none."""
    ca_file: str | None = None
    """Where to write the certificate of the local authority (PEM); None makes a temporary file."""
    http2: bool = True
    """Offer HTTP/2 by ALPN on the TLS port."""
    api_key: str | None = None
    """The only key accepted; None accepts any and none."""
    flavour: str = "generic"
    """Whose manners to copy; a key of `FLAVOURS`."""
    models: tuple[str, ...] = ()
    """The models served; empty lists `DEFAULT_MODELS` and serves any name."""
    tokens: int = 48
    """Length of an answer for which the request names no limit, in tokens."""
    tokens_per_second: float = 0.0
    """Pace of every stream; 0 sends as fast as the connection takes it."""
    tokens_per_write: int = 1
    """Tokens handed to the connection in one write, at least 1."""
    first_token_delay: float = 0.0
    """Seconds between the head of a reply and its first token."""
    context: int | None = None
    """Longest prompt accepted, in tokens; None has no limit."""
    words: str = "plain"
    """Vocabulary of the answers; a name in `STYLES`."""
    seed: int = 0
    """Mixed into every answer whose request carries no seed."""

    def __post_init__(self) -> None:
        """
        Refuse what cannot work.

        Raises:
            InvalidOption: See the class.
        """
        for name, (kinds, expected) in _KINDS.items():
            _require_kind(name, getattr(self, name), kinds, expected)
        _require_loopback(self.host)
        _require_port("port", self.port)
        if self.tls_port is not None:
            _require_port("tls_port", self.tls_port)
        _require_choice("flavour", self.flavour, FLAVOURS)
        _require_choice("words", self.words, STYLES)
        _require_at_least("tokens", self.tokens, 0)
        _require_at_least("tokens_per_second", self.tokens_per_second, 0)
        _require_at_least("tokens_per_write", self.tokens_per_write, 1)
        _require_at_least("first_token_delay", self.first_token_delay, 0)
        if self.context is not None:
            _require_at_least("context", self.context, 1)


_TEXT: Final = ((str,), "a text")
_COUNT: Final = ((int,), "an integer")
_NUMBER: Final = ((int, float), "a number")
_KINDS: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "host": _TEXT,
    "port": _COUNT,
    "tls_port": ((int, type(None)), "an integer, or None"),
    "ca_file": ((str, type(None)), "a text, or None"),
    "http2": ((bool,), "True or False"),
    "api_key": ((str, type(None)), "a text, or None"),
    "flavour": _TEXT,
    "models": ((tuple, list), "a tuple of texts"),
    "tokens": _COUNT,
    "tokens_per_second": _NUMBER,
    "tokens_per_write": _COUNT,
    "first_token_delay": _NUMBER,
    "context": ((int, type(None)), "an integer, or None"),
    "words": _TEXT,
    "seed": _COUNT,
}
"""What each option is, so that one that is something else is told by its name."""


def _require_kind(name: str, value: object, kinds: tuple[type, ...], expected: str) -> None:
    # True is an int to Python, and no port
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise InvalidOption(f"{name}: expected {expected}, got {type(value).__name__}")


def _require_loopback(host: str) -> None:
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise InvalidOption(f"host {host!r}: the simulator listens on loopback only; use 127.0.0.1, ::1 or localhost")


def _require_port(name: str, port: int) -> None:
    if not 0 <= port <= _MAX_PORT:
        raise InvalidOption(f"{name} {port!r}: expected 0 to 65535, 0 for a free port")


def _require_choice(name: str, chosen: str, known: Collection[str]) -> None:
    if chosen not in known:
        raise InvalidOption(f"{name} {chosen!r}: expected one of {', '.join(sorted(known))}")


def _require_at_least(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise InvalidOption(f"{name} {value!r}: expected a number of at least {least}")
