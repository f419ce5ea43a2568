"""
Why no replica of a pool takes a task, as the caller is told. Pure: what the replicas said in, an error out.

Spec: HST-02
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapter_api import Outcome, WorkerError
from http_util.redact import safe_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapter_host.registry import Replica

_LASTING: Final = frozenset(
    {
        "configuration",
        "deleted",
        "dns_failed",
        "egress_denied",
        "engine_version",
        "expired_api_key",
        "invalid_api_key",
        "invalid_base_url",
        "missing_api_key",
        "not_found",
        "permission_denied",
        "quota_exceeded",
        "redirect",
        "tls_failed",
    }
)
"""Reasons that stay until a person changes something: waiting does not help."""

_OF_HEALTH: Final = {"model_missing": "not_found"}
"""What only a health says, and what a task would have failed with."""


def refusal(replicas: Sequence[Replica]) -> WorkerError:
    """
    What a submit fails with when none of *replicas* is ready.

    One lasting reason that all share is told as it is. With several lasting ones it is `pool_unready`, not retriable;
    as soon as one replica may come back by itself it is retriable.

    Spec: HST-02
    """
    message = unready(replicas)
    reasons = {_reason(one) for one in replicas}
    if not reasons or not reasons <= _LASTING:
        return WorkerError("pool_unready", message, outcome=Outcome.NOT_SENT)
    reason = reasons.pop() if len(reasons) == 1 else "pool_unready"
    return WorkerError(reason, message, retriable=False, outcome=Outcome.NOT_SENT)


def unready(replicas: Sequence[Replica]) -> str:
    """Why none of *replicas* is ready, in one line that may be shown; of several, which says what."""
    if not replicas:
        return "the pool has no replica"
    says = [(one.health and (one.health.detail or one.health.reason)) or "no answer yet" for one in replicas]
    if len(says) == 1:
        return safe_message(f"the upstream is not ready: {says[0]}")
    shown = [f"{one.replica_id}: {said}" for one, said in zip(replicas, says, strict=True)]
    return safe_message("no replica is ready; " + "; ".join(shown))


def _reason(replica: Replica) -> str:
    said = (replica.health and replica.health.reason) or "pool_unready"
    return _OF_HEALTH.get(said, said)
