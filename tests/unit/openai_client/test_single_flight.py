"""Equal calls at the same time become one request: who waits, who leaves, what fails, in both colours."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from http_util.deadline import Deadline
from http_util.testing import FakeClock, FakeSyncClock
from openai_client import CallOptions, errors
from openai_client._generated.operations.chat import create_chat_completion
from openai_client._generated.operations.models import delete_model, list_models, retrieve_model
from openai_client.operation import as_bytes
from openai_client.shareable import MAY_BE_SHARED
from openai_client.single_flight import AsyncSingleFlightClient, SingleFlightClient
from openai_client.types import ChatCompletionRequestUserMessage, CreateChatCompletionRequest
from tests.unit.openai_client.scripted_clients import AsyncScriptedClient, ScriptedClient, Signals, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai_client.operation import Operation

LIST = list_models()
BODY = b'{"data": [{"id": "m"}]}'
CHAT = create_chat_completion(
    CreateChatCompletionRequest(model="m", messages=[ChatCompletionRequestUserMessage(content="Hello")])
)
DEADLINE = errors.Timeout("the deadline passed", reason="deadline")


class Flights:
    """A single-flight client for an event loop, over a client that waits for the test."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        self.behind = AsyncScriptedClient()
        self.client = AsyncSingleFlightClient(self.behind, clock=self.clock, **settings)

    async def begin(self, operation: Operation[Any] = LIST, options: CallOptions | None = None) -> asyncio.Task[Any]:
        """Begin a call and let it go as far as it can."""
        call = asyncio.create_task(self.client.execute(operation, options))
        await self.clock.settle()
        return call

    async def check_that_nothing_is_left(self) -> None:
        """No task, no timer, no flight."""
        await self.clock.settle()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert self.clock.next_due() is None
        assert self.client._flights == {}


@pytest.fixture
def flights() -> Flights:
    """With default settings."""
    return Flights()


@pytest.mark.requirement("BAT-01")
async def test_equal_calls_at_the_same_time_are_one_request(flights: Flights) -> None:
    """Each caller gets a result of its own."""
    calls = [await flights.begin() for _ in range(5)]
    assert len(flights.behind.asked) == 1
    flights.behind.asked[0].serve(BODY)
    results = await asyncio.gather(*calls)
    assert [result.data[0].id for result in results] == ["m"] * 5
    results[0].data[0].id = "changed"
    assert {result.data[0].id for result in results[1:]} == {"m"}
    assert flights.client.joined == 4
    await flights.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01")
async def test_an_answer_is_never_older_than_the_call(flights: Flights) -> None:
    """When it has come, the next call asks again, also in the very turn of the event loop in which it came."""
    first = await flights.begin()
    flights.behind.asked[0].serve(BODY)
    await first
    second = asyncio.ensure_future(flights.client.execute(LIST))
    await flights.clock.settle()
    assert len(flights.behind.asked) == 2
    flights.behind.asked[1].serve(BODY)
    await second
    await flights.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01")
async def test_a_request_that_is_over_is_not_joined_before_it_is_forgotten(flights: Flights) -> None:
    """That happens in the event loop's next turn."""
    flights.client._forget = lambda flight: None  # type: ignore[method-assign]
    first = await flights.begin()
    flights.behind.asked[0].serve(BODY)
    await first
    second = await flights.begin()
    assert len(flights.behind.asked) == 2
    flights.behind.asked[1].serve(BODY)
    await second


@pytest.mark.requirement("BAT-01")
@pytest.mark.parametrize("other", [retrieve_model("m"), replace(LIST, query=(("limit", "1"),))])
async def test_calls_that_differ_are_requests_of_their_own(flights: Flights, other: Operation[Any]) -> None:
    """At the same time."""
    calls = [await flights.begin(), await flights.begin(other)]
    assert len(flights.behind.asked) == 2
    for asked in flights.behind.asked:
        asked.serve(b'{"data": [], "id": "m"}')
    await asyncio.gather(*calls)


