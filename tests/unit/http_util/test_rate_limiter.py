"""The limiter: who starts, who waits and is woken, who is refused, and what hooks and upstreams make of it."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from adapter_api import Outcome
from http_util.deadline import Deadline
from http_util.errors import DeadlineExceeded, Interrupted, PolicyFailure
from http_util.rate_headers import Allowance
from http_util.rate_hooks import QUEUE, REJECT, RateLimitRecord, RateLimitUpdate, Wait
from http_util.rate_limit import LimitType, RateLimits
from http_util.rate_limiter import LONGEST_HOLD, Leave, RateLimiter
from http_util.testing import FakeClock, FakeSyncClock
from http_util.watch import AsyncWatch, Watch
from tests.unit.http_util.limiter_crowd import ONE_A_SECOND, A, Recorder, ask, crowd

if TYPE_CHECKING:
    from http_util.call import LimitedCall

B = "https://b:443"
REFUSAL = {"retry-after": "5"}


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves when told to."""
    return FakeClock()


async def refused(limiter: RateLimiter, clock: FakeClock, call: LimitedCall | None = None) -> PolicyFailure:
    """Ask in vain."""
    with pytest.raises(PolicyFailure) as caught:
        await limiter.acquire_async(call or ask(), AsyncWatch(clock), clock)
    return caught.value


async def start(limiter: RateLimiter, clock: FakeClock, call: LimitedCall | None = None) -> Leave:
    """Ask, with success and at once."""
    return await asyncio.wait_for(limiter.acquire_async(call or ask(), AsyncWatch(clock), clock), 1.0)


@pytest.mark.requirement("RL-03")
async def test_who_cannot_start_now_is_refused_unless_told_to_wait(clock: FakeClock) -> None:
    """At once, NOT_SENT, with the seconds until it could have started."""
    limiter = RateLimiter(RateLimits(requests_per_minute=1))
    await start(limiter, clock)
    clock.advance(20.0)
    failure = await refused(limiter, clock)
    assert (failure.reason, failure.outcome, failure.retry_after) == ("rate_limited", Outcome.NOT_SENT, 40.0)
    assert failure.message == (
        "requests_per_minute: the limit for chat at https://a:443 is reached; the next call may start in 40.000 s"
    )
    clock.advance(40.0)
    await start(limiter, clock)
    [line] = limiter.stats(60.0)
    assert (line.started, line.refused) == (2, 1)
    assert clock.sleeps == []
    assert clock.next_due() is None


@pytest.mark.requirement("RL-02")
async def test_a_call_larger_than_a_whole_budget_is_refused_for_good(clock: FakeClock) -> None:
    """It is not queued, and nobody is told to come back; no hook can let it in."""
    hook = Recorder(QUEUE, Wait(1.0))
    limiter = RateLimiter(RateLimits(tokens_per_minute=100), queue_requests=True, hooks=[hook])
    failure = await refused(limiter, clock, ask(101))
    assert (failure.reason, failure.outcome, failure.retry_after) == ("token_limit", Outcome.NOT_SENT, None)
    assert failure.message == (
        "tokens_per_minute: the call for chat at https://a:443 would use 101 tokens, and the whole budget is 100"
    )
    assert hook.limited == []
    with pytest.raises(PolicyFailure, match="whole budget"):
        limiter.acquire(ask(101), Watch(FakeSyncClock()), FakeSyncClock())
    await start(limiter, clock, ask(100))
    assert limiter.stats(0.0)[0].refused == 2


@pytest.mark.requirement("REL-08", "RL-03")
async def test_who_waits_starts_in_the_order_of_coming(clock: FakeClock) -> None:
    """One a second, each at its moment, by one timer at a time and no polling."""
    them = crowd(clock)
    await them.come("a", "b", "c", "d")
    assert them.waiting == 3
    assert len([timer for _, _, timer in clock._waiting if not timer.is_cancelled]) == 1
    await clock.run_for(10.0)
    assert them.started == {"a": 0.0, "b": 1.0, "c": 2.0, "d": 3.0}
    assert clock.sleeps == []
    assert clock.next_due() is None
    assert them.waiting == 0


@pytest.mark.requirement("RL-03")
async def test_a_small_call_does_not_overtake_a_large_one(clock: FakeClock) -> None:
    """Though there is room for it."""
    them = crowd(clock, RateLimits(tokens_per_minute=100))
    await them.come("first", tokens=60)
    await them.come("large", tokens=80)
    await them.come("small", tokens=10)
    await clock.run_for(59.0)
    assert list(them.started) == ["first"]
    await clock.run_for(2.0)
    assert them.started == {"first": 0.0, "large": 60.0, "small": 60.0}


