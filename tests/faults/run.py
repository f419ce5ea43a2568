"""One case being played against an adapter: what its consumer does, and what came of it."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any, Final

from adapter_api import TaskRequest, WorkerError
from http_util import RetryPolicy
from http_util.resilience import Resilience
from tests.faults.case import CANCELLED, RAISED, Failure, matches, spelled
from tests.faults.footprint import SOON, Footprint, Stopwatch, told
from tests.faults.permits import outstanding
from tests.lateness import PLAYS, Late, in_time
from worker_adapters.openai_http import OpenAIHttpAdapter, OpenAIHttpConfig

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from adapter_api import TokenEvent, TokenStream
    from tests.faults.case import Case
    from tests.faults.upstreams import Place, Stage

KEY: Final = "sk-canary-5f1d0c9be27a4e31"
"""The key of every case; no error and no event may show it."""

BILLING_SAFE: Final = RetryPolicy(name="billing_safe", base=0.001, cap=0.002)
AVAILABLE: Final = RetryPolicy(name="available", base=0.001, cap=0.002, retries_unknown=True)
"""The two policies, with pauses that no case has to wait for."""

SETTINGS: Final[dict[str, Any]] = {
    "model": "m",
    "api_key": KEY,
    "retry": BILLING_SAFE,
    "connect_timeout": 3.0,
    "pool_timeout": 3.0,
    "first_byte_timeout": 3.0,
    "idle_timeout": 3.0,
    "content_timeout": 3.0,
}
"""No timer rings in a case that does not set it: it would be later than any bound."""

TASK: Final[dict[str, Any]] = {
    "session_id": "s-1",
    "workload": "completion",
    "model_ref": "m",
    "engine": "openai",
    "ctx": 8192,
    "priority": "interactive",
    "max_tokens": 8,
    "deadline_ms": 8_000,
    "prompt": "Tell me of the sea.",
}

TOLERANCE: Final = 0.05
"""Seconds by which an ending may be late; time in which the machine served others is not counted."""

DISTURBANCE: Final = 0.05
"""Seconds for which our processes were ready and did not run, from which a case that failed is played again."""


class Run:
    """What a consumer has at hand, and what is noted of it."""

    def __init__(self, case: Case, place: Place, watch: Stopwatch) -> None:
        """Make the adapter, and what stands around its calls."""
        config = OpenAIHttpConfig(**{**SETTINGS, **place.settings, **case.settings})
        self.case = case
        self.place = place
        self.resilience = Resilience() if case.resilience is None else case.resilience(place)
        self.adapter = OpenAIHttpAdapter(config, resilience=self.resilience)
        self.watch = watch
        self.events: list[TokenEvent] = []
        self.error: WorkerError | None = None
        self.was_cancelled = False

    def task(self, task_id: str = "t-1", **fields: Any) -> TaskRequest:
        """The case's task, or one more like it."""
        return TaskRequest(task_id=task_id, **{**TASK, **self.case.task, **fields})

    async def submit(self, task: TaskRequest | None = None) -> TokenStream | None:
        """Send the case's task, or another one; None when that failed, which is then noted."""
        try:
            return await self.adapter.submit(self.task() if task is None else task)
        except WorkerError as error:
            self.error = error
            return None

    async def read(self, stream: TokenStream | None) -> None:
        """Take the events of a stream to its end."""
        if stream is not None:
            async for event in stream:
                self.events.append(event)

    async def outcome_of(self, running: asyncio.Task[None]) -> None:
        """Wait for a task that submits and reads, and note when it was cancelled as such."""
        try:
            await running
        except asyncio.CancelledError:
            self.was_cancelled = True

    @property
    def sequence(self) -> str:
        """The events as a row spells them."""
        if self.was_cancelled:
            return CANCELLED
        return RAISED if self.error is not None else spelled(self.events)

    @property
    def failure(self) -> Failure | None:
        """What went wrong, as a row says it."""
        if self.error is not None:
            return Failure(self.error.code, self.error.reason, self.error.outcome, self.error.retriable)
        if self.events and self.events[-1].kind == "error":
            last = self.events[-1].data
            return Failure(last["code"], last["reason"], last.get("outcome"), last["retriable"])
        return None

    @property
    def facts(self) -> dict[str, Any]:
        """All that the last event, or the error, says."""
        if self.error is not None:
            return self.error.payload()
        return dict(self.events[-1].data) if self.events else {}

    @property
    def ledger(self) -> Sequence[object]:
        """The attempts that the last event, or the error, carries."""
        return self.error.attempts if self.error is not None else self.facts.get("attempts", ())


