"""The shared limiter before a store that does what the test says, in virtual time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api import Outcome
from http_util import shared_limits
from http_util.call import LimitedCall
from http_util.deadline import Deadline
from http_util.errors import DeadlineExceeded, Interrupted, PolicyFailure
from http_util.rate_limit import LimitType, RateLimits
from http_util.secret import Secret
from http_util.shared_limits import SharedRateLimiter
from http_util.shared_store import Correction, Full, Reserved, SharedBudget, StoreAway, StoreSettings
from http_util.testing import FakeClock, FakeSyncClock
from http_util.watch import AsyncWatch, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from http_util.rate_limiter import Leave

HANG = object()
"""An answer that does not come."""


class FakeStore:
    """Answers in turn, and notes what it was asked and told."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, list[SharedBudget]]] = []
        self.told: list[list[Correction]] = []
        self.is_closed = False
        self.when_asked: Callable[[], object] = list

    async def reserve(
        self, line: str, budgets: Sequence[SharedBudget], corrections: Iterable[Correction]
    ) -> Reserved | Full:
        self.asked.append((line, list(budgets)))
        self.told.append(list(corrections))
        self.when_asked()
        answer = self.answers.pop(0) if self.answers else Reserved(tuple(range(len(budgets))))
        if answer is HANG:
            await asyncio.get_running_loop().create_future()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Reserved | Full)
        return answer

    async def aclose(self) -> None:
        self.is_closed = True


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves when told to."""
    return FakeClock()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    """The store of every limiter that is made."""
    fake = FakeStore()
    monkeypatch.setattr(shared_limits, "Store", lambda settings: fake)
    monkeypatch.setattr(shared_limits, "libraries", lambda: None)
    return fake


def make(limits: RateLimits | None = None, **settings: Any) -> SharedRateLimiter:
    """A limiter that leaves a store alone for ten seconds that did not answer within one."""
    when_away = settings.pop("when_away", "closed")
    store = StoreSettings(url=Secret("redis://:horse@store:6379/0"), when_away=when_away, timeout=1.0, away_pause=10.0)
    return SharedRateLimiter(store, limits or RateLimits(requests_per_minute=5), **settings)


def call(tokens: int = 0, family: str = "chat") -> LimitedCall:
    """A call for a limiter."""
    return LimitedCall(endpoint="https://a:443", family=family, request_id="r-1", tokens=tokens)


async def start(limiter: SharedRateLimiter, clock: FakeClock, tokens: int = 0) -> Leave:
    """Ask, with success."""
    return await limiter.acquire_async(call(tokens), AsyncWatch(clock), clock)


async def refused(limiter: SharedRateLimiter, clock: FakeClock) -> PolicyFailure:
    """Ask in vain."""
    with pytest.raises(PolicyFailure) as caught:
        await start(limiter, clock)
    return caught.value


@pytest.mark.requirement("RL-01", "RL-02")
async def test_the_store_is_asked_for_all_budgets_at_once(clock: FakeClock, store: FakeStore) -> None:
    """Under the name of the line; a burst is a window of burst / rate seconds."""
    limits = RateLimits(requests_per_second=10.0, burst_size=20, tokens_per_minute=1000, requests_per_day=7)
    await start(make(limits, families={"chat": limits}), clock, 300)
    assert store.asked == [
        (
            "https://a:443|chat",
            [
                SharedBudget("requests_per_second", 2.0, 20, 1),
                SharedBudget("tokens_per_minute", 60.0, 1000, 300),
                SharedBudget("requests_per_day", 86_400.0, 7, 1),
            ],
        )
    ]


@pytest.mark.requirement("RL-03")
async def test_the_store_s_refusal_is_the_limiter_s(clock: FakeClock, store: FakeStore) -> None:
    """With the limit that it named, and the seconds."""
    store.answers = [Full(1, 12.5)]
    failure = await refused(make(RateLimits(requests_per_minute=5, tokens_per_minute=9)), clock)
    assert failure.message.startswith("tokens_per_minute: ")
    assert (failure.reason, failure.retry_after) == ("rate_limited", 12.5)


@pytest.mark.requirement("REL-03")
async def test_without_limits_no_store_is_asked(clock: FakeClock, store: FakeStore) -> None:
    """There is nothing to count."""
    await start(make(RateLimits(requests_per_minute=5), families={"chat": RateLimits()}), clock)
    assert store.asked == []


@pytest.mark.requirement("RL-03")
async def test_only_the_first_of_the_line_asks_the_store(clock: FakeClock, store: FakeStore) -> None:
    """And asks again at the moment that the store named; those behind it follow in order."""
    limiter = make(queue_requests=True)
    store.answers = [Full(0, 3.0), Full(0, 3.0), Full(0, 3.0)]
    order: list[str] = []

    async def come(name: str) -> None:
        await start(limiter, clock)
        order.append(name)

    tasks = [asyncio.ensure_future(come(name)) for name in "abc"]
    await clock.settle()
    await clock.run_for(2.9)
    # all came before there was a line
    assert (len(store.asked), order) == (3, [])
    tasks.append(asyncio.ensure_future(come("d")))
    await clock.settle()
    assert len(store.asked) == 3
    await clock.run_for(0.2)
    await asyncio.gather(*tasks)
    assert order == ["a", "b", "c", "d"]
    assert len(store.asked) == 7


@pytest.mark.requirement("RL-02")
async def test_corrections_travel_with_the_next_ask_once(clock: FakeClock, store: FakeStore) -> None:
    """All of one slice together, for the budgets that they concern; nothing for what was as thought."""
    limiter = make(RateLimits(requests_per_minute=5, tokens_per_minute=1000))
    store.answers = [Reserved((7, 7)), Reserved((7, 7)), Reserved((8, 8)), Reserved((8, 8))]
    leaves = [await start(limiter, clock, 100) for _ in range(4)]
    leaves[0].settle(60)
    leaves[1].settle(130)
    leaves[2].abandon()
    leaves[3].settle(100)
    for leave in leaves:
        leave.abandon()
    await start(limiter, clock)
    await start(limiter, clock)
    assert store.told[4:] == [[Correction(1, 7, -10), Correction(0, 8, -1), Correction(1, 8, -100)], []]


@pytest.mark.requirement("RL-02")
async def test_corrections_that_got_lost_are_not_told_twice(clock: FakeClock, store: FakeStore) -> None:
    """Nobody knows whether the store has them; told twice they would make room that is not there."""
    limiter = make(when_away="open")
    (await start(limiter, clock)).abandon()
    store.answers = [StoreAway("ConnectionError")]
    await start(limiter, clock)
    clock.advance(11.0)
    await start(limiter, clock)
    assert store.told == [[], [Correction(0, 0, -1)], []]


@pytest.mark.requirement("RL-02")
async def test_what_is_left_is_told_in_the_end(clock: FakeClock, store: FakeStore) -> None:
    """By an ask for nothing; and the store is closed, also when it does not listen any more."""
    limiter = make()
    (await start(limiter, clock)).abandon()
    await limiter.aclose()
    assert store.asked[-1] == ("https://a:443|", [SharedBudget("requests_per_minute", 60.0, 5, 0)])
    assert store.told[-1] == [Correction(0, 0, -1)]
    assert store.is_closed
    other = make()
    store.is_closed = False
    (await start(other, clock)).abandon()
    store.answers = [StoreAway("ConnectionError")]
    await other.aclose()
    assert store.is_closed


@pytest.mark.requirement("RL-03")
@pytest.mark.parametrize("trouble", [StoreAway("ConnectionError"), HANG], ids=["away", "hangs"])
async def test_open_lets_calls_start_while_the_store_is_away(
    clock: FakeClock, store: FakeStore, trouble: object
) -> None:
    """It is asked again after the pause, and not before; a store that hangs costs its timeout once."""
    limiter = make(RateLimits(requests_per_minute=1), when_away="open")
    store.answers = [trouble]
    first = asyncio.ensure_future(start(limiter, clock))
    await clock.run_for(0.999)
    assert first.done() is (trouble is not HANG)
    await clock.run_for(0.001)
    await first
    went_away = clock.monotonic() if trouble is HANG else 0.0
    for _ in range(5):
        await start(limiter, clock)
    assert len(store.asked) == 1
    clock.advance(went_away + 10.0 - clock.monotonic())
    store.answers = [Full(0, 2.0)]
    assert (await refused(limiter, clock)).retry_after == 2.0


@pytest.mark.requirement("RL-03")
async def test_closed_refuses_calls_while_the_store_is_away(clock: FakeClock, store: FakeStore) -> None:
    """Those that wait in the line as well; with the seconds until the store is asked again."""
    limiter = make(queue_requests=True)
    store.answers = [Full(0, 5.0), StoreAway("ConnectionError")]
    waiter = asyncio.ensure_future(start(limiter, clock))
    await clock.run_for(5.0)
    with pytest.raises(PolicyFailure, match="is away, and when_away is 'closed': redis://store:6379/0") as caught:
        await waiter
    assert (caught.value.reason, caught.value.outcome) == ("rate_limited", Outcome.NOT_SENT)
    assert caught.value.retry_after == 10.0
    clock.advance(4.0)
    assert (await refused(limiter, clock)).retry_after == 6.0
    [line] = limiter.stats(clock.monotonic())
    assert (line.refused, line.waiting) == (2, 0)


@pytest.mark.requirement("RL-03")
async def test_local_goes_on_with_the_process_s_own_count(clock: FakeClock, store: FakeStore) -> None:
    """Which it has kept while the store was there."""
    limiter = make(RateLimits(requests_per_minute=3), when_away="local")
    (await start(limiter, clock)).abandon()
    await start(limiter, clock)
    store.answers = [StoreAway("ConnectionError")]
    for _ in range(2):
        await start(limiter, clock)
    failure = await refused(limiter, clock)
    assert failure.message.startswith("requests_per_minute: ")
    assert failure.retry_after == 60.0
    [line] = limiter.stats(0.0)
    assert (line.budgets[LimitType.REQUESTS_PER_MINUTE].used, line.started) == (3, 4)


@pytest.mark.requirement("RL-03")
@pytest.mark.parametrize("ends", ["deadline", "break_off", "cancel"])
async def test_a_store_that_hangs_does_not_hold_a_call_that_is_over(
    clock: FakeClock, store: FakeStore, ends: str
) -> None:
    """It ends at its own moment, by its own failure; the store is not taken for away because of it."""
    limiter = make()
    store.answers = [HANG]
    watch = AsyncWatch(clock, Deadline(0.5) if ends == "deadline" else None)
    task = asyncio.ensure_future(limiter.acquire_async(call(), watch, clock))
    await clock.run_for(0.499)
    assert not task.done()
    if ends == "break_off":
        watch.break_off(Interrupted("stopped", reason="cancelled", outcome=Outcome.UNKNOWN))
    if ends == "cancel":
        task.cancel()
    await clock.run_for(0.001)
    kind = {"deadline": DeadlineExceeded, "break_off": Interrupted, "cancel": asyncio.CancelledError}[ends]
    with pytest.raises(kind) as caught:
        await task
    assert ends == "cancel" or caught.value.outcome is Outcome.NOT_SENT  # type: ignore[attr-defined]
    watch.stop()
    assert clock.next_due() is None
    await start(limiter, clock)
    assert len(store.asked) == 2


@pytest.mark.requirement("RL-03")
async def test_a_call_that_is_over_already_asks_nobody(clock: FakeClock, store: FakeStore) -> None:
    """NOT_SENT, and nothing is counted."""
    watch = AsyncWatch(clock)
    watch.break_off(Interrupted("stopped", reason="cancelled", outcome=Outcome.UNKNOWN))
    with pytest.raises(Interrupted) as caught:
        await make().acquire_async(call(), watch, clock)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert store.asked == []


@pytest.mark.requirement("RL-04")
async def test_what_the_process_knows_itself_needs_no_store(clock: FakeClock, store: FakeStore) -> None:
    """That the upstream refuses, and that a call is too large."""
    limiter = make(RateLimits(tokens_per_minute=5), auto_adjust=True)
    with pytest.raises(PolicyFailure, match="whole budget"):
        await start(limiter, clock, 6)
    limiter.learn(call(), 429, {"retry-after": "30"}, 0.0)
    assert (await refused(limiter, clock)).message.startswith("server_enforced: ")
    assert store.asked == []


@pytest.mark.requirement("RL-03")
def test_threads_ask_through_an_event_loop_of_their_own(store: FakeStore) -> None:
    """By the same rules; closing ends the thread, and another ask begins a new one."""
    limiter, clock = make(RateLimits(requests_per_minute=1), when_away="open"), FakeSyncClock()
    limiter.acquire(call(), Watch(clock), clock).abandon()
    store.answers = [Full(0, 2.0)]
    with pytest.raises(PolicyFailure) as caught:
        limiter.acquire(call(), Watch(clock), clock)
    assert caught.value.retry_after == 2.0
    thread = limiter._thread
    for _ in range(2):
        limiter.close()
    assert thread is not None
    assert not thread._thread.is_alive()
    assert store.is_closed
    store.answers = [StoreAway("ConnectionError")]
    for _ in range(3):
        limiter.acquire(call(), Watch(clock), clock)
    assert store.told[1] == [Correction(0, 0, -1)]
    assert len(store.asked) == 3
    clock.advance(11.0)
    with pytest.raises(DeadlineExceeded) as late:
        limiter.acquire(call(), Watch(clock, Deadline(10.5)), clock)
    assert late.value.outcome is Outcome.NOT_SENT
    assert len(store.asked) == 3
    limiter.close()


@pytest.mark.requirement("RL-03")
def test_a_thread_that_asks_while_the_limiter_is_closed_is_told_so(store: FakeStore) -> None:
    """It does not wait for an answer that nobody will bring."""
    limiter, clock = make(), FakeSyncClock()
    failures: list[BaseException] = []
    is_asking = threading.Event()
    store.answers = [HANG]
    store.when_asked = is_asking.set

    def work() -> None:
        try:
            limiter.acquire(call(), Watch(clock), clock)
        except BaseException as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert is_asking.wait(30.0)
    limiter.close()
    thread.join(30.0)
    assert failures == [Interrupted("the limiter was closed", reason="closed", outcome=Outcome.NOT_SENT)]


@pytest.mark.slow
@pytest.mark.requirement("REL-03")
def test_nobody_pays_for_a_store_who_shares_nothing() -> None:
    """A limiter loads no library of the store, and the shared one not before it is made."""
    program = (
        "import sys, http_util.rate_limiter, http_util.shared_limits; "
        "sys.exit(bool({'limits', 'redis', 'httpx', 'httpcore'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.requirement("SEC-01")
def test_a_limiter_shows_where_its_counts_are(store: FakeStore) -> None:
    """Without credentials."""
    assert repr(make(RateLimits(requests_per_day=1))) == (
        "SharedRateLimiter(limits=RateLimits(requests_per_day=1), families={}, auto_adjust=False, "
        "queue_requests=False, max_queue_size=100, <0 lines, 0 waiting>, store='redis://store:6379/0', "
        "when_away='closed')"
    )
