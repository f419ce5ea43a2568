"""
The structlog processor that keeps secrets out of our own log lines. It belongs last, just in front of the renderer.

The package configures no logging: a program that does puts `RedactSecrets` into its chain.

Spec: LOG-05, HTU-1004, SEC-07
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from http_util.redact import MASK, escape_controls, is_sensitive_name, redact_value

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from http_util.secret import Secret


class RedactSecrets:
    """
    A structlog processor: masks members with a sensitive name, removes known secrets, escapes control characters.

    >>> RedactSecrets()(None, "info", {"event": "sent", "api_key": "sk-example-0000000"})
    {'event': 'sent', 'api_key': '****'}
    """

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        """
        Remove also *secrets*, wherever in a line they turn up.

        Args:
            secrets: Credentials of the program; they are held as secrets and read per line.
        """
        self._secrets = tuple(secrets)

    def __call__(self, logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Return the event with every value redacted; the event itself is changed."""
        known = [secret.reveal() for secret in self._secrets]
        for name, value in event.items():
            if is_sensitive_name(name) and value is not None:
                event[name] = MASK
                continue
            shown = redact_value(value, secrets=known)
            event[name] = escape_controls(shown) if isinstance(shown, str) else shown
        return event
