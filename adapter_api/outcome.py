"""What the upstream may have done with a request that failed, and the ledger of attempts that says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Outcome(StrEnum):
    """
    What is known about the work, and so about the bill, when an attempt fails.

    Only `NOT_SENT` and `REJECTED` are safe to repeat: nothing was generated.
    """

    NOT_SENT = "NOT_SENT"
    """The request never reached the upstream: nothing left, or at most the head of one whose body could not be read."""
    REJECTED = "REJECTED"
    """The upstream says that it refused the request."""
    UNKNOWN = "UNKNOWN"
    """The request was sent, or a part of it; whether it was processed cannot be told."""
    PARTIAL = "PARTIAL"
    """A part of the answer was received; it has been generated, and probably billed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """
    One request put to an upstream: a line of the attempt ledger.

    Spec: HTU-05
    """

    number: int
    """1 for the first call, 2 for its first retry."""
    outcome: Outcome | None
    """None when the attempt succeeded."""
    reason: str | None
    """The reason of the failure (see `adapter_api.REASONS`); None when the attempt succeeded."""
    http_status: int | None
    """The status line's code, None when no status was received."""
    delay: float
    """Seconds waited before this attempt; 0.0 for the first."""
    elapsed: float
    """Seconds from the start of this attempt to its answer's head, or to its failure."""
    endpoint: str
    """`scheme://host:port`, without credentials."""
    upstream_request_id: str | None = None
    """The id that the upstream gave to this request, if it gave one."""

    def as_dict(self) -> dict[str, object]:
        """
        The attempt as a wire mapping, with durations as `_ms` integers and absent values left out.

        Example:
            >>> Attempt(
            ...     number=1,
            ...     outcome=None,
            ...     reason=None,
            ...     http_status=200,
            ...     delay=0.0,
            ...     elapsed=0.012,
            ...     endpoint="http://127.0.0.1:8000",
            ... ).as_dict()
            {'number': 1, 'endpoint': 'http://127.0.0.1:8000', 'delay_ms': 0, 'elapsed_ms': 12, 'http_status': 200}
        """
        line: dict[str, object] = {
            "number": self.number,
            "endpoint": self.endpoint,
            "delay_ms": round(self.delay * 1000),
            "elapsed_ms": round(self.elapsed * 1000),
        }
        optional = {
            "http_status": self.http_status,
            "outcome": self.outcome and self.outcome.value,
            "reason": self.reason,
            "upstream_request_id": self.upstream_request_id,
        }
        return line | {name: value for name, value in optional.items() if value is not None}

    @classmethod
    def from_dict(cls, line: Mapping[str, Any]) -> Attempt:
        """The attempt that `as_dict` wrote, to the millisecond."""
        outcome = line.get("outcome")
        return cls(
            number=line["number"],
            outcome=Outcome(outcome) if outcome else None,
            reason=line.get("reason"),
            http_status=line.get("http_status"),
            delay=line["delay_ms"] / 1000,
            elapsed=line["elapsed_ms"] / 1000,
            endpoint=line["endpoint"],
            upstream_request_id=line.get("upstream_request_id"),
        )
