"""Embeddings of several callers in one request: filling, sending, leaving, failing, in both colours."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api import Outcome
from http_util.deadline import Deadline
from http_util.testing import FakeClock, FakeSyncClock
from openai_client import CallOptions, errors
from openai_client._generated.operations.embeddings import create_embedding
from openai_client._generated.operations.models import list_models
from openai_client.batching import AsyncBatchingClient, BatchingClient, _Member
from openai_client.embedding_batch import BatchPolicy, part_of
from openai_client.single_flight import AsyncSingleFlightClient
from openai_client.types import CreateEmbeddingRequest
from tests.unit.openai_client.scripted_clients import AsyncScriptedClient, ScriptedClient, Signals, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai_client.operation import Operation
    from tests.unit.openai_client.scripted_clients import Asked

POLICY = BatchPolicy(max_batch_size=4, max_wait_ms=10.0)
REFUSED = errors.MalformedRequest("no", outcome=Outcome.REJECTED, http_status=400)
DEADLINE = errors.Timeout("the deadline passed", reason="deadline", outcome=Outcome.UNKNOWN)


def embed(*texts: str, **fields: Any) -> Operation[Any]:
    """Return a call for embeddings."""
    return create_embedding(CreateEmbeddingRequest(model="m", input=list(texts), **fields))


def answer(texts: Any) -> bytes:
    """Return the answer for texts: a vector that says which text it belongs to."""
    texts = [texts] if isinstance(texts, str) else texts
    data = [{"index": index, "embedding": [float(ord(text[0]))]} for index, text in enumerate(texts)]
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return json.dumps({"data": data, "model": "m", "usage": usage}).encode()


def said(result: Any) -> str:
    """Return the texts that a result belongs to, in order of its indices."""
    assert [item.index for item in result.data] == list(range(len(result.data)))
    return "".join(chr(int(item.embedding[0])) for item in result.data)


class Batches:
    """A batching client for an event loop, over a client that waits for the test."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.behind = AsyncScriptedClient()
        self.client = AsyncBatchingClient(self.behind, POLICY, clock=self.clock)

    @property
    def sent(self) -> list[Any]:
        """The inputs of every request so far."""
        return [asked.inputs for asked in self.behind.asked]

    async def begin(self, *texts: str, options: CallOptions | None = None, **fields: Any) -> asyncio.Task[Any]:
        """Begin a call and let it go as far as it can."""
        call = asyncio.create_task(self.client.execute(embed(*texts, **fields), options))
        await self.clock.settle()
        return call

    async def serve(self, asked: Asked) -> None:
        """Answer a request as an upstream does."""
        asked.serve(answer(asked.inputs))
        await self.clock.settle()

    async def check_that_nothing_is_left(self) -> None:
        """No task, no timer, no batch."""
        await self.clock.settle()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert self.clock.next_due() is None
        assert self.client._filling == {}


@pytest.fixture
def batches() -> Batches:
    """Four inputs, ten milliseconds."""
    return Batches()


@pytest.mark.requirement("BAT-01")
async def test_calls_within_the_wait_are_one_request(batches: Batches) -> None:
    """Each caller gets what is his, in order, and his share of the usage."""
    calls = [await batches.begin("a"), await batches.begin("b", "c")]
    await batches.clock.run_for(0.0099)
    assert batches.sent == []
    await batches.clock.run_for(0.0001)
    assert batches.sent == [["a", "b", "c"]]
    await batches.serve(batches.behind.asked[0])
    results = await asyncio.gather(*calls)
    assert [said(result) for result in results] == ["a", "bc"]
    assert [result.usage.total_tokens for result in results] == [1, 2]
    await batches.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01")
async def test_a_batch_that_is_full_does_not_wait(batches: Batches) -> None:
    """The next call begins another one."""
    calls = [await batches.begin(text) for text in "abcde"]
    assert batches.sent == [["a", "b", "c", "d"]]
    await batches.clock.run_for(0.01)
    assert batches.sent == [["a", "b", "c", "d"], ["e"]]
    for asked in batches.behind.asked:
        await batches.serve(asked)
    assert [said(result) for result in await asyncio.gather(*calls)] == ["a", "b", "c", "d", "e"]
    await batches.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01")
async def test_a_call_that_does_not_fit_any_more_sends_the_batch_and_begins_another(batches: Batches) -> None:
    """No call is torn apart."""
    calls = [await batches.begin("a", "b", "c"), await batches.begin("d", "e")]
    assert batches.sent == [["a", "b", "c"]]
    await batches.clock.run_for(0.01)
    assert batches.sent[1:] == [["d", "e"]]
    for asked in batches.behind.asked:
        await batches.serve(asked)
    await asyncio.gather(*calls)