@pytest.mark.requirement("BAT-01")
@pytest.mark.parametrize("operation", [delete_model("m"), CHAT, LIST.with_options(CallOptions(idempotency_key="i"))])
async def test_what_must_not_be_shared_is_handed_on(flights: Flights, operation: Operation[Any]) -> None:
    """Unchanged."""
    calls = [await flights.begin(operation) for _ in range(2)]
    assert [asked.operation for asked in flights.behind.asked] == [operation, operation]
    for asked in flights.behind.asked:
        asked.serve(b'{"id": "m", "object": "model", "deleted": true, "choices": [], "data": []}')
    await asyncio.gather(*calls)


@pytest.mark.requirement("BAT-01")
async def test_a_generation_is_shared_when_it_is_named() -> None:
    """And only names that are known are taken."""
    flights = Flights(operations=MAY_BE_SHARED)
    calls = [await flights.begin(CHAT) for _ in range(2)]
    assert len(flights.behind.asked) == 1
    flights.behind.asked[0].serve(b'{"id": "c", "choices": []}')
    await asyncio.gather(*calls)
    with pytest.raises(errors.InvalidConfiguration, match="deleteModel"):
        Flights(operations=["deleteModel"])


@pytest.mark.requirement("BAT-01", "ERR-11")
@pytest.mark.parametrize("leaver", [0, 1, 2])
async def test_a_caller_that_is_cancelled_leaves_the_others_alone(flights: Flights, leaver: int) -> None:
    """Also the one whose call began the request."""
    calls = [await flights.begin() for _ in range(3)]
    calls.pop(leaver).cancel()
    await flights.clock.settle()
    assert not flights.behind.asked[0].was_cancelled
    flights.behind.asked[0].serve(BODY)
    assert [result.data[0].id for result in await asyncio.gather(*calls)] == ["m", "m"]
    await flights.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "ERR-11")
async def test_when_the_last_caller_is_gone_the_request_is_cancelled(flights: Flights) -> None:
    """Before its cancellation has been told; and nobody joins what is being cancelled."""
    calls = [await flights.begin() for _ in range(2)]
    for call in calls:
        call.cancel()
    assert [type(end) for end in await asyncio.gather(*calls, return_exceptions=True)] == [asyncio.CancelledError] * 2
    assert flights.behind.asked[0].was_cancelled
    late = await flights.begin()
    assert len(flights.behind.asked) == 2
    flights.behind.asked[1].serve(BODY)
    await late
    await flights.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "ERR-11")
async def test_nobody_joins_a_request_that_takes_its_time_to_be_cancelled(flights: Flights) -> None:
    """It is forgotten when the last caller leaves, not when it has ended."""
    closing = asyncio.Event()

    async def slow(operation: Any, options: Any) -> Any:
        flights.behind.asked.append(None)  # type: ignore[arg-type]
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await closing.wait()

    flights.behind.execute, execute = slow, flights.behind.execute  # type: ignore[method-assign]
    first = await flights.begin()
    first.cancel()
    await flights.clock.settle()
    assert not first.done()
    flights.behind.execute = execute  # type: ignore[method-assign]
    others = [await flights.begin()]
    closing.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    # the end of the first request does not make the second one forgotten
    others.append(await flights.begin())
    assert len(flights.behind.asked) == 2
    flights.behind.asked[1].serve(BODY)
    await asyncio.gather(*others)
    await flights.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "ERR-10")
async def test_an_error_is_everybodys(flights: Flights) -> None:
    """Each has an object of his own; one request was made."""
    calls = [await flights.begin() for _ in range(3)]
    error = errors.TooManyRequests("slow down", http_status=429, retry_after=2.0)
    flights.behind.asked[0].fail(error)
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert ends == [error] * 3
    assert len({id(end) for end in ends}) == 3
    assert ends[1].__cause__ is error
    await flights.check_that_nothing_is_left()


async def test_what_a_foreign_transport_raises_reaches_everybody(flights: Flights) -> None:
    """It is no error of the tree, and still nobody is left waiting."""
    calls = [await flights.begin() for _ in range(2)]
    flights.behind.asked[0].fail(RuntimeError("no"))
    assert [str(end) for end in await asyncio.gather(*calls, return_exceptions=True)] == ["no", "no"]
    await flights.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "CLI-11")