@pytest.mark.requirement("RL-03")
async def test_a_full_line_takes_nobody(clock: FakeClock) -> None:
    """*queue_full*, NOT_SENT, with the seconds until it could have started; a place that gets free is taken."""
    them = crowd(clock, max_queue_size=2)
    await them.come("a", "b", "c", "d")
    failure = them.failed["d"]
    assert isinstance(failure, PolicyFailure)
    assert (failure.reason, failure.outcome, failure.retry_after) == ("queue_full", Outcome.NOT_SENT, 3.0)
    assert failure.message.endswith("in 3.000 s, and 2 calls wait already (max_queue_size)")
    await them.go_away("b")
    await them.come("e")
    await clock.run_for(5.0)
    assert them.started == {"a": 0.0, "c": 1.0, "e": 2.0}


@pytest.mark.requirement("RL-03")
@pytest.mark.parametrize("gone", ["b", "c", "d"])
async def test_those_behind_move_up_when_one_is_cancelled(clock: FakeClock, gone: str) -> None:
    """First, in the middle or last: at once, and the moment that it would have had is the next one's."""
    them = crowd(clock)
    await them.come("a", "b", "c", "d")
    await clock.run_for(0.5)
    await them.go_away(gone)
    assert them.waiting == 2
    await clock.run_for(5.0)
    rest = [name for name in ("b", "c", "d") if name != gone]
    assert them.started == {"a": 0.0, rest[0]: 1.0, rest[1]: 2.0}
    assert clock.next_due() is None


@pytest.mark.requirement("RL-03")
async def test_who_leaves_takes_its_timer_along(clock: FakeClock) -> None:
    """Cancelled, or started before the timer rang."""
    them = crowd(clock, RateLimits(tokens_per_minute=100))
    await them.come("a", "b", "c", tokens=60)
    await them.go_away("c")
    assert clock.next_due() == 60.0
    them.leaves["a"].abandon()
    await clock.settle()
    assert them.started == {"a": 0.0, "b": 0.0}
    assert clock.next_due() is None


@pytest.mark.requirement("RL-03")
async def test_a_small_call_starts_at_once_when_the_large_one_before_it_goes(clock: FakeClock) -> None:
    """It had room all the time."""
    them = crowd(clock, RateLimits(tokens_per_minute=100))
    await them.come("first", tokens=60)
    await them.come("large", tokens=80)
    await them.come("small", tokens=10)
    await clock.run_for(5.0)
    await them.go_away("large")
    assert them.started["small"] == 5.0


@pytest.mark.requirement("RL-03")
async def test_a_call_that_is_broken_off_leaves_the_line(clock: FakeClock) -> None:
    """With what broke it off, NOT_SENT; those behind move up."""
    them = crowd(clock)
    await them.come("a", "b", "c")
    them.watches["b"].break_off(Interrupted("stopped", reason="cancelled", outcome=Outcome.UNKNOWN))
    await clock.run_for(1.0)
    assert them.started == {"a": 0.0, "c": 1.0}
    assert them.failed == {"b": Interrupted("stopped", reason="cancelled", outcome=Outcome.NOT_SENT)}


@pytest.mark.requirement("RL-03")
@pytest.mark.parametrize(("deadline", "starts"), [(2.999, False), (3.0, False), (3.001, True)])
async def test_nobody_waits_for_a_turn_behind_the_deadline(clock: FakeClock, deadline: float, starts: bool) -> None:
    """It is refused at once, and told when it could have started; those who can make it wait."""
    them = crowd(clock)
    await them.come("a", "b", "c")
    await them.come("d", deadline=deadline)
    if not starts:
        failure = them.failed["d"]
        assert (failure.reason, failure.outcome, failure.retry_after) == ("rate_limited", Outcome.NOT_SENT, 3.0)
        assert failure.message.endswith("in 3.000 s, which is not before the call's deadline")
    await clock.run_for(10.0)
    assert ("d" in them.started) is starts


@pytest.mark.requirement("RL-03")
async def test_a_wait_that_gets_longer_than_the_deadline_ends_when_that_is_known(clock: FakeClock) -> None:
    """A request before it used more than was thought: the first of the line is refused, the next one looks."""
    them = crowd(clock, RateLimits(tokens_per_minute=100))
    await them.come("a", tokens=60)
    await clock.run_for(10.0)
    await them.come("b", tokens=40)
    await them.come("c", tokens=30, deadline=65.0)
    await them.come("d", tokens=5)
    them.leaves["a"].settle(100)
    them.leaves["b"].settle(90)
    await clock.settle()
    assert them.failed["c"].reason == "rate_limited"
    assert them.failed["c"].retry_after == 60.0
    await clock.run_for(50.0)
    assert them.started["d"] == 60.0