@pytest.mark.requirement("BAT-01")
async def test_calls_that_may_not_share_a_request_fill_batches_of_their_own(batches: Batches) -> None:
    """Each kind by itself."""
    calls = [await batches.begin("a"), await batches.begin("b", dimensions=8), await batches.begin("c")]
    await batches.clock.run_for(0.01)
    assert batches.sent == [["a", "c"], ["b"]]
    for asked in batches.behind.asked:
        await batches.serve(asked)
    await asyncio.gather(*calls)


@pytest.mark.requirement("BAT-01")
async def test_everything_else_is_handed_on_at_once(batches: Batches) -> None:
    """Other operations, and calls that are a batch by themselves; with their own options."""
    options = CallOptions(timeout=1.0)
    calls = [
        asyncio.ensure_future(batches.client.execute(list_models(), options)),
        await batches.begin("a", "b", "c", "d"),
    ]
    assert [asked.operation.operation_id for asked in batches.behind.asked] == ["listModels", "createEmbedding"]
    assert batches.behind.asked[0].options is options
    batches.behind.asked[0].serve(b'{"data": []}')
    await batches.serve(batches.behind.asked[1])
    await asyncio.gather(*calls)
    await batches.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "CLI-11")
async def test_the_request_has_the_time_of_the_most_patient_caller(batches: Batches) -> None:
    """Counted from its call, also when it is more than the client's own timeout."""
    calls = [await batches.begin("a", options=CallOptions(timeout=1.0))]
    calls.append(await batches.begin("b", options=CallOptions(timeout=90.0)))
    await batches.clock.run_for(0.01)
    (asked,) = batches.behind.asked
    assert asked.options.deadline == Deadline(90.0)
    assert asked.options.timeout == pytest.approx(89.99)
    await batches.serve(asked)
    await asyncio.gather(*calls)


@pytest.mark.requirement("BAT-01", "CLI-11")
async def test_a_caller_whose_time_is_up_leaves_the_others_alone(batches: Batches) -> None:
    """Whether the batch was sent or not; what it brought is not sent any more."""
    hasty = await batches.begin("a", options=CallOptions(timeout=0.0001))
    calls = [await batches.begin("b", options=CallOptions(timeout=1.0)), await batches.begin("c")]
    # the time is up a little before the request is: that may say more
    await batches.clock.run_for(0.0105)
    with pytest.raises(errors.Timeout):
        await hasty
    await batches.clock.run_for(1.0)
    with pytest.raises(errors.Timeout):
        await calls[0]
    assert not batches.behind.asked[0].was_cancelled
    await batches.serve(batches.behind.asked[0])
    assert said(await calls[1]) == "c"
    await batches.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "ERR-11")
async def test_a_caller_that_is_cancelled_before_the_batch_is_sent_takes_its_inputs_away(batches: Batches) -> None:
    """And makes room."""
    calls = [await batches.begin("a", "b"), await batches.begin("c")]
    calls[0].cancel()
    await batches.clock.settle()
    calls.append(await batches.begin("d", "e"))
    assert batches.sent == []
    await batches.clock.run_for(0.01)
    assert batches.sent == [["c", "d", "e"]]
    await batches.serve(batches.behind.asked[0])
    assert [said(result) for result in await asyncio.gather(*calls[1:])] == ["c", "de"]
    await batches.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "ERR-11")
@pytest.mark.parametrize("leaver", [0, 1, 2])
async def test_a_caller_that_is_cancelled_after_it_does_not_cancel_the_others(batches: Batches, leaver: int) -> None:
    """Also the first one."""
    calls = [await batches.begin(text) for text in "abc"]
    await batches.clock.run_for(0.01)
    calls.pop(leaver).cancel()
    await batches.clock.settle()
    assert not batches.behind.asked[0].was_cancelled
    await batches.serve(batches.behind.asked[0])
    assert "".join([said(call.result()) for call in calls]) == "abc".replace("abc"[leaver], "")
    await batches.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "ERR-11")
async def test_when_all_callers_are_gone_the_request_is_cancelled(batches: Batches) -> None:
    """Before the last cancellation has been told."""
    calls = [await batches.begin(text) for text in "ab"]
    await batches.clock.run_for(0.01)
    for call in calls:
        call.cancel()
    for call in calls:
        with pytest.raises(asyncio.CancelledError):
            await call
    assert batches.behind.asked[0].was_cancelled
    await batches.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "ERR-11")
