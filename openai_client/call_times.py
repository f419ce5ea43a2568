"""
How long a call may take: the timers of its attempts, and the instant that ends it. Pure.

Spec: CLI-11
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from http_util.call import Timeouts
from http_util.deadline import Deadline

if TYPE_CHECKING:
    from openai_client.config import ClientConfig
    from openai_client.operation import Call, CallOptions


def timers_of(operation: Call, config: ClientConfig, *, streams: bool) -> Timeouts:
    """Return the timers: the head of a whole answer comes when the answer is ready, that of a stream much sooner."""
    http = config.http
    first_byte = operation.options.timeout or config.timeout
    if streams or "first_byte_timeout" in http.model_fields_set:
        first_byte = min(http.first_byte_timeout, first_byte)
    return Timeouts(
        connect=http.connect_timeout,
        pool=http.pool_timeout,
        write=http.write_timeout,
        first_byte=first_byte,
        idle=http.idle_timeout,
    )


def deadline_of(
    options: CallOptions, config: ClientConfig, now: float, *, streams: bool
) -> tuple[Deadline | None, str]:
    """Return the strictest of the bounds and its name; the client's own timeout does not end a running stream."""
    bounds = [] if options.deadline is None else [(options.deadline, "the deadline")]
    if options.timeout is not None:
        bounds.append((Deadline(now + options.timeout), f"the call's timeout of {options.timeout:g} s"))
    elif not streams:
        bounds.append((Deadline(now + config.timeout), f"the client's timeout of {config.timeout:g} s"))
    return min(bounds, default=(None, "the deadline"))
