"""One row of the matrix: what an upstream does, and everything that must come of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from adapter_api import ErrorKind, Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from adapter_api import TokenEvent
    from http_util.resilience import Resilience
    from openai_client.errors import OpenAIError
    from tests.faults.run import Run
    from tests.faults.upstreams import Place, Upstream

    Consumer = Callable[[Run], Awaitable[None]]

H1: Final = "http/1.1"
H2: Final = "h2"
BOTH: Final = (H1, H2)

RAISED: Final = "raised"
"""The sequence of a task that failed before `started`: `submit` raised."""
CANCELLED: Final = "cancelled"
"""The sequence of a task whose own asyncio task was cancelled: `asyncio.CancelledError` went through, nothing else."""


class Failure(NamedTuple):
    """What an error says, in whichever way it came: raised by `submit`, or as the last event of a stream."""

    code: ErrorKind | None
    reason: str
    outcome: Outcome | None
    retriable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    A row. Times are seconds of the event loop's clock, from the call to the last event.

    Whatever the row says, the harness also holds every case to what `tests/faults/README.md` lists under "always".
    """

    name: str
    group: str
    upstream: Upstream
    """What the upstream does."""
    sequence: str
    """The events, as `spelled` writes them: ``started token*3 error``. ``token*N`` stands for any number of them."""
    failure: Failure | None = None
    """What went wrong; None when the answer came to its end."""
    posts: int = 1
    """Requests that reached the upstream, those it refused included."""
    attempts: int | None = None
    """Lines of the ledger; None: as many as there were requests."""
    within: float = 0.5
    after: float = 0.0
    """No sooner than this: a timer that rings early is as wrong as one that rings late."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What else the last event, or the error, must say: ``{"evidence": "done"}``."""
    protocols: tuple[str, ...] = BOTH
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the adapter beside those of `run.SETTINGS`."""
    task: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the task beside those of `run.TASK`."""
    resilience: Callable[[Place], Resilience] | None = None
    """Makes the layers around every attempt; None: the adapter has its own retry policy and budget alone."""
    consumer: Consumer | None = None
    """What is done with the adapter; None: one task is sent and read to its end."""
    leaf: type[OpenAIError] | None = None
    """What the typed client raises for the same; None: the case is the adapter's alone."""
    client: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the client's HTTP room, where the case needs timers."""
    hangs_after: float = 9.0
    """Seconds after which it hangs, and has failed."""
    client_retriable: bool | None = None
    """Whether the client calls the error retryable; None: as the adapter does."""

    def __str__(self) -> str:
        """The name under which pytest shows it."""
        return f"{self.group}-{self.name}"

    @property
    def ledger(self) -> int:
        """Lines that the ledger must have."""
        return self.posts if self.attempts is None else self.attempts


def spelled(events: Iterable[TokenEvent]) -> str:
    """
    Write a sequence of events down; neighbours of one kind are counted.

    >>> from adapter_api import TokenEvent
    >>> spelled([TokenEvent("started", {}), *[TokenEvent("token", {"t": "a", "i": 0})] * 3, TokenEvent("end", {})])
    'started token*3 end'
    """
    counted = ((kind, len(list(same))) for kind, same in groupby(event.kind for event in events))
    return " ".join(kind if kind != "token" else f"token*{count}" for kind, count in counted)


def matches(sequence: str, expected: str) -> bool:
    """
    Tell whether a sequence is the expected one.

    >>> matches("started token*3 error", "started token*N error"), matches("started error", "started token*N error")
    (True, True)
    """
    pattern = re.escape(expected).replace(r"\ token\*N", r"(?: token\*\d+)?")
    return re.fullmatch(pattern, sequence) is not None


# What the rows are made of. Each is written out here, and not asked of the product: it is what the product is held to.

UNAVAILABLE: Final = ErrorKind.POOL_UNAVAILABLE
INVALID: Final = ErrorKind.INVALID_PARAMS
REJECT: Final = ErrorKind.ADMISSION_REJECT
INTERNAL: Final = ErrorKind.INTERNAL
RESET: Final = ErrorKind.WORKER_RESET
DECODE_TIMEOUT: Final = ErrorKind.DECODE_TIMEOUT
DEADLINE: Final = ErrorKind.DEADLINE_UNMET

NOT_SENT: Final = Outcome.NOT_SENT
REJECTED: Final = Outcome.REJECTED
UNKNOWN: Final = Outcome.UNKNOWN
PARTIAL: Final = Outcome.PARTIAL

LATER: Final = True
NEVER: Final = False
"""The advice, as a word: whether the same task may succeed later."""