async def test_a_caller_waits_by_its_own_deadline(flights: Flights) -> None:
    """It leaves; the request goes on for the others."""
    patient = await flights.begin(options=CallOptions(timeout=10.0))
    hasty = await flights.begin(options=CallOptions(timeout=1.0))
    await flights.clock.run_for(1.02)
    with pytest.raises(errors.Timeout):
        await hasty
    flights.behind.asked[0].serve(BODY)
    assert (await patient).data[0].id == "m"
    await flights.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "CLI-11")
async def test_the_request_is_sent_with_the_options_of_who_began_it(flights: Flights) -> None:
    """Its own deadline, headers and retries."""
    options = CallOptions(timeout=3.0, retry="available", headers={"x-region": "eu"})
    call = await flights.begin(options=options)
    assert flights.behind.asked[0].options == options
    flights.behind.asked[0].serve(BODY)
    await call


@pytest.mark.requirement("BAT-01", "CLI-11")
async def test_who_has_time_left_asks_again_when_another_ones_deadline_ended_the_request(flights: Flights) -> None:
    """Those who are left share the next one; who began the first has his error."""
    first = await flights.begin(options=CallOptions(timeout=1.0))
    others = [await flights.begin(options=CallOptions(timeout=10.0)) for _ in range(2)]
    await flights.clock.run_for(0.99)
    flights.behind.asked[0].fail(DEADLINE)
    with pytest.raises(errors.Timeout):
        await first
    await flights.clock.settle()
    assert len(flights.behind.asked) == 2
    flights.behind.asked[1].serve(BODY)
    assert [result.data[0].id for result in await asyncio.gather(*others)] == ["m", "m"]
    await flights.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "CLI-11")
async def test_who_has_hardly_any_time_left_does_not_ask_again(flights: Flights) -> None:
    """A request that cannot be answered in time only hurts a slow upstream."""
    calls = [await flights.begin(options=CallOptions(deadline=Deadline(at))) for at in (1.0, 1.2)]
    await flights.clock.run_for(0.99)
    flights.behind.asked[0].fail(DEADLINE)
    assert [type(end) for end in await asyncio.gather(*calls, return_exceptions=True)] == [errors.Timeout] * 2
    assert len(flights.behind.asked) == 1


async def test_a_file_that_looks_like_an_error_is_shared_as_it_is(flights: Flights) -> None:
    """The client behind sees the parser that says so."""
    operation = replace(LIST, operation_id="downloadFile", parse=as_bytes)
    calls = [await flights.begin(operation) for _ in range(2)]
    flights.behind.asked[0].serve(b'{"error": "no"}')
    assert await asyncio.gather(*calls) == [b'{"error": "no"}'] * 2


class Threads:
    """A single-flight client for threads, whose upstream answers when the test says so."""

    def __init__(self, answer: Callable[[], bytes]) -> None:
        self.clock = FakeSyncClock()
        self.signals = Signals()
        self.entered = threading.Semaphore(0)
        self.behind = ScriptedClient(self._answer)
        self.client = SingleFlightClient(self.behind, clock=self.clock, make_signal=self.signals)
        self._make_answer = answer
        self.go = threading.Event()

    def _answer(self, operation: Operation[Any], options: CallOptions) -> bytes:
        self.entered.release()
        assert self.go.wait(10.0)
        return self._make_answer()

    def begin(self, options: CallOptions | None = None) -> Worker:
        """Begin a call that makes the request."""
        worker = Worker(lambda: self.client.execute(LIST, options))
        assert self.entered.acquire(timeout=10.0)
        return worker

    def join(self, options: CallOptions | None = None) -> Worker:
        """Begin a call that waits for the first one's request."""
        waiting = len(self.signals.made[0].waits)
        worker = Worker(lambda: self.client.execute(LIST, options))
        self.signals.waited_for(0, waiting + 1)
        return worker


