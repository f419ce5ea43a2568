"""Health checks: one by one and in a loop, what counts, who is told, and what is left behind, in both colours."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api import Outcome
from adapter_api.correlation import correlation_id
from http_util.call import HttpCall, HttpReply, ReplyHead
from http_util.errors import HttpFailure, StatusFailure, TimeoutFailure, TransportFailure
from http_util.health_check import Health, HealthChanged, HealthPolicy
from http_util.testing import FakeClock, FakeSyncClock
from openai_client import AsyncClient, Client, errors
from openai_client.bare_transport import AsyncBareTransport, BareTransport
from openai_client.health import AsyncHealthCheck, HealthCheck
from tests.unit.openai_client.scripted_clients import CONFIG, Rung, Signals, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

UNKNOWN, HEALTHY, UNHEALTHY = Health.UNKNOWN, Health.HEALTHY, Health.UNHEALTHY
REPLY = HttpReply(
    head=ReplyHead(status=200, headers={}, http_version="HTTP/1.1", attempts=(), upstream_request_id=None), body=b"{}"
)
BUSY = StatusFailure("503", reason="service_unavailable", outcome=Outcome.REJECTED, http_status=503)
REFUSED = TransportFailure("refused", reason="connection_failed", outcome=Outcome.NOT_SENT)
NO_PLACE = TimeoutFailure("no place", reason="pool_timeout", outcome=Outcome.NOT_SENT)
HANGS = "hangs"


class Given:
    """A transport of somebody else, in both colours, that does what its script says."""

    def __init__(self, *script: Any) -> None:
        self.calls: list[HttpCall] = []
        self.closed = self.prepared = 0
        self.was_cancelled = False
        self._script = list(script)

    def prepare(self) -> None:
        """Count."""
        self.prepared += 1

    def next_step(self, call: HttpCall) -> Any:
        """Record the call; raise what the script says, or return it."""
        self.calls.append(call)
        step = self._script.pop(0) if self._script else REPLY
        if isinstance(step, BaseException):
            raise step
        return step


class SyncGiven(Given):
    """For threads."""

    def __init__(self, *script: Any) -> None:
        super().__init__(*script)
        self.entered, self.go = threading.Event(), threading.Event()

    def send(self, call: HttpCall) -> HttpReply:
        """Answer."""
        step = self.next_step(call)
        if step == HANGS:
            self.entered.set()
            assert self.go.wait(10.0)
            raise REFUSED
        return step

    def open(self, call: HttpCall) -> Any:
        """Say that a stream was asked for."""
        return ("opened", call)

    def close(self) -> None:
        """Count."""
        self.closed += 1


class AsyncGiven(Given):
    """For an event loop."""

    async def send(self, call: HttpCall) -> HttpReply:
        """Answer."""
        step = self.next_step(call)
        if step == HANGS:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise
        return step

    async def open(self, call: HttpCall) -> Any:
        """Say that a stream was asked for."""
        return ("opened", call)

    async def aclose(self) -> None:
        """Count."""
        self.closed += 1


class Listener:
    """A hook that keeps the changes."""

    def __init__(self) -> None:
        self.told: list[tuple[Health, Health]] = []
        self.records: list[HealthChanged] = []

    def on_health_change(self, record: HealthChanged) -> None:
        self.told.append((record.old, record.new))
        self.records.append(record)


class Checked:
    """A health check of one colour over a given transport; `check` works the same in both."""

    def __init__(self, colour: str, *script: Any, **settings: Any) -> None:
        self.hook = Listener()
        self.clock: Any
        self.transport: Any
        self.health: Any
        config = CONFIG.with_settings(**settings)
        if colour == "async":
            self.clock, self.transport = FakeClock(), AsyncGiven(*script)
            client = AsyncClient(config, transport=self.transport, clock=self.clock)
            self.health = AsyncHealthCheck(client, hooks=[self.hook])
        else:
            self.clock, self.transport = FakeSyncClock(), SyncGiven(*script)
            sync_client = Client(config, transport=self.transport, clock=self.clock)
            self.health = HealthCheck(sync_client, hooks=[self.hook])

    async def check(self) -> Any:
        """Check once."""
        made = self.health.check()
        return await made if asyncio.iscoroutine(made) else made


@pytest.fixture(params=["sync", "async"])
def checked(request: pytest.FixtureRequest) -> Callable[..., Checked]:
    """Make a health check of one colour; every test that takes it runs in both."""
    return lambda *script, **settings: Checked(request.param, *script, **settings)


@pytest.mark.requirement("HC-01")
async def test_a_check_is_one_get_with_the_clients_key_and_a_time_limit(checked: Callable[..., Checked]) -> None:
    """The list of models, five seconds."""
    made = checked()
    made.clock.advance(7.0)
    result = await made.check()
    assert (result.passed, result.error, result.health, result.seconds) == (True, None, HEALTHY, 0.0)
    assert made.transport.prepared == 1
    (call,) = made.transport.calls
    assert (call.method, call.url) == ("GET", f"{CONFIG.base_url}/models")
    assert call.headers["authorization"] == "Bearer local-test-key"
    assert call.deadline.at == 12.0


@pytest.mark.requirement("HC-01", "REL-07")
async def test_a_check_goes_past_every_layer(checked: Callable[..., Checked]) -> None:
    """Neither a retry nor another endpoint may answer for an upstream that is down, and no breaker hides it."""
    made = checked(BUSY, retry="available")
    result = await made.check()
    assert isinstance(result.error, errors.ServiceUnavailable)
    (call,) = made.transport.calls
    assert (call.layers, call.retry) == (frozenset(), None)


@pytest.mark.requirement("HC-01", "REL-06")
async def test_rows_of_results_change_the_verdict_and_the_hooks_are_told_once(checked: Callable[..., Checked]) -> None:
    """Three failures down, two passes up."""
    made = checked(REPLY, BUSY, REFUSED, RuntimeError("foreign"), BUSY, REPLY, REPLY)
    verdicts = [(await made.check()).health for _ in range(7)]
    assert verdicts == [HEALTHY, HEALTHY, HEALTHY, UNHEALTHY, UNHEALTHY, UNHEALTHY, HEALTHY]
    assert made.hook.told == [(UNKNOWN, HEALTHY), (HEALTHY, UNHEALTHY), (UNHEALTHY, HEALTHY)]
    assert made.hook.records[1].endpoint == "http://localhost:8000"
    assert made.health.health is HEALTHY
    assert (made.health.stats.checks, made.health.stats.failed) == (7, 4)


@pytest.mark.requirement("HC-01")
@pytest.mark.parametrize(
    ("step", "leaf"),
    [(REFUSED, errors.ConnectionFailed), (BUSY, errors.ServiceUnavailable), (RuntimeError("foreign"), RuntimeError)],
)
async def test_a_check_never_raises_because_of_the_upstream(
    checked: Callable[..., Checked], step: Exception, leaf: type[Exception]
) -> None:
    """What happened is in the result."""
    result = await checked(step).check()
    assert result.passed is False
    assert isinstance(result.error, leaf)


@pytest.mark.requirement("HC-01")
@pytest.mark.parametrize("step", [NO_PLACE, errors.InvalidState("the client is closed", reason="closed")])
async def test_what_this_side_did_says_nothing_of_the_upstream(
    checked: Callable[..., Checked], step: Exception
) -> None:
    """A full pool, a closed client: the verdict stands and nothing is counted."""
    made = checked(*[step] * 5)
    results = [await made.check() for _ in range(5)]
    assert {(result.passed, result.health) for result in results} == {(None, UNKNOWN)}
    assert results[0].error is not None
    assert made.health.stats.checks == 0


@pytest.mark.requirement("HC-01")
async def test_a_key_that_cannot_be_had_says_nothing_of_the_upstream(checked: Callable[..., Checked]) -> None:
    """Nothing was sent."""

    def broken() -> str:
        raise OSError("the vault is away")

    made = checked(api_key=broken)
    result = await made.check()
    assert (result.passed, type(result.error)) == (None, errors.MissingApiKey)
    assert made.transport.calls == []


@pytest.mark.requirement("HC-01")
def test_a_path_that_cannot_be_called_is_refused_at_once() -> None:
    """Not by the first check."""
    for kind, client in ((HealthCheck, Client), (AsyncHealthCheck, AsyncClient)):
        with pytest.raises(errors.InvalidFieldValue, match="path"):
            kind(client(CONFIG), HealthPolicy(path="/../admin"))


@pytest.mark.requirement("HC-01", "REL-08")
async def test_a_check_that_hangs_is_bounded_whatever_its_transport_does() -> None:
    """The transport does not heed its deadline; the watch does, and takes the call away."""
    made = Checked("async", HANGS)
    check = asyncio.ensure_future(made.health.check())
    await made.clock.run_for(4.99)
    assert not check.done()
    await made.clock.run_for(0.05)
    result = await check
    assert (result.passed, type(result.error)) == (False, errors.Timeout)
    assert made.transport.was_cancelled
    assert made.clock.next_due() is None


@pytest.mark.requirement("HC-01", "ERR-11")
async def test_a_check_that_is_cancelled_is_cancelled_and_counts_for_nothing() -> None:
    """It is no failure of the upstream."""
    made = Checked("async", HANGS)
    check = asyncio.ensure_future(made.health.check())
    await made.clock.settle()
    check.cancel()
    with pytest.raises(asyncio.CancelledError):
        await check
    assert made.health.stats.checks == 0


@pytest.mark.requirement("HC-01", "REL-08")
async def test_the_loop_checks_at_once_and_then_at_its_interval() -> None:
    """Nothing runs before it is started."""
    made = Checked("async")
    await made.clock.run_for(100.0)
    assert (made.transport.calls, made.health.is_running) == ([], False)
    made.health.start()
    await made.clock.settle()
    assert (len(made.transport.calls), made.health.is_running) == (1, True)
    await made.clock.run_for(29.9)
    assert len(made.transport.calls) == 1
    await made.clock.run_for(60.1)
    assert len(made.transport.calls) == 4
    assert made.health.health is HEALTHY
    await made.health.stop()


@pytest.mark.requirement("HC-01")
async def test_nothing_is_left_when_the_loop_has_been_stopped() -> None:
    """No task and no timer; the transport stays open, because it is somebody else's. Stopping twice is harmless."""
    made = Checked("async")
    async with made.health as entered:
        assert entered is made.health
        await made.clock.settle()
        assert len(asyncio.all_tasks()) == 2
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert made.clock.next_due() is None
    assert (made.transport.closed, made.health.is_running) == (0, False)
    await made.health.stop()
    await made.clock.run_for(100.0)
    assert len(made.transport.calls) == 1


