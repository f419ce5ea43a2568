"""
The contract between orchestrators and worker adapters: types, order, errors. No I/O, no HTTP.

Example:
    >>> from adapter_api import TaskRequest
    >>> TaskRequest(
    ...     task_id="t-1",
    ...     session_id="s-1",
    ...     workload="completion",
    ...     model_ref="m",
    ...     engine="openai",
    ...     ctx=8192,
    ...     priority="interactive",
    ...     max_tokens=0,
    ...     deadline_ms=30_000,
    ...     prompt="Hello",
    ... )
    Traceback (most recent call last):
    ...
    adapter_api.errors.InvalidTask: INVALID_PARAMS (invalid_task): max_tokens: expected an integer of 1 or more, got 0

Spec: ADP-01
"""

from adapter_api.correlation import CORRELATION_HEADER, correlation_id, current_correlation_id
from adapter_api.errors import InvalidTask, TaskCancelled, WorkerError
from adapter_api.fault import Fault
from adapter_api.outcome import Attempt, Outcome
from adapter_api.plugin import ENTRY_POINT_GROUP, AdapterPlugin
from adapter_api.reasons import REASONS, ErrorKind, Reason, Variant, reason_row
from adapter_api.task_request import Placement, TaskRequest, prompt_of
from adapter_api.token_event import Channel, Kind, TokenEvent, token
from adapter_api.token_order import TRANSITIONS, OrderGuard, OrderState, OrderViolation
from adapter_api.token_stream import Completion, TokenSource, TokenStream
from adapter_api.version import ADAPTER_API_VERSION, is_compatible
from adapter_api.worker_adapter import WorkerAdapter, WorkerHealth, WorkerProps

__all__ = [
    "ADAPTER_API_VERSION",
    "CORRELATION_HEADER",
    "ENTRY_POINT_GROUP",
    "REASONS",
    "TRANSITIONS",
    "AdapterPlugin",
    "Attempt",
    "Channel",
    "Completion",
    "ErrorKind",
    "Fault",
    "InvalidTask",
    "Kind",
    "OrderGuard",
    "OrderState",
    "OrderViolation",
    "Outcome",
    "Placement",
    "Reason",
    "TaskCancelled",
    "TaskRequest",
    "TokenEvent",
    "TokenSource",
    "TokenStream",
    "Variant",
    "WorkerAdapter",
    "WorkerError",
    "WorkerHealth",
    "WorkerProps",
    "correlation_id",
    "current_correlation_id",
    "is_compatible",
    "prompt_of",
    "reason_row",
    "token",
]