async def test_when_all_callers_are_gone_before_it_nothing_is_sent(batches: Batches) -> None:
    """No timer is left."""
    call = await batches.begin("a")
    call.cancel()
    await batches.check_that_nothing_is_left()
    await batches.clock.run_for(1.0)
    assert batches.sent == []


@pytest.mark.requirement("BAT-01", "ERR-10")
@pytest.mark.parametrize(
    "error",
    [
        errors.InternalServerError("no", http_status=500, outcome=Outcome.UNKNOWN),
        errors.TooManyRequests("no", http_status=429, outcome=Outcome.REJECTED, retry_after=2.0),
        errors.InvalidFieldValue("no", http_status=400, outcome=Outcome.REJECTED, param="model"),
    ],
)
async def test_an_error_of_the_request_is_everybodys(batches: Batches, error: errors.OpenAIError) -> None:
    """One request, and an error object for each; who has left meanwhile is not told."""
    calls = [await batches.begin(text) for text in "xabc"]
    calls.pop(0).cancel()
    await batches.clock.settle()
    batches.behind.asked[0].fail(error)
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert ends == [error] * 3
    assert len({id(end) for end in ends}) == 3
    assert len(batches.sent) == 1
    await batches.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "ERR-10")
async def test_what_one_input_did_wrong_is_its_callers_error_alone(batches: Batches) -> None:
    """The batch is halved until he is alone; the others get what they asked for."""
    calls = [await batches.begin(text) for text in "abcd"]
    while any(not call.done() for call in calls):
        asked = batches.behind.asked[-1]
        if "c" in asked.inputs:
            asked.fail(REFUSED)
            await batches.clock.settle()
        else:
            await batches.serve(asked)
    # a caller alone asks as he asked
    assert batches.sent == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["d"]]
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert ends.pop(2) == REFUSED
    assert [said(end) for end in ends] == ["a", "b", "d"]
    await batches.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "ERR-11")
async def test_who_left_meanwhile_is_left_out_of_the_halves(batches: Batches) -> None:
    """And a half without callers is not sent."""
    calls = [await batches.begin(text) for text in "abcd"]
    for call in calls[:2]:
        call.cancel()
    await batches.clock.settle()
    batches.behind.asked[0].fail(REFUSED)
    await batches.clock.settle()
    assert batches.sent[1:] == [["c", "d"]]
    await batches.serve(batches.behind.asked[1])
    assert [said(call.result()) for call in calls[2:]] == ["c", "d"]


@pytest.mark.requirement("BAT-01")
async def test_an_answer_that_fits_nobody_is_everybodys_error(batches: Batches) -> None:
    """One embedding for two inputs; it was paid for, so nothing is asked again."""
    calls = [await batches.begin(text) for text in "ab"]
    await batches.clock.run_for(0.01)
    batches.behind.asked[0].serve(answer("a"))
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ends] == [errors.UnexpectedResponse] * 2
    assert len(batches.sent) == 1


async def test_what_a_foreign_transport_raises_leaves_nobody_waiting(batches: Batches) -> None:
    """It is no error of the tree."""
    calls = [await batches.begin(text) for text in "ab"]
    await batches.clock.run_for(0.01)
    batches.behind.asked[0].fail(RuntimeError("no"))
    assert [str(end) for end in await asyncio.gather(*calls, return_exceptions=True)] == ["no", "no"]
    await batches.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01", "ERR-11")
async def test_a_loop_that_shuts_down_takes_the_callers_with_it(batches: Batches) -> None:
    """All tasks are cancelled then, the batch's own first."""
    calls = [await batches.begin(text) for text in "ab"]
    await batches.clock.run_for(0.01)
    for task in asyncio.all_tasks() - {asyncio.current_task(), *calls}:
        task.cancel()
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 2
    await batches.check_that_nothing_is_left()


@pytest.mark.requirement("BAT-01")
async def test_equal_calls_become_one_before_they_are_batched(batches: Batches) -> None:
    """Two explicit objects, one in front of the other."""
    client = AsyncSingleFlightClient(batches.client, clock=batches.clock)
    calls = [asyncio.ensure_future(client.execute(embed(text))) for text in "abaa"]
    await batches.clock.run_for(0.01)
    assert batches.sent == [["a", "b"]]
    await batches.serve(batches.behind.asked[0])
    assert [said(result) for result in await asyncio.gather(*calls)] == ["a", "b", "a", "a"]
    await batches.check_that_nothing_is_left()