@pytest.mark.requirement("RL-03")
async def test_a_deadline_that_passes_in_the_line_ends_the_wait(clock: FakeClock) -> None:
    """Where the watch learned of it later than the line: NOT_SENT, and the place is given up."""
    them = crowd(clock)
    await them.come("a", "b", "c")
    them.watches["b"].tighten(Deadline(0.5))
    them.watches["b"].ring_by(0.5)
    await clock.run_for(1.0)
    assert isinstance(them.failed["b"], DeadlineExceeded)
    assert them.failed["b"].outcome is Outcome.NOT_SENT
    assert them.started == {"a": 0.0, "c": 1.0}


@pytest.mark.requirement("RL-02", "RL-03")
async def test_what_a_call_did_not_use_lets_the_next_one_start(clock: FakeClock) -> None:
    """It is woken by the correction, and by what never left."""
    them = crowd(clock, RateLimits(tokens_per_minute=100))
    await them.come("a", "b", tokens=50)
    await them.come("c", tokens=30)
    await them.come("d", tokens=50)
    await clock.run_for(1.0)
    them.leaves["a"].settle(20)
    await clock.run_for(1.0)
    assert them.started["c"] == 1.0
    them.leaves["b"].abandon()
    await clock.settle()
    assert them.started["d"] == 2.0


@pytest.mark.requirement("RL-02")
async def test_only_the_first_word_about_a_leave_counts(clock: FakeClock) -> None:
    """Settled without a number, it cannot be given back any more."""
    limiter = RateLimiter(RateLimits(requests_per_minute=1, tokens_per_minute=100))
    leave = await start(limiter, clock, ask(70))
    leave.settle(None)
    leave.settle(5)
    leave.abandon()
    usage = limiter.stats(0.0)[0].budgets
    assert {kind: (budget.used, budget.limit) for kind, budget in usage.items()} == {
        LimitType.REQUESTS_PER_MINUTE: (1, 1),
        LimitType.TOKENS_PER_MINUTE: (70, 100),
    }


@pytest.mark.requirement("RL-07")
async def test_families_and_endpoints_have_limits_of_their_own(clock: FakeClock) -> None:
    """Families that are not named share the default."""
    limiter = RateLimiter(
        RateLimits(requests_per_minute=1),
        families={"embeddings": RateLimits(requests_per_minute=2), "models": RateLimits()},
    )
    await start(limiter, clock, ask(family="chat"))
    assert (await refused(limiter, clock, ask(family="images"))).reason == "rate_limited"
    await start(limiter, clock, ask(family="chat", endpoint=B))
    for _ in range(2):
        await start(limiter, clock, ask(family="embeddings"))
    assert "for embeddings at" in (await refused(limiter, clock, ask(family="embeddings"))).message
    for _ in range(100):
        await start(limiter, clock, ask(family="models"))


@pytest.mark.requirement("RL-04")
async def test_a_hook_is_told_who_cannot_start_and_why(clock: FakeClock) -> None:
    """The caller's id, the limit, the seconds; once for each call that cannot start now, and not while it waits."""
    hook = Recorder()
    them = crowd(clock, hooks=[hook])
    await them.come("a", "b", "c")
    await clock.run_for(5.0)
    assert hook.limited == [
        RateLimitRecord(
            request_id="r-1",
            limit_type=LimitType.REQUESTS_PER_SECOND,
            retry_after=seconds,
            endpoint=A,
            family="chat",
        )
        for seconds in (1.0, 2.0)
    ]


@pytest.mark.requirement("RL-04")
async def test_a_hook_s_refusal_is_obeyed(clock: FakeClock) -> None:
    """Though the limiter queues."""
    them = crowd(clock, hooks=[Recorder(REJECT)])
    await them.come("a", "b", "c")
    await clock.run_for(5.0)
    assert them.failed["b"].reason == "rate_limited"
    assert them.started == {"a": 0.0, "c": 1.0}


@pytest.mark.requirement("RL-04")
async def test_a_hook_may_send_a_call_into_the_line(clock: FakeClock) -> None:
    """Though the limiter does not queue; the next newcomer does not overtake it, and is refused."""
    them = crowd(clock, queue_requests=False, hooks=[Recorder(QUEUE)])
    await them.come("a", "b")
    await clock.run_for(0.9)
    await them.come("c")
    await clock.run_for(5.0)
    assert them.started == {"a": 0.0, "b": 1.0}
    assert them.failed["c"].retry_after == pytest.approx(1.1)