@pytest.mark.requirement("BAT-01", "REL-04")
def test_threads_share_a_request_too() -> None:
    """Each has a result of its own, and the next call asks again."""
    threads = Threads(lambda: BODY)
    workers = [threads.begin(), threads.join(), threads.join()]
    threads.go.set()
    results = [worker.ended().result for worker in workers]
    assert [result.data[0].id for result in results] == ["m"] * 3
    assert len({id(result) for result in results}) == 3
    assert len(threads.behind.asked) == 1
    assert threads.client.joined == 2
    assert threads.client._flights == {}
    threads.client.execute(LIST)
    assert len(threads.behind.asked) == 2


@pytest.mark.requirement("BAT-01", "ERR-10")
def test_an_error_is_every_threads() -> None:
    """Each has an object of his own, with the first one as its cause."""

    def fail() -> bytes:
        raise errors.InternalServerError("no", http_status=500)

    threads = Threads(fail)
    workers = [threads.begin(), threads.join()]
    threads.go.set()
    first, second = (worker.ended().error for worker in workers)
    assert first == second == errors.InternalServerError("no", http_status=500)
    assert second is not first
    assert second.__cause__ is first


@pytest.mark.requirement("BAT-01", "CLI-11")
def test_a_thread_waits_by_its_own_deadline() -> None:
    """The signal is asked for as long as is left, and no longer."""
    threads = Threads(lambda: BODY)
    first = threads.begin()
    second = threads.join(CallOptions(timeout=2.0))
    assert threads.signals.made[0].waits == [2.0]
    threads.signals.made[0].let_time_pass()
    error = second.ended().error
    assert isinstance(error, errors.Timeout)
    assert (error.reason, error.source) == ("deadline", errors.ErrorSource.DEADLINE)
    threads.go.set()
    assert first.ended().result.data[0].id == "m"


@pytest.mark.requirement("BAT-01", "CLI-11")
def test_a_thread_with_time_left_asks_again_when_another_ones_deadline_ended_the_request() -> None:
    """It makes the request itself now."""
    ends = [DEADLINE]

    def once_late() -> bytes:
        if ends:
            threads.clock.advance(1.0)
            raise ends.pop()
        return BODY

    threads = Threads(once_late)
    first = threads.begin(CallOptions(timeout=1.0))
    second = threads.join(CallOptions(timeout=10.0))
    threads.go.set()
    assert first.ended().error == DEADLINE
    assert second.ended().result.data[0].id == "m"
    assert len(threads.behind.asked) == 2


@pytest.mark.requirement("BAT-01")
def test_when_the_thread_that_asks_is_interrupted_another_one_asks() -> None:
    """Nobody is left waiting."""
    interrupts = [KeyboardInterrupt()]

    def once_interrupted() -> bytes:
        if interrupts:
            raise interrupts.pop()
        return BODY

    threads = Threads(once_interrupted)
    first, second = threads.begin(), threads.join()
    threads.go.set()
    assert isinstance(first.ended().error, KeyboardInterrupt)
    assert second.ended().result.data[0].id == "m"
    assert len(threads.behind.asked) == 2


@pytest.mark.requirement("BAT-01")
def test_what_must_not_be_shared_is_handed_on_by_threads_too() -> None:
    """No signal is made for it."""
    threads = Threads(lambda: b'{"id": "m", "object": "model", "deleted": true}')
    threads.go.set()
    threads.client.execute(delete_model("m"), CallOptions(timeout=1.0))
    assert threads.behind.asked[0][1] == CallOptions(timeout=1.0)
    assert threads.signals.made == []


@pytest.mark.requirement("REL-04")
def test_no_lock_is_held_while_a_request_is_under_way() -> None:
    """Another call goes through meanwhile."""
    threads = Threads(lambda: b'{"data": [], "id": "m"}')
    first = threads.begin()
    other = Worker(lambda: threads.client.execute(retrieve_model("m")))
    assert threads.entered.acquire(timeout=10.0)
    threads.go.set()
    first.ended()
    assert other.ended().result.id == "m"
