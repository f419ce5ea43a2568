"""
Where our own log lines go, and the structlog processor that keeps secrets out of them.

The package configures no logging. A program that configures structlog gets the lines through its own chain, into
which it puts `RedactSecrets` last, just in front of the renderer. Without that, they go to the standard library's
loggers, redacted, which say nothing below a warning unless they are told to; nothing is ever printed on standard
output.

Spec: LOG-05, HTU-1004, SEC-07
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import structlog

from http_util.redact import MASK, escape_controls, is_sensitive_name, redact_value

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from http_util.secret import Secret


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """
    Return the logger called *name*; ask anew for each call or task, because a program may configure structlog late.

    Spec: LOG-05
    """
    if structlog.is_configured():
        return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name))
    return cast(
        "structlog.stdlib.BoundLogger",
        structlog.wrap_logger(
            logging.getLogger(name),
            processors=[structlog.stdlib.filter_by_level, *_UNCONFIGURED],
            wrapper_class=structlog.stdlib.BoundLogger,
        ),
    )


def is_taken(name: str, level: int) -> bool:
    """
    Tell whether a line of *level* could come to anything, so that nobody makes one in vain.

    Args:
        name: Of the logger.
        level: As `logging` counts: `logging.INFO`.

    Returns:
        False only where it is certain: the standard library's logger, or a configured logger that filters by level
        itself, says so. What other chains do with a line is theirs.

    Spec: LOG-05
    """
    if not structlog.is_configured():
        return _standard_logger(name).isEnabledFor(level)
    asked = getattr(structlog.get_config()["wrapper_class"], "is_enabled_for", None)
    # the filtering loggers decide by their class: the instance that is missing here is not looked at
    return asked is None or bool(asked(None, level))


# `logging.getLogger` takes a lock; what it returns for a name never changes
_standard_logger = lru_cache(maxsize=64)(logging.getLogger)


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

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Return the event with every value redacted; the event itself is changed."""
        known = [secret.reveal() for secret in self._secrets]
        for name, value in event.items():
            if is_sensitive_name(name) and value is not None:
                event[name] = MASK
                continue
            shown = redact_value(value, secrets=known)
            event[name] = escape_controls(shown) if isinstance(shown, str) else shown
        return event


_UNCONFIGURED = (RedactSecrets(), structlog.processors.KeyValueRenderer(key_order=["event"]))