@pytest.mark.requirement("HC-01", "ERR-11")
async def test_stopping_during_a_check_ends_it_at_once() -> None:
    """The clock has not moved; the broken check counts for nothing. Two may stop at the same time."""
    made = Checked("async", HANGS)
    made.health.start()
    await made.clock.settle()
    await asyncio.gather(made.health.stop(), made.health.stop())
    assert made.transport.was_cancelled
    assert made.clock.monotonic() == 0.0
    assert (made.health.stats.checks, made.health.health) == (0, UNKNOWN)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.requirement("HC-01")
async def test_the_loop_outlives_every_failure() -> None:
    """Also one that no transport should raise, and a check that hangs."""
    made = Checked("async", RuntimeError("foreign"), HANGS, REFUSED, REPLY, REPLY)
    made.health.start()
    await made.clock.run_for(4 * 35.0)
    assert made.hook.told == [(UNKNOWN, UNHEALTHY), (UNHEALTHY, HEALTHY)]
    await made.health.stop()


@pytest.mark.requirement("HC-01")
async def test_a_loop_runs_once_however_often_it_is_started_and_can_be_started_again() -> None:
    """Two loops would ask twice as often."""
    made = Checked("async")
    made.health.start()
    made.health.start()
    await made.clock.settle()
    assert len(made.transport.calls) == 1
    await made.health.stop()
    made.health.start()
    await made.clock.settle()
    assert len(made.transport.calls) == 2
    await made.health.stop()


