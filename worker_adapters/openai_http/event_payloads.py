"""
Payloads of the events that frame a stream. Pure; times are arguments.

Spec: ADP-05, ADAPT-3003, OC-ADAPT-OAI-6010, OQ-08
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapter_api import Attempt
    from worker_adapters.openai_http.token_reader import TokenReader


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTimes:
    """Monotonic seconds of one stream."""

    began: float
    first_token: float | None
    ended: float

    @property
    def decode_ms(self) -> int:
        """From the first token to the end, in milliseconds."""
        return 0 if self.first_token is None else round((self.ended - self.first_token) * 1000)

    @property
    def first_token_ms(self) -> int | None:
        """From the beginning of the call to the first token, in milliseconds."""
        return None if self.first_token is None else round((self.first_token - self.began) * 1000)


def started_payload(reader: TokenReader, identity: Mapping[str, Any]) -> dict[str, Any]:
    """What `started` says: who answers, and what the task is known by."""
    model = reader.model or identity.get("model")
    payload: dict[str, Any] = {"engine_version": None, **identity}
    payload["engine_version"] = payload["engine_version"] or model
    payload["model"] = model
    payload["system_fingerprint"] = reader.system_fingerprint
    return _present(payload)


def end_payload(
    reader: TokenReader,
    identity: Mapping[str, Any],
    times: StreamTimes,
    attempts: tuple[Attempt, ...],
    *,
    http_version: str,
    is_cancelled: bool,
) -> dict[str, Any]:
    """
    What `end` says: how much, how long, why it ended and what proves it, what it took, and over which HTTP it came.
    """
    usage = usage_of(reader)
    counted = usage["completion_tokens"] if usage["source"] == "upstream" else reader.index
    decode_ms, first_token_ms = times.decode_ms, times.first_token_ms
    payload: dict[str, Any] = {
        "tokens_out": counted if counted is not None else reader.index,
        "decode_ms": decode_ms,
        "decode_time_ms": decode_ms,
        "finish_reason": "cancelled" if is_cancelled else reader.finish_reason,
        "evidence": "cancelled" if is_cancelled else reader.evidence,
        "usage": usage,
    }
    payload.update(started_payload(reader, identity))
    if first_token_ms is not None:
        payload["latency_first_token_ms"] = first_token_ms
    payload["attempts"] = [attempt.as_dict() for attempt in attempts]
    payload["http_version"] = http_version
    return payload


def metrics_payload(reader: TokenReader, times: StreamTimes) -> dict[str, Any]:
    """What a `metrics` event says."""
    return _present(
        {
            "latency_first_token_ms": times.first_token_ms,
            "latency_decode_ms": times.decode_ms,
            "tokens_out": reader.index,
        }
    )


def usage_of(reader: TokenReader) -> dict[str, Any]:
    """
    Token counts and where they come from: `upstream`, `estimated` (one per token event), or `none`.

    Spec: OQ-08
    """
    usage = reader.usage
    if usage is None:
        source = "estimated" if reader.index else "none"
        prompt, completion, total = None, reader.index or None, None
    else:
        source = "upstream"
        prompt = usage.prompt_tokens if usage.prompt_tokens is not None else usage.input_tokens
        completion = usage.completion_tokens if usage.completion_tokens is not None else usage.output_tokens
        total = usage.total_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total, "source": source}


def _present(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}