async def read_to_the_end(run: Run) -> None:
    """Send one task and read it to its end."""
    await run.read(await run.submit())


async def play(case: Case, protocol: str, stage: Stage) -> None:
    """
    Play *case* and hold it to its row, and to what holds for every case.

    Raises:
        AssertionError: Something is not as it must be.
    """
    await undisturbed(stage, lambda: _play(case, protocol, stage))


async def undisturbed(stage: Stage, once: Callable[[], Awaitable[object]]) -> None:
    """
    Play a case, again if it failed in a moment in which the machine served others, or was late: that proves nothing.

    Raises:
        AssertionError: It failed in time and undisturbed, or every time.
    """
    for left in reversed(range(PLAYS)):
        watch = Stopwatch(stage.pids)
        try:
            await once()
        except AssertionError as failed:
            watch.stop()
            may_be_chance = isinstance(failed, Late) or watch.denied >= DISTURBANCE
            if not (left and may_be_chance):
                raise
        else:
            return


async def _play(case: Case, protocol: str, stage: Stage) -> None:
    before = Footprint.taken()
    since = asyncio.get_running_loop().time()
    async with case.upstream.open(stage, protocol) as place:
        run = Run(case, place, Stopwatch(stage.pids))
        try:
            await _bounded(run)
            _check_row(run)
            _check_words(run)
            await _check_adapter(run, before)
        finally:
            await run.adapter.aclose()
        await told(lambda: not place.is_open(), lambda: "the upstream still sees a connection or an exchange")
        assert place.posts() == case.posts, f"{place.posts()} requests on the wire, expected {case.posts}"
        assert place.spoken() <= {protocol}
    await before.restored()
    # a loop that is blocked lets no timeout ring
    assert asyncio.get_running_loop().time() - since < case.hangs_after + 2 * SOON


async def _bounded(run: Run) -> None:
    """Have the consumer do its work, within the row's time."""
    case, watch = run.case, run.watch
    consumer = case.consumer or read_to_the_end
    scope = asyncio.timeout(case.hangs_after)
    try:
        async with scope:
            await consumer(run)
    except TimeoutError:
        if not scope.expired():
            raise
        raise AssertionError(f"hangs: no ending within {case.hangs_after} s; so far {run.sequence!r}") from None
    watch.stop()
    in_time(watch.took - watch.denied, case.within + TOLERANCE, "the ending")
    assert watch.took >= case.after - 0.001, f"took {watch.took:.3f} s, no less than {case.after} s is right"


def _check_row(run: Run) -> None:
    """Compare what came with what the row says."""
    case = run.case
    assert matches(run.sequence, case.sequence), f"{run.sequence!r}, expected {case.sequence!r}: {run.facts}"
    assert run.failure == case.failure, f"{run.failure}, expected {case.failure}: {run.facts}"
    if not run.was_cancelled:
        assert len(run.ledger) == case.ledger, f"{len(run.ledger)} lines in the ledger, expected {case.ledger}"
    told_facts = {name: run.facts.get(name) for name in case.facts}
    assert told_facts == dict(case.facts)


def _check_words(run: Run) -> None:
    """No key in anything that is said, and an error is a value: it survives pickle and copy."""
    said = f"{run.error!r} {run.error} {run.facts} {run.events}"
    assert KEY not in said
    if run.error is not None:
        assert pickle.loads(pickle.dumps(run.error)) == run.error == copy.deepcopy(run.error)


async def _check_adapter(run: Run, before: Footprint) -> None:
    """Every slot and every permit is back, and nothing of ours runs on."""
    props = await run.adapter.props()
    assert props.slots_free == props.slots_total, f"{props.slots_free} of {props.slots_total} slots are free"
    held = outstanding(run.resilience, asyncio.get_running_loop().time())
    assert held == {}, f"not given back: {held}"
    await before.tasks_restored()