@pytest.mark.requirement("RL-04")
async def test_a_hook_may_name_a_pause_after_which_the_call_asks_again(clock: FakeClock) -> None:
    """For as long as it says, and hooks are asked again; no place in the line is held meanwhile."""
    hook = Recorder(Wait(0.25), Wait(3.0), Wait(3.0))
    them = crowd(clock, queue_requests=False, hooks=[hook])
    await them.come("a", "b")
    assert them.waiting == 0
    await clock.run_for(10.0)
    assert clock.sleeps == [0.25, 3.0]
    assert them.started == {"a": 0.0, "b": 3.25}
    assert [record.retry_after for record in hook.limited] == [1.0, 0.75]


@pytest.mark.requirement("RL-03", "RL-04")
async def test_a_pause_beyond_the_deadline_is_a_refusal(clock: FakeClock) -> None:
    """Nobody waits in vain because a hook said so."""
    them = crowd(clock, queue_requests=False, hooks=[Recorder(Wait(3.0))])
    await them.come("a")
    await them.come("b", deadline=3.0)
    assert them.failed["b"].reason == "rate_limited"
    assert them.failed["b"].retry_after == 1.0


@pytest.mark.requirement("RL-04")
async def test_a_hook_may_ask_the_limiter_itself(clock: FakeClock) -> None:
    """It is called outside the lock."""
    seen = []

    class Curious:
        def on_rate_limit(self, record: RateLimitRecord) -> None:
            seen.append(limiter.stats(0.0)[0].started)

    limiter = RateLimiter(ONE_A_SECOND, hooks=[Curious()])
    await start(limiter, clock)
    await refused(limiter, clock)
    assert seen == [1]


HEADERS = {
    "x-ratelimit-limit-requests": "2",
    "x-ratelimit-remaining-requests": "1",
    "x-ratelimit-reset-requests": "30s",
    "x-ratelimit-limit-tokens": "1000",
    "x-ratelimit-remaining-tokens": "nothing",
    "x-ratelimit-reset-tokens": "6m0s",
}


@pytest.mark.requirement("REL-06", "RL-05", "RL-06")
async def test_hooks_get_what_an_answer_says_about_limits(clock: FakeClock) -> None:
    """After each answer that says something, whatever its status; the limits stay what they are."""
    hook = Recorder()
    limiter = RateLimiter(RateLimits(requests_per_minute=5), hooks=[hook])
    limiter.learn(ask(), 200, HEADERS, 0.0)
    limiter.learn(ask(), 500, HEADERS, 0.0)
    limiter.learn(ask(), 200, {"content-type": "text/plain"}, 0.0)
    assert hook.updates == 2 * [
        RateLimitUpdate(
            request_id="r-1",
            requests=Allowance(2, 1, 30.0),
            tokens=Allowance(1000, None, 360.0),
            endpoint=A,
            family="chat",
        )
    ]
    for _ in range(5):
        await start(limiter, clock, ask(10_000))


@pytest.mark.requirement("RL-06")
async def test_limits_follow_the_upstream_only_if_that_is_wanted(clock: FakeClock) -> None:
    """Lower, with what others have used; and higher, which wakes who waits."""
    them = crowd(clock, RateLimits(requests_per_minute=5), auto_adjust=True)
    them.limiter.learn(ask(), 200, HEADERS, 0.0)
    await them.come("a", "b", "c")
    await clock.run_for(29.0)
    assert them.started == {"a": 0.0}
    them.limiter.learn(ask(), 200, {"x-ratelimit-limit-requests": "4", "x-ratelimit-remaining-requests": "2"}, 29.0)
    await clock.settle()
    assert them.started == {"a": 0.0, "b": 29.0, "c": 29.0}


@pytest.mark.requirement("RL-04")
async def test_a_refusal_of_the_upstream_is_told(clock: FakeClock) -> None:
    """As server enforced; nothing else follows by default."""
    hook = Recorder()
    limiter = RateLimiter(hooks=[hook])
    limiter.learn(ask(), 429, REFUSAL, 0.0)
    limiter.learn(ask(), 429, {}, 0.0)
    limiter.learn(ask(), 503, REFUSAL, 0.0)
    assert [(record.limit_type, record.retry_after) for record in hook.limited] == [
        (LimitType.SERVER_ENFORCED, 5.0),
        (LimitType.SERVER_ENFORCED, None),
    ]
    await start(limiter, clock)