class Threads:
    """A batching client for threads, whose upstream is a function."""

    def __init__(self, make_answer: Callable[[Any], bytes] = answer) -> None:
        self.clock = FakeSyncClock()
        self.signals = Signals()
        self.behind = ScriptedClient(lambda operation, _: make_answer(json.loads(operation.body_bytes())["input"]))
        self.client = BatchingClient(self.behind, POLICY, clock=self.clock, make_signal=self.signals)

    @property
    def sent(self) -> list[Any]:
        """The inputs of every request so far."""
        return [json.loads(operation.body_bytes())["input"] for operation, _ in self.behind.asked]

    def lead(self, *texts: str, options: CallOptions | None = None) -> Worker:
        """Begin the call that leads a batch and let it wait for others."""
        number = len(self.signals.made)
        worker = Worker(lambda: self.client.execute(embed(*texts), options))
        # its own signal is made first, then the batch's
        self.signals.waited_for(number + 1)
        return worker

    def follow(self, *texts: str, options: CallOptions | None = None) -> Worker:
        """Begin a call that waits for the leader's."""
        number = len(self.signals.made)
        worker = Worker(lambda: self.client.execute(embed(*texts), options))
        self.signals.waited_for(number)
        return worker


@pytest.mark.requirement("BAT-01", "REL-04")
def test_calls_of_threads_within_the_wait_are_one_request() -> None:
    """The first one's thread sends it when the time is up."""
    threads = Threads()
    workers = [threads.lead("a"), threads.follow("b", "c")]
    assert threads.signals.made[1].waits == [0.01]
    threads.signals.made[1].let_time_pass()
    assert [said(worker.ended().result) for worker in workers] == ["a", "bc"]
    assert threads.sent == [["a", "b", "c"]]
    assert threads.client._filling == {}


@pytest.mark.requirement("BAT-01")
def test_a_batch_of_threads_that_is_full_does_not_wait() -> None:
    """Whoever fills it tells the leader; the next call begins another one."""
    threads = Threads()
    workers = [threads.lead("a"), threads.follow("b"), threads.follow("c")]
    workers.append(Worker(lambda: threads.client.execute(embed("d"))))
    assert [said(worker.ended().result) for worker in workers] == ["a", "b", "c", "d"]
    late = threads.lead("e")
    threads.signals.made[-1].let_time_pass()
    assert said(late.ended().result) == "e"
    assert threads.sent == [["a", "b", "c", "d"], ["e"]]


@pytest.mark.requirement("BAT-01")
def test_a_thread_whose_call_does_not_fit_begins_a_batch_of_its_own() -> None:
    """And sends the one before it on its way."""
    threads = Threads()
    first = threads.lead("a", "b", "c")
    second = threads.lead("d", "e")
    assert said(first.ended().result) == "abc"
    threads.signals.made[-1].let_time_pass()
    assert said(second.ended().result) == "de"


@pytest.mark.requirement("BAT-01", "CLI-11")
def test_a_thread_waits_by_its_own_deadline() -> None:
    """It leaves before the batch is sent, and its input with it."""
    threads = Threads()
    leader = threads.lead("a")
    hasty = threads.follow("b", options=CallOptions(timeout=2.0))
    assert threads.signals.made[2].waits == [2.0]
    threads.signals.made[2].let_time_pass()
    error = hasty.ended().error
    assert isinstance(error, errors.Timeout)
    assert error.reason == "deadline"
    threads.signals.made[1].let_time_pass()
    assert said(leader.ended().result) == "a"
    assert threads.sent == [["a"]]


@pytest.mark.requirement("BAT-01")
def test_a_half_whose_callers_have_left_is_not_sent() -> None:
    """There is nobody whose inputs it could hold."""
    threads = Threads()
    part = part_of(embed("a"), threads.client.config, POLICY)
    assert part is not None
    member = _Member(part, threading.Event())
    member.has_left = True
    threads.client._deliver([member], Deadline(1.0))
    assert threads.sent == []


@pytest.mark.requirement("BAT-01", "CLI-11")
def test_the_leader_waits_no_longer_than_it_has_time() -> None:
    """And the request has its deadline."""
    threads = Threads()
    leader = threads.lead("a", options=CallOptions(timeout=0.004))
    assert threads.signals.made[1].waits == [0.004]
    threads.signals.made[1].let_time_pass()
    leader.ended()
    assert threads.behind.asked[0][1].deadline == Deadline(0.004)


