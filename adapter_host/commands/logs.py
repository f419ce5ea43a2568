"""
Where the records of a command go: JSON lines on standard error when asked for, nowhere otherwise.

The one place that configures logging globally: here the process is ours.

Spec: LOG-05
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import structlog

from http_util.log import RedactSecrets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from http_util.secret import Secret


def configure_logs(*, verbose: bool, secrets: Iterable[Secret] = ()) -> Any:
    """
    Set up structlog for this process, and return the logger for a host.

    Args:
        verbose: Show records of all levels, those about faults of adapters too; otherwise none.
        secrets: Removed from every record.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            RedactSecrets(secrets),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    return structlog.get_logger("adapter_host")