@pytest.mark.requirement("RL-04", "RL-06")
async def test_nothing_starts_while_the_upstream_refuses_if_it_is_followed(clock: FakeClock) -> None:
    """Not in this family at this endpoint; elsewhere it does."""
    limiter = RateLimiter(families={"embeddings": RateLimits()}, auto_adjust=True)
    limiter.learn(ask(), 429, REFUSAL, 1.0)
    clock.advance(2.0)
    failure = await refused(limiter, clock)
    assert (failure.reason, failure.retry_after) == ("rate_limited", 4.0)
    assert failure.message.startswith("server_enforced: ")
    assert limiter.stats(2.0)[0].held_for == 4.0
    await start(limiter, clock, ask(family="embeddings"))
    await start(limiter, clock, ask(endpoint=B))
    clock.advance(4.0)
    await start(limiter, clock)


@pytest.mark.requirement("RL-04")
@pytest.mark.parametrize(
    ("answer", "queue_requests", "starts_at"),
    [(Wait(2.0), True, 2.0), (Wait(2.0), False, None), (QUEUE, False, 5.0), (REJECT, True, None)],
)
async def test_a_hook_may_say_what_a_refusal_of_the_upstream_means(
    clock: FakeClock, answer: object, queue_requests: bool, starts_at: float | None
) -> None:
    """For how long nothing starts, or whether who comes meanwhile waits; also where nothing is followed."""
    them = crowd(clock, RateLimits(), queue_requests=queue_requests, hooks=[Recorder(answer)])
    them.limiter.learn(ask(), 429, REFUSAL, 0.0)
    await them.come("a")
    await clock.run_for(10.0)
    assert them.started.get("a") == starts_at
    assert ("a" in them.failed) is (starts_at is None)


@pytest.mark.requirement("RL-04", "RL-06")
async def test_one_refusal_holds_calls_for_an_hour_at_most(clock: FakeClock) -> None:
    """However long the upstream says."""
    limiter = RateLimiter(auto_adjust=True)
    limiter.learn(ask(), 429, {"retry-after": "99999999"}, 0.0)
    assert (await refused(limiter, clock)).retry_after == LONGEST_HOLD


@pytest.mark.requirement("REL-03")
async def test_what_is_not_wanted_is_not_done(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hooks and adjusting no header is read; without limits nothing is counted."""
    limiter = RateLimiter()
    monkeypatch.setattr("http_util.rate_limiter.RateHeaders", None)
    limiter.learn(ask(), 429, HEADERS, 0.0)
    assert limiter.stats(0.0) == ()
    await start(limiter, clock, ask(10**9))
    assert limiter.stats(0.0)[0].budgets == {}
    assert clock.sleeps == []


def test_settings_out_of_range_are_refused() -> None:
    """The text names the setting."""
    with pytest.raises(ValueError, match="max_queue_size must be 1 or more, not 0"):
        RateLimiter(max_queue_size=0)


async def test_a_limiter_shows_its_settings_and_who_waits(clock: FakeClock) -> None:
    """In its repr."""
    them = crowd(clock, families={"embeddings": RateLimits(requests_per_day=3)})
    await them.come("a", "b")
    assert repr(them.limiter) == (
        "RateLimiter(limits=RateLimits(requests_per_second=1.0), families={'embeddings': "
        "RateLimits(requests_per_day=3)}, auto_adjust=False, queue_requests=True, max_queue_size=100, "
        "<1 lines, 1 waiting>)"
    )
    await clock.run_for(1.0)
    assert repr(them.limiter).endswith("<1 lines, 0 waiting>)")


@pytest.mark.requirement("RL-03", "REL-04")
async def test_a_thousand_who_wait_and_leave_wedge_nothing(clock: FakeClock) -> None:
    """Every second one is cancelled, some when they were just woken; the rest start one a second, in order."""
    them = crowd(clock, max_queue_size=1000)
    names = [f"n{number}" for number in range(1001)]
    for name in names:
        watch = them.watches[name] = AsyncWatch(clock)
        them.tasks[name] = asyncio.ensure_future(them._start(name, ask(), watch))
    await clock.settle()
    for name in names[1::2]:
        clock.advance(0.125)
        them.tasks[name].cancel()
    await clock.run_for(2000.0)
    kept = names[::2]
    assert list(them.started) == kept
    moments = list(them.started.values())
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(moments))
    assert them.waiting == 0
    assert clock.next_due() is None
