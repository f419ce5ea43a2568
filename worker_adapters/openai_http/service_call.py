"""
What a call of the streaming service is handed: the rules of all its calls, and what belongs to one.

Spec: SVC-02, SVC-14, SVC-16, SVC-17, SVC-18
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from worker_adapters.openai_http.upstream_words import UpstreamWords

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from http_util import AsyncWatch, Deadline, RetryPolicy, Timeouts
    from worker_adapters.openai_http.token_reader import TokenReader


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPolicy:
    """
    The rules of every call of a service.

    Spec: SVC-14, SVC-17
    """

    timeouts: Timeouts
    content_timeout: float | None
    """Seconds without content; None for no such bound."""
    retry: RetryPolicy | None
    """None means one attempt."""
    linger: float = 0.25
    """Seconds that an upstream may keep its answer open after the finish reason, for a usage chunk say."""
    metrics_events: bool = False
    """Whether a `metrics` event comes before the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """
    What belongs to one call.

    Spec: SVC-16, SVC-18
    """

    trace_id: str
    request_id: str
    deadline: Deadline
    watch: AsyncWatch
    """The cancellation token: `break_off` ends the call wherever it is."""
    reader: TokenReader
    """A new one, for this call alone: it holds what the stream tells."""
    headers: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)
    """What `started` and `end` say beside what the upstream tells: correlation_id, seed, engine_version, ..."""
    words: UpstreamWords = field(default_factory=UpstreamWords, repr=False)
    """The upstream's words as far as whoever calls has come across them; it may hand the same ones to every call."""
    private: Sequence[str] = field(default=(), repr=False)
    """The texts of the prompt, taken out of whatever the upstream says about it."""