@pytest.mark.requirement("HC-01")
async def test_the_id_of_who_started_the_loop_does_not_travel_with_its_checks() -> None:
    """They belong to no request."""
    made = Checked("async")
    token = correlation_id.set("request-1")
    try:
        made.health.start()
        await made.clock.settle()
    finally:
        correlation_id.reset(token)
    await made.health.stop()
    assert "request-1" not in made.transport.calls[0].headers.values()


async def test_stopping_what_was_never_started_is_harmless(checked: Callable[..., Checked]) -> None:
    """In both colours."""
    stopped = checked().health.stop()
    if stopped is not None:
        await stopped


def test_the_loop_needs_an_event_loop() -> None:
    """Python says so."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        Checked("async").health.start()


class Threads:
    """A health check with a loop in a thread, whose pauses end when the test says so."""

    def __init__(self, *script: Any) -> None:
        self.signals = Signals()
        self.hook = Listener()
        self.transport = SyncGiven(*script)
        client = Client(CONFIG, transport=self.transport, clock=FakeSyncClock())
        self.health = HealthCheck(client, hooks=[self.hook], make_signal=self.signals)

    def pause(self, number: int) -> Rung:
        """Return what the loop waits for once it waits for the time *number*."""
        return self.signals.waited_for(0, number)


def checking_threads() -> list[str]:
    """Return the names of the threads that check."""
    return [thread.name for thread in threading.enumerate() if thread.name == "health-check"]


@pytest.mark.requirement("HC-01", "REL-08")
def test_the_loop_of_a_thread_checks_at_once_and_waits_its_interval() -> None:
    """Nothing runs before it is started, and nothing after it was stopped."""
    made = Threads()
    assert (made.transport.calls, made.health.is_running) == ([], False)
    with made.health as entered:
        assert entered is made.health
        assert made.pause(1).waits == [30.0]
        assert made.health.is_running
        assert (len(made.transport.calls), made.health.health) == (1, HEALTHY)
    assert checking_threads() == []
    assert (made.transport.closed, made.health.is_running) == (0, False)
    made.health.stop()


@pytest.mark.requirement("HC-01")
def test_the_loop_of_a_thread_goes_on_after_each_pause_and_outlives_every_failure() -> None:
    """Also one that no transport should raise."""

    class Passing(threading.Event):
        """A signal whose time is up at once."""

        def wait(self, timeout: float | None = None) -> bool:
            if len(transport.calls) < 5:
                return False
            done.set()
            return super().wait(10.0)

    done = threading.Event()
    transport = SyncGiven(RuntimeError("foreign"), REFUSED, BUSY, REPLY, REPLY)
    hook = Listener()
    client = Client(CONFIG, transport=transport, clock=FakeSyncClock())
    with HealthCheck(client, hooks=[hook], make_signal=Passing):
        assert done.wait(10.0)
    assert hook.told == [(UNKNOWN, UNHEALTHY), (UNHEALTHY, HEALTHY)]
    assert len(transport.calls) == 5


@pytest.mark.requirement("HC-01")
def test_stopping_a_thread_during_a_check_waits_for_a_given_transport_and_counts_nothing() -> None:
    """It belongs to somebody else, so nobody can close it; what came of the check does not matter any more."""
    made = Threads(HANGS)
    made.health.start()
    assert made.transport.entered.wait(10.0)
    stopping = Worker(made.health.stop)
    # the signal itself, which its double would count as a pause of the loop
    assert threading.Event.wait(made.signals.made[0], 10.0)
    made.transport.go.set()
    stopping.ended()
    assert made.health.stats.checks == 0
    assert checking_threads() == []


@pytest.mark.requirement("HC-01")
def test_a_hook_may_stop_the_loop_that_it_runs_in() -> None:
    """The thread ends behind it."""
    made = Threads()
    stopped = threading.Event()

    class Stops:
        def on_health_change(self, record: HealthChanged) -> None:
            (thread,) = (thread for thread in threading.enumerate() if thread.name == "health-check")
            threads.append(thread)
            made.health.stop()
            stopped.set()

    threads: list[threading.Thread] = []
    made.health._hooks = [Stops()]
    made.health.start()
    assert stopped.wait(10.0)
    threads[0].join(10.0)
    assert checking_threads() == []
    assert not made.health.is_running


@pytest.mark.requirement("HC-01")
def test_a_check_that_begins_while_the_loop_is_being_stopped_leaves_nothing_open() -> None:
    """It may open anew what has just been closed."""

    class Reopening:
        def __init__(self) -> None:
            self.is_open = False
            self.entered, self.closed = threading.Event(), threading.Event()

        def execute(self, operation: object) -> None:
            self.entered.set()
            assert self.closed.wait(10.0)
            self.is_open = True

        def close(self) -> None:
            self.is_open = False
            self.closed.set()

    health, client = HealthCheck(Client(CONFIG)), Reopening()
    health._over = lambda transport: client  # type: ignore[assignment,method-assign,return-value]
    health.start()
    assert client.entered.wait(10.0)
    health.stop()
    assert not client.is_open


@pytest.mark.requirement("HC-01")
def test_the_loop_of_a_thread_runs_once_and_can_be_started_again() -> None:
    """Each run has a signal of its own."""
    made = Threads()
    made.health.start()
    made.health.start()
    made.pause(1)
    assert checking_threads() == ["health-check"]
    made.health.stop()
    made.health.start()
    made.signals.waited_for(1)
    made.health.stop()
    assert len(made.transport.calls) == 2


@pytest.mark.requirement("HC-01")
async def test_a_bare_transport_closes_nothing_and_opens_bare_streams_too() -> None:
    """It stands before a transport that is somebody else's."""
    call = HttpCall(method="GET", url="http://localhost/v1")
    sync, given = SyncGiven(), AsyncGiven()
    bare, awaited = BareTransport(sync), AsyncBareTransport(given)
    bare.close()
    await awaited.aclose()
    assert sync.closed == given.closed == 0
    for opened in (bare.open(call), await awaited.open(call)):
        assert opened[1].layers == frozenset()


def test_a_check_shows_whose_health_it_knows() -> None:
    """And no key."""
    for made in (Checked("sync"), Checked("async")):
        shown = repr(made.health)
        assert "http://localhost:8000" in shown
        assert "running=False" in shown
        assert "local-test-key" not in shown


def test_failures_of_the_room_below_do_not_reach_the_caller_as_such() -> None:
    """The tree of this package is what results hold."""
    made = Checked("sync", REFUSED)
    error = made.health.check().error
    assert not isinstance(error, HttpFailure)