@pytest.mark.requirement("BAT-01", "CLI-11")
def test_a_thread_with_time_left_takes_part_in_another_batch_when_the_leaders_was_over() -> None:
    """It leads that one itself."""
    threads = Threads()
    ends = [DEADLINE]

    def once_late(texts: Any) -> bytes:
        if ends:
            threads.clock.advance(1.0)
            raise ends.pop()
        return answer(texts)

    threads.behind._answer = lambda operation, _: once_late(json.loads(operation.body_bytes())["input"])
    leader = threads.lead("a", options=CallOptions(timeout=1.0))
    patient = threads.follow("b", options=CallOptions(timeout=10.0))
    threads.signals.made[1].let_time_pass()
    assert leader.ended().error == DEADLINE
    threads.signals.waited_for(4).let_time_pass()
    assert said(patient.ended().result) == "b"
    assert threads.sent == [["a", "b"], ["b"]]


@pytest.mark.requirement("BAT-01", "ERR-10")
def test_what_one_threads_input_did_wrong_is_its_error_alone() -> None:
    """As for tasks."""

    def refuse_b(texts: Any) -> bytes:
        if "b" in texts:
            raise REFUSED
        return answer(texts)

    threads = Threads(refuse_b)
    workers = [threads.lead("a"), threads.follow("b"), threads.follow("c")]
    threads.signals.made[1].let_time_pass()
    assert [worker.ended().error for worker in workers] == [None, REFUSED, None]
    assert [said(worker.result) for worker in workers[::2]] == ["a", "c"]
    assert threads.sent == [["a", "b", "c"], ["a"], ["b", "c"], ["b"], ["c"]]


@pytest.mark.requirement("BAT-01", "ERR-10")
def test_an_error_of_the_request_is_every_threads() -> None:
    """Each has an object of his own."""

    def fail(_: Any) -> bytes:
        raise errors.InternalServerError("no", http_status=500)

    threads = Threads(fail)
    workers = [threads.lead("a"), threads.follow("b")]
    threads.signals.made[1].let_time_pass()
    first, second = (worker.ended().error for worker in workers)
    assert first == second == errors.InternalServerError("no", http_status=500)
    assert first is not second
    assert len(threads.sent) == 1


@pytest.mark.requirement("BAT-01")
def test_when_the_leader_is_interrupted_the_others_go_on_without_it() -> None:
    """One of them leads anew."""
    ends = [KeyboardInterrupt()]

    def once_interrupted(texts: Any) -> bytes:
        if ends:
            raise ends.pop()
        return answer(texts)

    threads = Threads(once_interrupted)
    leader, other = threads.lead("a"), threads.follow("b")
    threads.signals.made[1].let_time_pass()
    assert isinstance(leader.ended().error, KeyboardInterrupt)
    threads.signals.waited_for(4).let_time_pass()
    assert said(other.ended().result) == "b"


@pytest.mark.requirement("BAT-01")
def test_a_leader_that_is_interrupted_while_it_waits_sends_nothing() -> None:
    """Nobody joins it any more, and those who did go on without it."""
    threads = Threads()
    leader, other = threads.lead("a"), threads.follow("b")
    threads.signals.made[1].interrupt()
    assert isinstance(leader.ended().error, KeyboardInterrupt)
    threads.signals.waited_for(4).let_time_pass()
    assert said(other.ended().result) == "b"
    assert threads.sent == [["b"]]
    assert threads.client._filling == {}


@pytest.mark.requirement("BAT-01")
def test_everything_else_is_handed_on_by_threads_too() -> None:
    """No signal is made for it."""
    threads = Threads()
    threads.behind._answer = lambda *_: b'{"data": []}'
    threads.client.execute(list_models(), options := CallOptions(timeout=1.0))
    assert threads.behind.asked[0][1] is options
    assert threads.signals.made == []


@pytest.mark.requirement("REL-04")
def test_no_lock_is_held_while_a_batch_waits_or_is_sent() -> None:
    """Another kind of call goes through meanwhile, and one of the same kind begins another batch."""
    reached, go = threading.Event(), threading.Event()

    def slow(texts: Any) -> bytes:
        if "a" in texts:
            reached.set()
            assert go.wait(10.0)
        return answer(texts)

    threads = Threads(slow)
    first = threads.lead("a")
    second = threads.lead("b", "c", "d", options=CallOptions(headers={"x-region": "eu"}))
    threads.signals.made[1].let_time_pass()
    assert reached.wait(10.0)
    threads.signals.made[3].let_time_pass()
    assert said(second.ended().result) == "bcd"
    third = threads.lead("e")
    threads.signals.made[5].let_time_pass()
    assert said(third.ended().result) == "e"
    go.set()
    assert said(first.ended().result) == "a"
